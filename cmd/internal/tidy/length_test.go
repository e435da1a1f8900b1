package tidy

import (
	"go/ast"
	"strings"
	"testing"
)

// Lengths in lines, first and last included.
const (
	softFile = 500 // reported with -v: time to split by concern
	hardFile = 800
	softFunc = 70 // at most longShare of all functions may be longer
	hardFunc = 120
)

// longShare is the part of all functions that may be longer than softFunc: a parser's switch, a long table.
const longShare = 0.03

// longFuncs may exceed hardFunc: "path.Func" → why it reads better in one piece.
var longFuncs = map[string]string{}

// filesAreShort reports files over the hard limit.
func filesAreShort(tree []*source) (findings []string) {
	for _, s := range tree {
		if s.lines > hardFile {
			findings = append(findings, s.at(s.file.Package, "%d lines, at most %d: split it by concern", s.lines, hardFile))
		}
	}
	return findings
}

// funcsAreShort reports functions over the hard limit, and each one over the soft limit once there are too many of those.
func funcsAreShort(tree []*source) (findings []string) {
	var all int
	var long []string
	for _, s := range tree {
		for _, decl := range s.file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			all++
			n := s.span(fn)
			if n > softFunc {
				long = append(long, s.at(fn.Pos(), "%s has %d lines, over %d, and so have too many others", fn.Name.Name, n, softFunc))
			}
			if n > hardFunc && longFuncs[s.path+"."+fn.Name.Name] == "" {
				findings = append(findings, s.at(fn.Pos(), "%s has %d lines, at most %d", fn.Name.Name, n, hardFunc))
			}
		}
	}
	if float64(len(long)) > longShare*float64(all) {
		findings = append(findings, long...)
	}
	return findings
}

func TestFileLength(t *testing.T) {
	holds(t, filesAreShort)

	tree, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range tree {
		if s.lines > softFile {
			t.Logf("%s has %d lines: over %d, a split by concern is due", s.path, s.lines, softFile)
		}
	}

	file := func(lines int) example {
		return example{"engine/a.go": "package a\n" + strings.Repeat("\n", lines-1)}
	}
	catches(t, filesAreShort, file(hardFile), "")
	catches(t, filesAreShort, file(hardFile+1), "801 lines")
}

func TestFunctionLength(t *testing.T) {
	holds(t, funcsAreShort)

	fn := func(lines int) string {
		return "func f() {\n" + strings.Repeat("\n", lines-2) + "}\n"
	}
	many := "package a\n" + strings.Repeat(fn(2), 100)
	catches(t, funcsAreShort, example{"engine/a.go": many}, "")
	catches(t, funcsAreShort, example{"engine/a.go": many + fn(hardFunc)}, "")
	catches(t, funcsAreShort, example{"engine/a.go": many + fn(hardFunc+1)}, "121 lines, at most")
	catches(t, funcsAreShort, example{"engine/a.go": "package a\n" + fn(softFunc)}, "")
	catches(t, funcsAreShort, example{"engine/a.go": "package a\n" + fn(softFunc+1)}, "too many others")
}

func TestLongFunctionsStillExist(t *testing.T) {
	tree, err := load()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, s := range tree {
		for _, decl := range s.file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && s.span(fn) > hardFunc {
				found[s.path+"."+fn.Name.Name] = true
			}
		}
	}
	for name := range longFuncs {
		if !found[name] {
			t.Errorf("longFuncs excuses %s, which is gone or short", name)
		}
	}
}
