"""What Redis does with entries, each time at once.

An entry is `held`, or `revision:fresh until (ms):copy`; without a copy it only outdates older ones.
"""

from typing import Final

# KEYS: entries. ARGV: how long they are held, in ms.
HOLD: Final = """
for _, key in ipairs(KEYS) do redis.call('SET', key, 'held', 'PX', ARGV[1]) end
"""
# KEYS: entries. ARGV: how long somebody may take to load one, in ms.
# Answers per key: f(resh)…, s(tale)…, l(oad it, and stale)…, l(oad it), w(ait), h(eld).
LOOK: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local answers = {}
for i, key in ipairs(KEYS) do
  local entry = redis.call('GET', key)
  local fresh_until, copy
  if entry and entry ~= 'held' then
    fresh_until, copy = string.match(entry, '^%d+:(%d+):(.*)$')
  end
  if entry == 'held' then
    answers[i] = 'h'
  elseif copy and copy ~= '' and tonumber(fresh_until) > now then
    answers[i] = 'f' .. copy
  else
    local mine = redis.call('SET', key .. ':loading', '1', 'NX', 'PX', ARGV[1])
    copy = copy or ''
    if mine then answers[i] = 'l' .. copy
    elseif copy ~= '' then answers[i] = 's' .. copy
    else answers[i] = 'w' end
  end
end
return answers
"""
# KEYS: entries. ARGV: fresh for, lives for (ms), then revision and copy of each.
OFFER: Final = """
local clock = redis.call('TIME')
local fresh_until = clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[1]
for i, key in ipairs(KEYS) do
  local revision, copy = ARGV[2 * i + 1], ARGV[2 * i + 2]
  local entry = redis.call('GET', key)
  local known = entry and tonumber(string.match(entry, '^%d+'))
  if copy ~= '' and entry ~= 'held' and not (known and known > tonumber(revision)) then
    local text = revision .. ':' .. string.format('%.0f', fresh_until) .. ':' .. copy
    redis.call('SET', key, text, 'PX', ARGV[2])
  end
  redis.call('DEL', key .. ':loading')
end
"""
# KEYS: entries. ARGV: how long to remember (ms), then the revision of each; 0 if none is new.
OUTDATE: Final = """
for i, key in ipairs(KEYS) do
  local revision = tonumber(ARGV[i + 1])
  local entry = redis.call('GET', key)
  local known = entry and tonumber(string.match(entry, '^%d+'))
  if revision == 0 then
    if entry == 'held' then redis.call('DEL', key) end
  elseif not (known and known > revision) then
    redis.call('SET', key, ARGV[i + 1] .. ':0:', 'PX', ARGV[1])
  end
end
"""
