/* sunline-agent: a hub's agent. */
#include "worker-agent/agent.h"
#include "worker-agent/glib_memory.h"
#include "worker-agent/log.h"
#include "worker-agent/rota.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sunline-agent --config HUB.yml [options]\n"
    "The agent of a hub: gives the broker's tasks to the hub's robots and people, and brings their results back.\n\n"
    "  --config FILE   the hub file: name, time zone, workers, robots (docs/agent.md)\n"
    "  --data DIR      where results and begun work are kept (or key `data` of the hub file)\n"
    "  --broker EP     the broker's agents endpoint (or key `broker`; default tcp://127.0.0.1:7711)\n"
    "  --takeover      replace an agent of this hub that used another data directory\n"
    "  --check         only check the hub file; print its shifts for the days ahead\n"
    "  --log LEVEL     debug, info, warn or error (default info)\n"
    "  --version       print the version\n"
    "  --help          print this\n\n"
    "Signals: TERM, INT: begin nothing more, finish, hand back, exit 0. HUP: read roster and robots again.\n"
    "Exit: 0 done, 1 failed (the log says why), 2 usage.\n";

static void print_problem(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

static void print_line(void *arg, const char *text)
{
    (void)arg;
    puts(text);
}

static int check(const char *path)
{
    struct hub_config *c = hub_config_load(path, print_problem, NULL);
    if (!c)
        return 1;
    printf("%s: hub %s, %u workers\n", path, c->hub, c->member_count);
    bool all = rota_print(c, agent_wall_us(), print_line, NULL);
    hub_config_free(&c);
    return all ? 0 : 1;
}

static int log_level(const char *word)
{
    static const char *const words[] = { "debug", "info", "warn", "error" };
    for (int i = 0; i < 4; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    return -1;
}

static int wrong_usage(const char *what)
{
    fprintf(stderr, "sunline-agent: %s\n%s", what, usage);
    return 2;
}

/* Streams 0 to 2 are open from here on, so that no pipe of a robot gets one of their numbers. */
static void fill_standard_streams(void)
{
    int fd;
    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= 2)
        ;
    if (fd > 2)
        close(fd);
}

int main(int argc, char **argv)
{
    enum { CONFIG = 256, DATA, BROKER, TAKEOVER, CHECK, LOG, VERSION, HELP };
    static const struct option options[] = { { "config", required_argument, NULL, CONFIG },
                                             { "data", required_argument, NULL, DATA },
                                             { "broker", required_argument, NULL, BROKER },
                                             { "takeover", no_argument, NULL, TAKEOVER },
                                             { "check", no_argument, NULL, CHECK },
                                             { "log", required_argument, NULL, LOG },
                                             { "version", no_argument, NULL, VERSION },
                                             { "help", no_argument, NULL, HELP },
                                             { NULL, 0, NULL, 0 } };
    struct agent_options o = { 0 };
    bool check_only = false;
    fill_standard_streams();
    glib_memory_catch();
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case CONFIG: o.config = optarg; break;
        case DATA: o.data = optarg; break;
        case BROKER: o.broker = optarg; break;
        case TAKEOVER: o.takeover = true; break;
        case CHECK: check_only = true; break;
        case LOG:
            if (log_level(optarg) < 0)
                return wrong_usage("--log takes debug, info, warn or error");
            log_from((enum log_level)log_level(optarg));
            break;
        case VERSION: printf("sunline-agent %s\n", SUNLINE_VERSION); return 0;
        case HELP: fputs(usage, stdout); return 0;
        default: fputs(usage, stderr); return 2;
        }
    }
    if (optind < argc)
        return wrong_usage("no arguments are taken beside the options");
    if (!o.config)
        return wrong_usage("--config is missing");
    if (check_only)
        return check(o.config);
    struct agent a;
    int rc = agent_open(&a, &o) == 0 ? agent_run(&a) : 1;
    agent_close(&a);
    return rc;
}
