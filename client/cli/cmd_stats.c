/* sunline stats: the broker's figures, for people, programs and Prometheus. The figures are the broker's: a map of
 * names to numbers, some of them maps again (by station, by state); nothing here knows their names. */
#include <string.h>

#include "client/cli/args.h"
#include "client/cli/family.h"
#include "client/cli/json_out.h"
#include "client/cli/text.h"
#include "proto/metrics.h"

#define NAME_BYTES 256
#define DEPTH_MAX 8

typedef void figure_fn(struct cli *cli, const char *name, const struct sl_value *v);

static void as_text(struct cli *cli, const char *name, const struct sl_value *v)
{
    char text[512];
    size_t n = sl_text(v, text, sizeof text);
    text_put(cli->out, name, strlen(name));
    fputc('\t', cli->out);
    text_put(cli->out, text, n < sizeof text ? n : sizeof text - 1);
    fputc('\n', cli->out);
}

/* Walk through the map; the name of a figure inside another one is both names with a '.' between. */
static void walk(struct cli *cli, const char *prefix, const struct sl_value *map, int depth, figure_fn *show)
{
    struct sl_cursor c = sl_inside(map);
    struct sl_value key, v;
    while (sl_next(&c, &key) && sl_next(&c, &v)) {
        char name[NAME_BYTES];
        char own[NAME_BYTES];
        sl_text(&key, own, sizeof own);
        int n = snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", own);
        if (n < 0 || (size_t)n >= sizeof name) {
            continue; /* no figure of ours has such a name */
        }
        if (v.type == SL_T_MAP && depth < DEPTH_MAX) {
            walk(cli, name, &v, depth + 1, show);
        } else if (v.type != SL_T_ARRAY) { /* buckets: --json and prometheus have them */
            show(cli, name, &v);
        }
    }
}

static int print_metrics(struct cli *cli, const struct sl_value *figures)
{
    struct slp_buf packed = { 0 }, text = { 0 };
    slp_pack_map(&packed, figures->n); /* the library hands out the pairs */
    slp_buf_add(&packed, figures->p, figures->bytes);
    int rc = metrics_text((struct slp_bytes){ packed.p, (uint32_t)packed.n }, &text);
    bool failed = packed.failed || text.failed;
    if (rc == 0 && !failed) {
        fwrite(text.p, 1, text.n, cli->out);
    }
    slp_buf_free(&packed);
    slp_buf_free(&text);
    return failed ? cli_nomem(cli) : rc == 0 ? CLI_DONE : cli_fail(cli, "the broker's figures are no map");
}

int cmd_stats(struct cli *cli, int argc, char **argv)
{
    bool given = false;
    const char *format = NULL;
    const struct arg args[] = { { "--format", ARG_TEXT, &format, &given, 0, 0 }, { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 0, 0) < 0) {
        return CLI_USAGE;
    }
    format = format ? format : cli->json ? "json" : "text";
    bool json = strcmp(format, "json") == 0, prometheus = strcmp(format, "prometheus") == 0;
    if (!json && !prometheus && strcmp(format, "text") != 0) {
        return cli_misuse(cli, "--format is text, json or prometheus, not '%s'", format);
    }
    struct sl_value figures;
    if (session_open(cli) || session_check(cli, sl_stats(cli->sl, &figures), NULL)) {
        return CLI_FAILED;
    }
    if (json) {
        return json_line(cli, json_of_value(&figures));
    }
    if (prometheus) {
        return print_metrics(cli, &figures);
    }
    walk(cli, "", &figures, 0, as_text);
    return CLI_DONE;
}
