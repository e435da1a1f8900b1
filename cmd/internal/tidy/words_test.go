package tidy

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// drawers are names that say nothing about what is inside, so everything ends up there.
var drawers = []string{"util", "utils", "common", "helper", "helpers", "misc", "manager", "managers", "types"}

// promises in comments are for a tracker; directives that hide a race are for nobody.
var (
	promises = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)
	hidden   = regexp.MustCompile(`^//go:norace\b`)
)

// skips may skip a test: "path.Func" → why. `make test` runs everything both with and without the race detector, so a
// test that cannot run under it still runs.
var skips = map[string]string{
	"engine/mem/buffer_test.go.TestBufferDoesNotAllocate":   "under the race detector pools forget",
	"engine/mem/payload_test.go.TestPayloadDoesNotAllocate": "debug builds do not use a released payload again",
	"engine/mem/slab_test.go.TestSlabResident":              "debug builds keep slabs on the heap",
	"perf/budget_test.go.testBudget":                        "a short run is the race detector's, which does not see the daemon",
}

// namesSayWhat refuses drawers as names of directories, packages and files.
func namesSayWhat(tree []*source) (findings []string) {
	for _, s := range tree {
		stem := strings.TrimSuffix(path.Base(s.path), ".go")
		parts := slices.Concat(strings.Split(s.dir(), "/"), strings.Split(stem, "_"), []string{s.file.Name.Name})
		for _, part := range parts {
			if slices.Contains(drawers, part) {
				findings = append(findings, s.at(s.file.Package, "%q names no thing: say what is inside", part))
				break
			}
		}
	}
	return findings
}

// commentsAreClean refuses promises and hidden races.
func commentsAreClean(tree []*source) (findings []string) {
	for _, s := range tree {
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if hidden.MatchString(c.Text) {
					findings = append(findings, s.at(c.Pos(), "a race is mended, not hidden"))
				}
				if word := promises.FindString(c.Text); word != "" {
					findings = append(findings, s.at(c.Pos(), "%s: do it or leave it", word))
				}
			}
		}
	}
	return findings
}

// codecsStartNothing refuses go statements in codecs: they are values driven by their caller.
func codecsStartNothing(tree []*source) (findings []string) {
	for _, s := range tree {
		if s.test || !under(s.dir(), "codec") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				findings = append(findings, s.at(g.Pos(), "a codec starts no goroutine"))
			}
			return true
		})
	}
	return findings
}

// testsAreNotSkipped refuses Skip calls on a test's own t, b, f or tb outside the allow-list.
func testsAreNotSkipped(tree []*source) (findings []string) {
	eachSkip(tree, func(s *source, fn *ast.FuncDecl, call ast.Node) {
		if skips[s.path+"."+fn.Name.Name] == "" {
			findings = append(findings, s.at(call.Pos(), "%s skips: a test that does not run proves nothing", fn.Name.Name))
		}
	})
	return findings
}

func eachSkip(tree []*source, visit func(s *source, fn *ast.FuncDecl, call ast.Node)) {
	for _, s := range tree {
		for _, decl := range s.file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !s.test || !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if call, ok := n.(*ast.SelectorExpr); ok && isSkip(call) {
					visit(s, fn, call)
				}
				return true
			})
		}
	}
}

func isSkip(sel *ast.SelectorExpr) bool {
	who, ok := sel.X.(*ast.Ident)
	return ok && slices.Contains([]string{"t", "b", "f", "tb"}, who.Name) &&
		slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name)
}

func TestNames(t *testing.T) {
	holds(t, namesSayWhat)

	catches(t, namesSayWhat, example{"pool/balance/least.go": "package balance\n"}, "")
	catches(t, namesSayWhat, example{"pool/util/least.go": "package least\n"}, `"util"`)
	catches(t, namesSayWhat, example{"pool/types.go": "package pool\n"}, `"types"`)
	catches(t, namesSayWhat, example{"pool/test_helpers.go": "package pool\n"}, `"helpers"`)
	catches(t, namesSayWhat, example{"pool/helper_test.go": "package pool\n"}, `"helper"`)
	catches(t, namesSayWhat, example{"pool/x/a.go": "package common\n"}, `"common"`)
}

func TestComments(t *testing.T) {
	holds(t, commentsAreClean)

	f := func(text, want string) {
		t.Helper()
		catches(t, commentsAreClean, example{"pool/a.go": "package a\n\n" + text + "\nfunc f() {}\n"}, want)
	}
	f("// f is done.", "")
	f("// f works around go:norace elsewhere.", "")
	f("//go:norace", "not hidden")
	f("// TO"+"DO: later", "do it or leave it")
	f("/* FIX"+"ME */", "do it or leave it")
}

func TestCodecsStartNothing(t *testing.T) {
	holds(t, codecsStartNothing)

	const text = "package a\nfunc f() { go f() }\n"
	catches(t, codecsStartNothing, example{"engine/a.go": text}, "")
	catches(t, codecsStartNothing, example{"codec/a/a_test.go": text}, "")
	catches(t, codecsStartNothing, example{"codec/a/a.go": text}, "starts no goroutine")
}

func TestSkips(t *testing.T) {
	holds(t, testsAreNotSkipped)

	f := func(body, want string) {
		t.Helper()
		text := "package a\nimport \"testing\"\nfunc TestA(t *testing.T) { " + body + " }\n"
		catches(t, testsAreNotSkipped, example{"pool/a_test.go": text}, want)
	}
	f("t.Log()", "")
	f("splitter.Skip()", "")
	f(`t.Skip("slow")`, "TestA skips")
	f(`t.Run("x", func(t *testing.T) { t.SkipNow() })`, "TestA skips")
	f(`if testing.Short() { t.Skipf("slow") }`, "TestA skips")
}

func TestExcusedSkipsStillExist(t *testing.T) {
	tree, err := load()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	eachSkip(tree, func(s *source, fn *ast.FuncDecl, _ ast.Node) { found[s.path+"."+fn.Name.Name] = true })
	for name := range skips {
		if !found[name] {
			t.Errorf("skips excuses %s, which is gone or runs", name)
		}
	}
}
