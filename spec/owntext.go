package spec

import (
	"cmp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// ownText is the mapping of one user in the text of its file.
type ownText struct {
	*source
	y       *yaml.Node
	node    *node
	adds    []part // what the user does not say yet
	dropped string // a key that goes
}

func newOwnText(src *source, docs []*yaml.Node, at Pos) (*ownText, error) {
	for _, doc := range docs {
		if y := mappingAt(doc, at); y != nil {
			c := converter{file: at.File}
			return &ownText{source: src, y: y, node: c.convert(y, &node{}, 1)}, nil
		}
	}
	return nil, errShape
}

func mappingAt(y *yaml.Node, at Pos) *yaml.Node {
	if y.Kind == yaml.MappingNode && y.Line == at.Line && y.Column == at.Column {
		return y
	}
	for _, below := range y.Content {
		if found := mappingAt(below, at); found != nil {
			return found
		}
	}
	return nil
}

// find gives the index of a key in the mapping's content; -1 if it is not there.
func (o *ownText) find(key string) int {
	for i := 0; i < len(o.y.Content); i += 2 {
		if clean(o.y.Content[i].Value) == key {
			return i
		}
	}
	return -1
}

// set makes the user's own text for a key say the value.
func (o *ownText) set(key string, info Info, v Value) error {
	i := o.find(key)
	if i < 0 {
		o.adds = append(o.adds, part{key, v})
		return nil
	}
	done, err := o.setParts(o.y.Content[i], o.y.Content[i+1], info, v)
	if err != nil || done {
		return err
	}
	return o.put(o.y.Content[i], o.y.Content[i+1], v)
}

// put writes another value behind a key, in the style of the old one.
func (s *source) put(key, old *yaml.Node, v Value) error {
	start, err := s.start(old)
	if err != nil {
		return err
	}
	end, err := s.end(old)
	if err != nil {
		return err
	}
	block := old.Kind != yaml.ScalarNode && !inFlow(old)
	if block && len(parts(v)) > 0 {
		indent := s.text[s.lineStart(start):start]
		if strings.Trim(indent, " ") != "" {
			return errShape
		}
		s.edit(start, end, strings.Join(lines(v), s.newline+indent))
		return nil
	}
	if behind, err := s.end(key); block && err == nil && strings.Trim(s.text[behind:start], space) == ":" {
		s.edit(behind, end, ": "+flow(v)) // nothing but the line break is lost
		return nil
	}
	s.edit(start, end, flow(v))
	return nil
}

// rank is the place of a key in the order of the format.
func rank(key string) int {
	switch key {
	case keyID:
		return 1
	case keyPreviousEmail:
		return 2
	}
	i := slices.IndexFunc(table, func(info Info) bool { return string(info.Field) == key })
	if i > 0 {
		i += 2
	}
	return i
}

// addAll puts each new key behind the nearest key that comes before it in the format's order.
func (o *ownText) addAll() error {
	slices.SortStableFunc(o.adds, func(a, b part) int { return cmp.Compare(rank(a.key), rank(b.key)) })
	for _, p := range o.adds {
		anchor, best := -1, -1
		for i := 0; i < len(o.y.Content); i += 2 {
			key := clean(o.y.Content[i].Value)
			if here := rank(key); here > best && here < rank(p.key) && key != o.dropped {
				anchor, best = i, here
			}
		}
		if anchor < 0 {
			return errShape // email, the first, is always there
		}
		end, err := o.end(o.y.Content[anchor+1])
		if err != nil {
			return err
		}
		if inFlow(o.y) {
			o.edit(end, end, ", "+flowPart(p))
			continue
		}
		end = o.lineEnd(end)
		indent := o.newline + strings.Repeat(" ", o.y.Content[0].Column-1)
		o.edit(end, end, indent+strings.Join(entryLines(p.key, p.value), indent))
	}
	return nil
}

// drop removes a key and its value.
func (o *ownText) drop(key string) error {
	i := o.find(key)
	if i < 0 {
		return nil
	}
	o.dropped = key
	start, err := o.start(o.y.Content[i])
	if err != nil {
		return err
	}
	end, err := o.end(o.y.Content[i+1])
	if err != nil {
		return err
	}
	switch line := o.lineStart(start); {
	case !inFlow(o.y) && line > 0 && strings.Trim(o.text[line:start], " ") == "":
		o.edit(o.lineEnd(line-1), o.lineEnd(end), "")
	case i+2 < len(o.y.Content): // it shares its line with what comes before
		if end, err = o.start(o.y.Content[i+2]); err != nil {
			return err
		}
		o.edit(start, end, "")
	default:
		before, err := o.end(o.y.Content[i-1])
		if err != nil {
			return err
		}
		o.edit(before, end, "")
	}
	return nil
}
