#include "reason.h"
#include "tap.h"

#include <signal.h>
#include <sys/wait.h>

static bool is_reason(int status, bool asked, int stop_signal, bool killed, const char *wanted)
{
    char out[REASON_MAX];

    reason_of_status(status, asked, stop_signal, killed, out);
    if (!strcmp(out, wanted))
        return true;
    tap_note("got \"%s\", wanted \"%s\"", out, wanted);
    return false;
}

static void test_statuses(void)
{
    CHECK(is_reason(W_EXITCODE(0, 0), false, SIGTERM, false, "normal"), "status 0 is normal");
    CHECK(is_reason(W_EXITCODE(3, 0), false, SIGTERM, false, "exit:3"), "status 3 is exit:3");
    CHECK(is_reason(W_EXITCODE(0, SIGSEGV), false, SIGTERM, false, "signal:SEGV"),
          "a signal is named");
    CHECK(is_reason(W_EXITCODE(0, SIGSEGV) | WCOREFLAG, false, SIGTERM, false, "signal:SEGV core"),
          "so is its core");
    CHECK(is_reason(W_EXITCODE(0, 0), true, SIGTERM, false, "shutdown") &&
              is_reason(W_EXITCODE(143, 0), true, SIGTERM, false, "shutdown") &&
              is_reason(W_EXITCODE(0, SIGTERM), true, SIGTERM, false, "shutdown"),
          "asked to stop, status 0, 128 + signal and the signal itself are shutdown");
    CHECK(is_reason(W_EXITCODE(0, SIGINT), true, SIGTERM, false, "signal:INT") &&
              is_reason(W_EXITCODE(1, 0), true, SIGTERM, false, "exit:1"),
          "another end is what it is, though a stop was asked");
    CHECK(is_reason(W_EXITCODE(0, SIGTERM), false, SIGTERM, false, "signal:TERM"),
          "a stop signal that nobody here sent is no shutdown");
    CHECK(is_reason(W_EXITCODE(0, SIGKILL), true, SIGTERM, true, "killed"),
          "our SIGKILL is killed");
    CHECK(is_reason(W_EXITCODE(0, SIGKILL), false, SIGTERM, false, "signal:KILL"),
          "another's SIGKILL is a signal");
    CHECK(is_reason(W_EXITCODE(0, 0), true, SIGTERM, true, "shutdown"),
          "one that ended just before our SIGKILL was not killed");
}

static void test_texts(void)
{
    char out[REASON_MAX], text[600];

    reason_cascade("shop/db", "signal:SEGV", out);
    tap_is_text(out, "cascade shop/db signal:SEGV", "a cascade names whom it follows");
    reason_cascade("shop/web", "cascade shop/db signal:SEGV", out);
    tap_is_text(out, "cascade shop/db signal:SEGV", "a cascade of a cascade keeps the first cause");
    CHECK(reason_is_defeat("shutdown a/b exit:1: more than 3 restarts in 5s") &&
              !reason_is_defeat("shutdown") && !reason_is_defeat("normal") &&
              !reason_is_defeat("shutdown auto_shutdown a/b has ended"),
          "a supervisor that says why it shut down has given up, but for its auto_shutdown");
    CHECK(reason_is_orderly("normal") && reason_is_orderly("shutdown") &&
              reason_is_orderly("shutdown by me") && !reason_is_orderly("shutdowned") &&
              !reason_is_orderly("exit:0") && !reason_is_orderly("killed"),
          "normal and shutdown are orderly ends");
    reason_copy("disk\nfull\x1b \n", "error", out);
    tap_is_text(out, "disk\\nfull\\x1b", "a reason is one printable line");
    reason_copy("", "error", out);
    tap_is_text(out, "error", "an empty one becomes the fallback");
    memset(text, 'x', sizeof text);
    memcpy(text + REASON_MAX - 2, "\xc3\xa4", 2);
    text[sizeof text - 1] = '\0';
    reason_copy(text, "error", out);
    CHECK(strlen(out) == REASON_MAX - 2, "a long one is cut between characters");
}

/* PART times n, as a path. */
static const char *path_of(const char *part, int n)
{
    static char path[1024];

    path[0] = '\0';
    for (int i = 0; i < n; i++)
        snprintf(path + strlen(path), sizeof path - strlen(path), "%s%s", i ? "/" : "", part);
    return path;
}

static void test_long_cascades(void)
{
    char part[65], cause[REASON_MAX], out[REASON_MAX], again[REASON_MAX];
    bool has_cause = true, is_first = true;

    reason_cascade(path_of("longish", 60), "signal:SEGV", out);
    tap_is_text(out + strlen(out) - 27, "/longish/longish signal:SEGV" + 1,
                "a cascade from a long path ends with its cause");
    CHECK(!strncmp(out, "cascade longish/.../longish/", 28) && strlen(out) > REASON_MAX - 10,
          "of its path the middle is left out, and no more than must be");
    memset(part, 'p', sizeof part - 1);
    part[sizeof part - 1] = '\0';
    memset(cause, 'c', sizeof cause - 1);
    cause[sizeof cause - 1] = '\0';
    for (int n = 1; n <= 7; n++) {
        for (size_t length = 1; length < 80; length++) {
            cause[length] = '\0';
            reason_cascade(path_of(part, n), cause, out);
            has_cause &=
                !strcmp(out + strlen(out) - length, cause) && out[strlen(out) - length - 1] == ' ';
            reason_cascade("other", out, again);
            is_first &= !strcmp(out, again);
            cause[length] = 'c';
        }
    }
    CHECK(has_cause, "so it is with parts and causes of every length");
    CHECK(is_first, "and a cascade of that keeps it");
    reason_cascade(path_of(part, 7), cause, out);
    CHECK(!strncmp(out, "cascade ppp", 11) && strlen(out) == REASON_MAX - 1 && strstr(out, "p ccc"),
          "a long cause is cut at its end");
    snprintf(cause, sizeof cause, "%s/%s@%s", part, part, part);
    reason_cascade(cause, path_of(part, 2), out);
    CHECK(!strncmp(out, "cascade .../ppp", 15) && strstr(out, "p@ppp"),
          "where the first part has no room, the last is told, with its node");
}

static void test_needs_and_signals(void)
{
    enum need need = NEED_NONE;
    long delay = -1;

    CHECK(!need_parse("restart_after 30s", &need, &delay) && need == NEED_RESTART_AFTER &&
              delay == 30000,
          "restart_after has a delay");
    CHECK(!need_parse("abort", &need, &delay) && need == NEED_ABORT && delay == 30000,
          "abort leaves the delay alone");
    CHECK(need_parse("restart_after", &need, &delay) &&
              need_parse("restart_after x", &need, &delay) && need_parse("explode", &need, &delay),
          "other needs are refused");
    tap_is_text(signal_name(SIGSEGV), "SEGV", "signals have names");
    tap_is_text(signal_name(SIGRTMIN + 2), "RTMIN+2", "real-time signals, too");
    CHECK(signal_number("TERM") == SIGTERM && signal_number("SIGTERM") == SIGTERM &&
              signal_number("15") == 15 && signal_number("RTMIN+2") == SIGRTMIN + 2 &&
              signal_number("SIGRTMIN") == SIGRTMIN,
          "names and numbers are read");
    CHECK(signal_number("NOPE") == -1 && signal_number("0") == -1 && signal_number("999") == -1 &&
              signal_number("") == -1 && signal_number("RTMIN+99") == -1,
          "others are refused");
}

static void test_exit_statuses(void)
{
    CHECK(reason_exit_status("normal") == 0 && reason_exit_status("shutdown") == 0 &&
              reason_exit_status("shutdown drained") == 0,
          "an orderly end has status 0");
    CHECK(reason_exit_status("exit:75") == 75 && reason_exit_status("exit:255 of old age") == 255,
          "exit:N has status N");
    CHECK(reason_exit_status("signal:KILL") == 128 + SIGKILL &&
              reason_exit_status("signal:SEGV core") == 128 + SIGSEGV,
          "a signal has 128 and its number");
    CHECK(reason_exit_status("error exit:3") == 1 && reason_exit_status("exit:0") == 1 &&
              reason_exit_status("exit:256") == 1 && reason_exit_status("exit:") == 1 &&
              reason_exit_status("signal:NOPE") == 1 && reason_exit_status("cascade a exit:3") == 1,
          "whatever else was wrong has 1");
}

int main(void)
{
    test_exit_statuses();
    test_statuses();
    test_texts();
    test_long_cascades();
    test_needs_and_signals();
    return tap_done();
}
