resource "genesyscloud_user" "ana" {
  email       = "ana.terra@example.com"
  name        = "Ana Again"
  title       = "Agent"
  division_id = genesyscloud_auth_division.benelux.id
  routing_skills {
    skill_id    = genesyscloud_routing_skill.loans.id
    proficiency = 1
  }
  routing_languages {
    language_id = genesyscloud_routing_language.greek.id
    proficiency = 4
  }
}

resource "genesyscloud_user" "ben" {
  email = "ben.terra@example.com"
  name  = "Ben Terra"
}

resource "genesyscloud_user_roles" "ana" {
  user_id = genesyscloud_user.ana.id
  roles { role_id = data.genesyscloud_auth_role.employee.id }
  roles {
    role_id      = data.genesyscloud_auth_role.agent.id
    division_ids = [genesyscloud_auth_division.benelux.id]
  }
}

resource "genesyscloud_routing_queue" "loans" {
  name        = "Loans BE"
  division_id = genesyscloud_auth_division.benelux.id
  members {
    user_id  = genesyscloud_user.ana.id
    ring_num = 1
  }
}

resource "genesyscloud_group" "night" {
  name           = "Night watch"
  type           = "official"
  visibility     = "public"
  rules_visible  = true
  include_owners = true
  owner_ids      = [genesyscloud_user.ben.id]
  member_ids     = [genesyscloud_user.ana.id]
}
