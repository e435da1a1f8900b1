package websocket

import (
	"time"
	"unicode/utf8"

	"holdfast/codec/ws"
	"holdfast/engine/exchange"
)

// What an exchange's answer is in HTTP has little meaning here: the answer was the handshake.

// Hold does nothing: a WebSocket is held as long as it lives.
func (m *Machine) Hold(uint32, exchange.Form, *exchange.Response, time.Duration) {}

// Open does nothing: a WebSocket has begun.
func (m *Machine) Open(uint32, *exchange.Response) {}

// Write sends a message that the gateway composed: text if it is valid UTF-8. It is copied and never dropped.
func (m *Machine) Write(slot uint32, b []byte) {
	if st := m.c.State(slot); !st.open() {
		return
	}
	op := ws.Binary
	if utf8.Valid(b) {
		op = ws.Text
	}
	m.c.Write(slot, ws.AppendFrame(m.l.Compose(), op, ws.Fin, b))
}

// WantDrained asks to hear Drained once all that was written is sent.
func (m *Machine) WantDrained(slot uint32) {
	st := m.c.State(slot)
	st.Bits |= bitDrained
	m.c.Keep(slot, st)
	m.c.WantDrained(slot)
}

// Respond closes: with 1011 for what is our fault, else with 1000.
func (m *Machine) Respond(slot uint32, r *exchange.Response) {
	code := ws.Normal
	if r.Status >= 500 {
		code = ws.InternalError
	}
	m.close(slot, code, "")
}

// End closes with 1000.
func (m *Machine) End(slot uint32) { m.close(slot, ws.Normal, "") }

// Pause does nothing: a client's messages are bounded by rate and size.
func (m *Machine) Pause(uint32) {}

// Resume does nothing, as Pause.
func (m *Machine) Resume(uint32) {}

// Patience does nothing: it is Config.PieceTimeout.
func (m *Machine) Patience(uint32, time.Duration) {}
