package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/codec/key"
	"holdfast/engine/exchange"
)

// Entries of one page.
const (
	DefaultLimit = 100    // entries of one page when limit= is not given
	MaxLimit     = 10_000 // most entries of one page: bounds what one request makes the loops gather
)

// ErrCursor is what a Source returns for a cursor that it cannot have given.
var ErrCursor = errors.New("after= is not a cursor from an earlier page: start without it")

func (s *Server) conns(w http.ResponseWriter, r *http.Request) {
	q := query{values: r.URL.Query()}
	q.allow("form", "key", "min_queued", "min_age", "limit")
	f := ConnFilter{
		Form:      q.form("form"),
		Key:       q.key("key"),
		MinQueued: q.number("min_queued", 0),
		MinAge:    time.Duration(q.number("min_age", 0)) * time.Second,
	}
	limit := q.limit()
	if q.refused(w) {
		return
	}
	list, more, err := s.source.Conns(r.Context(), f, limit)
	page(w, ConnPage{Conns: nonNil(list), More: more}, err)
}

func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	q := query{values: r.URL.Query()}
	q.allow("prefix", "after", "limit")
	prefix, limit := q.key("prefix"), q.limit()
	if q.refused(w) {
		return
	}
	list, next, err := s.source.Keys(r.Context(), prefix, q.values.Get("after"), limit)
	page(w, KeyPage{Keys: nonNil(list), Next: next}, err)
}

func (s *Server) key(w http.ResponseWriter, r *http.Request) {
	q := query{values: r.URL.Query()}
	q.allow("limit")
	name := []byte(r.PathValue("key"))
	if err := key.Check(name); err != nil {
		q.bad("key", err)
	}
	limit := q.limit()
	if q.refused(w) {
		return
	}
	holders, err := s.source.Holders(r.Context(), name, limit)
	if err == nil && holders.Holders == 0 && len(holders.Nodes) == 0 {
		text := "nobody holds this key on this node"
		if holders.Doubt != "" {
			text += "; whether others do is not known: " + holders.Doubt
		}
		fail(w, http.StatusNotFound, text)
		return
	}
	holders.Conns = nonNil(holders.Conns)
	page(w, holders, err)
}

// page answers with a part of a list, or with why there is none.
func page(w http.ResponseWriter, body any, err error) {
	switch {
	case errors.Is(err, ErrCursor):
		fail(w, http.StatusBadRequest, err.Error())
	case err != nil:
		fail(w, http.StatusServiceUnavailable, err.Error())
	default:
		answer(w, http.StatusOK, body)
	}
}

// nonNil makes an empty list an empty array in JSON, not null.
func nonNil[T any](list []T) []T {
	return append([]T{}, list...)
}

// query reads parameters and keeps the first thing that is wrong with them.
type query struct {
	values url.Values
	err    error
}

func (q *query) bad(name string, err error) {
	if q.err == nil {
		q.err = fmt.Errorf("%s: %w", name, err)
	}
}

// allow refuses every parameter but these: a filter that is misspelt must not list everything.
func (q *query) allow(names ...string) {
	for name := range q.values {
		if !slices.Contains(names, name) {
			q.bad(name, fmt.Errorf("unknown parameter; there are %q", names))
		}
	}
}

func (q *query) number(name string, fallback int) int {
	text := q.values.Get(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		q.bad(name, errors.New("want a whole number, 0 or more"))
	}
	return n
}

func (q *query) limit() int {
	n := q.number("limit", DefaultLimit)
	if n < 1 || n > MaxLimit {
		q.bad("limit", fmt.Errorf("want 1 to %d; longer lists come in pages", MaxLimit))
	}
	return n
}

// key reads a key, or the beginning of one. The query's own escapes are undone already.
func (q *query) key(name string) []byte {
	text := []byte(q.values.Get(name))
	if len(text) > key.MaxLen {
		q.bad(name, fmt.Errorf("longer than any key: at most %d bytes", key.MaxLen))
	}
	return text
}

func (q *query) form(name string) string {
	text := q.values.Get(name)
	if err := CheckForm(text); err != nil {
		q.bad(name, err)
	}
	return text
}

// CheckForm refuses a filter for a wire form that does not exist: it would find nothing and look like an answer. The
// empty one lets all pass.
func CheckForm(text string) error {
	names := make([]string, exchange.Forms)
	for form := range exchange.Forms {
		if names[form] = form.String(); names[form] == text {
			return nil
		}
	}
	if text == "" {
		return nil
	}
	return fmt.Errorf("there is no form %q; there are %s", text, strings.Join(names, ", "))
}

// refused answers a request whose parameters are wrong.
func (q *query) refused(w http.ResponseWriter) bool {
	if q.err == nil {
		return false
	}
	fail(w, http.StatusBadRequest, q.err.Error())
	return true
}
