/* sunline coverage: who can work at a line's stations in the coming hours, is it enough, when will its runs be done. */
#include "client/cli/args.h"
#include "client/cli/coverage.h"
#include "client/cli/family.h"
#include "client/cli/json_out.h"

int cmd_coverage(struct cli *cli, int argc, char **argv)
{
    struct sl_coverage *c = NULL;
    struct sl_forecast *f = NULL;
    uint64_t hours = 24;
    const char *zone = "UTC";
    const struct arg args[] = { { "--hours", ARG_U64, &hours, NULL, SL_FORECAST_HOURS_MAX, 0 },
                                { "--zone", ARG_TEXT, &zone, NULL, 0, 0 },
                                { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 1, 1) < 0)
        return CLI_USAGE;
    if (hours == 0)
        return cli_misuse(cli, "--hours is from 1 to %d", SL_FORECAST_HOURS_MAX);
    if (!coverage_zone_ok(zone))
        return cli_misuse(cli, "--zone is an IANA time zone, such as Africa/Nairobi, not '%s'", zone);
    if (session_open(cli))
        return CLI_FAILED;
    int code = session_check(cli, sl_coverage_get(cli->sl, argv[1], &c), argv[1]);
    if (code)
        return code;
    int rc = sl_forecast_new(sl_coverage_input(c), &(struct sl_forecast_options){ .hours = (uint32_t)hours }, &f);
    if (rc == SL_OK) {
        struct coverage_view v = { cli->out, cli->out_tty, cli->color, argv[1], zone, c, sl_coverage_input(c), f };
        if (cli->json)
            code = json_line(cli, coverage_json(&v));
        else
            coverage_draw(&v);
    } else {
        code = rc == SL_NO_MEMORY ? cli_nomem(cli) : cli_fail(cli, "%s: %s", sl_error_name(rc), sl_error_text(rc));
    }
    sl_forecast_free(&f);
    sl_coverage_free(&c);
    return code;
}
