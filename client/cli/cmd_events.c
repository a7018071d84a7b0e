/* sunline events: what happened, in order, without a hole; and what happens now. */
#include <string.h>

#include "client/cli/args.h"
#include "client/cli/family.h"
#include "client/cli/json_out.h"
#include "client/cli/text.h"
#include "client/internal.h"

#define WAIT_MS 1000
#define AGAIN_MS 200

static int show(struct cli *cli, const struct sl_event *e)
{
    char when[TEXT_TIME_BYTES], name[32];
    json_t *data = json_of_value(&e->data);
    snprintf(name, sizeof name, "%s", e->name);
    if (!e->name[0]) {
        snprintf(name, sizeof name, "TYPE_%u", e->type);
    }
    if (cli->json) {
        return json_line(cli, json_pack("{s:I, s:s, s:I, s:o}", "seq", (json_int_t)e->seq, "event", name, "wall_us",
                                        (json_int_t)e->wall_us, "data", data));
    }
    fprintf(cli->out, "%llu\t%s\t%s", (unsigned long long)e->seq, text_time(e->wall_us, when), name);
    const char *key;
    json_t *value;
    json_object_foreach(data, key, value)
    {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!text) {
            json_decref(data);
            return cli_nomem(cli);
        }
        fputc('\t', cli->out);
        text_put(cli->out, key, strlen(key));
        fputc('=', cli->out);
        text_put(cli->out, text, strlen(text));
        free(text);
    }
    json_decref(data);
    fputc('\n', cli->out);
    return CLI_DONE;
}

/* Everything that is there now; with follow, also what comes. A broker that is away will be back, and the stream goes on
 * where we are: waited for without end by a follower, else as long as a request may take. */
static int print_all(struct cli *cli, struct sl_events *events, bool follow)
{
    int64_t away_us = 0;
    for (;;) {
        struct sl_event e;
        int rc = sl_events_next(events, 0, &e);
        if (rc == SL_TIMEOUT && follow) { /* all is printed: now others may see it */
            if (cli_flush(cli, CLI_DONE)) {
                return CLI_FAILED;
            }
            rc = sl_events_next(events, WAIT_MS, &e);
        }
        if (rc == SL_DISCONNECTED || rc == SL_BUSY || rc == SL_SHUTTING_DOWN) {
            if (cli_flush(cli, CLI_DONE)) {
                return CLI_FAILED;
            }
            int64_t now_us = sl__now_us();
            if (away_us == 0) {
                away_us = now_us;
                if (follow) {
                    cli_note(cli, "the broker does not answer; waiting for it");
                }
            }
            if (follow || now_us - away_us < (int64_t)cli->timeout_s * 1000000) {
                sl_poll(cli->sl, AGAIN_MS); /* one that is busy answers at once */
                continue;
            }
        }
        if ((rc == SL_TIMEOUT || rc == SL_STOPPED) && follow) {
            if (rc == SL_STOPPED) {
                return CLI_DONE;
            }
            continue;
        }
        if (rc == SL_TIMEOUT) {
            return CLI_DONE;
        }
        if (rc == SL_GONE) {
            return cli_fail(cli, "GONE: the stream cannot go on at event %llu: %s",
                            (unsigned long long)sl_events_position(events), sl_last_error(cli->sl)->text);
        }
        if (session_check(cli, rc, NULL) || show(cli, &e)) {
            return CLI_FAILED;
        }
        away_us = 0;
    }
}

int cmd_events(struct cli *cli, int argc, char **argv)
{
    bool since_given = false, topic_given = false, follow = false;
    uint64_t since = 0;
    const char *topic = NULL;
    const struct arg args[] = { { "--since", ARG_U64, &since, &since_given, 0, 0 },
                                { "--topic", ARG_TEXT, &topic, &topic_given, 0, 0 },
                                { "--follow", ARG_FLAG, &follow, NULL, 0, 'f' },
                                { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 0, 0) < 0) {
        return CLI_USAGE;
    }
    if (topic && strcmp(topic, "all") != 0 && strncmp(topic, "line/", 5) != 0 && strncmp(topic, "run/", 4) != 0 &&
        strncmp(topic, "hub/", 4) != 0) {
        return cli_misuse(cli, "--topic is all, line/NAME, run/NAME or hub/NAME, not '%s'", topic);
    }
    struct sl_info info;
    struct sl_events *events;
    struct sl_events_options o = { .stream = topic, .since = since_given || !follow ? since : SL_EVENTS_NOW };
    if (session_open(cli) || session_check(cli, sl_info(cli->sl, &info), NULL)) {
        return CLI_FAILED;
    }
    if (follow) {
        session_catch_signals();
    }
    if (session_check(cli, sl_events_open(cli->sl, &o, &events), NULL)) {
        return CLI_FAILED;
    }
    int code = print_all(cli, events, follow);
    sl_events_close(&events);
    return code;
}
