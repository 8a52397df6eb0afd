/*
 * The other supervisors, of this node and of others, as far as this one asks them something: one
 * connection to each, dialled when it is first needed, shared by all who ask (links of the config, watches), and
 * closed when nobody has needed it for a while. The answers to a question come to whoever asked it:
 * the reply, later the events of the same number, and the end of the connection, after which the
 * other knows nothing of the question any more.
 */
#ifndef TROUPE_FELLOWS_H
#define TROUPE_FELLOWS_H

#include "addr.h"
#include "peer.h"
#include "reserve.h"

#include <ev.h>

struct supervisor;
struct fellow;

struct fellows {
    struct supervisor *supervisor;
    struct fellow *first;
    ev_timer sweep;
};

/* A question, part of its asker. */
struct question {
    struct fellow *fellow; /* NULL: nothing is asked */
    uint64_t ref;
    /* env is the reply, the error or an event; or NULL, and why says in one word why there will be
     * none: `noproc` (no such supervisor), `denied`, `noconnection`. The question is then forgotten. */
    void (*on_answer)(struct question *question, const struct envelope *env, const char *why);
    UT_hash_handle hh;
};

void fellows_init(struct fellows *fellows, struct supervisor *supervisor);
void fellows_finish(struct fellows *fellows);

/* Asks the supervisor at that path (`shop`, or `shop@west`); question->on_answer is set. Never answered before this returns.
 * 0, or -1 with errno. */
int fellows_ask(struct fellows *fellows, const char *supervisor_path, const char *verb,
                const struct words *words, struct question *question);
/* Says something whose answer does not matter. */
void fellows_tell(struct fellows *fellows, const char *supervisor_path, const char *verb,
                  const struct words *words);
/* No answer is wanted any more. Of what is not asked: nothing happens. */
void question_forget(struct question *question);

#endif
