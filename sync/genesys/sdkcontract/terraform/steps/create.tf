resource "genesyscloud_user" "ana" {
  email           = "ana.terra@example.com"
  name            = "Ana Terra"
  title           = "Agent"
  department      = "Sales"
  division_id     = genesyscloud_auth_division.benelux.id
  acd_auto_answer = true
  profile_skills  = ["Chess", "Excel"]
  certifications  = ["PCI"]
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
      address = "ana@home.example"
      type    = "HOME"
    }
  }
  routing_skills {
    skill_id    = genesyscloud_routing_skill.fraud.id
    proficiency = 4.5
  }
  routing_languages {
    language_id = genesyscloud_routing_language.dutch.id
    proficiency = 3
  }
  locations {
    location_id = "10000000-0000-4000-8000-000000000002" # Berlin
    notes       = "2nd floor"
  }
  employer_info {
    official_name = "Ana Official"
    employee_id   = "007123"
    employee_type = "Full-time"
    date_hire     = "2021-03-18"
  }
  routing_utilization {
    call {
      maximum_capacity = 1
      include_non_acd  = true
    }
    callback {
      maximum_capacity          = 2
      interruptible_media_types = ["call", "email"]
    }
    chat { maximum_capacity = 3 }
    email { maximum_capacity = 2 }
    message { maximum_capacity = 4 }
  }
  voicemail_userpolicies {
    alert_timeout_seconds    = 21
    send_email_notifications = false
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
  roles {
    role_id      = data.genesyscloud_auth_role.agent.id
    division_ids = [genesyscloud_auth_division.benelux.id]
  }
}

resource "genesyscloud_routing_queue" "loans" {
  name         = "Loans NL"
  division_id  = genesyscloud_auth_division.benelux.id
  wrapup_codes = [genesyscloud_routing_wrapupcode.sold.id]
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
