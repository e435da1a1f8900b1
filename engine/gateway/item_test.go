package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/engine/route"
)

func TestUnpaired(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		if got := unpaired([]byte(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	f(`""`, false)
	f(`"\u00e9\n\"\\"`, false)
	f(`"\ud83d\ude00"`, false)
	f(`"\uD83D\uDE00\uDBFF\uDFFFx"`, false)
	f(`"\\ud83d"`, false) // a backslash and text
	f(`"\\\ud83d"`, true)
	f(`"\ud83d"`, true)
	f(`"\ud83d\ud83d\ude00"`, true)
	f(`"\ud83dx\ude00"`, true)
	f(`"\ude00\ud83d"`, true)
	f(`"\udfff"`, true)
	f(`"\ud83d\n"`, true)
	f(`"\ud83d\u00e9"`, true)
	f(`\`, false)
	f(`\ud83`, false) // malformed: the decoder will say so
	f(`\ud83d`, true)
	f(`\ud83d\ude`, true)
}

// RFC 8259 §8.1: "JSON text exchanged between systems that are not part of a closed ecosystem MUST be encoded using
// UTF-8." What is not is told, and nothing else is sent in its place.
func TestItemsAreNeverChanged(t *testing.T) {
	f := func(item string) {
		t.Helper()
		if _, err := decodeItem([]byte(item)); !errors.Is(err, errText) {
			t.Errorf("%q: %v", item, err)
		}
		w := newWorld(t, 1, Config{}, route.Policy{})
		holder := w.loops[0].sub("a")
		const good = `{"key":"a","data":"good"}`
		lines := w.loops[0].post("POST /push", item+"\n"+good+"\n", ndjsonLines)
		batch := w.loops[0].post("POST /push", "["+item+","+good+"]", jsonBatch)
		w.rest()
		if got := fmt.Sprint(statuses(lines.verdicts()), "|", statuses(batch.batch())); got != "0:400 1:200|0:400 1:200" {
			t.Errorf("%q: %s", item, got)
		}
		if !slices.Equal(holder.heard, []string{"good", "good"}) {
			t.Errorf("%q: heard %q", item, holder.heard)
		}
	}
	f("{\"key\":\"a\",\"data\":\"\xff\"}")
	f("{\"key\":\"a\",\"data\":[\"\xed\xa0\xbd\"]}")
	f("{\"key\":\"a\xc3\",\"data\":\"x\"}")
	f(`{"key":"a","data":"\ud83d"}`)
	f(`{"key":"a","data":{"\udc00":1}}`)
	f(`{"key":"a\ud800","data":"x"}`)
	f(`{"key":"a","id":"\ud800","data":"x"}`)
}

// A publisher's mistake is told in words that help to find it.
func TestItemsRefused(t *testing.T) {
	f := func(item string, want error) {
		t.Helper()
		it, err := decodeItem([]byte(item))
		if err == nil {
			_, err = it.payload(64)
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", item, err, want)
		}
	}
	f("{\"data\":\"\n\"}", errItem) // JSON strings hold no raw control bytes
	f(`{"data":"\x"}`, errItem)
	f(`{"data":{"a":}}`, errItem)
	f(`{"key":1}`, errItem)
	f(`{"data":"","id":"`+strings.Repeat("i", maxName+1)+`"}`, errName)
	f(`{"base64":"AAH"}`, errBase64)
	f(`{}`, errNoData)
	f(`{"key":"a","base64":null}`, errNoData)
	f(`{"data":"x","base64":"AAH/"}`, errTwoData)
	f(`{"data":null,"base64":""}`, errTwoData)
	f(`{"key":"a","dta":"x"}`, errMember)
	f(`{"data":"x","unknown":{"y":[]}}`, errMember)
}
