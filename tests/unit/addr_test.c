#include "addr.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>

static bool parses_to(const char *text, const char *path, const char *node, uint64_t incarnation)
{
    struct addr addr;
    const char *why = NULL;

    return !addr_parse(text, &addr, &why) && !strcmp(addr.path, path) && !strcmp(addr.node, node) &&
           addr.incarnation == incarnation;
}

static bool is_refused(const char *text, const char *word)
{
    struct addr addr;
    const char *why = NULL;

    return addr_parse(text, &addr, &why) == -1 && why && strstr(why, word);
}

static void test_parsing(void)
{
    char long_part[ADDR_PART_MAX + 2], long_path[ADDR_PATH_MAX + 2];

    memset(long_part, 'a', sizeof long_part);
    long_part[sizeof long_part - 1] = '\0';
    for (size_t i = 0; i < sizeof long_path; i++)
        long_path[i] = i % 4 == 3 ? '/' : 'b';
    long_path[sizeof long_path - 1] = '\0';

    CHECK(parses_to("shop", "shop", "", 0), "a path of one part is an address");
    CHECK(parses_to("shop/web/page-1", "shop/web/page-1", "", 0), "a path of three parts is one");
    CHECK(parses_to("shop/db@east", "shop/db", "east", 0), "a node may follow");
    CHECK(parses_to("shop/db#7", "shop/db", "", 7), "an incarnation may follow");
    CHECK(parses_to("a@b#18446744073709551615", "a", "b", UINT64_MAX), "both may follow");
    CHECK(parses_to(".", "", "", 0) && parses_to(".@east", "", "east", 0), "the root is a dot");
    CHECK(is_refused("", "no path"), "the empty text is refused");
    CHECK(is_refused("@east", "no path"), "a node without a path is refused");
    CHECK(is_refused("shop//db", "bad path") && is_refused("/shop", "bad path") &&
              is_refused("shop/", "bad path"),
          "empty parts are refused");
    CHECK(is_refused(".hidden", "bad path") && is_refused("a/.b", "bad path"),
          "a part that starts with a dot is refused");
    CHECK(is_refused("sh op", "bad path") && is_refused("a\tb", "bad path") &&
              is_refused("\xc3\xa4", "bad path"),
          "other characters are refused");
    CHECK(is_refused("shop@", "bad node") && is_refused("shop@a/b", "bad node"),
          "a bad node is refused");
    CHECK(is_refused("shop#", "incarnation") && is_refused("shop#0", "incarnation") &&
              is_refused("shop#-1", "incarnation") &&
              is_refused("shop#18446744073709551616", "incarnation"),
          "an incarnation is a number from 1 to 2^64 - 1");
    CHECK(is_refused(long_part, "bad path"), "a part of 65 characters is refused");
    long_part[ADDR_PART_MAX] = '\0';
    CHECK(addr_is_part(long_part, ADDR_PART_MAX), "a part of 64 characters is allowed");
    CHECK(is_refused(long_path, "bad path"), "a path of 512 characters is refused");
    long_path[ADDR_PATH_MAX] = '\0';
    CHECK(!is_refused(long_path, "") == addr_is_path(long_path),
          "parsing and addr_is_path agree about the longest path");
}

static void test_globs(void)
{
    struct addr addr;
    const char *why;
    bool is_glob;

    CHECK(!addr_parse_glob("shop/farm.*", &addr, &is_glob, &why) && is_glob, "a star is a glob");
    CHECK(!addr_parse_glob("shop/farm.1", &addr, &is_glob, &why) && !is_glob,
          "an address without wild characters is none");
    CHECK(addr_parse("shop/farm.*", &addr, &why), "an address proper has no wild characters");
}

static void test_paths(void)
{
    char out[ADDR_PATH_MAX + 1];

    tap_is_text(addr_name("shop/web/page"), "page", "the name is the last part");
    tap_is_text(addr_name("shop"), "shop", "a path of one part is its own name");
    CHECK(!addr_parent("shop/web/page", out, sizeof out) && !strcmp(out, "shop/web"),
          "the parent is all but the last part");
    CHECK(!addr_parent("shop", out, sizeof out) && !*out,
          "the parent of an application is the root");
    CHECK(addr_parent("", out, sizeof out) == -1, "the root has no parent");
    CHECK(!addr_join("", "shop", out, sizeof out) && !strcmp(out, "shop"), "joining to the root");
    CHECK(!addr_join("shop", "db", out, sizeof out) && !strcmp(out, "shop/db"),
          "joining to a path");
    CHECK(addr_join("shop", "db", out, 7) == -1 && errno == ENAMETOOLONG,
          "joining what does not fit fails");
    CHECK(addr_is_within("shop/db", "shop") && addr_is_within("shop", "shop") &&
              addr_is_within("shop", "") && !addr_is_within("shopping", "shop") &&
              !addr_is_within("shop", "shop/db"),
          "what is within is equal or below, by whole parts");
}

static void test_text_and_hash(void)
{
    struct addr addr, again;
    const char *why;
    char out[ADDR_TEXT_MAX + 1];
    bool same = true;
    static const char *const texts[] = {"shop", "shop/db@east", "a/b#3", "a@b#9", ".", ".@n#2"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        addr_parse(texts[i], &addr, &why);
        addr_format(&addr, out, sizeof out);
        same = same && !strcmp(out, texts[i]) && !addr_parse(out, &again, &why) &&
               addr_hash(&addr) == addr_hash(&again);
    }
    CHECK(same, "every address is written as it was read");
    addr_parse("shop@a#1", &addr, &why);
    addr_parse("shop@a#2", &again, &why);
    CHECK(addr_hash(&addr) != addr_hash(&again), "two incarnations have two hashes");
    addr_parse("a", &addr, &why);
    CHECK(addr_hash(&addr) == 0x82a2a958a9bece5bu,
          "the hash is FNV-1a of the text, scattered");
}

static void test_supervisors(void)
{
    char out[ADDR_PATH_MAX + 1];

    CHECK(!addr_supervisor("shop/web/page", out, sizeof out) && !strcmp(out, "shop/web") &&
              !strcmp(addr_child_name("shop/web/page"), "page"),
          "an actor is known to the supervisor above it by its last part");
    CHECK(!addr_supervisor("run/123", out, sizeof out) && !*out &&
              !strcmp(addr_child_name("run/123"), "run/123"),
          "what is attached to the node is known to the root, by run/PID");
    CHECK(!addr_supervisor("run", out, sizeof out) && !*out &&
              !addr_supervisor("run/1/2", out, sizeof out) && !strcmp(out, "run/1") &&
              !addr_supervisor("runner/1", out, sizeof out) && !strcmp(out, "runner") &&
              !strcmp(addr_child_name("runner/1"), "1"),
          "nothing else is");
    CHECK(addr_supervisor("", out, sizeof out) == -1, "nobody is above the root");
    CHECK(addr_write("a/b", 3, out, sizeof out) == 5 && !strcmp(out, "a/b#3") &&
              addr_write("a/b", 0, out, sizeof out) == 3 && addr_write("", 2, out, sizeof out) == 3,
          "path and incarnation are written");
}

int main(void)
{
    test_supervisors();
    test_parsing();
    test_globs();
    test_paths();
    test_text_and_hash();
    return tap_done();
}
