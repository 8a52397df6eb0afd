/*
 * A bad wire between two network interfaces, for kernels that have no netem: what comes in at one
 * goes out at the other, later, or not at all.
 *
 *   wire A B DELAY_MS LOSS_PERCENT
 *
 * Both directions have the delay and the loss. Frames stay in order. Ends with SIGTERM, which drops
 * what is on its way, as pulling a plug does. Interfaces carry frames whose checksums and segments
 * are still to be made (veth): the kernel's own header for that goes along (PACKET_VNET_HDR).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    FRAME_MAX = 10 + 65536 + 64,
    QUEUE_MAX = 4096 /* of frames, each way: then they are lost */
};

struct frame {
    struct frame *next;
    int64_t due_us;
    size_t size;
    uint8_t bytes[];
};

/* One direction. */
struct way {
    int from, to;
    struct frame *first, **last;
    size_t count;
};

static int64_t delay_us;
static double loss; /* 0 to 1 */

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_interface(const char *name)
{
    struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    addr.sll_ifindex = (int)if_nametoindex(name);
    if (fd < 0 || !addr.sll_ifindex ||
        setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        die(name);
    return fd;
}

static bool is_lost(void)
{
    return (double)random() / ((double)RAND_MAX + 1) < loss;
}

/* Takes in all that is there. */
static void take(struct way *way)
{
    static uint8_t bytes[FRAME_MAX];
    ssize_t size;

    while ((size = recv(way->from, bytes, sizeof bytes, 0)) > 0) {
        struct frame *frame;

        if (is_lost() || way->count == QUEUE_MAX || !(frame = malloc(sizeof *frame + (size_t)size)))
            continue;
        *frame = (struct frame){.due_us = now_us() + delay_us, .size = (size_t)size};
        memcpy(frame->bytes, bytes, (size_t)size);
        *way->last = frame;
        way->last = &frame->next;
        way->count++;
    }
    if (size < 0 && errno != EAGAIN && errno != EINTR && errno != ENETDOWN)
        die("recv");
}

/* Gives out what is due; what the other side does not take is lost. */
static void give(struct way *way)
{
    while (way->first && way->first->due_us <= now_us()) {
        struct frame *frame = way->first;

        if (send(way->to, frame->bytes, frame->size, 0) < 0 && errno == EBADF)
            die("send");
        way->first = frame->next;
        if (!way->first)
            way->last = &way->first;
        way->count--;
        free(frame);
    }
}

static int64_t next_due_us(const struct way ways[2])
{
    int64_t due = INT64_MAX;

    for (int i = 0; i < 2; i++)
        if (ways[i].first && ways[i].first->due_us < due)
            due = ways[i].first->due_us;
    return due;
}

static void wait_for(const struct way ways[2])
{
    struct pollfd fds[2] = {{.fd = ways[0].from, .events = POLLIN},
                            {.fd = ways[1].from, .events = POLLIN}};
    int64_t due = next_due_us(ways), left = due - now_us();
    struct timespec time = {.tv_sec = left > 0 ? left / 1000000 : 0,
                            .tv_nsec = left > 0 ? left % 1000000 * 1000 : 0};

    if (ppoll(fds, 2, due == INT64_MAX ? NULL : &time, NULL) < 0 && errno != EINTR)
        die("poll");
}

int main(int argc, char **argv)
{
    struct way ways[2] = {0};
    int a, b;

    if (argc != 5) {
        fprintf(stderr, "usage: wire A B DELAY_MS LOSS_PERCENT\n");
        return 2;
    }
    delay_us = strtoll(argv[3], NULL, 10) * 1000;
    loss = strtod(argv[4], NULL) / 100;
    srandom((unsigned)(now_us() ^ getpid()));
    a = open_interface(argv[1]);
    b = open_interface(argv[2]);
    ways[0] = (struct way){.from = a, .to = b};
    ways[1] = (struct way){.from = b, .to = a};
    for (int i = 0; i < 2; i++)
        ways[i].last = &ways[i].first;
    puts("ready");
    fflush(stdout);
    for (;;) {
        wait_for(ways);
        for (int i = 0; i < 2; i++) {
            take(&ways[i]);
            give(&ways[i]);
        }
    }
}
