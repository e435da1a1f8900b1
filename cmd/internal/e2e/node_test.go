package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const nodeClients = "testdata/node"

// nodeModules fetches the packages that the lock file names, unless they are there.
var nodeModules = sync.OnceValue(func() error {
	if _, err := os.Stat(filepath.Join(nodeClients, "node_modules", ".package-lock.json")); err == nil {
		return nil
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = nodeClients
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	return nil
})

// node starts a subscriber that is written for Node.
func node(t *testing.T, kind, url string) *process {
	t.Helper()
	if err := nodeModules(); err != nil {
		t.Fatal(err)
	}
	return launch(t, nil, "node", filepath.Join(nodeClients, "client.mjs"), kind, url)
}

// told sends a line to a process and waits for its answer.
func (p *process) told(t *testing.T, line, answer string) {
	t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		t.Fatal(err)
	}
	p.awaits(t, answer)
}

func TestNodeWebSocket(t *testing.T) {
	t.Parallel()
	d := serve(t, "--ws-deflate", "--echo")
	n := node(t, "ws", "ws://"+d.public+"/sub/alice")
	n.awaits(t, "open permessage-deflate\n")
	d.held(t, "alice", 1)
	d.push(t, "alice", []byte("hello"))
	n.awaits(t, "text 5 hello\n")
	long := strings.Repeat("a long message, ", 5000)
	d.push(t, "alice", []byte(long))
	n.awaits(t, "text 80000 a long message, a")
	curled(t, d.publish+"/push/alice", "-H", "Content-Type: application/octet-stream", "-d", "bytes")
	n.awaits(t, "binary 5 bytes\n")
	n.told(t, "ping there?", "pong there?\n")
	d.sendAway(t, "alice")
	n.awaits(t, "close 1001")
	n.stdin.Close()
	if code := n.wait(t); code != 0 {
		t.Errorf("exit %d: %s%s", code, &n.out, &n.errs)
	}
	d.held(t, "alice", 0)

	n = node(t, "ws", "ws://"+d.public+"/echo")
	n.awaits(t, "open permessage-deflate\n")
	n.told(t, "text κόσμε", "text 10 κόσμε\n")
	n.told(t, "binary 1000000", "binary 1000000 ")
	n.told(t, "parts one two three", "text 11 onetwothree\n")
	n.told(t, "close 4321", "close 4321")
	n.stdin.Close()
	if code := n.wait(t); code != 0 || strings.Contains(n.out.String(), "error") {
		t.Errorf("exit %d: %s%s", code, &n.out, &n.errs)
	}
}

func TestNodeEventSource(t *testing.T) {
	t.Parallel()
	d := serve(t)
	n := node(t, "eventsource", "http://"+d.public+"/sub/alice")
	n.awaits(t, "open\n")
	d.held(t, "alice", 1)
	d.push(t, "alice", []byte("in\ntwo lines"))
	n.awaits(t, `"in\ntwo lines"`+"\n")
	curled(t, d.publish+"/push/alice", "-H", "Push-Event: news", "-d", "an event")
	n.awaits(t, "news an event\n")
	curled(t, d.publish+"/push/alice", "-H", "Push-Id: 77", "-d", "a number")
	n.awaits(t, `message 77 "a number"`+"\n")
	d.sendAway(t, "alice")
	n.awaits(t, "goaway {}\n")
	d.held(t, "alice", 1) // it comes back by itself
	d.push(t, "alice", []byte("again"))
	n.told(t, "close", `"again"`)
	n.stdin.Close()
	if code := n.wait(t); code != 0 {
		t.Errorf("exit %d: %s%s", code, &n.out, &n.errs)
	}
	d.held(t, "alice", 0)
}

func TestNodeOverHTTP2(t *testing.T) {
	t.Parallel()
	d := serve(t)
	n := node(t, "http2", "http://"+d.publish)
	for i := range 50 {
		path := fmt.Sprintf("/sub/k%d", i)
		n.told(t, "hold "+path, "head "+path+" 200\n")
	}
	n.told(t, "ping now", "pong well\n")
	for i := range 50 {
		n.told(t, fmt.Sprintf("push /push/k%d message for %d", i, i), fmt.Sprintf(`"data":"message for %d"}`+"\n", i))
	}
	if !eventually(func() bool { return strings.Count(n.out.String(), `"delivered":1,`) == 50 }) {
		t.Errorf("verdicts are missing: %s", &n.out)
	}
	n.told(t, "leave /sub/k7", "end /sub/k7 8\n")
	d.held(t, "k7", 0)
	d.held(t, "k8", 1)
	d.sendAway(t, "k8")
	n.awaits(t, "end /sub/k8 0\n")
	d.stop(t)
	n.awaits(t, "goaway 0\n")
	n.awaits(t, "closed\n")
	if strings.Contains(n.out.String(), "error") {
		t.Errorf("%s", &n.out)
	}
	n.stdin.Close()
}
