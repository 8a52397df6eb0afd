/* A guest's stream, after its greeting: messages that lie within it, and addresses that are open,
 * or why not. */
#include "../../cluster/gate.h"
#include "../../cluster/sptcp.h"
#include "rights.h"

#include <stdlib.h>
#include <string.h>

enum { LARGEST = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_letter(const uint8_t *body, size_t size)
{
    static const char *const actors[] = {"shop/*", "run/[0-9]*"};
    const struct gate gate = {
        .node = "east", .grant = RIGHT_SEND, .actors = actors, .actor_count = 2};
    struct gate_letter letter;
    const char *why = gate_read(&gate, body, size, &letter);

    if (strlen(letter.path) > ADDR_PATH_MAX || (*letter.path && !addr_is_path(letter.path)))
        abort();
    if (why)
        return;
    if (strncmp(letter.path, "shop/", 5) && strncmp(letter.path, "run/", 4))
        abort();
    if (letter.message <= body || letter.message + letter.size != body + size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t length;
    size_t at = 0;

    while (sptcp_next(data + at, size - at, LARGEST, &length) == 1) {
        if (length > size - at - SPTCP_HEAD)
            abort();
        read_letter(data + at + SPTCP_HEAD, length);
        at += SPTCP_HEAD + length;
    }
    read_letter(data, size);
    return 0;
}
