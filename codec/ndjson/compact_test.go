package ndjson

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// separators are what we escape in strings and encoding/json does not.
var separators = strings.NewReplacer("\u0085", `\u0085`, "\u2028", `\u2028`, "\u2029", `\u2029`)

// compacted is what AppendCompact should make of text, by way of encoding/json; nil if it should refuse.
func compacted(text string) []byte {
	if !utf8.ValidString(text) || deepest(text) > MaxDepth {
		return nil
	}
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return nil
	}
	return []byte(separators.Replace(b.String()))
}

// deepest counts open brackets outside strings; text that is no JSON may count as anything.
func deepest(text string) (most int) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '[' || c == '{'):
			depth++
			most = max(most, depth)
		case !quoted && (c == ']' || c == '}'):
			depth--
		}
	}
	return most
}

func TestAppendCompact(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		got, ok := AppendCompact([]byte("x"), []byte(src))
		if !ok || string(got) != "x"+want {
			t.Errorf("AppendCompact(%q) = %q, %v; want %q behind x", src, got, ok, want)
		}
	}
	f("0", "0")
	f(" \t\r\n-0.0e-1 ", "-0.0e-1")
	f("12345678901234567890123.4500E+007", "12345678901234567890123.4500E+007")
	f("[ ]", "[]")
	f("{ }", "{}")
	f("[ 1 , [ ] , { } , null , true , false , \"\" ]", `[1,[],{},null,true,false,""]`)
	f("{ \"a b\" : 1 , \"\" : [ { } ] }", `{"a b":1,"":[{}]}`)
	f(`{"a":1,"a":2}`, `{"a":1,"a":2}`)
	f(`"\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00\ud800"`, `"\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00\ud800"`)
	f("\"\u0085\u2028\u2029 \u20ac é\"", `"\u0085\u2028\u2029 € é"`)
	f(`"\u09af\uAFaf"`, `"\u09af\uAFaf"`)
	f("{\"\u2028\":1}", `{"\u2028":1}`)
	f("\"\x7f\"", "\"\x7f\"")
	nested := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	f(nested, nested)
	mixed := strings.Repeat(`{"a":[`, MaxDepth/2) + strings.Repeat("]}", MaxDepth/2)
	f(mixed, mixed)
}

func TestAppendCompactRefuses(t *testing.T) {
	f := func(src string) {
		t.Helper()
		if got, ok := AppendCompact([]byte("x"), []byte(src)); ok || string(got) != "x" {
			t.Errorf("AppendCompact(%q) = %q, %v; want nothing", src, got, ok)
		}
	}
	for _, src := range strings.Fields(`] } [} {] [[] {} {"a":1}} , : [,] [1,] [,1] {,} {"a"} {"a":} {"a":1,} {a:1} {1:1} {"a",1} ["a":1]
		{"a"::1} {"a":1:2} [1:2] 01 -01 - + +1 1. .5 1.e1 1e 1e+ 1E- 0x1 1a --1 tru True nul nulll truefalse NaN Infinity
		" "a "\ "\" "\x" "\u" "\u12" "\u12g4" "\u123 'a' "a"b "a""b" [1][2] 1,2 {}[] /**/1 //`) {
		if src != "{}" {
			f(src)
		}
	}
	f("")
	f(" \n")
	f("1 2")
	f("[1 2]")
	f("- 1")
	f("tr ue")
	f("\"a\nb\"")
	f("\"a\tb\"")
	f("\"a\x00b\"")
	f("1\x00")
	f("1\u00a0")
	f("1\v")
	f("\ufeff1")
	f("\"\xff\"")
	f("[\"\xe2\x80\"]")
	f(strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1))
	f(strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth))
	f(strings.Repeat("[", 1<<20))
	f(strings.Repeat(`{"":`, 1<<16))
}

// FuzzCompact differs from encoding/json nowhere but where compacted says so: invalid UTF-8, depth, raw separators.
func FuzzCompact(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5e-3,"\u00e9",null,true,false,{}]}`, " [ ] ", `"\ud800"`, "-0", "01", `{"a":1,}`, "[[[[", "\"\u2028\"", "\"\xff\"",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		want := compacted(src)
		got, ok := AppendCompact(nil, []byte(src))
		if ok != (want != nil) || !bytes.Equal(got, want) {
			t.Fatalf("AppendCompact(%q) = %q, %v; want %q", src, got, ok, want)
		}
		if ok && !oneLine(got) {
			t.Fatalf("%q is not one line", got)
		}
	})
}
