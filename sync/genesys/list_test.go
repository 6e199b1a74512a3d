package genesys_test

import (
	"context"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys"
)

// listed is a listing with its users, in the order in which they were first given.
type listed struct {
	usersync.Listing
	Users []state.Observed
}

// list puts the pages of a listing together, as its documentation says.
func list(ctx context.Context, d *genesys.Directory, fields ...spec.Field) (l listed, err error) {
	at := map[string]int{}
	l.Listing, err = d.List(ctx, func(users []state.Observed) {
		for _, u := range users {
			i, again := at[u.ID]
			switch {
			case !again:
				at[u.ID] = len(l.Users)
				l.Users = append(l.Users, u)
			case u.Version == l.Users[i].Version:
				l.Users[i].Fields = l.Users[i].Fields.With(u.Fields)
				l.Users[i].Opaque = u.Opaque
			case u.Version > l.Users[i].Version:
				l.Users[i] = u
			}
		}
	}, fields...)
	if err != nil {
		return listed{}, err
	}
	return l, nil
}
