package flags

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSizes(t *testing.T) {
	f := func(text string, want int) {
		t.Helper()
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
	f("0", 0)
	f("4096", 4096)
	f("12B", 12)
	f("64KiB", 64<<10)
	f("1.5MiB", 3<<19)
	f("2GiB", 2<<30)
	f("-1", -1)

	bad := func(text string) {
		t.Helper()
		if n, err := ParseSize(text); err == nil || !strings.Contains(err.Error(), "64KiB") {
			t.Errorf("%q was read as %d, error %v", text, n, err)
		}
	}
	bad("")
	bad("KiB")
	bad("64kb")
	bad("64 KiB")
	bad("1.5")
	bad("0.3KiB")
	bad("NaN")
	bad("Inf")
	bad("9e15GiB")
}

func TestSizesRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		n := random.IntN(1<<20) << random.IntN(24)
		if got, err := ParseSize(FormatSize(n)); err != nil || got != n {
			t.Fatalf("%d is shown as %s and read as %d, %v", n, FormatSize(n), got, err)
		}
	}
	f := func(n int, want string) {
		t.Helper()
		if got := FormatSize(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
	f(0, "0")
	f(1000, "1000")
	f(1<<10, "1KiB")
	f(1<<20, "1MiB")
	f(3<<30, "3GiB")
	f(1536, "1536")
}

func TestDurationsRoundTrip(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		got := formatDuration(d)
		if back, err := parseDuration(got); got != want || err != nil || back != d {
			t.Errorf("%v: shown as %s, want %s, and read as %v, %v", d, got, want, back, err)
		}
	}
	f(0, "0s")
	f(time.Second, "1s")
	f(10*time.Second, "10s")
	f(30*time.Minute, "30m")
	f(time.Hour, "1h")
	f(10*time.Hour, "10h")
	f(100*time.Second, "1m40s")
	f(time.Hour+time.Second, "1h0m1s")
	f(90*time.Minute, "1h30m")
	f(1500*time.Millisecond, "1.5s")
	f(-time.Minute, "-1m")
}

// set reads text into a fresh field and returns what the field holds then.
func set[T Settable](unit, text string) (T, error) {
	var field T
	err := bind(&field, unit, unbounded()).Set(text)
	return field, err
}

func good[T interface {
	Settable
	comparable
}](t *testing.T, text string, want T) {
	t.Helper()
	if got, err := set[T]("things", text); err != nil || got != want {
		t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
	}
}

func bad[T Settable](t *testing.T, text, advice string) {
	t.Helper()
	if got, err := set[T]("things", text); err == nil || !strings.Contains(err.Error(), advice) {
		t.Errorf("%q: got %v, %v; want advice with %q", text, got, err, advice)
	}
}

func TestValues(t *testing.T) {
	good(t, "12", 12)
	good(t, "-1", -1)
	good(t, "12", int64(12))
	good(t, "5m", 5*time.Minute)
	good(t, "0", time.Duration(0))
	good(t, "yes", true)
	good(t, "OFF", false)
	good(t, "any text", "any text")
	good(t, "", "")
	bad[int](t, "many", "whole number")
	bad[int](t, "1.5", "whole number")
	bad[int](t, "64KiB", "whole number")
	bad[int64](t, "x", "whole number")
	bad[time.Duration](t, "30", "with its unit")
	bad[time.Duration](t, "soon", "with its unit")
	bad[bool](t, "maybe", "true or false")
	if n, err := set[int](Bytes, "64KiB"); err != nil || n != 64<<10 {
		t.Errorf("an int in bytes: %d, %v", n, err)
	}
	if n, err := set[int64](Bytes, "1MiB"); err != nil || n != 1<<20 {
		t.Errorf("an int64 in bytes: %d, %v", n, err)
	}
	wide := int64(64 << 10)
	if text := bind(&wide, Bytes, unbounded()).String(); text != "64KiB" {
		t.Errorf("an int64 in bytes is shown as %s", text)
	}
}

func TestBadValueLeavesTheField(t *testing.T) {
	field := 7
	if bind(&field, "things", unbounded()).Set("x") == nil || field != 7 {
		t.Errorf("the field became %d", field)
	}
}

func TestListReplacesTheDefaultThenGrows(t *testing.T) {
	field := []string{"default"}
	v := bind(&field, "addresses", unbounded())
	f := func(text string, want ...string) {
		t.Helper()
		if err := v.Set(text); err != nil || !slices.Equal(field, want) {
			t.Errorf("after %q: %q, %v; want %q", text, field, err, want)
		}
	}
	f("a, b", "a", "b")
	f("c", "a", "b", "c")
	f(",", "a", "b", "c")
	if v.String() != "a,b,c" || v.Type() != "list" {
		t.Errorf("shown as %q of type %q", v.String(), v.Type())
	}
}

func TestUnknownFieldTypeIsLoud(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a *float32 was bound")
		}
	}()
	bind(new(float32), "things", unbounded())
}
