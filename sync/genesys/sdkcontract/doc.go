// Package sdkcontract has tests alone: what usersyncd sends, and what its simulator answers, against the
// vendor's own Go SDK.
//
// The client in sync/genesys and the simulator in sync/genesys/sim were both written by hand, and each is
// tested with the other: a field that both spell wrong passes every such test. Here a third party
// decides, one that neither was made from:
//
//   - the SDK calls the simulator, method by method. Each answer must decode into what is stored, and its JSON
//     may have no field and no type that the SDK's model has not;
//   - real passes run over the simulator, and every body that is written is held against the model that the
//     SDK sends there; paths, query parameters, required and read-only fields and fixed words against the
//     description of the API that comes with the SDK;
//   - bodies that are wrong on purpose must be refused, so that the check itself is known to work.
//
// # The strict check
//
// The SDK's models have an UnmarshalJSON that takes what it knows and drops the rest without a word,
// a wrong type too. So it is not used: strict walks the JSON and the model's type side by side.
//
// # A module of its own
//
// The SDK takes minutes and gigabytes to compile, and the program does not use it. This module keeps it out
// of the program's go.mod and of its go test ./...
//
//	cd sync/genesys/sdkcontract && go test ./...
//
// The module in terraform drives the vendor's Terraform provider on the simulator.
package sdkcontract
