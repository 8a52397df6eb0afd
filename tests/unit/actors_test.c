/* Which addresses a pattern means. */
#include "../../cli/actors.h"
#include "tap.h"

static bool fixed_is(const char *pattern, const char *wanted)
{
    char fixed[ADDR_PATH_MAX + 1];

    actors_fixed_part(pattern, fixed);
    return strcmp(fixed, wanted) == 0;
}

int main(void)
{
    CHECK(actors_match("shop/farm.*", "shop/farm.12", false), "a star matches within a part");
    CHECK(!actors_match("shop/*", "shop/web/page", false), "a star does not cross a slash");
    CHECK(actors_match("shop/*", "shop/web/page", true), "unless what is below counts");
    CHECK(!actors_match("shop/w", "shop/web", true), "a prefix of a part is no match");
    CHECK(actors_match("shop/farm.[12]", "shop/farm.2", false), "a set matches its members");
    CHECK(!actors_match("shop/farm.[12]", "shop/farm.3", false), "and nothing else");
    CHECK(actors_match("*/db", "shop/db", false), "any part may be a pattern");
    CHECK(actors_match("shop/farm.?", "shop/farm.1", false), "a question mark is one character");
    CHECK(!actors_match("shop/farm.?", "shop/farm.10", false), "and not two");
    CHECK(fixed_is("shop/farm.*", "shop"), "the fixed part ends before the part with the star");
    CHECK(fixed_is("*/db", ""), "a leading star leaves no fixed part");
    CHECK(fixed_is("shop/web/page", "shop/web/page"), "without a pattern all is fixed");
    CHECK(fixed_is("shop/w?b/page", "shop"), "what comes after a pattern is not fixed");
    CHECK(fixed_is("shop/farm.*@west", "shop@west"), "in another node it stays there");
    CHECK(fixed_is("*@west", "@west"), "and so does none at all");
    CHECK(actors_match("shop/farm.*@west", "shop/farm.1@west", false), "a pattern matches there");
    CHECK(actors_match("shop/w*@west", "shop/web/page@west", true), "and what is below");
    return tap_done();
}
