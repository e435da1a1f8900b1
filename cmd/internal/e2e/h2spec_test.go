package e2e

import (
	"encoding/xml"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// report is what h2spec writes, in JUnit's words.
type report struct {
	Suites []struct {
		Name  string `xml:"name,attr"`
		Cases []struct {
			Package string  `xml:"package,attr"`
			Name    string  `xml:"classname,attr"`
			Failure *string `xml:"failure"`
			Error   *string `xml:"error"`
			Skipped *string `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

// h2specCases is how many the pinned version has, its strict ones included.
const h2specCases = 146

// Every case of the conformance suite for HTTP/2 and HPACK passes, the strict ones too, on a port that HTTP/1.1 shares.
// The suite is built from a module of its own, because nothing that ships needs it.
func TestH2Spec(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tool, results := filepath.Join(dir, "h2spec"), filepath.Join(dir, "report.xml")
	build := exec.Command("go", "build", "-o", tool, "github.com/summerwind/h2spec/cmd/h2spec")
	build.Dir = filepath.Join("testdata", "h2spec")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	d := serve(t, "--echo")
	host, port, err := net.SplitHostPort(d.public)
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, nil, tool, "--host", host, "--port", port, "--path", "/echo/page", "--strict", "--timeout", "2", "--junit-report", results)
	code := p.wait(t)
	text, err := os.ReadFile(results)
	if err != nil {
		t.Fatalf("%v: %s%s", err, &p.out, &p.errs)
	}
	var all report
	if err := xml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, s := range all.Suites {
		for _, c := range s.Cases {
			switch {
			case c.Failure != nil:
				t.Errorf("%s %s: %s: wanted, and got last: %s", c.Package, s.Name, c.Name, *c.Failure)
			case c.Error != nil:
				t.Errorf("%s %s: %s: wanted, and got last: %s", c.Package, s.Name, c.Name, *c.Error)
			case c.Skipped != nil:
				t.Errorf("%s %s: %s: skipped", c.Package, s.Name, c.Name)
			default:
				passed++
			}
		}
	}
	if passed != h2specCases || code != 0 {
		t.Errorf("%d of %d cases passed, exit %d: %s", passed, h2specCases, code, &p.errs)
	}
}
