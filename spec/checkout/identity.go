package checkout

import (
	"net/url"
	"path"
	"path/filepath"
	"strings"
)

// identity names the repository and the folder, with the same name for every clone and worktree: the URL of the remote,
// and the folder within the work tree, as in "github.com/example/users//emea". Without a remote it is the path of the
// folder as it was given: behind a link, the resolved path changes with every deployment.
func (r repo) identity(c config, folder, given string) string {
	remote := c.first("remote.origin.url")
	if remote == "" {
		if abs, err := filepath.Abs(given); err == nil {
			return abs
		}
		return given
	}
	is := canonicalURL(remote, filepath.Dir(r.commonDir))
	if folder != "" {
		is += "//" + folder
	}
	return is
}

// defaultPorts are the ports of URLs without one.
var defaultPorts = map[string]string{"ssh": "22", "git+ssh": "22", "ssh+git": "22", "git": "9418", "http": "80", "https": "443", "ftp": "21", "ftps": "990"}

// canonicalURL is a remote's URL without scheme, user, password and .git, so that ssh and https give the same; base is
// what a relative path is relative to (git-clone(1), "Git URLs").
func canonicalURL(remote, base string) string {
	remote = strings.TrimSpace(remote)
	scheme, rest, isURL := strings.Cut(remote, "://")
	scheme = strings.ToLower(scheme)
	switch port, known := defaultPorts[scheme]; {
	case isURL && scheme == "file":
		return repository(unescaped(rest))
	case isURL:
		authority, name, _ := strings.Cut(rest, "/")
		host := strings.ToLower(authority[strings.LastIndexByte(authority, '@')+1:])
		if !known { // of a remote helper, which gives the scheme its meaning
			return scheme + "://" + path.Join(host, repository(name))
		}
		name, _, _ = strings.Cut(name, "?") // it may hold a token
		return path.Join(strings.TrimSuffix(host, ":"+port), repository(unescaped(name)))
	}
	if host, name, ok := scpLike(remote); ok {
		return path.Join(host, repository(name))
	}
	return repository(within(base, remote))
}

// scpLike splits [user@]host:path. With a slash before the colon it is a path.
func scpLike(remote string) (host, name string, ok bool) {
	end := strings.IndexAny(remote, "/:")
	if at := strings.Index(remote, "["); at >= 0 && (at == 0 || remote[at-1] == '@') && !strings.Contains(remote[:at], "/") { // [::1]:path
		if end = strings.Index(remote, "]:"); end >= 0 {
			end++
		}
	}
	if end <= 0 || remote[end] != ':' {
		return "", "", false
	}
	host = strings.ToLower(remote[:end])
	return host[strings.LastIndexByte(host, '@')+1:], remote[end+1:], true
}

// repository is the path of a repository on its host, without the parts that may be left out.
func repository(name string) string {
	name = strings.TrimRight(name, "/")
	for _, suffix := range []string{"/.git", ".git"} {
		if short, found := strings.CutSuffix(name, suffix); found && short != "" {
			name = short
			break
		}
	}
	return path.Join("/", name)
}

func unescaped(name string) string {
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}
