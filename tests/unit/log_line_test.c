/* Cutting into lines, their text in a file and back, and which file a path has. */
#include "../../workers/log_line.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

static char big[5 * LOG_PIECE_MAX];

static void test_pieces(void)
{
    struct log_piece piece;
    size_t at = 0;

    CHECK(log_piece_next("a\n\nb", 4, &at, &piece) && piece.length == 1 && piece.is_whole &&
              !piece.goes_on,
          "a line ends at its newline");
    CHECK(log_piece_next("a\n\nb", 4, &at, &piece) && piece.length == 0 && piece.is_whole,
          "an empty line is a line");
    CHECK(log_piece_next("a\n\nb", 4, &at, &piece) && piece.length == 1 && !piece.is_whole,
          "what has no newline is not whole");
    CHECK(!log_piece_next("a\n\nb", 4, &at, &piece), "then there is nothing more");
}

static void test_long_lines(void)
{
    struct log_piece piece;
    size_t at = 0;

    memset(big, 'x', sizeof big);
    big[LOG_PIECE_MAX] = '\n';
    CHECK(log_piece_next(big, sizeof big, &at, &piece) && piece.length == LOG_PIECE_MAX &&
              piece.is_whole && !piece.goes_on,
          "a line of exactly the greatest length is whole");
    at = 0;
    big[LOG_PIECE_MAX] = 'x';
    CHECK(log_piece_next(big, sizeof big, &at, &piece) && piece.length == LOG_PIECE_MAX &&
              piece.is_whole && piece.goes_on,
          "one byte more, and it is cut");
    memcpy(big + LOG_PIECE_MAX - 1, "\xe2\x82\xac", 3);
    at = 0;
    CHECK(log_piece_next(big, sizeof big, &at, &piece) && piece.length == LOG_PIECE_MAX - 1,
          "but not inside a character");
    memset(big + LOG_PIECE_MAX - 5, '\x80', 10);
    at = 0;
    CHECK(log_piece_next(big, sizeof big, &at, &piece) && piece.length == LOG_PIECE_MAX,
          "unless it only pretends to be one");
}

static void test_take(void)
{
    memset(big, 'x', sizeof big);
    CHECK(log_take_size("ab\ncd\nef", 8) == 6, "whole lines are taken, the rest waits");
    CHECK(log_take_size("abc", 3) == 0, "a line without its end waits");
    CHECK(log_take_size(big, LOG_PIECE_MAX) == 0, "it waits as long as it could be whole");
    CHECK(log_take_size(big, 3 * LOG_PIECE_MAX + 7) == 3 * LOG_PIECE_MAX,
          "of a long one whole pieces are taken");
    CHECK(log_line_count("a\nb\nc", 5) == 3 && log_line_count("a\n", 2) == 1 &&
              log_line_count("", 0) == 0,
          "lines are counted, a last one without newline too");
}

/* However the bytes come, the pieces put together are the bytes. */
static void test_cuts_agree(void)
{
    bool good = true;

    srandom(1);
    for (int round = 0; round < 2000 && good; round++) {
        size_t size = (size_t)random() % sizeof big, at = 0, sum = 0, taken;
        struct log_piece piece;

        for (size_t i = 0; i < size; i++)
            big[i] = (char)(random() % (round % 7 ? 3000 : 40) ? random() % 256 : '\n');
        taken = log_take_size(big, size);
        while (log_piece_next(big, taken, &at, &piece)) {
            good = good && piece.length <= LOG_PIECE_MAX && piece.at == big + sum;
            sum = at;
        }
        good = good && sum == taken && size - taken <= LOG_PIECE_MAX;
    }
    CHECK(good, "random bytes: pieces are bounded, in order, complete, and the rest is short");
}

static void test_text(void)
{
    static char out[LOG_FORMATTED_MAX];
    struct log_line line;
    size_t length = log_line_format(1795248930123456, LOG_OUT, false, "a\x1b b", 4, out);

    CHECK(length == 37 && !memcmp(out, "2026-11-21T08:15:30.123Z out a\\x1b b\n", length),
          "a line has time, stream and escaped text");
    length = log_line_format(1795248930123456, LOG_BOTH, true, "x", 1, out);
    CHECK(log_line_parse(out, length - 1, &line) && line.wall_us == 1795248930123000 &&
              !strcmp(line.stream, "both+") && line.length == 1 && line.text[0] == 'x',
          "and reads back");
    CHECK(log_line_format(1795248930123456, LOG_ERR, false, "", 0, out) == 30 &&
              log_line_parse(out, 29, &line) && line.length == 0,
          "an empty one too");
    CHECK(!log_line_parse("2026-11-21T08:15:30.123Z", 24, &line) &&
              !log_line_parse("2026-11-21 08:15:30.123Z out x", 30, &line) &&
              !log_line_parse("2026-11-21T08:15:30.123Z muchtoolong x", 38, &line) &&
              !log_line_parse("", 0, &line),
          "what is no line is refused");
    memset(big, '\x01', LOG_PIECE_MAX);
    CHECK(log_line_format(0, LOG_BOTH, true, big, LOG_PIECE_MAX, out) <= LOG_FORMATTED_MAX,
          "the longest one fits");
}

static void test_files(void)
{
    char file[LOG_FILE_MAX], part[ADDR_PART_MAX + 1];
    unsigned generation;

    log_file_of_path("shop/web/page", file);
    CHECK(!strcmp(file, "shop/web/page.log"), "a path's parts are folders");
    log_file_of_path("a.log/b.log.3/c.log", file);
    CHECK(!strcmp(file, "a.log~/b.log.3~/c.log.log"), "a folder never looks like a log file");
    log_folder_of_path("a.log", file);
    CHECK(!strcmp(file, "a.log~"), "nor does the last one");
    log_folder_of_path("", file);
    CHECK(!strcmp(file, ""), "the root's folder is the directory itself");
    CHECK(log_name_parse("web.log", part, &generation) && !strcmp(part, "web") && generation == 0,
          "the present file is generation 0");
    CHECK(log_name_parse("web.log.12", part, &generation) && !strcmp(part, "web") &&
              generation == 12,
          "older ones say their number");
    CHECK(log_name_parse("web.log.3.log", part, &generation) && !strcmp(part, "web.log.3") &&
              generation == 0,
          "a name may look like an older file's");
    CHECK(!log_name_parse("web.logs", part, &generation) &&
              !log_name_parse(".log", part, &generation) &&
              !log_name_parse("web.log.x", part, &generation) &&
              !log_name_parse("web.log3", part, &generation) &&
              !log_name_parse("7", part, &generation),
          "other files are none of ours");
}

static void test_kinds(void)
{
    CHECK(log_kind_of_text("out") == LOG_OUT && log_kind_of_text("err") == LOG_ERR &&
              log_kind_of_text("both") == LOG_BOTH && log_kind_of_text("log") == -1 &&
              log_kind_of_text("") == -1,
          "a pipe is out, err or both");
}

int main(void)
{
    test_pieces();
    test_long_lines();
    test_take();
    test_cuts_agree();
    test_text();
    test_files();
    test_kinds();
    return tap_done();
}
