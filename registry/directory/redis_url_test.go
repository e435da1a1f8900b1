package directory

import (
	"reflect"
	"strings"
	"testing"
)

func TestRedisURL(t *testing.T) {
	f := func(text string, want redisTarget) {
		t.Helper()
		if got, err := parseRedisURL(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %+v, %v\nwant %+v", text, got, err, want)
		}
	}
	f("redis://h", redisTarget{addresses: []string{"h:6379"}})
	f("redis://h:1/", redisTarget{addresses: []string{"h:1"}})
	f("redis://[::1]:1/2", redisTarget{addresses: []string{"[::1]:1"}, db: 2})
	f("redis://[::1]", redisTarget{addresses: []string{"[::1]:6379"}})
	f("redis://u:p%40%2Fx@h:1/3", redisTarget{addresses: []string{"h:1"}, user: "u", password: "p@/x", db: 3})
	f("redis://:p@q@h", redisTarget{addresses: []string{"h:6379"}, password: "p@q"})
	f("rediss://h", redisTarget{tls: true, addresses: []string{"h:6379"}})
	f("redis-sentinel://a,b:1/m", redisTarget{shape: sentinel, addresses: []string{"a:26379", "b:1"}, master: "m"})
	f("rediss-sentinel://u:p@a/m/4", redisTarget{shape: sentinel, tls: true, addresses: []string{"a:26379"}, user: "u", password: "p", master: "m", db: 4})
	f("redis-cluster://a,b,[::1]:7", redisTarget{shape: clustered, addresses: []string{"a:6379", "b:6379", "[::1]:7"}})
	f("rediss-cluster://a/", redisTarget{shape: clustered, tls: true, addresses: []string{"a:6379"}})
}

func TestRedisURLRefused(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := OpenRedis(t.Context(), RedisConfig{URL: text})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the password: %v", text, err)
		}
	}
	f("", "must begin")
	f("localhost:6379", "must begin")
	f("http://h", "must begin")
	f("redis://", "HOST:PORT")
	f("redis://:6379", "HOST:PORT")
	f("redis://h:0", "HOST:PORT")
	f("redis://h:99999", "HOST:PORT")
	f("redis://u:secret@h:x", "HOST:PORT")
	f("redis://::1", "HOST:PORT")
	f("redis://u:secret%zz@h", "cannot be read")
	f("redis://h/x", "no database number")
	f("redis://h/-1", "no database number")
	f("redis://h/1/2", "no database number")
	f("redis://a,b", "redis-sentinel or redis-cluster")
	f("redis://h?db=1", "may follow ?")
	f("redis-sentinel://h", "master's name")
	f("redis-cluster://h/1", "no databases")
	f("redis-cluster://h,", "HOST:PORT")
	if _, err := OpenRedis(t.Context(), RedisConfig{URL: "redis://h", Prefix: "{x}"}); err == nil {
		t.Error("a prefix with braces is taken")
	}
}

func TestRowsSurvive(t *testing.T) {
	f := func(n Node) {
		t.Helper()
		if got := decodeRow(n.Instance, encodeRow(n)); got != n {
			t.Errorf("%+v became %+v", n, got)
		}
	}
	f(Node{})
	f(Node{Instance: 1, Name: "a", Address: "h:1", Release: "1.2", Complete: "x"})
	f(Node{Instance: 1 << 63, Name: "quote\" and é\n", Address: "[::1]:1"})
	next := `{"name":"a","address":"h:1","zone":{"x":[1]},"release":"9"}` // of the next release
	if got := decodeRow(3, next); got != (Node{Instance: 3, Name: "a", Address: "h:1", Release: "9"}) {
		t.Errorf("%s became %+v", next, got)
	}
	if got := decodeRow(3, "not a row"); got != (Node{Instance: 3}) {
		t.Errorf("what is no row became %+v", got)
	}
}

func FuzzRow(f *testing.F) {
	f.Add(encodeRow(Node{Name: "a", Address: "h:1", Release: "1", Complete: "x"}))
	f.Add(`{"name":1}`)
	f.Add(`{"name":"a","name":"b","x":{}}`)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		n := decodeRow(7, text)
		if n.Instance != 7 {
			t.Errorf("instance %d", n.Instance)
		}
		if again := decodeRow(7, encodeRow(n)); again != n {
			t.Errorf("%+v became %+v", n, again)
		}
	})
}

func TestInstanceFields(t *testing.T) {
	f := func(field string, want Instance, ok bool) {
		t.Helper()
		if got, is := instanceOf(field); got != want || is != ok || ok && want.field() != field {
			t.Errorf("instanceOf(%q) = %d, %v", field, got, is)
		}
	}
	f("\x00\x00\x00\x00\x00\x00\x00\x05", 5, true)
	f("\xff\x00\x00\x00\x00\x00\x00\x00", 0xff<<56, true)
	f("1234567", 0, false)
	f("123456789", 0, false)
	f("", 0, false)
}
