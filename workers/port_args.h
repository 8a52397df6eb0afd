/*
 * The arguments of a port (`args:` of its child spec). Pure but for memory.
 */
#ifndef TROUPE_PORT_ARGS_H
#define TROUPE_PORT_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PORT_ARGS_WHY = 256 };

struct port_args {
    char **exec;           /* the command's words; required */
    size_t line;           /* bytes of a line, either way; 64k */
    size_t queue;          /* requests that the program has or is to get; 100 */
    size_t bytes;          /* of requests that it has not taken yet; 1M */
    int64_t grace_ms;      /* from its input's end to SIGTERM, and from there to SIGKILL; 2s */
    bool is_ready_by_line; /* `ready: line`: when it says so; else when it is started */
};

void port_args_init(struct port_args *args);
void port_args_finish(struct port_args *args);
/* One of them. 0; or -1 with why: "queue: "none": expected …". */
int port_args_set(struct port_args *args, const char *key, const char *value,
                  char why[PORT_ARGS_WHY]);

#endif
