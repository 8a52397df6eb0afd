/* The measured program: notes the time first, writes it into the FIFO argv[1], and waits. Where that
 * is no FIFO (s6 gives the name of the service's folder) it is ./fifo. */
#include "stamp.h"

int main(int argc, char **argv)
{
    int64_t born = stamp_now();

    if ((argc < 2 || stamp_write(argv[1], born)) && stamp_write("fifo", born))
        return 1;
    for (;;)
        pause();
}
