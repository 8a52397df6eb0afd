#include "rates.h"

#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uthash.h>

struct earlier {
    UT_hash_handle hh;
    uint64_t incarnation, in, out;
    char path[];
};

void rates_begin(struct rates *rates, const struct actors *actors)
{
    *rates = (struct rates){.taken = mono_now()};
    for (size_t i = 0; i < actors->count; i++) {
        const struct row *row = &actors->at[i].row;
        size_t size = strlen(row->path) + 1;
        struct earlier *earlier = cli_alloc(sizeof *earlier + size), *same;

        memcpy(earlier->path, row->path, size);
        earlier->incarnation = row->incarnation;
        earlier->in = row->messages_in;
        earlier->out = row->messages_out;
        HASH_REPLACE_STR(rates->by_path, path, earlier, same);
        free(same);
    }
}

void rates_wait(const struct rates *rates)
{
    int64_t left_us = (int64_t)RATES_MS * 1000 - (mono_now().us - rates->taken.us);
    struct timespec left = {left_us / 1000000, left_us % 1000000 * 1000};

    while (left_us > 0 && nanosleep(&left, &left) < 0)
        ;
}

void rates_end(struct rates *rates)
{
    rates->us = mono_now().us - rates->taken.us;
}

void rates_finish(struct rates *rates)
{
    struct earlier *earlier, *next;

    HASH_ITER (hh, rates->by_path, earlier, next) {
        HASH_DEL(rates->by_path, earlier);
        free(earlier);
    }
}

static uint64_t a_second(const struct rates *rates, uint64_t before, uint64_t after)
{
    double count = after > before ? (double)(after - before) : 0;

    return (uint64_t)(count * 1e6 / (double)rates->us + 0.5);
}

bool rates_of(const struct rates *rates, const struct row *row, uint64_t *in, uint64_t *out)
{
    const struct earlier *earlier;

    HASH_FIND_STR(rates->by_path, row->path, earlier);
    if (!earlier || earlier->incarnation != row->incarnation || rates->us <= 0)
        return false;
    *in = a_second(rates, earlier->in, row->messages_in);
    *out = a_second(rates, earlier->out, row->messages_out);
    return true;
}
