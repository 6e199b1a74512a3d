resource "genesyscloud_user" "ben" {
  email = "ben.terra@example.com"
  name  = "Ben Terra"
}

resource "genesyscloud_routing_queue" "loans" {
  name        = "Loans BE"
  division_id = genesyscloud_auth_division.benelux.id
}

