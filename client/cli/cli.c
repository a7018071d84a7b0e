/* From a command line to a command, and how commands report. */
#include "client/cli/cli.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/args.h"
#include "client/cli/commands.h"
#include "client/cli/session.h"
#include "client/cli/text.h"

#define WORD_BYTES_MAX 64 /* longer words have no near ones */

void cli_init(struct cli *cli)
{
    const char *endpoint = getenv("SUNLINE_BROKER");
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool dumb = !term || strcmp(term, "dumb") == 0;
    *cli = (struct cli){ .endpoint = endpoint && *endpoint ? endpoint : CLI_ENDPOINT_DEFAULT,
                         .timeout_s = CLI_TIMEOUT_S_DEFAULT,
                         .out = stdout,
                         .err = stderr };
    cli->out_tty = isatty(STDOUT_FILENO) && !dumb;
    cli->err_tty = isatty(STDERR_FILENO) && !dumb;
    cli->color = cli->out_tty && !(no_color && *no_color);
    setlocale(LC_CTYPE, "");
}

static int run_command(struct cli *cli, int argc, char **argv)
{
    int used;
    const struct command *c = command_find(argc, argv, &used);
    if (!c) {
        bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
        if (help && command_group(argv[0])) {
            command_list(cli->out, argv[0]);
            return CLI_DONE;
        }
        return command_unknown(cli, argc, argv);
    }
    cli->command = c;
    for (int i = used; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) { /* wins over whatever else is wrong */
            command_help(cli->out, c);
            return CLI_DONE;
        }
    }
    return c->run(cli, argc - used + 1, argv + used - 1);
}

int cli_main(struct cli *cli, int argc, char **argv)
{
    int first = args_global(cli, argc, argv);
    if (first < 0) {
        return CLI_USAGE;
    }
    bool ask_help = cli->help || (first < argc && strcmp(argv[first], "help") == 0);
    int code;
    if (ask_help) {
        int at = cli->help ? first : first + 1;
        int used;
        const struct command *c = command_find(argc - at, argv + at, &used);
        if (c) {
            command_help(cli->out, c);
        } else if (at < argc && !command_group(argv[at])) {
            return command_unknown(cli, argc - at, argv + at);
        } else {
            command_list(cli->out, at < argc ? argv[at] : NULL);
        }
        code = CLI_DONE;
    } else if (first == argc) {
        command_list(cli->err, NULL);
        return CLI_USAGE;
    } else {
        code = run_command(cli, argc - first, argv + first);
    }
    session_close(cli);
    return cli_flush(cli, code);
}

static void say(struct cli *cli, const char *format, va_list ap)
{
    char text[2048];
    vsnprintf(text, sizeof text, format, ap);
    fflush(cli->out); /* keep the order where both go to one place */
    fputs("sunline: ", cli->err);
    text_put(cli->err, text, strlen(text));
    fputc('\n', cli->err);
}

int cli_fail(struct cli *cli, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(cli, format, ap);
    va_end(ap);
    return CLI_FAILED;
}

int cli_misuse(struct cli *cli, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(cli, format, ap);
    va_end(ap);
    if (cli->command) {
        command_usage(cli->err, cli->command);
    } else {
        fputs("usage: sunline [--broker ENDPOINT] [--json] COMMAND ...; sunline --help lists the commands\n", cli->err);
    }
    return CLI_USAGE;
}

void cli_note(struct cli *cli, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(cli, format, ap);
    va_end(ap);
}

int cli_nomem(struct cli *cli)
{
    return cli_fail(cli, "out of memory");
}

int cli_flush(struct cli *cli, int code)
{
    if (fflush(cli->out) != 0 || ferror(cli->out)) {
        clearerr(cli->out);
        return code == CLI_DONE ? cli_fail(cli, "cannot write the output: is the disk full, or the pipe closed?")
                                : code;
    }
    return code;
}

/* Edit distance with single insertions, deletions and substitutions; neighbours swapped count as one. */
static size_t distance(const char *a, const char *b)
{
    size_t row[3][WORD_BYTES_MAX + 1];
    size_t an = strlen(a), bn = strlen(b);
    size_t *before = row[0], *last = row[1], *now = row[2];
    for (size_t j = 0; j <= bn; j++) {
        last[j] = j;
    }
    memset(row[0], 0, sizeof row[0]);
    for (size_t i = 1; i <= an; i++) {
        now[0] = i;
        for (size_t j = 1; j <= bn; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            now[j] = best;
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[bn];
}

const char *cli_did_you_mean(const char *word, const char *const *candidates)
{
    const char *best = NULL;
    size_t best_distance = 0;
    if (strlen(word) > WORD_BYTES_MAX) {
        return NULL;
    }
    for (; *candidates; candidates++) {
        size_t n = strlen(*candidates);
        if (n > WORD_BYTES_MAX) {
            continue;
        }
        size_t d = distance(word, *candidates);
        if (d <= (n + 2) / 3 && d < n && (!best || d < best_distance)) {
            best = *candidates;
            best_distance = d;
        }
    }
    return best;
}
