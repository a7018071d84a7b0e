/* The checker of the simulated world (tests/sim/checker.h) as a program: it reads what happened from stdin, one fact a line, in the order in which it
 * happened, and gives its verdicts. For histories of real processes; facts.py makes the lines. Nothing is judged here.
 *
 *   KIND name=value ...     KIND: one of `kinds` below, FACT_KIND of enum fact_kind; name: one of `fields`, a member of struct fact; neither has all. What is not named is 0
 *
 * A value is a decimal number; of `level` and `counts` there are several, with commas between. Out come a line for each verdict that was given, with
 * how often and the first of them in words, and then, as JSON, {"verdicts": {name: how often}, "facts": n, ...}. Exit 1 if there was any verdict, 2 if a line was not understood.
 *
 *   judge [--story]         --story: before that all that the facts tell, event by event, and each verdict in its place */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/checker.h"

#define KIND(name) [FACT_##name] = #name
static const char *const kinds[] = {
    KIND(STATION),  KIND(WORKER),        KIND(CLOCK),         KIND(FULL),       KIND(RUN),
    KIND(ROW_SENT), KIND(ROW_ACKED),     KIND(SUBMIT_SENT),   KIND(ACT),        KIND(ROSTER),
    KIND(GRANT),    KIND(SIGN_OFF),      KIND(SEEN),          KIND(EVENT),      KIND(BOOT),
    KIND(SESSION),  KIND(LINE_STATE),    KIND(STATION_STATE), KIND(HELD),       KIND(DECIDED),
    KIND(PLACED),   KIND(WANTS),         KIND(REVIEWED),      KIND(BLOCKED),    KIND(RUN_STATE),
    KIND(STANDING), KIND(SKILL),         KIND(GOLD),          KIND(VOID),       KIND(UNITS_ADDED),
    KIND(READY),    KIND(WAITING),       KIND(SKIPPED),       KIND(ASSIGNED),   KIND(STARTED),
    KIND(RETURNED), KIND(SUBMITTED),     KIND(TASK_DONE),     KIND(DEAD),       KIND(UNIT_DONE),
    KIND(DROPPED),  KIND(STEP),          KIND(STORY_UNIT),    KIND(STORY_TASK), KIND(STORY_ASSIGNMENT),
    KIND(OUTPUT),   KIND(OUTPUT_ANSWER), KIND(HANDED_OUT),    KIND(COUNTS),     KIND(RUN_COUNTS),
    KIND(ALL_TOLD), KIND(SUBSCRIBER),    KIND(LAST_EVENT),    KIND(SUBSCRIBED), KIND(LEFT_OVER),
};

enum type { U64, I64, U32, I32, FLAG, U8S, U64S };
struct field {
    const char *name;
    enum type type;
    size_t at, most; /* most: how many numbers */
};
#define TYPE_OF(member)                                                                                                \
    _Generic(((struct fact *)NULL)->member,                                                                            \
        uint64_t: U64,                                                                                                 \
        int64_t: I64,                                                                                                  \
        uint32_t: U32,                                                                                                 \
        int32_t: I32,                                                                                                  \
        bool: FLAG,                                                                                                    \
        uint8_t *: U8S,                                                                                                \
        uint64_t *: U64S)
#define FIELD(member)                                                                                                  \
    {                                                                                                                  \
#member, TYPE_OF(member), offsetof(struct fact, member), 1                                                     \
    }
#define FIELDS(member, n)                                                                                              \
    {                                                                                                                  \
#member, TYPE_OF(member), offsetof(struct fact, member), n                                                     \
    }
static const struct field fields[] = {
    FIELD(seq),
    FIELD(at),
    FIELD(wall),
    FIELD(run),
    FIELD(station),
    FIELD(unit),
    FIELD(why),
    FIELD(assignment),
    FIELD(worker),
    FIELD(hub),
    FIELD(session),
    FIELD(row),
    FIELD(digest),
    FIELD(result),
    FIELD(count),
    FIELD(prev),
    FIELD(line),
    FIELD(index),
    FIELD(stations),
    FIELD(first),
    FIELD(code),
    FIELD(act),
    FIELD(state),
    FIELD(after),
    FIELD(attempts),
    FIELD(wkind),
    FIELD(team),
    FIELD(due),
    FIELD(lease_us),
    FIELD(start_by_us),
    FIELD(route),
    FIELD(when_on),
    FIELD(when_is),
    FIELD(flag),
    FIELD(copies_min),
    FIELD(copies_max),
    FIELD(ties),
    FIELD(at_once),
    FIELD(per_day),
    FIELDS(level, CHECKER_SKILLS),
    FIELDS(counts, sizeof((struct fact *)NULL)->counts / sizeof(uint64_t)),
};
#define COUNT(table) (sizeof(table) / sizeof *(table))

static bool set(struct fact *f, const struct field *d, const char *text)
{
    void *at = (char *)f + d->at;
    char *end;
    for (size_t i = 0; i < d->most; i++, text = end + 1) {
        bool minus = *text == '-';
        if (!isdigit((unsigned char)text[minus]))
            return false;
        errno = 0;
        int64_t below = minus ? strtoll(text, &end, 10) : 0;
        uint64_t n = minus ? 0 : strtoull(text, &end, 10);
        if (errno || (minus && d->type != I64 && d->type != I32))
            return false;
        switch (d->type) {
        case U64:
        case U64S: ((uint64_t *)at)[i] = n; break;
        case I64:
            if (n > INT64_MAX)
                return false;
            *(int64_t *)at = minus ? below : (int64_t)n;
            break;
        case U32:
            if (n > UINT32_MAX)
                return false;
            *(uint32_t *)at = (uint32_t)n;
            break;
        case I32:
            if (n > INT32_MAX || below < INT32_MIN)
                return false;
            *(int32_t *)at = minus ? (int32_t)below : (int32_t)n;
            break;
        case U8S:
            if (n > UINT8_MAX)
                return false;
            ((uint8_t *)at)[i] = (uint8_t)n;
            break;
        case FLAG:
            if (n > 1)
                return false;
            *(bool *)at = n;
            break;
        }
        if (*end == '\0')
            return true;
        if (*end != ',')
            return false;
    }
    return false;
}

/* It takes the text apart. */
static bool read_fact(char *text, struct fact *f)
{
    char *rest, *word = strtok_r(text, " ", &rest);
    size_t kind = 0, i;
    *f = (struct fact){ 0 };
    while (kind < COUNT(kinds) && !(word && kinds[kind] && !strcmp(kinds[kind], word)))
        kind++;
    if (kind == COUNT(kinds))
        return false;
    f->kind = (enum fact_kind)kind;
    while ((word = strtok_r(NULL, " ", &rest))) {
        char *value = strchr(word, '=');
        if (!value)
            return false;
        *value++ = '\0';
        for (i = 0; i < COUNT(fields) && strcmp(fields[i].name, word) != 0;)
            i++;
        if (i == COUNT(fields) || !set(f, &fields[i], value))
            return false;
    }
    return true;
}

static void tell(const struct checker *c)
{
    struct checker_sums s = checker_sums(c);
    const char *between = "";
    for (enum verdict v = 0; v < VERDICTS; v++)
        if (checker_count(c, v))
            printf("%s %" PRIu64 ": %s\n", verdict_name(v), checker_count(c, v), checker_first(c, v));
    printf("{\"verdicts\": {");
    for (enum verdict v = 0; v < VERDICTS; v++)
        if (checker_count(c, v)) {
            printf("%s\"%s\": %" PRIu64, between, verdict_name(v), checker_count(c, v));
            between = ", ";
        }
    printf("}, \"facts\": %" PRIu64 ", \"events\": %" PRIu64 ", \"units\": %" PRIu64 ", \"assignments\": %" PRIu64
           ", \"results_counted\": %" PRIu64 ", \"results_late\": %" PRIu64 ", \"recovered\": %" PRIu64 "}\n",
           s.facts, s.events, s.units, s.assignments, s.results_counted, s.results_late, s.recovered);
}

int main(int argc, char **argv)
{
    bool story = argc == 2 && !strcmp(argv[1], "--story");
    if (argc > 1 && !story) {
        fprintf(stderr, "usage: judge [--story] < facts\n");
        return 2;
    }
    struct checker *c = checker_new(story ? stdout : NULL);
    char *line = NULL, *apart = NULL;
    size_t room = 0, had = 0;
    ssize_t n;
    for (uint64_t number = 1; (n = getline(&line, &room, stdin)) > 0; number++) {
        struct fact f;
        line[n - (line[n - 1] == '\n')] = '\0';
        if (room > had) {
            free(apart);
            if (!(apart = malloc(had = room)))
                return 2;
        }
        memcpy(apart, line, (size_t)n + 1);
        if (!read_fact(apart, &f)) {
            fprintf(stderr, "judge: line %" PRIu64 " is no fact: %s\n", number, line);
            return 2;
        }
        checker_feed(c, &f);
    }
    checker_end(c);
    tell(c);
    bool any = checker_total(c) != 0;
    checker_free(&c);
    free(line);
    free(apart);
    return any;
}
