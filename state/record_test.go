package state

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
)

// A record opens as what was sealed; with any bit flipped, or anywhere else, it does not open.
func FuzzRecord(f *testing.F) {
	f.Add("users", []byte("id"), []byte("payload"), uint(3))
	f.Add("meta", []byte{}, []byte{}, uint(0))
	f.Add("intents", []byte{0}, []byte{0, 1}, uint(50))
	f.Fuzz(func(t *testing.T, bucket string, key, payload []byte, bit uint) {
		r := seal(bucket, string(key), payload)
		got, ok := unseal(bucket, key, r)
		if !ok || !bytes.Equal(got, payload) {
			t.Fatalf("%q, %v; want %q", got, ok, payload)
		}
		if _, ok := unseal(bucket, append(key, 'x'), r); ok {
			t.Error("opens under another key")
		}
		if _, ok := unseal(bucket+"x", key, r); ok {
			t.Error("opens in another bucket")
		}
		bit %= uint(len(r) * 8)
		r[bit/8] ^= 1 << (bit % 8)
		if _, ok := unseal(bucket, key, r); ok {
			t.Errorf("bit %d is not checked", bit)
		}
		_, _ = unseal(bucket, key, payload) // bytes of any kind must not panic
	})
}

// Bytes of any kind are refused or are a user, and a user can be written and read again.
func FuzzDecodeUser(f *testing.F) {
	for _, u := range []*User{
		{},
		{Observed: Observed{Version: 7, Fields: spec.FieldsOf(map[spec.Field]spec.Value{"a": `"x"`, "b": "", "c": "{}"}), Opaque: []byte(`{"x":1}`)}, LastApplied: spec.FieldsOf(map[spec.Field]spec.Value{"a": `"x"`, "b": "1", "d": "[]"})},
		{LastApplied: spec.Fields{}},
		{LastApplied: spec.FieldsOf(map[spec.Field]spec.Value{"email": `"a@x.example"`}), Declared: Declaration{"b@x.example", "u.yaml", 2}, FormerKeys: []string{"c@x.example"}, Suspended: "h"},
		{Removed: "delete"},
	} {
		payload, err := encodeUser(u)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	now := time.Unix(1_767_323_045, 0)
	times := Times{}.WithRead(now, []spec.Field{"a"}, nil).WithRead(now.Add(time.Minute), []spec.Field{"b"}, []spec.Field{"a"}).WithWritten(now, "a", "d")
	payload, err := encodeUser(&User{Observed: Observed{Fields: spec.FieldsOf(map[spec.Field]spec.Value{"a": "1", "b": "2"})}, LastApplied: spec.FieldsOf(map[spec.Field]spec.Value{"d": "1"}), Times: times, Stale: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte(`{"managed":true,"readAt":1,"wroteAt":1767323040}` + "\n=a 1\n>b 2\n"))
	f.Add([]byte("{}\n=a 1\n"))
	f.Add([]byte("{\"managed\":true}\n=a 1\n<a 2\n>a 3\n"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		u, ok := decodeUser("id", payload, now, nil)
		if !ok {
			if u != nil {
				t.Error("refused, and a user")
			}
			return
		}
		again, err := encodeUser(u)
		if err != nil {
			t.Fatal(err)
		}
		back, ok := decodeUser("id", again, now, nil)
		if !ok {
			t.Fatalf("%q cannot be read", again)
		}
		if d := cmp.Diff(u, back); d != "" {
			t.Error(d)
		}
		if twice, err := encodeUser(back); err != nil || !bytes.Equal(again, twice) {
			t.Errorf("%q, then %q, %v", again, twice, err)
		}
	})
}
