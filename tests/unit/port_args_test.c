#include "../../workers/port_args.h"
#include "tap.h"

static const char *refused(const char *key, const char *value)
{
    static char why[PORT_ARGS_WHY];
    struct port_args args;
    int result;

    port_args_init(&args);
    result = port_args_set(&args, key, value, why);
    port_args_finish(&args);
    return result < 0 ? why : NULL;
}

static void test_values(void)
{
    char why[PORT_ARGS_WHY] = "";
    struct port_args args;

    port_args_init(&args);
    CHECK(!args.exec && args.line == 65536 && args.queue == 100 && args.bytes == 1048576 &&
              args.grace_ms == 2000 && !args.is_ready_by_line,
          "all but the command have a value to begin with");
    port_args_set(&args, "exec", "sh first", why);
    port_args_set(&args, "exec", "sh -c 'x y'", why);
    port_args_set(&args, "line", "1M", why);
    port_args_set(&args, "queue", "7", why);
    port_args_set(&args, "bytes", "8k", why);
    port_args_set(&args, "grace", "250ms", why);
    port_args_set(&args, "ready", "line", why);
    CHECK(args.exec && !strcmp(args.exec[2], "x y") && !args.exec[3] && args.line == 1 << 20 &&
              args.queue == 7 && args.bytes == 8192 && args.grace_ms == 250 &&
              args.is_ready_by_line,
          "each can be set");
    tap_is_text(why, "", "without complaint");
    port_args_finish(&args);
}

int main(void)
{
    test_values();
    tap_is_text(refused("exec", "'x"), "exec: \"'x\": a quote is not closed",
                "a command must be words");
    tap_is_text(refused("line", "63"), "line: \"63\": expected a size from 64 to 16M",
                "a line has a least");
    tap_is_text(refused("line", "17M"), "line: \"17M\": expected a size from 64 to 16M",
                "and a most");
    tap_is_text(refused("queue", "0"), "queue: \"0\": expected a number from 1 to 1000000",
                "a queue holds something");
    tap_is_text(refused("bytes", "much"), "bytes: \"much\": expected a size such as 1M",
                "bytes are a size");
    tap_is_text(refused("grace", "2"), "grace: \"2\": expected a time such as 2s, up to 1h",
                "a time has its unit");
    tap_is_text(refused("ready", "soon"), "ready: \"soon\": expected start or line",
                "ready is one of two");
    CHECK(!refused("ready", "start"), "start is the other");
    tap_is_text(refused("qeue", "7"), "qeue: unknown: did you mean queue?",
                "an unknown key is refused, the nearest named");
    tap_is_text(refused("colour", "7"), "colour: unknown", "if there is one");
    return tap_done();
}
