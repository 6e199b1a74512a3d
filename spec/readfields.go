package spec

import "strings"

// Readers of the fields that are one value, or a list or map of plain ones.

func (r *reader) text(n *node) (Value, bool) {
	s, ok := r.literal(n, noText)
	return Text(s), ok
}

func (r *reader) requiredText(n *node) (Value, bool) {
	s, ok := r.word(n)
	return Text(s), ok
}

func (r *reader) email(n *node) (Value, bool) {
	key, ok := r.addressKey(n)
	return Text(key), ok
}

// manager checks the form alone: whether the user exists is known only to the organization.
func (r *reader) manager(n *node) (Value, bool) {
	if isEmptyText(n) {
		return Text(""), true
	}
	return r.email(n)
}

func isEmptyText(n *node) bool { return n.kind == scalar && n.quoted && n.text == "" }

func oneOf(words ...string) func(*reader, *node) (Value, bool) {
	return func(r *reader, n *node) (Value, bool) {
		s, ok := r.choice(n, words...)
		return Text(s), ok
	}
}

func (r *reader) boolean(n *node) (Value, bool) {
	b, ok := r.bool(n)
	return Bool(b), ok
}

// unique reports what an earlier item of the list said already. Names is empty at the start of a list.
func (r *reader) unique(n *node, names map[string]int, name, what string) bool {
	if line, twice := names[name]; twice {
		r.problem(n, "%s is listed twice; the first is in line %d. Keep one", what, line)
		return false
	}
	names[name] = n.pos.Line
	return true
}

func (r *reader) wordList(n *node, example string) (words []string, ok bool) {
	items, ok := r.list(n, example)
	seen := map[string]int{}
	for _, item := range items {
		s, good := r.word(item)
		ok = good && r.unique(item, seen, s, quote(s)) && ok
		words = append(words, s)
	}
	return words, ok
}

func (r *reader) names(n *node) (Value, bool) {
	words, ok := r.wordList(n, "[First name, Second name]")
	return Strings(words), ok
}

func (r *reader) skills(n *node) (Value, bool)    { return r.proficiencies(n, "{Billing: 4}", false) }
func (r *reader) languages(n *node) (Value, bool) { return r.proficiencies(n, "{Spanish: 5}", true) }

// proficiencies run from 0 to 5. Those of languages are whole: the API takes fractions and rounds them.
func (r *reader) proficiencies(n *node, example string, whole bool) (Value, bool) {
	entries, ok := r.mapping(n, example)
	byName := make(map[string]float64, len(entries))
	for _, e := range entries {
		p, good := r.number(e.value, 0, 5, whole)
		byName[e.key.text] = p
		ok = ok && good
	}
	return Proficiencies(byName), ok
}

// maxExternalIDs is the API's limit for one user.
const maxExternalIDs = 100

func (r *reader) externalIDs(n *node) (Value, bool) {
	entries, ok := r.mapping(n, `{workday: "W-1"}`)
	if len(entries) > maxExternalIDs {
		r.problem(n, "has %d entries; Genesys Cloud keeps %d a user", len(entries), maxExternalIDs)
		ok = false
	}
	byAuthority := make(map[string]string, len(entries))
	for _, e := range entries {
		id, good := r.word(e.value)
		byAuthority[e.key.text] = id
		ok = ok && good
	}
	return ExternalIDMap(byAuthority), ok
}

// maxPreviousEmails is how many former addresses a user may have.
const maxPreviousEmails = 10

// previousEmails reads an address, or a list of addresses, and returns those that are valid.
func (r *reader) previousEmails(n *node) (valid []former) {
	items := []*node{n}
	if n.kind == list {
		items = n.items
		if len(items) == 0 {
			r.problem(n, "lists no address; remove it")
		}
		if len(items) > maxPreviousEmails {
			r.problem(n, "lists %d addresses; the most is %d", len(items), maxPreviousEmails)
		}
	}
	seen := map[string]int{}
	for _, item := range items {
		if key, ok := r.addressKey(item); ok && r.unique(item, seen, key, quote(key)) {
			valid = append(valid, former{key, item.pos, item.path()})
		}
	}
	return valid
}

// id is a Genesys id: a UUID, in lower case.
func (r *reader) id(n *node) (string, bool) {
	s, ok := r.literal(n, "")
	if ok && !uuid.MatchString(s) {
		r.problem(n, "%s is not a Genesys id; it looks like 3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f", quote(s))
		return "", false
	}
	return strings.ToLower(s), ok
}
