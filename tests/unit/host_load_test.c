/*
 * How full a host is, by what the kernel says of it.
 */
#include "../../cluster/host_load.h"
#include "tap.h"

static const char meminfo[] = "MemTotal:        1000 kB\nMemFree:          100 kB\n"
                              "MemAvailable:     250 kB\nBuffers:           10 kB\n";

static void check_texts(void)
{
    CHECK(host_load_percent(host_load_memory(meminfo), 1) == 75,
          "memory that is not available is taken, not what is not free");
    CHECK(host_load_memory("MemTotal: 1000 kB\n") == 0 && host_load_memory("") == 0,
          "where the kernel does not say it, nothing is");
    CHECK(host_load_memory("MemTotal: 10 kB\nMemAvailable: 20 kB\n") == 0, "nor of nonsense");
    CHECK(host_load_percent(host_load_load("3.00 9.00 9.00 2/300 4711\n", 2), 1) == 150,
          "the load is that of the last minute, for each processor");
    CHECK(host_load_load("", 2) == 0 && host_load_load("3.00", -1) == 0, "or nothing");
}

static void check_percent(void)
{
    CHECK(host_load_percent(0.45, 0.9) == 50, "in percent of what is allowed");
    CHECK(host_load_percent(0.899, 0.9) == 99, "just below it there is room");
    CHECK(host_load_percent(0.9, 0.9) == 100 && host_load_percent(2, 1) == 200,
          "at it and above there is none");
    CHECK(host_load_percent(5, 0) == 0, "where nothing is said all is allowed");
    CHECK(host_load_percent(1e30, 1e-30) == 1000000, "however much it is");
}

static void check_host(void)
{
    uint32_t memory, load;

    host_load_read(&(struct host_limits){0}, &memory, &load);
    CHECK(memory == 0 && load == 0, "without limits nothing is read");
    host_load_read(&(struct host_limits){.max_memory = 100, .max_load = 1e-9}, &memory, &load);
    CHECK(memory > 0 && memory <= 100, "some of this host's memory is taken, and not all");
}

int main(void)
{
    check_texts();
    check_percent();
    check_host();
    return tap_done();
}
