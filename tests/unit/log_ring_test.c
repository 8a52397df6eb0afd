/* The ring between reader and writer: order, bounds, and what a successor finds after a kill at any
 * moment (a ring that is opened again while the first one is simply forgotten). */
#include "../../workers/log_ring.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char file[64];
static struct log_legacy legacy;

static struct log_ring *open_ring(void)
{
    return log_ring_open(file, LOG_RING_MIN, &legacy);
}

static struct log_record record_of(const char *path, const char *bytes, size_t size)
{
    return (struct log_record){
        .path = path, .kind = LOG_BOTH, .wall_us = 7, .bytes = bytes, .size = size};
}

static bool put(struct log_ring *ring, const char *path, const char *text)
{
    struct log_record record = record_of(path, text, strlen(text));

    return log_ring_put(ring, &record);
}

/* The texts from the tail on, with commas. */
static const char *texts(const struct log_ring *ring)
{
    static char out[256];
    uint64_t at = log_ring_tail(ring);
    struct log_record record;

    out[0] = '\0';
    while (log_ring_next(ring, &at, UINT64_MAX, &record)) {
        strncat(out, record.bytes, record.size);
        strcat(out, ",");
    }
    return out;
}

static void test_order(void)
{
    struct log_ring *ring = open_ring();
    uint64_t at = log_ring_tail(ring);
    struct log_record record;

    CHECK(ring && !legacy.is_volatile && !legacy.is_damaged && legacy.ring_bytes == 0,
          "a new ring is empty");
    put(ring, "a", "one");
    tap_is_text(texts(ring), "", "what is put is not there before it is committed");
    log_ring_commit(ring);
    put(ring, "b/c", "two");
    log_ring_commit(ring);
    tap_is_text(texts(ring), "one,two,", "records come in order");
    log_ring_next(ring, &at, UINT64_MAX, &record);
    CHECK(!strcmp(record.path, "a") && record.kind == LOG_BOTH && record.wall_us == 7 &&
              !record.is_final,
          "with path, stream and time");
    log_ring_release(ring, record.position, 2);
    tap_is_text(texts(ring), "e,two,", "half a record can be released");
    log_ring_close(ring);
    ring = open_ring();
    tap_is_text(texts(ring), "e,two,", "and is what a successor finds");
    CHECK(legacy.ring_bytes > 0 && legacy.hand == NULL, "nothing else was under way");
    log_ring_release(ring, log_ring_head(ring), 0);
    CHECK(log_ring_is_empty(ring), "at the end it is empty");
    log_ring_close(ring);
    unlink(file);
}

static void test_bounds(void)
{
    static char bytes[LOG_RECORD_MAX];
    struct log_ring *ring = open_ring();
    struct log_record record = record_of("p", bytes, sizeof bytes), got;
    uint64_t at;
    bool good = true;
    int count = 0;

    while (log_ring_put(ring, &record)) {
        log_ring_commit(ring);
        count++;
    }
    CHECK(count == 3, "a full ring takes no more");
    CHECK(!log_ring_is_half_empty(ring), "and is not half empty");
    log_ring_release(ring, log_ring_head(ring), 0);
    srandom(5);
    for (int round = 0; round < 5000 && good; round++) {
        size_t size = (size_t)random() % sizeof bytes;

        memset(bytes, round % 251, size);
        record.size = size;
        if (!log_ring_put(ring, &record)) {
            at = log_ring_tail(ring);
            good = log_ring_next(ring, &at, UINT64_MAX, &got);
            log_ring_release(ring, at, 0);
            round--;
            continue;
        }
        log_ring_commit(ring);
        for (at = log_ring_tail(ring); log_ring_next(ring, &at, UINT64_MAX, &got);)
            good = good && got.size <= sizeof bytes && !strcmp(got.path, "p") &&
                   (got.size == 0 || got.bytes[0] == got.bytes[got.size - 1]);
    }
    CHECK(good, "records of all sizes go round and round unharmed");
    log_ring_close(ring);
    unlink(file);
}

static void test_barrier(void)
{
    struct log_ring *ring = open_ring();

    put(ring, "a", "one");
    log_ring_commit(ring);
    log_ring_set_barrier(ring, log_ring_head(ring));
    put(ring, "a", "two");
    log_ring_commit(ring);
    CHECK(log_ring_limit(ring) < log_ring_head(ring), "the writer stays before the barrier");
    log_ring_close(ring);
    ring = open_ring();
    CHECK(log_ring_limit(ring) == log_ring_head(ring), "a successor lifts it");
    log_ring_close(ring);
    unlink(file);
}

/* begin(), perhaps end(), then a successor. */
static struct log_ring *transfer(struct log_ring *ring, int place, const char *record,
                                 const char *rest, size_t size, bool end)
{
    struct log_transfer t = {.path = "a",
                             .kind = LOG_ERR,
                             .size = size,
                             .place = place,
                             .rest = rest,
                             .rest_size = strlen(rest)};

    if (*record)
        put(ring, "a", record);
    log_ring_transfer_begin(ring, &t);
    if (end)
        log_ring_transfer_end(ring);
    log_ring_close(ring);
    return open_ring();
}

static const char *rest_of(const struct log_ring *ring)
{
    static char out[64];
    int place = log_rest_find(ring, "a", LOG_ERR);
    const char *bytes;
    size_t size;

    if (place < 0)
        return NULL;
    bytes = log_rest_bytes(ring, place, &size);
    snprintf(out, sizeof out, "%.*s", (int)size, bytes);
    return out;
}

static void test_transfers(void)
{
    struct log_ring *ring = open_ring();
    int place = log_rest_add(ring, "a", LOG_ERR);

    tap_is_text(rest_of(ring), NULL, "an empty rest is none");
    ring = transfer(ring, place, "x\n", "be", 4, true);
    tap_is_text(texts(ring), "x\n,", "after a transfer the record is there");
    tap_is_text(rest_of(ring), "be", "and the rest");
    CHECK(!legacy.hand, "and nothing was in hand");
    ring = transfer(ring, place, "begin\n", "y", 5, false);
    tap_is_text(texts(ring), "x\n,begin\n,", "one that was interrupted is finished by a successor");
    tap_is_text(rest_of(ring), "y", "rest included");
    CHECK(legacy.hand && legacy.hand_size == 5 && !memcmp(legacy.hand, "gin\ny", 5) &&
              !strcmp(legacy.hand_path, "a") && legacy.hand_kind == LOG_ERR,
          "who is told what was just being taken out of the pipe");
    free(legacy.hand);
    ring = transfer(ring, place, "yes\n", "", 3, true);
    tap_is_text(rest_of(ring), NULL, "a rest that has come to its end is gone");
    CHECK(log_rest_add(ring, "b", LOG_OUT) == place, "and its place is used again");
    log_ring_close(ring);
    ring = open_ring();
    CHECK(!legacy.hand, "what was settled is not told twice");
    log_ring_close(ring);
    unlink(file);
}

static void test_places(void)
{
    struct log_ring *ring = open_ring();
    int count = 0;

    while (log_rest_add(ring, "a", LOG_OUT) >= 0)
        count++;
    tap_is_int(count, LOG_RESTS_MAX, "places for rests are bounded");
    log_rest_remove(ring, 17);
    tap_is_int(log_rest_add(ring, "b", LOG_OUT), 17, "one that was given back is used again");
    log_ring_close(ring);
    unlink(file);
}

static void test_journal(void)
{
    struct log_ring *ring = open_ring();
    struct log_journal journal;

    put(ring, "a", "one");
    log_ring_commit(ring);
    CHECK(!log_ring_journal_get(ring, &journal), "no append is under way");
    log_ring_journal_set(ring, "a.log", 3, 99);
    log_ring_close(ring);
    ring = open_ring();
    CHECK(log_ring_journal_get(ring, &journal) && !strcmp(journal.file, "a.log") &&
              journal.inode == 3 && journal.size == 99,
          "a successor sees the append that was cut off");
    log_ring_release(ring, log_ring_head(ring), 0);
    CHECK(!log_ring_journal_get(ring, &journal), "one whose records were released was complete");
    log_ring_close(ring);
    unlink(file);
}

static void test_account(void)
{
    struct log_ring *ring = open_ring();

    log_ring_count_dropped(ring, 7);
    log_ring_count_dropped(ring, -2);
    log_ring_close(ring);
    ring = open_ring();
    CHECK(legacy.dropped_lines == 5, "dropped lines that were not mentioned are known");
    log_ring_settle(ring);
    log_ring_close(ring);
    ring = open_ring();
    CHECK(legacy.dropped_lines == 0, "until they are");
    log_ring_close(ring);
    unlink(file);
}

/* Any byte of the file may be wrong: it is found, or it is harmless. */
static void test_damage(void)
{
    bool good = true;
    struct stat st;

    srandom(9);
    for (int round = 0; round < 3000; round++) {
        struct log_ring *ring = open_ring();
        uint64_t at = log_ring_tail(ring);
        struct log_record record;
        int fd;

        put(ring, "a", "one");
        log_ring_commit(ring);
        ring = transfer(ring, log_rest_add(ring, "a", LOG_ERR), "two", "three", 4, round % 2);
        log_ring_close(ring);
        free(legacy.hand);
        fd = open(file, O_RDWR);
        for (int i = 0; i < 3; i++) {
            unsigned char byte = (unsigned char)random();

            if (pwrite(fd, &byte, 1, random() % (random() % 2 ? 200 : 17000)) != 1)
                good = false;
        }
        close(fd);
        ring = open_ring();
        free(legacy.hand);
        for (at = log_ring_tail(ring); log_ring_next(ring, &at, UINT64_MAX, &record);)
            good = good && record.size <= LOG_RECORD_MAX && strlen(record.path) <= ADDR_PATH_MAX;
        log_ring_close(ring);
        if (round % 16 == 0)
            unlink(file);
    }
    CHECK(good, "a damaged file is never believed");
    unlink(file);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    if (truncate(file, 10) < 0 || stat(file, &st) < 0)
        good = false;
    log_ring_close(open_ring());
    CHECK(good && !legacy.is_damaged, "a short one is begun anew");
    unlink(file);
}

static void test_no_file(void)
{
    struct log_ring *ring = log_ring_open("/proc/no/such/file", LOG_RING_MIN, &legacy);

    CHECK(ring && legacy.is_volatile, "where no file can be made the ring is memory only");
    put(ring, "a", "one");
    log_ring_commit(ring);
    tap_is_text(texts(ring), "one,", "and works");
    CHECK(log_rest_add(ring, "a", LOG_OUT) == 0, "with rests");
    log_ring_close(ring);
    if (symlink("/etc/passwd", file) == 0) {
        ring = open_ring();
        CHECK(ring && legacy.is_volatile, "a link is not followed");
        log_ring_close(ring);
        unlink(file);
    }
}

int main(void)
{
    snprintf(file, sizeof file, "/tmp/log_ring_test.%d", (int)getpid());
    test_order();
    test_bounds();
    test_barrier();
    test_transfers();
    test_places();
    test_journal();
    test_account();
    test_damage();
    test_no_file();
    return tap_done();
}
