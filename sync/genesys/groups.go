package genesys

import (
	"context"
	"net/http"
	"sync"

	"usersyncd/spec"
)

// groupVersions are the versions of groups, which adding a member needs. Ours count up with every write; what
// is not certain is read again.
type groupVersions struct {
	mu    sync.Mutex
	known map[string]int // by id
}

func (g *groupVersions) version(ctx context.Context, c *client, id string) (int, error) {
	g.mu.Lock()
	v, ok := g.known[id]
	g.mu.Unlock()
	if ok {
		return v, nil
	}
	s := shelfOf(spec.KindGroup)
	e, err := call[entity](ctx, c, &request{method: http.MethodGet, path: s.path + "/{id}", values: []string{id}, needs: s.needs})
	if err != nil {
		return 0, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known[id] = e.version()
	return e.version(), nil
}

// changed takes over what a write to a group says of its version. After an error it is read again.
func (g *groupVersions) changed(id string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v, ok := g.known[id]; ok && err == nil {
		g.known[id] = v + 1
	} else {
		delete(g.known, id)
	}
}

// learn takes over the versions that a catalogue shows.
func (g *groupVersions) learn(c *catalogue) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, e := range c.byID {
		g.known[id] = e.version()
	}
}
