/* sunline version: this program, and the broker if it answers. */
#include "client/cli/args.h"
#include "client/cli/family.h"
#include "client/cli/json_out.h"
#include "proto/limits.h"

#define LOOK_MS 1000 /* a version is also asked for where no broker runs */

int cmd_version(struct cli *cli, int argc, char **argv)
{
    if (args_parse(cli, argc, argv, NULL, 0, 0) < 0) {
        return CLI_USAGE;
    }
    struct sl_options o = { .endpoint = cli->endpoint, .timeout_ms = LOOK_MS };
    struct sl_info info;
    bool answered = sl_open(&o, &cli->sl) == SL_OK && sl_info(cli->sl, &info) == SL_OK;
    if (cli->json) {
        json_t *broker =
            answered ? json_pack("{s:s, s:I, s:I, s:s}", "version", info.version, "protocol", (json_int_t)info.protocol,
                                 "event_seq", (json_int_t)info.event_seq, "endpoint", cli->endpoint)
                     : json_null();
        return json_line(cli, json_pack("{s:s, s:i, s:o}", "version", sl_version(), "protocol", SL_PROTOCOL_VERSION,
                                        "broker", broker));
    }
    fprintf(cli->out, "sunline %s, protocol %d\n", sl_version(), SL_PROTOCOL_VERSION);
    if (answered) {
        fprintf(cli->out, "broker %s, protocol %llu, at %s\n", info.version, (unsigned long long)info.protocol,
                cli->endpoint);
    } else {
        fprintf(cli->out, "broker: none answers at %s\n", cli->endpoint);
    }
    return CLI_DONE;
}
