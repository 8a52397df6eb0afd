#include "lookup.h"

#include "runtime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One that waits, on the stack of its asker. */
struct lookup {
    LIST_ENTRY(lookup) in_contact;
    bool done;
    int failure;                   /* an errno; 0: found */
    char address[ADDR_TEXT_MAX + 1];
};

static void finish(struct lookup *lookup, int failure)
{
    lookup->failure = failure;
    lookup->done = true;
}

void lookup_on_open(struct contact *contact)
{
    struct lookup *lookup;

    LIST_FOREACH(lookup, &contact->lookups, in_contact)
    {
        snprintf(lookup->address, sizeof lookup->address, "%s", peer_remote(contact->peer));
        finish(lookup, 0);
    }
}

void lookup_on_nobody(struct contact *contact)
{
    struct lookup *lookup;

    LIST_FOREACH(lookup, &contact->lookups, in_contact)
    finish(lookup, ENOENT);
}

static void wait_for(struct lookup *lookup, struct contact *contact, int64_t timeout_ms)
{
    struct troupe *self = contact->self;

    LIST_INSERT_HEAD(&contact->lookups, lookup, in_contact);
    if (!agenda_wait_for(self, &lookup->done, timeout_ms))
        lookup->failure = self->ending ? EINTR : ETIMEDOUT;
    LIST_REMOVE(lookup, in_contact);
}

static int copy(const char *address, char *out, size_t size)
{
    if (snprintf(out, size, "%s", address) < (int)size)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

int troupe_lookup(struct troupe *self, const char *path, int64_t timeout_ms, char *out, size_t size)
{
    struct lookup lookup = {0};
    uint64_t incarnation;
    struct contact *contact = contact_of(self, path, &incarnation);

    if (!contact || contact_connect(contact) < 0)
        return -1;
    if (*contact_remote(contact))
        return copy(contact_remote(contact), out, size);
    wait_for(&lookup, contact, timeout_ms > 0 ? timeout_ms : CALL_DEFAULT_MS);
    if (!lookup.failure)
        return copy(lookup.address, out, size);
    errno = lookup.failure;
    return -1;
}
