#include "following.h"

#include "group_name.h"
#include "runtime.h"

#include <stdio.h>
#include <string.h>

/* sys/node@NODE; false: the path is of this node, or a sys/node's own. */
static bool relay_of(const char *path, char out[ADDR_TEXT_MAX + 1])
{
    const char *node = strchr(path, '@');

    if (!node || !strncmp(path, PEER_NODE "@", sizeof PEER_NODE))
        return false;
    snprintf(out, ADDR_TEXT_MAX + 1, PEER_NODE "%s", node);
    return true;
}

bool following_is_needed(struct troupe *self, const char *path)
{
    char relay[ADDR_TEXT_MAX + 1];
    const struct contact *contact = relay_of(path, relay) ? contact_known(self, relay) : NULL;

    return contact && contact->has_relayed;
}

static void on_settled(struct troupe *self, struct troupe_message **answer, void *data)
{
    (void)self;
    (void)answer; /* whatever it is: nothing of them comes after this */
    contact_follow(data);
}

int following_begin(struct contact *contact)
{
    char relay[ADDR_TEXT_MAX + 1];
    struct call_request request = {.to = relay,
                                   .name = GROUP_SETTLED,
                                   .payload = contact->path,
                                   .size = strcspn(contact->path, "@"),
                                   .done = on_settled,
                                   .data = contact};

    relay_of(contact->path, relay);
    return call_start(contact->self, &request);
}
