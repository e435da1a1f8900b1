package compare

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestModulePath(t *testing.T) {
	f := func(built, want string) {
		t.Helper()
		if got := modulePath(built); got != want {
			t.Errorf("%q: %s, want %s", built, got, want)
		}
	}
	f("", "/usr/lib/nginx/modules/ngx_nchan_module.so")
	f("configure arguments: --modules-path=/opt/m --with-x", "/opt/m/ngx_nchan_module.so")
	f("configure arguments: --modules-path=/opt/m", "/opt/m/ngx_nchan_module.so")
	f("configure arguments: '--modules-path=/opt/m' --with-x", "/opt/m/ngx_nchan_module.so")
}

// script is a program that says and does what a test wants.
func script(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestWhatIsMissingIsNoted(t *testing.T) {
	f := func(nginx, want string) {
		t.Helper()
		r := &run{Config: Config{Nginx: nginx}}
		s, err := r.startNchan(t.TempDir())
		if s != nil || err != nil {
			t.Fatalf("%q: %v, %v", nginx, s, err)
		}
		if got := strings.Join(r.notes, "\n"); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", nginx, got, want)
		}
	}
	f("", "")
	f("/nowhere/nginx", "install the Debian packages nginx-light and libnginx-mod-nchan")
	f(script(t, "echo --modules-path=/nowhere"), "no /nowhere/ngx_nchan_module.so")
}

// An nginx that refuses its configuration is an error, with what it said: nobody should take it for missing.
func TestNginxThatDoesNotStart(t *testing.T) {
	modules := t.TempDir()
	if err := os.WriteFile(filepath.Join(modules, "ngx_nchan_module.so"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := &run{Config: Config{Nginx: script(t, "[ \"$1\" = -V ] && echo --modules-path="+modules+" && exit; echo bad module; exit 1")}}
	if _, err := r.startNchan(t.TempDir()); err == nil || !strings.Contains(err.Error(), "bad module") {
		t.Error(err)
	}
}

func TestNchanConfig(t *testing.T) {
	got := nchanConfig("/tmp/d", "/m/nchan.so", netip.MustParseAddrPort("127.0.0.1:81"))
	for _, want := range []string{
		"pid /tmp/d/nginx.pid;", "load_module /m/nchan.so;", "listen 127.0.0.1:81 ", "proxy_temp_path /tmp/d/proxy;", "daemon off;",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "%!") || strings.Count(got, "{") != strings.Count(got, "}") {
		t.Errorf("malformed:\n%s", got)
	}
}

func TestNamed(t *testing.T) {
	r := &run{servers: []*server{{name: bareName}, {name: holdfastName}}}
	if got := r.named(nchanName, holdfastName, bareName); len(got) != 2 || got[0].name != bareName {
		t.Errorf("%v", got)
	}
	if got := r.named(nchanName); got != nil {
		t.Errorf("%v", got)
	}
}
