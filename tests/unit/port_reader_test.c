/* However the bytes come, the lines are the same. */
#include "../../workers/port_reader.h"
#include "tap.h"

#include <stdlib.h>

enum { MAX = 10 };

static struct port_reader reader;
static char heard[65536];

/* What can be taken now: "line;" or "long:HEAD;". */
static void take_all(void)
{
    enum port_read kind;
    char *line;
    size_t size;

    while ((kind = port_reader_take(&reader, &line, &size)) != PORT_READ_NONE) {
        if (kind == PORT_READ_LINE)
            line[size] = '\0'; /* is ours to write */
        else
            strcat(heard, "long:");
        strncat(heard, line, size < MAX ? size : MAX);
        strcat(heard, ";");
    }
}

static void feed(const char *bytes, size_t size)
{
    memcpy(port_reader_room(&reader, size), bytes, size);
    port_reader_fed(&reader, size);
    take_all();
}

/* The text in pieces of so many bytes. */
static const char *read_in(const char *text, size_t piece)
{
    size_t length = strlen(text);

    heard[0] = '\0';
    port_reader_init(&reader, MAX);
    for (size_t at = 0; at < length; at += piece)
        feed(text + at, length - at < piece ? length - at : piece);
    return heard;
}

static void test_pieces(void)
{
    static const char text[] = "7\t15\n\n0123456789\nab\n";
    bool same = true;

    for (size_t piece = 1; piece <= sizeof text; piece++) {
        same &= strcmp(read_in(text, piece), "7\t15;;0123456789;ab;") == 0;
        port_reader_finish(&reader);
    }
    CHECK(same, "lines come out whole however they come in");
}

static void test_long(void)
{
    static const char text[] = "ok\n8\tabcdefghijklmnopqrstuvw\nok\n";
    bool same = true;

    for (size_t piece = 1; piece <= sizeof text; piece++) {
        same &= strcmp(read_in(text, piece), "ok;long:8\tabcdefgh;ok;") == 0;
        port_reader_finish(&reader);
    }
    CHECK(same, "one that is too long is told once, and the next is whole again");
}

static void test_flood(void)
{
    static char junk[1000];
    size_t biggest = 0;

    memset(junk, 'x', sizeof junk);
    read_in("", 1);
    for (int i = 0; i < 10000; i++) {
        feed(junk, sizeof junk);
        biggest = reader.buf.size > biggest ? reader.buf.size : biggest;
    }
    feed("\nend\n", 5);
    tap_is_text(heard, "long:xxxxxxxxxx;end;", "ten megabytes without a newline are one long line");
    CHECK(biggest <= 8192, "in little memory");
    feed("half", 4);
    tap_is_int((long long)port_reader_rest(&reader), 4, "half a line is counted");
    port_reader_finish(&reader);
}

int main(void)
{
    test_pieces();
    test_long();
    test_flood();
    return tap_done();
}
