package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/flags"
	"holdfast/perf/origin"
)

// originSettings is what the origin command can be told.
type originSettings struct {
	listen string
	origin.Config
}

func (s *originSettings) table() flags.Table {
	const listening, bounds = "Listening", "Bounds"
	return flags.Table{
		flags.New("listen", listening, "host:port", &s.listen,
			"The address to serve on; port 0 takes a free one. Keep it off public networks: /fault does what it says."),
		flags.New("max-conns", bounds, "connections", &s.MaxConns, "More connections than these are closed at once."),
		flags.New("idle-timeout", bounds, "duration", &s.IdleTimeout, "How long to wait for a request or its next bytes."),
		flags.New("send-timeout", bounds, "duration", &s.SendTimeout, "How long to wait for a client to take bytes."),
		flags.New("body-bytes", bounds, flags.Bytes, &s.BodyBytes, "The longest request body that is taken."),
		flags.New("message-bytes", bounds, flags.Bytes, &s.Message, "The longest WebSocket message that is echoed."),
	}
}

func originCommand() *cobra.Command {
	s := &originSettings{listen: "127.0.0.1:9100", Config: origin.Config{}.Filled()}
	return command("origin", "Serve a backend that echoes, serves pages and streams, and misbehaves on request; / lists what",
		s.table(), s.run)
}

func (s *originSettings) run(ctx context.Context, out io.Writer) error {
	ln, err := net.Listen("tcp", s.listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "origin: listening on %s\n", ln.Addr())
	server := origin.New(s.Config)
	err = server.Serve(ctx, ln)
	fmt.Fprintf(out, "origin: %d connections, %d requests, %d malformed\n",
		server.Conns.Load(), server.Requests.Load(), server.Malformed.Load())
	return err
}
