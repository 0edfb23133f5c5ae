-- Asks Tokenwright about a request, and leaves the verdict in txn.tw_status and who it is in X-Auth-Token-* headers.

local told = {
  "x-auth-token-id", "x-auth-token-name", "x-auth-token-owner",
  "x-auth-token-project", "x-auth-token-groups", "x-auth-token-expires-at",
}

-- HAProxy counts the values of a header from 0.
local function first(headers, name)
  local values = headers and headers[name]
  return values and (values[0] or values[1])
end

core.register_action("tokenwright", { "http-req" }, function(txn, url)
  txn:set_var("txn.tw_status", 503)
  local sent = { ["host"] = { url:match("^https?://([^/]+)") }, ["x-forwarded-for"] = { txn.f:src() } }
  local credentials = txn.http:req_get_headers()["authorization"]
  if credentials then
    -- Every one of them: two are no credential, and Tokenwright says so.
    local all = {}
    for _, value in pairs(credentials) do table.insert(all, value) end
    sent["authorization"] = all
  end
  local asked, answer = pcall(function()
    return core.httpclient():get({ url = url, headers = sent, timeout = 5000 })
  end)
  if not asked or not answer or not answer.status then return end
  txn:set_var("txn.tw_status", answer.status)
  txn:set_var("txn.tw_challenge", first(answer.headers, "www-authenticate") or "Bearer")
  txn:set_var("txn.tw_retry_after", first(answer.headers, "retry-after") or "1")
  if answer.status ~= 200 then return end
  for _, name in ipairs(told) do
    local value = first(answer.headers, name)
    if value then txn.http:req_set_header(name, value) end
  end
end, 1)
