-- Asks the auth server about one request, by the HTTP client that HAProxy brings since 2.5.
-- On 200 the identity of the key goes into variables of the transaction; a rejection goes to the
-- client, and the request ends here. In every other case nothing is set, and haproxy.cfg responds 503:
-- without an answer, and also if this script fails. Where HAProxy has no memory for Lua, no line of
-- it runs.

local CREDENTIALS = { "authorization", "x-api-key", "api-key" }
local TOLD = { "www-authenticate", "retry-after", "content-type", "cache-control" }
local PROBLEM = "application/problem+json"
local MILLISECONDS = 1000
-- The identity headers, and the variables from which haproxy.cfg sets them. The id is the last:
-- haproxy.cfg goes by it.
local IDENTITY = {
    { "x-api-key-name", "txn.key_name" },
    { "x-api-key-owner", "txn.key_owner" },
    { "x-api-key-expires-at", "txn.key_expires_at" },
    { "x-api-key-id", "txn.key_id" },
}

-- The value of a header, or nil where it is absent or empty.
local function first(headers, name)
    local value = headers and headers[name] and headers[name][0]
    return value ~= "" and value or nil
end

-- Only what carries a key is sent, each as often as the client sent it.
local function credentials(txn)
    local sent, headers = txn.http:req_get_headers(), {}
    for _, name in ipairs(CREDENTIALS) do
        local values = sent[name]
        if values then
            local list, index = {}, 0
            while values[index] do
                list[index + 1] = values[index]
                index = index + 1
            end
            headers[name] = list
        end
    end
    return headers
end

local function reject(txn, status, headers, body)
    local reply = txn:reply({ status = status })
    for name, value in pairs(headers) do
        reply:add_header(name, value)
    end
    reply:set_body(body)
    txn:done(reply)
end

local function ask(txn)
    return core.httpclient():get({
        url = txn:get_var("txn.verify_url"),
        headers = credentials(txn),
        timeout = MILLISECONDS,
    })
end

-- Sets every variable, or none if the answer lacks a header.
local function identify(txn, headers)
    for _, pair in ipairs(IDENTITY) do
        if not first(headers, pair[1]) then
            return
        end
    end
    for _, pair in ipairs(IDENTITY) do
        txn:set_var(pair[2], first(headers, pair[1]))
    end
end

core.register_action("verify", { "http-req" }, function(txn)
    local asked, answer = pcall(ask, txn)
    if not asked or not answer then
        return
    end
    if answer.status == 200 then
        identify(txn, answer.headers)
    elseif answer.status >= 400 and first(answer.headers, "content-type") == PROBLEM then
        -- Without a problem it is HAProxy's own 503, for an auth server that did not answer.
        local told = {}
        for _, header in ipairs(TOLD) do
            told[header] = first(answer.headers, header)
        end
        reject(txn, answer.status, told, answer.body or "")
    elseif answer.status == 400 then
        -- A header with control characters in it, which HAProxy hands on and the auth server rejects.
        reject(txn, 400, {}, "")
    end
end)
