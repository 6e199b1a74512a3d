module usersyncd/sync/genesys/sdkcontract/terraform

go 1.26.8

require usersyncd v0.0.0

replace usersyncd => ../../../..
