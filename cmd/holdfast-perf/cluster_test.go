package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"holdfast/registry/directory/redistest"
)

// Claims reach the store under keys of their own, and again under the same.
func TestClaimsReachTheStore(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	c, err := openClaims(t.Context(), "redis://"+s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := func(from, n, want int) {
		t.Helper()
		if err := c.Claim(t.Context(), from, n); err != nil {
			t.Fatal(err)
		}
		got := strings.Count(s.CLI("KEYS", "hf:k:*"), "hf:k:")
		if got != want {
			t.Errorf("%d claims, want %d", got, want)
		}
	}
	f(0, 300, 300)
	f(0, 300, 300)
	f(250, 100, 350)
	s.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := c.Claim(ctx, 0, 1); err == nil {
		t.Error("a store that is gone has taken a claim")
	}
}

func TestNoStoreToClaimIn(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := openClaims(ctx, "redis://127.0.0.1:1"); err == nil {
		t.Error("nobody listens there")
	}
	if _, err := openClaims(t.Context(), "http://127.0.0.1:1"); err == nil {
		t.Error("that is no store")
	}
}
