-- SPDX-License-Identifier: MIT
--
-- The ledger of a budget in Redis.  The rules are those of src/base/ledger.h, (L1) to (L5).  No member is visited but
-- the one that asks and those that are told, so a sync costs the same with ten members and with ten thousand.
--
--   sync MEMBER RUN LIMIT TERM CHANNEL OPEN WANTS WAITING WEIGHT FLOOR WAITS TURN WHO
--   leave MEMBER
--   look
--
-- Times are milliseconds of Redis's clock.  A level below TIER fills vessels from `floor` to what their members want.
-- Where all can have that, the level is above TIER and fills them on, up to what is open.  At FULL all are full.
--
-- What only some syncs need is inside of functions, for each function costs when the script begins.

-- LEDGER   a hash: `version`, and `state`, which is packed.
-- MEMBERS  a hash of what each said and was told, packed, by its number.
-- CLASSES  a hash: how many members have the same vessel, which is packed.  The level is found from these.
-- ENDS     when the term of each member ends.
-- POOR     members that want more than they were granted, by the level at which they get one more; where that is the
--          same, the one first that has waited longest.  One that was told stands at infinity until it asks.
-- RICH     members that have more than their floor, by the level at which that is their share; in a band of their own
--          those with an extra, one of those that rounding left over; and above all those that have something open and
--          were told that nobody lacks.  One that was told is not in it until it asks.
local LEDGER, MEMBERS, CLASSES, ENDS, POOR, RICH = unpack(KEYS)

local UNITS = 1000 -- of a level
local TIER = 1e13
local FULL = 2 * TIER
local EXTRA, CALM = 1e14, 2e14 -- bands in RICH
local NEVER = 9999999999999

local VERSION = '1'
local STATE = '<dddddddddddddddddc16c40'
local MEMBER = '<i4i4i4i4i4i4i4i4dddc16'
local CLASS = '<i4i4i4i4i4'

local GAP = 2 -- on average between two asks of all members together, and between two that are told
local LEARNS_ASKING = 10 -- times in a term, while the ledger learns
local WEIGHT_MOST = 1000
local PAUSE = 50 -- the level is found anew no sooner, and later with many members or classes
local MEMBERS_A_MS, FEW, CLASSES_A_MS = 100, 100, 2
local LASTING = 10 -- terms without a word, after which all is forgotten
local TOLD_AT_ONCE, TOLD_SOON = 8, 32 -- each of them, when it asks, has the next told, but no more in a short time

local floor, ceil, min, max, abs = math.floor, math.ceil, math.min, math.max, math.abs
local pack, unpack_text = struct.pack, struct.unpack

local now, ledger, term
local id = ARGV[2]

-- ---- Redis ----

local function refuse(key, why)
  local todo = '; delete the keys ' .. LEDGER .. '*, or give the budget another name'
  error('BUDGET the key ' .. key .. ' ' .. why .. todo, 0)
end

local function call(name, key, ...)
  local reply = redis.pcall(name, key, ...)
  local why = type(reply) == 'table' and reply.err
  if why and string.find(why, 'WRONGTYPE', 1, true) then
    refuse(key, 'has another type than a budget gives it')
  elseif why then
    error(why, 0)
  end
  return reply
end

-- A key that is made anew lasts as the others do.  Scores go as texts, which is quicker.
local function put(key, score, name)
  if call('ZADD', key, string.format('%d', score), name) == 1 then
    call('PEXPIRE', key, LASTING * term)
  end
end

-- ---- the ledger ----

-- Three asks fit into a term, whatever the number of members.
local function note_members(change)
  ledger.members = ledger.members + change
  term = max(ledger.term, 3 * GAP * ledger.members)
end

-- False: there is none.
local function load()
  local found = call('HMGET', LEDGER, 'version', 'state')
  local version, state = found[1], found[2]
  if not version and call('EXISTS', LEDGER) == 0 then
    return false
  end
  if not version then
    refuse(LEDGER, 'is no ledger of a budget')
  elseif version ~= VERSION then
    refuse(LEDGER, 'is a ledger of version ' .. string.sub(version, 1, 20) .. ', this program knows ' .. VERSION)
  end
  local l = {}
  if state and #state == struct.size(STATE) then
    l.limit, l.term, l.members, l.granted, l.floors, l.left, l.held, l.moved, l.rich, l.level, l.learns, l.from,
      l.asked, l.told, l.due, l.kept, l.forget, l.epoch, l.run = unpack_text(STATE, state)
  end
  if not (l.limit and l.limit > 0 and l.term > 0 and l.members >= 0 and l.granted >= 0) then
    refuse(LEDGER, 'has a state that no budget wrote')
  end
  ledger = l
  note_members(0)
  return true
end

-- There may be members that an earlier one granted permits, so it learns first.
local function begin()
  for key, kind in pairs({[MEMBERS] = 'hash', [CLASSES] = 'hash', [ENDS] = 'zset', [POOR] = 'zset', [RICH] = 'zset'}) do
    local found = call('TYPE', key).ok
    if found ~= 'none' and found ~= kind then
      refuse(key, 'has another type than a budget gives it')
    end
  end
  call('DEL', unpack(KEYS))
  local time = redis.call('TIME')
  ledger = {
    limit = ARGV[4] + 0, term = ARGV[5] + 0, members = 0, granted = 0, floors = 0, left = 0, held = 0, moved = 0,
    rich = 0, level = FULL, learns = 1, from = now, asked = now, told = 0, due = 0, kept = 0, forget = NEVER,
    epoch = time[1] .. string.format('%06d', time[2]), run = ARGV[3]
  }
  call('HSET', LEDGER, 'version', VERSION)
  note_members(0)
end

-- The keys last anew once in a term.
local function save()
  local l, renew = ledger, now >= ledger.kept
  if renew then
    l.kept = now + l.term
  end
  call('HSET', LEDGER, 'state', pack(STATE, l.limit, l.term, l.members, l.granted, l.floors, l.left, l.held, l.moved,
                                     l.rich, l.level, l.learns, l.from, l.asked, l.told, l.due, l.kept, l.forget,
                                     l.epoch, l.run))
  if renew then
    for _, key in ipairs(KEYS) do
      call('PEXPIRE', key, LASTING * term)
    end
  end
end

-- ---- vessels ----

-- What a vessel holds at a level.
local function share_at(low, high, most, weight, level)
  if level >= TIER then
    low, high, level = high, most, level - TIER
  end
  local share = floor(level * weight / UNITS)
  return share > high and high or share < low and low or share
end

-- Also whether it is next: at the next level the member would have one more.
local function share_of(member)
  local low, high, most, weight, level = member.floor, member.high, member.most, member.weight, ledger.level
  local share = share_at(low, high, most, weight, level)
  return share, share_at(low, high, most, weight, level + 1) > share
end

-- What a member can use is no more than there is.
local function shape(member)
  member.high = max(min(member.wants, ledger.limit), member.floor)
  member.most = max(member.high, member.open)
  member.has = min(member.granted, member.target)
end

-- 1: the member has one of the extras of this level.
local function extra_of(member)
  local share, is_next = share_of(member)
  return member.extra == 1 and member.has > share and is_next and 1 or 0
end

-- The lowest level at which a vessel holds so much.
local function level_of(amount, weight)
  return ceil(amount * UNITS / weight)
end

-- ---- members ----

local function read(number)
  local text = call('HGET', MEMBERS, number)
  if not text then
    return nil
  elseif #text < struct.size(MEMBER) then
    refuse(MEMBERS, 'has a member that no budget wrote')
  end
  local m, at = {}, nil
  m.open, m.wants, m.waiting, m.weight, m.floor, m.granted, m.target, m.extra, m.since, m.asked, m.turn, m.channel,
    at = unpack_text(MEMBER, text)
  m.who = string.sub(text, at)
  shape(m)
  return m
end

local function write(m)
  call('HSET', MEMBERS, id, pack(MEMBER, m.open, m.wants, m.waiting, m.weight, m.floor, m.granted, m.target, m.extra,
                                 m.since, m.asked, m.turn, m.channel) .. m.who)
end

-- One member more, or less, in its class.  Of those with an extra the class says how much they have.
local function count(member, by)
  local extra = member.extra == 1 and member.has or 0
  local class = pack(CLASS, member.floor, member.high, member.most, member.weight, extra)
  if call('HINCRBY', CLASSES, class, by) == 0 then
    call('HDEL', CLASSES, class)
  end
end

local function poor_name(member, number)
  return string.format('%013d %s', member.since, number)
end

-- ---- the level ----

-- False: the ledger is not whole, for the server has dropped one of its keys.
local function find_level()
  local NUMBER, SHARE = 6, 7 -- of a vessel, behind what its class says
  local flat, vessels, members = call('HGETALL', CLASSES), {}, 0
  for i = 1, #flat, 2 do
    if #flat[i] ~= struct.size(CLASS) then
      refuse(CLASSES, 'has a class that no budget wrote')
    end
    local low, high, most, weight, has = unpack_text(CLASS, flat[i])
    local number = flat[i + 1] + 0
    vessels[#vessels + 1] = {low, high, most, weight, has, number, 0}
    members = members + number
  end
  if members ~= ledger.members or call('HLEN', MEMBERS) ~= members or call('ZCARD', ENDS) ~= members then
    return false
  end

  local function left_at(level)
    local left = ledger.limit
    for i = 1, #vessels do
      local vessel = vessels[i]
      left = left - vessel[NUMBER] * share_at(vessel[1], vessel[2], vessel[3], vessel[4], level)
    end
    return left
  end

  -- The highest level at which the shares fit: by halves, as share.c does.  A vessel that is full below the half, or
  -- empty above it, is looked at no more.
  local function level_above(level)
    local over, amount, open = level + ledger.limit * UNITS + UNITS, ledger.limit, vessels
    while over - level > 1 do
      local middle, held, rest = floor((level + over) / 2), 0, {}
      for i = 1, #open do
        local vessel = open[i]
        vessel[SHARE] = share_at(vessel[1], vessel[2], vessel[3], vessel[4], middle)
        held = held + vessel[NUMBER] * vessel[SHARE]
      end
      local fits = held <= amount
      if fits then
        level = middle
      else
        over = middle
      end
      local bound = (fits and 2 or 1) + (middle >= TIER and 1 or 0) -- where it has its most, or its least
      for i = 1, #open do
        local vessel = open[i]
        if vessel[SHARE] == vessel[bound] then
          amount = amount - vessel[NUMBER] * vessel[SHARE]
        else
          rest[#rest + 1] = vessel
        end
      end
      open = rest
    end
    return level
  end

  local level = FULL
  if left_at(FULL) < 0 then
    level = level_above(left_at(TIER) >= 0 and TIER or 0)
  end

  ledger.level, ledger.left, ledger.held = level, left_at(level), 0
  for _, vessel in ipairs(vessels) do
    local low, high, most, weight, has = unpack(vessel)
    local share = share_at(low, high, most, weight, level)
    if has > share and share_at(low, high, most, weight, level + 1) > share then
      ledger.held = ledger.held + vessel[NUMBER]
    end
  end
  ledger.moved, ledger.rich = 0, 1
  ledger.due = now + PAUSE + floor(members / MEMBERS_A_MS) + floor(max(#vessels - FEW, 0) / CLASSES_A_MS)
  return true
end

-- ---- members go ----

local function remove(member, number)
  ledger.held = ledger.held - extra_of(member)
  ledger.granted = ledger.granted - member.granted
  ledger.floors = ledger.floors - member.floor
  ledger.moved = 1
  note_members(-1)
  count(member, -1)
  call('HDEL', MEMBERS, number)
  call('ZREM', ENDS, number)
  call('ZREM', POOR, poor_name(member, number))
  call('ZREM', RICH, number)
end

-- Members whose term is over: they know it themselves, and sooner.
local function forget()
  for _, number in ipairs(call('ZRANGEBYSCORE', ENDS, '-inf', now, 'LIMIT', 0, 16)) do
    local member = read(number)
    if member then
      remove(member, number)
    else
      call('ZREM', ENDS, number)
      ledger.moved = 1
    end
  end
  ledger.forget = (call('ZRANGE', ENDS, 0, 0, 'WITHSCORES')[2] or NEVER) + 0
end

-- ---- who is told ----

local function tell_all()
  local l = ledger
  local lacks = (l.rich == 1 or l.granted < l.limit) and call('EXISTS', POOR) == 1
  if not lacks and l.granted <= l.limit then
    return
  end
  l.told = max(l.told, now - TOLD_SOON * GAP)

  local function may_tell()
    return min(TOLD_AT_ONCE, floor((now - l.told) / GAP))
  end

  local function tell(member, number)
    l.told = l.told + GAP
    call('PUBLISH', LEDGER .. ':' .. member.channel, number)
  end

  -- Returns whether there may be more.
  local function tell_some(most, least, many)
    local least_text, numbers = string.format('%.1f', least), {}
    if many > 0 then
      numbers = call('ZREVRANGEBYSCORE', RICH, most, least_text, 'LIMIT', 0, many)
    end
    for _, number in ipairs(numbers) do
      local member = read(number)
      call('ZREM', RICH, number)
      if member then
        tell(member, number)
      end
    end
    return #numbers == many
  end

  -- Those that have more than their share, the richest first.  Those that do not know that others lack may need less
  -- than they said, and will say so.
  local function tell_rich()
    local over = l.held - l.left
    local more = tell_some('(' .. EXTRA, l.level + 0.5, may_tell())
    if over > 0 then
      more = tell_some('(' .. CALM, EXTRA, min(over, may_tell())) or more
    else
      more = tell_some('(' .. CALM, EXTRA + l.level + 0.5, may_tell()) or more
    end
    if l.level < FULL then
      more = tell_some('+inf', CALM, may_tell()) or more
    end
    l.rich = more and 1 or 0
  end

  -- (L5)  Those that lack, as many as can be served; what is left then is for extras.
  local function tell_poor()
    local free, extras, may = l.limit - l.granted, l.left - l.held, may_tell()
    for _, name in ipairs(call('ZRANGEBYSCORE', POOR, '-inf', '(inf', 'LIMIT', 0, 2 * TOLD_AT_ONCE)) do
      if free <= 0 or may <= 0 then
        return
      end
      local number = string.match(name, ' (%d+)$')
      local member = number and read(number)
      if member then
        local share, is_next = share_of(member)
        local extra = share == member.granted and is_next and extras > 0 and 1 or 0
        if share > member.granted or extra == 1 then
          call('ZADD', POOR, '+inf', name)
          tell(member, number)
          free, extras, may = free - max(share - member.granted, 1), extras - extra, may - 1
        end
      end
    end
  end

  if l.granted < l.limit then
    tell_poor()
  end
  if l.rich == 1 then
    tell_rich()
  end
end

-- ---- a member asks ----

-- Members ask three times in a term.  If none did for half of one, the ledger was out of their reach; and it may not
-- know what they hold where it is in the hands of another process.  It learns for a term of as many members as it knows
-- by then; they ask more often meanwhile, and while it is out of their reach it learns nothing.
local function learn(change)
  local l, silence = ledger, now - ledger.asked
  local had_members = l.members > 0
  note_members(change)
  if l.run ~= ARGV[3] or (silence >= l.term / 2 and (l.learns == 1 or had_members)) then
    l.learns, l.from, l.rich = 1, now, 1
  elseif l.learns == 1 and silence >= 2 * floor(l.term / LEARNS_ASKING) then
    l.from = l.from + silence
  elseif l.learns == 1 and now - l.from >= term then
    l.learns = 0
  end
  l.run, l.asked = ARGV[3], now
end

-- The member is new, and its URL says another limit or term: they hold from now on, if no other's term runs.  What
-- those that are gone may still hold is learned as after any silence.  A server that dropped ENDS does not know it.
local function renew()
  local l = ledger
  if (l.limit == ARGV[4] + 0 and l.term == ARGV[5] + 0) or call('ZCARD', ENDS) ~= l.members - 1 or
     call('ZCOUNT', ENDS, '(' .. now, '+inf') > 0 then
    return
  end
  begin()
  ledger.learns, ledger.from, ledger.epoch = l.learns, l.from, l.epoch
  note_members(1)
end

-- What the member says becomes what the ledger knows, before the level is found.
local function hear(before)
  local since = ARGV[12] + 0
  since = since < 0 and NEVER or now - since
  local member = {
    open = ARGV[7] + 0, wants = ARGV[8] + 0, waiting = ARGV[9] + 0, weight = max(1, min(ARGV[10], WEIGHT_MOST)),
    asked = now, turn = ARGV[13] + 0, channel = ARGV[6], who = ARGV[14], granted = 0, target = 0, extra = 0
  }
  if before then
    ledger.floors = ledger.floors - before.floor
    member.granted, member.target, member.extra = before.granted, before.target, before.extra
    since = abs(since - before.since) <= 20 and before.since or since -- it is in POOR by that name
  end
  member.since = since
  member.floor = min(ARGV[11] + 0, ledger.limit - ledger.floors)
  ledger.floors = ledger.floors + member.floor
  shape(member)
  return member
end

local function note(member, before)
  if not before then
    count(member, 1)
    write(member)
    ledger.moved = 1
  elseif before.open ~= member.open or before.wants ~= member.wants or before.weight ~= member.weight or
         before.floor ~= member.floor then
    count(member, 1)
    count(before, -1)
    ledger.held = ledger.held + extra_of(member) - extra_of(before)
    ledger.moved = 1
  end
  put(ENDS, now + term, id)
  ledger.forget = min(ledger.forget, now + term)
end

-- (L1, L2)  An extra is given with its permit, never without.
local function grant(member)
  local share, is_next = share_of(member)
  local free = max(ledger.limit - (ledger.granted - member.granted), 0)
  local had, had_extra = member.has, member.extra
  ledger.held = ledger.held - extra_of(member)
  local extra = is_next and ledger.held < ledger.left and max(free, member.open) > share and 1 or 0
  ledger.held = ledger.held + extra
  share = share + extra
  local target = ledger.learns == 1 and member.open or share
  local granted = max(member.open, min(target, free))
  ledger.granted = ledger.granted + granted - member.granted
  local has = min(granted, target)
  if extra ~= had_extra or (extra == 1 and has ~= had) then
    count(member, -1)
    member.extra, member.has = extra, has
    count(member, 1)
  end
  member.granted, member.target, member.has = granted, target, has
  return granted < share
end

local function place_poor(member, before)
  local name = poor_name(member, id)
  local was_poor = before and before.granted < before.high and poor_name(before, id)
  if was_poor and (was_poor ~= name or member.granted >= member.high) then
    call('ZREM', POOR, was_poor)
  end
  if member.granted < member.high then
    put(POOR, member.granted < member.floor and 0 or level_of(member.granted + 1, member.weight), name)
  end
end

local function place_rich(member, before, pressed)
  local has, score = member.has - member.extra, 0
  if has > member.floor then
    score = (has <= member.high and 0 or TIER) + level_of(has, member.weight)
  end
  if not pressed and member.granted > 0 then
    put(RICH, CALM, id)
  elseif score > 0 or member.extra == 1 then
    put(RICH, score + member.extra * EXTRA, id)
  elseif before then
    call('ZREM', RICH, id)
  end
end

-- When the ledger has learned, its members ask one behind the other.
local function again_of(lacks)
  local again, gap = floor(term / 3), GAP * ledger.members
  if ledger.learns == 1 then
    local turn = string.sub(id, -6) % ledger.members
    again = min(floor(ledger.term / LEARNS_ASKING), ledger.from + term - now + GAP * turn)
  elseif ledger.moved == 1 and (lacks or ledger.level < FULL) then
    again = min(again, ledger.due - now)
  end
  if now - ledger.told < GAP then
    again = min(again, PAUSE) -- it has the next told, for no more could be told now
  end
  return max(again, gap)
end

local function answer(member, pressed, lacks)
  return {
    ledger.epoch, term, GAP * ledger.members, again_of(lacks), member.granted, member.target, ledger.limit,
    pressed and 1 or 0, ledger.learns
  }
end

-- The server's clock may have been set.  A little back is as if no time had passed.  From further back the ledger is
-- lost, for no term may be over here before it is over for its member.
local function hold_time()
  if now < ledger.asked - ledger.term then
    begin()
  end
  now = max(now, ledger.asked)
end

local function sync()
  if load() then
    hold_time()
  else
    begin()
  end
  local before = read(id)
  if before and before.turn > ARGV[13] + 0 then
    return {} -- overtaken by a later one of the same member, by another connection
  end
  learn(before and 0 or 1)
  if not before then
    renew()
  end
  local member = hear(before)
  note(member, before)
  if now >= ledger.forget then
    forget()
  end
  if ledger.moved == 1 and now >= ledger.due and not find_level() then
    call('DEL', LEDGER)
    return sync()
  end
  local lacks = grant(member)
  place_poor(member, before)
  local pressed = ledger.level < FULL or call('EXISTS', POOR) == 1
  place_rich(member, before, pressed)
  write(member)
  if ledger.learns == 0 then
    tell_all()
  end
  save()
  return answer(member, pressed, lacks)
end

-- ---- the others ----

-- What becomes free is told at once, unless many are leaving.
local function leave()
  local member = load() and read(id)
  if not member then
    return {}
  end
  now = max(now, ledger.asked)
  remove(member, id)
  if now >= ledger.due - PAUSE and not find_level() then
    call('DEL', LEDGER)
    return {}
  end
  if ledger.learns == 0 then
    tell_all()
  end
  save()
  return {}
end

local function look()
  if not load() then
    return {}
  end
  local learns = ledger.learns * max(ledger.from + term - now, 0)
  return {now, ledger.limit, ledger.granted, learns, call('HGETALL', MEMBERS)}
end

local time = redis.call('TIME')
now = time[1] * 1000 + floor(time[2] / 1000)
local done, result = pcall(({sync = sync, leave = leave, look = look})[ARGV[1]])
return done and result or redis.error_reply(result)
