// Package terraform has one test: it drives the vendor's own Terraform provider through the life of a user on the simulator.
// The user has skills, languages, roles, a division, a queue and a group, and is created, changed, cleared, deactivated, activated,
// deleted and restored. It is a module of its own, since it needs terraform and the provider, and takes two minutes:
//
//	cd sync/genesys/sdkcontract/terraform && go test -v                  # terraform init downloads the provider
//	cd sync/genesys/sdkcontract/terraform && go test -v -provider DIR    # it is in this directory already
package terraform
