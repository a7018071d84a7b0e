/* The table of commands, and what is made from it: finding, listing, help. */
#include "client/cli/commands.h"

#include <string.h>

#include "client/cli/family.h"

#define NAMES_MAX 128

const struct command commands[] = {
    { "line check", cmd_line_check, "FILE...", "find the mistakes in line files, without a broker", NULL },
    { "line apply", cmd_line_apply, "[--dry-run] FILE...", "define lines, or new versions of them",
      "  --dry-run         let the broker check the definition, change nothing\n" },
    { "line list", cmd_line_list, "", "list lines", NULL },
    { "line show", cmd_line_show, "LINE [--version N]",
      "show a line: its stations and their counters (--json: the definition, too)",
      "  --version N       this version; default: the newest\n" },
    { "line pause", cmd_line_pause, "LINE", "give out no more tasks of a line", NULL },
    { "line resume", cmd_line_resume, "LINE", "go on with a paused line", NULL },
    { "line delete", cmd_line_delete, "LINE [--force]", "delete a line that has no open runs",
      "  --force           cancel its open runs first\n" },

    { "run start", cmd_run_start,
      "LINE --name RUN [--input FILE.csv] [--open] [--priority N] [--skip-bad REJECTS.csv] [--quota N]",
      "start a run from a CSV file; run again after an interruption, it goes on",
      "  --name RUN        name of the run\n"
      "  --input FILE      CSV with a header row of the line's input fields; '-' reads standard input\n"
      "  --open            leave the run open for more units (run add, producers); then --input may be missing\n"
      "  --priority N      0 to 9, 9 first; default 5\n"
      "  --skip-bad FILE   write bad rows with reasons to FILE, import the rest; else any bad row refuses all\n"
      "  --quota N         open units that the run may hold; an import waits while they are used up\n" },
    { "run add", cmd_run_add, "RUN --input FILE.csv [--skip-bad REJECTS.csv] [--again]",
      "add the rows of a CSV file to an open run; the same file twice adds nothing",
      "  --input FILE      CSV with a header row of the line's input fields; '-' reads standard input\n"
      "  --skip-bad FILE   write bad rows with their reasons to FILE and import the rest\n"
      "  --again           add the rows although the file was added before; cannot go on if interrupted\n" },
    { "run close", cmd_run_close, "RUN", "take no more units; the run ends when all are done", NULL },
    { "run pause", cmd_run_pause, "RUN", "give out no more tasks of a run", NULL },
    { "run resume", cmd_run_resume, "RUN", "go on with a paused run", NULL },
    { "run cancel", cmd_run_cancel, "RUN", "end a run now: what is not started is never done", NULL },
    { "run delete", cmd_run_delete, "RUN [--force]", "delete a run that is over, with all its units and results",
      "  --force           also if it is not over\n" },
    { "run priority", cmd_run_priority, "RUN N", "change a run's priority, 0 to 9, 9 first", NULL },
    { "run list", cmd_run_list, "[--line LINE]", "list runs", "  --line LINE       of this line only\n" },
    { "run show", cmd_run_show, "RUN", "show a run and the counters of its stations", NULL },
    { "run watch", cmd_run_watch, "RUN [--interval SECONDS]",
      "show a run's progress until it is done (exit 1: only dead tasks remain, or cancelled)",
      "  --interval N      seconds between two lines; default 1\n" },
    { "run output", cmd_run_output,
      "RUN [--station STATION [--answers]] [--format csv|jsonl] [--raw] [--all] [-o FILE]",
      "write what a run produced, in input order, also while it goes on",
      "  --station STATION the fields of this station only, with worker and time\n"
      "  --format FORMAT   csv (default) or jsonl, an object a line\n"
      "  --answers         every result handed in at the station, a row each, and whether it stands\n"
      "  --raw             csv: no apostrophe before cells that a spreadsheet would take for a formula\n"
      "  --all             units that are not finished, too; what is missing is empty\n"
      "  -o, --output FILE to a file, which appears when it is complete\n" },
    { "run aggregate", cmd_run_aggregate,
      "RUN [--station STATION] [--field FIELD] [--method METHOD] [--format csv|jsonl] [-o FILE]",
      "compute one label a unit, with its confidence, from all answers of a station",
      "  --station STATION whose answers; default: the only station that has any\n"
      "  --field FIELD     what they say in this field; default: the station's only one\n"
      "  --method METHOD   plurality, wawa or dawid-skene (default)\n"
      "  --format FORMAT   csv (default) or jsonl, an object a line\n"
      "  -o, --output FILE to a file, which appears when it is complete\n" },
    { "run quality", cmd_run_quality, "RUN [--station STATION] [--field FIELD] [--method METHOD] [--limit N]",
      "tell how far a station's workers agree, each beside the consensus, and what divides them most",
      "  --station STATION whose answers; default: the only station that has any\n"
      "  --field FIELD     what they say in this field; default: the station's only one\n"
      "  --method METHOD   of the consensus: plurality, wawa or dawid-skene (default)\n"
      "  --limit N         worst disagreements shown; default 10\n" },

    { "station list", cmd_station_list, "[LINE]", "list stations and their counters over all runs", NULL },
    { "station show", cmd_station_show, "LINE/STATION[@VERSION]", "show a station's counters in every version", NULL },
    { "station pause", cmd_station_pause, "LINE/STATION", "give out no more tasks of a station, in all versions",
      NULL },
    { "station resume", cmd_station_resume, "LINE/STATION", "go on with a paused station", NULL },
    { "station peek", cmd_station_peek, "LINE/STATION[@VERSION] [--waiting] [--run RUN] [--limit N]",
      "look through a station's queue without touching it",
      "  --waiting         tasks that wait for a delay or a back-off, instead of those that are ready\n"
      "  --run RUN         of this run only\n"
      "  --limit N         at most so many; default 100, 0: all\n" },
    { "station dead", cmd_station_dead, "LINE/STATION[@VERSION] [--run RUN] [--limit N]",
      "list a station's dead tasks and why they are dead",
      "  --run RUN         of this run only\n"
      "  --limit N         at most so many; default 100, 0: all\n" },
    { "station requeue", cmd_station_requeue, "LINE/STATION[@VERSION] UNIT...|--all [--run RUN] [--reason TEXT]",
      "put dead tasks back to work; a UNIT is RUN/NUMBER, or a number with --run",
      "  --all             all dead tasks of the station (and run)\n"
      "  --run RUN         the run of the units, or the only run that --all means\n"
      "  --reason TEXT     kept with the units\n" },
    { "station drop", cmd_station_drop, "LINE/STATION[@VERSION] UNIT...|--all [--run RUN] [--reason TEXT]",
      "end units at a station for good; a UNIT is RUN/NUMBER, or a number with --run",
      "  --all             all dead tasks of the station (and run)\n"
      "  --run RUN         the run of the units, or the only run that --all means\n"
      "  --reason TEXT     kept with the units\n" },

    { "coverage", cmd_coverage, "LINE [--hours N] [--zone ZONE]",
      "draw the coming hours: who can do how much at each station, what waits, when runs will be done",
      "  --hours N         so many, up to 168; default 24\n"
      "  --zone ZONE       in the time of this zone, such as Africa/Nairobi; default UTC\n" },
    { "hub list", cmd_hub_list, "", "list hubs", NULL },
    { "hub show", cmd_hub_show, "HUB", "show a hub, its workers and its shifts", NULL },
    { "worker list", cmd_worker_list, "[--hub HUB]", "list workers", "  --hub HUB         of this hub only\n" },
    { "worker show", cmd_worker_show, "WORKER",
      "show a worker: skills, shift, presence, work in hand, what is measured of him", NULL },
    { "worker why", cmd_worker_why, "WORKER", "say why a worker gets no work", NULL },
    { "worker suspend", cmd_worker_suspend, "WORKER LINE/STATION [--reason TEXT]",
      "give a worker nothing more at a station; what he answered there and is not decided counts no more",
      "  --reason TEXT     kept with the suspension\n" },
    { "worker readmit", cmd_worker_readmit, "WORKER LINE/STATION [--reason TEXT]",
      "let a worker back to a station that he was suspended from, by whomever",
      "  --reason TEXT     told in the event\n" },
    { "worker grant", cmd_worker_grant, "WORKER SKILL [--level N] [--until DATE]",
      "grant a worker a skill, beside what his hub declares",
      "  --level N         1 to 255; default 1\n"
      "  --until DATE      YYYY-MM-DD: it ends with that day, in UTC\n" },
    { "worker revoke", cmd_worker_revoke, "WORKER SKILL",
      "take a granted skill back, or let a lowered one count again as the hub declares it", NULL },

    { "work", cmd_work, "--hub ENDPOINT|DIR --worker ID [--once] [--tasks N]",
      "do the tasks of a hub at this terminal, as one of its people",
      "  --hub ENDPOINT    the agent's local endpoint, or its data directory\n"
      "  --worker ID       who works: an id of the hub file\n"
      "  --once            leave when there is nothing to do, instead of waiting\n"
      "  --tasks N         leave after so many tasks\n" },

    { "unit show", cmd_unit_show, "RUN UNIT | RUN/UNIT", "tell the whole story of a unit", NULL },
    { "events", cmd_events, "[--since SEQ] [--topic STREAM] [--follow]",
      "print events: all that are kept, or from a sequence number on",
      "  --since SEQ       begin with this number; default: the oldest kept, with --follow from now on\n"
      "  --topic STREAM    all (default), line/NAME, run/NAME or hub/NAME\n"
      "  --follow          go on with new events as they happen\n" },
    { "stats", cmd_stats, "[--format text|json|prometheus]", "print the broker's figures",
      "  --format FORMAT   text (default), json or prometheus\n" },
    { "top", cmd_top, "[--interval SECONDS]", "watch lines, runs, stations, hubs and workers on a terminal",
      "  --interval N      seconds between two looks; default 2\n" },
    { "check", cmd_check, "[--recount | --data DIR]",
      "verify every stored record, or recount the counters, while work goes on",
      "  --recount         compare the counters of every run with the states of its units\n"
      "  --data DIR        of a store that no broker serves (exit 3: damage)\n" },
    { "backup", cmd_backup, "FILE",
      "copy the broker's store, compacted, while work goes on; FILE is on the broker's machine", NULL },
    { "version", cmd_version, "", "print the versions of this program and of the broker", NULL },
};
const size_t command_count = sizeof commands / sizeof commands[0];

/* The length of a command's first word. */
static size_t head(const struct command *c)
{
    return strcspn(c->words, " ");
}

const struct command *command_find(int argc, char **argv, int *used)
{
    *used = 0;
    for (size_t i = 0; i < command_count && argc > 0; i++) {
        const struct command *c = &commands[i];
        size_t n = head(c);
        if (strlen(argv[0]) != n || strncmp(argv[0], c->words, n) != 0) {
            continue;
        }
        if (!c->words[n]) {
            *used = 1;
            return c;
        }
        if (argc > 1 && strcmp(argv[1], c->words + n + 1) == 0) {
            *used = 2;
            return c;
        }
    }
    return NULL;
}

bool command_group(const char *word)
{
    for (size_t i = 0; i < command_count; i++) {
        if (head(&commands[i]) == strlen(word) && strncmp(commands[i].words, word, strlen(word)) == 0) {
            return true;
        }
    }
    return false;
}

void command_list(FILE *f, const char *group)
{
    fprintf(f, "usage: sunline [--broker ENDPOINT] [--json] [--timeout SECONDS] COMMAND ...\n\n");
    size_t last = 0;
    for (size_t i = 0; i < command_count; i++) {
        const struct command *c = &commands[i];
        if (group && (strlen(group) != head(c) || strncmp(group, c->words, head(c)) != 0)) {
            continue;
        }
        bool same =
            last && head(c) == head(&commands[last - 1]) && strncmp(c->words, commands[last - 1].words, head(c)) == 0;
        bool grouped = c->words[head(c)] != 0;
        if (last && !same && (grouped || commands[last - 1].words[head(&commands[last - 1])])) {
            fputc('\n', f);
        }
        fprintf(f, "  %-16s %s\n", c->words, c->help);
        last = i + 1;
    }
    fprintf(f, "\nsunline COMMAND --help tells more. The broker is --broker, else SUNLINE_BROKER, else %s.\n",
            CLI_ENDPOINT_DEFAULT);
}

void command_usage(FILE *f, const struct command *c)
{
    fprintf(f, "usage: sunline %s%s%s\n", c->words, *c->usage ? " " : "", c->usage);
}

void command_help(FILE *f, const struct command *c)
{
    command_usage(f, c);
    fprintf(f, "%s\n\n%s", c->help, c->options ? c->options : "");
    fprintf(f,
            "  --json            print JSON, an object a line\n"
            "  --broker EP       the broker's client endpoint; default: SUNLINE_BROKER, else %s\n"
            "  --timeout N       seconds that a request may take; default %d\n"
            "  --help            this text\n",
            CLI_ENDPOINT_DEFAULT, CLI_TIMEOUT_S_DEFAULT);
}

int command_unknown(struct cli *cli, int argc, char **argv)
{
    const char *candidates[NAMES_MAX + 1];
    char typed[160];
    size_t n = 0;
    bool group = command_group(argv[0]);
    for (size_t i = 0; i < command_count && n < NAMES_MAX; i++) {
        candidates[n++] = commands[i].words;
    }
    candidates[n] = NULL;
    snprintf(typed, sizeof typed, "%.60s%s%.60s", argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
    const char *near = cli_did_you_mean(typed, candidates);
    near = near ? near : cli_did_you_mean(argv[0], candidates); /* `sunline evnets --follow` */
    if (group && argc == 1) {
        cli_note(cli, "'%s' needs another word", argv[0]);
    } else {
        cli_note(cli, near ? "unknown command '%s', did you mean '%s'?" : "unknown command '%s'", typed, near);
    }
    command_list(cli->err, group ? argv[0] : NULL);
    return CLI_USAGE;
}
