/*
 * The table of process groups: the cases of OTP's pg that are about it (P..: pg_SUITE, Y..: facts
 * from pg.erl), any order of events against a simple model, and what it costs.
 */
#include "../../cluster/groups.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { HERE = 1, EAST = 2, WEST = 3, ME = 100, YOU = 101, MANY = 1000000 };

static struct groups *groups;
static char seen[4096];   /* events, as text */
static char spread[4096]; /* what other nodes are told */
static char shown[4096];

static void add(char *text, const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + used, 4096 - used, format, args);
    va_end(args);
}

static void add_event(char *text, const struct groups_event *event)
{
    add(text, "%c%s", event->kind == GROUPS_JOIN ? '+' : '-', event->group);
    for (size_t i = 0; i < event->count; i++)
        add(text, "%c%s%s%s", i ? ',' : ':', event->actors[i]->address,
            *event->actors[i]->node ? "@" : "", event->actors[i]->node);
    add(text, " ");
}

static void on_event(void *data, uint64_t subscriber, uint64_t ref,
                     const struct groups_event *event)
{
    (void)data;
    add(seen, "%d/%d", (int)subscriber, (int)ref);
    add_event(seen, event);
}

static void on_local(void *data, const struct groups_event *event)
{
    (void)data;
    add_event(spread, event);
}

static void show(void *data, const char *scope, const char *group, const struct groups_actor *actor,
                 size_t count)
{
    (void)data;
    (void)scope;
    add(shown, "%s", group);
    if (actor)
        add(shown, ":%s%s%s", actor->address, *actor->node ? "@" : "", actor->node);
    add(shown, "*%zu ", count);
}

static const char *members(const char *group)
{
    shown[0] = 0;
    groups_members(groups, GROUPS_ALL, "s", group, show, NULL);
    return shown;
}

static const char *local(const char *group)
{
    shown[0] = 0;
    groups_members(groups, GROUPS_LOCAL, "s", group, show, NULL);
    return shown;
}

static const char *names(enum groups_which which)
{
    shown[0] = 0;
    groups_names(groups, which, "s", show, NULL);
    return shown;
}

static const char *events(void)
{
    static char text[4096];

    memcpy(text, seen, sizeof text);
    seen[0] = 0;
    return text;
}

static const char *told(void)
{
    static char text[4096];

    memcpy(text, spread, sizeof text);
    spread[0] = 0;
    return text;
}

/* "a b b" as a list. */
static size_t split(const char *text, const char *list[32])
{
    static char copy[1024];
    size_t n = 0;
    char *rest = copy, *word;

    snprintf(copy, sizeof copy, "%s", text);
    while ((word = strtok_r(rest, " ", &rest)))
        list[n++] = word;
    return n;
}

static int join(uint64_t source, const char *group, const char *addresses)
{
    const char *list[32];
    size_t n = split(addresses, list);

    return groups_join(groups, source, "s", group, list, n);
}

static int leave(uint64_t source, const char *group, const char *addresses)
{
    const char *list[32];
    size_t n = split(addresses, list);

    return groups_leave(groups, source, "s", group, list, n);
}

static int monitor(uint64_t who, uint64_t ref, const char *group)
{
    shown[0] = 0;
    return groups_monitor(groups, who, ref, "s", group, show, NULL);
}

static void sync_empty(uint64_t source)
{
    groups_snapshot_begin(groups, source);
    groups_snapshot_end(groups, source);
}

/* This node with one supervisor, and two other nodes, all without members. */
static void begin(void)
{
    static const struct groups_handlers handlers = {on_event, on_local};

    groups = groups_create(&handlers, NULL);
    groups_open(groups, HERE, "", "app", MANY);
    groups_open(groups, EAST, "east", "", MANY);
    groups_open(groups, WEST, "west", "", MANY);
    sync_empty(HERE);
    sync_empty(EAST);
    sync_empty(WEST);
    seen[0] = spread[0] = 0;
}

static void end(const char *what)
{
    struct groups_counts counts;

    groups_unsubscribe(groups, ME);
    groups_unsubscribe(groups, YOU);
    groups_close(groups, HERE);
    groups_close(groups, EAST);
    groups_close(groups, WEST);
    counts = groups_counts(groups);
    if (counts.sources + counts.scopes + counts.groups + counts.actors + counts.memberships +
        counts.monitors)
        tap_ok(false, "nothing is left behind after %s", what);
    groups_destroy(groups);
}

/* ---- pg_SUITE ---------------------------------------------------------------------------- */

static void check_pg(void)
{
    begin();
    CHECK(join(HERE, "g", "app/a#1") == 0, "P01: an actor joins");
    tap_is_text(names(GROUPS_ALL), "g*1 ", "P01: the group is there");
    tap_is_text(names(GROUPS_LOCAL), "g*1 ", "P01: and has local members");
    tap_is_text(local("g"), "g:app/a#1*1 ", "P01: the actor");
    CHECK(leave(HERE, "g", "app/a#1") == 0, "P01: it leaves");
    tap_is_text(members("g"), "", "P01: nobody is left");
    tap_is_text(names(GROUPS_ALL), "", "P01: and no group");
    end("P01");
}

static void check_single(void)
{
    begin();
    join(HERE, "g", "app/a");
    join(HERE, "g", "app/a app/a");
    tap_is_text(members("g"), "g:app/a*3 ", "P04: a group is a multiset");
    tap_is_text(local("g"), "g:app/a*3 ", "P04: local members are all of them");
    CHECK(leave(HERE, "other", "app/a") < 0 && errno == ENOENT, "P04: not joined is said");
    CHECK(leave(HERE, "g", "app/a app/a") == 0 && leave(HERE, "g", "app/a") == 0,
          "P04: as many leaves as joins");
    tap_is_text(names(GROUPS_ALL), "", "P04: end the group");
    join(HERE, "g", "app/a app/b");
    groups_ended(groups, HERE, "app/b");
    tap_is_text(members("g"), "g:app/a*1 ", "P04: an actor that ends leaves by itself");
    CHECK(leave(HERE, "g", "app/a") == 0, "P04: the other can still leave");
    end("P04");
}

static void check_leave_exit_race(void)
{
    unsigned wrong = 0;

    begin();
    for (int i = 0; i < 100; i++) {
        join(HERE, "g", "app/a");
        if (i % 2) {
            wrong += groups_ended(groups, HERE, "app/a") != 0;
            wrong += leave(HERE, "g", "app/a") == 0;
        } else {
            wrong += leave(HERE, "g", "app/a") != 0;
            wrong += groups_ended(groups, HERE, "app/a") == 0;
        }
    }
    tap_is_int(wrong, 0, "P03: a leave and an end in any order are no harm");
    end("P03");
}

static void check_unknown_source(void)
{
    begin();
    join(HERE, "g", "app/a");
    groups_close(groups, EAST);
    CHECK(join(EAST, "g", "x") < 0 && errno == ESRCH, "P05: a join from a peer that is gone");
    CHECK(leave(EAST, "g", "app/a") < 0 && errno == ESRCH, "P05: a leave from it");
    CHECK(groups_snapshot_begin(groups, EAST) < 0 && groups_snapshot_end(groups, EAST) < 0 &&
              groups_snapshot_add(groups, EAST, "s", "g", "x", 1) < 0,
          "P05: and a snapshot");
    tap_is_text(members("g"), "g:app/a*1 ", "P05: change nothing");
    end("P05");
}

static void check_monitor_self(void)
{
    begin();
    monitor(ME, 1, "g");
    join(HERE, "g", "app/me");
    groups_ended(groups, HERE, "app/me");
    groups_unsubscribe(groups, ME);
    tap_is_text(events(), "100/1+g:app/me 100/1-g:app/me ", "P07: one can monitor one's own group");
    CHECK(groups_counts(groups).monitors == 0, "P07: its end takes its monitors");
    end("P07");
}

static void check_multi_monitor(void)
{
    begin();
    monitor(ME, 1, "one");
    monitor(ME, 2, "two");
    monitor(ME, 3, NULL);
    join(HERE, "one", "app/me");
    join(HERE, "two", "app/me");
    tap_is_text(events(), "100/1+one:app/me 100/3+one:app/me 100/2+two:app/me 100/3+two:app/me ",
                "P08: each monitor has its own event");
    groups_unsubscribe(groups, ME);
    leave(HERE, "one", "app/me");
    tap_is_text(events(), "", "P08: after the end of the subscriber there are none");
    end("P08");
}

static void check_owner(void)
{
    static const char *const lists[] = {"x@east",        "app/a x@east",    "other/a",
                                        "app/a other/a", "app/a app/b c d", "not//an/address"};

    begin();
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        CHECK(join(HERE, "g", lists[i]) < 0 && errno == EPERM, "P09: %s is nolocal", lists[i]);
    tap_is_text(members("g"), "", "P09: and nothing is joined");
    CHECK(groups_counts(groups).groups == 0, "P09: nor made");
    CHECK(join(EAST, "g", "app/a@west") < 0 && errno == EPERM,
          "P09: a node cannot speak for another's actors");
    end("P09");
}

static void check_two(void)
{
    begin();
    join(EAST, "g", "x");
    tap_is_text(members("g"), "g:x@east*1 ", "P10: a peer's member is a member");
    tap_is_text(local("g"), "", "P10: but not a local one");
    groups_ended(groups, EAST, "x");
    tap_is_text(members("g"), "", "P10: its end comes across");
    join(EAST, "g", "x y");
    tap_is_text(members("g"), "g:x@east*1 g:y@east*1 ", "P10: two of a peer");
    groups_close(groups, EAST);
    tap_is_text(members("g"), "", "P10: a lost peer has no members");
    end("P10");
}

static void add_here(void *data, const char *scope, const char *group,
                     const struct groups_actor *actor, size_t count)
{
    (void)data;
    groups_snapshot_add(groups, EAST, scope, group, actor->address, count);
}

static void check_initial(void)
{
    static const struct groups_handlers handlers = {on_event, on_local};
    struct groups *other;

    begin();
    join(HERE, "g", "app/a app/a");
    other = groups;
    groups = groups_create(&handlers, NULL); /* the node that connects later */
    groups_open(groups, EAST, "east", "", MANY);
    groups_snapshot_begin(groups, EAST);
    groups_each(other, GROUPS_LOCAL, add_here, NULL);
    groups_snapshot_end(groups, EAST);
    tap_is_text(members("g"), "g:app/a@east*2 ", "P11: who comes later learns what is there");
    tap_is_text(local("g"), "", "P11: not as its own");
    groups_ended(groups, EAST, "app/a");
    tap_is_text(members("g"), "", "P11: the member's end comes across");
    groups_destroy(groups);
    groups = other;
    end("P11");
}

static void check_netsplit(void)
{
    begin();
    monitor(ME, 1, NULL);
    join(EAST, "invisible", "x");
    groups_close(groups, EAST);
    join(HERE, "g", "app/a");
    tap_is_text(members("g"), "g:app/a*1 ", "P12: in a split one's own side goes on");
    groups_open(groups, EAST, "east", "", MANY);
    groups_snapshot_begin(groups, EAST);
    groups_snapshot_add(groups, EAST, "s", "visible", "x", 1);
    groups_snapshot_add(groups, EAST, "s", "g", "y", 1);
    groups_snapshot_end(groups, EAST);
    tap_is_text(members("g"), "g:app/a*1 g:y@east*1 ", "P12: afterwards both are seen");
    tap_is_text(members("visible"), "visible:x@east*1 ", "P12: with what was joined meanwhile");
    tap_is_text(members("invisible"), "", "P12: and without what was left");
    tap_is_text(events(),
                "100/1+invisible:x@east 100/1-invisible:x@east 100/1+g:app/a "
                "100/1+visible:x@east 100/1+g:y@east ",
                "P12: the events tell the same");
    end("P12");
}

static void check_exchange(void)
{
    begin();
    join(EAST, "second", "a b c d e f g h i j");
    join(EAST, "third", "a b c d e f g h i j");
    groups_ended(groups, EAST, "a");
    CHECK(groups_source_count(groups, EAST) == 18, "P15: a list of ten in two groups, one ends");
    CHECK(leave(EAST, "third", "b c d") == 0 && groups_source_count(groups, EAST) == 15,
          "P15: three leave one of them");
    CHECK(leave(EAST, "unknown", "b c d") < 0 && errno == ENOENT, "P15: not joined is said");
    CHECK(leave(EAST, "third", "e f g h i j") == 0, "P15: the rest leaves");
    tap_is_text(members("third"), "", "P15: and the group is gone");
    end("P15");
}

static void check_nolocal(void)
{
    begin();
    join(EAST, "g", "x");
    join(EAST, "g", "x");
    tap_is_text(local("g"), "", "P16: a peer's members never are local ones");
    tap_is_text(told(), "", "P16: nor told to others as ours");
    end("P16");
}

static void check_restart(void)
{
    begin();
    join(EAST, "g", "x");
    CHECK(groups_snapshot_begin(groups, HERE) == 0 && groups_snapshot_end(groups, HERE) == 0,
          "P18: a supervisor says again what it has");
    groups_close(groups, HERE);
    CHECK(join(HERE, "g", "app/a") < 0 && errno == ESRCH, "P19: after its end nobody can join");
    CHECK(leave(HERE, "g", "app/a") < 0 && errno == ESRCH, "P19: or leave by it");
    tap_is_text(members("g"), "g:x@east*1 ", "P18: the others' members stay");
    groups_open(groups, HERE, "", "app", MANY);
    groups_snapshot_begin(groups, HERE);
    groups_snapshot_add(groups, HERE, "s", "g", "app/a", 2);
    groups_snapshot_end(groups, HERE);
    tap_is_text(members("g"), "g:app/a*2 g:x@east*1 ", "P18: and its own come back with it");
    end("P18");
}

static void check_empty_by_remote(void)
{
    begin();
    join(EAST, "g", "x");
    leave(EAST, "g", "x");
    tap_is_text(names(GROUPS_ALL), "", "P20: a group that a peer empties is gone");
    join(EAST, "g", "x y");
    leave(EAST, "g", "y x");
    tap_is_text(names(GROUPS_ALL), "", "P20: whatever the order of the list");
    join(EAST, "g", "x");
    tap_is_text(names(GROUPS_LOCAL), "", "P20: a peer's group is not a local one");
    end("P20");
}

static void check_alone(void)
{
    static const struct groups_handlers handlers = {on_event, on_local};

    groups = groups_create(&handlers, NULL);
    groups_open(groups, HERE, "", "", 10);
    sync_empty(HERE);
    CHECK(join(HERE, "g", "a") == 0, "P21, P28: a node alone has groups");
    tap_is_text(members("g"), "g:a*1 ", "P28: with itself in it once");
    groups_destroy(groups);
}

static void check_monitor_nonempty(void)
{
    begin();
    join(HERE, "one", "app/a");
    join(EAST, "one", "x");
    monitor(ME, 1, NULL);
    tap_is_text(shown, "one:app/a*1 one:x@east*1 ", "P25: a monitor begins with who is there");
    CHECK(groups_demonitor(groups, ME, 1) == 0, "P25: ends");
    monitor(ME, 1, NULL);
    tap_is_text(shown, "one:app/a*1 one:x@east*1 ", "P25: and begins again the same");
    end("P25");
}

static void check_monitor_course(const char *of, const char *number)
{
    begin();
    monitor(ME, 1, of);
    tap_is_text(shown, "", number);
    join(HERE, "g", "app/a");
    monitor(ME, 2, of);
    monitor(YOU, 3, of);
    tap_is_text(shown, "g:app/a*1 ", "late monitors start from the present members");
    tap_is_text(events(), "100/1+g:app/a ", "and do not hear of what was before");
    groups_demonitor(groups, ME, 2);
    join(EAST, "g", "r r");
    tap_is_text(events(), "100/1+g:r@east,r@east 101/3+g:r@east,r@east ",
                "a list joins with one event");
    leave(HERE, "g", "app/a");
    leave(EAST, "g", "r");
    tap_is_text(events(), "100/1-g:app/a 101/3-g:app/a 100/1-g:r@east 101/3-g:r@east ",
                "leaves are heard");
    groups_unsubscribe(groups, YOU);
    groups_close(groups, EAST);
    tap_is_text(events(), "100/1-g:r@east ", "a lost node leaves with what it still had");
    groups_demonitor(groups, ME, 1);
    CHECK(groups_demonitor(groups, ME, 1) < 0 && errno == ENOENT, "a second demonitor is told");
    join(HERE, "g", "app/a");
    tap_is_text(events(), "", "after demonitor nothing is heard");
    end(number);
}

static void check_other_groups(void)
{
    begin();
    monitor(ME, 1, "g");
    join(HERE, "other", "app/a");
    groups_join(groups, HERE, "elsewhere", "g", (const char *const[]){"app/a"}, 1);
    tap_is_text(events(), "", "P27: a group's monitor hears of that group in that scope only");
    end("P27");
}

/* ---- facts from pg.erl ------------------------------------------------------------------- */

static void check_facts(void)
{
    begin();
    monitor(ME, 1, "g");
    join(HERE, "g", "app/a app/a app/a");
    groups_ended(groups, HERE, "app/a");
    tap_is_text(events(), "100/1+g:app/a,app/a,app/a 100/1-g:app/a 100/1-g:app/a 100/1-g:app/a ",
                "Y01: one event for three joins, three for the end");
    tap_is_text(told(), "+g:app/a,app/a,app/a -g:app/a -g:app/a -g:app/a ",
                "Y01: other nodes are told the same");
    join(HERE, "g", "app/a app/a");
    CHECK(leave(HERE, "g", "app/a app/a app/a") == 0, "Y02: more leaves than joins are fine");
    tap_is_text(members("g"), "", "Y02: and empty the group");
    events();
    CHECK(leave(HERE, "g", "app/a") < 0 && errno == ENOENT, "Y03: not joined");
    join(HERE, "g", "app/b");
    CHECK(leave(HERE, "g", "app/a app/c") < 0 && errno == ENOENT, "Y03: none of a list");
    CHECK(leave(HERE, "g", "app/a app/b") == 0, "Y03: one of a list is enough");
    tap_is_text(events(), "100/1+g:app/b 100/1-g:app/b ", "Y03: and only that is an event");
    CHECK(join(HERE, "g", "") == 0 && leave(HERE, "g", "") == 0, "an empty list changes nothing");
    tap_is_text(names(GROUPS_ALL), "", "Y08: not even that there is a group");
    tap_is_text(members("never"), "", "Y08: a group that never was has no members");
    end("Y01-Y03, Y08");
}

static void check_not_transitive(void)
{
    begin();
    join(EAST, "g", "x");
    join(HERE, "g", "app/a");
    tap_is_text(told(), "+g:app/a ", "Y04: a node tells of its own members only");
    end("Y04");
}

static void check_before_snapshot(void)
{
    begin();
    groups_close(groups, EAST);
    groups_open(groups, EAST, "east", "", MANY);
    CHECK(join(EAST, "g", "x") < 0 && errno == EAGAIN,
          "Y05: a join before the snapshot is dropped");
    CHECK(leave(EAST, "g", "x") < 0 && errno == EAGAIN, "Y05: a leave too");
    groups_snapshot_begin(groups, EAST);
    CHECK(join(EAST, "g", "x") < 0 && errno == EAGAIN, "Y05: and one in its midst");
    groups_snapshot_add(groups, EAST, "s", "g", "y", 1);
    tap_is_text(members("g"), "", "Y05: a snapshot counts when it is whole");
    groups_close(groups, EAST);
    tap_is_text(events(), "", "Y06: one that never became whole leaves no trace");
    end("Y05");
}

static void check_again(void)
{
    begin();
    join(EAST, "g", "a a b");
    join(EAST, "h", "c");
    monitor(ME, 1, NULL);
    groups_snapshot_begin(groups, EAST);
    groups_snapshot_add(groups, EAST, "s", "g", "b", 2);
    groups_snapshot_add(groups, EAST, "s", "g", "a", 1);
    groups_snapshot_add(groups, EAST, "s", "i", "d", 1);
    groups_snapshot_end(groups, EAST);
    tap_is_text(members("g"), "g:a@east*1 g:b@east*2 ", "Y07: another snapshot is what counts");
    tap_is_text(events(), "100/1+g:b@east 100/1+i:d@east 100/1-g:a@east 100/1-h:c@east ",
                "Y07: the difference is told, joins first");
    groups_snapshot_begin(groups, EAST);
    groups_snapshot_add(groups, EAST, "s", "g", "z", 7);
    groups_snapshot_begin(groups, EAST);
    groups_snapshot_add(groups, EAST, "s", "g", "b", 1);
    groups_snapshot_add(groups, EAST, "s", "g", "b", 1);
    groups_snapshot_add(groups, EAST, "s", "g", "a", 1);
    groups_snapshot_add(groups, EAST, "s", "i", "d", 1);
    groups_snapshot_end(groups, EAST);
    tap_is_text(events(), "", "Y07: the same again is no event, nor what was not finished");
    groups_snapshot_begin(groups, HERE);
    groups_snapshot_add(groups, HERE, "s", "g", "app/a#1", 1);
    groups_snapshot_end(groups, HERE);
    tap_is_text(told(), "+g:app/a#1 ",
                "Y07: what a supervisor's snapshot changes is told to nodes");
    end("Y07");
}

/* ---- bounds ------------------------------------------------------------------------------ */

static void check_bounds(void)
{
    char name[GROUPS_NAME_MAX + 2];

    begin();
    groups_open(groups, 9, "north", "", 3);
    sync_empty(9);
    CHECK(join(9, "g", "a b") == 0 && join(9, "g", "c d") < 0 && errno == ENOSPC,
          "a source has as many memberships as it may have");
    CHECK(groups_source_count(groups, 9) == 2, "a list that is too long joins nobody");
    groups_snapshot_begin(groups, 9);
    CHECK(groups_snapshot_add(groups, 9, "s", "g", "a", SIZE_MAX) < 0 && errno == ENOSPC &&
              groups_snapshot_add(groups, 9, "s", "g", "a", 3) == 0 &&
              groups_snapshot_add(groups, 9, "s", "g", "b", 1) < 0,
          "nor more in a snapshot");
    groups_close(groups, 9);
    groups_bound_local(groups, 3);
    groups_open(groups, 10, "", "other", 3);
    sync_empty(10);
    CHECK(join(HERE, "g", "app/a app/b") == 0 && join(10, "g", "other/a other/b") < 0 &&
              errno == ENOSPC && join(10, "g", "other/a") == 0,
          "all sources of this node together have as many as it may have");
    CHECK(join(EAST, "g", "a b c d") == 0, "which is no bound for others");
    groups_snapshot_begin(groups, 10);
    CHECK(groups_snapshot_add(groups, 10, "s", "g", "other/a", 2) < 0 && errno == ENOSPC &&
              groups_snapshot_add(groups, 10, "s", "g", "other/a", 1) == 0 &&
              groups_snapshot_add(groups, 10, "s", "g", "other/b", 1) < 0,
          "in a snapshot, too, in which its own do not count twice");
    groups_snapshot_end(groups, 10);
    leave(HERE, "g", "app/a app/b");
    CHECK(join(10, "g", "other/a other/b") == 0, "who leaves makes room");
    groups_close(groups, 10);
    groups_bound_local(groups, SIZE_MAX);
    leave(EAST, "g", "a b c d");
    CHECK(join(HERE, "", "app/a") < 0 && errno == EINVAL, "a group has a name");
    CHECK(join(HERE, "a b", "app/a") < 0 && errno == EINVAL, "without blanks");
    CHECK(join(HERE, "grüße", "app/a") == 0, "of any script");
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    CHECK(join(HERE, name, "app/a") < 0 && errno == EINVAL, "of 255 bytes");
    CHECK(monitor(ME, 1, name) < 0 && errno == EINVAL, "for monitors too");
    name[sizeof name - 2] = 0;
    CHECK(join(HERE, name, "app/a") == 0, "at most");
    end("the bounds");
}

/* ---- any order of events ----------------------------------------------------------------- */

enum { SOURCES = 3, GROUPS = 4, ACTORS = 4, RUNS = 300, STEPS = 300 };

/* How many times each actor of each source is in each group; and the same as a monitor's view of
 * it. */
struct model {
    bool is_open[SOURCES], is_synced[SOURCES];
    unsigned count[SOURCES][GROUPS][ACTORS], view[SOURCES][GROUPS][ACTORS];
    unsigned peers[GROUPS][ACTORS]; /* what other nodes believe of source 0 */
};

static struct model model;
static const char *const nodes[SOURCES] = {"", "east", "west"};

static void count_members(void *data, const char *scope, const char *group,
                          const struct groups_actor *actor, size_t count)
{
    unsigned(*found)[GROUPS][ACTORS] = data;

    (void)scope;
    for (int s = 0; s < SOURCES; s++)
        if (!strcmp(actor->node, nodes[s]))
            found[s][group[0] - 'a'][actor->address[0] - 'a'] += (unsigned)count;
}

static void follow(unsigned *count, const struct groups_event *event)
{
    *count += event->kind == GROUPS_JOIN ? 1u : ~0u;
}

static void on_model_event(void *data, uint64_t subscriber, uint64_t ref,
                           const struct groups_event *event)
{
    (void)data;
    (void)subscriber;
    (void)ref;
    for (size_t i = 0; i < event->count; i++)
        for (int s = 0; s < SOURCES; s++)
            if (!strcmp(event->actors[i]->node, nodes[s]))
                follow(&model.view[s][event->group[0] - 'a'][event->actors[i]->address[0] - 'a'],
                       event);
}

static void on_model_local(void *data, const struct groups_event *event)
{
    (void)data;
    for (size_t i = 0; i < event->count; i++)
        follow(&model.peers[event->group[0] - 'a'][event->actors[i]->address[0] - 'a'], event);
}

static void random_list(size_t *n, const char *list[5], unsigned counts[ACTORS])
{
    static const char *const all[ACTORS] = {"a", "b", "c", "d"};

    *n = (size_t)random() % 5;
    for (size_t i = 0; i < *n; i++) {
        size_t which = (size_t)random() % ACTORS;

        list[i] = all[which];
        counts[which]++;
    }
}

static void random_change(unsigned s)
{
    unsigned g = (unsigned)random() % GROUPS, counts[ACTORS] = {0};
    const char *list[5], name[2] = {(char)('a' + g), 0};
    bool is_join = random() % 2;
    size_t n;

    random_list(&n, list, counts);
    if (is_join)
        groups_join(groups, s, "s", name, list, n);
    else
        groups_leave(groups, s, "s", name, list, n);
    for (unsigned a = 0; a < ACTORS && model.is_synced[s]; a++) {
        unsigned *count = &model.count[s][g][a];

        *count = is_join ? *count + counts[a] : *count > counts[a] ? *count - counts[a] : 0;
    }
}

/* One that is begun anew says nothing of what the first had said. */
static void random_snapshot(unsigned s)
{
    unsigned said[GROUPS][ACTORS] = {0};
    bool is_begun_anew = random() % 4 == 0;

    groups_snapshot_begin(groups, s);
    for (int i = 0; i < 8; i++) {
        unsigned g = (unsigned)random() % GROUPS, a = (unsigned)random() % ACTORS,
                 n = (unsigned)random() % 3;
        const char group[2] = {(char)('a' + g), 0}, address[2] = {(char)('a' + a), 0};

        groups_snapshot_add(groups, s, "s", group, address, n);
        said[g][a] += n;
        if (is_begun_anew && i == 4) {
            groups_snapshot_begin(groups, s);
            memset(said, 0, sizeof said);
        }
    }
    groups_snapshot_end(groups, s);
    memcpy(model.count[s], said, sizeof said);
    model.is_synced[s] = true;
}

static void random_end(unsigned s)
{
    unsigned a = (unsigned)random() % ACTORS;
    const char address[2] = {(char)('a' + a), 0};

    groups_ended(groups, s, address);
    for (unsigned g = 0; g < GROUPS && model.is_synced[s]; g++)
        model.count[s][g][a] = 0;
}

static void random_event(void)
{
    unsigned s = (unsigned)random() % SOURCES;

    if (!model.is_open[s]) {
        groups_open(groups, s, nodes[s], "", MANY);
        model.is_open[s] = true;
    } else if (random() % 16 == 0) {
        groups_close(groups, s);
        model.is_open[s] = model.is_synced[s] = false;
        memset(model.count[s], 0, sizeof model.count[s]);
    } else if (random() % 8 == 0) {
        random_snapshot(s);
    } else if (random() % 8 == 0) {
        random_end(s);
    } else {
        random_change(s);
    }
}

static const char *compare(void)
{
    unsigned found[SOURCES][GROUPS][ACTORS] = {0}, total = 0;

    groups_each(groups, GROUPS_ALL, count_members, found);
    if (memcmp(found, model.count, sizeof found) != 0)
        return "the members are not who joined";
    if (memcmp(found, model.view, sizeof found) != 0)
        return "a monitor believes something else";
    if (memcmp(found[0], model.peers, sizeof model.peers) != 0)
        return "other nodes believe something else";
    for (size_t i = 0; i < sizeof found / sizeof ***found; i++)
        total += (&found[0][0][0])[i];
    return total == groups_counts(groups).memberships ? NULL : "the counts are wrong";
}

static void check_any_order(void)
{
    static const struct groups_handlers handlers = {on_model_event, on_model_local};
    const char *why = NULL;

    for (unsigned seed = 1; seed <= RUNS && !why; seed++) {
        srandom(seed);
        memset(&model, 0, sizeof model);
        groups = groups_create(&handlers, NULL);
        groups_monitor(groups, ME, 1, "s", NULL, show, NULL);
        for (int step = 0; step < STEPS && !why; step++) {
            random_event();
            why = compare();
        }
        if (why)
            tap_note("seed %u: %s", seed, why);
        groups_destroy(groups);
    }
    CHECK(!why, "90000 random events: members, monitors and other nodes agree after each");
}

/* ---- what it costs ----------------------------------------------------------------------- */

static size_t heard;

static void count_event(void *data, uint64_t subscriber, uint64_t ref,
                        const struct groups_event *event)
{
    (void)data;
    (void)subscriber;
    (void)ref;
    heard += event->count;
}

static void count_local(void *data, const struct groups_event *event)
{
    (void)data;
    heard += event->count;
}

static const struct groups_handlers counting = {count_event, count_local};

/* Processor time of this thread: others on the machine do not count. */
static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void join_numbered(uint64_t source, const char *group, unsigned actor)
{
    char address[64];
    const char *list[1] = {address};

    snprintf(address, sizeof address, "app/actor%u#1", actor);
    groups_join(groups, source, "s", group, list, 1);
}

/* Microseconds a join, of 10,000 into one group by 64 actors, the best of each thousand. */
static void time_joins(unsigned from, double *mean, double *best)
{
    double start = seconds(), before = start;

    *best = 1e9;
    for (unsigned i = 0; i < 10000; i++) {
        join_numbered(HERE, "g", (from + i) % 64);
        if (i % 1000 == 999) {
            double now = seconds();

            if ((now - before) * 1e3 < *best)
                *best = (now - before) * 1e3;
            before = now;
        }
    }
    *mean = (seconds() - start) * 1e6 / 10000;
}

static void check_joins(void)
{
    double mean, best, late_mean, late_best;

    groups = groups_create(&counting, NULL);
    groups_open(groups, HERE, "", "", MANY);
    sync_empty(HERE);
    groups_monitor(groups, ME, 1, "s", "g", show, NULL);
    heard = 0;
    time_joins(0, &mean, &best);
    CHECK(heard == 20000, "10,000 joins are 10,000 events for each who listens");
    tap_note("%.2f us a join", mean);
    CHECK(mean < 20, "10,000 joins into one group from 64 actors take less than 20 us each");
    for (unsigned i = 0; i < 400000; i++)
        join_numbered(HERE, "g", 64 + i % 20000);
    time_joins(0, &late_mean, &late_best);
    tap_note("%.2f us a join into a group of 410,000", late_mean);
    CHECK(late_best < 4 * best + 1, "and no more when the group has grown forty times");
    groups_destroy(groups);
}

static void add_counted(void *data, const char *scope, const char *group,
                        const struct groups_actor *actor, size_t count)
{
    groups_snapshot_add(data, EAST, scope, group, actor->address, count);
}

static double time_snapshot(struct groups *from, struct groups *to)
{
    double start = seconds();

    groups_snapshot_begin(to, EAST);
    groups_each(from, GROUPS_LOCAL, add_counted, to);
    groups_snapshot_end(to, EAST);
    return (seconds() - start) * 1e3;
}

static void fill(unsigned count)
{
    char name[32];

    groups = groups_create(&counting, NULL);
    groups_open(groups, HERE, "", "", MANY);
    sync_empty(HERE);
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "g%u", i);
        join_numbered(HERE, name, i % 64);
        join_numbered(HERE, "common", i);
    }
}

static void check_snapshot(void)
{
    struct groups *other = groups_create(&counting, NULL);
    double first, again;

    fill(10000);
    CHECK(groups_counts(groups).memberships == 20000 && groups_counts(groups).groups == 10001,
          "20,000 memberships in 10,001 groups");
    groups_open(other, EAST, "east", "", MANY);
    groups_monitor(other, ME, 1, "s", NULL, show, NULL);
    heard = 0;
    first = time_snapshot(groups, other);
    CHECK(heard == 20000 && groups_counts(other).memberships == 20000,
          "a snapshot of them arrives");
    again = time_snapshot(groups, other);
    CHECK(heard == 20000, "again it tells nothing new");
    tap_note("%.1f ms, again %.1f ms", first, again);
    CHECK(first < 500 && again < 500, "either takes less than half a second of the processor");
    groups_destroy(other);
    groups_destroy(groups);
}

/* P24: a peer's snapshot costs by what that peer has. */
static void check_thundering_herd(void)
{
    double start;

    fill(10000);
    groups_open(groups, EAST, "east", "", MANY);
    start = seconds();
    for (unsigned i = 0; i < 2000; i++) {
        groups_snapshot_begin(groups, EAST);
        groups_snapshot_add(groups, EAST, "s", "common", "x", 1);
        groups_snapshot_end(groups, EAST);
    }
    join_numbered(HERE, "g1", 1);
    CHECK(seconds() - start < 0.5, "P24: 2,000 snapshots of a small peer beside 10,000 groups");
    groups_destroy(groups);
}

int main(void)
{
    check_pg();
    check_leave_exit_race();
    check_single();
    check_unknown_source();
    check_monitor_self();
    check_multi_monitor();
    check_owner();
    check_two();
    check_initial();
    check_netsplit();
    check_exchange();
    check_nolocal();
    check_restart();
    check_empty_by_remote();
    check_alone();
    check_monitor_nonempty();
    check_monitor_course(NULL, "P26: a scope's monitor before there is anything");
    check_monitor_course("g", "P27: a group's monitor before there is anything");
    check_other_groups();
    check_facts();
    check_not_transitive();
    check_before_snapshot();
    check_again();
    check_bounds();
    check_any_order();
    check_joins();
    check_snapshot();
    check_thundering_herd();
    return tap_done();
}
