#include "party.h"

#include "backplane.h"
#include "control.h"
#include "linking.h"
#include "seeking.h"
#include "supervisor.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    DATAGRAM = 8192,          /* what the library reads at once */
    ANSWERS_MAX = 256 * 1024, /* more than that unread, and we do not listen any more */
};

void party_text(const struct party *party, char out[ADDR_TEXT_MAX + 1])
{
    addr_write(party->path, party->kind->incarnation(party), out, ADDR_TEXT_MAX + 1);
}

static struct party *party_of(const struct watcher *watcher)
{
    return container_of(watcher, struct party, watcher);
}

/* ---- what it hears --------------------------------------------------------------------------- */

bool party_order(struct party *party, const char *lines)
{
    size_t size = strlen(lines);

    if (!buf_length(&party->orders) && party->kind->send(party, lines, size) == 0)
        return true;
    if (!buf_length(&party->orders) && errno != EAGAIN)
        return false;
    return buf_append(&party->orders, lines, size + 1) == 0;
}

void party_answer(struct party *party, const char *format, ...)
{
    char line[2048];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    if (length >= (int)sizeof line - 1)
        length = (int)sizeof line - 2;
    line[length] = '\n';
    buf_append(&party->answers, line, (size_t)length + 1);
    backplane_touch(party->plane, &party->watcher);
}

static int write_notice(const struct notice *notice, char *out, size_t size)
{
    const struct watch *watch = notice->watch;
    const char *reason = watch->reason ? watch->reason : "unknown";
    char address[ADDR_TEXT_MAX + 1];

    addr_write(watch->path, watch->incarnation, address, sizeof address);
    if (notice->ref)
        return snprintf(out, size, "DOWN %llu %s %s\n", (unsigned long long)notice->ref, address,
                        reason);
    return snprintf(out, size, "EXIT %s %s\n", address, reason);
}

/* As many whole lines as fit: first the answers, since an end is of a link that was told of. */
static size_t pack_answers(struct party *party, char out[DATAGRAM])
{
    size_t length = buf_length(&party->answers);
    const char *front = (const char *)buf_front(&party->answers), *newline;

    if (length > DATAGRAM) {
        newline = memrchr(front, '\n', DATAGRAM);
        length = (size_t)(newline - front) + 1;
    }
    if (length)
        memcpy(out, front, length);
    buf_consume(&party->answers, length);
    return length;
}

static size_t pack(struct party *party, char out[DATAGRAM])
{
    size_t used = pack_answers(party, out);
    struct notice notice;

    while (!buf_length(&party->answers) && watches_next(&party->watcher, &notice)) {
        int length = write_notice(&notice, out + used, DATAGRAM - used);

        if ((size_t)length >= DATAGRAM - used)
            break;
        used += (size_t)length;
        watches_told(&notice);
    }
    return used;
}

/* False: there is no room now. What nobody listens to counts as said. */
static bool drain_orders(struct party *party)
{
    while (buf_length(&party->orders)) {
        const char *text = (const char *)buf_front(&party->orders);
        size_t size = strlen(text);

        if (party->kind->send(party, text, size) < 0 && errno == EAGAIN)
            return false;
        buf_consume(&party->orders, size + 1);
    }
    return true;
}

static bool drain_packed(struct party *party)
{
    if (buf_length(&party->packed) &&
        party->kind->send(party, (const char *)buf_front(&party->packed),
                          buf_length(&party->packed)) < 0 &&
        errno == EAGAIN)
        return false;
    buf_consume(&party->packed, buf_length(&party->packed));
    return true;
}

void party_drain(struct party *party)
{
    char datagram[DATAGRAM];
    size_t size;

    if (!drain_orders(party) || !drain_packed(party))
        return;
    while ((size = pack(party, datagram)) > 0) {
        if (party->kind->send(party, datagram, size) == 0 || errno != EAGAIN)
            continue;
        buf_append(&party->packed, datagram, size);
        return;
    }
}

bool party_has_waiting(const struct party *party)
{
    struct notice notice;

    return buf_length(&party->orders) || buf_length(&party->packed) ||
           buf_length(&party->answers) || watches_next(&party->watcher, &notice);
}

bool party_is_glutted(const struct party *party)
{
    return buf_length(&party->answers) > ANSWERS_MAX;
}

void party_hush(struct party *party)
{
    buf_finish(&party->orders);
    buf_finish(&party->packed);
    buf_finish(&party->answers);
    watcher_finish(&party->watcher);
}

static void tell(struct watcher *watcher)
{
    party_drain(party_of(watcher));
}

/* ---- ends of others -------------------------------------------------------------------------- */

static bool is_abnormal(const struct watch *watch)
{
    return !watch->ordered && watch->reason && strcmp(watch->reason, "normal") != 0;
}

void party_on_stand(struct party *party, struct watch *watch)
{
    if (watch->kind == WATCH_LINK)
        linking_on_stand(party, watch);
}

/* A link that had been made: a message to who traps, else the party's own end. */
static void take_exit(struct party *party, struct watch *watch)
{
    char cascade[REASON_MAX];
    bool abnormal = is_abnormal(watch);

    if (party->traps) {
        backplane_touch(party->plane, &party->watcher);
        return;
    }
    reason_cascade(watch->path, watch->reason ? watch->reason : "unknown", cascade);
    watch_destroy(watch);
    if (abnormal)
        party->kind->end(party, cascade);
}

static void on_over(struct watch *watch)
{
    struct party *party = party_of(watch->watcher);

    if (watch->kind != WATCH_LINK) {
        backplane_touch(party->plane, &party->watcher);
        return;
    }
    linking_on_over(party, watch);
    if (watch->firm)
        take_exit(party, watch);
    else
        watch_destroy(watch);
}

/* ---- what it asks ---------------------------------------------------------------------------- */

static void refuse(struct party *party, uint64_t ref, const char *address, const char *why)
{
    party_answer(party, "DOWN %llu %.600s %s", (unsigned long long)ref, address, why);
}

static void not_understood(struct party *party, const struct ctl_line *line)
{
    char text[128];

    snprintf(text, sizeof text, "%s %.100s", ctl_verb_text(line->verb), line->rest);
    party->kind->complain(party, text);
}

static const char *address_text(const struct addr *addr, char out[ADDR_TEXT_MAX + 1])
{
    addr_write(addr->path, addr->incarnation, out, ADDR_TEXT_MAX + 1);
    return out;
}

static void watch_for(struct party *party, enum watch_kind kind, const struct addr *addr,
                      uint64_t ref)
{
    struct watcher *watcher = &party->watcher;
    char address[ADDR_TEXT_MAX + 1];
    struct watch *watch = watches_find(watcher, kind, addr->path, addr->incarnation, "");
    bool is_new = !watch;

    if (is_new)
        watch = watches_add(watcher, kind, addr->path, addr->incarnation, "");
    if (watch && watches_monitor(watch, ref) == 0) {
        if (is_new)
            backplane_seek(party, watch, addr->incarnation);
        return;
    }
    if (watch && is_new)
        watch_destroy(watch);
    if (errno == EEXIST)
        party->kind->complain(party, "a number that is in use");
    else
        refuse(party, ref, address_text(addr, address), "overloaded");
}

void party_found(struct party *party, const struct seek *seek, const char *failure)
{
    char address[ADDR_TEXT_MAX + 1];

    if (failure)
        refuse(party, seek->ref, address_text(&seek->addr, address), failure);
    else if (seek->verb == CTL_MONITOR)
        watch_for(party, WATCH_MONITOR, &seek->addr, seek->ref);
    else
        linking_begin(party, seek->mode, &seek->addr);
}

/* An actor of a service may be on any node. */
static void find_first(struct party *party, const struct seek *seek)
{
    if (!seeking_begin(party, seek))
        party_found(party, seek, NULL);
}

/* MONITOR REF ADDRESS, ENDED REF ADDRESS#N */
static void take_watch(struct party *party, const struct ctl_line *line, enum watch_kind kind)
{
    char *rest = line->rest, *number = ctl_word(&rest), *address = ctl_word(&rest);
    struct addr addr;
    const char *why;
    uint64_t ref;

    if (!address || text_unsigned(number, 1, UINT64_MAX, &ref) < 0)
        party->kind->complain(party, "a watch without a number or an address");
    else if (backplane_address(party->plane, address, &addr, &why) < 0)
        refuse(party, ref, address, why);
    else if (kind == WATCH_ENDED && !addr.incarnation)
        refuse(party, ref, address, "refused of which incarnation?");
    else if (kind == WATCH_ENDED)
        watch_for(party, kind, &addr, ref);
    else
        find_first(party, &(struct seek){.verb = CTL_MONITOR, .ref = ref, .addr = addr});
}

static void take_demonitor(struct party *party, const struct ctl_line *line)
{
    char *rest = line->rest, *number = ctl_word(&rest);
    struct watch *watch;
    uint64_t ref;

    if (!number || text_unsigned(number, 1, UINT64_MAX, &ref) < 0) {
        not_understood(party, line);
        return;
    }
    if (seeking_undo_monitor(party, ref))
        return;
    watch = watches_demonitor(&party->watcher, ref);
    if (watch)
        backplane_withdraw(party->plane, watch);
}

static void undo_link(struct party *party, enum link_mode mode, struct addr *addr)
{
    seeking_undo_link(party, addr);
    linking_undo(party, mode, addr);
}

/* LINK MODE ADDRESS, UNLINK MODE ADDRESS */
static void take_link(struct party *party, const struct ctl_line *line)
{
    char *rest = line->rest, *mode_text = ctl_word(&rest), *address = ctl_word(&rest);
    enum link_mode mode = mode_text ? link_mode_of(mode_text) : 0;
    struct addr addr;
    const char *why;

    if (!mode || !address)
        not_understood(party, line);
    else if (backplane_address(party->plane, address, &addr, &why) < 0)
        refuse(party, 0, address, why);
    else if (line->verb == CTL_UNLINK)
        undo_link(party, mode, &addr);
    else if (!strcmp(addr.path, party->path))
        refuse(party, 0, address, "refused an actor cannot be linked to itself");
    else
        find_first(party, &(struct seek){.verb = CTL_LINK, .mode = mode, .addr = addr});
}

bool party_take_line(struct party *party, const struct ctl_line *line)
{
    switch (line->verb) {
    case CTL_MONITOR:
        take_watch(party, line, WATCH_MONITOR);
        return true;
    case CTL_ENDED:
        take_watch(party, line, WATCH_ENDED);
        return true;
    case CTL_DEMONITOR:
        take_demonitor(party, line);
        return true;
    case CTL_LINK:
    case CTL_UNLINK:
        take_link(party, line);
        return true;
    case CTL_JOIN:
    case CTL_LEAVE:
        if (!memberships_take_line(party, line))
            not_understood(party, line);
        return true;
    case CTL_TRAP:
        party->traps = !strcmp(line->rest, "1");
        return true;
    default:
        return false;
    }
}

/* ---- for people ------------------------------------------------------------------------------ */

enum { NAMES_MAX = 20 };

/* Names, each with how often it is meant: "shop/a shop/b*3". */
struct names {
    struct buf text;
    size_t count;
};

static void add_name(struct names *names, const char *name, size_t times)
{
    if (++names->count > NAMES_MAX)
        return;
    buf_printf(&names->text, "%s%s", names->count > 1 ? " " : "", name);
    if (times > 1)
        buf_printf(&names->text, "*%zu", times);
}

static void add_names(struct facts *facts, const char *key, struct names *names)
{
    if (names->count > NAMES_MAX)
        buf_printf(&names->text, " and %zu more", names->count - NAMES_MAX);
    buf_append(&names->text, "", 1);
    if (names->count && names->text.data)
        facts_add(facts, 's', key, (const char *)buf_front(&names->text));
    buf_finish(&names->text);
}

struct own_names {
    enum watch_kind kind;
    struct names names;
};

static void add_own(struct watch *watch, void *ctx)
{
    struct own_names *own = ctx;

    if (watch->kind == own->kind)
        add_name(&own->names, watch->path, watch_monitors(watch));
}

static void add_theirs(const struct party *party, enum watch_kind kind, struct names *names)
{
    for (const struct watch *watch = party->watched.watches; watch; watch = watch->next)
        if (watch->kind == kind)
            add_name(names, *watch->whom ? watch->whom : party_of(watch->watcher)->path,
                     watch_monitors(watch));
}

void party_facts(const struct party *party, struct facts *facts)
{
    static const struct {
        enum watch_kind kind;
        const char *own, *theirs;
    } keys[] = {{WATCH_LINK, "linked_to", "linked_from"},
                {WATCH_MONITOR, "monitors", "monitored_by"}};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct own_names own = {.kind = keys[i].kind};
        struct names theirs = {0};

        watches_each((struct watcher *)&party->watcher, add_own, &own);
        add_names(facts, keys[i].own, &own.names);
        add_theirs(party, keys[i].kind, &theirs);
        add_names(facts, keys[i].theirs, &theirs);
    }
    memberships_facts(party, facts);
    if (party->traps)
        facts_add(facts, 'b', "traps_exits", "true");
}

/* ---- its own ends ---------------------------------------------------------------------------- */

static void withdraw(struct watch *watch, void *plane)
{
    backplane_withdraw(plane, watch);
}

static void forget_own(struct party *party)
{
    seeking_drop_all(party);
    linking_drop_all(party);
    watches_each(&party->watcher, withdraw, party->plane);
    party_hush(party);
    party->traps = false;
}

void party_on_end(struct party *party, uint64_t incarnation, const char *reason, bool ordered)
{
    forget_own(party);
    memberships_end(party, incarnation);
    backplane_end(party->plane, &party->watched, incarnation, reason, ordered);
}

void party_init(struct party *party, struct backplane *plane, const struct party_kind *kind,
                const char *path)
{
    *party = (struct party){
        .plane = plane, .kind = kind, .path = path, .watcher = {.on_over = on_over, .tell = tell}};
    HASH_ADD_KEYPTR(hh, plane->parties, path, (unsigned)strlen(path), party);
}

void party_finish(struct party *party)
{
    if (!party->plane)
        return;
    forget_own(party);
    memberships_end(party, party->member_incarnation);
    backplane_forget_party(party->plane, party);
    *party = (struct party){0};
}
