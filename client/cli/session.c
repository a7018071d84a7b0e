/* The session. */
#include "client/cli/session.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

void session_catch_signals(void)
{
    struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

bool session_interrupted(void)
{
    return interrupted;
}

static bool stop(void *arg)
{
    (void)arg;
    return interrupted;
}

int session_open(struct cli *cli)
{
    if (cli->sl) {
        return CLI_DONE;
    }
    struct sl_options o = { .endpoint = cli->endpoint, .timeout_ms = (int64_t)cli->timeout_s * 1000, .stop = stop };
    int rc = sl_open(&o, &cli->sl);
    if (rc == SL_SYSTEM || rc == SL_MISUSE) {
        return cli_fail(cli, "'%s' is not an endpoint that can be connected to (such as %s)", cli->endpoint,
                        CLI_ENDPOINT_DEFAULT);
    }
    return rc == SL_OK ? CLI_DONE : cli_fail(cli, "%s: %s", sl_error_name(rc), sl_error_text(rc));
}

void session_close(struct cli *cli)
{
    sl_close(&cli->sl);
}

int session_check(struct cli *cli, int rc, const char *what)
{
    const char *colon = what ? ": " : "";
    what = what ? what : "";
    switch (rc) {
    case SL_OK: return CLI_DONE;
    case SL_DISCONNECTED:
        return cli_fail(cli,
                        "%s%sno broker can be reached at %s (waited %llus; is sunlined running? --broker or "
                        "SUNLINE_BROKER names another one)",
                        what, colon, cli->endpoint, (unsigned long long)cli->timeout_s);
    case SL_TIMEOUT:
        return cli_fail(cli, "%s%sthe broker at %s did not answer within %llus", what, colon, cli->endpoint,
                        (unsigned long long)cli->timeout_s);
    case SL_STOPPED: return cli_fail(cli, "%s%sinterrupted", what, colon);
    case SL_NO_MEMORY: return cli_nomem(cli);
    default: break;
    }
    const struct sl_error *e = sl_last_error(cli->sl);
    const char *text = e->code == rc && e->text[0] ? e->text : sl_error_text(rc);
    if (e->code == rc && e->place[0] && !strstr(text, e->place)) {
        return cli_fail(cli, "%s%s%s: %s (%s)", what, colon, sl_error_name(rc), text, e->place);
    }
    return cli_fail(cli, "%s%s%s: %s", what, colon, sl_error_name(rc), text);
}
