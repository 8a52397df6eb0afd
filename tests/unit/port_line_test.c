#include "../../workers/port_line.h"
#include "tap.h"

static char text[512];
static struct port_line line;

static enum port_line_kind parse(const char *said, size_t size)
{
    memcpy(text, said, size);
    text[size] = 'X'; /* may be overwritten, and must not be read */
    port_line_parse(text, size, &line);
    return line.kind;
}

#define PARSE(said) parse(said, sizeof(said) - 1)

static void test_answers(void)
{
    CHECK(PARSE("7\t15") == PORT_LINE_ANSWER && line.ref == 7 && line.count == 1 &&
              !strcmp(line.fields[0], "15") && !line.fields[1],
          "a number first is an answer");
    CHECK(PARSE("7") == PORT_LINE_ANSWER && line.ref == 7 && line.count == 0 && !line.fields[0],
          "it may be without values");
    CHECK(PARSE("7\t") == PORT_LINE_ANSWER && line.count == 1 && !*line.fields[0],
          "or have an empty one");
    CHECK(PARSE("7\ta\\tb\t!x") == PORT_LINE_ANSWER && !strcmp(line.fields[0], "a\tb") &&
              !strcmp(line.fields[1], "!x"),
          "values are unescaped, and may be anything");
    CHECK(PARSE("!7\tno such key") == PORT_LINE_ERROR && line.ref == 7 &&
              !strcmp(line.fields[0], "no such key"),
          "with a mark of exclamation it is an error");
    CHECK(PARSE("!7") == PORT_LINE_ERROR && line.count == 0, "which may be without a reason");
    CHECK(PARSE("!7\ta\tb") == PORT_LINE_BAD && line.ref == 7, "but not have two");
    CHECK(PARSE("7\t\\x") == PORT_LINE_BAD && line.ref == 7 && strstr(line.why, "escape"),
          "a bad escape costs the answer");
    CHECK(PARSE("7\ta\0b") == PORT_LINE_BAD && line.ref == 7 && strstr(line.why, "NUL"),
          "so does a NUL");
    CHECK(PARSE("7\0\t1") == PORT_LINE_BAD && line.ref == 0, "one in the number hides it");
    CHECK(PARSE("7\t1\t2\t3\t4\t5\t6\t7\t8\t9\t0\t1\t2\t3\t4\t5\t6\t7\t8\t9\t0\t1\t2\t3\t4\t5\t6\t7"
                "\t8\t9\t0\t1\t2\t3") == PORT_LINE_BAD &&
              line.ref == 7,
          "as do more values than travel");
}

static void test_refs(void)
{
    CHECK(PARSE("0\t1") == PORT_LINE_BAD && line.ref == 0, "no request has the number 0");
    CHECK(PARSE("7x\t1") == PORT_LINE_BAD && line.ref == 0, "nor a letter in its number");
    CHECK(PARSE("-\t1") == PORT_LINE_BAD && line.ref == 0, "a cast cannot be answered");
    CHECK(PARSE("!\t1") == PORT_LINE_BAD && line.ref == 0, "nor can nothing");
    CHECK(PARSE("9999999999999999999\t") == PORT_LINE_ANSWER && line.ref == 9999999999999999999u,
          "a long number is one");
    CHECK(PARSE("18446744073709551617\t1") == PORT_LINE_BAD && line.ref == 0,
          "one that is too long is not another");
    tap_is_int((long long)port_line_ref("12\tabc", 6), 12, "a head tells what it would answer");
    tap_is_int((long long)port_line_ref("!12", 3), 12, "badly, too");
    tap_is_int((long long)port_line_ref("", 0), 0, "or nothing");
}

static void test_words(void)
{
    CHECK(PARSE("cast\tt/a\tadd\t1\t2") == PORT_LINE_CAST && line.count == 4, "cast");
    CHECK(PARSE("cast\tt/a") == PORT_LINE_BAD && strstr(line.why, "cast ADDRESS"),
          "cast without a message");
    CHECK(PARSE("publish\ttick") == PORT_LINE_PUBLISH, "publish");
    CHECK(PARSE("log\tinfo\thello") == PORT_LINE_LOG, "log");
    CHECK(PARSE("log\thello") == PORT_LINE_BAD, "log without a level");
    CHECK(PARSE("status\tbusy") == PORT_LINE_STATUS, "status");
    CHECK(PARSE("describe\tadd\tII\tI\tadds") == PORT_LINE_DESCRIBE && line.count == 4, "describe");
    CHECK(PARSE("describe\tadd") == PORT_LINE_DESCRIBE && !line.fields[1], "describe, in short");
    CHECK(PARSE("ready") == PORT_LINE_READY && line.count == 0, "ready");
    CHECK(PARSE("ready\tat last") == PORT_LINE_READY && line.count == 1, "ready with a text");
    CHECK(PARSE("hello") == PORT_LINE_BAD, "another word is none");
    CHECK(PARSE("") == PORT_LINE_BAD, "nor is an empty line");
    CHECK(
        PARSE("cast\t1\t2\t3\t4\t5\t6\t7\t8\t9\t0\t1\t2\t3\t4\t5\t6\t7\t8\t9\t0\t1\t2\t3\t4\t5\t6\t"
              "7\t8\t9\t0\t1\t2\t3\t4") == PORT_LINE_CAST,
        "a cast has room for as many arguments as travel");
    CHECK(
        PARSE("cast\t1\t2\t3\t4\t5\t6\t7\t8\t9\t0\t1\t2\t3\t4\t5\t6\t7\t8\t9\t0\t1\t2\t3\t4\t5\t6\t"
              "7\t8\t9\t0\t1\t2\t3\t4\t5") == PORT_LINE_BAD,
        "and for no more");
}

int main(void)
{
    test_answers();
    test_refs();
    test_words();
    return tap_done();
}
