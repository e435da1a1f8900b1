package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/perf/report"
)

const smallModel = "model --nodes 20 --keys 20000 --shards 2 --pushes 1000 --steady 5s --notice 5s --dither 2s --down 2s"

func TestModelTableIsComplete(t *testing.T) {
	for _, finding := range newModelling().table().Check() {
		t.Error(finding)
	}
}

// The same command gives the same bytes, on the screen and in its files.
func TestModelIsReproducible(t *testing.T) {
	var screens, files []string
	for _, name := range []string{"a", "b"} {
		file := filepath.Join(t.TempDir(), name)
		var out strings.Builder
		if err := run(t.Context(), strings.Fields(smallModel+" --json "+file+" --svg "+file+".svg"), &out, io.Discard); err != nil {
			t.Fatal(err)
		}
		for _, ending := range []string{"", ".svg"} {
			b, err := os.ReadFile(file + ending)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, string(b))
		}
		screens = append(screens, out.String())
	}
	if screens[0] != screens[1] || files[0] != files[2] || files[1] != files[3] {
		t.Error("two runs differ")
	}
	rep, err := report.ReadJSON(strings.NewReader(files[0]))
	if err != nil || len(rep.Series) != 5 {
		t.Errorf("%v: %d scenes", err, len(rep.Series))
	}
	if !strings.Contains(screens[0], "hosts fall silent") || !strings.Contains(files[1], "<svg") {
		t.Error("a scene or the plot is missing")
	}
}

func TestModelRefusesWhatItCannotPlay(t *testing.T) {
	f := func(args, want string) {
		t.Helper()
		err := run(t.Context(), strings.Fields("model "+args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	f("--nodes 1", "nodes: 1 is not")
	f("--lost 100", "lost: 100")
	f("--step 2s", "longer than a beat")
	f("--life 0s", "take some time")
}
