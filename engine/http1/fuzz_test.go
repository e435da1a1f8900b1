package http1

import (
	"strings"
	"testing"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// FuzzSession sends arbitrary bytes through the real loop, session and gateway. Nothing panics or leaks; the connection
// ends at its timeouts unless a message is waited for; and net/http reads every answer.
func FuzzSession(f *testing.F) {
	for i, talk := range conversations {
		f.Add([]byte(strings.NewReplacer("/hold/", "/sub/", "/x", "/push/a", "/stream", "/echo").Replace(talk)), uint8(i))
	}
	push := "POST /push" + host
	f.Add([]byte(push+"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"17\r\n{\"key\":\"a\",\"data\":\"x\"}\n\r\n3\r\nbad\r\n0\r\n\r\n"), uint8(1))
	f.Add([]byte(push+"Content-Type: multipart/mixed; boundary=b\r\nContent-Length: 43\r\n\r\n"+
		"--b\r\nPush-Key: a\r\n\r\nhello\r\n--b--\r\nepilogue."), uint8(2))
	f.Add([]byte(push+"Content-Type: application/json\r\nContent-Length: 24\r\n\r\n"+`[{"key":"a","data":"x"}]`), uint8(4))
	f.Add([]byte("POST /push/a?all"+host+"Content-Length: 2\r\n\r\nhiDELETE /push/a"+host+"\r\nHEAD /push/a"+host+"\r\n"), uint8(5))
	f.Add([]byte("GET /sub/a,b"+host+"Accept: multipart/mixed\r\n\r\n"), uint8(8))
	f.Add([]byte("OPTIONS *"+host+"\r\nOPTIONS /sub"+host+"\r\nPUT /sub/x"+host+"\r\nHEAD /"+host+"\r\n"), uint8(9))
	f.Fuzz(func(t *testing.T, talk []byte, how uint8) {
		if len(talk) > 64<<10 {
			return
		}
		o := simkernel.Options{}
		if how&1 != 0 {
			o = simkernel.Options{InputPieces: 40, ShortSend: 0.3, Refuse: 0.2, SendBuffer: 4 << 10, RecvBuffer: 1 << 10}
		}
		h := newHouse(t, uint64(how), o)
		sub := h.dial()
		sub.send("GET /sub/a" + host + "Accept: text/event-stream\r\n\r\n")
		held := h.slot()
		c := h.dial()
		half := len(talk) / 2
		c.p.Write(talk[:half])
		if how&2 != 0 {
			c.settle()
		}
		c.p.Write(talk[half:])
		if how&4 != 0 {
			c.p.CloseWrite()
		}
		c.settle()
		h.passBy(5*time.Minute, 5*time.Second)

		var methods []string
		for slot, m := range h.methods {
			if slot != held {
				methods = append(methods, m...)
			}
		}
		answers(t, c.output(), methods)
		answers(t, sub.output(), []string{"GET"})
		h.l.Each(0, 4096, func(slot uint32, r *record.Record) {
			if slot != held && !parked(r.State) {
				t.Errorf("a connection is still open in state %d", r.State)
			}
		})
		c.cut()
		sub.cut()
		h.empty()
	})
}
