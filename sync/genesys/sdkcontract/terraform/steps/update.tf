resource "genesyscloud_user" "ana" {
  email          = "ana.terra@example.com"
  name           = "Ana Terra-Nova"
  title          = "Team lead"
  department     = "Sales"
  profile_skills = ["Chess"]
  certifications = ["ITIL", "PCI"]
  addresses {
    phone_numbers {
      number    = "+13174181234"
      extension = "9123"
    }
    phone_numbers {
      number = "+13174181235"
      type   = "HOME"
    }
    phone_numbers {
      extension = "4567"
      type      = "WORK2"
    }
    other_emails {
      address = "ana@new.example"
      type    = "HOME"
    }
  }
  routing_skills {
    skill_id    = genesyscloud_routing_skill.fraud.id
    proficiency = 2
  }
  routing_skills {
    skill_id    = genesyscloud_routing_skill.loans.id
    proficiency = 3.5
  }
  routing_languages {
    language_id = genesyscloud_routing_language.greek.id
    proficiency = 5
  }
  employer_info {
    employee_id   = "007123"
    employee_type = "Part-time"
  }
  routing_utilization {
    call { maximum_capacity = 1 }
    callback { maximum_capacity = 1 }
    chat { maximum_capacity = 5 }
    email { maximum_capacity = 2 }
    message { maximum_capacity = 4 }
  }
  voicemail_userpolicies {
    alert_timeout_seconds    = 30
    send_email_notifications = true
  }
}

resource "genesyscloud_user" "ben" {
  email   = "ben.terra@example.com"
  name    = "Ben Terra"
  manager = genesyscloud_user.ana.id
}

resource "genesyscloud_user_roles" "ana" {
  user_id = genesyscloud_user.ana.id
  roles { role_id = data.genesyscloud_auth_role.employee.id }
  roles { role_id = data.genesyscloud_auth_role.supervisor.id }
}

resource "genesyscloud_routing_queue" "loans" {
  name         = "Loans BE"
  division_id  = genesyscloud_auth_division.benelux.id
  wrapup_codes = []
  bullseye_rings { expansion_timeout_seconds = 10 }
  bullseye_rings { expansion_timeout_seconds = 20 }
  members {
    user_id  = genesyscloud_user.ana.id
    ring_num = 2
  }
  members {
    user_id  = genesyscloud_user.ben.id
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
  description    = "Nights and weekends"
  member_ids     = [genesyscloud_user.ana.id, genesyscloud_user.ben.id]
}
