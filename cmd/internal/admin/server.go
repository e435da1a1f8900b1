// Package admin answers an operator's questions over HTTP on a listener of its own: is it well, who is connected, who
// holds a key, which nodes there are, and the metrics. It must never change anything, and never touch a loop's state: it asks a Source.
//
// Reading order: server.go (paths), source.go (what it asks, and the JSON that it answers), listing.go (pages), nodes.go.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"holdfast/cmd/internal/metrics"
	"holdfast/engine/gateway"
)

// Config is what an operator decides about the admin listener.
type Config struct {
	Pprof bool     // serve /debug/pprof/: profiles tell keys and tokens to whoever may read them
	Hosts []string // host names under which this may be asked, besides IP addresses and localhost
}

// Bounds of one request: the listener is often open to a whole network of machines.
const (
	headTimeout  = 5 * time.Second  // stops connections that never finish a request
	writeTimeout = 90 * time.Second // longer than the longest profile that is asked for by habit, 30 s
	idleTimeout  = 2 * time.Minute
	maxHeadBytes = 16 << 10
)

// Server is the admin API of one process.
type Server struct {
	source Source
	http   *http.Server
}

// New makes a server that asks source.
func New(source Source, cfg Config) *Server {
	s := &Server{source: source}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /v1/conns", s.conns)
	mux.HandleFunc("GET /v1/keys", s.keys)
	mux.HandleFunc("GET /v1/keys/{key}", s.key)
	mux.HandleFunc("GET /v1/nodes", s.nodes)
	if cfg.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	}
	s.http = &http.Server{
		Handler:           ownHost(cfg.Hosts, sameSite(mux)),
		ReadHeaderTimeout: headTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeadBytes,
	}
	return s
}

// Serve answers until Shutdown, and then returns nil.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown stops listening and waits for requests under way, until the context ends.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	return err
}

// ownHost refuses requests under names that are not ours: a page whose name was pointed here after it was loaded could
// read all of this through its visitor's browser (DNS rebinding), and here nobody needs a token. Requests without a Host
// are no browser's.
func ownHost(names []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "" && !gateway.OwnHost(r.Host, names) {
			fail(w, http.StatusMisdirectedRequest, "this is not answered under a host name that the node was not told; ask by IP address or as localhost")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sameSite refuses pages of other sites that read through the browser of somebody who may read this.
func sameSite(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
			fail(w, http.StatusForbidden, "cross-site requests are not answered here")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

// ready is what a load balancer asks before it sends new clients here.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.source.Ready(); err != nil {
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ready"})
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	var out metrics.Writer
	if err := s.source.Metrics(r.Context(), &out); err != nil {
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	metrics.WriteProcess(&out)
	w.Header().Set("Content-Type", metrics.ContentType)
	_, _ = w.Write(out.Bytes()) // whoever hung up needs no answer
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever hung up needs no answer
}

func fail(w http.ResponseWriter, status int, text string) {
	answer(w, status, Failure{Error: text})
}
