#include "store_servers.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the server ---------------------------------------------------------------------------------
 */

static const struct store_server_kind *server_kind;
static pid_t server;

void become_user(const char *name)
{
    const struct passwd *user = getpwnam(name);

    if (geteuid() != 0)
        return;
    if (!user || setgroups(0, NULL) < 0 || setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0)
        _exit(126);
}

static void spawn_server(void)
{
    server = fork();
    if (server != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    if (!freopen("/dev/null", "r", stdin) || !freopen("server.log", "a", stdout))
        _exit(125);
    dup2(1, 2);
    close_range(3, ~0U, 0);
    server_kind->become();
    _exit(127);
}

/* One that does not start, because its predecessor's processes are not all gone, is started again.
 */
static void keep_server(void)
{
    if (server > 0 && waitpid(server, NULL, WNOHANG) == server)
        spawn_server();
}

void server_start(const struct store_server_kind *kind)
{
    server_kind = kind;
    if (chdir(suite_dir()) < 0)
        abort();
    spawn_server();
}

static void server_signal(int number)
{
    kill(server, number);
    if (number != SIGKILL)
        return;
    waitpid(server, NULL, 0);
    server = 0;
}

void server_end(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    server = 0;
}

/* ---- the relay: loses what the server says, when told to ------------------------------------- */

struct pair {
    int client, server;
    ev_io from_client, from_server;
};

static struct {
    int fd;
    ev_io accepting;
    struct pair pairs[64];
    int count;
    bool loses; /* the next thing that the server says, and the connection with it */
    int lost;
} relay;

static int unix_socket(const char *path, bool listens)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (listens ? bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 16) < 0
                : connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void part(struct pair *pair)
{
    if (pair->client < 0)
        return;
    ev_io_stop(suite_loop(), &pair->from_client);
    ev_io_stop(suite_loop(), &pair->from_server);
    close(pair->client);
    close(pair->server);
    pair->client = -1;
}

static void carry(struct pair *pair, int from, int to, bool may_be_lost)
{
    char bytes[65536];
    ssize_t n = read(from, bytes, sizeof bytes);

    if (n > 0 && may_be_lost && relay.loses) {
        relay.loses = false;
        relay.lost++;
        n = 0;
    }
    if (n <= 0 || write(to, bytes, (size_t)n) != n)
        part(pair);
}

static void on_from_client(struct ev_loop *loop, ev_io *io, int events)
{
    struct pair *pair = container_of(io, struct pair, from_client);

    (void)loop;
    (void)events;
    carry(pair, pair->client, pair->server, false);
}

static void on_from_server(struct ev_loop *loop, ev_io *io, int events)
{
    struct pair *pair = container_of(io, struct pair, from_server);

    (void)loop;
    (void)events;
    carry(pair, pair->server, pair->client, true);
}

static void on_accepting(struct ev_loop *loop, ev_io *io, int events)
{
    struct pair *pair = &relay.pairs[relay.count];

    (void)io;
    (void)events;
    pair->client = accept(relay.fd, NULL, NULL);
    pair->server = unix_socket(server_kind->socket, false);
    if (pair->server < 0 || relay.count == 63) {
        close(pair->client);
        close(pair->server);
        return;
    }
    relay.count++;
    ev_io_init(&pair->from_client, on_from_client, pair->client, EV_READ);
    ev_io_init(&pair->from_server, on_from_server, pair->server, EV_READ);
    ev_io_start(loop, &pair->from_client);
    ev_io_start(loop, &pair->from_server);
}

static void relay_start(void)
{
    relay.fd = unix_socket(server_kind->relay_socket, true);
    ev_io_init(&relay.accepting, on_accepting, relay.fd, EV_READ);
    ev_io_start(suite_loop(), &relay.accepting);
}

static void relay_end(void)
{
    for (int i = 0; i < relay.count; i++)
        part(&relay.pairs[i]);
    ev_io_stop(suite_loop(), &relay.accepting);
    close(relay.fd);
    unlink(server_kind->relay_socket);
}

static void check_lost_answers(void)
{
    struct store *store = suite_open(&server_kind->relayed);
    const struct store_answer *answer;
    int64_t version = put(store, "lossy", STORE_NO_FENCE, STORE_NONE, "0")->version, epoch;
    int wrong = 0;
    char value[16];

    for (int i = 1; i <= 10; i++) {
        snprintf(value, sizeof value, "%d", i);
        relay.loses = true;
        answer = put(store, "lossy", STORE_NO_FENCE, version, value);
        wrong += answer->status != STORE_OK || answer->version != version + 1;
        version = answer->version;
        wrong += !holds(get(store, "lossy"), value);
    }
    CHECK(wrong == 0 && relay.lost == 10,
          "10 saves whose answers are lost are found to be accepted, once (%d lost)", relay.lost);
    ask(store, (struct store_request){
                   .op = STORE_NODE_INSERT, .node = "lossy", .generation = "g1", .state = "alive"});
    relay.loses = true;
    answer = ask(store, (struct store_request){.op = STORE_PLACE_CLAIM,
                                               .service = "lossy",
                                               .id = "1",
                                               .node = "lossy",
                                               .generation = "g1"});
    epoch = answer->epoch;
    CHECK(answer->status == STORE_OK && epoch > 0, "so is a claim");
    answer =
        ask(store, (struct store_request){.op = STORE_PLACE_READ, .service = "lossy", .id = "1"});
    CHECK(answer->epoch == epoch, "with its epoch");
    relay.loses = true;
    answer = ask(store, (struct store_request){.op = STORE_STATE_REMOVE,
                                               .service = "shop/carts",
                                               .id = "lossy",
                                               .name = "main",
                                               .version = version});
    CHECK(answer->status == STORE_OK && get(store, "lossy")->status == STORE_NOT_FOUND,
          "and a removal");
    relay.loses = true;
    CHECK(ask(store,
              (struct store_request){
                  .op = STORE_NODE_INSERT, .node = "lost", .generation = "g1", .state = "alive"})
                  ->status == STORE_OK,
          "and a node's entry");
    store_close(store);
}

/* ---- it is killed during saves ------------------------------------------------------------------
 */

enum { SAVERS = 16 };

/* Saves 1, 2, 3 …, each over the version of the one before. */
struct saver {
    struct store *store;
    char id[16], value[16];
    int64_t version;
    int accepted,
        unknown; /* the last number that was accepted; that was neither accepted nor refused */
    bool is_done, is_wrong;
};

static bool saving;
static int refused_by_name;

static void save_next(struct saver *saver);

static void look_again(struct saver *saver);

static void on_looked(void *data, const struct store_answer *answer)
{
    struct saver *saver = data;
    int there;

    if (answer->status != STORE_OK) {
        look_again(saver);
        return;
    }
    there = atoi(answer->value);
    saver->is_wrong |= there != saver->accepted && there != saver->unknown;
    saver->accepted = there;
    saver->version = answer->version;
    save_next(saver);
}

static void look_again(struct saver *saver)
{
    struct store_request request = {.op = STORE_STATE_GET,
                                    .deadline = mono_add_ms(mono_now(), 1000),
                                    .service = "shop/savers",
                                    .id = saver->id,
                                    .name = "main",
                                    .on_answer = on_looked,
                                    .data = saver};

    store_submit(saver->store, &request);
}

static void on_saved(void *data, const struct store_answer *answer)
{
    struct saver *saver = data;

    if (answer->status == STORE_OK) {
        saver->accepted = saver->unknown;
        saver->version = answer->version;
        save_next(saver);
    } else if (answer->status == STORE_UNREACHABLE) {
        refused_by_name++;
        look_again(saver);
    } else {
        saver->is_wrong = true;
        tap_note("%s: status %d, version %lld", saver->id, answer->status,
                 (long long)answer->version);
        look_again(saver);
    }
}

static void save_next(struct saver *saver)
{
    struct store_request request = {.op = STORE_STATE_PUT,
                                    .deadline = mono_add_ms(mono_now(), 200),
                                    .service = "shop/savers",
                                    .id = saver->id,
                                    .name = "main",
                                    .version = saver->version,
                                    .on_answer = on_saved,
                                    .data = saver};

    saver->is_done = !saving;
    if (saver->is_done)
        return;
    saver->unknown = saver->accepted + 1;
    snprintf(saver->value, sizeof saver->value, "%d", saver->unknown);
    request.value = saver->value;
    request.value_size = strlen(saver->value);
    store_submit(saver->store, &request);
}

static bool all_done(const struct saver *savers)
{
    for (int i = 0; i < SAVERS; i++) {
        if (!savers[i].is_done)
            return false;
    }
    return true;
}

/* Runs for ms, with the server kept running or not. */
static void run_for(int64_t ms, bool keeps)
{
    struct mono start = mono_now();

    while (mono_diff_ms(mono_now(), start) < ms) {
        suite_run(20);
        if (keeps)
            keep_server();
    }
}

static void check_killed(struct store *store)
{
    static struct saver savers[SAVERS];
    int kills = getenv("SOAK") ? 50 : 3, wrong = 0, all = 0;

    saving = true;
    for (int i = 0; i < SAVERS; i++) {
        savers[i] = (struct saver){.store = store};
        snprintf(savers[i].id, sizeof savers[i].id, "saver-%d", i);
        save_next(&savers[i]);
    }
    for (int i = 0; i < kills; i++) {
        run_for(300 + 37 * i % 200, true);
        server_signal(SIGKILL);
        run_for(300, false);
        spawn_server();
        for (int before = savers[0].accepted, n = 0; savers[0].accepted <= before + 1 && n < 500;
             n++)
            run_for(20, true);
    }
    saving = false;
    for (int n = 0; !all_done(savers) && n < 500; n++)
        run_for(20, true);
    for (int i = 0; i < SAVERS; i++) {
        const struct store_answer *answer =
            ask(store, (struct store_request){.op = STORE_STATE_GET,
                                              .service = "shop/savers",
                                              .id = savers[i].id,
                                              .name = "main"});

        wrong += savers[i].is_wrong || !savers[i].is_done || !answer->value ||
                 atoi(answer->value) != savers[i].accepted;
        all += savers[i].accepted;
    }
    CHECK(wrong == 0, "%d kills of the server during saves: none that was accepted of %d is lost",
          kills, all);
    CHECK(refused_by_name > 0 && all > SAVERS * kills,
          "meanwhile %d were told that it is unreachable", refused_by_name);
}

/* ---- it is away, or halted ------------------------------------------------------------------- */

static const struct store_answer *get_soon(struct store *store, int64_t ms)
{
    return ask(store, (struct store_request){.op = STORE_STATE_GET,
                                             .deadline = mono_add_ms(mono_now(), ms),
                                             .service = "shop/carts",
                                             .id = "away",
                                             .name = "main"});
}

static void check_away(struct store *store)
{
    const struct store_answer *answer;
    struct mono start;
    int tries = 0;

    put(store, "away", STORE_NO_FENCE, STORE_ANY, "kept");
    server_signal(SIGKILL);
    do { /* a process of PostgreSQL outlives it until it rests, and answers truly */
        suite_run(50);
        start = mono_now();
        answer = get_soon(store, 300);
    } while (holds(answer, "kept") && tries++ < 200);
    CHECK(answer->status == STORE_UNREACHABLE && *answer->why,
          "while the server is away it is unreachable, not empty");
    CHECK(mono_diff_ms(mono_now(), start) < 1000, "by the deadline of who asks");
    spawn_server();
    tries = 0;
    while (!holds(get_soon(store, 500), "kept") && tries++ < 60)
        keep_server();
    CHECK(tries < 60, "it comes back by itself");
}

static void check_halted(struct store *store)
{
    const struct store_answer *answer;
    int64_t version = put(store, "away", STORE_NO_FENCE, STORE_ANY, "before")->version;

    suite_shell("pkill --signal STOP --pgroup %d; pgrep -P %d | xargs -r kill -STOP", server,
                server);
    answer = ask(store, (struct store_request){.op = STORE_STATE_PUT,
                                               .deadline = mono_add_ms(mono_now(), 300),
                                               .service = "shop/carts",
                                               .id = "away",
                                               .name = "main",
                                               .version = version,
                                               .value = "during",
                                               .value_size = 6});
    CHECK(answer->status == STORE_UNREACHABLE && answer->was_sent,
          "a save that a halted server has got is unreachable, and may have been accepted");
    suite_shell("pgrep -P %d | xargs -r kill -CONT; pkill --signal CONT --pgroup %d", server,
                server);
    answer = get(store, "away");
    CHECK(holds(answer, "before") || holds(answer, "during"),
          "when it goes on, reading tells which");
    CHECK(put(store, "away", STORE_NO_FENCE, answer->version, "after")->status !=
                  STORE_UNREACHABLE &&
              put(store, "away", STORE_NO_FENCE, STORE_ANY, "after")->status == STORE_OK,
          "and saves go on");
}

void store_servers_suite(const struct store_server_kind *kind)
{
    struct store *store = suite_open(&kind->config);

    server_kind = kind;
    relay_start();
    check_lost_answers();
    relay_end();
    check_killed(store);
    check_away(store);
    check_halted(store);
    store_close(store);
}
