package checkout

import (
	"strings"
	"testing"
)

var remotes = []struct{ remote, want string }{
	{"git@git.example.com:org/repo.git", "git.example.com/org/repo"},
	{"git.example.com:org/repo", "git.example.com/org/repo"},
	{"git@git.example.com:/org/repo.git/", "git.example.com/org/repo"},
	{"ssh://git@git.example.com/org/repo", "git.example.com/org/repo"},
	{"ssh://git@Git.Example.COM:22/org/repo.git", "git.example.com/org/repo"},
	{"git+ssh://git.example.com/org/repo", "git.example.com/org/repo"},
	{"https://git.example.com/org/repo.git", "git.example.com/org/repo"},
	{"HTTPS://git.example.com:443/org/repo/", "git.example.com/org/repo"},
	{"http://git.example.com:80/org/repo", "git.example.com/org/repo"},
	{"git://git.example.com:9418/org/repo", "git.example.com/org/repo"},
	{"https://user:s3cret@git.example.com/org/repo", "git.example.com/org/repo"},
	{"https://user:p@ss@git.example.com/org/repo.git?token=s3cret", "git.example.com/org/repo"},
	{" https://git.example.com/org/repo ", "git.example.com/org/repo"},
	{"https://git.example.com//org//repo.git", "git.example.com/org/repo"},
	{"ssh://git@git.example.com:2222/org/repo.git", "git.example.com:2222/org/repo"},
	{"https://git.example.com:8443/org/repo.git", "git.example.com:8443/org/repo"},
	{"https://git.example.com/org/Repo", "git.example.com/org/Repo"}, // to some, case counts
	{"https://git.example.com/org/a%20b.git", "git.example.com/org/a b"},
	{"https://git.example.com/org/100%.git", "git.example.com/org/100%"},
	{"git@[::1]:org/repo.git", "[::1]/org/repo"},
	{"[2001:DB8::1]:org/repo", "[2001:db8::1]/org/repo"},
	{"ssh://git@[::1]:2222/org/repo", "[::1]:2222/org/repo"},
	{"ssh://git@[::1]/org/repo", "[::1]/org/repo"},
	{"https://git.example.com", "git.example.com"},
	{"file:///srv/git/repo.git", "/srv/git/repo"},
	{"/srv/git/repo.git", "/srv/git/repo"},
	{"/srv/git/repo/.git", "/srv/git/repo"},
	{"../repo.git", "/srv/repo"},
	{"./a:b", "/srv/all/a:b"},
	{"codecommit::eu-west-1://user:s3cret@repo", "codecommit::eu-west-1://repo"},
}

func TestRemotesThatAreOne(t *testing.T) {
	for _, c := range remotes {
		if got := canonicalURL(c.remote, "/srv/all"); got != c.want {
			t.Errorf("%s: %s, not %s", c.remote, got, c.want)
		}
	}
}

// FuzzRemote: whatever a URL holds, it comes out as a name without user and password, and by it the same.
func FuzzRemote(f *testing.F) {
	for _, c := range remotes {
		f.Add(c.remote)
	}
	f.Fuzz(func(t *testing.T, remote string) {
		if remote = strings.TrimSpace(remote); remote == "" {
			return // there is none
		}
		got := canonicalURL(remote, "/srv/all")
		if got == "" || got != canonicalURL(remote+"/", "/srv/all") && !strings.Contains(remote, "?") && !strings.HasSuffix(remote, ":/") {
			t.Errorf("%q: %q", remote, got)
		}
		if !strings.ContainsAny(remote, "/@:?[]") {
			for _, with := range []string{"https://u:s3cret@git.example.com/", "ssh://git@git.example.com/"} {
				if got, want := canonicalURL(with+remote, "/"), canonicalURL("https://git.example.com/"+remote, "/"); got != want {
					t.Errorf("%q: %q and %q", remote, got, want)
				}
			}
		}
	})
}
