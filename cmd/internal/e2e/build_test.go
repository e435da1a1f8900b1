package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// program is the daemon's executable, built once for all tests.
var program string

var buildFlags = []string{"build"}

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "holdfast-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "holdfast")
	build := exec.Command("go", append(buildFlags, "-o", program, "holdfast/cmd/holdfast")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil { // most of these tests wait most of the time
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
