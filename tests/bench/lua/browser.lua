-- What a browser sends: 16 fields, about 900 bytes, and another user in each request, so that nothing that
-- a proxy remembers of an earlier head helps it.
before = table.concat({
  " HTTP/1.1",
  "Host: app.example.test",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Referer: https://app.example.test/projects/41/traces?from=2026-01-01&to=2026-01-31",
  "sec-ch-ua: \"Chromium\";v=\"142\", \"Google Chrome\";v=\"142\", \"Not_A Brand\";v=\"99\"",
  "sec-ch-ua-mobile: ?0",
  "sec-ch-ua-platform: \"Linux\"",
  "Sec-Fetch-Dest: document",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-Site: same-origin",
  "Upgrade-Insecure-Requests: 1",
  "Cache-Control: max-age=0",
  "Priority: u=0, i",
  "Cookie: theme=dark; session=MTczMjM0NTY3OHxEdi1CQkFFQ180SUFBUkFCRUFBQV; cutover_id=",
}, "\r\n")
after = "\r\n\r\n"
local random, format = math.random, string.format

function init(args)
  math.randomseed(os.time())
end

function new_user()
  return format("%08x%08x%08x%08x",
    random(0, 0x7fffffff), random(0, 0x7fffffff), random(0, 0x7fffffff), random(0, 0x7fffffff))
end

function request()
  return "GET /" .. before .. new_user() .. after
end
