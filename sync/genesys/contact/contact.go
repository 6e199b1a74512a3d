// Package contact reads and writes a user's telephone numbers and further e-mail addresses, which the API keeps in one list.
package contact

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
)

// Contact is one entry of a user's addresses (Contact in the vendor's SDK).
type Contact struct {
	MediaType string `json:"mediaType"` // PHONE, SMS, EMAIL
	Type      string `json:"type"`      // WORK, HOME, ...
	Address   string `json:"address,omitempty"`
	Extension string `json:"extension,omitempty"`
	Display   string `json:"display,omitempty"` // never written
}

// What a spec can name, in its words. Other entries (PRIMARY, MAIN) are not managed, and written back as they were.
var (
	phoneTypes = []string{"work", "work2", "work3", "work4", "home", "mobile", "other"}
	emailTypes = []string{"work", "home"}
)

// Phones is the telephone numbers among contacts, as a spec would have them.
func Phones(list []Contact) spec.Value {
	return spec.PhoneList(managed(list, Contact.phone))
}

// Emails is the further addresses among contacts, as a spec would have them.
func Emails(list []Contact) spec.Value {
	return spec.EmailList(managed(list, Contact.email))
}

// managed returns the contacts that a spec could write.
func managed[T any](list []Contact, inSpec func(Contact) (T, bool)) (all []T) {
	for _, c := range list {
		if v, ok := inSpec(c); ok {
			all = append(all, v)
		}
	}
	return all
}

// media is phone, sms or email; the API's default is phone.
func (c Contact) media() string { return strings.ToLower(cmp.Or(c.MediaType, "phone")) }

// kind is work, home and so on; the API's default is work.
func (c Contact) kind() string { return strings.ToLower(cmp.Or(c.Type, "work")) }

// dialled reads a telephone entry, which the API shows in one of four shapes (the vendor's Terraform
// provider, flattenUserAddresses):
//
//	address                       a number
//	extension, equal to display   an extension; an address besides is the server's own and means nothing
//	extension, another display    a number, which is in display, and an extension
//	display alone                 an extension that belongs to no pool yet
func (c Contact) dialled() (number, extension string) {
	address, display := bare(c.Address), bare(c.Display)
	switch ext := strings.TrimSpace(c.Extension); {
	case ext == "" && address != "":
		return address, ""
	case ext == "" && !isNumber(display):
		return "", ""
	case ext == "" && strings.HasPrefix(display, "+"):
		return display, ""
	case ext == "":
		return "", display
	case display == bare(ext):
		return "", ext
	case isNumber(display):
		return display, ext
	default:
		return address, ext
	}
}

// bare drops what is put around and between the digits of a number. Other text stays.
func bare(s string) string {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\u00a0().-/", r) {
			return -1
		}
		return r
	}, s)
	if isNumber(digits) {
		return digits
	}
	return strings.TrimSpace(s)
}

func isNumber(s string) bool {
	digits := strings.TrimPrefix(s, "+")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// phone returns the entry as a spec would write it, and whether one could.
func (c Contact) phone() (spec.Phone, bool) {
	media, kind := c.media(), c.kind()
	if media != "phone" && media != "sms" || !slices.Contains(phoneTypes, kind) {
		return spec.Phone{}, false
	}
	number, extension := c.dialled()
	return spec.Phone{Type: kind, Media: media, Number: number, Extension: extension}, number+extension != ""
}

// email returns the entry as a spec would write it, and whether one could. PRIMARY is the address to
// log in with and no entry of its own.
func (c Contact) email() (spec.EmailAddress, bool) {
	address := strings.TrimSpace(cmp.Or(c.Address, c.Display))
	if c.media() != "email" || address == "" || !slices.Contains(emailTypes, c.kind()) {
		return spec.EmailAddress{}, false
	}
	return spec.EmailAddress{Type: c.kind(), Address: address}, true
}

// Merge returns the whole list to be written: the entries of known that are not managed as they were, then those of the
// managed kinds as desired. A value "" is a kind that is not managed. An entry that is as desired already keeps what else
// the API knows of it, such as an integration. One that gets another number or address keeps what is not known here.
func Merge(known json.RawMessage, phones, emails spec.Value) ([]map[string]json.RawMessage, error) {
	var raw []map[string]json.RawMessage
	var list []Contact
	if err := errors.Join(json.Unmarshal(known, &raw), json.Unmarshal(known, &list)); err != nil {
		return nil, fmt.Errorf("the contacts known so far: %w", err)
	}
	wantPhones, err := decode[spec.Phone](phones)
	if err != nil {
		return nil, err
	}
	wantEmails, err := decode[spec.EmailAddress](emails)
	if err != nil {
		return nil, err
	}
	kept := map[string]map[string]json.RawMessage{} // entries that change, by media and type
	out := make([]map[string]json.RawMessage, 0, len(raw)+len(wantPhones)+len(wantEmails))
	for i, c := range list {
		if p, ok := c.phone(); ok && phones != "" {
			at := slices.Index(wantPhones, p)
			if at < 0 {
				if at := slices.IndexFunc(wantPhones, func(w spec.Phone) bool { return w.Type == p.Type && w.Media == p.Media }); at >= 0 {
					kept[wantPhones[at].Media+" "+wantPhones[at].Type] = raw[i]
				}
				continue
			}
			wantPhones = slices.Delete(wantPhones, at, at+1)
		}
		if e, ok := c.email(); ok && emails != "" {
			at := slices.IndexFunc(wantEmails, func(w spec.EmailAddress) bool {
				return w.Type == e.Type && spec.Key(w.Address) == spec.Key(e.Address)
			})
			if at < 0 {
				kept["email "+e.Type] = raw[i]
				continue
			}
			wantEmails = slices.Delete(wantEmails, at, at+1)
		}
		if raw[i] != nil && (c.media() != "email" || c.kind() != "primary") { // that one follows the user's email by itself
			out = append(out, c.writable(raw[i]))
		}
	}
	for _, p := range wantPhones {
		out = append(out, entry(kept[p.Media+" "+p.Type], Contact{MediaType: p.Media, Type: p.Type, Address: p.Number, Extension: p.Extension}))
	}
	for _, e := range wantEmails {
		out = append(out, entry(kept["email "+e.Type], Contact{MediaType: "email", Type: e.Type, Address: e.Address}))
	}
	return out, nil
}

// decode reads a list of a spec; "" is not managed, and none.
func decode[T any](v spec.Value) ([]T, error) {
	if v == "" {
		return nil, nil
	}
	return spec.Decode[[]T](v)
}

// writable turns an entry as it was shown into one that can be written: display is read-only, and what
// only display tells must go where it is read from.
func (c Contact) writable(raw map[string]json.RawMessage) map[string]json.RawMessage {
	number, extension := c.dialled()
	if c.media() == "email" || number+extension == "" {
		return raw
	}
	delete(raw, "display")
	if number != c.Address {
		set(raw, "address", number)
	}
	if extension != c.Extension {
		set(raw, "extension", extension)
	}
	return raw
}

func set(raw map[string]json.RawMessage, name, text string) {
	if delete(raw, name); text != "" {
		raw[name] = quote(text)
	}
}

// entry is a new one in the place of another, of which it keeps what is not known here.
func entry(before map[string]json.RawMessage, c Contact) map[string]json.RawMessage {
	raw := maps.Clone(before)
	if raw == nil {
		raw = map[string]json.RawMessage{}
	}
	for _, name := range []string{"display", "countryCode", "integration"} { // of what was there
		delete(raw, name)
	}
	raw["mediaType"], raw["type"] = quote(strings.ToUpper(c.MediaType)), quote(strings.ToUpper(c.Type))
	set(raw, "address", c.Address)
	set(raw, "extension", c.Extension)
	return raw
}

func quote(s string) json.RawMessage {
	text, _ := json.Marshal(s) // a string always has one
	return text
}
