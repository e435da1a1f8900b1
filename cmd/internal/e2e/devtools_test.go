package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// browser is a Chromium that is driven over its DevTools protocol: JSON with a NUL behind each message, on two pipes.
type browser struct {
	*process
	commands *os.File
	session  string // of the one page

	lock    sync.Mutex
	last    int
	waiting map[int]chan json.RawMessage
}

// browse opens a page in a browser of its own, with a fresh profile.
func browse(t *testing.T, url string) *browser {
	t.Helper()
	theirIn, commands, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile := filepath.Join(filepath.Dir(program), t.Name()+"-browser") // its children may outlive it, and the test
	b := &browser{commands: commands, waiting: map[int]chan json.RawMessage{}}
	b.process = launchWith(t, []*os.File{theirIn, theirOut}, []string{"HOME=" + profile}, "chromium",
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--user-data-dir="+profile, "--remote-debugging-pipe")
	theirIn.Close()
	theirOut.Close()
	t.Cleanup(func() {
		_, _ = b.call("", "Browser.close", nil) // it may be gone already
		select {
		case <-b.ended:
		case <-time.After(patience):
		}
		commands.Close()
		answers.Close()
	})
	go b.listen(answers)

	target := b.get(t, "", "Target.createTarget", map[string]any{"url": "about:blank"}, "targetId")
	b.session = b.get(t, "", "Target.attachToTarget", map[string]any{"targetId": target, "flatten": true}, "sessionId")
	b.get(t, b.session, "Page.navigate", map[string]any{"url": url}, "frameId")
	b.awaits(t, `document.readyState === "complete"`)
	return b
}

// listen hands each answer to whoever waits for it; events are let go.
func (b *browser) listen(answers *os.File) {
	for in := bufio.NewReader(answers); ; {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  json.RawMessage
		}
		if json.Unmarshal(text[:len(text)-1], &answer) != nil || answer.ID == 0 {
			continue
		}
		b.lock.Lock()
		to := b.waiting[answer.ID]
		delete(b.waiting, answer.ID)
		b.lock.Unlock()
		if answer.Error != nil {
			answer.Result = answer.Error
		}
		to <- answer.Result
	}
}

// call asks the browser, or the page of a session, to do something.
func (b *browser) call(session, method string, params any) (json.RawMessage, error) {
	answer := make(chan json.RawMessage, 1)
	b.lock.Lock()
	b.last++
	b.waiting[b.last] = answer
	command := map[string]any{"id": b.last, "method": method, "params": params}
	if params == nil {
		command["params"] = struct{}{}
	}
	if session != "" {
		command["sessionId"] = session
	}
	text, err := json.Marshal(command)
	if err == nil {
		_, err = b.commands.Write(append(text, 0))
	}
	b.lock.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case result := <-answer:
		return result, nil
	case <-b.ended:
		return nil, fmt.Errorf("the browser ended: %s", &b.errs)
	case <-time.After(3 * patience):
		return nil, fmt.Errorf("%s: no answer", method)
	}
}

// get is call for one string of the answer.
func (b *browser) get(t *testing.T, session, method string, params any, name string) string {
	t.Helper()
	result, err := b.call(session, method, params)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(result, &fields); err != nil {
		t.Fatal(err)
	}
	text, ok := fields[name].(string)
	if !ok {
		t.Fatalf("%s: no %s in %s", method, name, result)
	}
	return text
}

// run evaluates a script in the page and returns its value as text.
func (b *browser) run(t *testing.T, script string) string {
	t.Helper()
	result, err := b.call(b.session, "Runtime.evaluate", map[string]any{
		"expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	if err := json.Unmarshal(result, &answer); err != nil || answer.ExceptionDetails != nil {
		t.Fatalf("%s: %s %v", script, result, err)
	}
	return fmt.Sprint(answer.Result.Value)
}

// awaits waits until a condition holds in the page.
func (b *browser) awaits(t *testing.T, condition string) {
	t.Helper()
	if !eventually(func() bool { return b.run(t, condition) == "true" }) {
		t.Fatalf("never came to be: %s; the page reads:\n%s", condition, b.run(t, "document.body.innerText"))
	}
}

// resize gives the page the size of a screen.
func (b *browser) resize(t *testing.T, width, height int) {
	t.Helper()
	if _, err := b.call(b.session, "Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
	}); err != nil {
		t.Fatal(err)
	}
}

// shoot keeps what the page looks like in the directory that HOLDFAST_SCREENSHOTS names, or in the test's own, and
// returns how many bytes that takes.
func (b *browser) shoot(t *testing.T, name string) int {
	t.Helper()
	image, err := base64.StdEncoding.DecodeString(b.get(t, b.session, "Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, "data"))
	if err != nil {
		t.Fatal(err)
	}
	dir := os.Getenv("HOLDFAST_SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), image, 0o600); err != nil {
		t.Fatal(err)
	}
	return len(image)
}
