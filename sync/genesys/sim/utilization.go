package sim

import (
	"maps"
	"net/http"
	"slices"
)

// mostCapacity is the largest maximumCapacity (the schema of the vendor's Terraform provider).
const mostCapacity = 25

// standardUtilization is the organization's.
func standardUtilization() map[string]Capacity {
	all := map[string]Capacity{}
	for media, n := range map[string]int{"call": 1, "callback": 1, "chat": 4, "email": 1, "message": 4} {
		all[media] = Capacity{MaximumCapacity: n, InterruptableMediaTypes: []string{}}
	}
	return all
}

// wireUtilization is AgentMaxUtilizationResponse.
type wireUtilization struct {
	Utilization map[string]Capacity `json:"utilization"`
	Labels      map[string]any      `json:"labelUtilizations"`
	Level       string              `json:"level"`
}

// utilization shows what is in force: of the media that the user has nothing of one's own for, the
// organization's.
func (u *User) utilization() wireUtilization {
	w := wireUtilization{standardUtilization(), map[string]any{}, "Organization"}
	if u.Utilization != nil {
		w.Level = "Agent"
		own := u.clone()
		maps.Copy(w.Utilization, own.Utilization)
	}
	return w
}

// getStandardUtilization is what the organization has for everybody (UtilizationResponse).
func (s *Server) getStandardUtilization(*request) answer {
	if a := s.permitted("routing:utilization:view"); a != nil {
		return *a
	}
	return answer{status: http.StatusOK, body: struct {
		Utilization map[string]Capacity `json:"utilization"`
		Labels      map[string]any      `json:"labelUtilizations"`
	}{standardUtilization(), map[string]any{}}}
}

// utilizationRequest is UtilizationRequest. There are no labels here, so none can be named.
type utilizationRequest struct {
	Utilization     map[string]wireCapacity `json:"utilization"`
	Labels          map[string]any          `json:"labelUtilizations"`
	MaxInboundCalls *int                    `json:"maxInboundCalls"`
}

// wireCapacity is MediaUtilization as it is sent.
type wireCapacity struct {
	MaximumCapacity         *int     `json:"maximumCapacity"`
	InterruptableMediaTypes []string `json:"interruptableMediaTypes"`
	IncludeNonACD           bool     `json:"includeNonAcd"`
}

func (s *Server) getUtilization(req *request) answer {
	if a := s.permitted("routing:utilization:view"); a != nil {
		return *a
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	return answer{status: http.StatusOK, body: r.utilization()}
}

// putUtilization replaces what the user has: what it leaves out is the organization's again.
func (s *Server) putUtilization(req *request) answer {
	if a := s.permitted("routing:utilization:manage"); a != nil {
		return *a
	}
	var body utilizationRequest
	if bad := s.decode(req, &body); bad != nil {
		return *bad
	}
	if len(body.Labels) > 0 || body.MaxInboundCalls != nil {
		return *invalid("labelUtilizations and maxInboundCalls cannot be set in this organization")
	}
	own, bad := capacities(body.Utilization)
	if bad != nil {
		return *bad
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	s.changePart(r, func(u *User) { u.Utilization = own })
	return answer{status: http.StatusOK, body: r.utilization()}
}

func capacities(sent map[string]wireCapacity) (map[string]Capacity, *answer) {
	media := slices.Sorted(maps.Keys(standardUtilization()))
	own := map[string]Capacity{}
	for _, m := range slices.Sorted(maps.Keys(sent)) {
		c := sent[m]
		switch {
		case !slices.Contains(media, m):
			return nil, notAllowed(m, "utilization", media...)
		case c.MaximumCapacity == nil:
			return nil, invalid("maximumCapacity of %s is required", m)
		case *c.MaximumCapacity < 0 || *c.MaximumCapacity > mostCapacity:
			return nil, invalid("maximumCapacity [%d] of %s is not between 0 and %d", *c.MaximumCapacity, m, mostCapacity)
		}
		for _, other := range c.InterruptableMediaTypes {
			if !slices.Contains(media, other) {
				return nil, notAllowed(other, "interruptableMediaTypes", media...)
			}
		}
		own[m] = Capacity{*c.MaximumCapacity, *copied(c.InterruptableMediaTypes), c.IncludeNonACD}
	}
	return own, nil
}

func (s *Server) deleteUtilization(req *request) answer {
	if a := s.permitted("routing:utilization:manage"); a != nil {
		return *a
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	s.changePart(r, func(u *User) { u.Utilization = nil })
	return noContent
}
