package state_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usersyncd/spec"
	"usersyncd/state"
)

// The store is a map: after any commits and restarts a snapshot shows what the commits say, no more and no less.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(t.TempDir(), "usersyncd.db")
		st, err := state.Open(path, state.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = st.Close() }()
		model := &state.Snapshot{Users: map[string]*state.User{}, CreateIntents: map[string]state.Intent{}, Failures: map[string]state.Failure{}}
		var converged *state.Converged
		limiter := map[string][]byte{}

		rt.Repeat(map[string]func(*rapid.T){
			"commit": func(rt *rapid.T) {
				all := rapid.SliceOfN(commits(), 1, 3).Draw(rt, "commits")
				if err := st.Commit(all...); err != nil {
					rt.Fatal(err)
				}
				for _, c := range all {
					converged = applyTo(model, converged, c)
				}
			},
			"learn": func(rt *rapid.T) {
				client, data := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "client"), []byte(text().Draw(rt, "data"))
				if err := st.SaveLimiter(client, data); err != nil {
					rt.Fatal(err)
				}
				limiter = map[string][]byte{client: data}
			},
			"reopen": func(rt *rapid.T) {
				if err := st.Close(); err != nil {
					rt.Fatal(err)
				}
				if st, err = state.Open(path, state.Options{}); err != nil {
					rt.Fatal(err)
				}
			},
			"": func(rt *rapid.T) {
				snap, err := st.Snapshot()
				if err != nil {
					rt.Fatal(err)
				}
				if d := diff(model, snap); d != "" {
					rt.Fatal(d)
				}
				m, err := st.Meta()
				if err != nil {
					rt.Fatal(err)
				}
				want := state.Meta{Refresh: model.Refresh, Converged: converged, CreateIntents: len(model.CreateIntents), Failures: len(model.Failures)}
				for _, fields := range model.WriteIntents {
					want.WriteIntents += len(fields)
				}
				if len(model.Failures) > 0 {
					want.NextTry = slices.MinFunc(slices.Collect(maps.Values(model.Failures)),
						func(a, b state.Failure) int { return a.Next.Compare(b.Next) }).Next
				}
				if d := diff(want, m); d != "" {
					rt.Fatal(d)
				}
				for _, client := range []string{"a", "b"} {
					if got, err := st.Limiter(client); err != nil || !bytes.Equal(got, limiter[client]) {
						rt.Fatalf("client %s: %q, %v; want %q", client, got, err, limiter[client])
					}
				}
			},
		})
		if err := st.Close(); err != nil {
			rt.Fatal(err)
		}
		checkBolt(t, path)
	})
}

// applyTo is what a commit means.
func applyTo(m *state.Snapshot, converged *state.Converged, c state.Commit) *state.Converged {
	for _, id := range c.Forget {
		delete(m.Users, id)
	}
	for _, key := range c.ClearCreateIntents {
		delete(m.CreateIntents, key)
	}
	for _, key := range c.ClearFailures {
		delete(m.Failures, key)
	}
	for _, u := range c.ClearWriteIntents {
		for _, f := range u.Fields {
			if delete(m.WriteIntents[u.ID], f); len(m.WriteIntents[u.ID]) == 0 {
				delete(m.WriteIntents, u.ID)
			}
		}
	}
	for _, e := range c.WriteIntents {
		for _, f := range e.Fields {
			one := e
			one.Fields = []state.FieldEvent{f}
			if m.WriteIntents == nil {
				m.WriteIntents = map[string]map[spec.Field]state.Event{}
			}
			if m.WriteIntents[e.ID] == nil {
				m.WriteIntents[e.ID] = map[spec.Field]state.Event{}
			}
			m.WriteIntents[e.ID][f.Field] = one
		}
	}
	if len(m.WriteIntents) == 0 {
		m.WriteIntents = nil
	}
	for _, u := range c.Users {
		m.Users[u.ID] = u
	}
	for _, in := range c.CreateIntents {
		m.CreateIntents[in.Key] = in
	}
	for _, f := range c.Failures {
		m.Failures[f.Key] = f
	}
	if c.Refresh != nil {
		m.Refresh = *c.Refresh
	}
	if c.Converged != nil {
		return c.Converged
	}
	if len(c.Users)+len(c.Forget)+len(c.CreateIntents)+len(c.WriteIntents)+len(c.Failures) > 0 {
		return nil
	}
	return converged
}

// commits draws from few keys, so that they meet.
func commits() *rapid.Generator[state.Commit] {
	return rapid.Custom(func(t *rapid.T) state.Commit {
		c := state.Commit{
			Users:              rapid.SliceOfN(users(), 0, 6).Draw(t, "users"),
			Forget:             rapid.SliceOfN(keys(), 0, 2).Draw(t, "forget"),
			ClearCreateIntents: rapid.SliceOfN(keys(), 0, 2).Draw(t, "settled"),
			ClearFailures:      rapid.SliceOfN(keys(), 0, 2).Draw(t, "cleared"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "intents") {
			c.CreateIntents = append(c.CreateIntents, state.Intent{Key: keys().Draw(t, "key"), Plan: text().Draw(t, "plan"), Started: times().Draw(t, "started")})
		}
		for range rapid.IntRange(0, 2).Draw(t, "writes") {
			e := state.Event{At: times().Draw(t, "at"), ID: keys().Draw(t, "id"), Plan: text().Draw(t, "plan")}
			for _, f := range rapid.SliceOfNDistinct(fieldNames(), 1, 3, rapid.ID).Draw(t, "fields") {
				e.Fields = append(e.Fields, state.FieldEvent{Field: f, After: values().Draw(t, "after")})
			}
			c.WriteIntents = append(c.WriteIntents, e)
		}
		for range rapid.IntRange(0, 2).Draw(t, "resolved") {
			c.ClearWriteIntents = append(c.ClearWriteIntents, state.UserFields{ID: keys().Draw(t, "id"), Fields: rapid.SliceOfN(fieldNames(), 0, 3).Draw(t, "fields")})
		}
		for range rapid.IntRange(0, 2).Draw(t, "failures") {
			c.Failures = append(c.Failures, state.Failure{
				Key: keys().Draw(t, "key"), Desired: text().Draw(t, "desired"), Attempts: rapid.Int().Draw(t, "attempts"),
				Next: times().Draw(t, "next"), Status: rapid.IntRange(0, 599).Draw(t, "status"), Message: text().Draw(t, "message"),
			})
		}
		if rapid.Bool().Draw(t, "refreshed") {
			c.Refresh = &state.Refresh{At: times().Draw(t, "at"), Listed: rapid.Int().Draw(t, "listed")}
		}
		if rapid.Bool().Draw(t, "converged") {
			c.Converged = &state.Converged{Digest: text().Draw(t, "digest"), Users: rapid.Int().Draw(t, "users")}
		}
		return c
	})
}

func users() *rapid.Generator[*state.User] {
	return rapid.Custom(func(t *rapid.T) *state.User {
		u := &state.User{
			Observed: state.Observed{ID: keys().Draw(t, "id"), Version: rapid.Int().Draw(t, "version"), Fields: fields().Draw(t, "fields")},
		}
		if rapid.Bool().Draw(t, "managed") {
			u.LastApplied = slices.Clone(u.Fields) // mostly equal, as in life
			if u.LastApplied == nil {
				u.LastApplied = spec.Fields{}
			}
			u.LastApplied = u.LastApplied.With(fields().Draw(t, "applied"))
			u.LastApplied = u.LastApplied.Without(spec.Title)
			u.Declared = state.Declaration{Key: addresses().Draw(t, "declared"), File: text().Draw(t, "file"), Ordinal: rapid.IntRange(0, 3).Draw(t, "ordinal")}
			u.FormerKeys = rapid.SliceOfN(addresses(), 1, 3).Draw(t, "formerly")
			u.Suspended = text().Draw(t, "suspended")
			if at := rapid.SliceOfN(times(), 0, 3).Draw(t, "repaired"); len(at) > 0 {
				u.Repairs = map[spec.Field]state.Repair{spec.Title: {At: at, Pause: time.Duration(rapid.IntRange(0, 6).Draw(t, "pause")) * time.Hour}}
			}
		} else if rapid.Bool().Draw(t, "removed") {
			u.Removed = "delete"
		}
		some := func(what string) []spec.Field { // also of which no value is known
			return rapid.SliceOfNDistinct(fieldNames(), 0, 5, rapid.ID).Draw(t, what)
		}
		if rapid.Bool().Draw(t, "read") {
			times := rapid.Map(times(), func(at time.Time) time.Time { return at.Add(time.Hour) }) // 1 is what older records have for Stale
			first := some("fields")
			u.Times = u.Times.WithRead(times.Draw(t, "read at"), first, nil)
			u.Times = u.Times.WithRead(times.Draw(t, "read later"), some("later fields"), first)
			u.Stale = rapid.Bool().Draw(t, "stale")
		}
		if rapid.Bool().Draw(t, "written") {
			u.Times = u.Times.WithWritten(time.Now().Add(-20*time.Second), some("written before")...)
			u.Times = u.Times.WithWritten(time.Now(), some("written fields")...)
		}
		if rapid.Bool().Draw(t, "opaque") {
			u.Opaque = json.RawMessage(values().Draw(t, "opaque"))
		}
		return u
	})
}

func fields() *rapid.Generator[spec.Fields] {
	return rapid.Custom(func(t *rapid.T) spec.Fields {
		return spec.FieldsOf(rapid.MapOfN(fieldNames(), values(), -1, 5).Draw(t, "fields"))
	})
}

func fieldNames() *rapid.Generator[spec.Field] {
	return rapid.SampledFrom([]spec.Field{spec.Email, spec.Name, spec.Title, spec.Skills, "x"})
}

// values draws JSON of all lengths, some longer than a page.
func values() *rapid.Generator[spec.Value] {
	return rapid.Custom(func(t *rapid.T) spec.Value {
		v := any(text().Draw(t, "value"))
		if rapid.Bool().Draw(t, "list") {
			v = []any{v, rapid.Int32().Draw(t, "number"), nil}
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return spec.Value(b)
	})
}

func text() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.StringN(0, 12_000, 12_000))
}

func keys() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"a", "b", "ab", "c\x00d", "é", "\xff"})
}

func addresses() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"a@x.example", "é@x.example", `"b c"@x.example`})
}

func times() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.Int64Range(0, 4e18), func(ns int64) time.Time { return time.Unix(0, ns).UTC() })
}
