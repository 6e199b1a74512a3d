package api_test

import (
	"net/http"
	"testing"

	"usersyncd/sync/genesys/api"
)

// The values of a path are escaped, so that none reaches another resource; a value may itself look like a variable.
func TestRequestOfAnOperation(t *testing.T) {
	op := api.Operation{Method: http.MethodDelete, Path: "/users/{id}/externalid/{authority}/{key}"}
	for want, args := range map[string][]string{
		"DELETE /api/v2/users/u1/externalid/workday/W-1":               {"u1", "workday", "W-1"},
		"DELETE /api/v2/users/u1/externalid/a%2Fb%3Fc/..%2F%252e%252e": {"u1", "a/b?c", "../%2e%2e"},
		"DELETE /api/v2/users/u1/externalid/%7Bkey%7D/Zo%C3%AB%20x":    {"u1", "{key}", "Zoë x"},
	} {
		r := api.Request{Operation: &op, Args: args}
		if got := r.String(); got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}

func TestWhichOperationsWrite(t *testing.T) {
	for op, want := range map[*api.Operation]bool{
		{Method: http.MethodGet}: false, {Method: http.MethodPost}: true, {Method: http.MethodPatch}: true, {Method: http.MethodDelete}: true,
		{Method: http.MethodPost, Asks: true}: false,
	} {
		if op.Writes() != want {
			t.Errorf("%+v: writes is %t", op, op.Writes())
		}
	}
}
