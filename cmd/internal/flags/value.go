package flags

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// value fits a field to pflag. Its type name is what pflag tells values apart by.
type value[T any] struct {
	field  *T
	name   string
	parse  func(string) (T, error)
	format func(T) string
	check  func(T) error // nil: all that can be read is good
}

// String shows the field's present value.
func (v *value[T]) String() string { return v.format(*v.field) }

// Type names the kind of value.
func (v *value[T]) Type() string { return v.name }

// Set reads the field's new value.
func (v *value[T]) Set(text string) error {
	parsed, err := v.parse(text)
	if err == nil && v.check != nil {
		err = v.check(parsed)
	}
	if err == nil {
		*v.field = parsed
	}
	return err
}

// valid says what is wrong with the field's present value.
func (v *value[T]) valid() error {
	if v.check == nil {
		return nil
	}
	return v.check(*v.field)
}

// bind chooses how a field is read, judged and shown by its type, and for an int by its unit.
func bind(field any, unit string, b *bounds) pflag.Value {
	switch p := field.(type) {
	case *int:
		if unit == Bytes {
			return &value[int]{p, "size", ParseSize, FormatSize, numbers[int](b, "a size")}
		}
		return &value[int]{p, "int", parseInt, strconv.Itoa, numbers[int](b, "a number")}
	case *int64:
		if unit == Bytes {
			return &value[int64]{p, "size", widen(ParseSize), func(n int64) string { return FormatSize(int(n)) }, numbers[int64](b, "a size")}
		}
		return &value[int64]{p, "int", widen(parseInt), func(n int64) string { return strconv.FormatInt(n, 10) }, numbers[int64](b, "a number")}
	case *bool:
		return &value[bool]{p, "bool", parseBool, strconv.FormatBool, nil}
	case *string:
		return &value[string]{p, "string", func(s string) (string, error) { return s, nil }, func(s string) string { return s }, b.text}
	case *time.Duration:
		return &value[time.Duration]{p, "duration", parseDuration, formatDuration, numbers[time.Duration](b, "a time")}
	case *[]string:
		return &list{field: p}
	}
	panic(fmt.Sprintf("flags: no way to read a %T", field))
}

func numbers[T int | int64 | time.Duration](b *bounds, noun string) func(T) error {
	return func(n T) error { return b.number(int64(n), noun) }
}

func widen(parse func(string) (int, error)) func(string) (int64, error) {
	return func(text string) (int64, error) {
		n, err := parse(text)
		return int64(n), err
	}
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, errors.New("want a whole number, as in 1000")
	}
	return n, nil
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, errors.New("want true or false")
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, errors.New("want a time with its unit, as in 500ms, 30s or 5m")
	}
	return d, nil
}

// formatDuration leaves out the zero minutes and seconds that Duration.String ends in: 30m, not 30m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if d%time.Minute == 0 && d != 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	if d%time.Hour == 0 && d != 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// units of sizes, largest first; a number without one counts bytes.
var units = []struct {
	name  string
	shift int
}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}, {"", 0}}

// ParseSize reads a number of bytes: 4096, 64KiB, 1.5MiB or 2GiB.
func ParseSize(text string) (int, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(digits, 64)
		bytes := n * float64(int(1)<<u.shift)
		if err != nil || bytes != math.Trunc(bytes) || math.Abs(bytes) >= 1<<53 {
			break
		}
		return int(bytes), nil
	}
	return 0, errors.New("want a size in bytes, as in 4096, 64KiB, 1MiB or 2GiB")
}

// FormatSize writes a size in the largest unit that divides it: 64KiB.
func FormatSize(n int) string {
	for _, u := range units {
		if n != 0 && u.shift > 0 && n%(1<<u.shift) == 0 {
			return strconv.Itoa(n>>u.shift) + u.name
		}
	}
	return strconv.Itoa(n)
}

// list is a flag that may be given several times, or once with commas. What is given replaces the default.
type list struct {
	field *[]string
	given bool
}

// String joins the items with commas.
func (l *list) String() string { return strings.Join(*l.field, ",") }

// Type names the kind of value.
func (l *list) Type() string { return "list" }

// Set adds items; the first call also drops the default.
func (l *list) Set(text string) error {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	if l.given {
		items = append(*l.field, items...)
	}
	*l.field, l.given = items, true
	return nil
}
