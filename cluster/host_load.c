#include "host_load.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_SIZE = 4096, PERCENT_MAX = 1000000 };

static double number_after(const char *text, const char *word)
{
    const char *at = strstr(text, word);

    return at ? strtod(at + strlen(word), NULL) : 0;
}

double host_load_memory(const char *meminfo)
{
    double total = number_after(meminfo, "MemTotal:");
    double available = number_after(meminfo, "MemAvailable:");

    return total > 0 && available > 0 && available <= total ? 1 - available / total : 0;
}

double host_load_load(const char *loadavg, long processors)
{
    double load = strtod(loadavg, NULL);

    return load > 0 && processors > 0 ? load / (double)processors : 0;
}

uint32_t host_load_percent(double part, double allowed)
{
    double percent = allowed > 0 ? 100 * part / allowed : 0;

    return percent < PERCENT_MAX ? (uint32_t)percent : PERCENT_MAX;
}

static const char *read_text(const char *file, char text[TEXT_SIZE])
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, text, TEXT_SIZE - 1);

    if (fd >= 0)
        close(fd);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

void host_load_read(const struct host_limits *limits, uint32_t *memory_percent,
                    uint32_t *load_percent)
{
    char text[TEXT_SIZE];

    *memory_percent = *load_percent = 0;
    if (limits->max_memory)
        *memory_percent = host_load_percent(host_load_memory(read_text("/proc/meminfo", text)),
                                            limits->max_memory / 100.);
    if (limits->max_load > 0)
        *load_percent = host_load_percent(
            host_load_load(read_text("/proc/loadavg", text), sysconf(_SC_NPROCESSORS_ONLN)),
            limits->max_load);
}
