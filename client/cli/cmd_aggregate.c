/* sunline run aggregate: one label a unit, from all answers of a station, whatever its line made of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/answers.h"
#include "client/cli/args.h"
#include "client/cli/consensus_out.h"
#include "client/cli/csv_out.h"
#include "client/cli/family.h"
#include "client/cli/file_out.h"
#include "client/cli/json_out.h"

static void csv_text(struct slp_buf *b, bool first, const char *text)
{
    csv_out_cell(b, first, true, text, strlen(text));
}

static int csv_rows(struct cli *cli, FILE *to, const struct answers *a, const struct sl_consensus *c)
{
    struct slp_buf b = { 0 };
    const char *const headings[] = { "unit", a->column, "confidence", "answers", "tied" };
    char number[32];
    for (size_t i = 0; i < sizeof headings / sizeof *headings; i++) {
        csv_text(&b, i == 0, headings[i]);
    }
    csv_out_end(&b);
    for (uint32_t i = 0; i < c->items; i++) {
        csv_text(&b, true, sl_votes_item(a->votes, i));
        csv_text(&b, false, sl_votes_label(a->votes, c->label[i]));
        snprintf(number, sizeof number, "%.6f", c->confidence[i]);
        csv_text(&b, false, number);
        snprintf(number, sizeof number, "%u", c->votes[i]);
        csv_text(&b, false, number);
        csv_text(&b, false, c->tied[i] ? "true" : "false");
        csv_out_end(&b);
    }
    int code = b.failed ? cli_nomem(cli) : CLI_DONE;
    if (!code && fwrite(b.p, 1, b.n, to) != b.n) {
        code = cli_fail(cli, "cannot write the output: %s", strerror(errno));
    }
    slp_buf_free(&b);
    return code;
}

static int json_rows(struct cli *cli, FILE *to, const struct answers *a, const struct sl_consensus *c)
{
    for (uint32_t i = 0; i < c->items; i++) {
        const char *label = sl_votes_label(a->votes, c->label[i]);
        json_t *row =
            json_pack("{s:I, s:o, s:f, s:i, s:b}", "unit", (json_int_t)strtoull(sl_votes_item(a->votes, i), NULL, 10),
                      a->column, json_text(label, strlen(label)), "confidence", c->confidence[i], "answers",
                      (int)c->votes[i], "tied", (int)c->tied[i]);
        bool wrote = row && json_dumpf(row, to, JSON_COMPACT) == 0 && fputc('\n', to) != EOF;
        json_decref(row);
        if (!wrote) {
            return row ? cli_fail(cli, "cannot write the output: %s", strerror(errno)) : cli_nomem(cli);
        }
    }
    return CLI_DONE;
}

int cmd_run_aggregate(struct cli *cli, int argc, char **argv)
{
    const char *station = NULL, *field = NULL, *method = "dawid-skene", *format = NULL, *file = NULL;
    const struct arg args[] = {
        { "--station", ARG_TEXT, &station, NULL, 0, 0 }, { "--field", ARG_TEXT, &field, NULL, 0, 0 },
        { "--method", ARG_TEXT, &method, NULL, 0, 0 },   { "--format", ARG_TEXT, &format, NULL, 0, 0 },
        { "--output", ARG_TEXT, &file, NULL, 0, 'o' },   { .name = NULL }
    };
    struct sl_consensus_options options = { 0 };
    if (args_parse(cli, argc, argv, args, 1, 1) < 0) {
        return CLI_USAGE;
    }
    if (!consensus_method(method, &options.method)) {
        return cli_misuse(cli, "--method is plurality, wawa or dawid-skene, not '%s'", method);
    }
    bool jsonl = format ? strcmp(format, "jsonl") == 0 : cli->json;
    if (format && !jsonl && strcmp(format, "csv") != 0) {
        return cli_misuse(cli, "--format is csv or jsonl, not '%s'", format);
    }
    struct answers a;
    struct sl_consensus *c = NULL;
    struct file_out out;
    bool to_file = file && strcmp(file, "-") != 0, begun = false;
    int code = answers_read(cli, argv[1], station, field, &a);
    if (!code) {
        code = consensus_make(cli, &a, &options, &c);
    }
    if (!code && to_file) {
        code = file_out_begin(&out, cli, file);
        begun = !code;
    }
    if (!code) {
        code = (jsonl ? json_rows : csv_rows)(cli, to_file ? out.f : cli->out, &a, c);
    }
    if (begun && code) {
        file_out_abandon(&out);
    } else if (begun) {
        code = file_out_finish(&out);
    }
    if (!code) {
        consensus_note(cli, &a, c);
    }
    sl_consensus_free(&c);
    answers_free(&a);
    return code;
}
