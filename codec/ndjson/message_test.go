package ndjson

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAppendMessage(t *testing.T) {
	f := func(id, event, typ, data, want string) {
		t.Helper()
		got, ok := AppendMessage([]byte("x"), []byte(id), []byte(event), []byte(typ), []byte(data))
		if !ok || string(got) != "x"+want+"\n" {
			t.Errorf("AppendMessage(%q, %q, %q, %q) = %q, %v; want %q", id, event, typ, data, got, ok, want)
		}
	}
	f("", "", "", "hi", `{"data":"hi"}`)
	f("7", "", "", "hi", `{"id":"7","data":"hi"}`)
	f("", "tick", "", "hi", `{"event":"tick","data":"hi"}`)
	f("7", "tick", "text/plain", "", `{"id":"7","event":"tick","data":""}`)
	f(`a"b`, `c\`, "", "", `{"id":"a\"b","event":"c\\","data":""}`)
	f("a\nb", "\r", "", "\n", `{"id":"a\nb","event":"\r","data":"\n"}`)
	// JSON is embedded only when it is said to be and is JSON.
	f("", "", "application/json", ` { "a" : [ 1 , "b c" ] } `, `{"data":{"a":[1,"b c"]}}`)
	f("", "", "application/json", "{\r\n\"a\":\n1}", `{"data":{"a":1}}`)
	f("", "", "application/json", "null", `{"data":null}`)
	f("", "", "application/json", `"s"`, `{"data":"s"}`)
	f("", "", "application/json", "1.50e+07", `{"data":1.50e+07}`)
	f("", "", "application/json", "", `{"data":""}`)
	f("", "", "application/json", "{oops", `{"data":"{oops"}`)
	f("", "", "application/json", "1}\n{", `{"data":"1}\n{"}`)
	f("", "", "application/json", `{},"id":"evil"`, `{"data":"{},\"id\":\"evil\""}`)
	f("", "", "text/plain", `{"a":1}`, `{"data":"{\"a\":1}"}`)
	f("", "", "", "1", `{"data":"1"}`)
	f("", "", "application/json", "[\"a\u2028b\"]", `{"data":["a\u2028b"]}`)
	f("", "", "application/json", strings.Repeat("[", 600)+strings.Repeat("]", 600),
		`{"data":"`+strings.Repeat("[", 600)+strings.Repeat("]", 600)+`"}`)
}

func TestAppendMessageRefuses(t *testing.T) {
	f := func(id, event, typ, data string) {
		t.Helper()
		if got, ok := AppendMessage([]byte("x"), []byte(id), []byte(event), []byte(typ), []byte(data)); ok || string(got) != "x" {
			t.Errorf("AppendMessage(%q, %q, %q, %q) = %q, %v; want nothing", id, event, typ, data, got, ok)
		}
	}
	f("", "", "", "\xff")
	f("", "", "application/json", "\"\xff\"")
	f("\xc0\x80", "", "", "hi")
	f("", "\xed\xa0\x80", "", "hi")
	if Carries([]byte("\xff")) || !Carries([]byte("zoë")) {
		t.Error("Carries does not agree")
	}
}

func TestIsJSON(t *testing.T) {
	f := func(typ string, want bool) {
		t.Helper()
		if got := IsJSON([]byte(typ)); got != want {
			t.Errorf("IsJSON(%q) = %v; want %v", typ, got, want)
		}
	}
	f("application/json", true)
	f("Application/JSON ; charset=utf-8", true)
	f("application/json;x=\"a;b\"", true)
	f("application/vnd.api+json", true)
	f("application/problem+JSON; a=b", true)
	f("", false)
	f("json", false)
	f("+json", false)
	f("application/jsonx", false)
	f("xapplication/json", false)
	f("application/x-ndjson", false)
	f("text/plain; a=+json", false)
}

func TestAppendString(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, ok := AppendString([]byte("x"), []byte(text))
		if !ok || string(got) != "x"+want {
			t.Errorf("AppendString(%q) = %q, %v; want %q behind x", text, got, ok, want)
		}
	}
	f("", `""`)
	f("hi", `"hi"`)
	f("a/b<c>&'", `"a/b<c>&'"`)
	f(`"\`, `"\"\\"`)
	f("\n\r\t", `"\n\r\t"`)
	f("\x00\x07\x08\x0b\x0c\x1b\x1f", `"\u0000\u0007\u0008\u000b\u000c\u001b\u001f"`)
	f("\x7f", "\"\x7f\"")
	f("zoë€😀", `"zoë€😀"`)
	f("a\u0085b\u2028c\u2029d", `"a\u0085b\u2028c\u2029d"`)
	f("\u0084\u0086\u00e2\u2027\u202a\u20ac", "\"\u0084\u0086\u00e2\u2027\u202a\u20ac\"")
	f("\u2028", `"\u2028"`)
	for _, bad := range []string{"\xff", "a\xc2", "\xe2\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"} {
		if got, ok := AppendString([]byte("x"), []byte(bad)); ok || string(got) != "x" {
			t.Errorf("AppendString(%q) = %q, %v; want nothing", bad, got, ok)
		}
	}
}

// oneLine holds if no reader, however generous its idea of a line end, would cut b anywhere but behind it.
func oneLine(b []byte) bool {
	return !bytes.ContainsAny(b, "\n\v\f\r\x1c\x1d\x1e\u0085\u2028\u2029")
}

// FuzzMessage holds each line to what encoding/json reads in it.
func FuzzMessage(f *testing.F) {
	f.Add("7", "tick", "hi", false)
	f.Add("", "", `{"a":[1,2.5e3,"\u2028"]}`, true)
	f.Add("\"", "\\\n", "\u2028\u0085", true)
	f.Add("\xff", "", "", false)
	f.Fuzz(func(t *testing.T, id, event, data string, isJSON bool) {
		typ := "text/plain"
		if isJSON {
			typ = "application/json"
		}
		out, ok := AppendMessage(nil, []byte(id), []byte(event), []byte(typ), []byte(data))
		valid := utf8.ValidString(id) && utf8.ValidString(event) && utf8.ValidString(data)
		if ok != valid || !ok && out != nil {
			t.Fatalf("%q %q %q: %v", id, event, data, ok)
		}
		if !ok {
			return
		}
		body, ended := bytes.CutSuffix(out, []byte("\n"))
		var got struct {
			ID, Event *string
			Data      json.RawMessage
		}
		if err := json.Unmarshal(body, &got); err != nil || !ended || !oneLine(body) {
			t.Fatalf("%q: %v", out, err)
		}
		if (got.ID != nil) != (id != "") || id != "" && *got.ID != id || (got.Event != nil) != (event != "") || event != "" && *got.Event != event {
			t.Fatalf("%q for id %q and event %q", out, id, event)
		}
		want := compacted(data)
		if !isJSON || want == nil {
			var text string
			if err := json.Unmarshal(got.Data, &text); err != nil || text != data {
				t.Fatalf("%q holds %q, %v; want %q", out, text, err, data)
			}
		} else if !bytes.Equal(got.Data, want) {
			t.Fatalf("%q holds %q; want %q", out, got.Data, want)
		}
	})
}

func TestMessageNoAllocation(t *testing.T) {
	id, event, typ := []byte("7"), []byte("tick"), []byte("application/json; charset=utf-8")
	value, text := []byte(`{ "a": [1, 2, {"b": null}], "c": "\u00e9\n" }`), []byte("not \"JSON\"\n")
	buf := make([]byte, 0, 1024)
	allocs := testing.AllocsPerRun(100, func() {
		var ok [2]bool
		buf, ok[0] = AppendMessage(buf[:0], id, event, typ, value)
		buf, ok[1] = AppendMessage(buf, id, event, typ, text)
		if ok != [2]bool{true, true} {
			t.Fatal("refused")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations; want none", allocs)
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	data := []byte(`{"user":{"id":12345,"name":"Zoë","tags":["a","b"]},"text":"` + strings.Repeat("word ", 180) + `"}`)
	buf := make([]byte, 0, 4096)
	for _, typ := range []string{"application/json", "text/plain"} {
		b.Run(typ, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = AppendMessage(buf[:0], nil, nil, []byte(typ), data)
			}
		})
	}
}
