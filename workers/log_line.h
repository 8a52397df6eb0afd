/*
 * Lines of sys/log, pure: cutting foreign bytes into lines, the text of a line in a file and back,
 * and which file a path writes to.
 *
 * A line in a file is `2026-11-21T08:15:30.123Z out TEXT`. The second word is the stream (out, err,
 * both) or `log` for what sys/log itself has to say. A line over LOG_PIECE_MAX bytes is cut into
 * pieces; each piece that goes on in the next line has a plus sign at its stream: `out+`.
 */
#ifndef TROUPE_LOG_LINE_H
#define TROUPE_LOG_LINE_H

#include "addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_PIECE_MAX = 8192,                   /* foreign bytes in one line */
    LOG_TEXT_SIZE = 4 * LOG_PIECE_MAX + 1,  /* their escaped text, with the NUL */
    LOG_FORMATTED_MAX = LOG_TEXT_SIZE + 64, /* with time, stream and newline */
    LOG_FILE_MAX = 2 * ADDR_PATH_MAX + 32,  /* a file's name below the log directory */
};

enum log_stream_kind { LOG_OUT, LOG_ERR, LOG_BOTH, LOG_NOTE, LOG_KINDS };

/* "out", "err", "both", "log". */
const char *log_kind_text(enum log_stream_kind kind);
/* The streams that a pipe may be; -1 when text is none of them. */
int log_kind_of_text(const char *text);

struct log_piece {
    const char *at; /* without the newline */
    size_t length;
    bool is_whole; /* ends with a newline, or is cut because of its length */
    bool goes_on;  /* cut because of its length */
};

/* Takes the next piece from bytes; *at is the cursor, 0 at first. False at the end. */
bool log_piece_next(const char *bytes, size_t size, size_t *at, struct log_piece *piece);

/* How many of the bytes can be taken now: up to the end of the last whole piece. The rest waits for
 * its newline where it is. */
size_t log_take_size(const char *bytes, size_t size);

/* The number of lines in bytes, a last one without its newline included. */
uint64_t log_line_count(const char *bytes, size_t size);

/* Writes one line with its newline, the text escaped, into out[LOG_FORMATTED_MAX]; returns its
 * length. */
size_t log_line_format(int64_t wall_us, enum log_stream_kind kind, bool goes_on, const char *bytes,
                       size_t length, char out[LOG_FORMATTED_MAX]);

struct log_line {
    int64_t wall_us;
    char stream[8]; /* with its plus sign */
    const char *text;
    size_t length;
};

/* Reads a line (without its newline) as log_line_format() wrote it. False when it is none. */
bool log_line_parse(const char *line, size_t length, struct log_line *parsed);

/* The file of a path, below the log directory: "shop/web" -> "shop/web.log". A folder whose name
 * looks like a log file ("web.log", "web.log.3") gets a tilde, so that both can exist. */
void log_file_of_path(const char *path, char out[LOG_FILE_MAX]);
/* The folder of what is below path: "shop/web" -> "shop/web"; "" -> "". */
void log_folder_of_path(const char *path, char out[LOG_FILE_MAX]);
/* A directory entry's name -> its part of a path and its generation (0: the present file, 1: .1 …).
 * False when it is no log file. */
bool log_name_parse(const char *name, char part[ADDR_PART_MAX + 1], unsigned *generation);

#endif
