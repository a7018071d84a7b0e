/* sunline work: a person at a terminal does the tasks of a hub. It talks to the hub's agent only, over its local
 * socket; what is typed may come from a pipe as
 * well. The dialogue: sign in, next, start, a field at a time, submit; commands begin with a colon. */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/args.h"
#include "client/cli/family.h"
#include "client/cli/text.h"
#include "client/cli/work_form.h"
#include "client/cli/work_link.h"

#define LINE_BYTES_MAX (64 * 1024)
#define ASK_MS 10000  /* for an answer of the agent */
#define WAIT_MS 20000 /* for a task, each time */
#define ONCE_MS 3000  /* the same with --once: work takes a moment to come after signing in */

enum said { SAID_VALUE, SAID_DONE_WITH_IT, SAID_QUIT, SAID_FAILED }; /* how a prompt ended */

struct work {
    struct cli *cli;
    struct work_link *link;
    const char *worker;
    char *typed; /* what was read from stdin and not used yet */
    size_t typed_n;
    bool eof, recalled;
    json_int_t assignment;
    json_t *values; /* of the task at hand */
    uint64_t done, declined, released;
};

static volatile int stop; /* SIGINT, SIGTERM, SIGHUP (the window was closed): leave in an orderly way */

static void on_signal(int signal)
{
    (void)signal;
    stop = 1;
}

/* ---- the agent ---- */
static void on_notice(void *arg, const json_t *n)
{
    struct work *w = arg;
    const char *what = json_string_value(json_object_get(n, "notice")),
               *text = json_string_value(json_object_get(n, "text"));
    if (!what || strcmp(what, "task") == 0) {
        return;
    }
    if (strcmp(what, "recalled") == 0) {
        if (json_integer_value(json_object_get(n, "assignment")) == w->assignment) {
            w->recalled = true;
            cli_note(w->cli, "this task was taken back (%s); what you submit is kept, and may count", text ? text : "");
        }
    } else if (strcmp(what, "signed_off") == 0) {
        cli_note(w->cli, "signed off: %s", text ? text : "");
        stop = 1;
    }
}

static bool went_well(const json_t *answer)
{
    return json_is_true(json_object_get(answer, "ok"));
}

static void note_refusal(struct work *w, const json_t *answer)
{
    const char *code = json_string_value(json_object_get(answer, "error")),
               *text = json_string_value(json_object_get(answer, "text"));
    if (answer && !went_well(answer)) {
        cli_note(w->cli, "%s: %s", code ? code : "refused", text ? text : "");
    }
}

/* Ask and wait. An agent that was restarted in between does not know us any more: sign in again, and ask again. */
static json_t *ask_agent(struct work *w, const char *verb, json_t *request)
{
    json_t *again = json_deep_copy(request), *a = work_link_ask(w->link, verb, request, ASK_MS, NULL);
    const char *code = json_string_value(json_object_get(a, "error"));
    if (again && !stop && code && strcmp(code, "NOT_SIGNED_IN") == 0) {
        json_decref(a);
        json_decref(work_link_ask(w->link, "sign_in", json_object(), ASK_MS, NULL));
        a = work_link_ask(w->link, verb, json_incref(again), ASK_MS, NULL);
    }
    json_decref(again);
    if (!a) {
        cli_note(w->cli, "the hub's agent does not answer");
    }
    return a;
}

static json_t *about_task(const struct work *w)
{
    return json_pack("{s:I}", "assignment", w->assignment);
}

/* ---- stdin ---- */
/* The next line, without its end; NULL at the end of the input or when told to stop. Owned by the caller. */
static char *read_line(struct work *w)
{
    for (;;) {
        char *end = memchr(w->typed, '\n', w->typed_n);
        if (end || (w->eof && w->typed_n > 0) || w->typed_n == LINE_BYTES_MAX) {
            size_t n = end ? (size_t)(end - w->typed) : w->typed_n, used = n + (end != NULL);
            char *line = strndup(w->typed, n > 0 && w->typed[n - 1] == '\r' ? n - 1 : n);
            memmove(w->typed, w->typed + used, w->typed_n - used);
            w->typed_n -= used;
            return line;
        }
        if (w->eof || !work_link_wait(w->link, STDIN_FILENO, &stop)) {
            return NULL;
        }
        ssize_t n = read(STDIN_FILENO, w->typed + w->typed_n, LINE_BYTES_MAX - w->typed_n);
        if (n > 0) {
            w->typed_n += (size_t)n;
        } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            w->eof = true;
        }
    }
}

/* ---- commands ---- */
static bool save_draft(struct work *w)
{
    json_t *r = about_task(w);
    json_object_set(r, "values", w->values);
    json_t *a = ask_agent(w, "draft", r);
    bool ok = went_well(a);
    note_refusal(w, a);
    json_decref(a);
    return ok;
}

static enum said give_back(struct work *w, const char *verb, const char *reason, uint64_t *count)
{
    json_t *r = about_task(w);
    json_object_set_new(r, "reason", json_string(reason));
    json_t *a = ask_agent(w, verb, r);
    enum said said = !a ? SAID_FAILED : went_well(a) ? SAID_DONE_WITH_IT : SAID_VALUE;
    note_refusal(w, a);
    *count += said == SAID_DONE_WITH_IT;
    json_decref(a);
    return said;
}

static void help(struct work *w)
{
    fputs("  :decline REASON   this task is not for me: it goes to somebody else\n"
          "  :release REASON   hand it back; it may come again\n"
          "  :draft            keep what I have answered so far\n"
          "  :quit             keep it as a draft, sign off\n"
          "  ::text            an answer that begins with a colon\n"
          "  an empty line keeps what stands in [brackets]\n",
          w->cli->out);
}

/* A line that begins with a colon. SAID_VALUE: the question stands. */
static enum said command(struct work *w, const char *line)
{
    const char *words = line + strcspn(line, " ");
    size_t n = (size_t)(words - line);
    while (*words == ' ') {
        words++;
    }
    if (n == 5 && strncmp(line, ":quit", n) == 0) {
        return SAID_QUIT;
    }
    if (n == 8 && strncmp(line, ":decline", n) == 0) {
        if (*words) {
            return give_back(w, "decline", words, &w->declined);
        }
        cli_note(w->cli, ":decline needs a reason");
        return SAID_VALUE;
    }
    if (n == 8 && strncmp(line, ":release", n) == 0) {
        return give_back(w, "release", words, &w->released);
    }
    if (n == 6 && strncmp(line, ":draft", n) == 0) {
        if (save_draft(w)) {
            cli_note(w->cli, "kept");
        }
        return SAID_VALUE;
    }
    help(w);
    return SAID_VALUE;
}

/* ---- a field ---- */
/* More lines until a lone dot; the first one is there already. Takes it over. */
static char *rest_of_answer(struct work *w, char *first)
{
    size_t n = strlen(first);
    for (char *line; (line = read_line(w));) {
        bool last = strcmp(line, ".") == 0;
        size_t more = strlen(line);
        char *longer = last || n + more > LINE_BYTES_MAX ? NULL : realloc(first, n + more + 2);
        if (longer) {
            first = longer;
            first[n++] = '\n';
            memcpy(first + n, line, more + 1);
            n += more;
        }
        free(line);
        if (!longer) {
            break;
        }
    }
    return first;
}

static enum said take_answer(struct work *w, const json_t *field, char *line)
{
    char text[200];
    const char *typed = line[0] == ':' ? line + 1 : line; /* "::" stands for a colon */
    if (!*typed && json_object_get(w->values, work_form_name(field))) {
        return SAID_DONE_WITH_IT; /* keep what is there */
    }
    json_t *v = work_form_value(field, typed, text, sizeof text);
    if (!v) {
        cli_note(w->cli, "%s", text);
        return SAID_VALUE;
    }
    json_object_set_new(w->values, work_form_name(field), v);
    return SAID_DONE_WITH_IT;
}

/* Ask until there is an answer. SAID_VALUE: it is in w->values; SAID_DONE_WITH_IT: the task was given back. */
static enum said ask_field(struct work *w, const json_t *field)
{
    for (;;) {
        work_form_ask(w->cli->out, field, json_object_get(w->values, work_form_name(field)));
        char *line = read_line(w);
        if (!line) {
            return SAID_QUIT;
        }
        enum said said = SAID_VALUE;
        if (line[0] == ':' && line[1] != ':') {
            said = command(w, line);
            free(line);
            if (said != SAID_VALUE) {
                return said;
            }
            continue;
        }
        if (work_form_many_lines(field) && *line && strcmp(line, ".") != 0) {
            line = rest_of_answer(w, line);
        }
        said = take_answer(w, field, line);
        free(line);
        if (said == SAID_DONE_WITH_IT) {
            json_decref(work_link_ask(w->link, "touch", about_task(w), ASK_MS, &stop));
            return SAID_VALUE;
        }
    }
}

/* ---- a task ---- */
static const json_t *field_named(const json_t *fields, const char *name)
{
    for (size_t i = 0; i < json_array_size(fields); i++) {
        if (strcmp(work_form_name(json_array_get(fields, i)), name) == 0) {
            return json_array_get(fields, i);
        }
    }
    return NULL;
}

/* Submit, and ask again for what the agent finds wrong, until it is kept. */
static enum said submit(struct work *w, const json_t *fields)
{
    for (;;) {
        json_t *r = about_task(w);
        json_object_set(r, "values", w->values);
        json_t *a = ask_agent(w, "submit", r);
        if (!a && !stop) {
            continue; /* what was typed is only here yet: wait for the agent to come back */
        }
        if (!a) {
            return SAID_FAILED;
        }
        if (went_well(a)) {
            w->done++;
            fprintf(w->cli->out, "kept: task %" JSON_INTEGER_FORMAT "\n", w->assignment);
            json_decref(a);
            return SAID_DONE_WITH_IT;
        }
        note_refusal(w, a);
        const char *name = json_string_value(json_object_get(a, "field"));
        const json_t *field = name ? field_named(fields, name) : NULL;
        json_decref(a);
        if (!field) {
            return SAID_FAILED;
        }
        json_object_del(w->values, work_form_name(field));
        enum said said = ask_field(w, field);
        if (said != SAID_VALUE) {
            return said;
        }
    }
}

/* What stands in [brackets] at first: the last draft, the work that is reviewed, or what a review sent back. */
static json_t *first_values(const json_t *task)
{
    const json_t *from = json_object_get(task, "draft");
    if (!json_is_object(from)) {
        from = json_object_get(json_object_get(task, "context"), "answer");
    }
    if (!json_is_object(from)) {
        from = json_object_get(json_object_get(task, "review"), "work");
    }
    return json_is_object(from) ? json_deep_copy(from) : json_object();
}

static enum said do_task(struct work *w, const json_t *task)
{
    const json_t *fields = json_object_get(json_object_get(task, "form"), "fields");
    enum said said = SAID_VALUE;
    w->assignment = json_integer_value(json_object_get(task, "assignment"));
    w->recalled = false;
    w->values = first_values(task);
    work_form_show(w->cli->out, task);
    if (json_is_true(json_object_get(task, "recalled"))) {
        cli_note(w->cli,
                 "this task was taken back since it was started: what you submit is kept, and may count as late");
    }
    json_t *a = ask_agent(w, "start", about_task(w));
    if (!went_well(a)) {
        note_refusal(w, a);
        said = a ? SAID_DONE_WITH_IT : SAID_FAILED;
    }
    json_decref(a);
    for (size_t i = 0; i < json_array_size(fields) && said == SAID_VALUE; i++) {
        said = ask_field(w, json_array_get(fields, i));
    }
    if (said == SAID_VALUE) {
        said = submit(w, fields);
    }
    if (said == SAID_QUIT && json_object_size(w->values) > 0 && save_draft(w)) {
        cli_note(w->cli, "what you answered so far is kept, and is there when you sign in again");
    }
    json_decref(w->values);
    w->values = NULL;
    w->assignment = 0;
    return said;
}

/* ---- a session ---- */
static void tell_why(struct work *w, const json_t *answer, bool *told)
{
    const char *text = json_string_value(json_object_get(json_object_get(answer, "why"), "text"));
    if (!*told) {
        fprintf(w->cli->out, "no work just now%s%s\n", text && *text ? ": " : "", text ? text : "");
        fflush(w->cli->out);
    }
    *told = true;
}

static int tasks(struct work *w, bool once, uint64_t limit)
{
    bool told = false;
    while (!stop && (limit == 0 || w->done < limit)) {
        if (w->eof && w->typed_n == 0) {
            return CLI_DONE; /* whoever typed has gone */
        }
        json_t *a = work_link_ask(w->link, "next", json_pack("{s:i}", "wait_ms", once ? ONCE_MS : WAIT_MS),
                                  WAIT_MS + ASK_MS, &stop);
        const char *refusal = json_string_value(json_object_get(a, "error"));
        if (refusal && strcmp(refusal, "NOT_SIGNED_IN") == 0 && !stop) {
            json_decref(a); /* the agent was restarted */
            a = ask_agent(w, "next", json_object());
        }
        const json_t *task = json_object_get(a, "task");
        enum said said = SAID_VALUE;
        if (!a) {
            if (!stop) {
                cli_note(w->cli, "the hub's agent does not answer");
            }
            return stop ? CLI_DONE : CLI_FAILED;
        }
        if (!went_well(a)) {
            note_refusal(w, a);
            said = SAID_FAILED;
        } else if (json_is_object(task)) {
            told = false;
            said = do_task(w, task);
        } else {
            tell_why(w, a, &told);
            said = once ? SAID_QUIT : SAID_VALUE;
        }
        json_decref(a);
        if (said == SAID_QUIT) {
            return CLI_DONE;
        }
        if (said == SAID_FAILED) {
            return CLI_FAILED;
        }
    }
    return CLI_DONE;
}

static int session(struct work *w, bool once, uint64_t limit)
{
    json_t *a = ask_agent(w, "sign_in", json_object());
    if (!went_well(a)) {
        note_refusal(w, a);
        json_decref(a);
        return CLI_FAILED;
    }
    work_link_alive_ms(w->link, json_integer_value(json_object_get(a, "idle_ms")) / 3);
    fprintf(w->cli->out, "%s at hub %s. Type :help at a question for what else can be said.\n", w->worker,
            json_string_value(json_object_get(a, "hub")));
    json_decref(a);
    int code = tasks(w, once, limit);
    a = ask_agent(w, "sign_off", json_object());
    json_decref(a);
    fprintf(w->cli->out, "\n%llu done, %llu declined, %llu handed back\n", (unsigned long long)w->done,
            (unsigned long long)w->declined, (unsigned long long)w->released);
    return code;
}

int cmd_work(struct cli *cli, int argc, char **argv)
{
    const char *hub = NULL, *worker = NULL;
    bool once = false;
    uint64_t limit = 0;
    char text[512];
    const struct arg args[] = { { "--hub", ARG_TEXT, &hub, NULL, 0, 0 },
                                { "--worker", ARG_TEXT, &worker, NULL, 0, 0 },
                                { "--once", ARG_FLAG, &once, NULL, 0, 0 },
                                { "--tasks", ARG_U64, &limit, NULL, 0, 0 },
                                { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 0, 0) < 0) {
        return CLI_USAGE;
    }
    if (!hub || !worker) {
        return cli_misuse(cli, "%s is missing", hub ? "--worker" : "--hub");
    }
    struct work w = { .cli = cli, .worker = worker, .typed = malloc(LINE_BYTES_MAX) };
    if (!w.typed) {
        return cli_nomem(cli);
    }
    w.link = work_link_open(hub, worker, on_notice, &w, text, sizeof text);
    if (!w.link) {
        free(w.typed);
        return cli_fail(cli, "%s", text);
    }
    static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction act = { .sa_handler = on_signal }, old[sizeof ends / sizeof *ends];
    stop = 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        sigaction(ends[i], &act, &old[i]);
    }
    int code = session(&w, once, limit);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        sigaction(ends[i], &old[i], NULL);
    }
    work_link_close(&w.link);
    free(w.typed);
    return cli_flush(cli, code);
}
