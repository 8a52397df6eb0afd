/* The measured module: what stamp.c is among programs. Without args.fifo it is merely there. */
#include "stamp.h"

#include <troupe.h>

static int init(struct troupe *self)
{
    int64_t born = stamp_now();
    const char *fifo = troupe_arg(self, "fifo");

    if (fifo && stamp_write(fifo, born))
        return troupe_error(self, "cannot write into %s", fifo);
    return TROUPE_READY;
}

TROUPE_ACTOR(.init = init);
