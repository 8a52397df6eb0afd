/*
 * libnng's side of a connection, dialling or listening, for tests of lib/sp.c against it.
 *
 *   nng_client dial|listen PROTOCOL PATH COUNT [TEXT]
 *
 * push sends `TEXT N`, COUNT of them; req and pair (dialling) send and wait for as many answers;
 * sub and pull print COUNT messages; rep and pair (listening) answer COUNT times; pub sends until
 * COUNT are out, one every 20 ms. Answers and messages are printed. Exits 0 when all is done, 1
 * when something took over 10 s.
 */
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/util/platform.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nng_socket sock;
static const char *text;

static void check(int result, const char *what)
{
    if (!result)
        return;
    fprintf(stderr, "%s: %s\n", what, nng_strerror(result));
    exit(1);
}

static void give(const char *start, int n)
{
    char line[256];
    int length = snprintf(line, sizeof line, "%s %d", start, n);

    check(nng_send(sock, line, (size_t)length, 0), "send");
}

static void take(void)
{
    char *body;
    size_t size;

    check(nng_recv(sock, &body, &size, NNG_FLAG_ALLOC), "receive");
    printf("%.*s\n", (int)size, body);
    fflush(stdout);
    nng_free(body, size);
}

static void ask(int n)
{
    give(text, n);
    take();
}

static void answer(int n)
{
    take();
    give("+answer", n);
}

static void give_only(int n)
{
    give(text, n);
}

static void take_only(int n)
{
    (void)n;
    take();
}

static void publish(int n)
{
    give(text, n);
    nng_msleep(20); /* nng's pub drops what nobody is there to take */
}

static int open_sub(nng_socket *s)
{
    int result = nng_sub0_open(s);

    return result ? result : nng_socket_set(*s, NNG_OPT_SUB_SUBSCRIBE, "", 0);
}

static const struct {
    const char *name;
    int (*open)(nng_socket *s);
    void (*dialling)(int n), (*listening)(int n);
} protocols[] = {
    {"push", nng_push0_open, give_only, give_only},
    {"pull", nng_pull0_open, take_only, take_only},
    {"req", nng_req0_open, ask, ask},
    {"rep", nng_rep0_open, answer, answer},
    {"pair", nng_pair0_open, ask, answer},
    {"sub", open_sub, take_only, take_only},
    {"pub", nng_pub0_open, publish, publish},
};

static void run(const char *verb, const char *protocol, const char *path, int count)
{
    char url[256];
    size_t i = 0;

    while (i < sizeof protocols / sizeof *protocols && strcmp(protocols[i].name, protocol))
        i++;
    if (i == sizeof protocols / sizeof *protocols) {
        fprintf(stderr, "%s: no such protocol\n", protocol);
        exit(2);
    }
    snprintf(url, sizeof url, "ipc://%s", path);
    check(protocols[i].open(&sock), "open");
    check(nng_socket_set_ms(sock, NNG_OPT_RECVTIMEO, 10000), "timeout");
    check(nng_socket_set_ms(sock, NNG_OPT_SENDTIMEO, 10000), "timeout");
    check(nng_socket_set_ms(sock, NNG_OPT_RECONNMINT, 50), "reconnect");
    if (!strcmp(verb, "dial"))
        check(nng_dial(sock, url, NULL, 0), "dial");
    else
        check(nng_listen(sock, url, NULL, 0), "listen");
    printf("ready\n");
    fflush(stdout);
    for (int n = 0; n < count; n++) {
        if (*verb == 'd')
            protocols[i].dialling(n);
        else
            protocols[i].listening(n);
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: nng_client dial|listen PROTOCOL PATH COUNT [TEXT]\n");
        return 2;
    }
    text = argc > 5 ? argv[5] : "message";
    run(argv[1], argv[2], argv[3], atoi(argv[4]));
    nng_msleep(200); /* nng has no linger: what was sent last is on its way */
    nng_close(sock);
    return 0;
}
