package spec_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usersyncd/spec"
)

const otherID = "00000000-5b1a-4c7d-9e8f-0a1b2c3d4e5f"

// left has a problem, and says so of nobody else.
const left = "email: a@x.example\nstate: inactive\ntitel: A\n"

// leaversOf are the leavers of a tree, each as key, ordinal, id and former addresses, as far as there are any.
func leaversOf(tree *spec.Tree) []string {
	var out []string
	for _, u := range tree.Leavers {
		text := u.Key
		if u.Ordinal > 0 {
			text += fmt.Sprintf(" %d", u.Ordinal)
		}
		if u.ID != "" {
			text += " " + u.ID
		}
		out = append(out, strings.Join(append([]string{text}, u.PreviousEmails...), " "))
	}
	return out
}

// leaverCases are trees, and who of them leaves. Other users than a@x.example have other rules: see want.
var leaverCases = map[string]struct {
	files map[string]string
	want  []string // as leaversOf
}{
	// Whatever is wrong with the rest of the user, it goes on.
	"unknown field":                 {files: one(left), want: []string{"a@x.example"}},
	"wrong value":                   {files: one("email: a@x.example\nstate: inactive\nskills: {A: 9}\n"), want: []string{"a@x.example"}},
	"null":                          {files: one("email: a@x.example\nstate: inactive\ntitle:\n"), want: []string{"a@x.example"}},
	"a field twice":                 {files: one("email: a@x.example\ntitle: A\nstate: inactive\ntitle: B\n"), want: []string{"a@x.example"}},
	"an entry twice":                {files: one("email: a@x.example\nstate: inactive\nskills: {A: 1, A: 2}\n"), want: []string{"a@x.example"}},
	"a reference that is none":      {files: one("email: a@x.example\nstate: inactive\nmanager: Luis\n"), want: []string{"a@x.example"}},
	"an anchor on another field":    {files: one("email: a@x.example\nstate: inactive\ntitle: &t A\ndepartment: *t\n"), want: []string{"a@x.example"}},
	"a tag on another field":        {files: one("email: a@x.example\nstate: inactive\ntitle: !!str A\n"), want: []string{"a@x.example"}},
	"a key that is a list":          {files: one("email: a@x.example\nstate: inactive\n? [state]\n: active\n"), want: []string{"a@x.example"}},
	"too deep":                      {files: one("email: a@x.example\nstate: inactive\nroles: " + strings.Repeat("[", 9) + strings.Repeat("]", 9) + "\n"), want: []string{"a@x.example"}},
	"invisible characters":          {files: one("email: a@x.example\nstate: inactive\ntitle: a\u200bb\n"), want: []string{"a@x.example"}},
	"quotes":                        {files: one("\"email\": 'A@x.example'\n'state': \"inactive\"\ntitel: A\n"), want: []string{"a@x.example"}},
	"a merge key beside both":       {files: one("base: &b {state: active, email: b@x.example}\nemail: a@x.example\nstate: inactive\n<<: *b\n"), want: []string{"a@x.example"}},
	"a problem in _defaults.yaml":   {files: map[string]string{"team/_defaults.yaml": "titel: A\n", "team/u.yaml": "email: a@x.example\nstate: inactive\n"}, want: []string{"a@x.example"}},
	"_defaults.yaml is not YAML":    {files: map[string]string{"team/_defaults.yaml": "[", "team/u.yaml": "email: a@x.example\nstate: inactive\n"}, want: []string{"a@x.example"}},
	"_defaults.yaml says active":    {files: map[string]string{"team/_defaults.yaml": "state: active\ntitel: A\n", "team/u.yaml": "email: a@x.example\nstate: inactive\n"}, want: []string{"a@x.example"}},
	"another user of the list":      {files: one("users:\n- {email: b@x.example, titel: B}\n- {email: a@x.example, state: inactive, titel: A}\n- {email: c@x.example, state: active}\n"), want: []string{"a@x.example 2"}},
	"a user who is none":            {files: one("users:\n- b\n- &b {email: b@x.example}\n- *b\n- {email: a@x.example, state: inactive, titel: A}\n"), want: []string{"a@x.example 4"}},
	"another document":              {files: one("email: b@x.example\ntitel: B\n---\n" + left + "...\n---\n[]\n"), want: []string{"a@x.example 2"}},
	"a key beside the list":         {files: one("state: active\nusers:\n- {email: a@x.example, state: inactive}\n"), want: []string{"a@x.example"}},
	"two lists":                     {files: one("users: [{email: a@x.example, state: inactive}]\nusers: [{email: b@x.example}]\n"), want: []string{"a@x.example 1"}},
	"another file that is not YAML": {files: map[string]string{"u.yaml": left, "v.yaml": "["}, want: []string{"a@x.example"}},

	// No problem.
	"no problem":              {files: one("email: a@x.example\nstate: inactive\n")},
	"a problem of others":     {files: map[string]string{"u.yaml": "email: a@x.example\nstate: inactive\n", "v.yaml": "email: b@x.example\ntitel: B\n"}},
	"active":                  {files: one("email: a@x.example\nstate: active\ntitel: A\n")},
	"no state":                {files: one("email: a@x.example\ntitel: A\n")},
	"state of _defaults.yaml": {files: map[string]string{"_defaults.yaml": "state: inactive\n", "u.yaml": "email: a@x.example\ntitel: A\n"}},

	// The state is in doubt.
	"two states":                   {files: one("email: a@x.example\nstate: active\nstate: inactive\n")},
	"two states, inactive first":   {files: one("email: a@x.example\nstate: inactive\nstate: active\n")},
	"inactive twice":               {files: one("email: a@x.example\nstate: inactive\nstate: inactive\n")},
	"another case":                 {files: one("email: a@x.example\nstate: Inactive\n")},
	"upper case":                   {files: one("email: a@x.example\nstate: INACTIVE\n")},
	"another case of the key":      {files: one("email: a@x.example\nstate: inactive\nState: active\n")},
	"another key alone":            {files: one("email: a@x.example\nState: inactive\n")},
	"state is an alias":            {files: one("email: a@x.example\ntitle: &s inactive\nstate: *s\n")},
	"state has an anchor":          {files: one("email: a@x.example\nstate: &s inactive\n")},
	"state has a tag":              {files: one("email: a@x.example\nstate: !!str inactive\n")},
	"state is a list":              {files: one("email: a@x.example\nstate: [inactive]\n")},
	"a merge key brings it":        {files: one("email: a@x.example\ntitle: &b {state: inactive}\n<<: *b\n")},
	"a merge key says it":          {files: one("email: a@x.example\n<<: {state: inactive}\n")},
	"a key with an anchor":         {files: one("email: a@x.example\n&k state: active\nstate: inactive\n")},
	"a key with a tag":             {files: one("email: a@x.example\n!!str state: active\nstate: inactive\n")},
	"a key that is an alias":       {files: one("email: a@x.example\ntitle: &k state\n*k : active\nstate: inactive\n")},
	"a key that looks like it":     {files: one("email: a@x.example\nst\u200bate: active\nstate: inactive\n")},
	"a key with space":             {files: one("email: a@x.example\n\" state\": active\nstate: inactive\n")},
	"the user has an anchor":       {files: one("users:\n- &a {email: a@x.example, state: inactive}\n")},
	"the user is an alias":         {files: one("users:\n- {email: b@x.example, emails: &a [{email: a@x.example, state: inactive}]}\n- *a\n")},
	"not in the user's mapping":    {files: one("user:\n- {email: a@x.example, state: inactive}\n")},
	"a list that nobody reads":     {files: one("email: a@x.example\nemployer: {state: inactive}\n")},
	"two lists that do not agree":  {files: one("users: [{email: a@x.example, state: inactive}]\nusers: [{email: a@x.example, state: active}]\n")},
	"the list is wrong, and twice": {files: one("users: [{email: a@x.example, state: inactive}]\nusers: [{email: b@x.example}, {email: A@x.example}]\n")},

	// The user is in doubt.
	"no email":                {files: one("state: inactive\ntitel: A\n")},
	"no address":              {files: one("email: a\nstate: inactive\n")},
	"two addresses":           {files: one("email: a@x.example\nemail: b@x.example\nstate: inactive\n")},
	"the address twice":       {files: one("email: a@x.example\nemail: a@x.example\nstate: inactive\n")},
	"another case of email":   {files: one("email: a@x.example\nEmail: b@x.example\nstate: inactive\n")},
	"the address is an alias": {files: one("emails: &a a@x.example\nemail: *a\nstate: inactive\n")},

	// The file is not whole.
	"not YAML behind it":           {files: one(left + "roles: [A\n")},
	"another document is not YAML": {files: one(left + "---\n[\n")},
	"text behind the document":     {files: one("{email: a@x.example, state: inactive, titel: A}\n]\n")},
	"a conflict":                   {files: one("email: a@x.example\n<<<<<<< HEAD\nstate: inactive\n=======\nstate: active\n>>>>>>> b\n")},
	"a byte order mark":            {files: one("\xef\xbb\xbf" + left)},
	"a control character":          {files: one(left + "# \x1b\n")},
	"not UTF-8":                    {files: one(left + "# \xe9\n")},
	"an alias of nothing":          {files: one(left + "title: *t\n")},
	"too many values":              {files: one(left + "roles: [" + strings.Repeat("A,", 200_000) + "]\n")},
	"too large":                    {files: one(left + "#" + strings.Repeat("a", 2<<20))},

	// Two specs of one user.
	"both inactive":                       {files: two("email: a@x.example\nstate: inactive\n", "email: A@x.example\nstate: inactive\n"), want: []string{"a@x.example"}},
	"both inactive, one with a problem":   {files: two("email: a@x.example\nstate: inactive\n", left), want: []string{"a@x.example"}},
	"inactive and active":                 {files: two("email: a@x.example\nstate: inactive\n", "email: a@x.example\nstate: active\n")},
	"active and inactive":                 {files: two("email: a@x.example\nstate: active\ntitel: A\n", left)},
	"inactive and no state":               {files: two(left, "email: a@x.example\n")},
	"inactive, and by _defaults.yaml":     {files: map[string]string{"u.yaml": left, "team/_defaults.yaml": "state: inactive\n", "team/v.yaml": "email: a@x.example\n"}},
	"two inactive and one active":         {files: map[string]string{"u.yaml": left, "v.yaml": left, "w.yaml": "email: a@x.example\nstate: active\n"}},
	"both inactive, one with an id":       {files: two(left+"id: "+someID+"\n", left), want: []string{"a@x.example"}},
	"both inactive with an id":            {files: two(left+"id: "+someID+"\n", left+"id: "+strings.ToUpper(someID)+"\n"), want: []string{"a@x.example " + someID}},
	"both inactive with two ids":          {files: two(left+"id: "+someID+"\n", left+"id: "+otherID+"\n"), want: []string{"a@x.example"}},
	"both inactive, two former addresses": {files: two(left+"previousEmail: o@x.example\n", left+"previousEmail: p@x.example\n"), want: []string{"a@x.example"}},

	// What the user is found by.
	"an id":                                    {files: one(left + "id: " + strings.ToUpper(someID) + "\n"), want: []string{"a@x.example " + someID}},
	"an id that is none":                       {files: one("email: a@x.example\nstate: inactive\nid: 7\n"), want: []string{"a@x.example"}},
	"two ids":                                  {files: one("email: a@x.example\nstate: inactive\nid: " + someID + "\nid: " + otherID + "\n"), want: []string{"a@x.example"}},
	"an id of another user":                    {files: two(left+"id: "+someID+"\n", "email: b@x.example\nid: "+someID+"\n")},
	"an id of another leaver":                  {files: two(left+"id: "+someID+"\n", "email: b@x.example\nstate: inactive\nid: "+someID+"\n")},
	"an id of a user with none":                {files: two(left+"id: "+someID+"\n", "id: "+someID+"\n")},
	"an id of three":                           {files: map[string]string{"u.yaml": left + "id: " + someID + "\n", "v.yaml": left + "id: " + someID + "\n", "w.yaml": "email: b@x.example\nid: " + someID + "\n"}},
	"a former address":                         {files: one(left + "previousEmail: O@x.example\n"), want: []string{"a@x.example o@x.example"}},
	"former addresses":                         {files: one(left + "previousEmail: [p@x.example, o@x.example]\n"), want: []string{"a@x.example p@x.example o@x.example"}},
	"a former address is wrong":                {files: one(left + "previousEmail: [p@x.example, o]\n"), want: []string{"a@x.example"}},
	"former addresses twice":                   {files: one(left + "previousEmail: o@x.example\npreviousEmail: p@x.example\n"), want: []string{"a@x.example"}},
	"former and own address":                   {files: one("email: a@x.example\nstate: inactive\npreviousEmail: [o@x.example, a@x.example]\n"), want: []string{"a@x.example"}},
	"a former address of another":              {files: two(left+"previousEmail: [p@x.example, o@x.example]\n", "email: b@x.example\npreviousEmail: o@x.example\n"), want: []string{"a@x.example p@x.example"}},
	"a former address of three":                {files: map[string]string{"u.yaml": left + "previousEmail: o@x.example\n", "v.yaml": left + "previousEmail: o@x.example\n", "w.yaml": "email: b@x.example\npreviousEmail: o@x.example\n"}, want: []string{"a@x.example"}},
	"a former address in use":                  {files: two(left+"previousEmail: o@x.example\n", "email: o@x.example\n"), want: []string{"a@x.example"}},
	"renamed by a wrong spec":                  {files: two(left, "email: b@x.example\npreviousEmail: a@x.example\ntitel: B\n")},
	"at the address of a user who was renamed": {files: two(left+"name: A\n", "email: b@x.example\nname: B\npreviousEmail: a@x.example\n"), want: []string{"a@x.example"}},
	"at the address of a user with a problem":  {files: two("email: a@x.example\nstate: inactive\nname: A\n", "email: b@x.example\nname: B\npreviousEmail: a@x.example\ntitel: B\n")},
	"renamed by a leaver":                      {files: two(left, "email: b@x.example\nstate: inactive\npreviousEmail: a@x.example\n"), want: []string{"a@x.example", "b@x.example"}},
}

func one(text string) map[string]string { return map[string]string{"u.yaml": text} }

func two(first, second string) map[string]string {
	return map[string]string{"u.yaml": first, "v.yaml": second}
}

func TestLeavers(t *testing.T) {
	for name, c := range leaverCases {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(c.files)
			files["fine/z.yaml"] = "email: z@z.example\nstate: inactive\n"
			tree := load(t, spec.NewLoader(checkout(t, files)))
			if diff := cmp.Diff(c.want, leaversOf(tree)); diff != "" {
				t.Errorf("%s\n%q", diff, texts(tree.Problems))
			}
			checkLeavers(t, tree)
		})
	}
}

// checkLeavers reports a leaver who is not one.
func checkLeavers(t *testing.T, tree *spec.Tree) {
	t.Helper()
	byKey := map[string]bool{}
	for _, u := range tree.Users {
		byKey[u.Key] = true
	}
	for _, u := range tree.Leavers {
		if u.Key == "" || u.Key != spec.Key(u.Key) || byKey[u.Key] {
			t.Errorf("%q leaves, and is among the users or a leaver already", u.Key)
		}
		byKey[u.Key] = true
		if want := (spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: spec.Text(u.Key), spec.State: `"inactive"`})); !cmp.Equal(want, u.Fields) {
			t.Errorf("%s leaves with %v", u.Key, u.Fields)
		}
		for _, f := range []spec.Field{spec.Email, spec.State} {
			if at(u, f).File != u.Pos.File || !u.Own(f) {
				t.Errorf("%s of %s is at %s", f, u.Key, at(u, f))
			}
		}
		if slices.Contains(u.PreviousEmails, u.Key) {
			t.Errorf("%s was %q", u.Key, u.PreviousEmails)
		}
	}
	if len(tree.Leavers) > 0 && len(tree.Problems) == 0 {
		t.Error("somebody leaves, and there is no problem")
	}
	if !slices.IsSortedFunc(tree.Leavers, func(a, b *spec.User) int { return strings.Compare(a.Key, b.Key) }) {
		t.Error("the leavers are not in order")
	}
}

// A leaver is where the spec says it.
func TestPlacesOfALeaver(t *testing.T) {
	u := load(t, spec.NewLoader(checkout(t, map[string]string{"team/u.yaml": "users:\n- {email: b@x.example}\n- titel: A\n  state: inactive\n  email: a@x.example\n"}))).Leavers[0]
	if u.Pos.String() != "team/u.yaml:3:3" || at(u, spec.State).String() != "team/u.yaml:4:3" || at(u, spec.Email).String() != "team/u.yaml:5:3" {
		t.Errorf("%s, %s, %s", u.Pos, at(u, spec.State), at(u, spec.Email))
	}
}

// A leaver of a file that is not parsed again leaves as long as no other file says otherwise.
func TestLeaversOfUnchangedFiles(t *testing.T) {
	dir := checkout(t, map[string]string{"u.yaml": left, "team/v.yaml": "email: b@x.example\nstate: inactive\n", "z.yaml": "email: z@x.example\n"})
	l := spec.NewLoader(dir)
	for _, s := range []struct {
		what   string
		do     func()
		parsed int
		want   []string
	}{
		{"first", func() {}, 3, []string{"a@x.example"}},
		{"nothing", func() {}, 0, []string{"a@x.example"}},
		{"a problem in _defaults.yaml", func() { write(t, dir, "team/_defaults.yaml", "titel: A\n") }, 2, []string{"a@x.example", "b@x.example"}},
		{"nothing again", func() {}, 0, []string{"a@x.example", "b@x.example"}},
		{"active elsewhere", func() { write(t, dir, "w.yaml", "email: a@x.example\nstate: active\n") }, 1, []string{"b@x.example"}},
		{"inactive elsewhere", func() { write(t, dir, "w.yaml", "email: a@x.example\nstate: inactive\n") }, 1, []string{"a@x.example", "b@x.example"}},
		{"elsewhere alone", func() { remove(t, dir, "u.yaml") }, 0, []string{"b@x.example"}},
		{"_defaults.yaml is correct", func() { write(t, dir, "team/_defaults.yaml", "title: A\n") }, 2, nil},
		{"its file is not YAML", func() { write(t, dir, "w.yaml", left+"[") }, 1, nil},
		{"it is", func() { write(t, dir, "w.yaml", left) }, 1, []string{"a@x.example"}},
	} {
		s.do()
		tree := load(t, l)
		if diff := cmp.Diff(s.want, leaversOf(tree)); diff != "" || tree.Parsed != s.parsed {
			t.Errorf("%s: parsed %d, want %d: %s", s.what, tree.Parsed, s.parsed, diff)
		}
		fresh := load(t, spec.NewLoader(dir))
		fresh.Parsed = tree.Parsed
		if diff := cmp.Diff(fresh, tree, cmp.AllowUnexported(spec.Positions{})); diff != "" {
			t.Errorf("%s: not what a new loader reads: %s", s.what, diff)
		}
	}
}

func TestFindALeaver(t *testing.T) {
	l := spec.NewLoader(checkout(t, map[string]string{"_defaults.yaml": "title: A\n", "u.yaml": left + "previousEmail: [o@x.example, p@x.example]\n", "v.yaml": "email: b@x.example\n"}))
	for _, key := range []string{"a@x.example", "p@x.example"} {
		tree, err := l.Find(t.Context(), key)
		must(t, err)
		if diff := cmp.Diff([]string{"a@x.example o@x.example p@x.example"}, leaversOf(tree)); diff != "" || tree.Parsed != 2 {
			t.Errorf("%s: parsed %d: %s", key, tree.Parsed, diff)
		}
	}
}

// spoilers are problems of one user, as lines of its mapping, and whether it is certain all the same what it says of
// state and email.
var spoilers = []struct {
	lines   string
	certain bool
}{
	{"titel: A", true}, {"title: 7", true}, {"title:", true}, {"skills: {A: 9}", true}, {"manager: Luis", true}, {"title: A\ntitle: B", true}, {"employer: {State: inactive}", true},
	{"id: 7", true}, {"previousEmail: [o]", true}, {"queues: &q [A]", true}, {"<<: {state: inactive}", true}, {"? [state]\n: inactive", true}, {"7: A", true}, {"title: !!str A", true},
	{"state: inactive\nstate: inactive", false}, {"state: active", false}, {"state: inactive\nstate: active", false}, {"State: inactive", false}, {"email: b@x.example", false}, {"email: *e", false}, {"!!str state: inactive", false},
	{"\"state\\u200b\": inactive", false}, {"title: [A", false}, {"title: A\n--- [", false}, {"# \u202e", false},
}

// Whatever is wrong with one user of a tree, nobody leaves whose own mapping does not say so, and who says so and is in
// no doubt leaves or is in order.
func TestNobodyLeavesWhoDoesNotSaySo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "spec")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		n := rapid.IntRange(1, 6).Draw(t, "users")
		spoilt, spoiler := rapid.IntRange(0, n-1).Draw(t, "spoilt"), rapid.SampledFrom(spoilers).Draw(t, "problem")
		form := rapid.SampledFrom([]string{"files", "documents", "list"}).Draw(t, "form")
		says, file := map[string]bool{}, strings.Builder{} // says: own mapping says inactive, and the spoiler does not leave it in doubt
		writeFile := func(name, text string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for i := range n {
			key := fmt.Sprintf("u%d@x.example", i)
			lines := []string{"email: " + key}
			state := rapid.SampledFrom([]string{"", "", "state: active", "state: inactive", "state: inactive"}).Draw(t, "state")
			says[key] = state == "state: inactive"
			if state != "" {
				lines = append(lines, state)
			}
			if i == spoilt {
				says[key] = says[key] && spoiler.certain
				lines = append(lines, spoiler.lines)
			}
			text := strings.Join(rapid.Permutation(lines).Draw(t, "order"), "\n")
			switch form {
			case "files":
				writeFile(fmt.Sprintf("u%d.yaml", i), text+"\n")
			case "documents":
				file.WriteString("---\n" + text + "\n")
			case "list":
				file.WriteString("- " + strings.ReplaceAll(text, "\n", "\n  ") + "\n")
			}
		}
		switch form {
		case "documents":
			writeFile("u.yaml", file.String())
		case "list":
			writeFile("u.yaml", "users:\n"+file.String())
		}
		if defaults := rapid.SampledFrom([]string{"", "title: A\n", "state: inactive\n", "state: active\ntitel: A\n", "state: inactive\nstate: inactive\n", "["}).Draw(t, "defaults"); defaults != "" {
			writeFile("_defaults.yaml", defaults)
		}
		tree := loadIn(t, dir)
		in := map[string]bool{}
		for _, u := range tree.Leavers {
			if in[u.Key] = true; !says[u.Key] {
				t.Fatalf("%s leaves; problems %q", u.Key, texts(tree.Problems))
			}
		}
		whole := true
		for _, p := range tree.Problems {
			whole = whole && (p.Field != "" || strings.HasPrefix(p.File, "_defaults"))
		}
		for _, u := range tree.Users {
			if in[u.Key] {
				t.Fatalf("%s leaves, and is in order", u.Key)
			}
			in[u.Key] = true
		}
		for key, inactive := range says {
			if whole && inactive && !in[key] {
				t.Fatalf("%s does not leave; problems %q", key, texts(tree.Problems))
			}
		}
	})
}

func loadIn(t *rapid.T, dir string) *spec.Tree {
	l := spec.NewLoader(dir)
	s, err := l.Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tree, err := l.Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
