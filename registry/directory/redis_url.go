package directory

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// shape is how the servers stand together.
type shape uint8

const (
	single    shape = iota // one server
	sentinel               // a master and replicas, of which sentinels know which is which
	clustered              // masters that share the keys
)

// redisTarget is what a URL says.
type redisTarget struct {
	shape          shape
	tls            bool
	addresses      []string // of servers, or of sentinels
	user, password string
	master         string // its name among the sentinels
	db             int
}

// schemes and the port that stands for none.
var schemes = map[string]struct {
	shape shape
	tls   bool
	port  string
}{
	"redis":           {single, false, "6379"},
	"rediss":          {single, true, "6379"},
	"redis-sentinel":  {sentinel, false, "26379"},
	"rediss-sentinel": {sentinel, true, "26379"},
	"redis-cluster":   {clustered, false, "6379"},
	"rediss-cluster":  {clustered, true, "6379"},
}

// parseRedisURL reads a URL as RedisConfig has it. Errors never show it, as it may have a password in it.
func parseRedisURL(text string) (t redisTarget, err error) {
	bad := func(format string, args ...any) (redisTarget, error) {
		return t, fmt.Errorf("directory: the store's URL: "+format, args...)
	}
	name, rest, ok := strings.Cut(text, "://")
	scheme, known := schemes[name]
	if !ok || !known {
		return bad("it must begin with redis://, redis-sentinel:// or redis-cluster://, or the same with rediss")
	}
	t.shape, t.tls = scheme.shape, scheme.tls
	authority, tail := rest, ""
	if at := strings.IndexAny(rest, "/?#"); at >= 0 {
		authority, tail = rest[:at], rest[at:]
	}
	hosts := authority[strings.LastIndexByte(authority, '@')+1:]
	u, err := url.Parse("redis://" + authority[:len(authority)-len(hosts)] + "host" + tail) // several hosts are no URL
	switch {
	case err != nil:
		return bad("user, password or path cannot be read; special characters are written as %%XX")
	case u.RawQuery != "" || u.Fragment != "":
		return bad("nothing may follow ? or #")
	}
	t.user = u.User.Username()
	t.password, _ = u.User.Password()
	for host := range strings.SplitSeq(hosts, ",") {
		address, err := withPort(host, scheme.port)
		if err != nil {
			return bad("%q is not HOST:PORT", host)
		}
		t.addresses = append(t.addresses, address)
	}
	path := strings.Split(strings.TrimPrefix(u.Path, "/"), "/")
	if t.shape == sentinel {
		if t.master, path = path[0], path[1:]; t.master == "" {
			return bad("the master's name is missing, as in redis-sentinel://host:port/master")
		}
	}
	switch db := strings.Join(path, "/"); {
	case t.shape == single && len(t.addresses) > 1:
		return bad("several servers need redis-sentinel or redis-cluster")
	case db == "":
	case t.shape == clustered:
		return bad("a cluster has no databases, so there is no path")
	default:
		if t.db, err = strconv.Atoi(db); err != nil || t.db < 0 {
			return bad("%q is no database number", db)
		}
	}
	return t, nil
}

// withPort completes an address that has no port.
func withPort(host, port string) (string, error) {
	if h, p, err := net.SplitHostPort(host); err == nil {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 || h == "" {
			return "", fmt.Errorf("port %q", p)
		}
		return host, nil
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if bare == "" || strings.ContainsAny(bare, "[]") || strings.Contains(bare, ":") && bare == host {
		return "", fmt.Errorf("host %q", host)
	}
	return net.JoinHostPort(bare, port), nil
}
