package h1

import "testing"

func TestBodyRemaining(t *testing.T) {
	f := func(framing Framing, length int64, in string, want int64) {
		t.Helper()
		var d Body
		d.Start(framing, length)
		if _, _, _, err := d.Next([]byte(in), &DefaultLimits); err != nil {
			t.Fatal(err)
		}
		if got := d.Remaining(); got != want {
			t.Errorf("framing %d after %q: %d remain, want %d", framing, in, got, want)
		}
	}
	f(None, 0, "", 0)
	f(Length, 5, "", 5)
	f(Length, 5, "ab", 3)
	f(Length, 5, "abcde", 0)
	f(Chunked, 0, "5\r\nab", -1)
	f(Chunked, 0, "0\r\n\r\n", 0)
	f(UntilClose, 0, "ab", -1)
}
