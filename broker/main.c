/* sunlined: start, run, stop. What it is made of: loop.h. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/broken_tree.h"
#include "broker/config.h"
#include "broker/endless.h"
#include "broker/failed.h"
#include "broker/loop.h"
#include "broker/restored.h"
#include "broker/verify.h"

#define EXIT_USAGE 2

static const char usage[] =
    "usage: sunlined [--config FILE] [--data DIR] [options]\n"
    "\n"
    "The broker of Sunline. Keys of the configuration file and options say the same; options win.\n"
    "\n"
    "  --config FILE      read this YAML file (see sunlined(8))\n"
    "  --data DIR         the folder of the store; made if it is not there\n"
    "  --clients EP       where clients connect (default tcp://127.0.0.1:7710)\n"
    "  --agents EP        where agents connect (default tcp://127.0.0.1:7711)\n"
    "  --events EP        where monitoring tools subscribe (default tcp://127.0.0.1:7712)\n"
    "  --set KEY=VALUE    set any other key of the configuration\n"
    "  --log LEVEL        error, warn, info or debug\n"
    "  --ready-fd N       write the three endpoints to this descriptor when ready, then close it\n"
    "  --verify           check every record of the store in --data, change nothing, and end\n"
    "  --restored         the folder in --data was put back from a snapshot, or a backup of 0.1.0: make it a store of\n"
    "                     its own, and end (see sunlined(8); other backups tell it themselves)\n"
    "  --check            read the configuration, report its mistakes, and end\n"
    "  --version, --help\n"
    "\n"
    "Endpoints are tcp://ADDRESS:PORT on the loopback (port * or 0: the system chooses) or ipc://PATH.\n"
    "Exit: 0 stopped by SIGTERM or SIGINT; 1 cannot start; 2 usage; 3 --verify found damage; 70 the store failed: "
    "start again.\n";

struct arguments {
    const char *config_path;
    struct {
        const char *key, *value, *place;
    } set[64];
    size_t set_count;
    int ready_fd;
    bool check, verify, restored;
};

static void to_stderr(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "sunlined: %s\n", text);
}

static void to_log(void *arg, const char *text)
{
    (void)arg;
    log_text(LOG_LEVEL_ERROR, "configuration", text);
}

/* The file, then the command line. */
static bool read_config(const struct arguments *a, struct config *c, config_problem_fn *problem)
{
    int mistakes = 0;
    config_default(c);
    if (a->config_path) {
        mistakes |= config_load(c, a->config_path, problem, NULL);
    }
    for (size_t i = 0; i < a->set_count; i++) {
        mistakes |= config_set(c, a->set[i].key, a->set[i].value, a->set[i].place, problem, NULL);
    }
    return mistakes == 0 && config_check(c, problem, NULL) == 0;
}

static bool reload(void *arg, struct config *fresh)
{
    return read_config(arg, fresh, to_log);
}

static bool add_set(struct arguments *a, const char *key, const char *value, const char *place)
{
    if (a->set_count == sizeof a->set / sizeof *a->set) {
        fprintf(stderr, "sunlined: too many options\n");
        return false;
    }
    a->set[a->set_count].key = key;
    a->set[a->set_count].value = value;
    a->set[a->set_count++].place = place;
    return true;
}

static bool add_pair(struct arguments *a, char *pair)
{
    char *equals = strchr(pair, '=');
    if (!equals) {
        fprintf(stderr, "sunlined: --set wants KEY=VALUE, not '%s'\n", pair);
        return false;
    }
    *equals = '\0';
    return add_set(a, pair, equals + 1, "--set");
}

static bool parse_fd(const char *text, int *fd)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || n < 1 || n > 1 << 20) {
        fprintf(stderr, "sunlined: --ready-fd wants the number of a descriptor, not '%s'\n", text);
        return false;
    }
    *fd = (int)n;
    return true;
}

enum option_id {
    OPTION_KEY = 1,
    OPTION_CONFIG,
    OPTION_SET,
    OPTION_READY,
    OPTION_CHECK,
    OPTION_VERIFY,
    OPTION_RESTORED,
    OPTION_VERSION,
    OPTION_HELP
};

/* -1: go on; else the exit code. */
static int parse_arguments(int argc, char **argv, struct arguments *a)
{
    static const char *const places[] = { "--data", "--clients", "--agents", "--events", "--log" };
    static const struct option options[] = {
        { "data", required_argument, NULL, OPTION_KEY },   { "clients", required_argument, NULL, OPTION_KEY },
        { "agents", required_argument, NULL, OPTION_KEY }, { "events", required_argument, NULL, OPTION_KEY },
        { "log", required_argument, NULL, OPTION_KEY },    { "config", required_argument, NULL, OPTION_CONFIG },
        { "set", required_argument, NULL, OPTION_SET },    { "ready-fd", required_argument, NULL, OPTION_READY },
        { "verify", no_argument, NULL, OPTION_VERIFY },    { "restored", no_argument, NULL, OPTION_RESTORED },
        { "check", no_argument, NULL, OPTION_CHECK },      { "version", no_argument, NULL, OPTION_VERSION },
        { "help", no_argument, NULL, OPTION_HELP },        { NULL, 0, NULL, 0 },
    };
    int id, index;
    bool ok = true;
    while (ok && (id = getopt_long(argc, argv, "", options, &index)) != -1) {
        switch (id) {
        case OPTION_KEY: ok = add_set(a, options[index].name, optarg, places[index]); break;
        case OPTION_CONFIG: a->config_path = optarg; break;
        case OPTION_SET: ok = add_pair(a, optarg); break;
        case OPTION_READY: ok = parse_fd(optarg, &a->ready_fd); break;
        case OPTION_CHECK: a->check = true; break;
        case OPTION_VERIFY: a->verify = true; break;
        case OPTION_RESTORED: a->restored = true; break;
        case OPTION_VERSION: printf("sunlined %s\n", SUNLINE_VERSION); return 0;
        case OPTION_HELP: fputs(usage, stdout); return 0;
        default: ok = false;
        }
    }
    if (ok && optind < argc) {
        fprintf(stderr, "sunlined: what is '%s' to mean?\n", argv[optind]);
        ok = false;
    }
    if (!ok) {
        fputs("Try: sunlined --help\n", stderr);
        return EXIT_USAGE;
    }
    return -1;
}

/* Blocked before any thread exists, so that all inherit it: signals are read by the loop. */
static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file too large for its limit is a write that fails, like any other */
}

int main(int argc, char **argv)
{
    struct arguments a = { .ready_fd = -1 };
    struct config config;
    struct loop *loop;
    int code = parse_arguments(argc, argv, &a);
    if (code >= 0) {
        return code;
    }
    if (!read_config(&a, &config, to_stderr)) {
        return 1;
    }
    if (a.check) {
        return 0;
    }
    if (a.verify) {
        return verify(config.data);
    }
    umask(077); /* data and ipc sockets are ours alone */
    if (a.restored) {
        return restored(config.data);
    }
    block_signals();
    lost_page_catch(failed_by_page);
    broken_tree_catch(config.data, failed_by_tree);
    endless_watch(ENDLESS_LOOK_S);
    code = loop_start(&loop, &(struct loop_options){ &config, reload, &a, a.ready_fd });
    if (code == 0) {
        code = loop_run(loop);
        loop_stop(&loop);
    }
    return code;
}
