package api_test

import (
	"strings"
	"testing"

	"usersyncd/sync/genesys/api"
)

const base = "https://api.example.test"

// unlimited is a limiter that is never asked.
type unlimited struct{ api.Limiter }

func TestEndpoints(t *testing.T) {
	if n := len(api.Regions()); n != 18 {
		t.Errorf("%d regions, want the vendor's 18", n)
	}
	for _, tt := range []struct{ region, api, login, err string }{
		{"us-east-1", "https://api.mypurecloud.com", "https://login.mypurecloud.com", ""},
		{"eu-central-2", "https://api.euc2.pure.cloud", "https://login.euc2.pure.cloud", ""},
		{"eusc-de-east-1", "https://api.edee1.eusc-pure.cloud", "https://login.edee1.eusc-pure.cloud", ""},
		{" EU-West-1 ", "https://api.mypurecloud.ie", "https://login.mypurecloud.ie", ""},
		{"me_central_1", "https://api.mec1.pure.cloud", "https://login.mec1.pure.cloud", ""},
		{"mypurecloud.com.au", "https://api.mypurecloud.com.au", "https://login.mypurecloud.com.au", ""},
		{"eu-wst-1", "", "", `did you mean "eu-west-1"?`},
		{"moon", "", "", "one of ap-northeast-1, "},
		{"", "", "", "no region given"},
	} {
		base, login, err := api.Endpoints(tt.region)
		if base != tt.api || login != tt.login || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("Endpoints(%q) = %q, %q, %v", tt.region, base, login, err)
		}
	}
}

func TestNewChecksURLs(t *testing.T) {
	for _, tt := range []struct{ api, login, err string }{
		{"https://api.mypurecloud.com", "", ""},
		{"https://gateway.example.com/genesys/", "", ""},
		{"http://127.0.0.1:8080", "", ""},
		{"http://[::1]:8080", "http://localhost:8081/", ""},
		{"http://api.mypurecloud.com", "", "use https"},
		{"http://10.0.0.1", "", "use https"},
		{"http://localhost.example.com", "", "use https"},
		{"https://api.mypurecloud.com", "http://login.mypurecloud.com", "login url"},
		{"https://u:hunter2@api.mypurecloud.com", "", "credentials"},
		{"https://u:hunter2@api\x7f", "", "not a URL"},
		{"https://api.mypurecloud.com/?x=1", "", "query"},
		{"api.mypurecloud.com", "", "not a base URL"},
		{"ftp://api.mypurecloud.com", "", "not a base URL"},
		{"", "", "not a base URL"},
	} {
		_, err := api.New(api.Options{API: tt.api, Login: tt.login, ClientID: "id", ClientSecret: "x", Limiter: unlimited{}})
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("New(%q, %q): %v, want %q", tt.api, tt.login, err, tt.err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestNewNeedsCredentialsAndLimiter(t *testing.T) {
	for _, o := range []api.Options{
		{API: base, ClientSecret: "x", Limiter: unlimited{}},
		{API: base, ClientID: "id", Limiter: unlimited{}},
		{API: base, ClientID: "id", ClientSecret: "x"},
	} {
		if _, err := api.New(o); err == nil {
			t.Errorf("New(%+v) gave no error", o)
		}
	}
}

func TestAPIIsNormalised(t *testing.T) {
	c, err := api.New(api.Options{API: base + "/", ClientID: "id", ClientSecret: "x", Limiter: unlimited{}})
	if err != nil || c.API() != base {
		t.Errorf("API() = %q, %v", c.API(), err)
	}
}
