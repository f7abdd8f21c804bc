-- Loads one operation as its spec says, and checks each answer. wrk … -s load.lua URL -- spec.lua
-- One thread, so one Lua state: what is sent next comes from one queue for all connections.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

local spec, queue, first, last, seen, keep, number, ffi, clock

local function now()
  ffi.C.gettimeofday(clock, nil)
  return tonumber(clock.seconds) + tonumber(clock.micros) / 1e6
end

function init(args)
  spec = dofile(args[1])
  queue, seen, number = {}, {}, spec.first or 0
  first, last = 1, 0
  sent, bad, sample, exhausted, began, ended = 0, 0, "", 0, 0, 0
  ffi = require("ffi")
  ffi.cdef("typedef struct { long seconds; long micros; } time_of_day; int gettimeofday(time_of_day *, void *);")
  clock = ffi.new("time_of_day")
  if spec.seeds then
    for line in io.lines(spec.seeds) do
      local vars, at = {}, 1
      for value in (line .. "\t"):gmatch("([^\t]*)\t") do
        vars[spec.names[at]] = value
        at = at + 1
      end
      last = last + 1
      queue[last] = vars
    end
  end
  keep, kept, kept_in = spec.keep, {}, spec.keep or ""
end

local function fill(text, vars)
  return (text:gsub("{{([%w_]+)}}", vars))
end

local function person()
  local vars = { n = tostring(number) }
  number = number + 1
  for name, text in pairs(spec.person) do vars[name] = fill(text, vars) end
  return vars
end

local function pop()
  local vars = queue[first]
  if vars then
    queue[first] = nil
    first = first + 1
  end
  return vars
end

local function push(vars)
  last = last + 1
  queue[last] = vars
end

local function next_vars()
  if spec.kind == "unique" then return person() end
  local vars = pop()
  if vars and spec.kind == "round" then push(vars) end
  return vars
end


function request()
  local vars = next_vars()
  if not vars then
    if exhausted == 0 then exhausted, ended = 1, now() end
    wrk.thread:stop()
    return wrk.format("GET", spec.ready)
  end
  if sent == 0 then began = now() end
  sent = sent + 1
  local headers = {}
  for name, value in pairs(spec.headers) do headers[name] = fill(value, vars) end
  return wrk.format(spec.method, fill(spec.path, vars), headers, spec.body and fill(spec.body, vars) or nil)
end

local function complain(status, body)
  bad = bad + 1
  if sample == "" then sample = status .. " " .. body:sub(1, 160):gsub("[%c\"\\]", " ") end
end

local function taken(body)
  local vars = {}
  for name, pattern in pairs(spec.takes) do
    local value = body:match(pattern)
    if not value then return nil end
    vars[name] = value
  end
  return vars
end

function response(status, headers, body)
  if exhausted == 1 then return end
  local vars = status == spec.status and (not spec.extra or body:find(spec.extra)) and taken(body)
  if not vars then return complain(status, body) end
  if spec.kind == "chain" then
    if seen[vars.refresh_token] then return complain(status, "a repeated refresh token: " .. body) end
    seen[vars.refresh_token] = true
    push(vars)
  end
  if keep then
    local values = {}
    for at, name in ipairs(spec.kept) do values[at] = vars[name] or "" end
    kept[#kept + 1] = table.concat(values, "\t")
  end
end

function done(summary, latency)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  local thread = threads[1]
  if thread:get("kept_in") ~= "" then
    local file = io.open(thread:get("kept_in"), "w")
    for _, line in ipairs(thread:get("kept")) do file:write(line, "\n") end
    file:close()
  end
  local seconds = summary.duration / 1e6
  if thread:get("ended") > 0 then seconds = thread:get("ended") - thread:get("began") end
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "sent": %d, "bad": %d, "lost": %d, "sample": "%s"}\n',
    summary.requests, seconds, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    thread:get("sent"), thread:get("bad"), lost, thread:get("sample")))
end
