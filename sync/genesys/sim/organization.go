package sim

import "net/http"

const orgName = "Example Contact Centre"

func (s *Server) getOrganization(*request) answer {
	return answer{status: http.StatusOK, body: struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		SelfURI string `json:"selfUri"`
	}{s.o.OrgID, orgName, "/api/v2/organizations/me"}}
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
