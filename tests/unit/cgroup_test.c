/*
 * What a node that begins does to the cgroups of others. Their hierarchy is played by a folder, whose
 * `cgroup.kill` stays empty while nobody is killed; what their `cgroup.events` say, by this file.
 */
#include "../../supervisord/cgroup.h"
#include "../../supervisord/files.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/cgroup.XXXXXX";
static char theirs[64], ours[64], kill_file[96];
static const char *events; /* NULL: cannot be read, once */

ssize_t read_small_file(const char *path, char *out, size_t size)
{
    (void)path;
    if (!events) {
        events = "populated 1\n";
        errno = EMFILE;
        return -1;
    }
    return snprintf(out, size, "%s", events);
}

/* Another node's, as old as that. */
static void make_theirs(int age_s)
{
    const struct timespec when[2] = {{time(NULL) - age_s, 0}, {time(NULL) - age_s, 0}};

    mkdir(theirs, 0700);
    utimensat(AT_FDCWD, theirs, when, 0);
}

/* Ours begins while theirs says so. */
static void begin(const char *says)
{
    struct cgroup_base base = {.path = ""};

    snprintf(base.path, sizeof base.path, "%s", ours);
    events = says;
    cgroup_begin(&base);
    rmdir(ours);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void test_removal(void)
{
    make_theirs(3600);
    begin("populated 0\n");
    CHECK(!is_there(theirs), "an old cgroup that nobody lives in is removed");
    make_theirs(0);
    begin("populated 0\n");
    CHECK(is_there(theirs), "a fresh one is left, whose node may be about to begin");
    make_theirs(3600);
    begin("populated 1\n");
    CHECK(is_there(theirs), "one that somebody lives in is left");
}

static void test_blindness(void)
{
    struct stat st = {0};
    int fd = open(kill_file, O_WRONLY | O_CREAT, 0600);

    close(fd);
    make_theirs(3600);
    begin(NULL);
    CHECK(stat(kill_file, &st) == 0 && st.st_size == 0,
          "nobody is killed where it could not be seen whether anybody lives");
    unlink(kill_file);
    make_theirs(3600);
    begin(NULL);
    CHECK(is_there(theirs), "and nothing is removed");
    rmdir(theirs);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    snprintf(theirs, sizeof theirs, "%s/troupe-n-0000000000000001", folder);
    snprintf(ours, sizeof ours, "%s/troupe-n-0000000000000002", folder);
    snprintf(kill_file, sizeof kill_file, "%s/cgroup.kill", theirs);
    test_removal();
    test_blindness();
    rmdir(folder);
    return tap_done();
}
