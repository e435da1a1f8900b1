package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"slices"
	"strings"

	"holdfast/codec/field"
	"holdfast/engine/exchange"
)

// Token is the digest of a bearer token that may publish. Digests are compared, so that neither time nor a memory dump
// tells a token.
type Token [sha256.Size]byte

// NewToken makes the digest of a token.
func NewToken(token string) Token { return sha256.Sum256([]byte(token)) }

// admit refuses publishers that do not authenticate, and pages of other sites that try to publish through a visitor's
// browser (a publish listener is often reachable from the machines of people who can publish).
func (g *Gateway) admit(x exchange.Exchange, h *exchange.Head) bool {
	if crossSite(h) {
		g.fail(x, 403, "cross-site requests may not publish; call this from a server or from a page of this origin")
		return false
	}
	if len(g.cfg.Tokens) == 0 {
		return g.admitUnknown(x, h)
	}
	if g.bears(h) {
		return true
	}
	g.scratch.response = exchange.Response{
		Status: 401, Type: jsonType,
		Fields: []field.Field{{Name: []byte("WWW-Authenticate"), Value: []byte(`Bearer realm="publish"`)}},
		Body:   []byte("{\"error\":\"send Authorization: Bearer with a token from this node's token file\"}\n"),
	}
	x.Respond(&g.scratch.response)
	return false
}

// admitUnknown takes whoever comes without a token, but for pages under a name that is not ours: its owner may have
// pointed it here after the page was loaded, and to the browser this is then the page's own site (DNS rebinding). A page
// knows no token, so only listeners without tokens need this.
func (g *Gateway) admitUnknown(x exchange.Exchange, h *exchange.Head) bool {
	if !fromBrowser(h) || OwnHost(string(h.Authority), g.cfg.Hosts) {
		return true
	}
	g.fail(x, 403, "pages may not publish under this host name; open this by IP address or as localhost, "+
		"or start the node with --publish-host and this name, or with a token file")
	return false
}

func (g *Gateway) bears(h *exchange.Head) bool {
	value, ok := field.Get(h.Fields, "authorization")
	const scheme = "Bearer "
	if !ok || len(value) <= len(scheme) || !strings.EqualFold(string(value[:len(scheme)]), scheme) {
		return false
	}
	digest := sha256.Sum256(value[len(scheme):])
	found := 0
	for i := range g.cfg.Tokens {
		found |= subtle.ConstantTimeCompare(digest[:], g.cfg.Tokens[i][:])
	}
	return found == 1
}

// OwnHost reports whether a Host field can only mean this machine: an IP address, localhost or a name below it, or one
// of the given names. Ports do not matter.
func OwnHost(authority string, names []string) bool {
	host := hostOf(authority)
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if i := len(host) - len("localhost"); i >= 0 && strings.EqualFold(host[i:], "localhost") && (i == 0 || host[i-1] == '.') {
		return true
	}
	return host != "" && slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(host, hostOf(name)) })
}

// hostOf is an authority without its port, and without the brackets of an IPv6 address.
func hostOf(authority string) string {
	if inner, ok := strings.CutPrefix(authority, "["); ok {
		host, _, _ := strings.Cut(inner, "]")
		return host
	}
	host, _, _ := strings.Cut(authority, ":")
	return host
}

// fromBrowser reports whether a browser sends this for a page. Browsers say so with every method that can change
// something; with a GET over plain HTTP to a name they may not.
func fromBrowser(h *exchange.Head) bool {
	_, site := field.Get(h.Fields, "sec-fetch-site")
	_, origin := field.Get(h.Fields, "origin")
	return site || origin
}

// crossSite reports whether a browser sends this for a page of another origin. Clients that are no browsers send
// neither field.
func crossSite(h *exchange.Head) bool {
	if site, ok := field.Get(h.Fields, "sec-fetch-site"); ok {
		return string(site) != "same-origin" && string(site) != "none"
	}
	origin, ok := field.Get(h.Fields, "origin")
	if !ok {
		return false
	}
	_, host, found := strings.Cut(string(origin), "://")
	return !found || !strings.EqualFold(host, string(h.Authority))
}
