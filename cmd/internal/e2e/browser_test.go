package e2e

import "testing"

// A browser's WebSocket is held, pushed to and closed from either side, with compression as browsers always offer it.
func TestBrowserWebSocket(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"plain": nil, "deflate": {"--ws-deflate"}} {
		t.Run(name, func(t *testing.T) {
			d := serve(t, append(args, "--echo")...)
			b := browse(t, "http://"+d.publish+"/")
			b.run(t, `
				window.lines = [];
				const open = path => new Promise((done, failed) => {
					window.socket = new WebSocket("ws://`+d.public+`" + path);
					socket.binaryType = "arraybuffer";
					socket.onopen = () => done(socket.extensions);
					socket.onerror = () => failed(new Error("no WebSocket"));
					socket.onmessage = e => lines.push(typeof e.data === "string" ? e.data.length + " " + e.data.slice(0, 20) : "binary " + e.data.byteLength);
					socket.onclose = e => lines.push("closed " + e.code + " " + e.wasClean);
				});
				true`)
			want := ""
			if name == "deflate" {
				want = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
			}
			if got := b.run(t, `open("/sub/alice")`); got != want {
				t.Errorf("extensions %q, want %q", got, want)
			}
			d.held(t, "alice", 1)
			d.push(t, "alice", []byte("hello"))
			d.push(t, "alice", make([]byte, 100_000)) // NULs are text, too
			curled(t, d.publish+"/push/alice", "-H", "Content-Type: image/png", "-d", "\x89PNG")
			b.awaits(t, "lines.length === 3")
			if got := b.run(t, `[lines[0], lines[1].slice(0, 6), lines[2]].join("|")`); got != "5 hello|100000|binary 4" {
				t.Errorf("lines %s", got)
			}
			d.sendAway(t, "alice")
			b.awaits(t, `lines[3] === "closed 1001 true"`)
			d.held(t, "alice", 0)

			b.run(t, `open("/sub/bob")`)
			d.held(t, "bob", 1)
			b.run(t, `socket.close(4000, "bye")`)
			b.awaits(t, `lines[4] === "closed 4000 true"`)
			d.held(t, "bob", 0)

			b.run(t, `open("/echo").then(() => { socket.send("κόσμε"); socket.send(new Uint8Array(300_000)); socket.send("x".repeat(1 << 20)) })`)
			b.awaits(t, `lines.slice(5).join("|") === "5 κόσμε|binary 300000|1048576 xxxxxxxxxxxxxxxxxxxx"`)
			d.stop(t) // and a node that drains says so
			b.awaits(t, `lines[8] === "closed 1001 true"`)
		})
	}
}
