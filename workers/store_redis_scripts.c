#include "store_redis_scripts.h"

/* Numbers stay texts: Lua's are doubles, and would be written as 1.7e+15. */

#define IS_OWNER(place)                                                                            \
    "local owner = ARGV[1] == '0' "                                                                \
    "if not owner then "                                                                           \
    " local p = redis.call('hmget', " place ", 'epoch', 'node') "                                  \
    " owner = p[1] == ARGV[1] and p[2] ~= '' "                                                     \
    "end "

#define NODE_ROW "local row = KEYS[1] .. ':' .. ARGV[1] .. ':' .. ARGV[2] "

const char *const redis_scripts[REDIS_SCRIPTS] = {
    /* schema. Version 2 has added a field, saved_us, and 3 another, schema, whose absence reads as 0; 4 has
     * added reminders: there is nothing to rewrite. 5 keeps no epochs of reminders any more. */
    [SCRIPT_SCHEMA] = "local version = tonumber(redis.call('get', KEYS[1]) or '0') "
                      "if version > 5 then return redis.error_reply('the schema was written by a newer Troupe') end "
                      "if version < 5 then "
                      " redis.call('del', 'troupe:{reminders}:epochs') "
                      " redis.call('set', KEYS[1], '5') "
                      "end "
                      "return 'OK'",

    /* place, state; epoch, expected version, value, writer, now, schema */
    [SCRIPT_STATE_PUT] =
        IS_OWNER("KEYS[1]") "local r = redis.call('hmget', KEYS[2], 'version', 'writer') "
                 "local version = r[1] or '0' "
                 "if r[2] == ARGV[4] then return {'ok', version} end "
                 "if not owner then return {'fenced', version} end "
                 "if ARGV[2] ~= '-1' and ARGV[2] ~= version then return {'conflict', version} end "
                 "if version == '0' then redis.call('hset', KEYS[2], 'version', ARGV[5]) "
                 "else redis.call('hincrby', KEYS[2], 'version', 1) end "
                 "redis.call('hset', KEYS[2], 'value', ARGV[3], 'epoch', ARGV[1], 'writer', ARGV[4], 'saved_us', ARGV[5], "
                 " 'schema', ARGV[6]) "
                 "return {'ok', redis.call('hget', KEYS[2], 'version')}",

    /* place, state; epoch, expected version, again */
    [SCRIPT_STATE_REMOVE] =
        IS_OWNER("KEYS[1]") "local version = redis.call('hget', KEYS[2], 'version') or '0' "
                 "if not owner then return {'fenced', version} end "
                 "if version == '0' then return {ARGV[3] == 'true' and 'ok' or 'not_found', version} end "
                 "if ARGV[2] ~= '-1' and ARGV[2] ~= version then return {'conflict', version} end "
                 "redis.call('del', KEYS[2]) "
                 "return {'ok', version}",

    /* ; cursor, pattern → the next cursor, then key, version, size, saved_us of each found */
    [SCRIPT_STATE_PAGE] =
        "local page = redis.call('scan', ARGV[1], 'match', ARGV[2], 'count', 1000) "
        "local out = {page[1]} "
        "for _, key in ipairs(page[2]) do "
        " local r = redis.call('hmget', key, 'version', 'saved_us') "
        " if r[1] then "
        "  out[#out + 1] = key out[#out + 1] = r[1] "
        "  out[#out + 1] = tostring(redis.call('hstrlen', key, 'value')) out[#out + 1] = r[2] or '0' "
        " end "
        "end "
        "return out",

    /* place; node, generation, the claimer's own epoch, writer, an epoch whose holder is dead. The new
     * epoch is taken in the same step: so the epochs of an id only grow, also when its row was gone. */
    [SCRIPT_PLACE_CLAIM] =
        "local p = redis.call('hmget', KEYS[1], 'node', 'generation', 'epoch', 'writer') "
        "if p[1] and p[1] ~= '' then "
        " if p[4] == ARGV[4] then return {'ok', p[3], p[1], p[2]} end "
        " local mine = p[1] == ARGV[1] and p[2] == ARGV[2] and p[3] == ARGV[3] "
        " if not mine and p[3] ~= ARGV[5] then return {'held', p[3], p[1], p[2]} end "
        "end "
        "redis.call('incr', 'troupe:epoch') "
        "local epoch = redis.call('get', 'troupe:epoch') "
        "redis.call('hset', KEYS[1], 'node', ARGV[1], 'generation', ARGV[2], 'epoch', epoch, 'writer', ARGV[4]) "
        "return {'ok', epoch, ARGV[1], ARGV[2]}",

    /* place; epoch */
    [SCRIPT_PLACE_FREE] = "local epoch = redis.call('hget', KEYS[1], 'epoch') "
                          "if not epoch then return {'not_found', '0'} end "
                          "if epoch ~= ARGV[1] then return {'conflict', epoch} end "
                          "redis.call('del', KEYS[1]) "
                          "return {'ok', epoch}",

    /* ; cursor, pattern → the next cursor, then key, node, generation, epoch of each found */
    [SCRIPT_PLACE_PAGE] =
        "local page = redis.call('scan', ARGV[1], 'match', ARGV[2], 'count', 1000) "
        "local out = {page[1]} "
        "for _, key in ipairs(page[2]) do "
        " local r = redis.call('hmget', key, 'node', 'generation', 'epoch') "
        " if r[3] then out[#out + 1] = key for i = 1, 3 do out[#out + 1] = r[i] or '' end end "
        "end "
        "return out",

    /* reminder, reminders; epoch, expected version, due, period, message, writer, now, member, place */
    [SCRIPT_REMINDER_PUT] =
        IS_OWNER("ARGV[9]")
        "local r = redis.call('hmget', KEYS[1], 'version', 'writer') "
        "local version = r[1] or '0' "
        "if r[2] == ARGV[6] then return {'ok', version} end "
        "if not owner then return {'fenced', version} end "
        "if ARGV[2] ~= '-1' and ARGV[2] ~= version then return {'conflict', version} end "
        "if version == '0' then redis.call('hset', KEYS[1], 'version', ARGV[7]) "
        "else redis.call('hincrby', KEYS[1], 'version', 1) end "
        "redis.call('hset', KEYS[1], 'due', ARGV[3], 'period', ARGV[4], 'message', ARGV[5], 'writer', ARGV[6]) "
        "redis.call('zadd', KEYS[2], ARGV[3], ARGV[8]) "
        "return {'ok', redis.call('hget', KEYS[1], 'version')}",

    /* reminder, reminders; epoch, expected version, again, member, place */
    [SCRIPT_REMINDER_REMOVE] =
        IS_OWNER("ARGV[5]")
        "local version = redis.call('hget', KEYS[1], 'version') or '0' "
        "if not owner then return {'fenced', version} end "
        "if version == '0' then return {ARGV[3] == 'true' and 'ok' or 'not_found', version} end "
        "if ARGV[2] ~= '-1' and ARGV[2] ~= version then return {'conflict', version} end "
        "redis.call('del', KEYS[1]) redis.call('zrem', KEYS[2], ARGV[4]) "
        "return {'ok', version}",

    /* reminder, reminders; expected version, due, writer, member */
    [SCRIPT_REMINDER_ADVANCE] =
        "local r = redis.call('hmget', KEYS[1], 'version', 'writer') "
        "if not r[1] then return {'not_found', '0'} end "
        "if r[2] == ARGV[3] then return {'ok', r[1]} end "
        "if ARGV[1] ~= '-1' and ARGV[1] ~= r[1] then return {'conflict', r[1]} end "
        "redis.call('hincrby', KEYS[1], 'version', 1) "
        "redis.call('hset', KEYS[1], 'due', ARGV[2], 'writer', ARGV[3]) "
        "redis.call('zadd', KEYS[2], ARGV[2], ARGV[4]) "
        "return {'ok', redis.call('hget', KEYS[1], 'version')}",

    /* reminders; until, limit → all columns of those that are due, in order */
    [SCRIPT_REMINDER_DUE] =
        "local out = {} "
        "for _, member in ipairs(redis.call('zrangebyscore', KEYS[1], '-inf', ARGV[1], 'limit', 0, ARGV[2])) do "
        " local r = redis.call('hmget', KEYS[1] .. ':' .. member, 'due', 'period', 'message', 'version') "
        " local service, id, name = member:match('^(.*)/([^/]*):([^/:]*)$') "
        " if r[1] and service then "
        "  out[#out + 1] = service out[#out + 1] = id out[#out + 1] = name "
        "  for i = 1, 4 do out[#out + 1] = r[i] end "
        " end "
        "end "
        "return out",

    /* nodes; name, generation, state, url, services, load, again */
    [SCRIPT_NODE_INSERT] =
        NODE_ROW "local present = redis.call('hget', row, 'state') "
                 "if present then "
                 " return {ARGV[7] == 'true' and present == ARGV[3] and 'ok' or 'conflict', ARGV[2], present} "
                 "end "
                 "for _, member in ipairs(redis.call('smembers', KEYS[1])) do "
                 " local name, generation = member:match('^(.*):(.*)$') "
                 " local state = redis.call('hget', KEYS[1] .. ':' .. member, 'state') "
                 " if name == ARGV[1] and state ~= 'dead' then return {'conflict', generation, state} end "
                 "end "
                 "redis.call('sadd', KEYS[1], ARGV[1] .. ':' .. ARGV[2]) "
                 "redis.call('hset', row, 'state', ARGV[3], 'beat', '0', 'url', ARGV[4], 'services', ARGV[5], 'load', ARGV[6]) "
                 "return {'ok', ARGV[2], ARGV[3]}",

    /* nodes; name, generation, state, load */
    [SCRIPT_NODE_BEAT] = NODE_ROW "local r = redis.call('hmget', row, 'state', 'beat') "
                                  "if not r[1] then return {'not_found', '', '0'} end "
                                  "if r[1] ~= ARGV[3] then return {'conflict', r[1], r[2]} end "
                                  "redis.call('hincrby', row, 'beat', 1) "
                                  "redis.call('hset', row, 'load', ARGV[4]) "
                                  "return {'ok', r[1], redis.call('hget', row, 'beat')}",

    /* nodes; name, generation, state, beat, wanted */
    [SCRIPT_NODE_SET] =
        NODE_ROW "local r = redis.call('hmget', row, 'state', 'beat') "
                 "if not r[1] then return {'not_found', '', '0'} end "
                 "if r[1] == ARGV[5] then return {'ok', r[1], r[2]} end "
                 "if r[1] == 'dead' or r[1] ~= ARGV[3] or (ARGV[4] ~= '-1' and ARGV[4] ~= r[2]) then "
                 " return {'conflict', r[1], r[2]} end "
                 "redis.call('hset', row, 'state', ARGV[5]) "
                 "return {'ok', ARGV[5], r[2]}",

    /* nodes; name, generation, again */
    [SCRIPT_NODE_REMOVE] =
        NODE_ROW "local state = redis.call('hget', row, 'state') "
                 "if not state then return {ARGV[3] == 'true' and 'ok' or 'not_found', '', '0'} end "
                 "if state ~= 'dead' then return {'conflict', state, '0'} end "
                 "redis.call('del', row) "
                 "redis.call('srem', KEYS[1], ARGV[1] .. ':' .. ARGV[2]) "
                 "return {'ok', state, '0'}",

    /* nodes → all columns of all, in order */
    [SCRIPT_NODE_LIST] =
        "local members, out = redis.call('smembers', KEYS[1]), {} "
        "table.sort(members) "
        "for _, member in ipairs(members) do "
        " local r = redis.call('hmget', KEYS[1] .. ':' .. member, 'state', 'beat', 'url', 'services', 'load') "
        " local name, generation = member:match('^(.*):(.*)$') "
        " out[#out + 1] = name out[#out + 1] = generation "
        " for i = 1, 5 do out[#out + 1] = r[i] or '' end "
        "end "
        "return out",
};
