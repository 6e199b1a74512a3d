package genesys

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"

	"usersyncd/spec"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/names"
	"usersyncd/sync/genesys/utilization"
)

const (
	// rereadAfter is how old an index must be to be read again for a name that it does not have; the
	// vendor's own cache may be as old.
	rereadAfter = time.Minute
	// missedFor is how long such a name is not looked for again.
	missedFor = 15 * time.Minute
)

// nameIndexes, and why there is none, are kept until the next listing. Whoever holds the turn may read one; the others wait for
// it, or for their context's end.
type nameIndexes struct {
	turn     *semaphore.Weighted // of 1
	known    map[spec.RefKind]*names.Index
	denied   map[spec.RefKind]error // why a kind cannot be listed
	standard *utilization.Settings  // the organization's utilization
}

// listOf is the operation that lists the entities of a kind.
func listOf(kind spec.RefKind) *api.Operation {
	return map[spec.RefKind]*api.Operation{
		spec.KindSkill: &listSkills, spec.KindLanguage: &listLanguages, spec.KindDivision: &listDivisions, spec.KindRole: &listRoles,
		spec.KindQueue: &listQueues, spec.KindGroup: &listGroups, spec.KindLocation: &listLocations,
		spec.KindLabel: &listLabels,
	}[kind]
}

// namesOf returns the index of a kind, which is read if it is not known.
func (d *Directory) namesOf(ctx context.Context, kind spec.RefKind) (*names.Index, error) {
	if err := d.names.turn.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer d.names.turn.Release(1)
	return d.knownNames(ctx, kind)
}

// knownNames is namesOf for who has the turn.
func (d *Directory) knownNames(ctx context.Context, kind spec.RefKind) (*names.Index, error) {
	if x := d.names.known[kind]; x != nil {
		return x, nil
	}
	if err := d.names.denied[kind]; err != nil {
		return nil, err
	}
	return d.readNames(ctx, kind)
}

// readNames reads all pages. The caller has the turn.
func (d *Directory) readNames(ctx context.Context, kind spec.RefKind) (*names.Index, error) {
	op, began := listOf(kind), time.Now()
	all, err := api.ReadAll(ctx, d.Client, api.Listing{Request: api.Request{Operation: op}}, api.Same[names.Entity])
	if api.IsDenied(err) {
		d.names.denied[kind] = err
	}
	if err != nil {
		return nil, err
	}
	x := names.NewIndex(kind, op.Lists, all, began)
	d.names.known[kind] = x
	if kind == spec.KindGroup {
		for id, e := range x.ByID {
			d.groups.Store(id, e.GroupVersion())
		}
	}
	return x, nil
}

// forgetNames makes every index be read again when it is next needed.
func (d *Directory) forgetNames(ctx context.Context) error {
	if err := d.names.turn.Acquire(ctx, 1); err != nil {
		return err
	}
	defer d.names.turn.Release(1)
	d.names.known, d.names.denied, d.names.standard = map[spec.RefKind]*names.Index{}, map[spec.RefKind]error{}, nil
	return nil
}

// Check implements usersync.Reader. A name that is missing makes its index be read again, if that is not fresh.
func (d *Directory) Check(ctx context.Context, refs []spec.Ref) (map[spec.Ref]string, error) {
	wrong := map[spec.Ref]string{}
	for _, ref := range refs {
		_, message, err := d.lookUp(ctx, ref)
		switch {
		case errors.Is(err, apply.ErrForbidden), errors.Is(err, apply.ErrRefused):
			wrong[ref] = fmt.Sprintf("the %s cannot be listed, so nothing is written: %v", listOf(ref.Kind).Lists, err)
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
	if err := d.names.turn.Acquire(ctx, 1); err != nil {
		return "", "", err
	}
	defer d.names.turn.Release(1)
	x, err := d.knownNames(ctx, ref.Kind)
	if err != nil {
		return "", "", err
	}
	now := time.Now()
	if id, wrong = x.Find(ref.Name); id != "" || now.Sub(x.Read) < rereadAfter || now.Sub(x.Missed[ref.Name]) < missedFor {
		return id, wrong, nil
	}
	missed := x.Missed
	if x, err = d.readNames(ctx, ref.Kind); err != nil {
		return "", "", err
	}
	x.Missed = missed
	x.Missed[ref.Name] = now
	id, wrong = x.Find(ref.Name)
	return id, wrong, nil
}

// idOf is lookUp for a call that is to be made now.
func (d *Directory) idOf(ctx context.Context, kind spec.RefKind, name string) (string, error) {
	id, wrong, err := d.lookUp(ctx, spec.Ref{Kind: kind, Name: name})
	if err == nil && id == "" {
		err = errors.New(wrong)
	}
	return id, err
}

// idToRemove returns the id of what a user is to leave or lose. "" is for what does not exist any more; what cannot
// be seen by that name is known by the id in it.
func (d *Directory) idToRemove(ctx context.Context, kind spec.RefKind, name string) (string, error) {
	id, _, err := d.lookUp(ctx, spec.Ref{Kind: kind, Name: name})
	if err == nil && id == "" {
		id = names.IDIn(name)
	}
	return id, err
}
