#!lua flags=allow-oom
-- clock reads this server's clock in milliseconds, and by how much it has jumped so far, all jumps together. A jump is
-- more than limit, both from what is kept at the key and from what the caller expects by its own steady clock: nodes that
-- were silent for long find the one but not the other, a node that slept finds the other but not the one. So the first to
-- come after a jump counts it, and all others find it counted. A caller that is new expects '', and decides nothing.
local function clock(key, expected, limit)
  local t = redis.call('TIME')
  local raw = t[1] * 1000 + math.floor(t[2] / 1000)
  local kept = redis.call('HMGET', key, 'at', 'jumped')
  local at, jumped = kept[1] and tonumber(kept[1]) or -math.huge, tonumber(kept[2] or '0')
  if math.abs(raw - at) <= limit / 8 or expected == '' and kept[1] and math.abs(raw - at) > limit then
    return raw, jumped
  end
  if kept[1] and math.abs(raw - at) > limit and math.abs(raw - expected) > limit then
    jumped = jumped + raw - expected
    redis.call('HSET', key, 'jumped', string.format('%.0f', jumped))
  end
  redis.call('HSET', key, 'at', string.format('%.0f', raw))
  return raw, jumped
end

