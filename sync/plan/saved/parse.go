package saved

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/sync/plan/digest"
)

// ErrFormat is returned for what is not a plan that this version can read.
var ErrFormat = errors.New("not a plan of usersyncd")

// Encode returns the plan as the file has it.
func (p *Plan) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(p); err != nil {
		return nil, err
	}
	return text.EscapeJSON(b.Bytes()), nil
}

// IsPlan reports whether a file is meant to be a plan, of whatever version and state.
func IsPlan(data []byte) bool {
	var head struct {
		Schema string `json:"schema"`
	}
	_ = json.NewDecoder(bytes.NewReader(data)).Decode(&head) // what is not JSON has no schema
	return strings.HasPrefix(head.Schema, "usersyncd.plan/")
}

// Parse reads what Encode returns. Every error is an ErrFormat.
func Parse(data []byte) (*Plan, error) {
	var head struct {
		Schema string `json:"schema"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&head); err != nil {
		return nil, fmt.Errorf("%w (line %d)", ErrFormat, lineOf(data, d, err))
	}
	switch kind, version, _ := strings.Cut(head.Schema, "/"); {
	case head.Schema == Schema:
	case kind == "usersyncd.plan":
		return nil, fmt.Errorf("%w that this version can read: its schema is %s, not %s: plan again", ErrFormat, text.Quote(version), Schema)
	case kind == "usersyncd.result":
		return nil, fmt.Errorf("%w to be applied, but an output: save one with plan --out", ErrFormat)
	default:
		return nil, fmt.Errorf("%w (line 1)", ErrFormat)
	}
	p := new(Plan)
	d = json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(p); errors.As(err, new(*json.UnmarshalTypeError)) {
		return nil, fmt.Errorf("%w (line %d): %w", ErrFormat, lineOf(data, d, err), err)
	} else if err != nil { // an unknown field, of which no line is known
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w (line %d): there is text after its end", ErrFormat, lineOf(data, d, nil))
	}
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	p.orgID = p.Org.ID
	p.buildIndex()
	return p, nil
}

// lineOf returns the line of an error.
func lineOf(data []byte, d *json.Decoder, err error) int {
	at := d.InputOffset()
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		at = syntax.Offset
	}
	if kind := (*json.UnmarshalTypeError)(nil); errors.As(err, &kind) {
		at = kind.Offset
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		at = int64(len(bytes.TrimRight(data, "\n")))
	}
	return 1 + bytes.Count(data[:min(at, int64(len(data)))], []byte("\n"))
}

// validate refuses what Encode does not return, and makes the values canonical.
func (p *Plan) validate() error {
	if !isHash(strings.TrimPrefix(p.Digest, "sha256:")) || !strings.HasPrefix(p.Digest, "sha256:") || p.ID != digest.Short(p.Digest) {
		return fmt.Errorf("its digest and id do not belong together")
	}
	if p.Created.IsZero() || p.Changes == nil || p.Holds == nil || p.Org.API == "" {
		return errors.New("it is not complete")
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		if err := c.validate(p.HasValues()); err != nil {
			return fmt.Errorf("change %d: %w", i+1, err)
		}
	}
	if p.HasValues() && digest.Sum(p.effects()) != p.Digest {
		return errors.New("its changes are not those of its digest: it was edited, or is damaged")
	}
	return nil
}

func (c *Change) validate(values bool) error {
	switch {
	case !slices.Contains([]string{"create", "restore", "update", "deactivate", "delete", "unmanage"}, c.Action):
		return fmt.Errorf("unknown action %s", text.Quote(c.Action))
	case values && (c.user() == "" || c.Hash != "" || c.creates() && c.User != ""), !values && (c.User+c.Email+c.File != "" || !isHash(c.Hash)):
		return errors.New("the user is not as the file says users")
	case c.Held == "" && c.Hold != "":
		return errors.New("a hold without a guard")
	}
	for i := range c.Fields {
		f := &c.Fields[i]
		if _, known := spec.Lookup(f.Field); !known {
			return fmt.Errorf("unknown field %s", text.Quote(string(f.Field)))
		}
		if values && (spec.FromRawJSON(f.After) == "" || f.Hash != "") || !values && (f.Before != nil || f.After != nil || !isHash(f.Hash)) || f.Held == "" && f.Hold != "" {
			return fmt.Errorf("%s: not as the file says values", f.Field)
		}
		if values {
			f.Before, f.After = canonical(f.Before), canonical(f.After)
		}
	}
	return nil
}

func isHash(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == 32 && s == strings.ToLower(s)
}

// canonical returns valid JSON as a spec.Value has it: without white space, and without an escape that is not needed. The file
// has both, to be read.
func canonical(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	_ = json.Compact(&b, raw) // it was decoded, so it is valid
	if !bytes.Contains(b.Bytes(), []byte(`\`)) {
		return b.Bytes()
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	for rest := b.Bytes(); len(rest) > 0; {
		start := bytes.IndexByte(rest, '"')
		if start < 0 {
			out.Write(rest)
			break
		}
		end := start + 1
		for rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		out.Write(rest[:start])
		var s string
		_ = json.Unmarshal(rest[start:end+1], &s)
		_ = e.Encode(s)
		out.Truncate(out.Len() - 1) // the newline
		rest = rest[end+1:]
	}
	return out.Bytes()
}
