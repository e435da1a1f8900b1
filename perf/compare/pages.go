package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"holdfast/codec/field"
	"holdfast/codec/h1"
)

// PagesConfig describes one measurement of a small answer over HTTP/2, beside nginx with one worker that gives the same
// answer. The clients are h2load's. Zero means the default, unless a field says otherwise.
type PagesConfig struct {
	Holdfast string // the daemon's program
	Nginx    string // nginx's program; empty measures without
	H2load   string // h2load, of Debian's package nghttp2-client

	Path     string        // of the page on Holdfast, default /echo/page; what it answers there nginx answers too
	Conns    int           // connections, default 10
	Streams  int           // requests under way on each, default 32
	Requests int           // of one round, default 200,000
	Rounds   int           // turns that each server gets, default 5
	Limit    time.Duration // everything ends after this, default 2 min

	Progress io.Writer // told what goes on, a line each; nil: nobody is
}

// nginxName is nginx's when it serves a page.
const nginxName = "nginx"

// Figures of pages.
var (
	pageCPU  = kind{"page over HTTP/2: CPU per request", "µs"}
	pageRate = kind{"page over HTTP/2: requests", "1/s"}
	pageBusy = kind{"page over HTTP/2: server's share of its CPU", "%"}
)

// Filled is the config with its defaults in place.
func (c PagesConfig) Filled() (PagesConfig, error) {
	for _, d := range []struct {
		field *int
		value int
	}{{&c.Conns, 10}, {&c.Streams, 32}, {&c.Requests, 200_000}, {&c.Rounds, 5}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if c.Path == "" {
		c.Path = "/echo/page"
	}
	if c.Limit <= 0 {
		c.Limit = 2 * time.Minute
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	switch {
	case c.Holdfast == "" || c.H2load == "":
		return c, errors.New("no program to measure, or to measure with")
	case !strings.HasPrefix(c.Path, "/") || strings.ContainsAny(c.Path, " {};\"'"):
		return c, fmt.Errorf("%q is no plain path", c.Path)
	case c.Requests < c.Conns:
		return c, fmt.Errorf("%d requests do not reach %d connections", c.Requests, c.Conns)
	}
	return c, nil
}

// RunPages measures and returns what it found, beside an error too, as Run does.
func RunPages(ctx context.Context, cfg PagesConfig) (*Result, error) {
	cfg, err := cfg.Filled()
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Limit)
	defer cancel()
	dir, err := os.MkdirTemp("", "holdfast-pages-")
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	defer os.RemoveAll(dir)
	r := &run{Config: Config{Holdfast: cfg.Holdfast, Nginx: cfg.Nginx, Rounds: cfg.Rounds, Progress: cfg.Progress}}
	if r.cpus, err = divide(); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	defer r.cpus.restore()
	defer r.stop()
	begun := loadAverage()
	page, err := r.startPages(ctx, &cfg, dir)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	err = r.turns(ctx, "pages", r.servers, func(s *server, counts bool) error { return r.pageTurn(ctx, &cfg, s, counts) })
	if err != nil {
		err = fmt.Errorf("compare: pages: %w", err)
	}
	setting := []string{
		fmt.Sprintf("a page of %d bytes, %d connections with %d requests each under way, %d requests a round, %d rounds in turn",
			len(page), cfg.Conns, cfg.Streams, cfg.Requests, cfg.Rounds),
		fmt.Sprintf("servers, one loop and one worker, on CPU %d, h2load on CPU %d", r.cpus.server, r.cpus.client),
		fmt.Sprintf("load average %s before, %s after", begun, loadAverage()),
	}
	for _, s := range r.named(nginxName) {
		setting = append(setting, version(s.cmd.Path)+", one process")
	}
	return &Result{Machine: machine(), Setting: setting, Figures: r.figures, Ratios: ratios(r.figures), Notes: r.notes}, err
}

// startPages starts both servers and returns the page that they serve.
func (r *run) startPages(ctx context.Context, cfg *PagesConfig, dir string) (page []byte, err error) {
	s, err := r.startDaemon(holdfastName, "--echo")
	if err != nil {
		return nil, err
	}
	r.servers = append(r.servers, s)
	page, kind, err := fetch(ctx, s.subscribe, cfg.Path)
	if err != nil || r.Nginx == "" {
		return page, err
	}
	program, err := exec.LookPath(r.Nginx)
	if err != nil {
		r.notef("no nginx to compare with: install the Debian package nginx-light (%v)", err)
		return page, nil
	}
	at, err := freePort()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "nginx.conf")
	text, err := pagesConfig(dir, at, cfg.Path, kind, page)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o600)
	}
	if err != nil {
		return nil, err
	}
	p, err := launch(r.cpus.server, program, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"))
	if err != nil {
		return nil, err
	}
	s = &server{process: p, name: nginxName, subscribe: at}
	r.servers = append(r.servers, s)
	return page, p.await(func() bool { return answers(at) })
}

// fetch gets a page once, over HTTP/1.1.
func fetch(ctx context.Context, at netip.AddrPort, path string) (page []byte, kind string, err error) {
	const patience, most = 5 * time.Second, 64 << 10
	c, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", at.String())
	if err != nil {
		return nil, "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience)) // it is a socket, and has one
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, at); err != nil {
		return nil, "", err
	}
	b, err := io.ReadAll(io.LimitReader(c, most))
	if err != nil {
		return nil, "", err
	}
	var head h1.Response
	head.Reset(h1.AskedOther)
	n, done, err := head.Parse(b, &h1.DefaultLimits)
	length, _ := field.Get(head.Fields, "content-length")
	switch {
	case err != nil:
		return nil, "", err
	case !done || string(length) != strconv.Itoa(len(b)-n):
		return nil, "", fmt.Errorf("%s is no page of known length up to %d bytes", path, most)
	case head.Status != 200:
		return nil, "", fmt.Errorf("%s answers %d", path, head.Status)
	}
	value, _ := field.Get(head.Fields, "content-type")
	return b[n:], string(value), nil
}

// pagesConfig is nginx at its best for this: one process, no logs, no file to look up, connections without end.
func pagesConfig(dir string, at netip.AddrPort, path, kind string, page []byte) (string, error) {
	if strings.ContainsAny(string(page)+kind, "\"$\\;{}") {
		return "", errors.New("a page that cannot stand in a configuration of nginx")
	}
	if kind == "" {
		kind = "text/plain"
	}
	var temps strings.Builder
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temps, "  %s_temp_path %s/%s;\n", name, dir, name)
	}
	return fmt.Sprintf(`daemon off;
master_process off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
%[3]s  server {
    listen %[2]s http2 backlog=4096;
    http2_max_concurrent_streams 4096;
    location = %[4]s { default_type "%[5]s"; return 200 "%[6]s"; }
  }
}
`, dir, at, temps.String(), path, kind, page), nil
}

// pageTurn lets h2load ask one server for the page.
func (r *run) pageTurn(ctx context.Context, cfg *PagesConfig, s *server, counts bool) error {
	before, err := settled(s.pid())
	if err != nil {
		return err
	}
	p, err := launch(r.cpus.client, cfg.H2load, "-t", "1", "-c", strconv.Itoa(cfg.Conns), "-m", strconv.Itoa(cfg.Streams),
		"-n", strconv.Itoa(cfg.Requests), "http://"+s.subscribe.String()+cfg.Path)
	if err != nil {
		return err
	}
	defer p.stop()
	select {
	case <-p.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	took, err := finished(p.said(), cfg.Requests)
	if err != nil {
		return err
	}
	after, err := settled(s.pid())
	if err != nil || !counts {
		return err
	}
	cpu := after - before
	r.add(s, pageCPU, cpu.Seconds()*1e6/float64(cfg.Requests))
	r.add(s, pageRate, float64(cfg.Requests)/took.Seconds())
	r.add(s, pageBusy, cpu.Seconds()/took.Seconds()*100)
	return nil
}

// finished reads from h2load's report how long it took, if each request was answered well.
func finished(said string, requests int) (took time.Duration, err error) {
	_, rest, ok := strings.Cut(said, "finished in ")
	text, rest, _ := strings.Cut(rest, ",")
	if took, err = time.ParseDuration(text); !ok || err != nil || took <= 0 {
		return 0, fmt.Errorf("h2load has not finished: %s", strings.TrimSpace(said))
	}
	if !strings.Contains(rest, fmt.Sprintf("%d succeeded, 0 failed, 0 errored", requests)) ||
		!strings.Contains(rest, fmt.Sprintf("status codes: %d 2xx", requests)) {
		return 0, fmt.Errorf("not every request was answered: %s", strings.TrimSpace(rest))
	}
	return took, nil
}
