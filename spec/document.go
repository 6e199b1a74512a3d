package spec

import (
	"regexp"
	"slices"
	"strings"

	"usersyncd/spec/schema"
	"usersyncd/spec/specfile"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

const declaresNobody = "declares no user; delete the file to remove its users"

// declaration is one user as its file declares it.
type declaration struct {
	user *User // Key is "" if the address is unusable
	ok   bool  // it has no problem by itself

	inactive bool     // with certainty: see leavers
	doubtful []string // keys that are set twice, and previousEmail if it is invalid

	path          string // of the user within its document, such as users[3]; "" for all of it
	emailAt, idAt Pos
	former        []former
}

// former is an address that a previousEmail names.
type former struct {
	key   string
	at    Pos
	field string // within the document, such as users[3].previousEmail[1]
}

// readUsers reads the documents of one file.
func readUsers(file string, docs []*strictyaml.Node, above inherited) ([]declaration, []Problem) {
	var r schema.Reader
	var out []declaration
	docs = slices.DeleteFunc(docs, isNothing)
	if specfile.ResemblesDefaults(file) && len(docs) > 0 && !slices.ContainsFunc(docs, declaresUsers) {
		r.Problem(docs[0], "declares no user, as it has neither email nor users; rename the file to _defaults.yaml if it is for all users of the folder")
		return nil, r.Problems
	}
	for _, doc := range docs {
		if doc.Get(keyUsers) == nil {
			out = append(out, readUser(&r, doc, above))
		} else {
			out = append(out, readList(&r, doc, above)...)
		}
	}
	if len(docs) == 0 {
		r.Problems = append(r.Problems, Problem{Pos: Pos{File: file, Line: 1, Column: 1}, Message: declaresNobody})
	}
	if len(out) > 1 { // users with problems count, too
		for i := range out {
			out[i].user.Ordinal = i + 1
		}
	}
	return out, r.Problems
}

// isNothing reports whether a document is empty, such as after a last "---".
func isNothing(doc *strictyaml.Node) bool { return doc.IsNull() && doc.Text == "" }

// declaresUsers reports whether a document is of a user, or of several.
func declaresUsers(doc *strictyaml.Node) bool {
	return doc.Get(string(Email)) != nil || doc.Get(keyUsers) != nil
}

// readList reads a document that is a list of users. What is written beside the list was meant for all of them.
func readList(r *schema.Reader, doc *strictyaml.Node, above inherited) (out []declaration) {
	before := len(r.Problems)
	r.Mapping(doc, "", keyUsers)
	ok := len(r.Problems) == before && len(doc.Refused) == 0
	lists := []*strictyaml.Node{doc.Get(keyUsers)}
	for _, e := range doc.Refused {
		if e.Key.Text == keyUsers {
			lists = append(lists, e.Value)
		}
	}
	for _, value := range lists {
		if !r.Present(value, schema.EmptyList) || !r.List(value, "[{email: ana@example.com}]") {
			continue
		}
		if len(value.Items) == 0 {
			r.Problem(value, declaresNobody)
		}
		for _, u := range value.Items {
			d := readUser(r, u, above)
			d.ok = d.ok && ok
			out = append(out, d)
		}
	}
	return out
}

// readUser reads one user over what it inherits. Inherited values that it overrides were checked in their own file.
func readUser(r *schema.Reader, own *strictyaml.Node, above inherited) declaration {
	before := len(r.Problems)
	d := declaration{user: &User{Pos: own.Pos}, path: own.Path()}
	keys, example := userKeys, "{email: ana@example.com}"
	if d.path == "" { // then it may have been meant as a list
		keys = append(slices.Clip(keys), keyUsers)
		if own.Kind == strictyaml.List {
			example = "{users: [{email: ana@example.com}]}"
		}
	}
	if !r.Present(own, schema.EmptyMap) || !r.Mapping(own, example, keys...) && own.Kind != strictyaml.Mapping {
		return d
	}
	u, n := d.user, strictyaml.Merge(above.node, own)
	fields := len(n.Entries)
	for _, key := range []string{KeyID, KeyPreviousEmail} {
		if n.Get(key) != nil {
			fields--
		}
	}
	u.Fields = make(Fields, 0, fields)
	u.At.at = make([]uint64, 0, fields)
	for i, e := range n.Entries {
		switch name := e.Key.Text; name {
		case KeyID:
			u.ID, _ = idKind.Parse(r, e.Value)
			d.idAt = e.Value.Pos
		case KeyPreviousEmail:
			var ok bool
			if d.former, ok = previousEmailKind.Parse(r, e.Value); !ok {
				d.doubtful = append(d.doubtful, KeyPreviousEmail)
			}
		default:
			info, known := Lookup(Field(name))
			if !known {
				continue
			}
			inherited := i >= len(own.Entries)
			v, ok := above.values.Lookup(info.Field)
			switch {
			case !ok && above.bad && (inherited || e.Value != own.Entries[i].Value):
				continue // its problem is reported, and not again for each user
			case !ok || !inherited:
				v, ok = info.typ.Parse(r, e.Value)
			}
			if ok {
				u.Fields.Set(info.Field, v)
				u.At.Set(info.Field, e.Key.Pos)
				u.addOwnPart(info, own.Get(name), e.Value)
			}
		}
	}
	if v, ok := u.Fields.Lookup(Email); ok {
		u.Key = v.Text()
		d.emailAt = own.Get(string(Email)).Pos
	} else if own.Get(string(Email)) == nil && !own.Bad {
		r.Problem(own, "needs an email, which identifies the user")
	}
	for _, f := range d.former {
		if u.PreviousEmails = append(u.PreviousEmails, f.key); f.key == u.Key {
			r.Problems = append(r.Problems, Problem{Pos: f.at, Field: f.field, Message: "is the same as email; remove it"})
			d.doubtful = append(d.doubtful, KeyPreviousEmail)
		}
	}
	for _, e := range own.Refused {
		d.doubtful = append(d.doubtful, e.Key.Text)
	}
	d.inactive = u.Key != "" && u.Fields.Get(State) == inactive && isSetOnce(own, Email) && isSetOnce(own, State)
	d.ok = len(r.Problems) == before && !own.Bad && !above.bad
	return d
}

// addOwnPart records the user's own part of a field that was merged with an inherited one.
func (u *User) addOwnPart(info FieldInfo, own, merged *strictyaml.Node) {
	if own == nil || own == merged {
		return
	}
	part, problems := info.Parse(own)
	if part == "" && problems != nil { // it lacks what it inherits, such as the capacity of a medium
		part = encode(own.Content())
	}
	if u.OwnParts == nil {
		u.OwnParts = Fields{}
	}
	u.OwnParts.Set(info.Field, part)
}

// isSetOnce reports whether a mapping has a key, and no other that may have been meant as it: the same key again, in
// another case, or with invisible characters.
func isSetOnce(n *strictyaml.Node, f Field) bool {
	count := 0
	for _, e := range slices.Concat(n.Entries, n.Refused) {
		if strings.EqualFold(strictyaml.Visible(e.Key.Text), string(f)) {
			count++
		}
	}
	return count == 1 && n.Get(string(f)) != nil
}

// What templates of Jinja, Helm, GitHub Actions and envsubst consist of.
var placeholder = regexp.MustCompile(`\$?\{\{.*?\}\}|\$\{.*?\}|\{%.*?%\}`)

// leftovers warns of what a template engine should have replaced.
func leftovers(content []byte, docs []*strictyaml.Node) (found []Problem) {
	if !placeholder.Match(content) { // as in most files
		return nil
	}
	for _, doc := range docs {
		for n := range doc.All() {
			if m := placeholder.FindString(n.Text); n.Kind == strictyaml.Scalar && m != "" {
				found = append(found, Problem{Pos: n.Pos, Field: n.Path(), Message: "contains " + text.Quote(m) + ", which a template engine leaves where it replaced nothing; write the value itself"})
			}
		}
	}
	return found
}

const (
	aboutID            = "The user's Genesys id. It pins the user, so that email may change."
	aboutPreviousEmail = "The address that the user had until now, or a list of former addresses: renames the user instead of creating another."
	maxPreviousEmails  = 10
)

// The kinds of the keys that are not fields. An id is in lower case.
var (
	idKind = schema.As(schema.Matching("id", uuid.String()).Must(IsGenesysID, "VALUE is not a Genesys id; it looks like 3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f"), strings.ToLower)

	previousEmailKind = previousEmails()
)

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// IsGenesysID reports whether a text is an id as Genesys Cloud gives them: a UUID.
func IsGenesysID(s string) bool { return uuid.MatchString(s) }

// previousEmails is an address, or a list of addresses. Those that are valid are returned even with a problem.
func previousEmails() schema.Type[[]former] {
	one := address()
	list := schema.Object{"type", "array", "minItems", 1, "maxItems", maxPreviousEmails, "uniqueItems", true, "items", one.JSON}
	return schema.Func("", schema.Object{"anyOf", []schema.Object{one.JSON, list}}, func(r *schema.Reader, n *strictyaml.Node) (valid []former, ok bool) {
		items := []*strictyaml.Node{n}
		ok = true
		if n.Kind == strictyaml.List {
			if items = n.Items; len(items) == 0 || len(items) > maxPreviousEmails {
				r.Problem(n, "lists %d addresses; write 1 to %d", len(items), maxPreviousEmails)
				ok = false
			}
		}
		lines := map[string]int{}
		for _, item := range items {
			key, good := one.Parse(r, item)
			if good = good && r.Once(item, lines, key, text.Quote(key)); good {
				valid = append(valid, former{key, item.Pos, item.Path()})
			}
			ok = ok && good
		}
		return valid, ok
	})
}
