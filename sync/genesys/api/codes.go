package api

import (
	"errors"
	"net/http"
	"strings"

	"usersyncd/sync/apply"
)

// Codes whose message needs a hint.
const (
	codeAddress = "ip.not.authorized"
	codePolicy  = "authz.policy.denied"
	codeScope   = "app.not.authorized.for.scope"
)

// staleVersion is what a 400 without a code says when it means 409; the vendor's Terraform provider matches the same
// words (util_retries.go, IsVersionMismatch).
const staleVersion = "does not match the current version"

// kindOf sorts an answer that is not 2xx into what a pass can do about it. The code decides, first that of the operation's
// row, then what it means everywhere: the API uses the same code under several statuses (general.conflict under 400 and
// 409). For any other code the status decides: those of 401, 403 and 429 come with no other.
//
// The codes are those of the vendor's description of the API (swagger.json of platform-client-sdk-go, x-inin-error-codes).
func kindOf(o *Operation, status int, code, message string) error {
	if kind := o.Codes[code]; kind != nil {
		return kind
	}
	kind := generalKind(status, code, message)
	if errors.Is(kind, apply.ErrNotFound) && !o.Writes() && !strings.Contains(o.Path, "{") {
		return apply.ErrRefused // it names nothing that could be missing: this is not about a user
	}
	return kind
}

func generalKind(status int, code, message string) error {
	switch code {
	case "general.conflict", "request.conflict", "conflict", "general.resource.conflict":
		return apply.ErrConflict
	case "general.resource.not.found", "resource.not.found", "not.found", "client.not.found", "user.not.found.on.delete":
		return apply.ErrNotFound
	case "client.timeout", "client.failed.request", "internal.server.error", "general.internal.server.error", "service.unavailable",
		"external.server.error", "external.service.error", "architect.external.call.failure", "bulk.move.permission.check.error",
		"request.timeout", "authentication.request.timeout", "division.authorization.timeout":
		return apply.ErrUncertain
	}
	switch {
	case status == http.StatusUnauthorized:
		return apply.ErrUnauthorized
	case status == http.StatusForbidden:
		return apply.ErrForbidden
	case status == http.StatusNotFound, status == http.StatusGone:
		return apply.ErrNotFound
	case status == http.StatusConflict,
		status == http.StatusBadRequest && strings.Contains(strings.ToLower(message), staleVersion):
		return apply.ErrConflict
	case status == http.StatusTooManyRequests:
		return apply.ErrThrottled
	case status == http.StatusRequestTimeout, status >= 500, status < 300:
		return apply.ErrUncertain
	}
	return apply.ErrRefused
}

// hint is what else a person must know of an answer with a code, besides the API's own message.
func hint(r *Request, status int, code, message string) string {
	switch {
	case code == codeAddress:
		return "; the organization's list of allowed IP addresses does not have this machine's: a new token would not help"
	case status == http.StatusUnauthorized:
		return "; the API refuses the access token"
	case code == codePolicy:
		return "; an access policy of the organization denies it, which a further role does not change"
	case code == codeScope:
		return "; use an OAuth client of the type client credentials, which has roles instead of scopes"
	case status == http.StatusForbidden:
		needs := strings.Join(r.Needs, ", ")
		if needs == "" || strings.Contains(message, needs) {
			return "; give the OAuth client a role with this permission in all divisions"
		}
		return " (it needs " + needs + "); give the OAuth client a role with this permission in all divisions"
	}
	return ""
}
