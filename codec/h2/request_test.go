package h2

import "testing"

// What our own encoder says, our decoder understands.
func TestRequestRoundTrip(t *testing.T) {
	b := AppendRequest(nil, "GET", "https", "a.example", "/p?q")
	b = AppendField(b, "Accept", "*/*")
	var fs Fields
	if err := NewDecoder(0).Decode(b, &fs, &DefaultLimits); err != nil {
		t.Fatal(err)
	}
	var r Request
	if err := r.Read(&fs); err != nil || string(r.Path) != "/p" || string(fs.All[0].Value) != "*/*" {
		t.Fatal(err, r)
	}
}
