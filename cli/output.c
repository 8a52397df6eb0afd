#include "output.h"

#include "mono.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void cli_out_of_memory(void)
{
    fputs("troupe: out of memory\n", stderr);
    exit(1);
}

void *cli_alloc(size_t size)
{
    void *memory = calloc(1, size ? size : 1);

    cli_check_memory(!memory);
    return memory;
}

char *cli_strdup(const char *text)
{
    char *copy = strdup(text);

    cli_check_memory(!copy);
    return copy;
}

/* ---- which format ----------------------------------------------------------------------- */

static const char *const format_names[] = {
    [OUTPUT_TABLE] = "table", [OUTPUT_WIDE] = "wide",   [OUTPUT_JSON] = "json",
    [OUTPUT_JSONL] = "jsonl", [OUTPUT_PATHS] = "paths", [OUTPUT_COLUMNS] = NULL,
};

static bool is_known(const char *name, const char *const *known)
{
    for (; *known; known++)
        if (strcmp(name, *known) == 0)
            return true;
    return false;
}

/* The nearest of the formats and columns to a word that is neither. */
static int refuse_column(const char *name, const char *const *known, struct error *err)
{
    const char *words[OUTPUT_COLUMNS + OUTPUT_COLUMNS_MAX + 1];
    const char *nearest;
    size_t count = 0;

    for (; count < OUTPUT_COLUMNS; count++)
        words[count] = format_names[count];
    for (; *known && count < OUTPUT_COLUMNS + OUTPUT_COLUMNS_MAX; known++)
        words[count++] = *known;
    words[count] = NULL;
    nearest = text_nearest(name, words);
    if (nearest)
        return error_set(err, EINVAL, "-o %s: no such format or column; did you mean %s?", name,
                         nearest);
    return error_set(err, EINVAL,
                     "-o %s: expected table, wide, json, jsonl, paths or a list of columns", name);
}

static int read_columns(struct output *out, const char *list, const char *const *known,
                        struct error *err)
{
    const char *at = list;
    size_t length;
    char *name;

    out->format = OUTPUT_COLUMNS;
    for (;; at += length + 1) {
        length = strcspn(at, ",");
        if (out->column_count == OUTPUT_COLUMNS_MAX)
            return error_set(err, EINVAL, "-o: more than %d columns", OUTPUT_COLUMNS_MAX);
        name = strndup(at, length);
        cli_check_memory(!name);
        out->columns[out->column_count++] = name;
        if (known ? !is_known(name, known) : length == 0)
            return refuse_column(name, known ? known : (const char *const[]){NULL}, err);
        if (!at[length])
            return 0;
    }
}

static int read_format(struct output *out, const char *format, const char *const *known,
                       struct error *err)
{
    for (int i = 0; i < OUTPUT_COLUMNS; i++) {
        if (strcmp(format, format_names[i]) == 0) {
            out->format = (enum output_format)i;
            return 0;
        }
    }
    return read_columns(out, format, known, err);
}

static unsigned terminal_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    uint64_t wanted;

    if (columns && text_unsigned(columns, 20, 10000, &wanted) == 0)
        return (unsigned)wanted;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        return size.ws_col;
    return 80;
}

static bool speaks_utf8(void)
{
    const char *locale = getenv("LC_ALL");

    if (!locale || !*locale)
        locale = getenv("LC_CTYPE");
    if (!locale || !*locale)
        locale = getenv("LANG");
    return locale && (strcasestr(locale, "utf-8") || strcasestr(locale, "utf8"));
}

int output_init(struct output *out, const char *format, bool ascii, const char *const *known,
                struct error *err)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

    *out = (struct output){.format = OUTPUT_TABLE};
    out->is_terminal = isatty(STDOUT_FILENO);
    out->is_ascii = ascii || !out->is_terminal || !speaks_utf8();
    out->has_colour =
        out->is_terminal && !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
    out->width = out->is_terminal ? terminal_width() : 0;
    return format ? read_format(out, format, known, err) : 0;
}

void output_finish(struct output *out)
{
    for (size_t i = 0; i < out->column_count; i++)
        free(out->columns[i]);
    out->column_count = 0;
}

int output_flush(void)
{
    if (fflush(stdout) == 0)
        return 0;
    if (errno == EPIPE)
        _exit(0);
    return -1;
}

void output_write(struct buf *text)
{
    if (buf_length(text) == 0)
        return;
    fwrite(buf_front(text), 1, buf_length(text), stdout);
    buf_consume(text, buf_length(text));
}

/* ---- colour ----------------------------------------------------------------------------- */

const char *output_colour(const struct output *out, enum colour colour)
{
    static const char *const codes[] = {
        [COLOUR_NONE] = "",         [COLOUR_GOOD] = "\033[32m", [COLOUR_BAD] = "\033[31m",
        [COLOUR_BUSY] = "\033[33m", [COLOUR_FAINT] = "\033[2m",
    };

    return out->has_colour ? codes[colour] : "";
}

const char *output_plain(const struct output *out)
{
    return out->has_colour ? "\033[0m" : "";
}

enum colour output_state_colour(enum row_state state)
{
    switch (state) {
    case ROW_READY:
        return COLOUR_GOOD;
    case ROW_FAILED:
    case ROW_LOST:
        return COLOUR_BAD;
    case ROW_STOPPED:
    case ROW_EXITED:
        return COLOUR_FAINT;
    default:
        return COLOUR_BUSY;
    }
}

/* ---- texts for people ------------------------------------------------------------------- */

char *show_duration(int64_t ms, char *out, size_t size)
{
    int64_t s = ms / 1000;

    if (ms < 1000)
        snprintf(out, size, "%" PRId64 "ms", ms);
    else if (s < 60)
        snprintf(out, size, "%" PRId64 "s", s);
    else if (s < 3600)
        snprintf(out, size, "%" PRId64 "m%02ds", s / 60, (int)(s % 60));
    else if (s < 86400)
        snprintf(out, size, "%" PRId64 "h%02dm", s / 3600, (int)(s / 60 % 60));
    else
        snprintf(out, size, "%" PRId64 "d%02dh", s / 86400, (int)(s / 3600 % 24));
    return out;
}

char *show_fact(const struct fact *fact, char *out, size_t size)
{
    switch (*fact->value ? fact->type : 's') {
    case 'b':
        snprintf(out, size, "%s",
                 strcmp(fact->value, "0") == 0       ? "no"
                 : strcmp(fact->value, "false") == 0 ? "no"
                                                     : "yes");
        return out;
    case 'd':
        return show_duration(strtoll(fact->value, NULL, 10), out, size);
    case 'z':
        return text_of_size(strtoull(fact->value, NULL, 10), out, size);
    default:
        return bare_fact(fact, out, size);
    }
}

char *bare_fact(const struct fact *fact, char *out, size_t size)
{
    char time[WALL_TEXT_SIZE];

    if (fact->type == 't' && *fact->value) {
        wall_text(strtoll(fact->value, NULL, 10), time);
        snprintf(out, size, "%s", time);
    } else {
        snprintf(out, size, "%s", fact->value);
    }
    return out;
}

static bool starts_character(char byte)
{
    return ((unsigned char)byte & 0xC0) != 0x80;
}

size_t show_width(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += starts_character(*text);
    return width;
}

/* ---- grids ------------------------------------------------------------------------------ */

struct cell {
    char *text;
    enum colour colour;
};

struct grid {
    const struct grid_column *columns;
    size_t column_count;
    struct cell *cells;
    size_t count, size;
};

struct grid *grid_create(const struct grid_column *columns, size_t count)
{
    struct grid *grid = cli_alloc(sizeof *grid);

    grid->columns = columns;
    grid->column_count = count;
    return grid;
}

void grid_destroy(struct grid *grid)
{
    if (!grid)
        return;
    for (size_t i = 0; i < grid->count; i++)
        free(grid->cells[i].text);
    free(grid->cells);
    free(grid);
}

void grid_add(struct grid *grid, const char *text, enum colour colour)
{
    if (grid->count == grid->size) {
        grid->size = grid->size ? grid->size * 2 : 64;
        grid->cells = realloc(grid->cells, grid->size * sizeof *grid->cells);
        cli_check_memory(!grid->cells);
    }
    grid->cells[grid->count++] = (struct cell){cli_strdup(text), colour};
}

static void measure(const struct grid *grid, size_t widths[])
{
    size_t width, column;

    for (column = 0; column < grid->column_count; column++)
        widths[column] = grid->columns[0].header ? show_width(grid->columns[column].header) : 0;
    for (size_t i = 0; i < grid->count; i++) {
        width = show_width(grid->cells[i].text);
        /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): cells come after columns */
        column = i % grid->column_count;
        if (width > widths[column])
            widths[column] = width;
    }
}

/* Takes what is too much from the columns that may be cut, the last one first. */
static void shrink(const struct grid *grid, const struct output *out, size_t widths[])
{
    size_t total = 0, spare;

    for (size_t i = 0; i < grid->column_count; i++)
        total += widths[i] + (i ? 1 : 0);
    for (size_t i = grid->column_count; i-- > 0 && out->width && total > out->width;) {
        if (!grid->columns[i].shrinks_to || widths[i] <= grid->columns[i].shrinks_to)
            continue;
        spare = widths[i] - grid->columns[i].shrinks_to;
        if (spare > total - out->width)
            spare = total - out->width;
        widths[i] -= spare;
        total -= spare;
    }
}

/* Text within width: cut at a character, with a mark that something is missing. */
static void put_cut(const struct output *out, const char *text, size_t width, struct buf *to)
{
    const char *mark = out->is_ascii ? "~" : "\u2026";
    const char *end = text;

    for (size_t left = width; *end; end++)
        if (starts_character(*end) && left-- == 1)
            break;
    buf_printf(to, "%.*s%s", (int)(end - text), text, mark);
}

static void put_blanks(struct buf *to, size_t count)
{
    if (count)
        buf_printf(to, "%*s", (int)count, "");
}

static void put_cell(const struct grid *grid, const struct output *out, size_t column,
                     const struct cell *cell, size_t width, struct buf *to)
{
    size_t used = show_width(cell->text);
    size_t blanks = used < width ? width - used : 0;
    enum colour colour = used ? cell->colour : COLOUR_NONE;
    bool is_last = column + 1 == grid->column_count;

    if (grid->columns[column].is_right)
        put_blanks(to, blanks);
    buf_printf(to, "%s", output_colour(out, colour));
    if (used > width)
        put_cut(out, cell->text, width, to);
    else
        buf_append(to, cell->text, strlen(cell->text));
    if (colour != COLOUR_NONE)
        buf_printf(to, "%s", output_plain(out));
    if (!grid->columns[column].is_right && !is_last)
        put_blanks(to, blanks);
    if (!is_last)
        buf_append(to, " ", 1);
}

static void end_line(struct buf *to)
{
    while (buf_length(to) && to->data[to->end - 1] == ' ')
        to->end--;
    buf_append(to, "\n", 1);
}

void grid_write(const struct grid *grid, const struct output *out, struct buf *text)
{
    size_t *widths = cli_alloc(grid->column_count * sizeof *widths);
    size_t column = 0;

    measure(grid, widths);
    shrink(grid, out, widths);
    for (; grid->columns[0].header && column < grid->column_count; column++) {
        struct cell header = {(char *)grid->columns[column].header, COLOUR_NONE};

        put_cell(grid, out, column, &header, widths[column], text);
    }
    if (column)
        end_line(text);
    for (size_t i = 0; i < grid->count; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): cells come after columns */
        column = i % grid->column_count;
        put_cell(grid, out, column, &grid->cells[i], widths[column], text);
        if (column + 1 == grid->column_count)
            end_line(text);
    }
    free(widths);
}

/* ---- records ---------------------------------------------------------------------------- */

static bool needs_quotes(const char *text)
{
    return !*text || strpbrk(text, " \"=\\");
}

static void put_quoted(const char *text, struct buf *to)
{
    buf_append(to, "\"", 1);
    for (; *text; text++) {
        if (*text == '"')
            buf_append(to, "\\", 1);
        buf_append(to, text, 1);
    }
    buf_append(to, "\"", 1);
}

/* A value of any length as one printable line; to be freed. */
static char *escaped(const char *text)
{
    size_t length = strlen(text);
    size_t size = text_escape(text, length, NULL, 0) + 1;
    char *out = cli_alloc(size);

    text_escape(text, length, out, size);
    return out;
}

void logfmt_write(const struct facts *record, struct buf *text)
{
    char time[64];

    for (size_t i = 0; i < record->count; i++) {
        const struct fact *fact = &record->at[i];
        char *value = escaped(fact->type == 't' ? bare_fact(fact, time, sizeof time) : fact->value);

        buf_printf(text, "%s%s=", i ? " " : "", fact->key);
        if (fact->type == 'd' && *value)
            buf_printf(text, "%sms", value);
        else if (needs_quotes(value))
            put_quoted(value, text);
        else
            buf_append(text, value, strlen(value));
        free(value);
    }
}

static const struct fact *find_fact(const struct facts *record, const char *key)
{
    for (size_t i = 0; i < record->count; i++)
        if (strcmp(record->at[i].key, key) == 0)
            return &record->at[i];
    return NULL;
}

int bare_write(const struct output *out, const struct facts *record, struct buf *text,
               const char **missing)
{
    char time[64];

    for (size_t i = 0; i < out->column_count; i++) {
        const struct fact *fact = find_fact(record, out->columns[i]);
        const char *value;

        *missing = out->columns[i];
        if (!fact)
            return -1;
        value = fact->type == 't' ? bare_fact(fact, time, sizeof time) : fact->value;
        buf_printf(text, "%s%s", i ? "\t" : "", *value ? value : "-");
    }
    return 0;
}

static int refuse_fact(const struct facts *record, const char *name, struct error *err)
{
    const char **keys = cli_alloc((record->count + 1) * sizeof *keys);
    const char *nearest;

    for (size_t i = 0; i < record->count; i++)
        keys[i] = record->at[i].key;
    nearest = text_nearest(name, keys);
    if (nearest)
        error_set(err, EINVAL, "-o %s: no such column; did you mean %s?", name, nearest);
    else
        error_set(err, EINVAL, "-o %s: no such column", name);
    free(keys);
    return -1;
}

/* One `key: value` line each; what has several lines is indented below its key. */
static void write_people(const struct facts *record, struct buf *text)
{
    size_t width = 0;
    char value[128];

    for (size_t i = 0; i < record->count; i++)
        if (show_width(record->at[i].key) > width)
            width = show_width(record->at[i].key);
    for (size_t i = 0; i < record->count; i++) {
        const struct fact *fact = &record->at[i];
        const char *line = fact->type == 's' ? fact->value : show_fact(fact, value, sizeof value);
        size_t length = strcspn(line, "\n");

        buf_printf(text, "%s:%*s%.*s", fact->key, (int)(width + 1 - show_width(fact->key)), "",
                   (int)length, *line ? line : "-");
        if (!*line)
            buf_append(text, "-", 1);
        for (line += length; *line; line += length) {
            length = strcspn(++line, "\n");
            if (length)
                buf_printf(text, "\n%*s%.*s", (int)width + 2, "", (int)length, line);
        }
        buf_append(text, "\n", 1);
    }
}

int output_record(const struct output *out, const char *name, const struct facts *record,
                  struct error *err)
{
    struct buf text = {0};
    const char *missing;

    switch (out->format) {
    case OUTPUT_JSON:
        json_write_one(name, record, &text);
        break;
    case OUTPUT_JSONL:
        json_write_line(record, &text);
        buf_append(&text, "\n", 1);
        break;
    case OUTPUT_PATHS:
        if (facts_get(record, "path"))
            buf_printf(&text, "%s\n", facts_get(record, "path"));
        break;
    case OUTPUT_COLUMNS:
        if (bare_write(out, record, &text, &missing) != 0) {
            buf_finish(&text);
            return refuse_fact(record, missing, err);
        }
        buf_append(&text, "\n", 1);
        break;
    default:
        write_people(record, &text);
    }
    output_write(&text);
    buf_finish(&text);
    return 0;
}

void output_words(const struct output *out, const char *name, const struct words *words)
{
    struct buf text = {0};

    if (out->format == OUTPUT_JSON)
        json_write_words(name, words, &text);
    for (size_t i = 0; out->format != OUTPUT_JSON && i < words->count; i++) {
        if (out->format == OUTPUT_JSONL) {
            struct facts line = {0};

            cli_check_memory(facts_add(&line, 's', name, words->at[i]));
            json_write_line(&line, &text);
            facts_finish(&line);
        } else {
            buf_append(&text, words->at[i], strlen(words->at[i]));
        }
        buf_append(&text, "\n", 1);
    }
    output_write(&text);
    buf_finish(&text);
}
