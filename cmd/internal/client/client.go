// Package client calls a node's publish and admin listeners for the command line. It must never retry by itself: what
// became of a push is told to whoever asked, who decides.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"holdfast/cmd/internal/admin"
	"holdfast/cmd/internal/metrics"
	"holdfast/codec/key"
)

// maxAnswer bounds what is read of one answer: a page of the longest list is some 10 MiB.
const maxAnswer = 64 << 20

// Client is one node as the command line reaches it.
type Client struct {
	Base    string // scheme, host and port; a bare host:port means http
	Token   string // bearer token, "" for none
	Timeout time.Duration
}

// Message is one push.
type Message struct {
	Key   []byte // empty with All
	All   bool   // to every hold of the cluster
	Data  []byte
	Type  string // Content-Type
	ID    string
	Event string
}

// Answer is what a node said: its status, and the body as it came.
type Answer struct {
	Status int
	Body   []byte
}

// Push publishes one message and returns the verdict, which is an answer whatever its status.
func (c *Client) Push(ctx context.Context, m Message) (Answer, error) {
	path := "/push?all"
	if !m.All {
		path = "/push/" + string(key.AppendEncoded(nil, m.Key))
	}
	head := http.Header{}
	for name, value := range map[string]string{"Content-Type": m.Type, "Push-Id": m.ID, "Push-Event": m.Event} {
		if value != "" {
			head.Set(name, value)
		}
	}
	return c.do(ctx, http.MethodPost, path, head, m.Data)
}

// Conns lists connections that pass a filter. A form that does not exist is not asked for.
func (c *Client) Conns(ctx context.Context, f admin.ConnFilter, limit int) (page admin.ConnPage, err error) {
	if err := admin.CheckForm(f.Form); err != nil {
		return page, err
	}
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if f.Form != "" {
		q.Set("form", f.Form)
	}
	if len(f.Key) > 0 {
		q.Set("key", string(f.Key))
	}
	if f.MinQueued > 0 {
		q.Set("min_queued", strconv.Itoa(f.MinQueued))
	}
	if f.MinAge > 0 {
		q.Set("min_age", strconv.Itoa(int(f.MinAge/time.Second)))
	}
	return page, c.get(ctx, "/v1/conns?"+q.Encode(), &page)
}

// Keys lists one page of keys that begin with prefix.
func (c *Client) Keys(ctx context.Context, prefix []byte, after string, limit int) (page admin.KeyPage, err error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if len(prefix) > 0 {
		q.Set("prefix", string(prefix))
	}
	if after != "" {
		q.Set("after", after)
	}
	return page, c.get(ctx, "/v1/keys?"+q.Encode(), &page)
}

// Holders tells who holds a key.
func (c *Client) Holders(ctx context.Context, name []byte, limit int) (h admin.KeyHolders, err error) {
	path := "/v1/keys/" + string(key.AppendEncoded(nil, name)) + "?limit=" + strconv.Itoa(limit)
	return h, c.get(ctx, path, &h)
}

// Nodes tells which nodes there are, as the asked one sees them.
func (c *Client) Nodes(ctx context.Context) (list admin.NodeList, err error) {
	return list, c.get(ctx, "/v1/nodes", &list)
}

// Metrics scrapes the node once.
func (c *Client) Metrics(ctx context.Context) (metrics.Samples, error) {
	a, err := c.do(ctx, http.MethodGet, "/metrics", nil, nil)
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return nil, refusal(a)
	}
	return metrics.Read(string(a.Body))
}

// get reads JSON of an answer that must be 200.
func (c *Client) get(ctx context.Context, path string, into any) error {
	a, err := c.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		return refusal(a)
	}
	if err := json.Unmarshal(a.Body, into); err != nil {
		return fmt.Errorf("%s%s did not answer as an admin listener does: %w", c.Base, path, err)
	}
	return nil
}

// refusal is an answer's own words as an error, or its status where it has none.
func refusal(a Answer) error {
	var f admin.Failure
	if json.Unmarshal(a.Body, &f) != nil || f.Error == "" {
		f.Error = http.StatusText(a.Status)
	}
	return fmt.Errorf("the node answered %d: %s", a.Status, f.Error)
}

func (c *Client) do(ctx context.Context, method, path string, head http.Header, body []byte) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	base := strings.TrimSuffix(c.Base, "/")
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("%q is no address of a node, such as http://127.0.0.1:8081: %w", c.Base, err)
	}
	if head != nil {
		req.Header = head
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Answer{}, c.unreachable(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return Answer{}, c.unreachable(err)
	}
	return Answer{Status: resp.StatusCode, Body: text}, nil
}

// unreachable says what to look at when there was no answer.
func (c *Client) unreachable(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s did not answer within %v: it is overloaded, or not a Holdfast listener", c.Base, c.Timeout)
	}
	return fmt.Errorf("cannot reach %s: %w", c.Base, err)
}
