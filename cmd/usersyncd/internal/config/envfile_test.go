package config

import (
	"slices"
	"testing"
	"usersyncd/spec/text"
)

// Whatever an env file holds, only the variables of the account are taken from it, and no error quotes it.
func FuzzEnvFile(f *testing.F) {
	for _, text := range []string{
		"GENESYSCLOUD_REGION=eu-west-1\nA=b", "export GENESYSCLOUD_OAUTHCLIENT_ID='x' # who", "GENESYSCLOUD_OAUTHCLIENT_SECRET=\"sec\nret", "A", "=", "A: b\r\n",
		"A=$B ${C}\nB='$A'", "A\x0bB=1", "\"", "a='\\'", "# only a comment", "\x85=\xff",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseEnvFile("file", data)
		if err != nil {
			if want := "file: cannot be parsed; write one NAME=value per line"; err.Error() != want {
				t.Errorf("%q", err)
			}
			return
		}
		for name := range got.values {
			if !slices.Contains(AccountVariables(), name) {
				t.Errorf("it gives %s", name)
			}
		}
		for _, name := range got.Ignored {
			if name != text.Escape(name) {
				t.Errorf("it is told to ignore %q", name)
			}
		}
	})
}
