package flags

import (
	"fmt"
	"regexp"
	"strings"
)

var kebab = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// minHelpWords is what it takes to say more than the flag's name does.
const minHelpWords = 4

// Check reports every row that is not complete. Tests of a program call it on its table.
func (t Table) Check() (findings []string) {
	seen := map[string]bool{}
	field := map[any]string{}
	closed := map[string]bool{}
	group := ""
	for _, f := range t {
		report := func(format string, args ...any) {
			findings = append(findings, fmt.Sprintf("--%s: %s", f.Name, fmt.Sprintf(format, args...)))
		}
		if !kebab.MatchString(f.Name) || seen[f.Name] {
			report("the name is not in kebab case, or taken")
		}
		seen[f.Name] = true
		if other := field[f.Pointer]; other != "" {
			report("sets the same field as --%s", other)
		}
		field[f.Pointer] = f.Name
		if f.Group != group {
			closed[group], group = true, f.Group
		}
		if f.Group == "" || closed[f.Group] {
			report("no group, or a group that stands in two places")
		}
		if f.Unit == "" {
			report("no unit")
		}
		if v, ok := f.value.(interface{ valid() error }); ok && v.valid() != nil {
			report("the default would be refused: %v", v.valid())
		}
		if len(strings.Fields(f.Help)) < minHelpWords || !strings.HasSuffix(f.Help, ".") {
			report("the help is not a sentence of at least %d words", minHelpWords)
		}
	}
	return findings
}
