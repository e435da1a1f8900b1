package e2e

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"testing"

	"golang.org/x/net/http2"
)

// overStreams is a lane of extended CONNECTs.
func overStreams(t *testing.T) http.RoundTripper {
	lane := &http2.Transport{ //nolint:staticcheck // the one in net/http takes no :protocol
		AllowHTTP: true, //nolint:staticcheck // as above
		DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) { //nolint:staticcheck // as above
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	t.Cleanup((&http.Client{Transport: lane}).CloseIdleConnections)
	return connecting{lane}
}

// connecting sends an opening handshake as an extended CONNECT, RFC 8441 §5, and gives its answer the form that it would
// have over HTTP/1.1.
type connecting struct{ over http.RoundTripper }

func (c connecting) RoundTrip(req *http.Request) (*http.Response, error) {
	up, down := io.Pipe()
	ask := req.Clone(context.WithoutCancel(req.Context()))
	ask.Method, ask.Body, ask.ContentLength = "CONNECT", up, -1
	key := ask.Header.Get("Sec-WebSocket-Key")
	for _, name := range []string{"Connection", "Upgrade", "Sec-WebSocket-Key"} {
		ask.Header.Del(name)
	}
	ask.Header.Set(":protocol", "websocket")
	resp, err := c.over.RoundTrip(ask)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	digest := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	resp.StatusCode = http.StatusSwitchingProtocols
	resp.Header.Set("Connection", "Upgrade")
	resp.Header.Set("Upgrade", "websocket")
	resp.Header.Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(digest[:]))
	resp.Body = &twoWay{resp.Body, down}
	return resp, nil
}

// twoWay is both directions of a stream.
type twoWay struct {
	io.ReadCloser
	down *io.PipeWriter
}

func (s *twoWay) Write(b []byte) (int, error) { return s.down.Write(b) }

func (s *twoWay) Close() error {
	s.down.Close()
	return s.ReadCloser.Close()
}
