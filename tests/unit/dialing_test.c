/* When a node is dialled again, and whom a node dials at all. */
#include "../../cluster/mesh.h"
#include "tap.h"

#include <stdlib.h>

/* ---- when -------------------------------------------------------------------------------- */

static void check_delays(void)
{
    static const int64_t middle[] = {1000, 2000, 4000, 8000, 15000, 15000};
    int64_t low, high;

    for (unsigned failures = 1; failures <= 6; failures++) {
        low = INT64_MAX;
        high = 0;
        for (uint32_t random = 0; random < 1000; random++) {
            int64_t delay_ms = dialing_delay_ms(failures, false, random);

            low = delay_ms < low ? delay_ms : low;
            high = delay_ms > high ? delay_ms : high;
        }
        CHECK(low == middle[failures - 1] * 3 / 4 && high == middle[failures - 1] * 5 / 4,
              "after %u failures it waits %lld ms, a quarter more or less", failures,
              (long long)middle[failures - 1]);
    }
    CHECK(dialing_delay_ms(UINT32_MAX, false, 25) == DIALING_LAST_MS, "and never longer");
    low = INT64_MAX;
    for (unsigned failures = 1; failures < 9; failures++)
        for (uint32_t random = 0; random < 1000; random++)
            if (dialing_delay_ms(failures, true, random) < low)
                low = dialing_delay_ms(failures, true, random);
    tap_is_int(low, DIALING_REFUSED_MS, "whoever refused us is left alone for 5 s");
}

static void check_life(void)
{
    struct dialing dialing;

    dialing_start(&dialing, 100, 0);
    CHECK(dialing_is_due(&dialing, 100), "a new target is dialled at once");
    dialing_try(&dialing);
    CHECK(!dialing_is_due(&dialing, 1000000), "one that is being tried is not due");
    dialing_fail(&dialing, false, 200, 25);
    CHECK(!dialing_is_due(&dialing, 1199) && dialing_is_due(&dialing, 1200), "then after a second");
    for (int i = 0; i < 1000; i++) {
        dialing_try(&dialing);
        dialing_fail(&dialing, false, 200, 25);
    }
    CHECK(dialing_is_due(&dialing, 15200), "it is tried for ever");
    dialing_try(&dialing);
    dialing_hold(&dialing);
    dialing_fail(&dialing, false, 300, 25);
    CHECK(dialing.state == DIALING_HELD, "a try that ends during a session changes nothing");
    dialing_release(&dialing, 1000, 25);
    CHECK(dialing_is_due(&dialing, 2000), "after a session the delays begin anew");
    dialing_stop(&dialing);
    dialing_hold(&dialing);
    dialing_release(&dialing, 0, 0);
    CHECK(!dialing_is_due(&dialing, INT64_MAX), "a stopped one stays stopped");
}

/* ---- whom -------------------------------------------------------------------------------- */

static struct mesh mesh;

static const char *tried(int64_t now_ms)
{
    struct mesh_target *target = mesh_try(&mesh, now_ms);

    return target ? target->url : NULL;
}

static void begin(const char *name, const char *url, enum mesh_learning learning)
{
    mesh_init(&mesh, name, url, learning);
}

static void check_ordered(void)
{
    struct mesh_target *target;

    begin("m", "tcp://m:1", MESH_LEARNS_ALL);
    CHECK(mesh_due_ms(&mesh) == INT64_MAX, "without peers nothing is due");
    CHECK(!mesh_connect(&mesh, "tcp://m:1", 0), "our own address is no peer");
    target = mesh_connect(&mesh, "tcp://b:1", 5);
    CHECK(mesh_connect(&mesh, "tcp://b:1", 5) == target && !target->next, "one URL is one target");
    tap_is_int(mesh_due_ms(&mesh), 5, "it is due at once");
    tap_is_text(tried(5), "tcp://b:1", "and tried");
    tap_is_text(tried(5), NULL, "once");
    mesh_identified(&mesh, target, "b");
    mesh_session(&mesh, "b");
    CHECK(mesh_due_ms(&mesh) == INT64_MAX, "a session needs no dialling");
    mesh_session_ended(&mesh, "b", 100, 25);
    tap_is_int(mesh_due_ms(&mesh), 1100, "its end does");
    tried(1100);
    mesh_failed(target, AUTH_COOKIE, false, 1100, 0);
    tap_is_int(mesh_due_ms(&mesh), 6100, "a refusal is heeded for 5 s");
    tried(6100);
    mesh_failed(target, AUTH_ENDED, false, 6100, 25);
    tap_is_int(mesh_due_ms(&mesh), 8100, "an end of the stream is no refusal");
    tried(8100);
    mesh_failed(target, AUTH_SELF, false, 8100, 25);
    CHECK(mesh_due_ms(&mesh) == INT64_MAX, "a way to ourselves is not tried again");
    mesh_finish(&mesh);
}

static void check_two_ways(void)
{
    struct mesh_target *first, *second;

    begin("m", "", MESH_LEARNS_ALL);
    first = mesh_connect(&mesh, "tcp://b:1", 0);
    second = mesh_connect(&mesh, "tcp://b:2", 0);
    tried(0);
    tried(0);
    mesh_identified(&mesh, first, "b");
    mesh_session(&mesh, "b");
    mesh_identified(&mesh, second, "b");
    mesh_failed(second, AUTH_DUPLICATE, true, 0, 0);
    CHECK(mesh_due_ms(&mesh) == INT64_MAX, "a second way to a node waits while the first serves");
    mesh_session_ended(&mesh, "b", 0, 25);
    tap_is_text(tried(1000), "tcp://b:1", "after the session one way is tried");
    tap_is_text(tried(1000), NULL, "not the other at the same time");
    mesh_failed(first, AUTH_ENDED, false, 1000, 25);
    tap_is_text(tried(2000), "tcp://b:1", "and then each in its turn");
    mesh_failed(first, AUTH_ENDED, false, 2000, 25);
    tap_is_text(tried(2000), "tcp://b:2", "the second as well");
    mesh_finish(&mesh);
}

static void check_transitive(void)
{
    begin("m", "tcp://m:1", MESH_LEARNS_ALL);
    CHECK(mesh_learn(&mesh, "z", "tcp://z:1", false, 0, 10), "a peer's peer is dialled");
    CHECK(!mesh_learn(&mesh, "z", "tcp://z:1", false, 0, 10), "once");
    CHECK(!mesh_learn(&mesh, "m", "tcp://elsewhere:1", false, 0, 0), "ourselves we are");
    CHECK(!mesh_learn(&mesh, "n", "", false, 0, 0), "who listens nowhere cannot be dialled");
    tap_is_int(mesh_due_ms(&mesh), 10, "the lower-named dials at once");
    CHECK(mesh_learn(&mesh, "b", "tcp://b:1", false, 0, 10), "another");
    tap_is_text(tried(100), "tcp://z:1", "the first");
    tap_is_text(tried(1509), NULL, "the higher-named waits for the other's call");
    tap_is_text(tried(1510), "tcp://b:1", "but not for ever");
    mesh_finish(&mesh);
    begin("m", "tcp://m:1", MESH_LEARNS_NONE);
    CHECK(!mesh_learn(&mesh, "z", "tcp://z:1", false, 0, 0), "an isolated node learns nobody");
    mesh_finish(&mesh);
    begin("m", "tcp://m:1", MESH_LEARNS_PRIVATE);
    CHECK(!mesh_learn(&mesh, "y", "tcp://192.0.2.1:1", false, 0, 0),
          "clear text beyond this host is not learned where the network is not trusted");
    CHECK(mesh_learn(&mesh, "y", "tls+tcp://192.0.2.1:1", false, 0, 0), "but TLS is");
    CHECK(mesh_learn(&mesh, "z", "tcp://127.0.0.1:1", false, 0, 0), "and the loopback");
    mesh_finish(&mesh);
}

static void check_moved(void)
{
    begin("m", "", MESH_LEARNS_ALL);
    mesh_learn(&mesh, "z", "tcp://z:1", false, 0, 0);
    tried(0);
    mesh_session(&mesh, "z");
    mesh_session_ended(&mesh, "z", 0, 25);
    mesh_learn(&mesh, "z", "tcp://z:2", false, 10, 0);
    tap_is_text(tried(10), "tcp://z:2", "a node that listens elsewhere now is dialled there");
    mesh_finish(&mesh);
}

static void check_no_clear_text(void)
{
    begin("m", "tls+tcp://m:1", MESH_LEARNS_ALL);
    CHECK(!mesh_learn(&mesh, "z", "tcp://z:1", false, 0, 0),
          "who listens by TLS learns no clear text");
    CHECK(mesh_learn(&mesh, "z", "tls+tcp://z:1", false, 0, 0), "but TLS");
    mesh_finish(&mesh);
    begin("m", "tcp://m:1", MESH_LEARNS_ALL);
    CHECK(!mesh_learn(&mesh, "z", "tcp://z:1", true, 0, 0),
          "what was heard over TLS is not dialled without it");
    CHECK(mesh_learn(&mesh, "z", "tls+tcp://z:1", true, 0, 0), "but with it");
    mesh_finish(&mesh);
}

static void check_disconnect(void)
{
    struct mesh_target *target;

    begin("m", "", MESH_LEARNS_ALL);
    target = mesh_connect(&mesh, "tcp://b:1", 0);
    tried(0);
    mesh_identified(&mesh, target, "b");
    mesh_session(&mesh, "b");
    mesh_disconnect(&mesh, "b");
    mesh_session_ended(&mesh, "b", 0, 0);
    CHECK(mesh_due_ms(&mesh) == INT64_MAX && mesh_is_unwanted(&mesh, "b"),
          "a disconnected node is not dialled");
    CHECK(!mesh_learn(&mesh, "b", "tcp://b:9", false, 0, 0), "nor learned again");
    mesh_connect(&mesh, "tcp://b:1", 50);
    CHECK(!mesh_is_unwanted(&mesh, "b") && mesh_due_ms(&mesh) == 50, "until somebody says connect");
    mesh_disconnect(&mesh, "b");
    target = mesh_connect(&mesh, "tcp://b:2", 60);
    tap_is_text(tried(60), "tcp://b:2", "by another way too:");
    CHECK(mesh_is_unwanted(&mesh, "b"), "who that is, is not known yet");
    mesh_identified(&mesh, target, "b");
    CHECK(!mesh_is_unwanted(&mesh, "b"), "once it is, the node is wanted again");
    mesh_finish(&mesh);
    begin("m", "", MESH_LEARNS_ALL);
    mesh_learn(&mesh, "z", "tcp://z:1", false, 0, 0);
    mesh_disconnect(&mesh, "z");
    CHECK(!mesh.targets && !mesh.learned, "a learned one is forgotten");
    mesh_finish(&mesh);
}

static void check_bound(void)
{
    char name[32], url[64];
    unsigned learned = 0;

    begin("m", "", MESH_LEARNS_ALL);
    for (unsigned i = 0; i < 2 * MESH_LEARNED_MAX; i++) {
        snprintf(name, sizeof name, "n%u", i);
        snprintf(url, sizeof url, "tcp://n%u:1", i);
        learned += mesh_learn(&mesh, name, url, false, 0, 0);
    }
    tap_is_int(learned, MESH_LEARNED_MAX, "peers can tell of so many nodes and no more");
    mesh_finish(&mesh);
}

int main(void)
{
    check_delays();
    check_life();
    check_ordered();
    check_two_ways();
    check_transitive();
    check_moved();
    check_no_clear_text();
    check_disconnect();
    check_bound();
    return tap_done();
}
