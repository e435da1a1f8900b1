package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/redis/rueidis"
)

// advice says what to do about an error that begins so, without ERR.
var advice = []struct{ prefix, text string }{
	{"WRONGPASS", "it refuses the user or password: correct them in the URL or the password file"},
	{"NOAUTH", "it wants a password: put one in the URL or the password file"},
	{"NOPERM", "its ACL forbids a command or key to this user: allow what the documentation lists"},
	{"OOM", "it is full: raise maxmemory, or free some memory"},
	{"MISCONF", "it cannot save to its disk and refuses writes: look at its log"},
	{"CLUSTERDOWN", "the cluster does not serve all slots: bring its masters back"},
	{"READONLY", "it is a replica: name the master, or use redis-sentinel"},
	{"NOREPLICAS", "it has too few replicas to accept writes: bring them back"},
	{"MASTERDOWN", "it is a replica without its master: bring the master back"},
	{"LOADING", "it is loading its data: it will answer soon"},
	{"BUSY", "a script blocks it: end that with SCRIPT KILL"},
	{"MOVED", "it is a node of a cluster: use redis-cluster in the URL"},
	{"DB index", "it has no such database: correct the number in the URL"},
	{"max number of clients", "it has too many clients: raise maxclients"},
	{"DENIED", "it is in protected mode: set a password, or bind it to an address"},
}

// explain wraps what went wrong into ErrStore and says what to do.
func explain(err error) error {
	var refused *rueidis.RedisError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var inScript scriptError
	what := ""
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrStore):
		return err
	case errors.As(err, &refused):
		what = advise(refused.Error())
	case errors.As(err, &inScript):
		what = advise(string(inScript))
	case errors.As(err, &certificate):
		what = "its certificate is not trusted: name its CA"
	case errors.As(err, &record):
		what = "it does not speak TLS: use redis instead of rediss in the URL, or its TLS port"
	case errors.Is(err, rueidis.ErrNoCache):
		what = "it does not speak RESP3, or forbids CLIENT TRACKING: Redis 7.0 or newer is needed"
	case errors.Is(err, context.Canceled):
		what = "the call was given up"
	case errors.Is(err, context.DeadlineExceeded):
		what = "it does not answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		what = "nobody listens there: start it, or correct the URL"
	}
	if what == "" {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return fmt.Errorf("%w: %s (%w)", ErrStore, what, err)
}

// scriptError is what a command in a script was refused with.
type scriptError string

func (e scriptError) Error() string { return string(e) }

// advise says what may help against an error that begins so.
func advise(text string) string {
	for _, a := range advice {
		if strings.HasPrefix(text, a.prefix) {
			return a.text
		}
	}
	return ""
}
