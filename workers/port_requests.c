#include "port_requests.h"

#include <stdlib.h>

void port_requests_init(struct port_requests *requests)
{
    *requests = (struct port_requests){.asked = NULL};
    TAILQ_INIT(&requests->unwritten);
}

uint64_t port_requests_next_ref(const struct port_requests *requests)
{
    return requests->last_ref + 1;
}

int port_requests_add(struct port_requests *requests, struct troupe_message *message,
                      int64_t until_ms, char *line, size_t size)
{
    struct port_request *request = calloc(1, sizeof *request);

    if (!request)
        return -1;
    request->message = message;
    request->until_ms = until_ms;
    request->line = line;
    request->size = size;
    if (message) {
        request->ref = ++requests->last_ref;
        HASH_ADD(hh, requests->asked, ref, sizeof request->ref, request);
    }
    TAILQ_INSERT_TAIL(&requests->unwritten, request, in_unwritten);
    requests->count++;
    requests->bytes += size;
    return 0;
}

static void drop_line(struct port_requests *requests, struct port_request *request)
{
    if (!request->line)
        return;
    TAILQ_REMOVE(&requests->unwritten, request, in_unwritten);
    requests->bytes -= request->size - request->written;
    free(request->line);
    request->line = NULL;
}

static struct troupe_message *take_message(struct port_requests *requests,
                                           struct port_request *request)
{
    struct troupe_message *message = request->message;

    if (message)
        HASH_DEL(requests->asked, request);
    request->message = NULL;
    return message;
}

/* Nothing is owed to anybody: it is done. */
static void settle(struct port_requests *requests, struct port_request *request)
{
    if (request->line || request->message)
        return;
    requests->count--;
    free(request);
}

void port_requests_finish(struct port_requests *requests)
{
    struct port_request *request, *next;

    for (request = requests->asked; request; request = next) {
        next = request->hh.next; /* this one may go */
        take_message(requests, request);
        settle(requests, request);
    }
    while ((request = TAILQ_FIRST(&requests->unwritten))) {
        drop_line(requests, request);
        settle(requests, request);
    }
}

bool port_requests_wait(const struct port_requests *requests)
{
    return !TAILQ_EMPTY(&requests->unwritten);
}

int port_requests_pieces(const struct port_requests *requests, struct iovec *pieces, int most)
{
    const struct port_request *request;
    int n = 0;

    TAILQ_FOREACH(request, &requests->unwritten, in_unwritten)
    {
        if (n == most)
            break;
        pieces[n++] = (struct iovec){request->line + request->written,
                                     request->size - request->written};
    }
    return n;
}

/* Of the first line, at most to its end: how many. */
static size_t wrote_of_first(struct port_requests *requests, size_t n)
{
    struct port_request *request = TAILQ_FIRST(&requests->unwritten);
    size_t left = request->size - request->written;

    if (n < left) {
        request->written += n;
        requests->bytes -= n;
        return n;
    }
    drop_line(requests, request);
    settle(requests, request);
    return left;
}

void port_requests_wrote(struct port_requests *requests, size_t n)
{
    while (n > 0)
        n -= wrote_of_first(requests, n);
}

struct troupe_message *port_requests_answered(struct port_requests *requests, uint64_t ref)
{
    struct port_request *request;
    struct troupe_message *message;

    HASH_FIND(hh, requests->asked, &ref, sizeof ref, request);
    if (!request)
        return NULL;
    message = take_message(requests, request);
    settle(requests, request);
    return message;
}

bool port_requests_knew(const struct port_requests *requests, uint64_t ref)
{
    return ref > 0 && ref <= requests->last_ref;
}

void port_requests_expire(struct port_requests *requests, int64_t now_ms,
                          void (*expired)(struct troupe_message *message))
{
    struct port_request *request, *next;

    for (request = requests->asked; request; request = next) {
        next = request->hh.next; /* this one may go */
        if (request->until_ms > now_ms)
            continue;
        expired(take_message(requests, request));
        if (request->written == 0)
            drop_line(requests, request);
        settle(requests, request);
    }
}
