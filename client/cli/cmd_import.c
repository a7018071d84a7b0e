/* sunline run start and run add: what makes an import one that can be repeated.
 *
 * The run remembers the fingerprint of what it was started from, so that another file under its name is refused.
 * Rows are numbered by a producer whose id is a digest of (command, run name, fingerprint): the same command with
 * the same file is the same producer, wherever and whenever it runs, and the broker knows how far it got. */
#include <string.h>
#include <sys/random.h>

#include "client/cli/args.h"
#include "client/cli/family.h"
#include "client/cli/import.h"
#include "client/cli/json_out.h"
#include "proto/limits.h"
#include "proto/reader.h"

static bool producer_id(const char *purpose, const char *run, const void *more, size_t more_bytes,
                        uint8_t id[SL_PRODUCER_SIZE])
{
    uint8_t digest[DIGEST_BYTES];
    struct digest *sum = digest_new();
    if (!sum) {
        return false;
    }
    digest_add(sum, purpose, strlen(purpose) + 1); /* with the NUL: parts cannot run together */
    digest_add(sum, run, strlen(run) + 1);
    digest_add(sum, more, more_bytes);
    digest_get(sum, digest);
    digest_free(&sum);
    memcpy(id, digest, SL_PRODUCER_SIZE);
    return true;
}

static int report(struct cli *cli, const char *run, const struct import *im, const struct import_counts *n,
                  const char *state)
{
    if (cli->json) {
        return json_line(cli, json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "run", run, "rows", (json_int_t)im->rows,
                                        "bad", (json_int_t)im->bad, "accepted", (json_int_t)n->accepted, "there_before",
                                        (json_int_t)(n->before + n->duplicates), "state", state));
    }
    fprintf(cli->out, "run %s: %llu rows, %llu new units, %llu were there before, %llu bad rows left out; %s\n", run,
            (unsigned long long)im->rows, (unsigned long long)n->accepted,
            (unsigned long long)(n->before + n->duplicates), (unsigned long long)im->bad, state);
    return CLI_DONE;
}

/* ---- run start ---- */
struct start {
    struct cli *cli;
    struct sl_run_options options;
    const char *input, *rejects;
    bool open;
    struct sl_run_row existing; /* if run_id is not 0: an earlier attempt, or somebody else's run */
};

/* A run of that name decides which version its rows are checked against. */
static int look_for_run(struct start *s)
{
    int rc = sl_run_info(s->cli->sl, s->options.name, &s->existing, NULL, NULL);
    if (rc == SL_NOT_FOUND) {
        s->existing.run_id = 0;
        return CLI_DONE;
    }
    if (session_check(s->cli, rc, s->options.name)) {
        return CLI_FAILED;
    }
    if (strcmp(s->existing.line, s->options.line) != 0) {
        return cli_fail(s->cli, "EXISTS: there is a run %s already, of line %s; choose another --name", s->options.name,
                        s->existing.line);
    }
    if (s->existing.state == SL_RUN_IS_CANCELLED || s->existing.state == SL_RUN_IS_BEING_DELETED) {
        return cli_fail(s->cli, "BAD_STATE: run %s was %s; choose another --name", s->options.name,
                        s->existing.state == SL_RUN_IS_CANCELLED ? "cancelled" : "deleted");
    }
    s->options.version = s->existing.version;
    return CLI_DONE;
}

static int start_run(struct start *s, uint64_t *run_id)
{
    struct sl_run run;
    int rc = sl_run_start(s->cli->sl, &s->options, &run);
    if (rc == SL_KEY_REUSED) {
        return cli_fail(s->cli,
                        "KEY_REUSED: run %s was started from another file, or with another choice about bad rows; "
                        "choose another --name, "
                        "or add to it with: sunline run add",
                        s->options.name);
    }
    *run_id = run.id;
    return session_check(s->cli, rc, s->options.name);
}

static int close_run(struct start *s, const char **state)
{
    *state = "closed";
    if (s->existing.run_id && s->existing.state >= SL_RUN_IS_CLOSED) {
        return CLI_DONE;
    }
    if (s->open) {
        *state = "open";
        return CLI_DONE;
    }
    return session_check(s->cli, sl_run_close(s->cli->sl, s->options.name), s->options.name);
}

static int start_from_file(struct start *s)
{
    struct import im;
    struct import_counts counts = { 0 };
    uint8_t producer[SL_PRODUCER_SIZE];
    const char *state;
    uint64_t run_id = 0;
    int code = import_open(&im, s->cli, s->input, s->options.line, s->options.version, s->rejects);
    code = code ? code : import_check(&im);
    if (!code) {
        s->options.version = im.line_version;
        s->options.fingerprint = im.digest;
        s->options.fingerprint_bytes = sizeof im.digest;
        code = start_run(s, &run_id);
    }
    if (!code && !producer_id("sunline run start", s->options.name, im.digest, sizeof im.digest, producer)) {
        code = cli_nomem(s->cli);
    }
    code = code ? code : import_put(&im, run_id, producer, &counts);
    code = code ? code : close_run(s, &state);
    code = code ? code : report(s->cli, s->options.name, &im, &counts, state);
    import_close(&im);
    return code;
}

int cmd_run_start(struct cli *cli, int argc, char **argv)
{
    struct start s = { .cli = cli };
    uint64_t priority = 0;
    bool given[5] = { false };
    const struct arg args[] = { { "--name", ARG_TEXT, &s.options.name, &given[0], 0, 0 },
                                { "--input", ARG_TEXT, &s.input, &given[1], 0, 0 },
                                { "--open", ARG_FLAG, &s.open, NULL, 0, 0 },
                                { "--priority", ARG_U64, &priority, &s.options.set_priority, SL_PRIORITY_MAX, 0 },
                                { "--skip-bad", ARG_TEXT, &s.rejects, &given[2], 0, 0 },
                                { "--quota", ARG_U64, &s.options.quota_units, &given[3], 0, 0 },
                                { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 1, 1) < 0) {
        return CLI_USAGE;
    }
    s.options.line = argv[1];
    s.options.priority = (unsigned)priority;
    if (!s.options.name) {
        return cli_misuse(cli, "--name RUN is needed");
    }
    if (!sl_name_ok(s.options.name, strlen(s.options.name))) {
        return cli_misuse(cli, "'%s': %s", s.options.name, sl_error_text(SL_BAD_NAME));
    }
    if (!s.input && (!s.open || s.rejects)) {
        return cli_misuse(cli, s.rejects ? "--skip-bad goes with --input"
                                         : "--input FILE is needed, or --open for a run that is filled later");
    }
    session_catch_signals();
    if (session_open(cli) || look_for_run(&s)) {
        return CLI_FAILED;
    }
    if (s.input) {
        return start_from_file(&s);
    }
    uint64_t run_id;
    if (start_run(&s, &run_id)) {
        return CLI_FAILED;
    }
    if (s.existing.run_id && s.existing.state >= SL_RUN_IS_CLOSED) {
        return cli_fail(cli, "BAD_STATE: run %s is closed: it takes no more units; choose another --name",
                        s.options.name);
    }
    if (cli->json) {
        return json_line(
            cli, json_pack("{s:s, s:I, s:s}", "run", s.options.name, "run_id", (json_int_t)run_id, "state", "open"));
    }
    fprintf(cli->out, "run %s: open\n", s.options.name);
    return CLI_DONE;
}

/* ---- run add ---- */
static int add(struct cli *cli, const char *run, const char *input, const char *rejects, bool again)
{
    struct sl_run_row row;
    struct import im;
    struct import_counts counts = { 0 };
    uint8_t more[DIGEST_BYTES + 16] = { 0 }, producer[SL_PRODUCER_SIZE];
    if (session_open(cli) || session_check(cli, sl_run_info(cli->sl, run, &row, NULL, NULL), run)) {
        return CLI_FAILED;
    }
    int code = import_open(&im, cli, input, row.line, row.version, rejects);
    code = code ? code : import_check(&im);
    if (!code) {
        memcpy(more, im.digest, sizeof im.digest);
        if (again && getrandom(more + DIGEST_BYTES, 16, 0) != 16) {
            code = cli_fail(cli, "the system gave no random bytes");
        } else if (!producer_id("sunline run add", run, more, sizeof more, producer)) {
            code = cli_nomem(cli);
        }
    }
    code = code ? code : import_put(&im, row.run_id, producer, &counts);
    if (!code && counts.before && counts.accepted == 0) {
        cli_note(cli, "%s: these rows were added to run %s before: nothing was added (--again adds them once more)",
                 im.path, run);
    }
    code = code ? code : report(cli, run, &im, &counts, row.state == SL_RUN_IS_OPEN ? "open" : "closed");
    import_close(&im);
    return code;
}

int cmd_run_add(struct cli *cli, int argc, char **argv)
{
    const char *input = NULL, *rejects = NULL;
    bool again = false, input_given = false, rejects_given = false;
    const struct arg args[] = { { "--input", ARG_TEXT, &input, &input_given, 0, 0 },
                                { "--skip-bad", ARG_TEXT, &rejects, &rejects_given, 0, 0 },
                                { "--again", ARG_FLAG, &again, NULL, 0, 0 },
                                { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 1, 1) < 0) {
        return CLI_USAGE;
    }
    if (!input) {
        return cli_misuse(cli, "--input FILE is needed ('-' for standard input)");
    }
    session_catch_signals();
    return add(cli, argv[1], input, rejects, again);
}
