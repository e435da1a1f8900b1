-- Who serves this key: what was written when the server was empty, its process, its clock's time and jumps, its role, what
-- it does when it is full, and its name in a cluster.
-- KEYS: born. ARGV: a new word, the time that is expected, how far from it a jump begins.
local function said(section, name)
  return string.match(redis.call('INFO', section), '\n' .. name .. ':([^\r\n]*)') or ''
end
local raw, jumped = clock(KEYS[1], ARGV[2], tonumber(ARGV[3]))
local word = redis.call('HGET', KEYS[1], 'word')
if not word then
  word = ARGV[1]
  redis.call('HSET', KEYS[1], 'word', word)
end
local name = ''
if said('cluster', 'cluster_enabled') == '1' then name = redis.call('CLUSTER', 'MYID') end
return {word, said('server', 'run_id'), string.format('%.0f', jumped), string.format('%.0f', raw), name,
  said('replication', 'role'), said('memory', 'maxmemory'), said('memory', 'maxmemory_policy')}
