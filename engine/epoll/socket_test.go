package epoll

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func accept(t *testing.T, k *Kernel, listener int) int {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		fd, err := k.Accept(listener)
		if err == nil {
			return fd
		}
		if err != unix.EAGAIN {
			t.Fatal(err)
		}
	}
	t.Fatal("nobody to accept")
	return -1
}
