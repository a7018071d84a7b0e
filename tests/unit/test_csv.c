/* CSV in and out: what is read, with which positions, what is refused and how it is named; the formula guard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <csv.h>

#include "client/cli/csv_in.h"
#include "client/cli/csv_out.h"

/* A file without a name that holds these bytes. */
static int file_of(const char *bytes, size_t n)
{
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fflush(f), 0);
    int fd = dup(fileno(f));
    assert_true(fd >= 0);
    fclose(f);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* All records as "a|b;c|d;" and the end as "." or "!message". */
static char *digest(const char *bytes, size_t n)
{
    int fd = file_of(bytes, n);
    struct csv_in *in = csv_in_new(fd);
    struct csv_row row;
    enum csv_rc rc;
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    while ((rc = csv_in_next(in, &row)) == CSV_ROW) {
        for (uint32_t i = 0; i < row.count; i++) {
            fprintf(f, "%s%.*s", i ? "|" : "", (int)row.cells[i].n, row.cells[i].p);
        }
        fputc(';', f);
    }
    fputs(rc == CSV_END ? "." : "!", f);
    fputs(rc == CSV_END ? "" : csv_in_error(in), f);
    fclose(f);
    csv_in_free(&in);
    csv_in_free(&in);
    close(fd);
    return text;
}

static void reads(const char *bytes, const char *expected)
{
    char *text = digest(bytes, strlen(bytes));
    assert_string_equal(text, expected);
    free(text);
}

static void refuses(const char *bytes, size_t n, const char *part)
{
    char *text = digest(bytes, n);
    const char *mark = strrchr(text, '!');
    assert_non_null(mark);
    if (!strstr(mark, part)) {
        fail_msg("'%s' does not tell '%s'", mark, part);
    }
    free(text);
}

static void rows_end_with_lf_crlf_or_cr(void **state)
{
    (void)state;
    reads("a,b\nc,d\n", "a|b;c|d;.");
    reads("a,b\r\nc,d\r\n", "a|b;c|d;.");
    reads("a,b\rc,d\r", "a|b;c|d;.");
    reads("a,b\nc,d", "a|b;c|d;.");
    reads("a,b\r\nc,d", "a|b;c|d;.");
    reads("", ".");
    reads("\n\n", ".");
}

static void quoted_fields_hold_commas_quotes_and_newlines(void **state)
{
    (void)state;
    reads("\"a,b\",\"c\"\"d\"\n", "a,b|c\"d;.");
    reads("\"a\nb\",\"c\r\nd\"\ne,f\n", "a\nb|c\r\nd;e|f;.");
    reads("\"a\rb\",c\n", "a\rb|c;.");
    reads("\"\",\"\"\"\"\n", "|\";.");
}

static void empty_fields_and_spaces_are_kept(void **state)
{
    (void)state;
    reads(",\n", "|;.");
    reads("a,,b,\n", "a||b|;.");
    reads(" a , b \n", " a | b ;.");
    reads("\ta\t,b\n", "\ta\t|b;.");
}

/* ---- libcsv, shown every byte ---- */
struct direct {
    FILE *f;
    unsigned cells;
};

static void on_direct_cell(void *p, size_t n, void *arg)
{
    struct direct *d = arg;
    fprintf(d->f, "%s", d->cells++ ? "|" : "");
    fwrite(p, 1, n, d->f);
}

static void on_direct_row(int c, void *arg)
{
    (void)c;
    struct direct *d = arg;
    fputc(';', d->f);
    d->cells = 0;
}

static int no_space(unsigned char c)
{
    (void)c;
    return 0;
}

/* As digest(), but "!" alone for a mistake, and what came before it in the same record. */
static char *digest_of_libcsv(const char *bytes, size_t n)
{
    char *text;
    size_t size;
    struct direct d = { .f = open_memstream(&text, &size) };
    struct csv_parser p;
    assert_int_equal(csv_init(&p, CSV_STRICT | CSV_STRICT_FINI), 0);
    csv_set_space_func(&p, no_space);
    bool ok = csv_parse(&p, bytes, n, on_direct_cell, on_direct_row, &d) == n &&
              csv_fini(&p, on_direct_cell, on_direct_row, &d) == 0;
    fputs(ok ? "." : "!", d.f);
    fclose(d.f);
    csv_free(&p);
    return text;
}

/* Up to the last record that is whole. */
static size_t whole_records(const char *records)
{
    size_t n = strlen(records);
    while (n > 0 && records[n - 1] != ';') {
        n--;
    }
    return n;
}

/* Texts of all kinds: the reader shows libcsv an outline only, and must find what libcsv finds in the whole. */
static void any_text_is_read_as_libcsv_reads_it(void **state)
{
    (void)state;
    static const char *const parts[] = { ",",
                                         ",",
                                         "\"",
                                         "\"\"",
                                         "\"",
                                         "\n",
                                         "\r\n",
                                         "\r",
                                         ",\"",
                                         "\",",
                                         "\"\n",
                                         "x",
                                         "y",
                                         " ",
                                         "word",
                                         "eight by",
                                         "nine byte",
                                         "sixteen bytes it",
                                         "Medell\xc3\xadn" };
    static char text[40000];
    uint32_t seed = 4711, broken = 0, whole = 0;
    for (int round = 0; round < 30000; round++) {
        size_t n = 0, most = round % 1000 == 0 ? sizeof text - 32 : (size_t)round % 90;
        unsigned kinds = round % 3 == 0 ? 7 : 19; /* now and then nothing but the four */
        while (n < most) {
            seed = seed * 1103515245u + 12345u;
            const char *part = parts[(seed >> 16) % kinds];
            if (round % 1000 == 0 && *part == '"') { /* a long text without a mistake */
                part = "\n\"a, \"\"b\"\",\n\",";
            }
            memcpy(text + n, part, strlen(part));
            n += strlen(part);
        }
        char *ours = digest(text, n), *theirs = digest_of_libcsv(text, n);
        bool bad = theirs[strlen(theirs) - 1] == '!';
        broken += bad;
        whole += !bad;
        size_t same = bad ? whole_records(theirs) : strlen(theirs);
        if (strncmp(ours, theirs, same) != 0 || (bad && ours[same] != '!')) {
            fail_msg("round %d: of '%.*s' libcsv makes '%s', we '%s'", round, (int)n, text, theirs, ours);
        }
        free(ours);
        free(theirs);
    }
    assert_true(broken > 1000 && whole > 1000);
}

static void blank_lines_are_skipped(void **state)
{
    (void)state;
    reads("\n\na,b\n\n\r\nc,d\n\n", "a|b;c|d;.");
}

static void a_byte_order_mark_is_no_part_of_the_first_field(void **state)
{
    (void)state;
    reads("\xef\xbb\xbf"
          "a,b\n",
          "a|b;.");
    reads("\xef\xbb\xbf"
          "\"a\",b\n",
          "a|b;.");
    reads("\xef\xbb\xbf", ".");
    reads("\xef\xbb", "\xef\xbb;.");
    refuses("\xff\xfe"
            "a\0,\0b\0\n\0",
            10, "UTF-16");
    refuses("\xfe\xff"
            "\0a\0,\0b\0\n",
            10, "UTF-16");
}

static void broken_quoting_is_named_by_line_and_field(void **state)
{
    (void)state;
    static const char middle[] = "a,b\nc,5\" disk\n", after[] = "a,b\n\"c\" x,d\n",
                      open_quote[] = "a,b\n1,2\n\"c,d\ne,f\n";
    refuses(middle, sizeof middle - 1, "line 2: field 2: a quote inside an unquoted field");
    refuses(after, sizeof after - 1, "line 2: field 1: text after the closing quote");
    refuses(open_quote, sizeof open_quote - 1,
            "line 3: the record that begins here ends in a quoted field that is never closed");
}

static void a_record_without_end_is_refused_in_bounded_memory(void **state)
{
    (void)state;
    size_t n = 3 * CSV_RECORD_BYTES_MAX;
    char *big = malloc(n);
    memset(big, 'x', n);
    memcpy(big, "a,b\n\"", 5);
    refuses(big, n, "line 2: the record that begins here is larger than");
    for (size_t i = 100; i < n; i += 100) {
        big[i] = '\n';
    }
    refuses(big, n, "line 2: the record that begins here is larger than");
    free(big);
}

static void a_large_record_is_read_whole(void **state)
{
    (void)state;
    size_t n = CSV_RECORD_BYTES_MAX / 2;
    char *big = malloc(n + 8);
    memset(big, 'x', n);
    memcpy(big, "a,\"", 3);
    memcpy(big + n, "\",z\nq,r", 7);
    int fd = file_of(big, n + 7);
    struct csv_in *in = csv_in_new(fd);
    struct csv_row row;
    assert_int_equal(csv_in_next(in, &row), CSV_ROW);
    assert_int_equal(row.count, 3);
    assert_int_equal(row.cells[1].n, n - 3);
    assert_int_equal(csv_in_next(in, &row), CSV_ROW);
    assert_int_equal(row.line, 2);
    assert_int_equal(row.raw.n, 3);
    assert_int_equal(csv_in_next(in, &row), CSV_END);
    csv_in_free(&in);
    close(fd);
    free(big);
}

static void records_know_their_line_and_their_bytes(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbfh1,h2\r\n\r\n\"a\nb\",c\r\nd,\"e\"\"f\"\nlast,row";
    static const struct {
        uint64_t line;
        const char *raw;
    } expected[] = { { 1, "h1,h2\r\n" }, { 3, "\"a\nb\",c\r\n" }, { 5, "d,\"e\"\"f\"\n" }, { 6, "last,row" } };
    int fd = file_of(text, sizeof text - 1);
    struct csv_in *in = csv_in_new(fd);
    struct csv_row row;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(csv_in_next(in, &row), CSV_ROW);
        assert_int_equal(row.record, i + 1);
        assert_int_equal(row.line, expected[i].line);
        assert_int_equal(row.raw.n, strlen(expected[i].raw));
        assert_memory_equal(row.raw.p, expected[i].raw, row.raw.n);
    }
    assert_int_equal(csv_in_next(in, &row), CSV_END);
    assert_int_equal(csv_in_next(in, &row), CSV_END);
    assert_int_equal(csv_in_bytes(in), sizeof text - 1);
    csv_in_free(&in);
    close(fd);
}

static void on_tap(void *arg, const char *p, size_t n)
{
    struct slp_buf *b = arg;
    slp_buf_add(b, p, n);
}

/* A million bytes with a CR LF at every possible place of a read's edge: nothing may be lost or cut there. */
static void reads_that_end_anywhere_change_nothing(void **state)
{
    (void)state;
    struct slp_buf file = { 0 }, seen = { 0 };
    uint64_t rows = 0, sum = 0;
    for (uint64_t i = 0; file.n < 1500000; i++) {
        char line[64];
        int n = snprintf(line, sizeof line, i % 3 ? "%llu,\"x\r\ny\"\r\n" : "%llu,z\r\n", (unsigned long long)i);
        slp_buf_add(&file, line, (size_t)n);
        rows++;
        sum += i;
    }
    int pair[2];
    assert_int_equal(pipe(pair), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* writes pieces of odd sizes, so that reads come back short */
        size_t piece = 1;
        for (size_t at = 0; at < file.n; at += piece) {
            piece = (piece * 7 + 3) % 8191 + 1;
            piece = piece > file.n - at ? file.n - at : piece;
            if (write(pair[1], file.p + at, piece) != (ssize_t)piece) {
                _exit(1);
            }
        }
        _exit(0);
    }
    close(pair[1]);
    struct csv_in *in = csv_in_new(pair[0]);
    csv_in_tap(in, on_tap, &seen);
    struct csv_row row;
    uint64_t got = 0, got_sum = 0, raw_bytes = 0;
    while (csv_in_next(in, &row) == CSV_ROW) {
        assert_int_equal(row.count, 2);
        char number[24] = "";
        memcpy(number, row.cells[0].p, row.cells[0].n);
        got_sum += strtoull(number, NULL, 10);
        assert_true(row.cells[1].n == 1 || row.cells[1].n == 4);
        raw_bytes += row.raw.n;
        got++;
    }
    assert_int_equal(got, rows);
    assert_int_equal(got_sum, sum);
    assert_int_equal(raw_bytes, file.n);
    assert_int_equal(seen.n, file.n);
    assert_memory_equal(seen.p, file.p, file.n);
    csv_in_free(&in);
    close(pair[0]);
    slp_buf_free(&file);
    slp_buf_free(&seen);
}

static void cells_that_are_no_text_are_found(void **state)
{
    (void)state;
    char reason[100];
    assert_false(csv_cell_problem((struct slp_bytes){ "Medell\xc3\xadn", 9 }, reason, sizeof reason));
    assert_false(csv_cell_problem((struct slp_bytes){ "", 0 }, reason, sizeof reason));
    assert_true(csv_cell_problem((struct slp_bytes){ "Medell\xedn", 8 }, reason, sizeof reason));
    assert_string_equal(reason, "is not UTF-8 (byte 7)");
    assert_true(csv_cell_problem((struct slp_bytes){ "a\xc3", 2 }, reason, sizeof reason));
    assert_string_equal(reason, "is not UTF-8 (byte 2)");
    assert_true(csv_cell_problem((struct slp_bytes){ "a\0b", 3 }, reason, sizeof reason));
    assert_string_equal(reason, "contains a NUL byte");
}

static void formulas_are_told_from_numbers(void **state)
{
    (void)state;
    static const char *const formulas[] = {
        "=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "\rx", "=", "-", "+", "-.", "-e5", "-1e", "--5", "-5 "
    };
    static const char *const plain[] = { "",     "a",       "-5", "+5",  "-5.25", "-.5", "+1.",
                                         "-1e5", "-1.5E-3", "5-", "a=b", "'=1",   " =1" };
    for (size_t i = 0; i < sizeof formulas / sizeof formulas[0]; i++) {
        if (!csv_looks_like_formula(formulas[i], strlen(formulas[i]))) {
            fail_msg("'%s' is a formula", formulas[i]);
        }
    }
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (csv_looks_like_formula(plain[i], strlen(plain[i]))) {
            fail_msg("'%s' is no formula", plain[i]);
        }
    }
}

static void writes(const char *cell, size_t n, bool guard, const char *expected)
{
    struct slp_buf b = { 0 };
    csv_out_cell(&b, true, guard, cell, n);
    csv_out_end(&b);
    assert_int_equal(b.n, strlen(expected));
    assert_memory_equal(b.p, expected, b.n);
    slp_buf_free(&b);
}

static void cells_are_quoted_where_they_must_be(void **state)
{
    (void)state;
    writes("plain", 5, true, "plain\n");
    writes("a,b", 3, true, "\"a,b\"\n");
    writes("a\"b", 3, true, "\"a\"\"b\"\n");
    writes("\"", 1, true, "\"\"\"\"\n");
    writes("a\nb", 3, true, "\"a\nb\"\n");
    writes("a\r", 2, true, "\"a\r\"\n");
    writes("", 0, true, "\"\"\n");
    writes(NULL, 0, true, "\n");
    writes("=1,2", 4, true, "\"'=1,2\"\n");
    writes("=1", 2, true, "'=1\n");
    writes("=1", 2, false, "=1\n");
    writes("-7", 2, true, "-7\n");
}

/* What is written raw is read back to the byte, whatever it is. */
static void what_is_written_is_read_back(void **state)
{
    (void)state;
    static const char alphabet[] = "ab,\"\n\r =-\xc3\xa9";
    uint32_t seed = 12345;
    struct slp_buf b = { 0 };
    enum { ROWS = 500, COLUMNS = 3 };
    static char cells[ROWS][COLUMNS][9];
    for (int r = 0; r < ROWS; r++) {
        for (int c = 0; c < COLUMNS; c++) {
            seed = seed * 1103515245u + 12345u;
            int n = (int)(seed >> 16) % 8;
            for (int i = 0; i < n; i++) {
                seed = seed * 1103515245u + 12345u;
                cells[r][c][i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
            }
            csv_out_cell(&b, c == 0, false, cells[r][c], strlen(cells[r][c]));
        }
        csv_out_end(&b);
    }
    int fd = file_of(b.p, b.n);
    struct csv_in *in = csv_in_new(fd);
    struct csv_row row;
    for (int r = 0; r < ROWS; r++) {
        assert_int_equal(csv_in_next(in, &row), CSV_ROW);
        assert_int_equal(row.count, COLUMNS);
        for (int c = 0; c < COLUMNS; c++) {
            assert_int_equal(row.cells[c].n, strlen(cells[r][c]));
            assert_memory_equal(row.cells[c].p, cells[r][c], row.cells[c].n);
        }
    }
    assert_int_equal(csv_in_next(in, &row), CSV_END);
    csv_in_free(&in);
    close(fd);
    slp_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_end_with_lf_crlf_or_cr),
        cmocka_unit_test(quoted_fields_hold_commas_quotes_and_newlines),
        cmocka_unit_test(empty_fields_and_spaces_are_kept),
        cmocka_unit_test(any_text_is_read_as_libcsv_reads_it),
        cmocka_unit_test(blank_lines_are_skipped),
        cmocka_unit_test(a_byte_order_mark_is_no_part_of_the_first_field),
        cmocka_unit_test(broken_quoting_is_named_by_line_and_field),
        cmocka_unit_test(a_record_without_end_is_refused_in_bounded_memory),
        cmocka_unit_test(a_large_record_is_read_whole),
        cmocka_unit_test(records_know_their_line_and_their_bytes),
        cmocka_unit_test(reads_that_end_anywhere_change_nothing),
        cmocka_unit_test(cells_that_are_no_text_are_found),
        cmocka_unit_test(formulas_are_told_from_numbers),
        cmocka_unit_test(cells_are_quoted_where_they_must_be),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
