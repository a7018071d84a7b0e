/* Tables. A cell is text; the widths are found while cells come in, and never shrink from one block of rows to the
 * next. */
#include "client/cli/table.h"

#include <assert.h>
#include <string.h>

#include "client/cli/text.h"

static uint32_t heading_bytes(const char *heading)
{
    return (uint32_t)strcspn(heading, "|");
}

void table_begin(struct table *t, FILE *out, bool aligned, bool color, const char *headings)
{
    *t = (struct table){ .out = out, .aligned = aligned, .color = color };
    while (true) {
        assert(t->columns < TABLE_COLUMNS_MAX);
        bool right = *headings == '>';
        headings += right;
        t->column[t->columns].heading = headings;
        t->column[t->columns].right = right;
        t->column[t->columns].width = heading_bytes(headings);
        t->columns++;
        headings += heading_bytes(headings);
        if (!*headings) {
            return;
        }
        headings++;
    }
}

static void pad(FILE *out, uint32_t n)
{
    fprintf(out, "%*s", (int)n, "");
}

static void put_cell(struct table *t, uint32_t column, const char *p, size_t n)
{
    bool last = column + 1 == t->columns;
    if (!t->aligned) {
        text_put(t->out, p, n);
        fputc(last ? '\n' : '\t', t->out);
        return;
    }
    uint32_t used = (uint32_t)text_columns(p, n);
    uint32_t gap = t->column[column].width > used ? t->column[column].width - used : 0;
    if (t->column[column].right) {
        pad(t->out, gap);
    }
    text_put(t->out, p, n);
    if (last) {
        fputc('\n', t->out);
    } else {
        pad(t->out, 2 + (t->column[column].right ? 0 : gap));
    }
}

static void flush(struct table *t)
{
    if (t->text.failed || t->cells == 0) {
        return;
    }
    if (t->aligned && !t->headed) {
        t->headed = true;
        fputs(t->color ? "\033[1m" : "", t->out);
        for (uint32_t i = 0; i < t->columns; i++) {
            put_cell(t, i, t->column[i].heading, heading_bytes(t->column[i].heading));
        }
        fputs(t->color ? "\033[0m" : "", t->out);
    }
    const char *p = t->text.p;
    for (uint32_t i = 0; i < t->cells; i++) {
        size_t n = strlen(p);
        put_cell(t, i % t->columns, p, n);
        p += n + 1;
    }
    t->cells = 0;
    slp_buf_clear(&t->text);
}

void table_text(struct table *t, struct slp_bytes text)
{
    static const char end = 0;
    size_t n = text.n ? strnlen(text.p, text.n) : 0;
    uint32_t column = t->cells % t->columns;
    uint32_t width = (uint32_t)text_columns(text.p, n);
    t->column[column].width = width > t->column[column].width ? width : t->column[column].width;
    slp_buf_add(&t->text, text.p, n);
    slp_buf_add(&t->text, &end, 1);
    t->cells++;
    if (t->cells % t->columns == 0) {
        t->rows++;
        if (t->cells / t->columns >= TABLE_ROWS_HELD) {
            flush(t);
        }
    }
}

void table_str(struct table *t, const char *text)
{
    table_text(t, text_bytes(text));
}

void table_u64(struct table *t, uint64_t n)
{
    char buf[TEXT_TIME_BYTES];
    snprintf(buf, sizeof buf, "%llu", (unsigned long long)n);
    table_str(t, buf);
}

bool table_end(struct table *t)
{
    assert(t->cells % t->columns == 0);
    bool ok = !t->text.failed;
    flush(t);
    slp_buf_free(&t->text);
    return ok;
}
