package peer

import (
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// introduction is what a handshake needs to know of this end.
type introduction struct {
	self    hello
	key     []byte // of proofs
	channel []byte // what TLS alone knows of the connection; nil without TLS
}

// newNonce makes the introduction one that was never seen before.
func (in *introduction) newNonce() {
	_, _ = rand.Read(in.self.nonce[:]) // it never fails: see crypto/rand
}

// dial is the handshake of who dialled: hello, their hello, proof, their proof. The connection's deadline bounds it.
func (in *introduction) dial(conn io.ReadWriter) (them hello, err error) {
	mine := helloBytes(&in.self)
	if _, err := conn.Write(mine); err != nil {
		return them, slowOrCut(err)
	}
	theirs, them, err := in.meet(conn)
	if err != nil {
		return them, err
	}
	if _, err := conn.Write(proofFrame(prove(in.key, asDialler, mine, theirs, in.channel))); err != nil {
		return them, slowOrCut(err)
	}
	if err := checkProof(conn, prove(in.key, asAcceptor, mine, theirs, in.channel)); err != nil {
		return them, err
	}
	if in.self.wanted != 0 && in.self.wanted != them.Instance {
		return them, faulty(OtherNode, "another instance answers there")
	}
	return them, nil
}

// accept is the handshake of who was dialled. It proves nothing to who has proved nothing.
func (in *introduction) accept(conn io.ReadWriter) (them hello, err error) {
	theirs, them, err := in.meet(conn)
	if err != nil {
		return them, err
	}
	mine := helloBytes(&in.self)
	if _, err := conn.Write(mine); err != nil {
		return them, slowOrCut(err)
	}
	if err := checkProof(conn, prove(in.key, asDialler, theirs, mine, in.channel)); err != nil {
		return them, err
	}
	if _, err := conn.Write(proofFrame(prove(in.key, asAcceptor, theirs, mine, in.channel))); err != nil {
		return them, slowOrCut(err)
	}
	if them.wanted != 0 && them.wanted != in.self.Instance {
		return them, faulty(OtherNode, "an instance is looked for that has ended")
	}
	return them, nil
}

// meet reads the other end's hello and says whether one could talk.
func (in *introduction) meet(conn io.Reader) (raw []byte, them hello, err error) {
	raw = make([]byte, helloHead, helloHead+256)
	if _, err := io.ReadFull(conn, raw); err != nil {
		return nil, them, slowOrCut(err)
	}
	size, err := helloSize(raw)
	if err != nil {
		return nil, them, err
	}
	raw = append(raw, make([]byte, size)...)
	if _, err := io.ReadFull(conn, raw[helloHead:]); err != nil {
		return nil, them, slowOrCut(err)
	}
	if them, err = parseHello(raw); err != nil {
		return nil, them, err
	}
	if them.Instance == in.self.Instance {
		return nil, them, faulty(Itself, "this address leads back to this node")
	}
	_, err = common(&in.self, &them)
	return raw, them, err
}

// proofFrame is a proof as it is sent.
func proofFrame(proof []byte) []byte {
	return closeFrame(appendText(openFrame(nil, frameProof), tagID, proof), 0, 0)
}

// checkProof reads the other end's proof and compares it in constant time.
func checkProof(conn io.Reader, want []byte) error {
	kind, body, err := readControl(conn)
	if err != nil {
		return err
	}
	f := fields{rest: body}
	var got []byte
	for f.next() {
		if f.tag == tagID {
			got = f.txt
		}
	}
	if kind != frameProof || f.bad || !hmac.Equal(got, want) {
		return faulty(BadProof, "the other end does not know this cluster's secret: compare the files of both nodes")
	}
	return nil
}

// readControl reads one small frame and not a byte more, so that what follows it is still there for who reads next.
func readControl(conn io.Reader) (kind byte, body []byte, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return 0, nil, slowOrCut(err)
	}
	size, err := frameSize(head[:], maxControl)
	if err != nil {
		return 0, nil, err
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(conn, b); err != nil {
		return 0, nil, slowOrCut(err)
	}
	return b[0], b[1:], nil
}

// readStatus reads the status that both ends send first after the handshake.
func readStatus(conn net.Conn) (Status, uint64, error) {
	kind, body, err := readControl(conn)
	if err != nil {
		return Status{}, 0, err
	}
	if kind != frameStatus {
		return Status{}, 0, faulty(UnknownFrame, "the first frame is not a status")
	}
	return parseStatus(body)
}

func slowOrCut(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return faulty(Slow, "the handshake took too long")
	}
	return fmt.Errorf("during the handshake: %w", err)
}
