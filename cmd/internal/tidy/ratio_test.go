package tidy

import (
	"fmt"
	"strings"
	"testing"
)

// minTestRatio is the least number of test lines per line of code over the whole tree.
const minTestRatio = 1.0

// testsOutweighCode reports a tree whose tests are thinner than its code.
func testsOutweighCode(tree []*source) []string {
	code, tests := weigh(tree)
	if float64(tests) < minTestRatio*float64(code) {
		return []string{fmt.Sprintf("%d lines of tests for %d of code: fewer than %.2f each", tests, code, minTestRatio)}
	}
	return nil
}

func weigh(tree []*source) (code, tests int) {
	for _, s := range tree {
		if s.test {
			tests += s.lines
		} else {
			code += s.lines
		}
	}
	return code, tests
}

func TestRatio(t *testing.T) {
	holds(t, testsOutweighCode)

	tree, err := load()
	if err != nil {
		t.Fatal(err)
	}
	code, tests := weigh(tree)
	t.Logf("%d lines of tests for %d of code: %.2f", tests, code, float64(tests)/float64(max(code, 1)))

	lines := func(n int) string { return "package a\n" + strings.Repeat("\n", n-1) }
	catches(t, testsOutweighCode, example{"pool/a.go": lines(100), "pool/a_test.go": lines(100)}, "")
	catches(t, testsOutweighCode, example{"pool/a.go": lines(100), "pool/a_test.go": lines(99)}, "99 lines of tests for 100")
}
