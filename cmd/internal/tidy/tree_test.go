package tidy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// source is one parsed Go file. Build tags are ignored, so that every variant is held to the rules.
type source struct {
	path  string // slash-separated, relative to the module root
	test  bool   // name ends in _test.go
	lines int
	fset  *token.FileSet
	file  *ast.File
}

// rule reports every place in the sources that breaks it, one line each, beginning with the place.
type rule func([]*source) []string

func (s *source) dir() string { return path.Dir(s.path) }

// at formats one finding at a position of the file.
func (s *source) at(pos token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", s.path, s.fset.Position(pos).Line, fmt.Sprintf(format, args...))
}

// span is the number of lines that a node covers, first and last included.
func (s *source) span(n ast.Node) int {
	return s.fset.Position(n.End()).Line - s.fset.Position(n.Pos()).Line + 1
}

func parse(name, text string) (*source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &source{
		path:  name,
		test:  strings.HasSuffix(name, "_test.go"),
		lines: strings.Count(text, "\n"),
		fset:  fset,
		file:  file,
	}, nil
}

// load parses every Go file of the module once for all tests. Hidden and testdata directories are not ours to judge.
var load = sync.OnceValues(func() ([]*source, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	var tree []*source
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		s, err := parse(filepath.ToSlash(rel), string(text))
		tree = append(tree, s)
		return err
	})
	return tree, err
})

// moduleRoot climbs from the test's directory to the one that holds go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above the test's directory")
		}
		dir = filepath.Dir(dir)
	}
}

// holds fails the test with every finding of a rule on the real tree.
func holds(t *testing.T, r rule) {
	t.Helper()
	tree, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range r(tree) {
		t.Error(finding)
	}
}

// example is a made-up tree: path to text.
type example map[string]string

func (e example) sources(t *testing.T) []*source {
	t.Helper()
	tree := make([]*source, 0, len(e))
	for name, text := range e {
		s, err := parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		tree = append(tree, s)
	}
	slices.SortFunc(tree, func(a, b *source) int { return strings.Compare(a.path, b.path) })
	return tree
}

// catches proves that a rule can fail: it must report exactly one finding that contains want, or none if want is "".
func catches(t *testing.T, r rule, e example, want string) {
	t.Helper()
	got := r(e.sources(t))
	if want == "" {
		if len(got) != 0 {
			t.Errorf("false alarm on %v: %q", e, got)
		}
		return
	}
	if len(got) != 1 || !strings.Contains(got[0], want) {
		t.Errorf("on %v:\n got %q\nwant one finding with %q", e, got, want)
	}
}

func TestTreeIsWhole(t *testing.T) {
	tree, err := load()
	if err != nil {
		t.Fatal(err)
	}
	here := slices.ContainsFunc(tree, func(s *source) bool { return s.path == "cmd/internal/tidy/tree_test.go" })
	if !here {
		t.Errorf("the walk over %d files did not find this one", len(tree))
	}
}

func TestSourceMeasures(t *testing.T) {
	s, err := parse("a/b_test.go", "package a\n\nfunc f() {\n\tg()\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	if !s.test || s.dir() != "a" || s.lines != 5 {
		t.Errorf("test %v, dir %q, lines %d", s.test, s.dir(), s.lines)
	}
	if n := s.span(s.file.Decls[0]); n != 3 {
		t.Errorf("span %d, want 3", n)
	}
	if got := s.at(s.file.Decls[0].Pos(), "%s", "x"); got != "a/b_test.go:3: x" {
		t.Errorf("at: %q", got)
	}
}
