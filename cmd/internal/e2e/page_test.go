package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// The page that a node serves for trying it out does what it says, in a browser that people have.
func TestTryItPage(t *testing.T) {
	t.Parallel()
	d := serve(t)
	b := browse(t, "http://"+d.publish+"/")
	set, click, shows := b.hands(t)

	click("Push") // to nobody
	shows("verdict", "404")
	click("Hold")
	shows("state", "holding")
	d.held(t, "alice", 1)
	click("Push")
	shows("arrived", "hello")
	shows("verdict", "200")
	shows("verdict", `"delivered": 1`)

	set("event", "news")
	set("body", "<b>not markup</b>")
	click("Push")
	shows("arrived", "[news] <b>not markup</b>")
	set("event", "")
	set("body", "")
	click("Push") // an empty message is a message too
	shows("arrived", "(empty)")
	shows("verdict", "200")
	d.push(t, "alice", []byte("from elsewhere, in\ntwo lines"))
	shows("arrived", "from elsewhere, in\ntwo lines")

	set("hold", "") // a key is made
	click("Hold")
	shows("arrived", "[push-key] ")
	d.held(t, "alice", 0)
	key := b.run(t, `document.getElementById("key").value`)
	if len(key) < 38 || b.run(t, `document.getElementById("hold").value`) != key {
		t.Errorf("the made key is %q", key)
	}
	set("body", "for the made key")
	click("Push")
	shows("arrived", "for the made key")
	d.held(t, key, 1)

	d.sendAway(t, key)
	shows("arrived", "[goaway]")
	click("Leave")
	shows("state", "not connected")
	d.held(t, key, 0)

	for name, width := range map[string]int{"wide": 1280, "narrow": 360} {
		b.resize(t, width, 900)
		if b.run(t, "document.documentElement.scrollWidth <= innerWidth") != "true" {
			t.Errorf("%s: wider than the screen", name)
		}
		if size := b.shoot(t, name); size < 5000 {
			t.Errorf("%s: an image of %d bytes shows nothing", name, size)
		}
	}
}

// hands are what a user does with a page: fill a field, press a button, and wait to see something.
func (b *browser) hands(t *testing.T) (set func(field, text string), click func(button string), shows func(id, text string)) {
	set = func(field, text string) {
		t.Helper()
		b.run(t, fmt.Sprintf("document.getElementById(%q).value = %q", field, text))
	}
	click = func(button string) {
		t.Helper()
		b.run(t, fmt.Sprintf("[...document.querySelectorAll('button')].find(b => b.textContent.trim() === %q).click()", button))
	}
	shows = func(id, text string) {
		t.Helper()
		b.awaits(t, fmt.Sprintf("document.getElementById(%q).textContent.includes(%q)", id, text))
	}
	return set, click, shows
}

// A node that wants a token gets it from the page's user.
func TestTryItPageAsksForAToken(t *testing.T) {
	t.Parallel()
	d := serve(t, "--publish-token-file", tokenFile(t, "s3cret"))
	b := browse(t, "http://"+d.publish+"/")
	set, click, shows := b.hands(t)
	if b.run(t, `document.getElementById("token").offsetParent === null`) != "true" {
		t.Error("a token is asked for before it is needed")
	}
	click("Push")
	shows("verdict", "401")
	b.awaits(t, `document.getElementById("token").offsetParent !== null`)
	set("token", "s3cret")
	click("Hold")
	shows("state", "holding")
	click("Push")
	shows("verdict", "200")
	shows("arrived", "hello")
	b.resize(t, 1280, 900)
	b.shoot(t, "token")
}

// Scripts of another origin may not publish, though the browser reaches the listener.
func TestOtherOriginsMayNotPublish(t *testing.T) {
	t.Parallel()
	d, other := serve(t), serve(t)
	sub := curl(t, d.public+"/sub/alice?mode=sse")
	d.held(t, "alice", 1)
	b := browse(t, "http://"+other.publish+"/")
	b.run(t, `fetch("http://`+d.publish+`/push/alice", {method: "POST", mode: "no-cors", body: "stolen"}).then(() => "sent")`)
	if got := b.run(t, `fetch("/push/alice", {method: "POST", body: "x"}).then(r => r.status)`); got != "404" {
		t.Errorf("its own origin answered %s", got)
	}
	if v := d.push(t, "alice", []byte("last")); v.Delivered != 1 {
		t.Errorf("%+v", v)
	}
	sub.awaits(t, "data: last\n\n")
	if strings.Contains(sub.out.String(), "stolen") {
		t.Error("another site's page published")
	}
}
