// Package peer keeps links between nodes: few, long-lived, authenticated connections that carry requests one way and
// their reports back. It knows neither keys' owners nor local connections, never sends a request twice, and never
// blocks who asks.
//
// Each node dials each other, so a pair has two connections: requests go out on the one that a node dialled, reports
// come back on it, statuses and pings travel both ways. All integers are big-endian; a varint is base 128, low bits
// first.
//
// # Handshake
//
//	dialler                          acceptor
//	hello                     →
//	                          ←      hello
//	proof                     →             who dials proves first
//	                          ←      proof
//	status                    ⇄      status
//
// A hello is "HFPL", u8 oldest and u8 newest version spoken, u16 length (at most 2 KiB), and fields: 1 instance, 2
// name, 3 address, 4 release, 5 nonce (32 bytes), 6 the instance that the dialler means. The ends speak the highest
// version that both do. A proof is a frame of type 1 with field 1: HMAC-SHA256 under HKDF-SHA256(secret, info "holdfast
// peer link 1") of role, dialler's hello, acceptor's hello and TLS exporter ("EXPORTER-holdfast-peer", 32 bytes; none
// without TLS), each behind its u32 length. Everything that was said is in it, with both nonces: a proof cannot be
// replayed, reflected, or kept while names or versions are changed. With TLS (1.3, certificates checked both ways) the
// secret may be empty. Without TLS the frames after the handshake are neither hidden nor sealed.
//
// When another instance than the one meant answers, and has proved that it knows the secret, the one meant has ended.
//
// # Frames
//
// A frame is u32 length of the rest (1 to Config.MaxFrame), u8 type, body. Bit 7 of the type says that a node which
// does not know it may skip the frame; else it ends the link. A body is a list of fields: varint tag<<1|kind, then for
// kind 0 a varint, for kind 1 a varint length and the bytes. Absent is 0 or empty; unknown tags are skipped.
//
//	type  name     way        fields
//	1     proof    handshake  1 proof
//	2     status   both       1 complete, 2 behind, 3 turn (grows with each announcement)
//	3     request  dialler →  1 id, 2 verb, 3 flags (1 all, 2 dedup), 4 time left in µs, 5 key, 6 relay,
//	                          7 message id, 8 event, 9 media type, 10 data (always last)
//	4     report   ← acceptor 1 id, 2 delivered, 3 pending, 4 stored, 5 slow, 6 gone, 7 form, 8 unknown, 9 refused,
//	                          10 closed, 11 held, 12 unreached, 13 duplicate
//	5     ping     both       1 token
//	6     pong     both       1 the ping's token
//
// # Limits, and what each stops
//
//	handshake: 2 s, 256 at once, oldest goes   strangers who connect and say nothing, or keep nodes out
//	hello 2 KiB, first frames 4 KiB            strangers who send much before they have proved anything
//	MaxFrame                                   a length that claims memory; and it is taken only as bytes arrive
//	MaxFlight                                  a slow peer that keeps ours waiting without end
//	MaxQueued                                  a slow network, or a peer that asks and never reads, that fills memory
//	MaxServed                                  one peer that takes all of this node: beyond, reports say refused
//	one connection a dialling instance         a node that dials again and again
//	key 256 B, names 64 KiB, complete 1 KiB    fields that nobody of ours sends
//	Ping, Dead                                 hosts that vanished or stand still
//	Within                                     reports that never come
//
// Frames are cut out of netpoll's LinkBuffers, over the net package's sockets rather than netpoll's connections: those
// read without bound ahead of who consumes them, give their buffers back under a reader when somebody else closes them,
// and know no TLS. So plain and TLS connections share one code path.
//
// Reading order: message.go (what is said), field.go, frame.go and hello.go (the wire), handshake.go, reader.go and
// outbox.go (bytes in and out), flight.go (requests without report), line.go (one connection), link.go (dialled),
// guest.go (accepted), mesh.go.
package peer
