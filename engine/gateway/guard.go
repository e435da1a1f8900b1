package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
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
	if len(g.cfg.Tokens) == 0 || g.bears(h) {
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
