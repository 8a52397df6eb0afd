#include "../../workers/port_deaf.h"
#include "tap.h"

int main(void)
{
    struct port_deaf deaf = {0};
    char address[32];
    int known = 0;

    CHECK(!port_deaf_is(&deaf, "t/a") && !port_deaf_is(&deaf, ""), "at first nobody is deaf");
    port_deaf_add(&deaf, "t/a");
    port_deaf_add(&deaf, "t/a");
    CHECK(port_deaf_is(&deaf, "t/a") && !port_deaf_is(&deaf, "t/b") && deaf.next == 1,
          "one that was added is, once");
    port_deaf_remove(&deaf, "t/b");
    port_deaf_remove(&deaf, "t/a");
    CHECK(!port_deaf_is(&deaf, "t/a"), "until it has taken something");
    for (int i = 0; i < 100; i++) {
        snprintf(address, sizeof address, "t/%d", i);
        port_deaf_add(&deaf, address);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(address, sizeof address, "t/%d", i);
        known += port_deaf_is(&deaf, address);
    }
    CHECK(known == PORT_DEAF_MOST && port_deaf_is(&deaf, "t/99"), "the last few are remembered");
    return tap_done();
}
