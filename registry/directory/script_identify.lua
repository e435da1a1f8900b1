#!lua flags=allow-oom
-- Who serves this key: what was written when the server was empty, its process, its role, what it does when it is full,
-- and its name in a cluster.
local function said(section, name)
  return string.match(redis.call('INFO', section), '\n' .. name .. ':([^\r\n]*)') or ''
end
local born = redis.call('GET', KEYS[1])
if not born then
  born = ARGV[1]
  redis.call('SET', KEYS[1], born)
end
local name = ''
if said('cluster', 'cluster_enabled') == '1' then name = redis.call('CLUSTER', 'MYID') end
return {born, said('server', 'run_id'), said('replication', 'role'), said('memory', 'maxmemory'),
  said('memory', 'maxmemory_policy'), name}
