#include "brood.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* It only has to be reaped. */
static bool is_dead(pid_t pid)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

int brood_add(struct brood *brood, pid_t pid)
{
    pid_t *grown = realloc(brood->at, (brood->count + 1) * sizeof *grown);

    if (!grown)
        return -1;
    brood->at = grown;
    grown[brood->count++] = pid;
    return 0;
}

static int add_living(struct brood *brood, FILE *file)
{
    long pid;

    while (fscanf(file, "%ld", &pid) == 1)
        if (!is_dead((pid_t)pid) && brood_add(brood, (pid_t)pid) < 0)
            return -1;
    return 0;
}

int brood_read(struct brood *brood)
{
    char path[64];
    FILE *file;
    int result;

    brood_finish(brood);
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    file = fopen(path, "re");
    if (!file)
        return -1;
    result = add_living(brood, file);
    fclose(file);
    if (result < 0)
        brood_finish(brood);
    return result;
}

bool brood_has(const struct brood *brood, pid_t pid)
{
    for (size_t i = 0; i < brood->count; i++)
        if (brood->at[i] == pid)
            return true;
    return false;
}

void brood_finish(struct brood *brood)
{
    free(brood->at);
    *brood = (struct brood){0};
}
