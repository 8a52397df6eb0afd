#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int fail(int code)
{
    errno = code;
    return -1;
}

/* Reads decimal digits; *end is set behind them. */
static int digits(const char *text, uint64_t *value, const char **end)
{
    uint64_t n = 0;

    if (*text < '0' || *text > '9')
        return fail(EINVAL);
    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (n > (UINT64_MAX - digit) / 10)
            return fail(ERANGE);
        n = n * 10 + digit;
    }
    *value = n;
    *end = text;
    return 0;
}

static const struct {
    const char *name;
    int64_t ms;
} time_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};

int text_duration(const char *text, int64_t *ms)
{
    uint64_t n;
    const char *end;

    if (digits(text, &n, &end))
        return -1;
    if (!*end && n == 0) {
        *ms = 0;
        return 0;
    }
    for (size_t i = 0; i < sizeof time_units / sizeof *time_units; i++) {
        if (strcmp(end, time_units[i].name))
            continue;
        /* An eighth of the range, so that sums and microseconds of it do not overflow either. */
        if (n > (uint64_t)(INT64_MAX / 8000 / time_units[i].ms))
            return fail(ERANGE);
        *ms = (int64_t)n * time_units[i].ms;
        return 0;
    }
    return fail(EINVAL);
}

char *text_of_duration(int64_t ms, char *out, size_t size)
{
    size_t unit = 0;

    if (ms == 0) {
        snprintf(out, size, "0");
        return out;
    }
    for (size_t i = 0; i < sizeof time_units / sizeof *time_units; i++) {
        if (ms % time_units[i].ms == 0)
            unit = i;
    }
    snprintf(out, size, "%" PRId64 "%s", ms / time_units[unit].ms, time_units[unit].name);
    return out;
}

int text_size(const char *text, uint64_t *bytes)
{
    static const char units[] = "kMGT";
    uint64_t n;
    const char *end, *unit;
    unsigned shift;

    if (digits(text, &n, &end))
        return -1;
    if (!*end) {
        *bytes = n;
        return 0;
    }
    unit = strchr(units, *end == 'K' ? 'k' : *end);
    if (!unit || end[1])
        return fail(EINVAL);
    shift = 10 * (unsigned)(unit - units + 1);
    if (n > UINT64_MAX >> shift)
        return fail(ERANGE);
    *bytes = n << shift;
    return 0;
}

char *text_of_size(uint64_t bytes, char *out, size_t size)
{
    static const char units[] = "kMGTPE";
    double n = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        snprintf(out, size, "%" PRIu64, bytes);
        return out;
    }
    while (n >= 1023.5 && units[unit + 1]) {
        n /= 1024;
        unit++;
    }
    snprintf(out, size, unit == 0 || n >= 99.95 ? "%.0f%c" : "%.1f%c", n, units[unit]);
    return out;
}

int text_unsigned(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    uint64_t n;
    const char *end;

    if (digits(text, &n, &end))
        return -1;
    if (*end)
        return fail(EINVAL);
    if (n < min || n > max)
        return fail(ERANGE);
    *value = n;
    return 0;
}

enum { NEAREST_MAX = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edit distance with transpositions of neighbours; words longer than NEAREST_MAX are far away. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NEAREST_MAX + 1], m = strlen(a), n = strlen(b);
    size_t *before = rows[0], *above = rows[1], *row = rows[2], *swap;

    if (m > NEAREST_MAX || n > NEAREST_MAX)
        return SIZE_MAX;
    memset(rows, 0, sizeof rows);
    for (size_t j = 0; j <= n; j++)
        above[j] = j;
    for (size_t i = 1; i <= m; i++) {
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        swap = before;
        before = above;
        above = row;
        row = swap;
    }
    return above[n];
}

const char *text_nearest(const char *word, const char *const *candidates)
{
    size_t length = strlen(word), limit = length < 6 ? 1 : length / 3, best = limit + 1;
    const char *nearest = NULL;

    for (; *candidates; candidates++) {
        size_t d = distance(word, *candidates);

        if (d < best) {
            best = d;
            nearest = *candidates;
        }
    }
    return nearest;
}

/* The length of the well-formed UTF-8 character at the start of bytes, or 0. */
static size_t well_formed(const unsigned char *bytes, size_t left, uint32_t *point)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = bytes[0] < 0x80   ? 1
               : bytes[0] < 0xc2 ? 0
               : bytes[0] < 0xe0 ? 2
               : bytes[0] < 0xf0 ? 3
               : bytes[0] < 0xf5 ? 4
                                 : 0;

    if (n == 0 || n > left)
        return 0;
    *point = n == 1 ? bytes[0] : bytes[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (bytes[i] & 0x3fu);
    }
    if (*point < smallest[n] || *point > 0x10ffff || (*point >= 0xd800 && *point < 0xe000))
        return 0;
    return n;
}

/* The same, or 0 for controls. */
static size_t character(const unsigned char *bytes, size_t left)
{
    uint32_t point = 0;
    size_t n = well_formed(bytes, left, &point);

    return point < 0x20 || (point >= 0x7f && point < 0xa0) ? 0 : n;
}

bool text_is_utf8(const char *bytes, size_t length)
{
    uint32_t point;

    for (size_t i = 0, n; i < length; i += n) {
        n = well_formed((const unsigned char *)bytes + i, length - i, &point);
        if (n == 0)
            return false;
    }
    return true;
}

size_t text_escape(const char *bytes, size_t length, char *out, size_t size)
{
    size_t wanted = 0, written = 0;
    char unit[5];

    for (size_t i = 0; i < length;) {
        size_t n = character((const unsigned char *)bytes + i, length - i), width = n;

        if (n)
            memcpy(unit, bytes + i, n);
        else if (bytes[i] == '\n' || bytes[i] == '\t')
            width = (size_t)snprintf(unit, sizeof unit, "\\%c", bytes[i] == '\n' ? 'n' : 't');
        else
            width = (size_t)snprintf(unit, sizeof unit, "\\x%02x", (unsigned char)bytes[i]);
        /* Once something did not fit, nothing later is squeezed in behind it. */
        if (written == wanted && written + width < size) {
            memcpy(out + written, unit, width);
            written += width;
        }
        wanted += width;
        i += n ? n : 1;
    }
    if (size)
        out[written] = '\0';
    return wanted;
}
