/*
 * One line of logfmt: `ts=… level=info path=shop/db pid=12 event=cart.full key=value`. Values that
 * hold spaces, quotes or foreign bytes are quoted and escaped. Pure but for logline_begin(), which
 * reads the clock and the pid. Functions return 0, or -1 (ENOMEM).
 */
#ifndef TROUPE_LOGLINE_H
#define TROUPE_LOGLINE_H

#include "buf.h"

int logline_begin(struct buf *line, const char *level, const char *path, const char *event);
int logline_add(struct buf *line, const char *key, const char *value);

#endif
