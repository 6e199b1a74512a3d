# What users refer to. Every step has this file.
terraform {
  required_providers {
    genesyscloud = { source = "mypurecloud/genesyscloud" }
  }
}

variable "port" { type = string } # of the simulator

provider "genesyscloud" {
  gateway {
    protocol = "http"
    host     = "127.0.0.1"
    port     = var.port
    path_params {
      path_name  = "login"
      path_value = ""
    }
  }
}

data "genesyscloud_auth_role" "employee" { name = "employee" }
data "genesyscloud_auth_role" "agent" { name = "Agent" }
data "genesyscloud_auth_role" "supervisor" { name = "Supervisor" }

resource "genesyscloud_routing_skill" "fraud" { name = "Card fraud" }
resource "genesyscloud_routing_skill" "loans" { name = "Loans" }
resource "genesyscloud_routing_language" "dutch" { name = "Dutch" }
resource "genesyscloud_routing_language" "greek" { name = "Greek" }

resource "genesyscloud_auth_division" "benelux" {
  name        = "Benelux"
  description = "Two offices"
}

resource "genesyscloud_routing_wrapupcode" "sold" {
  name        = "Sold"
  division_id = genesyscloud_auth_division.benelux.id
}
