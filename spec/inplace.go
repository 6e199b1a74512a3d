package spec

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// setParts changes a list or map entry by entry, so that comments and order survive. It does nothing, and says
// so, where a line would be written from scratch anyway.
func (o *ownText) setParts(key, old *yaml.Node, info Info, v Value) (done bool, err error) {
	if old.Kind == yaml.ScalarNode || (old.Kind == yaml.MappingNode) != isMap(v) {
		return false, nil
	}
	e, err := o.entries(old)
	if err != nil || !e.inLines() {
		return false, err
	}
	if len(parts(v)) == 0 {
		return e.clear(key, v)
	}
	has := entryValues(old, info)
	if len(has) != len(e.all) {
		return false, errShape
	}
	var missing []part
	for _, p := range parts(v) {
		i := slices.IndexFunc(has, func(h part) bool { return samePart(info.Field, h, p) })
		if i < 0 && isMap(v) {
			i = slices.IndexFunc(has, func(h part) bool { return h.key == p.key })
		}
		if i < 0 || e.all[i].keep {
			missing = append(missing, p)
			continue
		}
		e.all[i].keep = true
		if !samePart(info.Field, has[i], p) {
			e.all[i].change = p.value
		}
	}
	if e.flow && !slices.ContainsFunc(e.all, func(t *textEntry) bool { return t.keep }) {
		return false, nil
	}
	return true, e.rewrite(missing)
}

// clear takes the entries out of a block, and leaves the comments between them.
func (e *textEntries) clear(key *yaml.Node, empty Value) (done bool, err error) {
	colon, err := e.end(key)
	if err != nil || e.flow {
		return false, err
	}
	for colon < len(e.text) && e.text[colon] == ' ' {
		colon++
	}
	if !strings.HasPrefix(e.text[colon:], ":") {
		return false, errShape
	}
	e.edit(colon+1, colon+1, " "+string(empty))
	e.remove(0, len(e.all)-1)
	return true, nil
}

// entryValues reads each entry alone: the value is what a list or map with it alone would hold.
func entryValues(old *yaml.Node, info Info) []part {
	c := converter{}
	n := c.convert(old, &node{}, 1)
	var out []part
	one := func(key string, alone node) {
		v, ok := info.read(&reader{}, &alone)
		p := part{key: key}
		if all := parts(v); ok && len(all) == 1 {
			p.value = all[0].value
		}
		out = append(out, p)
	}
	for _, item := range n.items {
		one("", node{kind: list, items: []*node{item}})
	}
	for _, e := range n.entries {
		one(e.key.text, node{kind: mapping, entries: []entry{e}})
	}
	return out
}

// samePart reports whether an entry may stay as it is.
func samePart(f Field, has, want part) bool {
	if has.key != want.key || has.value == "" {
		return want.key != "" && has.key == want.key && want.value == noText // an empty part reads as none
	}
	if f == Phones {
		return Equal(f, "["+has.value+"]", "["+want.value+"]")
	}
	return has.value == want.value
}

// textEntries are the entries of a list or map in the text.
type textEntries struct {
	*source
	y    *yaml.Node
	all  []*textEntry
	flow bool
}

type textEntry struct {
	key, value *yaml.Node // key is nil in a list
	start, end int
	keep       bool
	change     Value // what it is changed to; "" if it is right
}

func (s *source) entries(y *yaml.Node) (*textEntries, error) {
	e := &textEntries{source: s, y: y, flow: inFlow(y)}
	step := 1
	if y.Kind == yaml.MappingNode {
		step = 2
	}
	for i := 0; i+step <= len(y.Content); i += step {
		t := &textEntry{value: y.Content[i+step-1]}
		if step == 2 {
			t.key = y.Content[i]
		}
		var err error
		if t.start, err = s.start(y.Content[i]); err != nil {
			return nil, err
		}
		if t.end, err = s.end(t.value); err != nil {
			return nil, err
		}
		e.all = append(e.all, t)
	}
	return e, nil
}

// inLines reports whether every entry of a block has lines of its own.
func (e *textEntries) inLines() bool {
	lead := ""
	if e.y.Kind == yaml.SequenceNode {
		lead = "-"
	}
	return e.flow || !slices.ContainsFunc(e.all, func(t *textEntry) bool {
		line := e.lineStart(t.start)
		return line == 0 || strings.Trim(e.text[line:t.start], " ") != lead
	})
}

// rewrite changes and removes entries, and puts the missing ones behind the last that stays.
func (e *textEntries) rewrite(missing []part) error {
	last := len(e.all) - 1
	if i := lastKept(e.all); i >= 0 {
		last = i
	}
	for _, t := range e.all {
		if t.change != "" {
			if err := e.put(t.key, t.value, t.change); err != nil {
				return err
			}
		}
	}
	at, lead, tail := e.all[last].end, ", ", ""
	if !e.flow {
		first := e.all[0]
		at, lead = e.lineEnd(at), e.newline+e.text[e.lineStart(first.start):first.start]
	}
	for _, p := range missing {
		tail += lead + flowPart(p)
	}
	if tail != "" {
		e.edit(at, at, tail)
	}
	for i := 0; i < len(e.all); i++ {
		if e.all[i].keep {
			continue
		}
		run := i
		for i+1 < len(e.all) && !e.all[i+1].keep {
			i++
		}
		e.remove(run, i)
	}
	return nil
}

func lastKept(all []*textEntry) int {
	for i, t := range slices.Backward(all) {
		if t.keep {
			return i
		}
	}
	return -1
}

// remove takes out neighbours, of which in a flow one side has an entry that stays.
func (e *textEntries) remove(first, last int) {
	switch {
	case !e.flow:
		for _, t := range e.all[first : last+1] {
			e.edit(e.lineEnd(e.lineStart(t.start)-1), e.lineEnd(t.end), "")
		}
	case last+1 < len(e.all):
		e.edit(e.all[first].start, e.all[last+1].start, "")
	default:
		e.edit(e.all[first-1].end, e.all[last].end, "")
	}
}
