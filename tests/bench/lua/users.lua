-- After browser.lua: 1,000 users who come back, each to any of 10 pages; so 10,000 heads that repeat.
local heads = {}

function request()
  if #heads == 0 then
    for user = 1, 1000 do
      local id = new_user()
      for page = 1, 10 do
        heads[#heads + 1] = "GET /page/" .. page .. before .. id .. after
      end
    end
  end
  return heads[math.random(#heads)]
end
