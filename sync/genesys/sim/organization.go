package sim

import "net/http"

const orgName = "Example Contact Centre"

func (s *Server) getOrganization(*request) answer {
	return answer{status: http.StatusOK, body: wireOrganization{
		ID: s.o.OrgID, Name: orgName, Language: "en-us", Country: "US", ShortName: "example", Domain: "example.com", Version: 1, State: "active",
		Voicemail: true, Platform: "GenesysCloud", SelfURI: "/api/v2/organizations/me",
	}}
}

// wireOrganization is the API's Organization. The vendor's Terraform provider needs the country.
type wireOrganization struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Language  string `json:"defaultLanguage"`
	Country   string `json:"defaultCountryCode"`
	ShortName string `json:"thirdPartyOrgName"`
	Domain    string `json:"domain"`
	Version   int    `json:"version"`
	State     string `json:"state"`
	Voicemail bool   `json:"voicemailEnabled"`
	Platform  string `json:"productPlatform"`
	SelfURI   string `json:"selfUri"`
}

// product is DomainOrganizationProduct.
type product struct {
	ID string `json:"id"`
}

// listProducts is GET /authorization/products, which has no parameters.
func (s *Server) listProducts(req *request) answer {
	if bad := onlyQuery(req); bad != nil {
		return *bad
	}
	p := page[product]{Entities: []product{{"engage3"}, {"collaborateFree"}}, PageSize: 2, PageNumber: 1, Total: 2, PageCount: 1}
	return answer{status: http.StatusOK, body: p}
}

// limit is the API's Limit.
type limit struct {
	Key       string `json:"key"`
	Namespace string `json:"namespace"`
	Value     int    `json:"value"`
}

func (s *Server) listNamespaces(*request) answer {
	return answer{status: http.StatusOK, body: struct {
		Entities []string `json:"entities"`
	}{[]string{s.o.Namespace}}}
}

func (s *Server) getLimits(req *request) answer { return s.limits(req, s.o.Quota.Limit) }

func (s *Server) getDefaultLimits(req *request) answer { return s.limits(req, 300) }

// limits tells the limits of a namespace. Every limit of a token is the same here.
func (s *Server) limits(req *request, rate int) answer {
	ns := req.PathValue("ns")
	if ns != s.o.Namespace {
		return notFound()
	}
	return answer{status: http.StatusOK, body: struct {
		Entities []limit `json:"entities"`
	}{[]limit{
		{"client.credentials.token.rate.per.minute", ns, rate},
		{"token.rate.per.minute", ns, rate},
		{"request.bytes.max", ns, maxBody},
	}}}
}
