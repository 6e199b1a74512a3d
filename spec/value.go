package spec

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// formatVersion goes into every hash, so that a change of how values are normalised is noticed as a change.
const formatVersion = 1

// Value is what a field is set to: canonical JSON of its normalised form, so that two values are
// the same exactly when their texts are. It is comparable, and stored, hashed and printed as it is.
//
// Make one with the constructor of its field (Text, Strings, PhoneList, ...), never by hand:
// the YAML reader and the API adapter agree because both use them. Decode reads one back.
type Value string

// Fields maps each field that is managed (desired) or known (observed, applied) to its value.
// A field that is absent is not managed, or not known; it is never "empty".
type Fields map[Field]Value

// Hash is the SHA-256, in hex, of the fields and their values. It does not depend on map order.
func (f Fields) Hash() string {
	h := sha256.New()
	h.Write([]byte{formatVersion})
	for _, field := range slices.Sorted(maps.Keys(f)) {
		// Canonical JSON holds no NUL, so the parts cannot run into each other.
		_, _ = io.WriteString(h, string(field)+"\x00"+string(f[field])+"\x00")
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Hash is the SHA-256, in hex, of all that is desired of the user, and of what it is found by. It changes
// whenever there is a reason to try a user again that the API refused.
func (u *User) Hash() string {
	sum := sha256.Sum256([]byte(u.Fields.Hash() + "\x00" + u.ID + "\x00" + strings.Join(u.PreviousEmails, "\x00")))
	return hex.EncodeToString(sum[:])
}

// Key is the identity of a user within a tree: the e-mail address in lower case and NFC.
func Key(email string) string { return norm.NFC.String(strings.ToLower(email)) }

// Equal reports whether observed is what desired asks for. Values are compared as they are, but for:
//   - phones: where an entry has an extension, media, type and extension decide and the number does not
//     count, because the API rewrites it (the rule of the vendor's Terraform provider);
//   - voicemail: only the settings that desired names count;
//   - utilization: a medium that desired does not name is to be as the organization has it for everybody.
func Equal(f Field, desired, observed Value) bool {
	if desired == observed {
		return true
	}
	switch f {
	case Phones:
		d, errD := Decode[[]Phone](desired)
		o, errO := Decode[[]Phone](observed)
		return errD == nil && errO == nil && dialled(d) == dialled(o)
	case Utilization:
		d, errD := Decode[map[string]MediaUtilization](desired)
		o, errO := Decode[map[string]MediaUtilization](observed)
		return errD == nil && errO == nil && sameUtilization(d, o)
	case Voicemail:
		d, errD := Decode[VoicemailPolicy](desired)
		o, errO := Decode[VoicemailPolicy](observed)
		return errD == nil && errO == nil && VoicemailOf(d) == VoicemailOf(o.only(d))
	}
	return false
}

// Text returns what Text was given; "" for the value of any other constructor, and for none.
func (v Value) Text() string {
	s, err := Decode[string](v)
	if err != nil {
		return ""
	}
	return s
}

// Decode reads a value back into the type that its constructor takes: string for Text, bool for Bool,
// []string for Strings, map[string]float64 for Proficiencies, []Phone for PhoneList, and so on.
func Decode[T any](v Value) (T, error) {
	var out, zero T
	if v == "" {
		return zero, errors.New("decoding a field: no value")
	}
	if text, isText := any(&out).(*string); isText && plain(v) {
		*text = string(v[1 : len(v)-1])
		return out, nil
	}
	d := json.NewDecoder(strings.NewReader(string(v)))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		return zero, fmt.Errorf("decoding field value %q as %T: %w", string(v), zero, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return zero, fmt.Errorf("decoding field value %q: text after its end", string(v))
	}
	return out, nil
}

// plain reports whether a value is a text in which nothing is escaped, as most are: it need not be decoded.
func plain(v Value) bool {
	return len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' && !strings.ContainsAny(string(v[1:len(v)-1]), `\"`)
}

// encode makes the canonical text. It is given only types that always have one:
// strings, finite numbers, and maps, slices and structs of these.
func encode(v any) Value {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // readable as it is stored
	_ = e.Encode(v)
	return Value(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
