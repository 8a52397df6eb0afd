#include "luggage.h"

#include "fence.h"
#include "satchel.h"
#include "store.h"
#include "supervisor.h"

#include <stdlib.h>
#include <string.h>

/* ---- what it is told ------------------------------------------------------------------------ */

static void tell_readiness(struct environment *environment, const struct child *child)
{
    const struct spec *spec = child->spec;

    if (spec->ready == READY_NOTIFY)
        environment_set(environment, "TROUPE_READY_FD", "%d", BOOT_FD_SPARE);
    if (!child->probe.notify_name[0])
        return;
    environment_set(environment, "NOTIFY_SOCKET", "%s", child->probe.notify_name);
    if (spec->watchdog_ms > 0) {
        environment_set(environment, "WATCHDOG_USEC", "%llu",
                        (unsigned long long)spec->watchdog_ms * 1000);
        environment_set_pid(environment, "WATCHDOG_PID");
    }
}

static void tell_mailbox(struct environment *environment, const struct child *child)
{
    if (child->mailbox_fd < 0)
        return;
    environment_set(environment, "TROUPE_MAILBOX", "%s/%s", child->supervisor->node->run_dir,
                    child->path);
    environment_set(environment, "LISTEN_FDS", "1");
    environment_set_pid(environment, "LISTEN_PID");
    environment_set(environment, "LISTEN_FDNAMES", "mailbox");
    environment_set(environment, "TROUPE_STATS", "%d:%llu", BOOT_FD_STATS,
                    (unsigned long long)pages_offset(child));
}

/* The pair as this replica has it: itself, if it does not speak of the replica. */
static char *expanded(const struct luggage *luggage, char *pair)
{
    char *text, *kept;

    if (!strstr(pair, "${"))
        return pair;
    text = spec_expand_replica(pair, luggage->spec.replica);
    kept = satchel_keep_text(text);
    if (!kept && luggage->is_unpacked)
        return text;
    free(text);
    return kept;
}

static size_t length_of(char *const *texts)
{
    size_t n = 0;

    while (texts[n])
        n++;
    return n;
}

static void tell(struct luggage *luggage)
{
    const struct child *child = &luggage->child;
    const struct node *node = child->supervisor->node;
    struct environment *environment = &luggage->environment;
    unsigned long long incarnation = luggage->incarnation;

    environment_begin(environment, length_of(child->spec->env));
    environment_set(environment, "TROUPE_PATH", "%s", child->path);
    environment_set(environment, "TROUPE_NODE", "%s", node->name);
    environment_set(environment, "TROUPE_RUN", "%s", node->run_dir);
    environment_set(environment, "TROUPE_INCARNATION", "%llu", incarnation);
    environment_set(environment, "TROUPE_REPLICA", "%u", child->spec->replica);
    if (child_is_of_service(child)) {
        environment_set(environment, "TROUPE_ID", "%s", child_name(child));
        environment_set(environment, "TROUPE_EPOCH", "%llu", incarnation);
    }
    environment_set(environment, "TROUPE_CONTROL", "%d", BOOT_FD_CONTROL);
    tell_readiness(environment, child);
    tell_mailbox(environment, child);
    for (char **pair = child->spec->env; *pair; pair++)
        environment_add(environment, expanded(luggage, *pair));
    environment_end(environment);
}

/* ---- what its runtime begins with ------------------------------------------------------------ */

/* Itself, where there is no room for a copy. */
static const void *keep(struct luggage *luggage, const void *bytes, size_t size)
{
    const void *kept = satchel_keep(bytes, size);

    luggage->is_whole &= kept || !bytes;
    return kept ? kept : bytes;
}

static const char *keep_text(struct luggage *luggage, const char *text)
{
    return keep(luggage, text, strlen(text) + 1);
}

static void fill_boot(struct luggage *luggage)
{
    const struct child *child = &luggage->child;
    const struct spec *spec = child->spec;
    const struct node *node = child->supervisor->node;
    const struct activations *activations = &child->supervisor->activations;

    luggage->boot = (struct troupe_boot){
        .abi = TROUPE_BOOT_ABI,
        .path = child->path,
        .node = keep_text(luggage, node->name),
        .run_dir = keep_text(luggage, node->run_dir),
        .incarnation = luggage->incarnation,
        .replica = spec->replica,
        .mailbox_fd = child->mailbox_fd >= 0 ? BOOT_FD_MAILBOX : -1,
        .control_fd = BOOT_FD_CONTROL,
        .stats_fd = child->mailbox_fd >= 0 ? BOOT_FD_STATS : -1,
        .stats_offset = pages_offset(child),
        .mailbox_messages = spec->mailbox_messages,
        .mailbox_bytes = spec->mailbox_bytes,
        .is_of_service = activations->is_service,
        .idle_ms = activations->service.spec.idle_ms,
        .raw_off = spec->raw_off,
        .raw_bytes = spec->raw_bytes,
        .args = (const char *const *)spec->args,
        .last_state = keep(luggage, luggage->last_state, luggage->last_state_size),
        .last_state_size = luggage->last_state_size,
        .uids = keep(luggage, node->rights.send_uids,
                     node->rights.send_count * sizeof *node->rights.send_uids),
        .uid_count = node->rights.send_count,
        .node_uid = node->rights.node_uid,
    };
    luggage->program = keep_text(luggage, node->program);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void fill(struct luggage *luggage)
{
    fill_boot(luggage);
    tell(luggage);
    luggage->is_whole &= !luggage->environment.failed && !luggage->environment.borrows;
}

static void lend(const struct child *child, bool lent)
{
    store_lend(lent);
    fence_mark_lend(child->fence, lent);
}

int luggage_pack(struct luggage *luggage, const struct child *child)
{
    luggage->child = *child;
    if (spec_supervises(child->spec)) {
        lend(child, true);
        return 0;
    }
    luggage->child.spec = &luggage->spec;
    satchel_open();
    luggage->is_whole = spec_copy_into(child->spec, &luggage->spec, satchel_take) == 0;
    if (luggage->is_whole)
        fill(luggage);
    if (luggage->is_whole)
        return 0;
    environment_finish(&luggage->environment);
    return spec_copy(child->spec, NULL, &luggage->spec);
}

void luggage_unpack(struct luggage *luggage)
{
    luggage->is_unpacked = true;
    satchel_open();
    fill(luggage);
}

void luggage_finish(struct luggage *luggage)
{
    if (luggage->child.spec != &luggage->spec)
        lend(&luggage->child, false);
    else if (!luggage->is_whole)
        spec_finish(&luggage->spec);
}
