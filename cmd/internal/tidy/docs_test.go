package tidy

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// minDocWords is what an exported thing's comment needs to say more than its name.
const minDocWords = 4

var sentenceEnd = regexp.MustCompile(`[.!?:](\s|$)`)

// packagesAreIntroduced wants exactly one package comment per package, of at least two sentences.
func packagesAreIntroduced(tree []*source) (findings []string) {
	first := map[string]*source{}
	intro := map[string]*source{}
	for _, s := range tree {
		if s.test {
			continue
		}
		if first[s.dir()] == nil {
			first[s.dir()] = s
		}
		if s.file.Doc == nil {
			continue
		}
		if other := intro[s.dir()]; other != nil {
			findings = append(findings, s.at(s.file.Package, "second package comment; the first is in %s", other.path))
			continue
		}
		intro[s.dir()] = s
		if len(sentenceEnd.FindAllString(s.file.Doc.Text(), -1)) < 2 {
			findings = append(findings, s.at(s.file.Package, "the package comment needs two sentences: what it is for, what it must never do"))
		}
	}
	for _, s := range tree {
		if first[s.dir()] == s && intro[s.dir()] == nil {
			findings = append(findings, s.at(s.file.Package, "package without a package comment"))
		}
	}
	return findings
}

// exportedIsDocumented wants a comment of some words on every exported function, method, type, constant and variable.
func exportedIsDocumented(tree []*source) (findings []string) {
	for _, s := range tree {
		if s.test || s.file.Name.Name == "main" {
			continue
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && receiverIsExported(d) && !saysItself(d) && words(d.Doc) < minDocWords {
					findings = append(findings, s.at(d.Pos(), "%s: exported, and its comment has fewer than %d words", d.Name.Name, minDocWords))
				}
			case *ast.GenDecl:
				findings = append(findings, undocumentedSpecs(s, d)...)
			}
		}
	}
	return findings
}

// undocumentedSpecs lets the comment of a group speak for its members, as it does in godoc: theirs add to it.
func undocumentedSpecs(s *source, d *ast.GenDecl) (findings []string) {
	if d.Tok == token.IMPORT || words(d.Doc) >= minDocWords {
		return nil
	}
	for _, spec := range d.Specs {
		var names []*ast.Ident
		said := 0
		switch sp := spec.(type) {
		case *ast.TypeSpec:
			names, said = []*ast.Ident{sp.Name}, words(sp.Doc)+words(sp.Comment)
		case *ast.ValueSpec:
			names, said = sp.Names, words(sp.Doc)+words(sp.Comment)
		}
		for _, name := range names {
			if name.IsExported() && said+words(d.Doc) < minDocWords {
				findings = append(findings, s.at(name.Pos(), "%s: exported, and its comment has fewer than %d words", name.Name, minDocWords))
			}
		}
	}
	return findings
}

// saysItself is true for the methods whose name is a contract of the standard library.
func saysItself(d *ast.FuncDecl) bool {
	return d.Recv != nil && slices.Contains([]string{"String", "Error", "Unwrap"}, d.Name.Name)
}

func receiverIsExported(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	expr := d.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.IsExported()
		default:
			return true
		}
	}
}

func words(doc *ast.CommentGroup) int {
	if doc == nil {
		return 0
	}
	return len(strings.Fields(doc.Text()))
}

func TestPackageComments(t *testing.T) {
	holds(t, packagesAreIntroduced)

	const good = "// Package a is one thing. It never does another.\npackage a\n"
	catches(t, packagesAreIntroduced, example{"pool/a.go": good, "pool/b.go": "package a\n"}, "")
	catches(t, packagesAreIntroduced, example{"pool/a.go": good, "pool/a_test.go": "package a\n"}, "")
	catches(t, packagesAreIntroduced, example{"pool/a.go": "package a\n"}, "without a package comment")
	catches(t, packagesAreIntroduced, example{"pool/a.go": "// Package a is one.\npackage a\n"}, "two sentences")
	catches(t, packagesAreIntroduced, example{"pool/a.go": good, "pool/b.go": good}, "second package comment")
}

func TestExportedComments(t *testing.T) {
	holds(t, exportedIsDocumented)

	f := func(decl, want string) {
		t.Helper()
		catches(t, exportedIsDocumented, example{"pool/a.go": "package a\n" + decl + "\n"}, want)
	}
	f("// Get takes one connection out.\nfunc Get() {}", "")
	f("func get() {}", "")
	f("func (g *group) Get() {}", "")
	f("func (g *Group) String() string { return \"\" }", "")
	f("// Limits of one group together.\nconst (\n\tA = 1\n\tB = 2\n)", "")
	f("const (\n\tA = 1 // bytes of one chunk\n)", "")
	f("func Get() {}", "Get: exported")
	f("func String() {}", "String: exported")
	f("// Get gets it.\nfunc Get() {}", "fewer than 4 words")
	f("func (g *Group) Get() {}", "Get: exported")
	f("func (g *Group[C]) Get() {}", "Get: exported")
	f("func (g Pair[K, V]) Get() {}", "Get: exported")
	f("type Group struct{}", "Group: exported")
	f("var Default = 1", "Default: exported")
	f("// The bounds.\nconst (\n\tA = 1 // in bytes\n)", "")
	f("// Bounds.\nconst (\n\tA = 1 // bytes\n)", "A: exported")
	f("const (\n\tA = 1 // bytes\n)", "A: exported")
}
