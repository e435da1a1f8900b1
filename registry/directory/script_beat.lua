-- Renews a lease and reads the node table. Times are milliseconds of this server's clock without its jumps.
-- KEYS: rows, leases, versions of rows, versions at which rows were taken out, the rest of the table, born.
-- ARGV: instance, its row, lease, known version, mark or '', 'leave' or '', how long claims and lapsed rows stay, how many
-- of the rows taken out and of the lapsed are told, the time that is expected, then who is buried.
local rows, leases, changed, gone, rest = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local raw, jumped = clock(KEYS[6], ARGV[10], ARGV[7] / 4)
local now = raw - jumped
local function text(n) return string.format('%.0f', n) end
local kept = redis.call('HMGET', rest, 'version', 'floor')
local version, floor = tonumber(kept[1] or '0'), tonumber(kept[2] or '0')
local before = version
if version == 0 then -- one that was lost must not come again: it starts with the clock, which no counting overtakes
  version = raw * 1000
  floor = version
end

local function take(id)
  redis.call('ZREM', leases, id)
  if redis.call('HDEL', rows, id) == 1 then
    version = version + 1
    redis.call('ZREM', changed, id)
    redis.call('ZADD', gone, text(version), id)
  end
end
for i = 11, #ARGV do take(ARGV[i]) end
if ARGV[6] == 'leave' then
  take(ARGV[1])
else
  if redis.call('HGET', rows, ARGV[1]) ~= ARGV[2] then
    version = version + 1
    redis.call('HSET', rows, ARGV[1], ARGV[2])
    redis.call('ZADD', changed, text(version), ARGV[1])
    redis.call('ZREM', gone, ARGV[1])
  end
  redis.call('ZADD', leases, text(now + ARGV[3]), ARGV[1])
end
if ARGV[10] ~= '' then -- one that is new cannot tell a jump
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', text(now - ARGV[7]), 'LIMIT', 0, 100)) do take(id) end
end

if version ~= before then
  local over = redis.call('ZCARD', gone) - ARGV[8]
  if over > 0 then
    local last = redis.call('ZRANGE', gone, over - 1, over - 1, 'WITHSCORES')
    floor = math.max(floor, tonumber(last[2]))
    redis.call('ZREMRANGEBYRANK', gone, 0, over - 1)
  end
  redis.call('HSET', rest, 'version', text(version), 'floor', text(floor))
end
if ARGV[5] ~= '' then redis.call('HSET', rest, 'mark', ARGV[5]) end

-- A version counts only on the server, and since the birth, that gave it: a replica may have missed some.
local word = redis.call('HGET', KEYS[6], 'word') or ''
local run = string.match(redis.call('INFO', 'server'), '\nrun_id:([^\r\n]*)')
local table = word .. '/' .. run .. '/'
local since = -1
if string.sub(ARGV[4], 1, #table) == table then since = tonumber(string.sub(ARGV[4], #table + 1)) or -1 end
local full = since < floor or since > version
local nodes, out = {}, {}
if full then
  nodes = redis.call('HGETALL', rows)
elseif since < version then
  for i, id in ipairs(redis.call('ZRANGEBYSCORE', changed, '(' .. text(since), '+inf')) do
    nodes[2 * i - 1], nodes[2 * i] = id, redis.call('HGET', rows, id) or ''
  end
  out = redis.call('ZRANGEBYSCORE', gone, '(' .. text(since), '+inf')
end
return {table .. text(version), full and '1' or '0', nodes, out,
  redis.call('ZRANGEBYSCORE', leases, '-inf', text(now), 'LIMIT', 0, ARGV[9]), redis.call('HGET', rest, 'mark') or '',
  word, run, text(raw), text(jumped)}
