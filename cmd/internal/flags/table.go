// Package flags turns one table of settings into command-line flags, environment variables and grouped help, so that
// the three cannot disagree. It must never give a setting a meaning: that is the Config's whose field a row points to.
//
// Reading order: table.go (what a row says and what is made of it), value.go (how text becomes a field), bounds.go (which
// values are refused), usage.go (help), command.go (all of it for one command), check.go (for tests).
package flags

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// Flag is one row: a setting, how it is named and explained, and the field that it sets.
type Flag struct {
	Name    string // in kebab case, without dashes; the environment variable is made from it
	Group   string // heading in the help
	Unit    string // what the value counts, as the help shows it
	Help    string // one or more sentences; what zero means, if it is special
	Pointer any    // the field that is set; what it holds when the row is made is the default
	Default string // the same, as text

	value  pflag.Value
	bounds *bounds
	once   bool
}

// Bytes is the unit of sizes: an int with this unit is read and shown as 64KiB.
const Bytes = "bytes"

// Settable is what a field may be.
type Settable interface {
	int | int64 | bool | string | time.Duration | []string
}

// New makes a row. The field's present value becomes the default.
func New[T Settable](name, group, unit string, field *T, help string) Flag {
	b := unbounded()
	f := Flag{Name: name, Group: group, Unit: unit, Help: help, Pointer: field, bounds: b, value: bind(field, unit, b)}
	f.Default = f.value.String()
	return f
}

// Once says that the setting belongs to one call of the program: no environment variable stands for it.
func (f Flag) Once() Flag {
	f.once = true
	return f
}

// Table is all settings of a program in the order of its help.
type Table []Flag

// Register declares every row as a flag.
func (t Table) Register(set *pflag.FlagSet) {
	for _, f := range t {
		flag := set.VarPF(f.value, f.Name, "", f.Help)
		if f.value.Type() == "bool" {
			flag.NoOptDefVal = "true"
		}
	}
}

// Env sets the rows that were not given as flags from the environment. It reports every bad value, not the first only.
func (t Table) Env(prefix string, set *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var bad []error
	for _, f := range t {
		if f.once || set.Changed(f.Name) {
			continue
		}
		name := EnvName(prefix, f.Name)
		text, ok := lookup(name)
		if !ok {
			continue
		}
		if err := f.value.Set(text); err != nil {
			bad = append(bad, fmt.Errorf("environment %s=%q: %w", name, text, err))
		}
	}
	return errors.Join(bad...)
}

// Strangers are the names in environ, which is as os.Environ gives it, that look like a flag's and are none's.
func (t Table) Strangers(prefix string, environ []string) (names []string) {
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		known := func(f Flag) bool { return !f.once && EnvName(prefix, f.Name) == name }
		if strings.HasPrefix(name, prefix+"_") && !slices.ContainsFunc(t, known) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// EnvName is the environment variable of a flag: with the prefix HOLDFAST, max-conns becomes HOLDFAST_MAX_CONNS.
func EnvName(prefix, flag string) string {
	return prefix + "_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
