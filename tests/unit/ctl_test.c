#include "ctl.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

/* A writable copy with the one byte more that ctl_next() asks for. */
static char *datagram(const char *text, size_t size)
{
    char *bytes = malloc(size + 1);

    memcpy(bytes, text, size);
    bytes[size] = '#';
    return bytes;
}

static void test_lines(void)
{
    static const char text[] = "READY all set\n\nSTATUS 3 carts\nHEARTBEAT\nWHAT ever\nEXIT";
    char *bytes = datagram(text, sizeof text - 1);
    struct ctl_line line;
    size_t at = 0, size = sizeof text - 1;

    CHECK(ctl_next(bytes, size, &at, &line) == 1 && line.verb == CTL_READY, "READY is a verb");
    tap_is_text(line.rest, "all set", "the rest follows after one space");
    CHECK(ctl_next(bytes, size, &at, &line) == 1 && line.verb == CTL_STATUS,
          "an empty line is skipped");
    tap_is_text(line.rest, "3 carts", "the second line has its own rest");
    CHECK(ctl_next(bytes, size, &at, &line) == 1 && line.verb == CTL_HEARTBEAT,
          "a verb may stand alone");
    tap_is_text(line.rest, "", "its rest is then empty");
    CHECK(ctl_next(bytes, size, &at, &line) == 1 && line.verb == CTL_UNKNOWN,
          "a strange verb is unknown");
    tap_is_text(line.rest, "WHAT ever", "an unknown line keeps all its text");
    CHECK(ctl_next(bytes, size, &at, &line) == 1 && line.verb == CTL_EXIT && !*line.rest,
          "the last line needs no newline");
    CHECK(ctl_next(bytes, size, &at, &line) == 0, "then the datagram is at its end");
    free(bytes);
}

static void test_last_state(void)
{
    static const char text[] = "STATUS x\nLAST_STATE\none\ntwo\0\nREADY";
    char *bytes = datagram(text, sizeof text - 1);
    struct ctl_line line;
    size_t at = 0, size = sizeof text - 1;

    ctl_next(bytes, size, &at, &line);
    CHECK(ctl_next(bytes, size, &at, &line) == 1 && line.verb == CTL_LAST_STATE,
          "LAST_STATE follows another line");
    CHECK(line.bytes_size == 14 && memcmp(line.bytes, "one\ntwo\0\nREADY", 14) == 0,
          "its bytes go to the datagram's end, newlines and NULs included");
    CHECK(ctl_next(bytes, size, &at, &line) == 0, "nothing comes after them");
    free(bytes);
}

static void test_every_verb(void)
{
    bool same = true;

    for (int verb = 0; verb < CTL_UNKNOWN; verb++) {
        const char *text = ctl_verb_text((enum ctl_verb)verb);
        char *bytes = datagram(text, strlen(text));
        struct ctl_line line;
        size_t at = 0;

        same &= ctl_next(bytes, strlen(text), &at, &line) == 1 && line.verb == (enum ctl_verb)verb;
        free(bytes);
    }
    CHECK(same, "every verb reads back as itself");
}

static void test_words(void)
{
    char text[] = "  7 shop/db  gone  far";
    char *rest = text;

    tap_is_text(ctl_word(&rest), "7", "leading spaces are no word");
    tap_is_text(ctl_word(&rest), "shop/db", "the second word");
    tap_is_text(rest, " gone  far", "free text stays as it is");
    ctl_word(&rest);
    ctl_word(&rest);
    tap_is_text(ctl_word(&rest), NULL, "then there is none");
}

static void is_split(const char *text, const char *reason, const char *need)
{
    char *copy = strdup(text), *got_reason, *got_need;

    ctl_exit_parts(copy, &got_reason, &got_need);
    CHECK(strcmp(got_reason, reason) == 0 && strcmp(got_need, need) == 0,
          "EXIT %s is \"%s\" and \"%s\"", text, reason, need);
    free(copy);
}

int main(void)
{
    test_lines();
    test_last_state();
    test_every_verb();
    test_words();
    is_split("error disk full | restart_after 5s", "error disk full", "restart_after 5s");
    is_split("error disk full", "error disk full", "");
    is_split("error a|b", "error a|b", "");
    is_split("error a | b | finish ", "error a | b", "finish");
    is_split("| abort", "", "abort");
    is_split("normal |", "normal", "");
    is_split("", "", "");
    is_split("  shutdown  ", "shutdown", "");
    return tap_done();
}
