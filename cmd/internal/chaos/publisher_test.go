package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"
)

// pushPatience is how long a publisher waits for an answer; a node's own patience is shorter.
const pushPatience = 8 * time.Second

// newPublisher makes the client that all publishers of a lab share: connections are kept, as applications keep theirs.
func newPublisher() *http.Client {
	return &http.Client{Timeout: pushPatience, Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
		MaxIdleConnsPerHost: 64,
	}}
}

// publish pushes to random keys through random nodes, so many a second, until the context ends.
func (l *lab) publish(ctx context.Context, rng *rand.Rand, rate int) {
	beat := time.NewTicker(time.Second / time.Duration(rate))
	defer beat.Stop()
	for number := 0; ; number++ {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		}
		key := l.keys[rng.IntN(len(l.keys))]
		first, second := l.nodes[rng.IntN(len(l.nodes))], l.nodes[rng.IntN(len(l.nodes))]
		id := fmt.Sprintf("%s-%d", key, number)
		if number%16 == 0 {
			l.background.Go(func() { l.look("look-"+id, key, second) })
		}
		l.background.Go(func() {
			p := l.push(id, key, first, false)
			if (p.status == 0 || p.status == 503 || p.status == 504) && number%2 == 0 && ctx.Err() == nil {
				l.push(id, key, second, true)
			}
		})
	}
}

// push publishes one message and writes down what became of it. The message is its own id.
func (l *lab) push(id, key string, n *node, retry bool) *push {
	p := l.attempt(id, key, n)
	p.retry = retry
	l.history.addPush(p)
	return p
}

// attempt is a push that nobody writes down.
func (l *lab) attempt(id, key string, n *node) *push {
	req, err := http.NewRequest(http.MethodPost, "http://"+n.publish+"/push/"+key, strings.NewReader(id))
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Push-Id", id)
	req.Header.Set("Content-Type", "text/plain")
	return l.ask(req, id, key, n)
}

// look asks a node whether anybody holds a key, and writes down what it says.
func (l *lab) look(id, key string, n *node) {
	req, err := http.NewRequest(http.MethodGet, "http://"+n.publish+"/push/"+key, http.NoBody)
	if err != nil {
		l.t.Fatal(err)
	}
	l.history.addLook(l.ask(req, id, key, n))
}

func (l *lab) ask(req *http.Request, id, key string, n *node) *push {
	p := &push{id: id, key: key, node: n.name, invoked: l.now()}
	resp, err := l.publisher.Do(req)
	if err == nil {
		var body []byte
		body, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			p.status = resp.StatusCode
			if err = json.Unmarshal(body, &p.verdict); err != nil {
				l.t.Errorf("%s through %s: %d with %q: %v", req.Method, n.name, resp.StatusCode, body, err)
			}
			if p.status == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
				l.t.Errorf("%s through %s: 503 without Retry-After: %s", req.Method, n.name, body)
			}
		}
	}
	p.answered = l.now()
	if err != nil {
		p.err = err.Error()
	}
	return p
}
