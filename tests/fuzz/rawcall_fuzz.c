/* A raw line, and an envelope's payload, against a table of handlers: arguments come out whole, or
 * an error does. The first byte chooses the way in. */
#include "message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void unused(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    (void)message;
}

static const struct troupe_handler TABLE[] = {
    {"add", "I", "I", unused, ""},
    {"set", "su", "", unused, ""},
    {"put", "iUfB", "", unused, ""},
    {"raw", "B", "B", unused, ""},
    {"none", "", "", unused, ""},
    {"bare", NULL, NULL, unused, ""},
    {0},
};

/* Reads every argument the way a handler would. */
static void read_all(const struct troupe_message *message)
{
    for (unsigned i = 0; i < message->count; i++) {
        switch (message->format[i]) {
        case 's':
            if (strlen(troupe_text(message, i)) > message->size)
                abort();
            break;
        case 'B':
            if (troupe_bytes(message, i).size > message->size)
                abort();
            break;
        case 'f':
            (void)troupe_double(message, i);
            break;
        default:
            (void)troupe_int(message, i);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"add", "set", "put", "none", "other"};
    char why[MESSAGE_WHY_SIZE];
    struct troupe_message *message;
    uint8_t way;

    if (size == 0)
        return 0;
    way = *data;
    message = message_create(NULL, (enum message_origin)(way % 3), names[way % 5],
                             strlen(names[way % 5]), "", 0, data + 1, size - 1);
    if (!message)
        return 0;
    message->is_typed = way & 0x40;
    if (message_parse(message, TABLE, way & 0x80, why) == 0)
        read_all(message);
    message_destroy(message);
    return 0;
}
