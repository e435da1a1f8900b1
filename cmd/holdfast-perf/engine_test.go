package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"holdfast/engine"
)

// startEngine runs the real data plane and gives the flags that point at it.
func startEngine(t *testing.T, loops int) (target string) {
	t.Helper()
	e, err := engine.Start(engine.Config{Loops: loops, Snapshot: engine.BuiltIn(engine.BuiltInConfig{Public: "127.0.0.1:0", Publish: "127.0.0.1:0"})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		e.Stop(ctx, 0)
	})
	return " --url " + e.Addresses()[0].String() + " --publish-url " + e.Addresses()[1].String()
}

// The engine keeps its word to every form and in every mode: nothing lost, doubled, out of order, astray or changed.
func TestTheEngineKeepsItsWord(t *testing.T) {
	f := func(loops int, args string, wants ...string) {
		t.Helper()
		var out bytes.Buffer
		args = "push --duration 500ms --settle 50ms " + args + startEngine(t, loops)
		if err := run(t.Context(), strings.Fields(args), &out, io.Discard); err != nil {
			t.Errorf("%s: %v\n%s", args, err, out.String())
		}
		wantText(t, out.String(), append(wants, "0 doubled, 0 out of order, 0 astray, 0 changed", "0 lost, 0 beyond the verdict, 0 clients passed over")...)
		if strings.Contains(out.String(), "trouble") {
			t.Errorf("%s:\n%s", args, out.String())
		}
	}
	for _, form := range []string{"sse", "ndjson", "multipart", "replace", "raw"} {
		f(2, "--conns 50 --rate 1000 --form "+form, "500 sent, 0 never sent, answered 200 × 500", "500 promised, 500 arrived")
	}
	for _, form := range []string{"ws", "ws --deflate --size 400"} {
		f(2, "--conns 50 --rate 1000 --form "+form, "500 sent, 0 never sent, answered 200 × 500", "500 promised, 500 arrived")
	}
	for _, form := range []string{"sse", "ndjson", "multipart", "replace", "raw"} {
		f(2, "--conns 50 --rate 1000 --protocol h2 --streams 20 --publish-streams 8 --form "+form,
			"over HTTP/2, 20 to a connection", "500 sent, 0 never sent, answered 200 × 500", "500 promised, 500 arrived")
	}
	f(2, "--conns 50 --rate 100 --form poll", "50 sent, 0 never sent")
	f(2, "--conns 50 --rate 100 --form poll --protocol h2 --streams 10", "50 sent, 0 never sent")
	f(2, "--conns 50 --protocol h2 --publishers 500 --publish-streams 500")
	f(2, "--conns 60 --mode fanout --group 20 --publishers 3 --rate 100", "50 sent", "1,000 promised, 1,000 arrived")
	f(1, "--conns 100 --mode mixed --group 60 --publishers 4")
	f(2, "--conns 40 --keys 8 --protocol h2 --streams 40 --rate 40 --size 70000 --grace 10s", "20 sent", "100 promised, 100 arrived")
	f(3, "--conns 40 --keys 8 --loops 2 --rate 40 --size 70000 --grace 10s", "20 sent", "100 promised, 100 arrived")
}
