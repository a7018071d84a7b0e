/* watcher: waits for a run and says how it goes; then prints the last events of the run.
 *
 *     watcher [--broker ENDPOINT] [--events] RUN
 *
 * Exit 0: the run is done. Exit 1: it was cancelled, only dead tasks are left, or something went wrong.
 *
 * What it shows: sl_run_wait with a callback, a stop() that lets the program's own SIGINT end a wait, telling ends apart
 * by their code, and an event stream that follows what happens without a hole and without a repeat. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sunline.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int signo)
{
    (void)signo;
    interrupted = 1;
}

/* The library installs no signal handlers. It asks this one several times a second, and after every signal. */
static bool stop(void *arg)
{
    (void)arg;
    return interrupted;
}

static int on_progress(void *arg, const struct sl_progress *p)
{
    unsigned long long *shown = arg;
    unsigned long long over = p->run.done + p->run.dropped + p->run.cancelled;
    if (over == *shown && p->waited_ms > 0)
        return 0; /* nothing new to say */
    *shown = over;
    printf("%6.1f s  %llu of %llu units done", (double)p->waited_ms / 1000, over, (unsigned long long)p->run.units);
    for (uint32_t i = 0; i < p->station_count; i++) {
        const struct sl_station_row *s = &p->stations[i];
        printf("  %s: %llu waiting, %llu in work, %llu done", s->name,
               (unsigned long long)(s->ready + s->waiting + s->blocked), (unsigned long long)(s->assigned + s->started),
               (unsigned long long)s->done);
        if (s->dead)
            printf(", %llu DEAD", (unsigned long long)s->dead);
    }
    putchar('\n');
    fflush(stdout);
    return 0; /* anything else would end the waiting */
}

static void print_event(const struct sl_event *e)
{
    printf("event %llu %s", (unsigned long long)e->seq, e->name);
    /* Data is a map. A cursor steps over its keys and values in turn. */
    struct sl_cursor c = sl_inside(&e->data);
    struct sl_value key, value;
    char text[256];
    while (sl_next(&c, &key) && sl_next(&c, &value)) {
        sl_text(&key, text, sizeof text);
        printf(" %s=", text);
        if (value.type == SL_T_ARRAY)
            printf("[%u]", (unsigned)value.n);
        else if (sl_text(&value, text, sizeof text) < sizeof text)
            fputs(text, stdout);
    }
    putchar('\n');
}

/* All events of the run that are kept, up to what is known now. To follow on, one would simply not stop at SL_TIMEOUT. */
static int print_events(struct sl *sl, const char *run)
{
    char stream[SL_NAME_SIZE + 4];
    struct sl_events *events;
    struct sl_event e;
    snprintf(stream, sizeof stream, "run/%s", run);
    int rc = sl_events_open(sl, &(struct sl_events_options){ .stream = stream, .since = 1 }, &events);
    while (rc == SL_OK && (rc = sl_events_next(events, 0, &e)) == SL_OK)
        print_event(&e);
    sl_events_close(&events);
    return rc == SL_TIMEOUT ? SL_OK : rc;
}

static int watch(struct sl *sl, const char *run, bool events)
{
    unsigned long long shown = 0;
    int rc = sl_run_wait(sl, run, &(struct sl_wait_options){ .progress = on_progress, .arg = &shown });
    switch (rc) {
    case SL_OK: printf("run %s is done\n", run); break;
    case SL_ONLY_DEAD: printf("run %s: what remains is dead; see `sunline station dead`\n", run); break;
    case SL_RUN_CANCELLED: printf("run %s was cancelled\n", run); break;
    case SL_STOPPED: fprintf(stderr, "watcher: interrupted; the run goes on\n"); return EXIT_FAILURE;
    default:
        fprintf(stderr, "watcher: %s: %s: %s\n", run, sl_error_name(rc), sl_last_error(sl)->text);
        return EXIT_FAILURE;
    }
    int events_rc = events ? print_events(sl, run) : SL_OK;
    if (events_rc != SL_OK)
        fprintf(stderr, "watcher: events: %s: %s\n", sl_error_name(events_rc), sl_last_error(sl)->text);
    return rc == SL_OK && events_rc == SL_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const char *broker = getenv("SUNLINE_BROKER");
    bool events = false;
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--events") == 0)
            events = true;
        else if (strcmp(argv[i], "--broker") == 0 && i + 1 < argc)
            broker = argv[++i];
        else
            break;
    }
    if (argc - i != 1) {
        fprintf(stderr, "usage: watcher [--broker ENDPOINT] [--events] RUN\n");
        return 2;
    }
    sigaction(SIGINT, &(struct sigaction){ .sa_handler = on_signal }, NULL);
    struct sl *sl;
    int rc = sl_open(&(struct sl_options){ .endpoint = broker, .stop = stop }, &sl);
    if (rc != SL_OK) {
        fprintf(stderr, "watcher: %s: %s\n", broker ? broker : "open", sl_error_text(rc));
        return EXIT_FAILURE;
    }
    int status = watch(sl, argv[i], events);
    sl_close(&sl);
    return status;
}
