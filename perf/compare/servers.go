package compare

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// server is one of those that are compared.
type server struct {
	*process
	name               string
	subscribe, publish netip.AddrPort
	subPath, pushPath  string // before the key
}

// Names of the servers, as figures show them.
const (
	bareName     = "bare send"
	holdfastName = "holdfast"
	nchanName    = "nchan"
)

// packages bring what nginx needs, on Debian.
const packages = "nginx-light and libnginx-mod-nchan"

// start starts every server that can be; what is missing is noted.
func (r *run) start(dir string) error {
	if !r.cpus.apart() {
		r.notef("there is one CPU only: clients and servers share it")
	}
	for _, begin := range []func(dir string) (*server, error){r.startBare, r.startHoldfast, r.startNchan} {
		s, err := begin(dir)
		if err != nil {
			return err
		}
		if s != nil {
			r.servers = append(r.servers, s)
		}
	}
	return nil
}

func (r *run) stop() {
	for _, s := range r.servers {
		s.stop()
	}
}

// named are the servers of these names that are there, in the order of their turns.
func (r *run) named(names ...string) (found []*server) {
	for _, s := range r.servers {
		for _, name := range names {
			if s.name == name {
				found = append(found, s)
			}
		}
	}
	return found
}

func (r *run) startBare(string) (*server, error) {
	p, err := launch(r.cpus.server, r.Bare[0], append(r.Bare[1:len(r.Bare):len(r.Bare)], "--size", strconv.Itoa(r.Size))...)
	if err != nil {
		return nil, err
	}
	s := &server{process: p, name: bareName, subPath: "/", pushPath: "/"}
	if err = p.await(func() bool { return strings.Contains(p.said(), "\n") }); err == nil {
		s.subscribe, err = p.address("listening on ")
	}
	s.publish = s.subscribe
	return kept(s, err)
}

func (r *run) startHoldfast(string) (*server, error) { return r.startDaemon(holdfastName) }

// startDaemon starts one of ours, with further flags.
func (r *run) startDaemon(name string, more ...string) (*server, error) {
	p, err := launch(r.cpus.server, r.Holdfast, append([]string{
		"serve", "--loops", "1", "--listen", "127.0.0.1:0",
		"--publish-listen", "127.0.0.1:0", "--admin-listen", "", "--drain-timeout", "1s", "--drain-pace", "100ms",
	}, more...)...)
	if err != nil {
		return nil, err
	}
	s := &server{process: p, name: name, subPath: "/sub/", pushPath: "/push/"}
	if err = p.await(func() bool { return strings.Contains(p.said(), "holdfast: ready") }); err == nil {
		s.subscribe, err = p.address("public listener on http://")
	}
	if err == nil {
		s.publish, err = p.address("publish listener on http://")
	}
	return kept(s, err)
}

// startNchan returns no server and no error where nginx or its module is missing.
func (r *run) startNchan(dir string) (*server, error) {
	if r.Nginx == "" {
		return nil, nil
	}
	program, err := exec.LookPath(r.Nginx)
	if err != nil {
		r.notef("no nginx to compare with: install the Debian packages %s (%v)", packages, err)
		return nil, nil
	}
	built, err := exec.Command(program, "-V").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s -V: %w", program, err)
	}
	module := modulePath(string(built))
	if !exists(module) {
		r.notef("no nchan to compare with: install the Debian packages %s (there is no %s)", packages, module)
		return nil, nil
	}
	at, err := freePort()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(nchanConfig(dir, module, at)), 0o600); err != nil {
		return nil, err
	}
	p, err := launch(r.cpus.server, program, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"))
	if err != nil {
		return nil, err
	}
	s := &server{process: p, name: nchanName, subscribe: at, publish: at, subPath: "/sub?key=", pushPath: "/push?key="}
	err = p.await(func() bool { return answers(at) })
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "error.log")) // it says more than the error, if it is there
		err = fmt.Errorf("%w %s", err, log)
	}
	return kept(s, err)
}

// kept is a started server, or its end if it did not start well.
func kept(s *server, err error) (*server, error) {
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// modulePath is where nginx -V says that the nchan module would be.
func modulePath(built string) string {
	dir := "/usr/lib/nginx/modules"
	if _, rest, ok := strings.Cut(built, "--modules-path="); ok {
		dir, _, _ = strings.Cut(strings.Fields(rest + " .")[0], "'")
	}
	return filepath.Join(dir, "ngx_nchan_module.so")
}

// nchanConfig is nginx at its best for this: one process without a master, so that channels need no messages between
// workers; no logs; nothing stored; exact locations.
func nchanConfig(dir, module string, at netip.AddrPort) string {
	var temps strings.Builder
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temps, "  %s_temp_path %s/%s;\n", name, dir, name)
	}
	return fmt.Sprintf(`daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 19500;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
load_module %[2]s;
events { worker_connections 19000; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  nchan_shared_memory_size 256M;
%[4]s  server {
    listen %[3]s backlog=4096;
    location = /sub { nchan_subscriber eventsource; nchan_channel_id $arg_key; nchan_store_messages off; }
    location = /push { nchan_publisher; nchan_channel_id $arg_key; nchan_store_messages off; }
  }
}
`, dir, module, at, temps.String())
}
