resource "genesyscloud_user" "ben" {
  email = "ben.terra@example.com"
  name  = "Ben Terra"
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
