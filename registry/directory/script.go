package directory

import (
	"context"
	"crypto/sha1" // Redis names scripts by it
	_ "embed"
	"encoding/hex"
	"strconv"

	"github.com/redis/rueidis"
)

//go:embed script_clock.lua
var clockText string

//go:embed script_beat.lua
var beatText string

//go:embed script_identify.lua
var identifyText string

// claimText writes or, with a time to live of 0, removes a claim unless a later call has written it: a connection that was
// given up may deliver what it had taken after the next one has, minutes later even.
// It does so for several keys, and says of each "" or what went wrong.
const claimText = `local field, call, said = ARGV[1], tonumber(ARGV[2]), {}
for i, key in ipairs(KEYS) do
	local ttl, done = ARGV[2 + i], 1
	local at = tonumber(redis.call('HGET', key, field) or 0)
	if at <= call and ttl == '0' then
		done = redis.pcall('HDEL', key, field)
	elseif at <= call then
		done = redis.pcall('HSET', key, field, ARGV[2])
		if type(done) == 'number' then done = redis.pcall('EXPIRE', key, ttl) end
	end
	said[i] = type(done) == 'table' and done.err or ''
end
return said`

// ownersText is HKEYS, with the name of the cluster's node that says it, and its time, in front.
const ownersText = `local owners = redis.call('HKEYS', KEYS[1])
local t = redis.call('TIME')
for i, said in ipairs({redis.call('CLUSTER', 'MYID'), t[1], t[2]}) do table.insert(owners, i, said) end
return owners`

// The scripts that the store runs.
var (
	beatScript = newScript(clockText + beatText)
	identify   = newScript(clockText + identifyText)
	claimOnce  = newScript(claimText)
	ownersAt   = newScript(ownersText)
)

// script is a program that servers run by the hash of its text.
type script struct{ text, sha string }

// scriptCall is what one run of a script is given. All keys are in one slot.
type scriptCall struct{ keys, args []string }

func newScript(text string) *script {
	sum := sha1.Sum([]byte(text))
	return &script{text, hex.EncodeToString(sum[:])}
}

// do runs the script once for each call. A server that does not know the script yet refuses to run it and gets its text.
func (s *script) do(ctx context.Context, client rueidis.Client, calls []scriptCall) []rueidis.RedisResult {
	cmds := make(rueidis.Commands, len(calls))
	for i, c := range calls {
		cmds[i] = s.command(client.B(), c, false)
	}
	replies := client.DoMulti(ctx, cmds...)
	var again rueidis.Commands
	var at []int
	for i := range replies {
		if refused, ok := rueidis.IsRedisErr(replies[i].Error()); ok && refused.IsNoScript() {
			again, at = append(again, s.command(client.B(), calls[i], true)), append(at, i)
		}
	}
	for i, reply := range client.DoMulti(ctx, again...) {
		replies[at[i]] = reply
	}
	return replies
}

func (s *script) command(b rueidis.Builder, c scriptCall, whole bool) rueidis.Completed {
	cmd := b.Arbitrary("EVALSHA", s.sha)
	if whole {
		cmd = b.Arbitrary("EVAL", s.text)
	}
	return cmd.Args(strconv.Itoa(len(c.keys))).Keys(c.keys...).Args(c.args...).Build()
}
