/* Epochs: never one twice, from several processes at once, across kills; and a file that is not
 * ours to guess at. */
#include "../../supervisord/epochs.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 4, EACH = 10000, SEEN_MAX = 200000 };

static char folder[] = "/tmp/epochs.XXXXXX";
static char file[64];

static void take_many(unsigned char *seen)
{
    struct epochs epochs;

    epochs_init(&epochs, folder);
    for (int i = 0; i < EACH; i++) {
        uint64_t epoch = epochs_take(&epochs);

        if (epoch && epoch < SEEN_MAX)
            __atomic_fetch_add(&seen[epoch], 1, __ATOMIC_RELAXED);
    }
}

static void check_processes(void)
{
    unsigned char *seen =
        mmap(NULL, SEEN_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned taken = 0, twice = 0;
    pid_t pids[PROCESSES];

    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            take_many(seen);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++)
        waitpid(pids[i], NULL, 0);
    for (int i = 0; i < SEEN_MAX; i++) {
        taken += seen[i] > 0;
        twice += seen[i] > 1;
    }
    tap_is_int(taken, PROCESSES * EACH, "each that is taken is another");
    tap_is_int(twice, 0, "none is given twice");
    munmap(seen, SEEN_MAX);
}

static void check_restart(void)
{
    struct epochs epochs;
    uint64_t last = 0, next;
    bool grows = true;

    for (int i = 0; i < 20; i++) {
        epochs_init(&epochs, folder);
        next = epochs_take(&epochs);
        grows &= next > last;
        last = next;
    }
    CHECK(grows, "who begins anew gets greater ones");
}

static void write_file(const char *text)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        tap_note("%s cannot be written", file);
    close(fd);
}

static void check_damage(void)
{
    static const char *const wrong[] = {"x\n", "12", "0\n", "99999999999999999999999\n", "\n"};
    struct epochs epochs;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_file(wrong[i]);
        epochs_init(&epochs, folder);
        CHECK(epochs_take(&epochs) == 0 && errno, "a file that holds no number is an error: %zu",
              i);
    }
    unlink(file);
    epochs_init(&epochs, "/nowhere/at/all");
    CHECK(epochs_take(&epochs) == 0 && errno == ENOENT, "so is a folder that is not there");
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    snprintf(file, sizeof file, "%s/epochs", folder);
    check_processes();
    check_restart();
    check_damage();
    rmdir(folder);
    return tap_done();
}
