package sim

import (
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A token is an access token with the quota that is its own.
type token struct {
	value   string
	number  int // the first given out is 1
	expires time.Time
	account
}

// authError is what the login service answers; it is not the API's shape.
type authError struct {
	Error       string `json:"error"`
	Description string `json:"description"`
	Detail      string `json:"error_description"`
}

// serveToken is POST /oauth/token of the login service.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	if !pause(r, s.o.Latency) {
		return
	}
	status, body := s.mint(r)
	s.mu.Lock()
	s.ledger.record("POST /oauth/token", r.Method+" "+r.URL.Path, status)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (s *Server) mint(r *http.Request) (int, any) {
	fail := func(status int, code, text string) (int, any) { return status, authError{code, text, text} }
	if r.Method != http.MethodPost {
		return fail(http.StatusMethodNotAllowed, "invalid_request", "use POST")
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "application/x-www-form-urlencoded" {
		return fail(http.StatusBadRequest, "invalid_request", "the body must be a form")
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return fail(http.StatusBadRequest, "invalid_request", "the body cannot be read")
	}
	form, err := url.ParseQuery(string(data))
	if err != nil || form.Get("grant_type") != "client_credentials" {
		return fail(http.StatusBadRequest, "unsupported_grant_type", "only client_credentials is supported")
	}
	if form.Has("scope") || form.Has("client_secret") {
		return fail(http.StatusBadRequest, "invalid_request", "credentials go into the Authorization header, and scopes do not apply to client credentials")
	}
	// As they are, as the vendor's SDK sends them: RFC 6749 would have them escaped.
	if id, secret, ok := r.BasicAuth(); !ok || id != s.o.ClientID || secret != s.o.ClientSecret {
		return fail(s.o.BadClientStatus, "invalid_client", "client not found or secret wrong")
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.o.MintLimit > 0 {
		for len(s.mints) > 0 && now.Sub(s.mints[0]) >= time.Minute {
			s.mints = s.mints[1:]
		}
		if len(s.mints) >= s.o.MintLimit {
			return fail(s.o.MintLimitStatus, "invalid_request", "rate limit exceeded; try again later")
		}
		s.mints = append(s.mints, now)
	}
	s.minted++
	t := &token{value: s.newID() + s.newID(), number: s.minted, expires: now.Add(s.o.TokenLife)}
	maps.DeleteFunc(s.tokens, func(_ string, old *token) bool { return !now.Before(old.expires) })
	s.tokens[t.value] = t
	s.ledger.Tokens++
	return http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}{t.value, "bearer", int(s.o.TokenLife / time.Second)}
}

// authorize finds the token of a request. The lock is held.
func (s *Server) authorize(r *http.Request) (*token, *answer) {
	value, ok := bearer(r)
	if !ok {
		a := refuse(http.StatusUnauthorized, "authentication.required", "No authentication bearer token specified in authorization header.")
		return nil, &a
	}
	t := s.tokens[value]
	if t == nil || !time.Now().Before(t.expires) {
		a := badCredentials()
		return nil, &a
	}
	return t, nil
}

func badCredentials() answer {
	return refuse(http.StatusUnauthorized, "bad.credentials", "Invalid login credentials.")
}

func bearer(r *http.Request) (value string, ok bool) {
	return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// Revoke makes every token that was given out so far invalid.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// permitted refuses a call that needs a permission, or one of several, which the client lacks. The lock is held.
func (s *Server) permitted(anyOf ...string) *answer {
	if slices.ContainsFunc(anyOf, s.allowed) {
		return nil
	}
	return missing(strings.Join(anyOf, ", "))
}

func missing(permission string) *answer {
	a := refuse(http.StatusForbidden, "missing.any.permissions",
		"Unable to perform the requested action. You must have at least one of the following permissions assigned: [%s]", permission)
	return &a
}
