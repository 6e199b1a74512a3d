package genesys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
)

// allDivisions is the id, and the name, of every division together, in a grant.
const allDivisions = "*"

const (
	// rereadAfter is how old a catalogue must be to be read again for a name that it does not have; the
	// vendor's own cache may be as old.
	rereadAfter = time.Minute
	// missedFor is how long such a name is not looked for again.
	missedFor = 15 * time.Minute
)

// An entity is something that users refer to by name: a skill, a queue, and so on. Its further fields are
// those of the kinds that have them.
type entity struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	State   string          `json:"state"`        // of skills and languages: active, inactive, deleted
	Home    bool            `json:"homeDivision"` // of divisions
	Version json.RawMessage `json:"version"`      // a number, of groups; a text, of skills

	// Of queues: all members, and those who are not there through a group.
	Members *int `json:"memberCount"`
	Users   *int `json:"userMemberCount"`
}

type entityPage struct {
	Entities  []entity `json:"entities"`
	PageCount int      `json:"pageCount"`
}

func (p entityPage) check() error { return nil }
func (entity) check() error       { return nil }

// version is a group's, or 0 if it has none.
func (e *entity) version() int {
	n, _ := strconv.Atoi(string(e.Version))
	return n
}

// A shelf says where the entities of a kind are listed. The page sizes are those that the vendor's Terraform
// provider uses.
type shelf struct {
	path     string
	pageSize int
	needs    string
	plural   string
}

func shelfOf(kind spec.Kind) shelf {
	switch kind {
	case spec.KindSkill:
		return shelf{"/api/v2/routing/skills", 500, "routing:skill:view", "skills"}
	case spec.KindLanguage:
		return shelf{"/api/v2/routing/languages", 100, "routing:language:view", "languages"}
	case spec.KindDivision:
		return shelf{"/api/v2/authorization/divisions", 100, "authorization:division:view", "divisions"}
	case spec.KindRole:
		return shelf{"/api/v2/authorization/roles", 100, "authorization:role:view", "roles"}
	case spec.KindQueue:
		return shelf{"/api/v2/routing/queues", 500, "routing:queue:view", "queues"}
	case spec.KindLocation:
		return shelf{"/api/v2/locations", 100, "", "locations"}
	}
	return shelf{"/api/v2/groups", 500, "directory:group:view", "groups"}
}

// A catalogue is every entity of one kind. A name that several have is written "Name (id)"; that form is
// understood of any.
type catalogue struct {
	kind   spec.Kind
	read   time.Time
	byID   map[string]*entity
	byName map[string][]*entity // by the name as a spec would have it
	labels map[string]string    // by id
	home   string               // id of the home division
	missed map[string]time.Time
}

// catalogues are kept for the run, and read again with every listing. Whoever has the turn may read one;
// the others wait for it, or for their context's end.
type catalogues struct {
	turn  chan struct{} // holds one
	known map[spec.Kind]*catalogue

	holders  map[string][]string // ids of users, by the roles asked for
	standard map[string]capacity // the organization's utilization, by medium
}

func newCatalogues() catalogues {
	return catalogues{turn: make(chan struct{}, 1), known: map[spec.Kind]*catalogue{}}
}

func (x *catalogues) lock(ctx context.Context) error {
	select {
	case x.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *catalogues) unlock() { <-x.turn }

func newCatalogue(kind spec.Kind, entities []entity, now time.Time) *catalogue {
	c := &catalogue{kind: kind, read: now, byID: make(map[string]*entity, len(entities)),
		byName: make(map[string][]*entity, len(entities)), labels: make(map[string]string, len(entities)), missed: map[string]time.Time{}}
	for i := range entities {
		e := &entities[i]
		if e.ID == "" || strings.EqualFold(e.State, "deleted") || c.byID[e.ID] != nil {
			continue
		}
		name, _ := spec.Decode[string](spec.Text(e.Name)) // as a spec would have it
		c.byID[e.ID] = e
		c.byName[name] = append(c.byName[name], e)
		if e.Home {
			c.home = e.ID
		}
	}
	for name, same := range c.byName {
		for _, e := range same {
			if c.labels[e.ID] = name; len(same) > 1 {
				c.labels[e.ID] = withID(name, e.ID)
			}
		}
	}
	return c
}

func withID(name, id string) string { return name + " (" + id + ")" }

// label is what a spec calls the entity. One that the catalogue does not have keeps its id in its name.
func (c *catalogue) label(id, name string) string {
	if l, ok := c.labels[id]; ok {
		return l
	}
	return withID(name, id)
}

// find returns the id that a name means, or what is wrong with it.
func (c *catalogue) find(name string) (id, wrong string) {
	same := c.byName[name]
	switch {
	case len(same) == 1:
		return same[0].ID, ""
	case len(same) > 1:
		var forms []string
		for _, e := range same {
			forms = append(forms, spec.Text(withID(name, e.ID)).Display())
		}
		slices.Sort(forms)
		return "", fmt.Sprintf("%d %s are called %s; write the one that is meant as %s",
			len(same), shelfOf(c.kind).plural, spec.Text(name).Display(), strings.Join(forms, " or "))
	}
	if open := strings.LastIndex(name, " ("); open >= 0 && strings.HasSuffix(name, ")") {
		if id := name[open+2 : len(name)-1]; c.byID[id] != nil || name[:open] == "" {
			return id, ""
		}
	}
	return "", c.unknown(name)
}

func (c *catalogue) unknown(name string) string {
	candidates := make([]string, 0, len(c.byName))
	for n := range c.byName {
		candidates = append(candidates, n)
	}
	slices.Sort(candidates)
	message := fmt.Sprintf("no %s is called %s", c.kind, spec.Text(name).Display())
	near := spec.Suggest(name, candidates)
	if i := slices.IndexFunc(candidates, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
		near = candidates[i]
	}
	if near != "" {
		return message + "; did you mean " + spec.Text(near).Display() + "?"
	}
	return message + "; correct it, or make one of that name in Genesys Cloud"
}

// catalogue returns the entities of a kind, read once in a run and after forget.
func (d *Directory) catalogue(ctx context.Context, kind spec.Kind) (*catalogue, error) {
	if err := d.names.lock(ctx); err != nil {
		return nil, err
	}
	defer d.names.unlock()
	if c := d.names.known[kind]; c != nil {
		return c, nil
	}
	return d.readCatalogue(ctx, kind)
}

// readCatalogue reads all pages. It is the caller's turn.
func (d *Directory) readCatalogue(ctx context.Context, kind spec.Kind) (*catalogue, error) {
	s := shelfOf(kind)
	began := time.Now()
	query := url.Values{"pageSize": {strconv.Itoa(s.pageSize)}}
	if kind == spec.KindRole {
		query.Set("userCount", "false") // it "can lead to slower load times or timeouts"
	}
	all, err := pages(ctx, d.client, s.path, s.path, query, s.needs, func(p entityPage) ([]entity, int) { return p.Entities, p.PageCount })
	if err != nil {
		return nil, err
	}
	c := newCatalogue(kind, all, began)
	d.names.known[kind] = c
	if kind == spec.KindGroup {
		d.groups.learn(c)
	}
	return c, nil
}

// pages reads every page of a listing, one after the other. Without a count of pages it goes on until one is empty.
func pages[P interface{ check() error }, T any](ctx context.Context, c *client, path, template string, query url.Values, needs string,
	open func(P) (entities []T, count int)) ([]T, error) {
	var all []T
	for n, count := 1, 1; n <= count; n++ {
		query.Set("pageNumber", strconv.Itoa(n))
		p, err := call[P](ctx, c, &request{method: http.MethodGet, path: path, template: template, query: query, needs: needs})
		if err != nil {
			return nil, err
		}
		entities, told := open(p)
		all = append(all, entities...)
		if count = told; told == 0 && len(entities) > 0 {
			count = n + 1
		}
	}
	return all, nil
}

// forget makes every catalogue be read again when it is next needed.
func (d *Directory) forget(ctx context.Context) error {
	if err := d.names.lock(ctx); err != nil {
		return err
	}
	defer d.names.unlock()
	d.names.known, d.names.holders, d.names.standard = map[spec.Kind]*catalogue{}, nil, nil
	return nil
}

// Check implements usersync.Directory. A name that is missing makes its catalogue be read again, if that
// is not fresh.
func (d *Directory) Check(ctx context.Context, refs []spec.Ref) (map[spec.Ref]string, error) {
	wrong := map[spec.Ref]string{}
	for _, ref := range refs {
		_, message, err := d.lookUp(ctx, ref)
		switch {
		case errors.Is(err, usersync.ErrForbidden), errors.Is(err, usersync.ErrRefused):
			wrong[ref] = fmt.Sprintf("the %s cannot be listed, so nothing is written: %v", shelfOf(ref.Kind).plural, err)
		case err != nil:
			return nil, err
		case message != "":
			wrong[ref] = message
		}
	}
	return wrong, nil
}

// lookUp returns the id of what a name means, or what is wrong with the name.
func (d *Directory) lookUp(ctx context.Context, ref spec.Ref) (id, wrong string, err error) {
	if ref.Kind == spec.KindDivision && ref.Name == allDivisions {
		return allDivisions, "", nil
	}
	if err := d.names.lock(ctx); err != nil {
		return "", "", err
	}
	defer d.names.unlock()
	c := d.names.known[ref.Kind]
	if c == nil {
		if c, err = d.readCatalogue(ctx, ref.Kind); err != nil {
			return "", "", err
		}
	}
	now := time.Now()
	if id, wrong = c.find(ref.Name); id != "" || now.Sub(c.read) < rereadAfter || now.Sub(c.missed[ref.Name]) < missedFor {
		return id, wrong, nil
	}
	missed := c.missed
	if c, err = d.readCatalogue(ctx, ref.Kind); err != nil {
		return "", "", err
	}
	c.missed = missed
	c.missed[ref.Name] = now
	id, wrong = c.find(ref.Name)
	return id, wrong, nil
}

// idOf is lookUp for a call that is to be made now.
func (d *Directory) idOf(ctx context.Context, kind spec.Kind, name string) (string, error) {
	id, wrong, err := d.lookUp(ctx, spec.Ref{Kind: kind, Name: name})
	if err == nil && id == "" {
		err = errors.New(wrong)
	}
	return id, err
}
