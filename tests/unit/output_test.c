/* Output of the command line: grids, columns, logfmt, JSON. */
#include "../../cli/columns.h"
#include "../../cli/output.h"
#include "tap.h"

#include <stdlib.h>

static struct row an_actor(void)
{
    return (struct row){
        .path = (char *)"shop/db",
        .kind = ROW_MODULE,
        .state = ROW_READY,
        .pid = 42,
        .incarnation = 3,
        .restarts_in_window = 1,
        .restarts_total = 7,
        .last = (char *)"signal:SEGV core",
        .started_us = 1000000,
        .memory = 3 << 20,
        .mailbox_depth = 5,
        .busy_us = 2500000,
        .status = (char *)"",
        .restart = (char *)"permanent",
        .strategy = (char *)"",
    };
}

static const char *text_of(struct buf *buf)
{
    buf_append(buf, "", 1);
    return (const char *)buf_front(buf);
}

/* ---- grids ------------------------------------------------------------------------------ */

static void lay_out(const struct output *out, struct buf *text)
{
    static const struct grid_column shown[] = {
        {"NAME", false, 6}, {"N", true, 0}, {"LAST", false, 4}};
    struct grid *grid = grid_create(shown, 3);

    grid_add(grid, "a", COLOUR_GOOD);
    grid_add(grid, "1", COLOUR_NONE);
    grid_add(grid, "", COLOUR_NONE);
    grid_add(grid, "grüße", COLOUR_NONE);
    grid_add(grid, "1000", COLOUR_NONE);
    grid_add(grid, "exit:1 and more", COLOUR_NONE);
    grid_write(grid, out, text);
    grid_destroy(grid);
}

static void test_grid(void)
{
    struct output out = {.is_ascii = true};
    struct buf text = {0};

    lay_out(&out, &text);
    tap_is_text(text_of(&text),
                "NAME     N LAST\n"
                "a        1\n"
                "grüße 1000 exit:1 and more\n",
                "a grid aligns by display columns and leaves no blanks at a line's end");
    buf_consume(&text, buf_length(&text));
    out.width = 20;
    lay_out(&out, &text);
    tap_is_text(text_of(&text),
                "NAME     N LAST\n"
                "a        1\n"
                "grüße 1000 exit:1 a~\n",
                "on a narrow terminal the last column that may be cut is cut first");
    buf_consume(&text, buf_length(&text));
    out.has_colour = true;
    lay_out(&out, &text);
    CHECK(strstr(text_of(&text), "\033[32ma\033[0m        1\n") != NULL,
          "colour does not disturb the widths");
    buf_finish(&text);
}

/* ---- columns ---------------------------------------------------------------------------- */

static void test_column_values(void)
{
    struct row row = an_actor();
    struct column_view view = {.node = "east", .now_us = 66000000};
    char scratch[COLUMN_TEXT_SIZE];

    tap_is_text(column_find("rst")->value(&row, &view, scratch), "7",
                "rst is a number to machines");
    tap_is_text(column_show(column_find("rst"), &row, &view, scratch), "1/7",
                "rst is window and total to people");
    tap_is_text(column_show(column_find("up"), &row, &view, scratch), "1m05s",
                "up is a duration to people");
    tap_is_text(column_find("up")->value(&row, &view, scratch), "65000",
                "up is milliseconds to machines");
    tap_is_text(column_show(column_find("mbox"), &row, &view, scratch), "5 busy 2s",
                "a message that takes long shows in mbox");
    row.busy_us = 999999;
    tap_is_text(column_show(column_find("mbox"), &row, &view, scratch), "5",
                "one that does not, does not");
    row.last = (char *)"a\033[31mb";
    tap_is_text(column_show(column_find("last"), &row, &view, scratch), "a\\x1b[31mb",
                "foreign text cannot drive the terminal");
    row.pid = 0;
    tap_is_text(column_show(column_find("pid"), &row, &view, scratch), "-",
                "what is not known is a dash");
    CHECK(column_find("pids") == NULL, "a column that does not exist is not found");
}

static void test_columns_as_json(void)
{
    struct row row = an_actor();
    struct column_view view = {.node = "east", .now_us = 66000000};
    struct facts facts = {0};
    struct buf text = {0};

    row.pid = 0;
    columns_to_facts(&row, &view, &facts);
    json_write_line(&facts, &text);
    CHECK(strstr(text_of(&text), "\"path\":\"shop/db\",\"pid\":null,\"state\":\"ready\"") != NULL,
          "an actor without a process has a null pid");
    CHECK(strstr(text_of(&text), "\"rst\":7,") != NULL, "numbers are numbers");
    CHECK(strstr(text_of(&text), "\"started\":\"1970-01-01T00:00:01.000Z\"") != NULL,
          "times are RFC 3339");
    facts_finish(&facts);
    buf_finish(&text);
}

/* ---- formats ---------------------------------------------------------------------------- */

static void test_formats(void)
{
    static const char *const known[] = {"path", "pid", "state", NULL};
    struct output out;
    struct error err;

    CHECK(output_init(&out, NULL, false, known, &err) == 0 && out.format == OUTPUT_TABLE,
          "without -o it is a table");
    CHECK(output_init(&out, "jsonl", false, known, &err) == 0 && out.format == OUTPUT_JSONL,
          "a format is known by its name");
    CHECK(output_init(&out, "pid,path", false, known, &err) == 0 && out.format == OUTPUT_COLUMNS &&
              out.column_count == 2 && !strcmp(out.columns[1], "path"),
          "a list of columns is kept in order");
    output_finish(&out);
    CHECK(output_init(&out, "pid,pth", false, known, &err) == -1, "an unknown column is refused");
    CHECK(strstr(err.text, "did you mean path?") != NULL, "and the nearest one is named");
    output_finish(&out);
    CHECK(output_init(&out, "jsn", false, known, &err) == -1 && strstr(err.text, "mean json"),
          "a misspelt format suggests the format");
    output_finish(&out);
    CHECK(output_init(&out, "pid,", false, NULL, &err) == -1, "an empty column name is refused");
    output_finish(&out);
}

static void make_record(struct facts *record)
{
    facts_add(record, 't', "ts", "1000000");
    facts_add(record, 's', "path", "a/b");
    facts_add(record, 's', "text", "two words, a \"quote\"\nand \033[2J");
    facts_add(record, 'd', "took", "40");
    facts_add(record, 'b', "held", "0");
    facts_add(record, 'n', "none", "");
    facts_add(record, 's', "empty", "");
}

static void test_records(void)
{
    struct facts record = {0};
    struct output out;
    struct error err;
    struct buf text = {0};
    const char *missing;

    make_record(&record);
    logfmt_write(&record, &text);
    tap_is_text(
        text_of(&text),
        "ts=1970-01-01T00:00:01.000Z path=a/b "
        "text=\"two words, a \\\"quote\\\"\\nand \\x1b[2J\" took=40ms held=0 none=\"\" empty=\"\"",
        "logfmt is one printable line");
    buf_consume(&text, buf_length(&text));
    json_write_line(&record, &text);
    tap_is_text(
        text_of(&text),
        "{\"ts\":\"1970-01-01T00:00:01.000Z\",\"path\":\"a/b\","
        "\"text\":\"two words, a \\\"quote\\\"\\nand \\u001B[2J\",\"took\":40,\"held\":false,"
        "\"none\":null,\"empty\":\"\"}",
        "JSON keeps types, and has null for a number that is not known");
    buf_consume(&text, buf_length(&text));
    output_init(&out, "took,empty,path", false, NULL, &err);
    CHECK(bare_write(&out, &record, &text, &missing) == 0, "columns of a record are found");
    tap_is_text(text_of(&text), "40\t-\ta/b", "bare values have a TAB between them, - for none");
    output_finish(&out);
    output_init(&out, "tok", false, NULL, &err);
    CHECK(bare_write(&out, &record, &text, &missing) == -1 && !strcmp(missing, "tok"),
          "a column that the record lacks is named");
    output_finish(&out);
    facts_finish(&record);
    buf_finish(&text);
}

static void test_json_lists(void)
{
    struct words words = {0};
    struct buf text = {0};

    json_list_begin("actors", &text);
    json_list_end(0, &text);
    tap_is_text(text_of(&text), "{\n  \"troupe\": 1,\n  \"actors\": []\n}\n",
                "an empty list is still a list");
    buf_consume(&text, buf_length(&text));
    words_append(&words, "bad \xff byte, gr\xc3\xbc\xc3\x9f"
                         "e\xc3");
    json_write_words("why", &words, &text);
    CHECK(strstr(text_of(&text), "bad \xEF\xBF\xBD byte, gr\xc3\xbc\xc3\x9f"
                                 "e\xEF\xBF\xBD") != NULL,
          "bytes that are no UTF-8 are replaced one by one");
    words_finish(&words);
    buf_finish(&text);
}

static void test_durations(void)
{
    char text[32];

    tap_is_text(show_duration(850, text, sizeof text), "850ms", "milliseconds");
    tap_is_text(show_duration(12999, text, sizeof text), "12s", "seconds are rounded down");
    tap_is_text(show_duration(185000, text, sizeof text), "3m05s", "minutes");
    tap_is_text(show_duration(7620000, text, sizeof text), "2h07m", "hours");
    tap_is_text(show_duration(356400000, text, sizeof text), "4d03h", "days");
}

int main(void)
{
    test_grid();
    test_column_values();
    test_columns_as_json();
    test_formats();
    test_records();
    test_json_lists();
    test_durations();
    return tap_done();
}
