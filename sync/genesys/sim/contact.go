package sim

import (
	"net/http"
	"slices"
	"strings"
)

// A Contact is one entry of a user's addresses as it is stored.
type Contact struct {
	MediaType, Type   string // PHONE, SMS or EMAIL; WORK, HOME, ...
	Address           string // an e-mail address, or a number in E.164
	Extension         string
	Pooled            bool   // the extension belongs to a pool
	Integration, Land string // the tag of an external system; a country's code
	AddedLater        string `json:",omitempty"`
}

// wireContact is the API's Contact. Display is computed: what a client sends there does not count.
type wireContact struct {
	Address     string `json:"address,omitempty"`
	Display     string `json:"display,omitempty"`
	MediaType   string `json:"mediaType,omitempty"`
	Type        string `json:"type,omitempty"`
	Extension   string `json:"extension,omitempty"`
	CountryCode string `json:"countryCode,omitempty"`
	Integration string `json:"integration,omitempty"`
	AddedLater  string `json:"addedLater,omitempty"`
}

var (
	mediaTypes   = []string{"PHONE", "EMAIL", "SMS"}
	contactTypes = []string{"PRIMARY", "WORK", "WORK2", "WORK3", "WORK4", "HOME", "MOBILE", "MAIN", "OTHER"}
)

// wire shows a contact in the shape that the API reads back (the vendor's Terraform provider,
// flattenUserAddresses): a number in address; a pooled extension in extension and display, with an
// address that the server adds; a number with an extension in display; an extension without a pool in
// display alone.
func (c Contact) wire() wireContact {
	w := wireContact{MediaType: c.MediaType, Type: c.Type, CountryCode: c.Land, Integration: c.Integration, AddedLater: c.AddedLater}
	switch {
	case c.MediaType == "EMAIL":
		w.Address = c.Address
	case c.Extension == "":
		w.Address, w.Display = c.Address, spaced(c.Address)
	case c.Address != "":
		w.Extension, w.Display = c.Extension, "("+spaced(c.Address)+")"
	case c.Pooled:
		w.Extension, w.Display, w.Address = c.Extension, c.Extension, "+49301234"+c.Extension
	default:
		w.Display = c.Extension
	}
	return w
}

// spaced writes a number for people.
func spaced(number string) string {
	if len(number) < 7 {
		return number
	}
	return number[:3] + " " + number[3:6] + " " + number[6:]
}

// parseContacts checks a list and turns it into what is stored.
func parseContacts(list []wireContact) ([]Contact, *answer) {
	seen := map[string]bool{}
	out := []Contact{}
	for _, w := range list {
		c := Contact{MediaType: orElse(w.MediaType, "PHONE"), Type: orElse(w.Type, "WORK"), Land: w.CountryCode, Integration: w.Integration, AddedLater: w.AddedLater}
		if !slices.Contains(mediaTypes, c.MediaType) {
			return nil, notAllowed(c.MediaType, "mediaType", mediaTypes...)
		}
		if !slices.Contains(contactTypes, c.Type) {
			return nil, notAllowed(c.Type, "type", contactTypes...)
		}
		key := c.MediaType + " " + c.Type
		if seen[key] {
			return nil, invalid("There is more than one contact of media type %s and type %s", c.MediaType, c.Type)
		}
		seen[key] = true
		switch {
		case c.MediaType == "EMAIL":
			if bad := validEmail(w.Address); bad != nil {
				return nil, bad
			}
			if w.Extension != "" {
				return nil, invalid("An e-mail address has no extension [%s]", w.Extension)
			}
			c.Address = w.Address
		case w.Address == "" && w.Extension == "":
			return nil, invalid("A contact needs an address or an extension")
		default:
			number, ok := e164(w.Address)
			if !ok {
				return nil, invalid("The phone number [%s] is not valid", w.Address)
			}
			if strings.Trim(w.Extension, "0123456789") != "" {
				return nil, invalid("The extension [%s] is not valid", w.Extension)
			}
			c.Address, c.Extension, c.Pooled = number, w.Extension, pooled(w.Extension)
		}
		out = append(out, c)
	}
	return out, nil
}

// extensionPool is the API's ExtensionPool.
type extensionPool struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Start string `json:"startNumber"`
	End   string `json:"endNumber"`
	State string `json:"state"`
}

// pool is the only one: see pooled.
var pool = extensionPool{"e9000000-0000-4000-8000-000000000001", "Extensions", "1000", "8999", "active"}

func (s *Server) listExtensionPools(req *request) answer {
	if a := s.permitted("telephony:extensionPool:view"); a != nil {
		return *a
	}
	if bad := onlyQuery(req, "pageSize", "pageNumber", "sortBy", "number", "divisionId"); bad != nil {
		return *bad
	}
	return paged(req, []extensionPool{pool}, func(p extensionPool) extensionPool { return p })
}

func (s *Server) getExtensionPool(req *request) answer {
	if a := s.permitted("telephony:extensionPool:view"); a != nil {
		return *a
	}
	if req.PathValue("pool") != pool.ID {
		return notFound()
	}
	return answer{status: http.StatusOK, body: pool}
}

// pooled: extensions that begin with 9 belong to no pool here.
func pooled(extension string) bool {
	return extension != "" && !strings.HasPrefix(extension, "9")
}

// e164 brings a number into its normal form. No number is one, too.
func e164(s string) (string, bool) {
	n := strings.NewReplacer(" ", "", "(", "", ")", "", "-", "", ".", "").Replace(s)
	if n == "" {
		return "", s == ""
	}
	digits, plus := strings.CutPrefix(n, "+")
	return n, plus && strings.Trim(digits, "0123456789") == "" && !strings.HasPrefix(digits, "0") && len(digits) >= 4 && len(digits) <= 15
}
