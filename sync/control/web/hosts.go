package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// hosts are the host names that requests may have. A page elsewhere can make a browser send requests to an address of its
// choice under a name of its own (DNS rebinding), and would then read the responses: other names are refused.
type hosts map[string]bool

// newHosts returns those of the listener's address, host:port, and of --listen-hosts.
func newHosts(address string, more []string) (hosts, error) {
	h := hosts{"127.0.0.1": true, "::1": true, "localhost": true}
	for _, name := range more {
		bare, ok := bareHost(name)
		if !ok {
			return nil, fmt.Errorf("--listen-hosts: %q is not a host name or an IP address; give names as in the browser's address bar, without http://, port and path", name)
		}
		h[bare] = true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("--listen %s: %w", address, err)
	}
	if bare, ok := bareHost(host); ok {
		h[bare] = true
	}
	return h, nil
}

// allows reports whether a request is for us. The port does not count: tunnels and proxies change it. The IP address that
// the connection came in on is ours as well, and cannot be rebound. For what is probed any address is allowed: a pod or a
// service is scraped by one that the pod does not know.
func (h hosts) allows(r *http.Request, probed bool) bool {
	bare, ok := requested(r)
	if !ok || h[bare] {
		return ok
	}
	ip, err := netip.ParseAddr(bare)
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return err == nil && (probed || ok && local.AddrPort().Addr().Unmap() == ip)
}

// requested returns the host name of a request, without its port.
func requested(r *http.Request) (string, bool) {
	host := r.Host
	if name, port, err := net.SplitHostPort(host); err == nil && strings.Trim(port, "0123456789") == "" {
		host = name
	}
	return bareHost(host)
}

// bareHost is a host name or IP address in one spelling: lower case, no brackets, no final dot.
func bareHost(s string) (string, bool) {
	bracketed := strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]")
	if bracketed {
		s = s[1 : len(s)-1]
	}
	if ip, err := netip.ParseAddr(s); err == nil && (ip.Is6() || !bracketed) && ip.Zone() == "" {
		return ip.Unmap().String(), true
	}
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if bracketed || s == "" || len(s) > 253 {
		return "", false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", false
		}
	}
	return s, true
}

// refuse names the setting that allows a name. The name is foreign: it is quoted.
func (h hosts) refuse(w http.ResponseWriter, r *http.Request) {
	text := fmt.Sprintf("this is usersyncd, and %q is not one of its host names.\n", r.Host)
	if bare, ok := requested(r); ok {
		text += fmt.Sprintf("To allow it, start usersyncd with --listen-hosts %s (USERSYNCD_LISTEN_HOSTS, or listen-hosts: in the --config file).\n", bare)
	}
	http.Error(w, text, http.StatusMisdirectedRequest)
}
