package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"holdfast/cmd/internal/flags"
)

const referenceFile = "../../CONFIGURATION.md"

// TestReference holds CONFIGURATION.md against the flag table. UPDATE=1 writes it anew.
func TestReference(t *testing.T) {
	want := reference(newServing().table())
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(referenceFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("CONFIGURATION.md is not what the flag table says: run UPDATE=1 go test ./cmd/holdfast -run Reference")
	}
}

func reference(table flags.Table) string {
	var b strings.Builder
	b.WriteString(`# Configuration

Every setting of ` + "`holdfast serve`" + `, as ` + "`holdfast serve --help`" + ` tells it; a test keeps this page and the flag table equal. A flag wins over its
environment variable, and that over the default. Durations are written like ` + "`10s`, `1m15s`" + `, sizes like ` + "`64KiB`" + ` or in plain bytes. Each limit is
there to bound what somebody else can make the node spend; the code says which abuse it stops, beside the ` + "`Config`" + ` field.

Listeners and routes are built in for now: the public listener holds at ` + "`/sub` and `/sub/KEY`" + `; the publish listener does that too, and takes
` + "`/push` and `/push/KEY`" + `.
`)
	group := ""
	for _, f := range table {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n## %s\n\n| flag | unit | default | variable | what it does |\n|---|---|---|---|---|\n", group)
		}
		fallback := f.Default
		if fallback == "" {
			fallback = "none"
		}
		fmt.Fprintf(&b, "| `--%s` | %s | %s | `%s` | %s |\n", f.Name,
			strings.ReplaceAll(f.Unit, "|", ", "), fallback, flags.EnvName(envPrefix, f.Name), f.Help)
	}
	return b.String()
}
