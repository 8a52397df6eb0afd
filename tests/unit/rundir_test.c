#include "rundir.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[64];

static const char *below(const char *name)
{
    static char path[2][PATH_MAX];
    static int turn;

    turn = !turn;
    snprintf(path[turn], PATH_MAX, "%s/%s", top, name);
    return path[turn];
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    return lstat(path, &st) ? 0 : st.st_mode & 07777;
}

static void test_names(void)
{
    struct rundir dir;
    struct error err;

    unsetenv("TROUPE_RUN");
    unsetenv("TROUPE_NODE");
    unsetenv("TROUPE_STATE");
    CHECK(!rundir_resolve(NULL, NULL, &dir, &err) && !strcmp(dir.node, "local"),
          "the node is called local");
    CHECK(!rundir_resolve(NULL, "west", &dir, &err) && !strcmp(dir.node, "west"),
          "or as its config says");
    setenv("TROUPE_NODE", "east", 1);
    CHECK(!rundir_resolve(NULL, "west", &dir, &err) && !strcmp(dir.node, "east"),
          "or as the environment says");
    CHECK(!rundir_resolve("north", "west", &dir, &err) && !strcmp(dir.node, "north"),
          "or as was asked");
    CHECK(rundir_resolve("a/b", NULL, &dir, &err) && err.code == EINVAL &&
              strstr(err.text, "\"a/b\""),
          "a name that is none is refused");
    if (geteuid() == 0) {
        rundir_resolve("n", NULL, &dir, &err);
        tap_is_text(dir.path, "/run/troupe/n", "root's nodes run in /run/troupe");
        tap_is_text(dir.state, "/var/lib/troupe/n", "and keep their state in /var/lib/troupe");
    } else {
        setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
        setenv("XDG_STATE_HOME", "/home/x/state", 1);
        rundir_resolve("n", NULL, &dir, &err);
        tap_is_text(dir.path, "/run/user/7/troupe/n", "a user's nodes run in XDG_RUNTIME_DIR");
        tap_is_text(dir.state, "/home/x/state/troupe/n", "and keep their state in XDG_STATE_HOME");
    }
    setenv("TROUPE_RUN", below("run/"), 1);
    setenv("TROUPE_STATE", below("state"), 1);
    CHECK(!rundir_resolve(NULL, NULL, &dir, &err) && !strcmp(dir.path, below("run")) &&
              !strcmp(dir.state, below("state")),
          "TROUPE_RUN and TROUPE_STATE are the directories themselves");
}

static void test_creation(void)
{
    struct rundir dir;
    struct error err = {0};

    umask(077);
    snprintf(dir.path, sizeof dir.path, "%s", below("a/b/run"));
    CHECK(!rundir_create(&dir, &err) && mode_of(dir.path) == 0711 && mode_of(below("a/b")) == 0711,
          "the directory is made with its parents, 0711 whatever the umask");
    CHECK(!rundir_create(&dir, &err), "one that is ours may be there already");
    chmod(dir.path, 0777);
    CHECK(!rundir_create(&dir, &err) && mode_of(dir.path) == 0755,
          "that others may not write into");
    CHECK(!symlink(dir.path, below("link")), "(a link)");
    snprintf(dir.path, sizeof dir.path, "%s", below("link"));
    CHECK(rundir_create(&dir, &err) && strstr(err.text, "not a directory"),
          "a link to one is refused");
    snprintf(dir.path, sizeof dir.path, "%s", "/proc/self/run");
    CHECK(rundir_create(&dir, &err) && err.text[0], "where none can be made, the error says so");
    if (geteuid() == 0) {
        snprintf(dir.path, sizeof dir.path, "%s", below("foreign"));
        CHECK(!mkdir(dir.path, 0755) && !chown(dir.path, 12345, 12345) &&
                  rundir_create(&dir, &err) && err.code == EPERM,
              "another's is refused");
    }
}

static void test_alive(void)
{
    struct rundir dir, found;
    struct error err;
    int fd;

    snprintf(dir.path, sizeof dir.path, "%s", below("a/b/run"));
    CHECK(!rundir_is_alive(&dir), "without a lock nobody is there");
    fd = open(below("a/b/run/.lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    CHECK(!rundir_is_alive(&dir), "a lock that nobody holds is no node");
    flock(fd, LOCK_EX);
    CHECK(rundir_is_alive(&dir), "one that is held is");
    close(fd);
    CHECK(!rundir_is_alive(&dir), "until it is let go");
    setenv("TROUPE_RUN", below("a/b/run"), 1);
    CHECK(!rundir_find(NULL, &found, &err) && !strcmp(found.path, below("a/b/run")),
          "TROUPE_RUN is asked no further");
    unsetenv("TROUPE_RUN");
    CHECK(rundir_find("nobody-has-this", &found, &err) && err.code == ENOENT &&
              strstr(err.text, "nobody-has-this"),
          "a node that does not run is not found");
}

/* Root's nodes are in /run/troupe, which is not ours to fill: root looks as somebody else. Others are
 * looked for in a runtime directory of the test. */
static void test_search(void)
{
    struct rundir found;
    struct error err;
    int locks[2];

    uid_t user = geteuid();

    if (user == 0 && (chown(top, 65534, 65534) || seteuid(65534)))
        tap_note("cannot be another user");
    unsetenv("TROUPE_NODE");
    setenv("XDG_RUNTIME_DIR", top, 1);
    if (mkdir(below("troupe"), 0711) || mkdir(below("troupe/one"), 0711) ||
        mkdir(below("troupe/two"), 0711))
        tap_note("directories could not be made");
    locks[0] = open(below("troupe/one/.lock"), O_RDWR | O_CREAT, 0644);
    locks[1] = open(below("troupe/two/.lock"), O_RDWR | O_CREAT, 0644);
    flock(locks[0], LOCK_EX);
    CHECK(!rundir_find(NULL, &found, &err) && !strcmp(found.node, "one"), "a lonely node is found");
    flock(locks[1], LOCK_EX);
    CHECK(rundir_find(NULL, &found, &err) && err.code == EEXIST && strstr(err.text, "one") &&
              strstr(err.text, "two"),
          "several are named");
    close(locks[0]);
    close(locks[1]);
    CHECK(rundir_find(NULL, &found, &err) && err.code == ENOENT, "none is none");
    if (seteuid(user))
        tap_note("cannot be the first user again");
}

static bool reaches(const char *run, const char *path, int listening)
{
    int fd = rundir_connect(run, path), got;
    bool reached = false;

    if (fd < 0)
        return false;
    got = accept(listening, NULL, NULL);
    reached = got >= 0;
    close(got);
    close(fd);
    return reached;
}

static void test_sockets(void)
{
    char run[PATH_MAX];
    int first, second;

    snprintf(run, sizeof run, "%s", below("deep"));
    if (mkdir(run, 0711))
        tap_note("%s: %s", run, strerror(errno));
    for (int i = 0; i < 20; i++) { /* a directory far over the 107 bytes of a socket's path */
        strcat(run, "/a-rather-long-name");
        if (mkdir(run, 0711))
            tap_note("%s: %s", run, strerror(errno));
    }
    CHECK(rundir_connect(run, "shop/db") == -1 && errno == ENOENT, "who was never there is ENOENT");
    first = rundir_listen(run, "shop/db");
    CHECK(first >= 0 && reaches(run, "shop/db", first),
          "a socket in a deep directory is bound and reached");
    CHECK(fcntl(first, F_GETFD) == FD_CLOEXEC && (fcntl(first, F_GETFL) & O_NONBLOCK),
          "close-on-exec, non-blocking");
    strcat(run, "/shop/db");
    CHECK(mode_of(run) == 0666, "anybody may connect: rights are looked at later");
    *strrchr(run, '/') = '\0';
    *strrchr(run, '/') = '\0';
    CHECK(rundir_connect(run, "shop/db/more") == -1 && errno == ENOENT,
          "there is nothing below a mailbox");
    second = rundir_listen(run, "shop/db");
    CHECK(second >= 0 && reaches(run, "shop/db", second), "a stale socket is replaced");
    close(second);
    CHECK(rundir_connect(run, "shop/db") == -1 && errno == ECONNREFUSED,
          "whose owner is gone is ECONNREFUSED");
    close(first);
    first = rundir_listen(run, "shop/db/.supervisor");
    CHECK(first >= 0 && reaches(run, "shop/db/.supervisor", first),
          "a supervisor's directory replaces an actor's stale socket");
    close(first);
}

int main(void)
{
    char command[128];

    snprintf(top, sizeof top, "/tmp/troupe-rundir-test.XXXXXX");
    if (!mkdtemp(top))
        return 1;
    test_names();
    test_creation();
    test_alive();
    test_search();
    test_sockets();
    snprintf(command, sizeof command, "rm -rf '%s'", top);
    return system(command) ? 1 : tap_done();
}
