#include "wire.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tpl.h>

extern tpl_hook_t tpl_hook; /* tpl.h forgets to say so */

static const char format_words[] = "A(s)";
static const char format_facts[] = "A(css)";
static const char format_rows[] = "A(sccuUuUsUUUUuuuuUUUUUUsssuuU)";

enum {
    PREAMBLE_SIZE = 8,     /* "tpl", flags, length */
    FACT_SHORT = 256,      /* most are */
    IMAGE_MAX = 256 << 20, /* far more than any message may have */
    ELEMENTS_MAX = 1000000,
    FLAG_BIG_ENDIAN = 1,
    FLAG_NULL_STRINGS = 2,
};

/* Under a sanitizer each piece is a block of its own, so that tpl is seen to step over an edge. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer)
enum { ARENA_BLOCK = 0, ARENA_GRAIN = 1 };
#else
enum { ARENA_BLOCK = 65536, ARENA_GRAIN = sizeof(max_align_t) };
#endif

/* ---- tpl at arm's length ------------------------------------------------------------------
 *
 * tpl ends the process when it runs out of memory. So while it works, its allocations come from an
 * arena and its fatal hook jumps out; the arena goes in one piece afterwards, whatever happened.
 */

struct block {
    struct block *next;
    size_t used, size;
    max_align_t bytes[];
};

struct arena {
    struct block *blocks;
    jmp_buf escape;
};

/* Where the loader has room for it from the beginning: a place that is made at first use takes each
 * module 4 pages. */
static _Thread_local struct arena *arena __attribute__((tls_model("initial-exec")));

/* Every piece is preceded by its size, for realloc. */
union piece {
    size_t size;
    max_align_t align;
};

static struct block *block_add(size_t wanted)
{
    size_t size = wanted > ARENA_BLOCK ? wanted : ARENA_BLOCK;
    struct block *block = malloc(sizeof *block + size);

    if (!block)
        return NULL;
    *block = (struct block){.next = arena->blocks, .size = size};
    arena->blocks = block;
    return block;
}

static void *arena_malloc(size_t size)
{
    size_t wanted = sizeof(union piece) + (size + ARENA_GRAIN - 1) / ARENA_GRAIN * ARENA_GRAIN;
    struct block *block = arena->blocks;
    union piece *piece;

    if (size > IMAGE_MAX)
        return NULL;
    if (!block || block->size - block->used < wanted)
        block = block_add(wanted);
    if (!block)
        return NULL;
    piece = (union piece *)((char *)block->bytes + block->used);
    block->used += wanted;
    piece->size = size;
    return piece + 1;
}

static void *arena_realloc(void *at, size_t size)
{
    size_t old = at ? ((union piece *)at - 1)->size : 0;
    void *fresh = arena_malloc(size);

    if (fresh && old)
        memcpy(fresh, at, old < size ? old : size);
    return fresh;
}

static void arena_free(void *at)
{
    (void)at;
}

static void arena_finish(struct arena *a)
{
    while (a->blocks) {
        struct block *next = a->blocks->next;

        free(a->blocks);
        a->blocks = next;
    }
}

static int no_oops(const char *format, ...)
{
    (void)format;
    return 0;
}

__attribute__((noreturn)) static void no_fatal(const char *format, ...)
{
    (void)format;
    longjmp(arena->escape, 1);
}

/* Runs work(job) with tpl tamed. Returns what work does, or -1 with ENOMEM when tpl gave up. */
static int tamed(int (*work)(void *job), void *job)
{
    struct arena own = {0}, *outer = arena;
    tpl_hook_t before = tpl_hook;
    volatile int result = -1;
    volatile int code = ENOMEM;

    arena = &own;
    tpl_hook = (tpl_hook_t){.oops = no_oops,
                            .malloc = arena_malloc,
                            .realloc = arena_realloc,
                            .free = arena_free,
                            .fatal = no_fatal};
    if (!setjmp(own.escape)) {
        result = work(job);
        code = errno;
    }
    tpl_hook = before;
    arena = outer;
    arena_finish(&own);
    errno = code;
    return result;
}

static int fail(int code)
{
    errno = code;
    return -1;
}

/* ---- images ------------------------------------------------------------------------------- */

void wire_image_finish(struct wire_image *image)
{
    free(image->data);
    *image = (struct wire_image){0};
}

/* The flags byte of an image that tpl made here: it says how texts are written only where the
 * format has some. */
static uint8_t own_flags(const char *format)
{
    const uint16_t one = 1;

    return (strchr(format, 's') ? FLAG_NULL_STRINGS : 0) |
           (*(const uint8_t *)&one ? 0 : FLAG_BIG_ENDIAN);
}

/* What must hold before tpl sees a byte. The flags byte matters most: with another one tpl checks
 * by one rule and unpacks by another. */
static bool is_sound(const char *format, const uint8_t *image, size_t size)
{
    size_t format_size = strlen(format) + 1;
    uint32_t length;

    if (size < PREAMBLE_SIZE + format_size || size > IMAGE_MAX)
        return false;
    memcpy(&length, image + 4, sizeof length);
    return !memcmp(image, "tpl", 3) && image[3] == own_flags(format) && length == size &&
           !memcmp(image + PREAMBLE_SIZE, format, format_size);
}

static int load(tpl_node *map, const char *format, const void *image, size_t size)
{
    void *aligned;

    if (!map)
        return fail(EINVAL);
    if (!is_sound(format, image, size))
        return fail(EBADMSG);
    aligned = arena_malloc(size);
    if (!aligned)
        return fail(ENOMEM);
    memcpy(aligned, image, size);
    return tpl_load(map, TPL_MEM, aligned, size) ? fail(EBADMSG) : 0;
}

/* The number of elements of array 1, or -1: tpl itself believes what the image claims. */
static int array_length(tpl_node *map, size_t size)
{
    int length = tpl_Alen(map, 1);

    if (length < 0 || (size_t)length > size || length > ELEMENTS_MAX)
        return fail(EBADMSG);
    return length;
}

static int dump(tpl_node *map, struct wire_image *image)
{
    size_t size = 0;

    if (tpl_dump(map, TPL_GETSIZE, &size) || size > IMAGE_MAX)
        return fail(EINVAL);
    image->data = malloc(size);
    if (!image->data)
        return fail(ENOMEM);
    image->size = size;
    if (!tpl_dump(map, TPL_MEM | TPL_PREALLOCD, image->data, size))
        return 0;
    wire_image_finish(image);
    return fail(EINVAL);
}

/* The three shapes differ in what one element is: a job knows its list, and the element that the
 * map points to. */
struct job {
    const char *format;
    tpl_node *(*map)(struct job *job);
    size_t count;                            /* packing */
    void (*pick)(struct job *job, size_t i); /* element i to the map's variables */
    int (*keep)(struct job *job);            /* the map's variables to the list: copies */
    const void *bytes;                       /* unpacking */
    size_t size;
    struct wire_image *image;
    void *list;
    struct row row;
    struct fact fact;
    char *word;
};

static int pack_work(void *at)
{
    struct job *job = at;
    tpl_node *map = job->map(job);

    if (!map)
        return fail(EINVAL);
    for (size_t i = 0; i < job->count; i++) {
        job->pick(job, i);
        tpl_pack(map, 1);
    }
    return dump(map, job->image);
}

static int pack(struct job *job)
{
    *job->image = (struct wire_image){0};
    if (job->count > ELEMENTS_MAX)
        return fail(EINVAL);
    return tamed(pack_work, job);
}

static int unpack_work(void *at)
{
    struct job *job = at;
    tpl_node *map = job->map(job);
    int count;

    if (load(map, job->format, job->bytes, job->size))
        return -1;
    count = array_length(map, job->size);
    if (count < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        if (tpl_unpack(map, 1) <= 0)
            return fail(EBADMSG);
        if (job->keep(job))
            return -1;
    }
    return 0;
}

/* Lists grow by doubling: an append is a realloc at powers of two only. */
static void *room_for_one(void *at, size_t count, size_t element)
{
    if (count & (count - 1))
        return at;
    return realloc(at, (count ? 2 * count : 1) * element);
}

static char *text_or_empty(char *text)
{
    static char empty[] = "";

    return text ? text : empty;
}

/* ---- words -------------------------------------------------------------------------------- */

static tpl_node *map_words(struct job *job)
{
    return tpl_map((char *)format_words, &job->word);
}

static void pick_word(struct job *job, size_t i)
{
    job->word = text_or_empty(((const struct words *)job->list)->at[i]);
}

static int keep_word(struct job *job)
{
    return job->word ? words_append(job->list, job->word) : fail(EBADMSG);
}

int wire_pack_words(const struct words *words, struct wire_image *image)
{
    struct job job = {.format = format_words,
                      .map = map_words,
                      .pick = pick_word,
                      .count = words->count,
                      .list = (void *)words,
                      .image = image};

    return pack(&job);
}

int wire_pack_word_list(struct wire_image *image, ...)
{
    struct words words = {0};
    const char *word;
    int result = 0, code;
    va_list args;

    va_start(args, image);
    while (!result && (word = va_arg(args, const char *)))
        result = words_append(&words, word);
    va_end(args);
    *image = (struct wire_image){0};
    if (!result)
        result = wire_pack_words(&words, image);
    code = errno;
    words_finish(&words);
    errno = code;
    return result;
}

int wire_unpack_words(const void *image, size_t size, struct words *words)
{
    struct job job = {.format = format_words,
                      .map = map_words,
                      .keep = keep_word,
                      .bytes = image,
                      .size = size,
                      .list = words};

    *words = (struct words){0};
    if (size == 0)
        return 0;
    if (!tamed(unpack_work, &job))
        return 0;
    words_finish(words);
    return -1;
}

int words_append(struct words *words, const char *text)
{
    char *copy = strdup(text);
    char **at = copy ? room_for_one(words->at, words->count, sizeof *at) : NULL;

    if (!at) {
        free(copy);
        return fail(ENOMEM);
    }
    words->at = at;
    words->at[words->count++] = copy;
    return 0;
}

void words_finish(struct words *words)
{
    int code = errno;

    for (size_t i = 0; i < words->count; i++)
        free(words->at[i]);
    free(words->at);
    *words = (struct words){0};
    errno = code;
}

/* ---- facts -------------------------------------------------------------------------------- */

static tpl_node *map_facts(struct job *job)
{
    return tpl_map((char *)format_facts, &job->fact.type, &job->fact.key, &job->fact.value);
}

static void pick_fact(struct job *job, size_t i)
{
    job->fact = ((const struct facts *)job->list)->at[i];
    job->fact.key = text_or_empty(job->fact.key);
    job->fact.value = text_or_empty(job->fact.value);
}

static int keep_fact(struct job *job)
{
    if (!job->fact.key || !job->fact.value)
        return fail(EBADMSG);
    return facts_add(job->list, job->fact.type, job->fact.key, job->fact.value);
}

int wire_pack_facts(const struct facts *facts, struct wire_image *image)
{
    struct job job = {.format = format_facts,
                      .map = map_facts,
                      .pick = pick_fact,
                      .count = facts->count,
                      .list = (void *)facts,
                      .image = image};

    return facts->incomplete ? fail(ENOMEM) : pack(&job);
}

int wire_unpack_facts(const void *image, size_t size, struct facts *facts)
{
    struct job job = {.format = format_facts,
                      .map = map_facts,
                      .keep = keep_fact,
                      .bytes = image,
                      .size = size,
                      .list = facts};

    *facts = (struct facts){0};
    if (!tamed(unpack_work, &job))
        return 0;
    facts_finish(facts);
    return -1;
}

int facts_add(struct facts *facts, char type, const char *key, const char *value)
{
    struct fact fact = {type, strdup(key), strdup(value)};
    struct fact *at = NULL;

    if (fact.key && fact.value)
        at = room_for_one(facts->at, facts->count, sizeof *at);
    if (!at) {
        free(fact.key);
        free(fact.value);
        facts->incomplete = true;
        return fail(ENOMEM);
    }
    facts->at = at;
    facts->at[facts->count++] = fact;
    return 0;
}

int facts_addf(struct facts *facts, char type, const char *key, const char *format, ...)
{
    char short_value[FACT_SHORT], *value = short_value;
    int length, result;
    va_list args;

    va_start(args, format);
    length = vsnprintf(short_value, sizeof short_value, format, args);
    va_end(args);
    if (length >= FACT_SHORT && (value = malloc((size_t)length + 1))) {
        va_start(args, format);
        vsnprintf(value, (size_t)length + 1, format, args);
        va_end(args);
    }
    if (length < 0 || !value) {
        facts->incomplete = true;
        return fail(ENOMEM);
    }
    result = facts_add(facts, type, key, value);
    if (value != short_value)
        free(value);
    return result;
}

const char *facts_get(const struct facts *facts, const char *key)
{
    for (size_t i = 0; i < facts->count; i++) {
        if (!strcmp(facts->at[i].key, key))
            return facts->at[i].value;
    }
    return NULL;
}

void facts_finish(struct facts *facts)
{
    int code = errno;

    for (size_t i = 0; i < facts->count; i++) {
        free(facts->at[i].key);
        free(facts->at[i].value);
    }
    free(facts->at);
    *facts = (struct facts){0};
    errno = code;
}

/* ---- rows --------------------------------------------------------------------------------- */

static const char *const kind_texts[] = {
    [ROW_MODULE] = "module",   [ROW_PROGRAM] = "program",   [ROW_SUPERVISOR] = "supervisor",
    [ROW_SERVICE] = "service", [ROW_ATTACHED] = "attached",
};

static const char *const state_texts[] = {
    [ROW_STARTING] = "starting", [ROW_WAITING] = "waiting", [ROW_READY] = "ready",
    [ROW_STOPPING] = "stopping", [ROW_STOPPED] = "stopped", [ROW_EXITED] = "exited",
    [ROW_FAILED] = "failed",     [ROW_BACKOFF] = "backoff", [ROW_PAUSED] = "paused",
    [ROW_LOST] = "lost",
};

enum { STATES = sizeof state_texts / sizeof *state_texts };

bool row_supervises(const struct row *row)
{
    return row->kind == ROW_SUPERVISOR || row->kind == ROW_SERVICE;
}

const char *row_kind_text(enum row_kind kind)
{
    return (size_t)kind < sizeof kind_texts / sizeof *kind_texts ? kind_texts[kind] : "unknown";
}

const char *row_state_text(enum row_state state)
{
    return (size_t)state < STATES ? state_texts[state] : "unknown";
}

int row_state_of_text(const char *text)
{
    for (int i = 0; i < STATES; i++) {
        if (!strcmp(text, state_texts[i]))
            return i;
    }
    return -1;
}

enum { ROW_TEXTS = 5 };

static void row_texts(struct row *row, char **texts[ROW_TEXTS])
{
    char **all[ROW_TEXTS] = {&row->path, &row->last, &row->status, &row->restart, &row->strategy};

    memcpy(texts, all, sizeof all);
}

static tpl_node *map_rows(struct job *job)
{
    struct row *r = &job->row;

    return tpl_map((char *)format_rows, &r->path, &r->kind, &r->state, &r->pid, &r->incarnation,
                   &r->restarts_in_window, &r->restarts_total, &r->last, &r->since_us,
                   &r->started_us, &r->memory, &r->cpu_ms, &r->threads, &r->fds, &r->uid,
                   &r->mailbox_depth, &r->mailbox_bytes, &r->messages_in, &r->messages_out,
                   &r->expired, &r->dropped, &r->busy_us, &r->status, &r->restart, &r->strategy,
                   &r->intensity, &r->used, &r->period_ms);
}

static void pick_row(struct job *job, size_t i)
{
    char **texts[ROW_TEXTS];

    job->row = ((const struct rows *)job->list)->at[i];
    row_texts(&job->row, texts);
    for (int t = 0; t < ROW_TEXTS; t++)
        *texts[t] = text_or_empty(*texts[t]);
}

void row_finish(struct row *row)
{
    char **texts[ROW_TEXTS];

    row_texts(row, texts);
    for (int t = 0; t < ROW_TEXTS; t++)
        free(*texts[t]);
}

/* Replaces borrowed texts by copies. */
static int row_own(struct row *row)
{
    char **texts[ROW_TEXTS];
    int code = 0;

    row_texts(row, texts);
    for (int t = 0; t < ROW_TEXTS; t++) {
        if (!*texts[t])
            code = EBADMSG;
        *texts[t] = code ? NULL : strdup(*texts[t]);
        if (!*texts[t] && !code)
            code = ENOMEM;
    }
    if (!code)
        return 0;
    row_finish(row);
    return fail(code);
}

static int keep_row(struct job *job)
{
    struct rows *rows = job->list;
    struct row row = job->row;
    struct row *at;

    if (row.kind > ROW_ATTACHED || row.state > ROW_LOST)
        return fail(EBADMSG);
    at = room_for_one(rows->at, rows->count, sizeof *at);
    if (!at)
        return fail(ENOMEM);
    rows->at = at;
    if (row_own(&row))
        return -1;
    rows->at[rows->count++] = row;
    return 0;
}

int wire_pack_rows(const struct rows *rows, struct wire_image *image)
{
    struct job job = {.format = format_rows,
                      .map = map_rows,
                      .pick = pick_row,
                      .count = rows->count,
                      .list = (void *)rows,
                      .image = image};

    return pack(&job);
}

int wire_unpack_rows(const void *image, size_t size, struct rows *rows)
{
    struct job job = {.format = format_rows,
                      .map = map_rows,
                      .keep = keep_row,
                      .bytes = image,
                      .size = size,
                      .list = rows};

    *rows = (struct rows){0};
    if (!tamed(unpack_work, &job))
        return 0;
    rows_finish(rows);
    return -1;
}

void rows_finish(struct rows *rows)
{
    int code = errno;

    for (size_t i = 0; i < rows->count; i++)
        row_finish(&rows->at[i]);
    free(rows->at);
    *rows = (struct rows){0};
    errno = code;
}

/* ---- values ------------------------------------------------------------------------------- */

bool wire_format_is_valid(const char *format)
{
    return strlen(format) <= WIRE_VALUES_MAX && strspn(format, "iuIUfsB") == strlen(format);
}

int wire_format_of(const void *image, size_t size, char format[WIRE_VALUES_MAX + 1])
{
    const char *text = (const char *)image + PREAMBLE_SIZE;
    size_t length;

    if (size <= PREAMBLE_SIZE)
        return fail(EBADMSG);
    length = strnlen(text, size - PREAMBLE_SIZE);
    if (length == size - PREAMBLE_SIZE || length == 0 || length > WIRE_VALUES_MAX)
        return fail(EBADMSG);
    memcpy(format, text, length + 1);
    return wire_format_is_valid(format) ? 0 : fail(EBADMSG);
}

/* What a format's character points to, in tpl's own types. */
union slot {
    int32_t i;
    uint32_t u;
    int64_t wide_i;
    uint64_t wide_u;
    double f;
    char *text;
    tpl_bin bytes;
};

struct values_job {
    const char *format;
    union slot slots[WIRE_VALUES_MAX];
    const union wire_value *values;
    union wire_value *out;
    const void *bytes;
    size_t size;
    struct wire_image *image;
};

/* tpl_map() takes as many pointers as the format asks for, and ignores the rest. */
static tpl_node *map_values(struct values_job *job)
{
    union slot *s = job->slots;

    _Static_assert(WIRE_VALUES_MAX == 32, "as many pointers as a format may have characters");
    return tpl_map((char *)job->format, s, s + 1, s + 2, s + 3, s + 4, s + 5, s + 6, s + 7, s + 8,
                   s + 9, s + 10, s + 11, s + 12, s + 13, s + 14, s + 15, s + 16, s + 17, s + 18,
                   s + 19, s + 20, s + 21, s + 22, s + 23, s + 24, s + 25, s + 26, s + 27, s + 28,
                   s + 29, s + 30, s + 31);
}

static int slot_of_value(char type, const union wire_value *value, union slot *slot)
{
    switch (type) {
    case 'i':
        slot->i = (int32_t)value->i;
        return slot->i == value->i ? 0 : fail(EINVAL);
    case 'u':
        slot->u = (uint32_t)value->u;
        return slot->u == value->u ? 0 : fail(EINVAL);
    case 'I':
        slot->wide_i = value->i;
        return 0;
    case 'U':
        slot->wide_u = value->u;
        return 0;
    case 'f':
        slot->f = value->f;
        return 0;
    case 's':
        slot->text = text_or_empty(value->bytes.at);
        return 0;
    default:
        if (value->bytes.size > IMAGE_MAX)
            return fail(EINVAL);
        slot->bytes.addr = value->bytes.at;
        slot->bytes.sz = (uint32_t)value->bytes.size;
        return 0;
    }
}

static int pack_values_work(void *at)
{
    struct values_job *job = at;
    tpl_node *map = map_values(job);

    if (!map)
        return fail(EINVAL);
    for (size_t i = 0; job->format[i]; i++) {
        if (slot_of_value(job->format[i], &job->values[i], &job->slots[i]))
            return -1;
    }
    tpl_pack(map, 0);
    return dump(map, job->image);
}

int wire_pack_values(const char *format, const union wire_value *values, struct wire_image *image)
{
    struct values_job job = {.format = format, .values = values, .image = image};

    *image = (struct wire_image){0};
    if (!wire_format_is_valid(format))
        return fail(EINVAL);
    return *format ? tamed(pack_values_work, &job) : 0;
}

/* A copy with a NUL behind it. */
static int own_bytes(const void *bytes, size_t size, union wire_value *value)
{
    char *copy = malloc(size + 1);

    if (!copy)
        return fail(ENOMEM);
    if (size)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    value->bytes.at = copy;
    value->bytes.size = size;
    return 0;
}

static int value_of_slot(char type, const union slot *slot, union wire_value *value)
{
    switch (type) {
    case 'i':
        value->i = slot->i;
        return 0;
    case 'u':
        value->u = slot->u;
        return 0;
    case 'I':
        value->i = slot->wide_i;
        return 0;
    case 'U':
        value->u = slot->wide_u;
        return 0;
    case 'f':
        value->f = slot->f;
        return 0;
    case 's':
        return slot->text ? own_bytes(slot->text, strlen(slot->text), value) : fail(EBADMSG);
    default:
        return own_bytes(slot->bytes.addr, slot->bytes.sz, value);
    }
}

static int unpack_values_work(void *at)
{
    struct values_job *job = at;
    tpl_node *map = map_values(job);

    if (load(map, job->format, job->bytes, job->size))
        return -1;
    if (tpl_unpack(map, 0) < 0)
        return fail(EBADMSG);
    for (size_t i = 0; job->format[i]; i++) {
        if (value_of_slot(job->format[i], &job->slots[i], &job->out[i]))
            return -1;
    }
    return 0;
}

int wire_unpack_values(const char *format, const void *image, size_t size, union wire_value *values)
{
    struct values_job job = {.format = format, .out = values, .bytes = image, .size = size};

    if (!wire_format_is_valid(format))
        return fail(EBADMSG);
    if (!*format)
        return size ? fail(EBADMSG) : 0;
    memset(values, 0, strlen(format) * sizeof *values);
    if (!tamed(unpack_values_work, &job))
        return 0;
    wire_values_finish(format, values);
    return -1;
}

void wire_values_finish(const char *format, union wire_value *values)
{
    int code = errno;

    for (size_t i = 0; format[i]; i++) {
        if (format[i] != 's' && format[i] != 'B')
            continue;
        free(values[i].bytes.at);
        values[i] = (union wire_value){0};
    }
    errno = code;
}

/* ---- values and text ---------------------------------------------------------------------- */

static int signed_of_text(const char *text, int64_t min, int64_t max, int64_t *value)
{
    char *end;
    long long n;

    if (text[strspn(text, "+-0123456789")] || !*text)
        return fail(EINVAL);
    errno = 0;
    n = strtoll(text, &end, 10);
    if (*end || end == text)
        return fail(EINVAL);
    if (errno || n < min || n > max)
        return fail(ERANGE);
    *value = n;
    return 0;
}

static int unsigned_of_text(const char *text, uint64_t max, uint64_t *value)
{
    char *end;
    unsigned long long n;

    if (text[strspn(text, "+0123456789")] || !*text)
        return fail(text[0] == '-' && text[1] && !text[1 + strspn(text + 1, "0123456789")]
                        ? ERANGE
                        : EINVAL);
    errno = 0;
    n = strtoull(text, &end, 10);
    if (*end || end == text)
        return fail(EINVAL);
    if (errno || n > max)
        return fail(ERANGE);
    *value = n;
    return 0;
}

static int float_of_text(const char *text, double *value)
{
    char *end;

    if (!*text || strchr(" \t\n\v\f\r", *text))
        return fail(EINVAL);
    errno = 0;
    *value = strtod(text, &end);
    if (*end)
        return fail(EINVAL);
    return errno == ERANGE && (*value > 1 || *value < -1) ? -1 : 0; /* tiny ones become 0 */
}

static int value_of_text(char type, const char *text, union wire_value *value)
{
    switch (type) {
    case 'i':
        return signed_of_text(text, INT32_MIN, INT32_MAX, &value->i);
    case 'I':
        return signed_of_text(text, INT64_MIN, INT64_MAX, &value->i);
    case 'u':
        return unsigned_of_text(text, UINT32_MAX, &value->u);
    case 'U':
        return unsigned_of_text(text, UINT64_MAX, &value->u);
    case 'f':
        return float_of_text(text, &value->f);
    default:
        return own_bytes(text, strlen(text), value);
    }
}

int wire_values_of_text(const char *format, char *const *fields, int n, union wire_value *values,
                        int *bad)
{
    int wanted = (int)strlen(format);

    if (!wire_format_is_valid(format) || n != wanted) {
        *bad = n < wanted ? n : wanted;
        return fail(EINVAL);
    }
    if (wanted)
        memset(values, 0, (size_t)wanted * sizeof *values);
    for (int i = 0; i < n; i++) {
        if (value_of_text(format[i], fields[i], &values[i])) {
            *bad = i;
            wire_values_finish(format, values);
            return -1;
        }
    }
    return 0;
}

/* The shortest of the usual precisions that reads back the same. */
static int float_text(double f, char *out, size_t size)
{
    char text[32];

    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, f);
        if (strtod(text, NULL) == f)
            break;
    }
    return snprintf(out, size, "%s", text);
}

static int bytes_text(const union wire_value *value, char *out, size_t size)
{
    size_t length = value->bytes.size, cut;

    if (size) {
        cut = length < size ? length : size - 1;
        if (cut)
            memcpy(out, value->bytes.at, cut);
        out[cut] = '\0';
    }
    return (int)length;
}

int wire_value_text(char type, const union wire_value *value, char *out, size_t size)
{
    switch (type) {
    case 'i':
    case 'I':
        return snprintf(out, size, "%" PRId64, value->i);
    case 'u':
    case 'U':
        return snprintf(out, size, "%" PRIu64, value->u);
    case 'f':
        return float_text(value->f, out, size);
    case 's':
        return snprintf(out, size, "%s", text_or_empty(value->bytes.at));
    default:
        return bytes_text(value, out, size);
    }
}
