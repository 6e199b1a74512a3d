package config

import "testing"

func TestStatePath(t *testing.T) {
	for _, test := range []struct {
		flag string
		env  map[string]string
		want string // "": refused
	}{
		{"/x/y.db", map[string]string{"STATE_DIRECTORY": "/var/lib/u", "HOME": "/root"}, "/x/y.db"},
		{"", map[string]string{"STATE_DIRECTORY": "/var/lib/u", "XDG_STATE_HOME": "/xdg", "HOME": "/root"}, "/var/lib/u/usersyncd.db"},
		{"", map[string]string{"STATE_DIRECTORY": "/var/lib/u:/var/lib/v"}, "/var/lib/u/usersyncd.db"},
		{"", map[string]string{"XDG_STATE_HOME": "/xdg", "HOME": "/root"}, "/xdg/usersyncd/usersyncd.db"},
		{"", map[string]string{"HOME": "/root"}, "/root/.local/state/usersyncd/usersyncd.db"},
		{"", map[string]string{"XDG_STATE_HOME": "xdg", "HOME": "/root"}, "/root/.local/state/usersyncd/usersyncd.db"},
		{"", map[string]string{"XDG_STATE_HOME": "xdg", "HOME": "."}, ""},
		{"", nil, ""},
	} {
		c := New(func(name string) (string, bool) { v, ok := test.env[name]; return v, ok })
		c.State = test.flag
		got, err := c.StatePath()
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
	}
}
