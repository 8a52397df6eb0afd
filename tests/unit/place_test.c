/* Paths of this node and of others, as the command line keeps them. */
#include "../../cli/place.h"
#include "tap.h"

static bool path_is(const char *place, const char *wanted)
{
    char path[ADDR_PATH_MAX + 1];

    place_path(place, path);
    return strcmp(path, wanted) == 0;
}

static bool child_is(const char *place, const char *wanted)
{
    char name[ADDR_PATH_MAX + 1];

    place_child_name(place, name);
    return strcmp(name, wanted) == 0;
}

static bool made_is(const char *path, const char *node, const char *wanted)
{
    char place[ADDR_PATH_MAX + 1];

    return place_make(path, node, place) == 0 && strcmp(place, wanted) == 0;
}

int main(void)
{
    char long_path[ADDR_PATH_MAX + 1], place[ADDR_PATH_MAX + 1];

    CHECK(place_is_elsewhere("shop/db@west") && !place_is_elsewhere("shop/db"), "a node is seen");
    CHECK(strcmp(place_node("shop/db@west"), "west") == 0, "and named");
    CHECK(strcmp(place_node("shop/db"), "") == 0, "this one has no name");
    CHECK(place_is_root("") && place_is_root("@west"), "both roots are roots");
    CHECK(!place_is_root("shop@west"), "what is below is none");
    CHECK(strcmp(place_text(""), ".") == 0 && strcmp(place_text("@west"), "@west") == 0,
          "people write them so");
    CHECK(path_is("shop/db@west", "shop/db") && path_is("@west", ""), "its own node says it so");
    CHECK(child_is("shop/db@west", "db") && child_is("run/12@west", "run/12"),
          "and so its supervisor");
    CHECK(made_is("shop", "west", "shop@west") && made_is("", "west", "@west"), "a place is made");
    CHECK(made_is("shop", "", "shop"), "here it is the path");
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    CHECK(place_make(long_path, "", place) == 0, "the longest path there is is a place here");
    CHECK(place_make(long_path, "west", place) < 0, "but not in another node");
    CHECK(place_is_within("shop/db@west", "shop@west"), "below");
    CHECK(place_is_within("shop@west", "@west"), "below the root");
    CHECK(!place_is_within("shop/db@west", "shop"), "of this node is nothing of that");
    CHECK(!place_is_within("shop/db@west", "shop@east"), "nor of a third");
    CHECK(!place_is_within("shopping@west", "shop@west"), "a prefix of a part is nothing");
    return tap_done();
}
