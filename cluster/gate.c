#include "gate.h"

#include "rights.h"
#include "sp.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

const char *gate_greet(const struct gate *gate, int protocol)
{
    switch (protocol) {
    case SP_REQ:
    case SP_PUSH:
        return gate->grant & RIGHT_SEND ? NULL : "denied: REQ and PUSH need grant: [send]";
    case SP_SUB:
        return gate->grant & RIGHT_LOOK ? NULL : "denied: SUB needs grant: [look]";
    case -1:
        return "no greeting of nng";
    default:
        return "another pattern than REQ, PUSH and SUB";
    }
}

/* The node's own are open to nobody, whatever the patterns say. */
static bool is_open(const struct gate *gate, const char *path)
{
    if (addr_is_within(path, "sys"))
        return false;
    if (gate->actor_count == 0)
        return !addr_is_within(path, ADDR_RUN);
    for (size_t i = 0; i < gate->actor_count; i++)
        if (fnmatch(gate->actors[i], path, FNM_PATHNAME | FNM_NOESCAPE) == 0)
            return true;
    return false;
}

static const char *check(const struct gate *gate, const struct addr *addr)
{
    if (*addr->node && strcmp(addr->node, gate->node) != 0)
        return "denied another node's gateway has its actors";
    if (addr->incarnation)
        return "bad_message an address with #: expected one without";
    return is_open(gate, addr->path) ? NULL : "denied";
}

const char *gate_read(const struct gate *gate, const uint8_t *body, size_t size,
                      struct gate_letter *letter)
{
    const uint8_t *tab = size ? memchr(body, '\t', size) : NULL;
    char text[ADDR_TEXT_MAX + 1];
    struct addr addr;
    size_t length;
    const char *why;

    *letter = (struct gate_letter){0};
    if (!tab)
        return "bad_message expected ADDRESS, TAB, MESSAGE";
    length = (size_t)(tab - body);
    if (length > ADDR_TEXT_MAX || memchr(body, '\0', length))
        return "bad_message no address";
    memcpy(text, body, length);
    text[length] = '\0';
    if (addr_parse(text, &addr, &why) < 0 || !*addr.path)
        return "bad_message no address";
    memcpy(letter->path, addr.path, sizeof letter->path);
    letter->message = tab + 1;
    letter->size = size - length - 1;
    return check(gate, &addr);
}

/* ---- hosts -------------------------------------------------------------------------------------
 */

static void copy_host(const char *remote, char out[GATE_HOST_MAX + 1])
{
    const char *host = strstr(remote, "//"), *colon;
    size_t length;

    host = host ? host + 2 : remote;
    host += *host == '[';
    colon = strrchr(host, ':');
    length = colon ? (size_t)(colon - host) : strlen(host);
    length -= length && host[length - 1] == ']';
    snprintf(out, GATE_HOST_MAX + 1, "%.*s", (int)length, host);
}

void gate_host(const char *remote, char out[GATE_HOST_MAX + 1])
{
    struct in6_addr address;

    copy_host(remote, out);
    if (inet_pton(AF_INET6, out, &address) != 1)
        return;
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
        inet_ntop(AF_INET, address.s6_addr + 12, out, GATE_HOST_MAX + 1);
        return;
    }
    memset(address.s6_addr + 8, 0, 8);
    inet_ntop(AF_INET6, &address, out, GATE_HOST_MAX + 1);
}
