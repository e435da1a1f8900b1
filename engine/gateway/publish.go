package gateway

import (
	"errors"
	"unicode/utf8"

	"holdfast/codec/field"
	"holdfast/codec/key"
	"holdfast/codec/multipart"
	"holdfast/codec/ndjson"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/route"
)

// maxName is the longest Push-Id, Push-Event or Content-Type, bytes: they are repeated to every subscriber.
const maxName = 256

// beginPush starts whatever a publisher asks: a push, a question, or an end.
func (g *Gateway) beginPush(x exchange.Exchange, h *exchange.Head, snap *route.Snapshot, rt *route.Route, rest []byte) {
	policy := snap.Policy(rt)
	switch string(h.Method) {
	case "POST", "PUT":
		g.beginPost(x, h, policy, rest)
	case "GET", "HEAD":
		g.beginAbout(x, h, taskCount, policy, rest)
	case "DELETE":
		g.beginAbout(x, h, taskClose, policy, rest)
	case "PATCH":
		g.beginRekey(x, h, policy)
	case "OPTIONS":
		g.allow(x, 204, pushMethods)
	default:
		g.allow(x, 405, pushMethods)
	}
}

const pushMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// allow answers with the methods that a resource takes.
func (g *Gateway) allow(x exchange.Exchange, status int, methods string) {
	g.scratch.fields = append(g.scratch.fields[:0], field.Field{Name: []byte("Allow"), Value: []byte(methods)})
	g.scratch.response = exchange.Response{Status: status, Fields: g.scratch.fields}
	x.Respond(&g.scratch.response)
}

// retryAfter is a second: what was full or out of reach may not be then.
var retryAfter = field.Field{Name: []byte("Retry-After"), Value: []byte("1")}

// unavailable refuses for now.
func (g *Gateway) unavailable(x exchange.Exchange, text string) {
	g.scratch.fields = append(g.scratch.fields[:0], retryAfter)
	g.scratch.response = exchange.Response{Status: 503, Type: jsonType, Fields: g.scratch.fields, Body: g.errorBody(text)}
	x.Respond(&g.scratch.response)
}

// beginPost tells the kinds of push apart. With a key in the path or in Push-Key, the body is one message whatever its
// type; without one, its type says how the messages in it are told apart.
func (g *Gateway) beginPost(x exchange.Exchange, h *exchange.Head, policy *route.Policy, rest []byte) {
	all := queryHas(h.Query, "all")
	if all && (len(rest) > 0 || field.Count(h.Fields, "push-key") > 0) {
		g.refuse(x, errAll) // whoever holds the key would be sent it twice
		return
	}
	if all || len(rest) > 0 || field.Count(h.Fields, "push-key") > 0 {
		g.beginRaw(x, h, policy, rest, all)
		return
	}
	kind, _ := field.Get(h.Fields, "content-type")
	switch name := mediaType(kind); {
	case field.EqualFold(name, "application/x-ndjson"):
		g.beginLines(x, h, policy)
	case field.EqualFold(name, "multipart/mixed"), field.EqualFold(name, "multipart/form-data"):
		g.beginParts(x, h, policy, kind)
	case field.EqualFold(name, "application/json"):
		g.beginBatch(x, h, policy)
	default:
		g.fail(x, 400, "name a key: POST /push/KEY or a Push-Key field; "+
			"or send application/json, application/x-ndjson or multipart/mixed items that name theirs")
	}
}

// mediaType is a Content-Type without its parameters.
func mediaType(value []byte) []byte {
	for i, c := range value {
		if c == ';' {
			return field.TrimOWS(value[:i])
		}
	}
	return value
}

// beginRaw starts a push of one message.
func (g *Gateway) beginRaw(x exchange.Exchange, h *exchange.Head, policy *route.Policy, rest []byte, all bool) {
	t := g.newTask(x, taskRaw, policy)
	t.all = all
	if err := t.read(h, policy, rest); err != nil {
		g.refuse(x, err)
		return
	}
	if len(t.ends) == 0 && !all {
		g.refuse(x, key.ErrEmpty)
		return
	}
	if h.Length > int64(policy.MaxPayload) {
		g.refuse(x, errPayload)
		return
	}
	t.payload = mem.NewPayload(headStart(h))
	if err := describe(t.payload, h.Fields); err != nil {
		g.refuse(x, err)
		return
	}
	g.weigh(x, t)
}

// describe takes a message's id, event and type from a request's or a part's fields.
func describe(p *mem.Payload, fields []field.Field) error {
	for i := range fields {
		f := &fields[i]
		switch {
		case field.EqualFold(f.Name, "push-id"):
			if !validName(f.Value) {
				return errName
			}
			p.SetID(f.Value)
		case field.EqualFold(f.Name, "push-event"):
			if !validName(f.Value) {
				return errName
			}
			p.SetEvent(f.Value)
		case field.EqualFold(f.Name, "content-type"):
			if len(f.Value) > maxName {
				return errType
			}
			p.SetType(f.Value)
		}
	}
	return nil
}

// validName reports whether an id or event can be a field's value, an SSE line and JSON text: then no form can be made
// to carry fields that the publisher injects, and each can carry the name.
func validName(b []byte) bool { return len(b) <= maxName && field.IsValue(b) && utf8.Valid(b) }

// refusal is a publisher's mistake.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

var (
	errPayload = &refusal{413, "the message is larger than this route takes"}
	errName    = &refusal{400, "push ids and events are at most 256 visible bytes of UTF-8, without line breaks"}
	errType    = &refusal{400, "the Content-Type is longer than 256 bytes"}
	errBatch   = &refusal{413, "the batch is larger than this node takes; send it as application/x-ndjson"}
	errAll     = &refusal{400, "?all is everybody: name no key beside it"}
	errBodies  = &refusal{503, "too many bodies are on their way in; try again"}
	errTwoKeys = &refusal{400, "keys stand in the path or in Push-Key, not in both"}
	errBusy    = &refusal{503, "too many pushes are under way; try again"}
)

// refuse answers a publisher's mistake.
func (g *Gateway) refuse(x exchange.Exchange, err error) {
	status, text := statusOf(err)
	if status == 503 {
		g.unavailable(x, text)
		return
	}
	g.fail(x, status, text)
}

func statusOf(err error) (status int, text string) {
	var own *refusal
	var bad *key.Error
	var line *ndjson.Error
	var part *multipart.Error
	switch {
	case errors.As(err, &own):
		return own.status, own.text
	case errors.As(err, &bad):
		return bad.Status, bad.Reason
	case errors.As(err, &line):
		return line.Status, line.Reason
	case errors.As(err, &part):
		return part.Status, part.Error()
	}
	return 400, err.Error()
}

// takeBody gives a piece of the body to whoever reads it.
func (g *Gateway) takeBody(x exchange.Exchange, i uint32, b []byte) {
	t := g.tasks.all[i]
	if t.cut {
		return
	}
	switch t.kind {
	case taskRaw:
		if len(t.payload.Data)+len(b) > t.policy.MaxPayload {
			g.refuse(x, errPayload)
			return
		}
		t.payload.Append(b)
	case taskBatch:
		g.takeBatch(x, t, b)
	case taskRekey:
		g.takeRekey(x, t, b)
	case taskLines:
		g.takeLines(x, t, b)
	case taskParts:
		g.takeParts(x, t, b)
	case taskEcho:
		g.echoBody(x, t, b)
	case taskClose, taskCount, taskStream, taskHold, taskPage:
	}
	g.weigh(x, t)
}

// completeBody: the request is whole.
func (g *Gateway) completeBody(x exchange.Exchange, i uint32) {
	t := g.tasks.all[i]
	if t.cut {
		return
	}
	if t.paused { // whole items may be kept: pump takes them first
		t.ended = true
		return
	}
	t.done = true
	switch t.kind {
	case taskRaw:
		g.pushRaw(x, t)
	case taskClose, taskCount:
		g.pushTo(x, t, nil)
	case taskBatch:
		g.startBatch(x, t)
	case taskRekey:
		g.pushRekey(x, t)
	case taskLines:
		g.lastLine(x, t)
	case taskParts:
		g.lastPart(x, t)
	case taskEcho:
		x.End()
	case taskPage:
		g.answer(x, 200, "text/plain", page)
	case taskStream, taskHold:
	}
	g.weigh(x, t)
}

// pushRaw dispatches a raw push.
func (g *Gateway) pushRaw(x exchange.Exchange, t *task) {
	p := t.payload
	t.payload = nil // the push's; the deliveries take references of their own
	g.pushTo(x, t, p)
	p.Release()
}

// pushTo dispatches to the task's keys and answers when all have reported, often within this tick. The op counts this
// call as one more home, so that it is not over before the last key is dispatched.
func (g *Gateway) pushTo(x exchange.Exchange, t *task, p *mem.Payload) {
	ref, ok := g.newOp(t.verb(), g.asker(t), 0, g.now)
	if !ok {
		g.refuse(x, errBusy)
		return
	}
	op := g.ops.all[ref.index]
	g.setID(op, p)
	op.homes = 1
	if t.all {
		g.dispatchAll(ref, p)
	}
	for i := range t.ends {
		g.dispatch(ref, t.key(i), p)
	}
	g.report(ref, &account{home: true})
	g.watch(ref)
}

// goOn: everything that was written for the task is sent.
func (g *Gateway) goOn(x exchange.Exchange, i uint32) {
	t := g.tasks.all[i]
	switch t.kind {
	case taskStream:
		g.streamMore(x)
	case taskEcho:
		x.Resume()
	case taskBatch:
		t.resting = false
		g.pump(x, t)
	default:
	}
}
