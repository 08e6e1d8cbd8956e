-- A little of everything: closures, strings, tables, sorting, coroutines, errors,
-- metatables. The first argument scales the work.
local rounds = tonumber(arg[1] or "20")

local function digest(text)
  local d = 5381
  for i = 1, #text do d = (d * 33 + text:byte(i)) & 0xffffffff end
  return string.format("%08x", d)
end

local seed = 42
local function random(n)
  seed = (seed * 1103515245 + 12345) & 0x7fffffff
  return (seed >> 8) % n
end

local function closures()
  local function counter(step)
    local n = 0
    return function() n = n + step; return n end
  end
  local sum, all = 0, {}
  for i = 1, 50 do all[i] = counter(i) end
  for i = 1, 20000 do sum = (sum + all[i % 50 + 1]()) & 0xffffffff end
  return sum
end

local function strings()
  local parts = {}
  for i = 1, 2000 do parts[#parts + 1] = string.format("%d:%x;", i * 7, i * i) end
  local text = table.concat(parts)
  local count = 0
  for a, b in text:gmatch("(%d+):(%x+);") do
    if tonumber(a) % 3 == #b % 3 then count = count + 1 end
  end
  return digest(text:upper():gsub("(%d)A", "<%1>"):reverse()) .. " " .. count
end

local function sorting()
  local t = {}
  for i = 1, 3000 do t[i] = { key = random(100000), serial = i } end
  table.sort(t, function(a, b)
    if a.key ~= b.key then return a.key < b.key end
    return a.serial > b.serial
  end)
  local d = 0
  for i = 1, #t do d = (d * 31 + t[i].serial) & 0xffffffff end
  return d
end

local function errors()
  local caught = {}
  for i = 1, 300 do
    local ok, message = pcall(function()
      if i % 3 == 0 then error({ code = i }) end
      if i % 3 == 1 then error("plain " .. i, 0) end
      return nil + i
    end)
    caught[i] = ok and "ok" or type(message) == "table" and message.code or #message
  end
  return digest(table.concat(caught, ","))
end

local Point = {}
Point.__index = Point
Point.__add = function(a, b) return setmetatable({ x = a.x + b.x, y = a.y - b.y }, Point) end
Point.__eq = function(a, b) return a.x == b.x and a.y == b.y end
function Point:length() return math.abs(self.x) + math.abs(self.y) end

local function objects()
  local p, sum = setmetatable({ x = 0, y = 0 }, Point), 0
  for i = 1, 5000 do
    p = p + setmetatable({ x = i % 7, y = i % 5 }, Point)
    sum = sum + p:length()
  end
  return sum
end

local function coroutines()
  local function tree(n)
    if n > 0 then
      tree(n - 1)
      coroutine.yield(n)
      tree(n - 1)
    end
  end
  local d = 0
  for v in coroutine.wrap(function() tree(10) end) do d = (d * 3 + v) & 0xffffffff end
  return d
end

local function queens(n)
  local count, columns, up, down = 0, {}, {}, {}
  local function place(row)
    if row > n then count = count + 1; return end
    for c = 1, n do
      if not (columns[c] or up[row + c] or down[row - c]) then
        columns[c], up[row + c], down[row - c] = true, true, true
        place(row + 1)
        columns[c], up[row + c], down[row - c] = nil, nil, nil
      end
    end
  end
  place(1)
  return count
end

for round = 1, rounds do
  local results = {
    closures(), strings(), sorting(), errors(), objects(), coroutines(), queens(6),
  }
  if round == 1 or round == rounds then print(round, table.concat(results, " ")) end
end
print(string.format("%.6f %g %d", math.pi, 1e100, math.maxinteger), 7 // 2, -7 % 3, 2 ^ 10)
