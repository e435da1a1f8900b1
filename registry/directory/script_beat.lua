#!lua flags=allow-oom
-- Renews a lease and reads the node table. Times are milliseconds of this server's clock.
-- KEYS: rows, leases, version, mark, born.
-- ARGV: instance, its row, lease, known version, mark or '', 'leave' or '', how long lapsed rows stay, then who is buried.
local rows, leases, version, mark = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local changed = false

local function take(id)
  redis.call('ZREM', leases, id)
  if redis.call('HDEL', rows, id) == 1 then changed = true end
end
for i = 8, #ARGV do take(ARGV[i]) end
if ARGV[6] == 'leave' then
  take(ARGV[1])
else
  if redis.call('HGET', rows, ARGV[1]) ~= ARGV[2] then
    redis.call('HSET', rows, ARGV[1], ARGV[2])
    changed = true
  end
  redis.call('ZADD', leases, now + ARGV[3], ARGV[1])
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now - ARGV[7], 'LIMIT', 0, 1000)) do take(id) end

-- A version that was lost must not come again: it starts with the clock, in microseconds, which no counting overtakes.
local at = redis.call('GET', version)
if not at then
  at = string.format('%.0f', t[1] * 1000000 + t[2])
  redis.call('SET', version, at)
elseif changed then
  at = string.format('%.0f', redis.call('INCR', version))
end
if ARGV[5] ~= '' then redis.call('SET', mark, ARGV[5]) end

local table = {}
if at ~= ARGV[4] then table = redis.call('HGETALL', rows) end
return {at, table, redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 1000), redis.call('GET', mark) or '',
  redis.call('GET', KEYS[5]) or '', string.match(redis.call('INFO', 'server'), '\nrun_id:([^\r\n]*)')}
