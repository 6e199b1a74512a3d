package spec

const declaresNobody = "declares no user; delete the file to remove its users"

// declaration is one user as its file declares it.
type declaration struct {
	user *User // Key is "" if the address is unusable
	ok   bool  // nothing is wrong with it, seen alone

	inactive bool     // certainly so, whatever else is wrong: see leavers
	doubtful []string // keys that are set twice, and previousEmail if it is not valid

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
func readUsers(file string, docs []*node, above inherited) ([]declaration, []Problem) {
	var r reader
	var out []declaration
	empty := true
	for _, doc := range docs {
		if isNothing(doc) {
			continue
		}
		empty = false
		if doc.kind != mapping || doc.get(keyUsers) == nil {
			out = append(out, r.user(doc, above))
			continue
		}
		out = append(out, r.users(doc, above)...)
	}
	if empty {
		r.problems = append(r.problems, Problem{Pos: Pos{file, 1, 1}, Message: declaresNobody})
	}
	if len(out) > 1 { // users with problems have their places, so that the others keep theirs
		for i := range out {
			out[i].user.Ordinal = i + 1
		}
	}
	return out, r.problems
}

// users reads a document that is a list of users. What stands beside the list was meant for all of them.
func (r *reader) users(doc *node, above inherited) (out []declaration) {
	before := len(r.problems)
	r.mapping(doc, "", keyUsers)
	ok := len(r.problems) == before && len(doc.lost) == 0
	lists := []*node{doc.get(keyUsers)}
	for _, e := range doc.lost {
		if e.key.text == keyUsers { // it may contradict the first list
			lists = append(lists, e.value)
		}
	}
	for _, value := range lists {
		users, isList := r.list(value, "[{email: ana@example.com}]")
		if isList && len(users) == 0 {
			r.problem(value, declaresNobody)
		}
		for _, u := range users {
			d := r.user(u, above)
			d.ok = d.ok && ok
			out = append(out, d)
		}
	}
	return out
}

// isNothing reports whether a document is empty, as the one after a last "---" is.
func isNothing(doc *node) bool { return doc.isNull() && doc.text == "" }

// user reads one user over what it inherits. What the user's own file overrides was checked where it stands.
func (r *reader) user(own *node, above inherited) declaration {
	before := len(r.problems)
	d := declaration{user: &User{Pos: own.pos}, path: own.path()}
	if _, ok := r.mapping(own, "{email: ana@example.com}", userKeys...); !ok && own.kind != mapping {
		return d
	}
	u, n := d.user, merge(above.node, own)
	u.Fields = make(Fields, len(n.entries))
	u.At = make(Positions, 0, len(n.entries))
	for _, e := range n.entries {
		switch name := e.key.text; name {
		case keyID:
			u.ID, _ = r.id(e.value)
			d.idAt = e.value.pos
		case keyPreviousEmail:
			found := len(r.problems)
			if d.former = r.previousEmails(e.value); len(r.problems) > found {
				d.doubtful = append(d.doubtful, keyPreviousEmail)
			}
		default:
			info, known := Lookup(Field(name))
			if !known {
				continue
			}
			if v, ok := r.field(info, e.value); ok {
				u.Fields[info.Field], u.At = v, u.At.Add(info.Field, e.key.pos)
				u.addOwnPart(info, own.get(name), e.value)
			}
		}
	}
	if v, ok := u.Fields[Email]; ok {
		u.Key, _ = Decode[string](v)
		d.emailAt = own.get(string(Email)).pos
	} else if own.get(string(Email)) == nil && !own.bad {
		r.problem(own, "needs an email: it says who the user is")
	}
	for _, f := range d.former {
		if u.PreviousEmails = append(u.PreviousEmails, f.key); f.key == u.Key {
			r.problems = append(r.problems, Problem{Pos: f.at, Field: f.field, Message: "is the same as email; remove it"})
			d.doubtful = append(d.doubtful, keyPreviousEmail)
		}
	}
	for _, e := range own.lost {
		d.doubtful = append(d.doubtful, e.key.text)
	}
	d.inactive = u.Key != "" && u.Fields[State] == inactive && own.saysOnce(Email) && own.saysOnce(State)
	d.ok = len(r.problems) == before && !own.bad && !above.bad
	return d
}

func (r *reader) field(info Info, n *node) (Value, bool) {
	if n.isNull() {
		r.null(n, info.Empty)
		return "", false
	}
	return info.read(r, n)
}
