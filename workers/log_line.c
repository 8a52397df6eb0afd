#include "log_line.h"
#include "mono.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const kind_texts[LOG_KINDS] = {
    [LOG_OUT] = "out", [LOG_ERR] = "err", [LOG_BOTH] = "both", [LOG_NOTE] = "log"};

const char *log_kind_text(enum log_stream_kind kind)
{
    return kind_texts[kind];
}

int log_kind_of_text(const char *text)
{
    for (int kind = LOG_OUT; kind <= LOG_BOTH; kind++) {
        if (!strcmp(text, kind_texts[kind]))
            return kind;
    }
    return -1;
}

/* ---- cutting ----------------------------------------------------------------------------- */

/* Where to cut bytes that are too long: not inside a UTF-8 character, as far as one can tell. */
static size_t cut_size(const char *bytes)
{
    size_t size = LOG_PIECE_MAX;

    for (int back = 0; back < 3; back++) {
        if (((unsigned char)bytes[size] & 0xC0) != 0x80)
            return size;
        size--;
    }
    return ((unsigned char)bytes[size] & 0xC0) == 0xC0 ? size : LOG_PIECE_MAX;
}

bool log_piece_next(const char *bytes, size_t size, size_t *at, struct log_piece *piece)
{
    const char *from = bytes + *at;
    size_t left = size - *at;
    /* A line of exactly LOG_PIECE_MAX bytes is whole: its newline is the byte after. */
    size_t window = left > LOG_PIECE_MAX ? LOG_PIECE_MAX + 1 : left;
    const char *newline;

    if (left == 0)
        return false;
    newline = memchr(from, '\n', window);
    *piece = (struct log_piece){.at = from, .length = left};
    if (newline) {
        piece->length = (size_t)(newline - from);
        piece->is_whole = true;
        *at += piece->length + 1;
        return true;
    }
    if (left > LOG_PIECE_MAX) {
        piece->length = cut_size(from);
        piece->is_whole = piece->goes_on = true;
    }
    *at += piece->length;
    return true;
}

size_t log_take_size(const char *bytes, size_t size)
{
    struct log_piece piece;
    size_t at = 0, taken = 0;

    while (log_piece_next(bytes, size, &at, &piece) && piece.is_whole)
        taken = at;
    return taken;
}

uint64_t log_line_count(const char *bytes, size_t size)
{
    uint64_t count = 0;
    size_t at = 0;

    while (at < size) {
        const char *newline = memchr(bytes + at, '\n', size - at);

        count++;
        if (!newline)
            break;
        at = (size_t)(newline - bytes) + 1;
    }
    return count;
}

/* ---- text -------------------------------------------------------------------------------- */

size_t log_line_format(int64_t wall_us, enum log_stream_kind kind, bool goes_on, const char *bytes,
                       size_t length, char out[LOG_FORMATTED_MAX])
{
    char when[WALL_TEXT_SIZE];
    size_t at, text;

    wall_text(wall_us, when);
    at = (size_t)snprintf(out, LOG_FORMATTED_MAX, "%s %s%s ", when, log_kind_text(kind),
                          goes_on ? "+" : "");
    text = text_escape(bytes, length > LOG_PIECE_MAX ? LOG_PIECE_MAX : length, out + at,
                       LOG_TEXT_SIZE);
    at += text < LOG_TEXT_SIZE ? text : LOG_TEXT_SIZE - 1;
    out[at++] = '\n';
    return at;
}

/* Two or more decimal digits of fixed width; -1 when there is something else. */
static int digits(const char *text, int width)
{
    int value = 0;

    for (int i = 0; i < width; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

enum { WHEN_LENGTH = 24 };

static bool when_parse(const char *text, int64_t *wall_us)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    struct tm tm = {0};
    int ms;

    for (int i = 0; i < WHEN_LENGTH; i++) {
        if (shape[i] == 'd' ? digits(text + i, 1) < 0 : text[i] != shape[i])
            return false;
    }
    tm.tm_year = digits(text, 4) - 1900;
    tm.tm_mon = digits(text + 5, 2) - 1;
    tm.tm_mday = digits(text + 8, 2);
    tm.tm_hour = digits(text + 11, 2);
    tm.tm_min = digits(text + 14, 2);
    tm.tm_sec = digits(text + 17, 2);
    ms = digits(text + 20, 3);
    *wall_us = ((int64_t)timegm(&tm) * 1000 + ms) * 1000;
    return true;
}

bool log_line_parse(const char *line, size_t length, struct log_line *parsed)
{
    const char *stream = line + WHEN_LENGTH + 1;
    const char *space;
    size_t word;

    if (length < WHEN_LENGTH + 4 || line[WHEN_LENGTH] != ' ' || !when_parse(line, &parsed->wall_us))
        return false;
    space = memchr(stream, ' ', length - WHEN_LENGTH - 1);
    if (!space)
        return false;
    word = (size_t)(space - stream);
    if (word == 0 || word >= sizeof parsed->stream)
        return false;
    memcpy(parsed->stream, stream, word);
    parsed->stream[word] = '\0';
    parsed->text = space + 1;
    parsed->length = (size_t)(line + length - parsed->text);
    return true;
}

/* ---- files ------------------------------------------------------------------------------- */

/* The length of name without ".log" or ".log.N", and N; 0 when it does not look like that. */
static size_t log_stem(const char *name, size_t length, unsigned *generation)
{
    size_t end = length;
    unsigned value = 0, scale = 1;

    while (end > 0 && name[end - 1] >= '0' && name[end - 1] <= '9' && length - end < 6) {
        value += scale * (unsigned)(name[--end] - '0');
        scale *= 10;
    }
    if (end < length && end > 0 && name[end - 1] == '.')
        end--;
    else if (end < length)
        return 0;
    *generation = value;
    return end > 4 && !memcmp(name + end - 4, ".log", 4) ? end - 4 : 0;
}

/* Copies path with a tilde at each folder that looks like a log file. last_too: path is a folder.
 */
static size_t guarded_path(const char *path, bool last_too, char *out)
{
    size_t at = 0;
    unsigned generation;

    while (*path) {
        size_t length = strcspn(path, "/");
        bool is_folder = path[length] == '/' || last_too;

        memcpy(out + at, path, length);
        at += length;
        if (is_folder && log_stem(path, length, &generation) > 0)
            out[at++] = '~';
        path += length;
        if (*path == '/')
            out[at++] = *path++;
    }
    out[at] = '\0';
    return at;
}

void log_file_of_path(const char *path, char out[LOG_FILE_MAX])
{
    size_t length = guarded_path(path, false, out);

    memcpy(out + length, ".log", 5);
}

void log_folder_of_path(const char *path, char out[LOG_FILE_MAX])
{
    guarded_path(path, true, out);
}

bool log_name_parse(const char *name, char part[ADDR_PART_MAX + 1], unsigned *generation)
{
    size_t length = log_stem(name, strlen(name), generation);

    if (length == 0 || length > ADDR_PART_MAX)
        return false;
    memcpy(part, name, length);
    part[length] = '\0';
    return true;
}
