package sim

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
)

// mostCapacity is the largest maximumCapacity (the schema of the vendor's Terraform provider).
const mostCapacity = 25

// Utilization is how much can be handled at a time: what the organization has for everybody, or what a user has of its own.
type Utilization struct {
	Media           map[string]Capacity      `json:"media,omitempty"`
	Labels          map[string]LabelCapacity `json:"labels,omitempty"` // by id
	MaxInboundCalls *int                     `json:"maxInboundCalls,omitempty"`
}

// Capacity is MediaUtilization: how much of a medium a user handles at a time.
type Capacity struct {
	MaximumCapacity         int      `json:"maximumCapacity"`
	InterruptableMediaTypes []string `json:"interruptableMediaTypes"`
	IncludeNonACD           bool     `json:"includeNonAcd"`
	AddedLater              string   `json:"addedLater,omitempty"` // see User
}

// LabelCapacity is LabelUtilizationRequest: how much of what has a label a user handles at a time.
type LabelCapacity struct {
	MaximumCapacity      int      `json:"maximumCapacity"`
	InterruptingLabelIDs []string `json:"interruptingLabelIds"`
	AddedLater           string   `json:"addedLater,omitempty"`
}

// standardUtilization is what a new organization has.
func standardUtilization() Utilization {
	u := Utilization{Media: map[string]Capacity{}, Labels: map[string]LabelCapacity{}}
	for media, n := range map[string]int{"call": 1, "callback": 1, "chat": 4, "email": 1, "message": 4, "workitem": 1} {
		u.Media[media] = Capacity{MaximumCapacity: n, InterruptableMediaTypes: []string{}}
	}
	return u
}

func (u Utilization) clone() Utilization {
	u.Media, u.Labels = maps.Clone(u.Media), maps.Clone(u.Labels)
	for media, c := range u.Media {
		c.InterruptableMediaTypes = slices.Clone(c.InterruptableMediaTypes)
		u.Media[media] = c
	}
	for id, c := range u.Labels {
		c.InterruptingLabelIDs = slices.Clone(c.InterruptingLabelIDs)
		u.Labels[id] = c
	}
	return u
}

// EditUtilization changes what the organization has for everybody, by hand.
func (s *Server) EditUtilization(edit func(*Utilization)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(&s.standard)
}

// wireUtilization is AgentMaxUtilizationResponse, and UtilizationResponse, which has no level.
type wireUtilization struct {
	Utilization     map[string]Capacity  `json:"utilization"`
	Labels          map[string]wireLabel `json:"labelUtilizations"`
	MaxInboundCalls *int                 `json:"maxInboundCalls,omitempty"`
	Level           string               `json:"level,omitempty"`
}

// wireLabel is LabelUtilizationResponse.
type wireLabel struct {
	LabelCapacity
	LabelName string `json:"labelName"`
}

// inForce shows what counts: of what somebody has nothing of its own for, the organization's. Every label is shown, those
// that nothing was set for with the default.
func (s *Server) inForce(own *Utilization, level string) wireUtilization {
	all := s.standard.clone()
	if own != nil {
		copied := own.clone()
		maps.Copy(all.Media, copied.Media)
		maps.Copy(all.Labels, copied.Labels)
		all.MaxInboundCalls = cmp.Or(own.MaxInboundCalls, all.MaxInboundCalls)
	}
	w := wireUtilization{all.Media, map[string]wireLabel{}, all.MaxInboundCalls, level}
	for _, t := range s.stores[Label].order {
		if t.there {
			c := all.Labels[t.id]
			c.InterruptingLabelIDs = *copied(c.InterruptingLabelIDs)
			w.Labels[t.id] = wireLabel{c, t.name}
		}
	}
	return w
}

func (s *Server) utilization(u *User) wireUtilization {
	if u.Utilization == nil {
		return s.inForce(nil, "Organization")
	}
	return s.inForce(u.Utilization, "Agent")
}

func (s *Server) getStandardUtilization(*request) answer {
	if a := s.permitted("routing:utilization:view", "routing:utilization:manage"); a != nil {
		return *a
	}
	return answer{status: http.StatusOK, body: s.inForce(nil, "")}
}

func (s *Server) listLabels(req *request) answer {
	if a := s.permitted("routing:utilization:view"); a != nil {
		return *a
	}
	if bad := onlyQuery(req, "pageSize", "pageNumber", "sortOrder", "name"); bad != nil {
		return *bad
	}
	all, bad := s.catalog(req, Label, wild)
	if bad != nil {
		return *bad
	}
	return paged(req, all, func(t listed) wireRef {
		return wireRef{t.id, t.name, "/api/v2/routing/utilization/labels/" + t.id}
	})
}

// utilizationRequest is UtilizationRequest.
type utilizationRequest struct {
	Utilization     map[string]wireCapacity      `json:"utilization"`
	Labels          map[string]wireLabelCapacity `json:"labelUtilizations"`
	MaxInboundCalls *int                         `json:"maxInboundCalls"`
}

// wireCapacity is MediaUtilization as it is sent.
type wireCapacity struct {
	MaximumCapacity         *int     `json:"maximumCapacity"`
	InterruptableMediaTypes []string `json:"interruptableMediaTypes"`
	IncludeNonACD           bool     `json:"includeNonAcd"`
	AddedLater              string   `json:"addedLater"`
}

// wireLabelCapacity is LabelUtilizationRequest as it is sent. It has no labelName.
type wireLabelCapacity struct {
	MaximumCapacity      *int     `json:"maximumCapacity"`
	InterruptingLabelIDs []string `json:"interruptingLabelIds"`
	AddedLater           string   `json:"addedLater"`
}

func (s *Server) getUtilization(req *request) answer {
	if a := s.permitted("routing:utilization:view", "routing:utilization:manage"); a != nil {
		return *a
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	return answer{status: http.StatusOK, body: s.utilization(&r.User)}
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
	media, bad := s.capacities(body.Utilization)
	if bad != nil {
		return *bad
	}
	labels, bad := s.labelCapacities(body.Labels)
	if bad != nil {
		return *bad
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	s.changePart(r, func(u *User) { u.Utilization = &Utilization{media, labels, body.MaxInboundCalls} })
	return answer{status: http.StatusOK, body: s.utilization(&r.User)}
}

func checkCapacity(of string, n *int) *answer {
	switch {
	case n == nil:
		return invalid("maximumCapacity of %s is required", of)
	case *n < 0 || *n > mostCapacity:
		return invalid("maximumCapacity [%d] of %s is not between 0 and %d", *n, of, mostCapacity)
	}
	return nil
}

func (s *Server) capacities(sent map[string]wireCapacity) (map[string]Capacity, *answer) {
	media := slices.Sorted(maps.Keys(s.standard.Media))
	own := map[string]Capacity{}
	for _, m := range slices.Sorted(maps.Keys(sent)) {
		c := sent[m]
		if !slices.Contains(media, m) {
			return nil, notAllowed(m, "utilization", media...)
		}
		if bad := checkCapacity(m, c.MaximumCapacity); bad != nil {
			return nil, bad
		}
		for _, other := range c.InterruptableMediaTypes {
			if !slices.Contains(media, other) {
				return nil, notAllowed(other, "interruptableMediaTypes", media...)
			}
		}
		own[m] = Capacity{*c.MaximumCapacity, *copied(c.InterruptableMediaTypes), c.IncludeNonACD, c.AddedLater}
	}
	return own, nil
}

func (s *Server) labelCapacities(sent map[string]wireLabelCapacity) (map[string]LabelCapacity, *answer) {
	own := map[string]LabelCapacity{}
	for _, id := range slices.Sorted(maps.Keys(sent)) {
		c := sent[id]
		if bad := checkCapacity("label "+id, c.MaximumCapacity); bad != nil {
			return nil, bad
		}
		for _, label := range append([]string{id}, c.InterruptingLabelIDs...) {
			if s.stores[Label].live(label) == nil {
				return nil, invalid("label [%s] does not exist", label)
			}
		}
		own[id] = LabelCapacity{*c.MaximumCapacity, *copied(c.InterruptingLabelIDs), c.AddedLater}
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
