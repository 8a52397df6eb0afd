/*
 * Control payloads and typed payloads as tpl images: the only file that touches tpl. Before and
 * after tpl_load it does what PITFALLS 4 asks (size, magic, flags byte, length field, exact format,
 * then every array count), so that hostile bytes cost an error and nothing else. Three shapes carry
 * the whole of control: words (requests), facts (answers to read), rows (ps, tree, events).
 */
#ifndef TROUPE_WIRE_H
#define TROUPE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A packed image; free with wire_image_finish(). */
struct wire_image {
    void *data;
    size_t size;
};

void wire_image_finish(struct wire_image *image);

/* A list of texts: every control request, and short answers. tpl "A(s)". */
struct words {
    size_t count;
    char **at;
};

int wire_pack_words(const struct words *words, struct wire_image *image);
/* Convenience: packs the NULL-terminated argument list. */
int wire_pack_word_list(struct wire_image *image, ...) __attribute__((sentinel));
/* 0, or -1 with EBADMSG or ENOMEM. *words is then to be freed with words_finish(). No bytes at all
 * are no words. */
int wire_unpack_words(const void *image, size_t size, struct words *words);
int words_append(struct words *words, const char *text);
void words_finish(struct words *words);

/* An ordered list of named values. type: 's' text, 'n' number, 'b' true/false, 't' time (wall
 * microseconds), 'd' duration (ms), 'z' size (bytes). Values are always text. tpl "A(css)". */
struct fact {
    char type;
    char *key;
    char *value;
};

struct facts {
    size_t count;
    struct fact *at;
    bool incomplete; /* an addition has failed: nothing that could be packed */
};

int wire_pack_facts(const struct facts *facts, struct wire_image *image);
int wire_unpack_facts(const void *image, size_t size, struct facts *facts);
/* Appends a copy. 0 or -1 (ENOMEM). */
int facts_add(struct facts *facts, char type, const char *key, const char *value);
int facts_addf(struct facts *facts, char type, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The value of key, or NULL. */
const char *facts_get(const struct facts *facts, const char *key);
void facts_finish(struct facts *facts);

/* What a child is, as people see it. The values travel: append only. */
enum row_kind { ROW_MODULE, ROW_PROGRAM, ROW_SUPERVISOR, ROW_SERVICE, ROW_ATTACHED };
enum row_state {
    ROW_STARTING,
    ROW_WAITING,
    ROW_READY,
    ROW_STOPPING,
    ROW_STOPPED, /* by a person */
    ROW_EXITED,  /* ended, and its restart type says so be it */
    ROW_FAILED,
    ROW_BACKOFF,
    ROW_PAUSED, /* its processes are stopped by SIGSTOP */
    ROW_LOST,   /* its supervisor does not answer */
};
const char *row_kind_text(enum row_kind kind);
const char *row_state_text(enum row_state state);
/* -1 when it is none. */
int row_state_of_text(const char *text);

/* One line of ps. Texts are never NULL ("" when not known). */
struct row {
    char *path;
    uint8_t kind;  /* enum row_kind */
    uint8_t state; /* enum row_state */
    uint32_t pid;  /* 0: none */
    uint64_t incarnation;
    uint32_t restarts_in_window;
    uint64_t restarts_total;
    char *last;              /* the last reason, or "" */
    uint64_t since_us;       /* wall clock of the last change of state */
    uint64_t started_us;     /* wall clock of this incarnation's start; 0 */
    uint64_t memory;         /* resident minus shared, bytes */
    uint64_t cpu_ms;         /* user + system, whole life */
    uint32_t threads, fds, uid;
    uint32_t mailbox_depth;  /* messages that wait */
    uint64_t mailbox_bytes;
    uint64_t messages_in, messages_out;
    uint64_t expired, dropped; /* messages whose time was up before their turn; refused or thrown away */
    uint64_t busy_us;        /* for how long the present message has been handled; 0: idle */
    char *status;            /* what the actor says of itself */
    char *restart;           /* permanent, transient, temporary */
    /* supervisors only, else "" and 0 */
    char *strategy;
    uint32_t intensity;      /* UINT32_MAX: unlimited */
    uint32_t used;           /* restarts in the present window */
    uint64_t period_ms;
};

struct rows {
    size_t count;
    struct row *at;
};

/* Is it a supervisor, be it a service's? */
bool row_supervises(const struct row *row);
int wire_pack_rows(const struct rows *rows, struct wire_image *image);
int wire_unpack_rows(const void *image, size_t size, struct rows *rows);
void rows_finish(struct rows *rows);
/* What one row holds; not the row. */
void row_finish(struct row *row);

/* ---- typed payloads of messages (the actor's declared formats) --------------------------- */

enum { WIRE_VALUES_MAX = 32 }; /* characters of a format */

/* Format characters of a message's arguments: i u (32 bit), I U (64 bit), f (double), s (text), B (bytes).
 * "" is valid: no arguments, and then an image of no bytes. */
bool wire_format_is_valid(const char *format);

union wire_value {
    int64_t i;   /* i, I */
    uint64_t u;  /* u, U */
    double f;
    struct {
        char *at; /* s: NUL-terminated; B: raw. Owned by the value. */
        size_t size;
    } bytes;
};

/* The format that an image names, into format. 0, or -1 (EBADMSG) when it is none of ours. */
int wire_format_of(const void *image, size_t size, char format[WIRE_VALUES_MAX + 1]);

/* n values as told by format. image is freed by the caller. 0, or -1 with EINVAL, ENOMEM. */
int wire_pack_values(const char *format, const union wire_value *values, struct wire_image *image);
/* Unpacks into values[strlen(format)]; texts and bytes are owned by them: wire_values_finish().
 * 0, or -1 with EBADMSG (another format, or hostile bytes). */
int wire_unpack_values(const char *format, const void *image, size_t size, union wire_value *values);
void wire_values_finish(const char *format, union wire_value *values);

/* Raw fields (text) <-> values, by the declared format. *bad is the index of the field at fault.
 * 0, or -1 with EINVAL (not such a value), ERANGE. Numbers in decimal; floats as strtod reads. */
int wire_values_of_text(const char *format, char *const *fields, int n, union wire_value *values,
                        int *bad);
/* Writes value i of format as text into out (snprintf's rules; B as is). */
int wire_value_text(char type, const union wire_value *value, char *out, size_t size);

#endif
