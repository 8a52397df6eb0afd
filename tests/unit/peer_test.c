#include "peer.h"
#include "place.h"
#include "rundir.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct seen {
    int opened, envelopes, closed, fd;
    uint8_t kind;
    uint64_t ref;
    char type[256], text[256], why[128];
    struct words words;
    struct facts facts;
    struct rows rows;
    struct peer *peer;
};

static struct seen server, client;
static struct sp_listener *listener;
static bool close_on_envelope;

static void on_open(struct peer *peer)
{
    ((struct seen *)peer_data(peer))->opened++;
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct seen *seen = peer_data(peer);

    seen->envelopes++;
    seen->kind = env->kind;
    seen->ref = env->ref;
    seen->fd = fd;
    envelope_text_copy(env->type, seen->type, sizeof seen->type);
    words_finish(&seen->words);
    facts_finish(&seen->facts);
    rows_finish(&seen->rows);
    if (env->kind == ENVELOPE_CONTROL || !strcmp(seen->type, "words"))
        wire_unpack_words(env->payload, env->payload_size, &seen->words);
    else if (!strcmp(seen->type, "facts") || !strcmp(seen->type, "child.exit"))
        wire_unpack_facts(env->payload, env->payload_size, &seen->facts);
    else if (!strcmp(seen->type, "rows"))
        wire_unpack_rows(env->payload, env->payload_size, &seen->rows);
    else
        snprintf(seen->text, sizeof seen->text, "%.*s", (int)env->payload_size,
                 (const char *)env->payload);
    if (close_on_envelope) {
        peer_close(peer, false);
        seen->peer = NULL;
    }
}

static void on_close(struct peer *peer, const char *why)
{
    struct seen *seen = peer_data(peer);

    seen->closed++;
    seen->peer = NULL;
    snprintf(seen->why, sizeof seen->why, "%s", why);
}

static const struct peer_handlers handlers = {
    .on_open = on_open, .on_envelope = on_envelope, .on_close = on_close};

static bool accept_peer(struct sp_conn *conn)
{
    server.peer = peer_accept(conn, "shop/.supervisor@east#2", &handlers, &server);
    return server.peer != NULL;
}

static void begin(void)
{
    struct sp_handlers sp = peer_sp_handlers(accept_peer);

    server = client = (struct seen){.fd = -1};
    close_on_envelope = false;
    listener = sp_listen(loop, rundir_listen(dir, "shop/.supervisor"), NULL, &sp, NULL);
    client.peer =
        peer_dial(loop, dir, "shop/.supervisor", "cli@east", (struct mono){0}, &handlers, &client);
}

static void finish(struct seen *seen)
{
    peer_close(seen->peer, false);
    words_finish(&seen->words);
    facts_finish(&seen->facts);
    rows_finish(&seen->rows);
    if (seen->fd >= 0)
        close(seen->fd);
}

static void end(void)
{
    finish(&client);
    finish(&server);
    sp_listener_destroy(listener, false);
}

static void test_requests(void)
{
    char ps[] = "shop", other[] = "two words", reason[] = "normal";
    char *at[] = {ps, other};
    struct words words = {2, at};
    struct facts facts = {0};
    struct row row = {.path = ps, .last = reason, .pid = 77};
    struct rows rows = {1, &row};
    uint64_t ref;

    begin();
    ref = peer_request(client.peer, "ps", &words, -1);
    CHECK(ref != 0 && UNTIL(server.envelopes == 1),
          "a request may be sent before the connection stands");
    CHECK(server.opened == 1 && server.kind == ENVELOPE_CONTROL && server.ref == ref &&
              !strcmp(server.type, "ps") && server.words.count == 2 &&
              !strcmp(server.words.at[1], "two words"),
          "it arrives as it was asked, after the hello");
    tap_is_text(peer_remote(server.peer), "cli@east", "the hello says who asks");
    CHECK(peer_creds(server.peer)->uid == geteuid(), "the kernel says whose it is");
    CHECK(UNTIL(client.opened == 1) && !strcmp(peer_remote(client.peer), "shop/.supervisor@east#2"),
          "the asker knows who answers");
    CHECK(peer_request(client.peer, "self", NULL, -1) != ref && UNTIL(server.envelopes == 2) &&
              server.words.count == 0,
          "the next request has another ref, and may have no words");
    peer_reply_words(server.peer, ref, &words, -1);
    CHECK(UNTIL(client.envelopes == 1) && client.kind == ENVELOPE_CONTROL_REPLY &&
              client.ref == ref && client.words.count == 2,
          "words come back");
    facts_add(&facts, 's', "state", "ready");
    peer_reply_facts(server.peer, ref, &facts);
    CHECK(UNTIL(client.envelopes == 2) && !strcmp(facts_get(&client.facts, "state"), "ready"),
          "facts come back");
    peer_reply_rows(server.peer, ref, &rows);
    CHECK(UNTIL(client.envelopes == 3) && client.rows.count == 1 && client.rows.at[0].pid == 77,
          "rows come back");
    peer_reply_error(server.peer, ref, "noproc no child %s", "x");
    CHECK(UNTIL(client.envelopes == 4) && client.kind == ENVELOPE_ERROR &&
              !strcmp(client.text, "noproc no child x"),
          "errors come back");
    peer_event_facts(server.peer, ref, "child.exit", &facts);
    CHECK(UNTIL(client.envelopes == 5) && client.kind == ENVELOPE_EVENT && client.ref == ref,
          "events come as well");
    facts_finish(&facts);
    end();
}

static void test_descriptor(void)
{
    struct stat sent, got;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    fstat(fd, &sent);
    begin();
    peer_request(client.peer, "log-open", NULL, fd);
    CHECK(UNTIL(server.envelopes == 1) && !fstat(server.fd, &got) && got.st_rdev == sent.st_rdev,
          "a descriptor travels with a request");
    end();
}

static void test_tell(void)
{
    char *word = (char *)"a/b";
    struct words words = {1, &word};

    begin();
    CHECK(peer_tell(client.peer, "log-close", &words, -1) == 0 && UNTIL(server.envelopes == 1) &&
              server.kind == ENVELOPE_CONTROL && server.ref == 0 && server.words.count == 1,
          "what is told arrives, with no number for an answer");
    CHECK(peer_request(client.peer, "ps", NULL, -1) == 1, "and takes none from requests");
    end();
}

static void test_ends(void)
{
    begin();
    (void)UNTIL(server.opened && client.opened);
    peer_close(client.peer, true);
    client.peer = NULL;
    CHECK(UNTIL(server.closed == 1) && client.closed == 0,
          "a close is heard by the other side only");
    end();
    begin();
    close_on_envelope = true;
    peer_request(client.peer, "ps", NULL, -1);
    peer_request(client.peer, "ps", NULL, -1);
    CHECK(UNTIL(client.closed == 1) && server.envelopes == 1 && server.closed == 0,
          "a peer may be closed while its envelope is shown");
    end();
    server = client = (struct seen){.fd = -1};
    client.peer = peer_dial(loop, dir, "shop/nobody", "cli", (struct mono){0}, &handlers, &client);
    CHECK(client.peer && client.closed == 0 && UNTIL(client.closed == 1) &&
              !strcmp(client.why, "noproc"),
          "dialling nobody ends with noproc, later");
}

/* A listener of peers must not believe a dialer that speaks bytes. */
static const char *why_after(const uint8_t *body, size_t size)
{
    struct sp_handlers none = {0};
    struct iovec part = {(void *)body, size};
    struct sp_conn *conn;

    begin();
    (void)UNTIL(server.opened);
    peer_close(client.peer, false);
    client.peer = NULL;
    (void)UNTIL(server.closed);
    server.closed = 0;
    conn = sp_dial(loop, dir, "shop/.supervisor", SP_PAIR0, (struct mono){0}, NULL, &none, NULL);
    sp_send(conn, &part, 1, -1);
    sp_conn_close(conn, true);
    (void)UNTIL(server.closed);
    end();
    return server.why;
}

static void test_hostile(void)
{
    uint8_t bytes[ENVELOPE_HEADER_MAX + 8] = {0};
    struct envelope cast = {.kind = ENVELOPE_CAST}, hello = {.kind = ENVELOPE_HELLO};
    size_t size = envelope_encode_header(&cast, bytes);

    tap_is_text(why_after(bytes, size), "no hello", "who does not begin with hello is closed");
    CHECK(!strncmp(why_after((const uint8_t *)"garbage", 7), "bad envelope", 12),
          "so is who sends no envelope");
    size = envelope_encode_header(&hello, bytes);
    tap_is_text(why_after(bytes, size), "bad hello", "and whose hello has no payload");
    CHECK(!peer_dial(loop, dir, "x", (char[]){[0 ... ENVELOPE_ADDRESS_MAX] = 'a', 0}, (struct mono){0}, &handlers,
                     &client) &&
              errno == ENAMETOOLONG,
          "an address that is longer than any is refused");
}

int main(void)
{
    char path[128];

    if (place_make("peer-test"))
        return 1;
    test_requests();
    test_descriptor();
    test_tell();
    test_ends();
    test_hostile();
    place_leave();
    snprintf(path, sizeof path, "%s/shop/.supervisor", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/shop", dir);
    rmdir(path);
    rmdir(dir);
    return tap_done();
}
