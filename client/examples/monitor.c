/* A monitor: how many units each run has done, from the event stream alone. Past events first, then what happens, without a hole and without a
 * repeat, however often the broker is restarted meanwhile; ends when as many units are done as were asked for.
 *
 *   monitor ENDPOINT UNITS [STREAM] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sunline.h>

#define RUNS_MAX 100

static struct {
    uint64_t run, done;
} runs[RUNS_MAX];

/* Ranges are [first, count, first, count, ...]. */
static uint64_t how_many(const struct sl_value *data)
{
    struct sl_value units, first, count;
    uint64_t n = 0;
    if (!sl_map_get(data, "units", &units))
        return 0;
    struct sl_cursor c = sl_inside(&units);
    while (sl_next(&c, &first) && sl_next(&c, &count))
        n += sl_uint(&count);
    return n;
}

static void add(uint64_t run, uint64_t done)
{
    size_t i = 0;
    while (i < RUNS_MAX - 1 && runs[i].run && runs[i].run != run)
        i++;
    runs[i].run = run;
    runs[i].done += done;
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: %s ENDPOINT UNITS [STREAM]\n", argv[0]);
        return 2;
    }
    struct sl *sl;
    struct sl_events *events = NULL;
    uint64_t wanted = strtoull(argv[2], NULL, 10), seen = 0;
    int rc = sl_open(&(struct sl_options){ .endpoint = argv[1] }, &sl);
    if (rc != SL_OK) {
        fprintf(stderr, "%s\n", sl_error_text(rc));
        return 1;
    }
    rc = sl_events_open(sl, &(struct sl_events_options){ .stream = argc == 4 ? argv[3] : "all", .since = 1 }, &events);
    while (rc == SL_OK && seen < wanted) {
        struct sl_event e;
        struct sl_value run;
        rc = sl_events_next(events, 1000, &e);
        if (rc == SL_TIMEOUT || rc == SL_DISCONNECTED) { /* nothing new, or nobody there for the moment */
            rc = SL_OK;
            continue;
        }
        if (rc == SL_OK && strcmp(e.name, "UNITS_DONE") == 0 && sl_map_get(&e.data, "run", &run)) {
            uint64_t n = how_many(&e.data);
            add(sl_uint(&run), n);
            seen += n;
        }
    }
    if (rc != SL_OK)
        fprintf(stderr, "%s: %s\n", sl_error_name(rc), sl_last_error(sl)->text);
    for (size_t i = 0; i < RUNS_MAX && runs[i].run; i++)
        printf("run %llu: %llu done\n", (unsigned long long)runs[i].run, (unsigned long long)runs[i].done);
    sl_close(&sl);
    return rc == SL_OK ? 0 : 1;
}
