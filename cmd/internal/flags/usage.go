package flags

import (
	"fmt"
	"strings"
)

// The help's measures in columns.
const (
	helpIndent = 8
	helpWidth  = 100
)

// Usage explains every row under its group's heading: what it is, in which unit, the default and the variable.
func (t Table) Usage(prefix string) string {
	var b strings.Builder
	group := ""
	for _, f := range t {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n%s:\n", group)
		}
		fmt.Fprintf(&b, "  --%s%s\n", f.Name, f.hint())
		fallback := f.Default
		if fallback == "" {
			fallback = "empty"
		}
		wrap(&b, f.Help)
		if !f.once {
			fallback += "; " + EnvName(prefix, f.Name)
		}
		wrap(&b, "Default "+fallback)
	}
	return b.String()
}

// hint is what stands after the flag's name: a switch needs nothing.
func (f *Flag) hint() string {
	if f.value.Type() == "bool" {
		return ""
	}
	return " <" + f.Unit + ">"
}

func wrap(b *strings.Builder, text string) {
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
			b.WriteString(strings.Repeat(" ", helpIndent))
			column = helpIndent
		case column+1+len(word) > helpWidth:
			b.WriteString("\n" + strings.Repeat(" ", helpIndent))
			column = helpIndent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	b.WriteByte('\n')
}
