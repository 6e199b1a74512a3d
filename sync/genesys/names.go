package genesys

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"usersyncd/spec"
	"usersyncd/sync/apply"
)

const (
	// rereadAfter is how old a catalogue must be to be read again for a name that it does not have; the
	// vendor's own cache may be as old.
	rereadAfter = time.Minute
	// missedFor is how long such a name is not looked for again.
	missedFor = 15 * time.Minute
)

// catalogues are kept for the run, and read again with every listing. Whoever has the turn may read one;
// the others wait for it, or for their context's end.
type catalogues struct {
	turn  chan struct{} // holds one
	known map[spec.Kind]*catalogue

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
	query := url.Values{}
	if kind == spec.KindRole {
		query.Set("userCount", "false") // it "can lead to slower load times or timeouts"
	}
	all, err := readPages[entity](ctx, d.client, source{path: s.path, query: query, needs: s.needs, noun: s.plural, size: s.pageSize})
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

// forget makes every catalogue be read again when it is next needed.
func (d *Directory) forget(ctx context.Context) error {
	if err := d.names.lock(ctx); err != nil {
		return err
	}
	defer d.names.unlock()
	d.names.known, d.names.standard = map[spec.Kind]*catalogue{}, nil
	return nil
}

// Check implements usersync.Reader. A name that is missing makes its catalogue be read again, if that
// is not fresh.
func (d *Directory) Check(ctx context.Context, refs []spec.Ref) (map[spec.Ref]string, error) {
	wrong := map[spec.Ref]string{}
	for _, ref := range refs {
		_, message, err := d.lookUp(ctx, ref)
		switch {
		case errors.Is(err, apply.ErrForbidden), errors.Is(err, apply.ErrRefused):
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

// left returns the id of what a user is to leave or lose. "" is for what does not exist any more; what cannot
// be seen by that name is known by the id in it.
func (d *Directory) left(ctx context.Context, kind spec.Kind, name string) (string, error) {
	id, _, err := d.lookUp(ctx, spec.Ref{Kind: kind, Name: name})
	if err == nil && id == "" {
		id = idIn(name)
	}
	return id, err
}

// idOf is lookUp for a call that is to be made now.
func (d *Directory) idOf(ctx context.Context, kind spec.Kind, name string) (string, error) {
	id, wrong, err := d.lookUp(ctx, spec.Ref{Kind: kind, Name: name})
	if err == nil && id == "" {
		err = errors.New(wrong)
	}
	return id, err
}
