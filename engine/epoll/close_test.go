package epoll

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCloseNowDelivers(t *testing.T) {
	k := newKernel(t)
	server, client := pair(t, k)
	mustSend(t, k, server, "last words")
	k.Close(server, Now)
	if got, err := readAll(t, k, client); string(got) != "last words" || err != nil {
		t.Errorf("received %q, %v", got, err)
	}
}

func TestCloseResetForgets(t *testing.T) {
	k := newKernel(t)
	server, client := pair(t, k)
	if err := k.Add(client, 1, RdHup); err != nil {
		t.Fatal(err)
	}
	block := bytes.Repeat([]byte("x"), 64<<10)
	sent := 0
	for {
		n, err := k.Send(server, block)
		if err != nil {
			break
		}
		sent += n
	}
	k.Close(server, Reset)
	await(t, k, 1, RdHup|Hup|Err)
	got, err := readAll(t, k, client)
	if err != unix.ECONNRESET || Classify(err) != CloseConn {
		t.Errorf("a reset connection reads as %v", err)
	}
	if len(got) >= sent {
		t.Errorf("all of %d bytes arrived: nothing was forgotten", sent)
	}
}

// Output ends, input goes on: how a response is finished while the rest of a request is still on its way.
func TestCloseWriteKeepsInput(t *testing.T) {
	k := newKernel(t)
	server, client := pair(t, k)
	if err := k.Add(client, 1, In|RdHup); err != nil {
		t.Fatal(err)
	}
	mustSend(t, k, server, "bye")
	k.Close(server, Write)
	await(t, k, 1, In|RdHup)
	if got, err := readAll(t, k, client); string(got) != "bye" || err != nil {
		t.Errorf("received %q, %v", got, err)
	}
	mustSend(t, k, client, "still here")
	k.Close(client, Now)
	if got, err := readAll(t, k, server); string(got) != "still here" || err != nil {
		t.Errorf("received %q, %v", got, err)
	}
	if _, err := k.Send(server, []byte("x")); err != unix.EPIPE || Classify(err) != CloseConn {
		t.Errorf("Send after the end of output: %v", err)
	}
}

func TestRdHup(t *testing.T) {
	k := newKernel(t)
	server, client := pair(t, k)
	if err := k.Add(server, 1, RdHup); err != nil {
		t.Fatal(err)
	}
	mustSend(t, k, client, "unread")
	if got := look(t, k); len(got) != 0 {
		t.Errorf("input that nobody asked for is reported: %v", got)
	}
	k.Close(client, Write)
	await(t, k, 1, RdHup)
	await(t, k, 1, RdHup) // it stays, whatever is read
	readAll(t, k, server)
	await(t, k, 1, RdHup)
	if err := k.Mod(server, 1, 0); err != nil {
		t.Fatal(err)
	}
	if got := look(t, k); len(got) != 0 {
		t.Errorf("reported after it was given up: %v", got)
	}
	k.Close(server, Write)
	await(t, k, 1, Hup) // both directions are over: unasked
}

// A close with input unread resets, as close(2) of a TCP socket does: a server that answers early must read on first.
func TestCloseWithUnreadInputResets(t *testing.T) {
	k := newKernel(t)
	server, client := pair(t, k)
	mustSend(t, k, client, "never read")
	if err := arrived(server); err != nil {
		t.Fatal(err)
	}
	k.Close(server, Now)
	if _, err := readAll(t, k, client); err != unix.ECONNRESET {
		t.Errorf("the other side reads %v", err)
	}
}

func TestSendAfterReset(t *testing.T) {
	k := newKernel(t)
	server, client := pair(t, k)
	if err := k.Add(server, 1, 0); err != nil {
		t.Fatal(err)
	}
	k.Close(client, Reset)
	await(t, k, 1, Hup|Err) // unasked
	f := func(want error) {
		t.Helper()
		if _, err := k.Send(server, []byte("x")); err != want || Classify(err) != CloseConn {
			t.Errorf("Send = %v, want %v", err, want)
		}
	}
	f(unix.ECONNRESET) // told once
	f(unix.EPIPE)      // and no SIGPIPE
}
