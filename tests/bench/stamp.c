/* The measured program: notes the time first, writes it into the FIFO argv[1], and waits. Where
 * that is no FIFO (s6 gives the name of the service's folder) it is ./fifo, and readiness is
 * notified as s6 has it: what ends before it was ready, s6 holds back for a second. */
#include "stamp.h"

/* Without a notification-fd there is no such descriptor, and nobody who wants to hear. */
static void notify(void)
{
    if (write(STAMP_READY_FD, "\n", 1) == 1)
        close(STAMP_READY_FD);
}

int main(int argc, char **argv)
{
    int64_t born = stamp_now();

    if (argc < 2 || stamp_write(argv[1], born)) {
        if (stamp_write("fifo", born))
            return 1;
        notify();
    }
    for (;;)
        pause();
}
