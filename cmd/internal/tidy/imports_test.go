package tidy

import (
	"strconv"
	"strings"
	"testing"
)

const module = "holdfast"

// room is one row of the import policy. The most specific row that matches a package decides for it.
type room struct {
	name   string   // a directory; the row covers everything below it
	may    []string // directories of ours that it may import, with everything below them
	not    []string // exceptions from may
	reason string
}

// rooms is the one table of directions: cmd → perf → engine → {codec, registry, pool}. It holds for tests too.
var rooms = []room{
	{name: "cmd", may: []string{"cmd", "perf", "engine", "codec", "registry", "pool"}, reason: "programs assemble everything"},
	{
		name: "perf", may: []string{"perf", "engine", "codec"}, not: []string{"engine/gateway", "engine/route"},
		reason: "load tools share the loop and the codecs, never the gateway they measure",
	},
	{name: "engine", may: []string{"engine", "codec", "registry", "pool"}, reason: "the data plane stands on the leaves and knows no program"},
	{name: "engine/mem", reason: "any room may import mem, so mem imports nothing of ours"},
	{name: "engine/epoll", reason: "any room may import epoll, so epoll imports nothing of ours"},
	{name: "engine/wheel", reason: "a timer wheel knows slots, not connections"},
	{name: "engine/simkernel", may: []string{"engine/epoll"}, reason: "the fake stands beside the real kernel and below the loop"},
	{
		name: "engine/gateway", may: []string{"engine", "codec", "registry", "pool"},
		not:    []string{"engine/loop", "engine/epoll", "engine/http1", "engine/http2", "engine/websocket", "engine/tlsio"},
		reason: "behaviour has no socket and no wire protocol in sight",
	},
	{name: "codec", may: []string{"codec", "engine/mem"}, reason: "bytes ↔ meaning, without knowing who calls"},
	{name: "registry", may: []string{"registry", "engine/mem", "engine/epoll"}, reason: "key → who; knows no wire format and no pool"},
	{name: "pool", may: []string{"pool", "engine/mem", "engine/epoll"}, reason: "which upstream connection; generic over the connection"},
}

// ban keeps foreign packages out of rooms. It holds for code, not for tests, unless tests is set.
type ban struct {
	pkgs   []string // import paths; each covers everything below it
	in     []string // rooms in which they are banned; nil: all
	except []string // rooms inside those that may use them
	tests  bool     // test files are held to it too
	reason string
}

var bans = []ban{
	{pkgs: []string{"net/http"}, in: []string{"engine", "codec", "registry", "pool", "perf"}, reason: "the data plane and its load tools speak HTTP themselves"},
	{pkgs: []string{"unsafe"}, except: []string{"engine/mem", "engine/epoll"}, reason: "unsafe lives in engine/mem and engine/epoll only"},
	{pkgs: []string{"net", "os", "time", "syscall", "context", "log", "golang.org/x/sys"}, in: []string{"codec"}, reason: "a codec does no I/O and reads no clock"},
	{pkgs: []string{"flag", "github.com/spf13"}, except: []string{"cmd"}, tests: true, reason: "only cmd declares flags; rooms export a Config"},
	{
		pkgs: []string{"testing"}, except: []string{"registry/directory/redistest"},
		reason: "only a package that starts servers for tests is one",
	},
	{
		pkgs:   []string{"go.uber.org/goleak", "github.com/anishathalye/porcupine", "github.com/puzpuzpuz/xsync"},
		reason: "test tools stay in test files",
	},
	{pkgs: []string{"math/rand"}, tests: true, reason: "use math/rand/v2, or crypto/rand for what must not be guessed"},
}

// under reports whether pkg is dir or lies below it.
func under(pkg, dir string) bool {
	return pkg == dir || strings.HasPrefix(pkg, dir+"/")
}

func underAny(pkg string, dirs []string) bool {
	for _, dir := range dirs {
		if under(pkg, dir) {
			return true
		}
	}
	return false
}

// roomOf finds the most specific row for a package directory, or nil.
func roomOf(dir string) *room {
	var best *room
	for i := range rooms {
		if under(dir, rooms[i].name) && (best == nil || len(rooms[i].name) > len(best.name)) {
			best = &rooms[i]
		}
	}
	return best
}

// importsPointOneWay checks imports of our own packages against the table of rooms.
func importsPointOneWay(tree []*source) (findings []string) {
	for _, s := range tree {
		home := roomOf(s.dir())
		if home == nil {
			findings = append(findings, s.at(s.file.Package, "package outside the fixed rooms"))
			continue
		}
		for _, spec := range s.file.Imports {
			pkg, ours := strings.CutPrefix(importPath(spec.Path.Value), module+"/")
			if ours && pkg != s.dir() && (!underAny(pkg, home.may) || underAny(pkg, home.not)) {
				findings = append(findings, s.at(spec.Pos(), "%s may not import %s: %s", home.name, pkg, home.reason))
			}
		}
	}
	return findings
}

// foreignImportsAllowed checks imports of the standard library and of other modules against the bans.
func foreignImportsAllowed(tree []*source) (findings []string) {
	for _, s := range tree {
		for _, spec := range s.file.Imports {
			for _, b := range bans {
				if s.test && !b.tests || b.in != nil && !underAny(s.dir(), b.in) || underAny(s.dir(), b.except) {
					continue
				}
				pkg := importPath(spec.Path.Value)
				if underAny(pkg, b.pkgs) && pkg != "math/rand/v2" {
					findings = append(findings, s.at(spec.Pos(), "%s may not import %s: %s", s.dir(), pkg, b.reason))
				}
			}
		}
	}
	return findings
}

func importPath(quoted string) string {
	p, err := strconv.Unquote(quoted)
	if err != nil {
		return quoted
	}
	return p
}

func TestImportsPointOneWay(t *testing.T) {
	holds(t, importsPointOneWay)

	f := func(file, imported, want string) {
		t.Helper()
		catches(t, importsPointOneWay, example{file: "package a\nimport \"holdfast/" + imported + "\"\n"}, want)
	}
	f("cmd/holdfast/a.go", "engine", "")
	f("codec/h1/a.go", "codec/field", "")
	f("codec/h1/a.go", "engine/mem", "")
	f("codec/h1/a_test.go", "codec/h1", "")
	f("engine/mem/a_test.go", "engine/mem", "")
	f("perf/swarm/a.go", "engine/loop", "")
	f("codec/h1/a.go", "registry", "codec may not import registry")
	f("codec/h1/a.go", "engine/loop", "codec may not import engine/loop")
	f("codec/h1/a_test.go", "pool", "codec may not import pool")
	f("registry/a.go", "codec/key", "registry may not import codec/key")
	f("pool/a.go", "registry", "pool may not import registry")
	f("engine/loop/a.go", "cmd/internal/metrics", "engine may not import cmd/internal/metrics")
	f("engine/loop/a.go", "perf/hist", "engine may not import perf/hist")
	f("engine/mem/a.go", "codec/field", "engine/mem may not import codec/field")
	f("engine/wheel/a.go", "engine/mem", "engine/wheel may not import engine/mem")
	f("engine/gateway/a.go", "engine/loop", "engine/gateway may not import engine/loop")
	f("engine/gateway/a.go", "engine/epoll", "engine/gateway may not import engine/epoll")
	f("engine/gateway/a.go", "engine/http1", "engine/gateway may not import engine/http1")
	f("perf/swarm/a.go", "engine/gateway", "perf may not import engine/gateway")
	f("internal/x/a.go", "codec/key", "outside the fixed rooms")
}

func TestForeignImports(t *testing.T) {
	holds(t, foreignImportsAllowed)

	f := func(file, imported, want string) {
		t.Helper()
		catches(t, foreignImportsAllowed, example{file: "package a\nimport \"" + imported + "\"\n"}, want)
	}
	f("cmd/internal/admin/a.go", "net/http", "")
	f("codec/h1/a_test.go", "net/http", "")
	f("engine/mem/a.go", "unsafe", "")
	f("engine/loop/a_test.go", "unsafe", "")
	f("registry/a.go", "math/rand/v2", "")
	f("engine/a.go", "net/http", "engine may not import net/http")
	f("engine/loop/a.go", "net/http/httptest", "net/http/httptest")
	f("perf/origin/a.go", "net/http", "speak HTTP themselves")
	f("engine/loop/a.go", "unsafe", "unsafe lives in")
	f("registry/a.go", "unsafe", "unsafe lives in")
	f("codec/sse/a.go", "time", "reads no clock")
	f("codec/sse/a.go", "net/netip", "no I/O")
	f("codec/sse/a.go", "os", "no I/O")
	f("engine/loop/a.go", "github.com/spf13/pflag", "only cmd declares flags")
	f("perf/hist/a_test.go", "flag", "only cmd declares flags")
	f("registry/a.go", "github.com/puzpuzpuz/xsync/v4", "test files")
	f("registry/directory/a.go", "testing", "only a package that starts servers")
	f("registry/directory/redistest/a.go", "testing", "")
	f("registry/a_test.go", "math/rand", "use math/rand/v2")
}
