resource "genesyscloud_user" "ana" {
  email                  = "ana.terra@example.com"
  name                   = "Ana Terra-Nova"
  profile_skills         = []
  certifications         = []
  routing_skills         = []
  routing_languages      = []
  locations              = []
  employer_info          = []
  routing_utilization    = []
  addresses              = []
}

resource "genesyscloud_user" "ben" {
  email = "ben.terra@example.com"
  name  = "Ben Terra"
}

resource "genesyscloud_user_roles" "ana" {
  user_id = genesyscloud_user.ana.id
  roles { role_id = data.genesyscloud_auth_role.employee.id }
}

resource "genesyscloud_routing_queue" "loans" {
  name        = "Loans BE"
  division_id = genesyscloud_auth_division.benelux.id
}

resource "genesyscloud_group" "night" {
  name           = "Night watch"
  type           = "official"
  visibility     = "public"
  rules_visible  = true
  include_owners = true
  owner_ids      = [genesyscloud_user.ben.id]
  member_ids     = []
}
