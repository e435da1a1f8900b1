package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/engine/route"
)

// TestParts splits each body at every byte; want is each item's verdict, then what the holder of a heard.
func TestParts(t *testing.T) {
	f := func(contentType, body, want string) {
		t.Helper()
		body = strings.ReplaceAll(body, "\n", "\r\n")
		for cut := range len(body) + 1 {
			w := newWorld(t, 1, Config{}, route.Policy{MaxPayload: 16, MaxKeys: 2})
			holder := w.loops[0].sub("a")
			c := w.loops[0].begin("POST /push", "Content-Type: "+contentType)
			c.body(body[:cut])
			c.body(body[cut:])
			c.complete()
			w.rest()
			if !c.over || c.answer.Status != 200 {
				t.Fatalf("%q split at %d: over %v, %s", body, cut, c.over, c)
			}
			got := ""
			if len(c.answer.Body) > 0 {
				vs := c.verdicts()
				slices.SortStableFunc(vs, func(a, b verdict) int { return *a.Index - *b.Index })
				got = statuses(vs)
			}
			if got += fmt.Sprintf(" %q", holder.heard); got != want {
				t.Fatalf("%q split at %d: %s, want %s", body, cut, got, want)
			}
		}
	}
	const mixed, form = "multipart/mixed; boundary=b", `multipart/form-data; boundary="b"`
	f(mixed, "--b--\n", ` []`)
	f(mixed, "--b\nPush-Key: a\n\nx\n--b\nPush-Key: nobody\n\ny\n--b--\n", `0:200 1:404 ["x"]`)
	f(mixed, "--b\nPush-Key: a, c\n\n\n--b\nPush-Key: a,c,d\n\nx\n--b--", `0:200 1:400 [""]`)
	f(mixed, "--b\nPush-Id: 1\n\nx\n--b\nPush-Key: a%\n\nx\n--b--", `0:400 1:400 []`)
	f(mixed, "--b\nPush-Key: a\n\n12345678901234567\n--b\nPush-Key: a\n\n1234567890123456\n--b--", `0:413 1:200 ["1234567890123456"]`)
	f(form, "--b\nContent-Disposition: form-data; name=\"a\"\n\nx\n--b\nContent-Disposition: form-data; name=a; filename=y\nPush-Key: c\n\ny\n--b--\n",
		`0:200 1:404 ["x"]`)
	f(form, "--b\nContent-Disposition: form-data; name=\"a%2Cb\"\n\nx\n--b--", `0:404 []`)
	f(mixed, "--b\nPush-Key: a\n\nx\n--b\nPush-Key: a\n\nhalf", `0:200 1:400 ["x"]`) // the end is missing
	f(mixed, "--b\nPush-Key: a\n\nx\n--b\nno field\n\nz\n--b--", `0:200 1:400 ["x"]`)
}

func TestPartsNeedABoundary(t *testing.T) {
	f := func(contentType string) {
		t.Helper()
		w := newWorld(t, 1, Config{}, route.Policy{})
		if c := w.loops[0].post("POST /push", "x", "Content-Type: "+contentType); c.answer.Status != 400 {
			t.Errorf("%s: %s", contentType, c)
		}
	}
	f("multipart/mixed")
	f("multipart/form-data; boundary=")
	f("multipart/mixed; boundary=" + strings.Repeat("b", 71))
}
