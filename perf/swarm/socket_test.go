package swarm

import (
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// socket is a fake's subscriber over a WebSocket. Each message is preceded by a ping, which wants its answer.
func (f *fake) socket(w http.ResponseWriter, r *http.Request, s *sub, over <-chan time.Time) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: f.compress, CompressionThreshold: 64})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(1)
	ctx := c.CloseRead(r.Context())
	for {
		select {
		case m := <-s.messages:
			if c.Ping(ctx) != nil || f.write(c, r, m) != nil {
				return
			}
		case <-over:
			c.Close(f.code, "")
			return
		case <-ctx.Done():
			return
		}
	}
}

// write sends a message, in pieces by a writer that puts each into a fragment.
func (f *fake) write(c *websocket.Conn, r *http.Request, m string) error {
	if !f.pieces {
		return c.Write(r.Context(), websocket.MessageText, []byte(m))
	}
	w, err := c.Writer(r.Context(), websocket.MessageBinary)
	if err != nil {
		return err
	}
	for i := range len(m) {
		if _, err := w.Write([]byte(m[i : i+1])); err != nil {
			return err
		}
	}
	return w.Close()
}
