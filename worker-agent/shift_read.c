#include "worker-agent/shift_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const weekdays[7] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

/* ---------------------------------------------------------------- words */
static bool digits(const char *p, size_t n, unsigned *v)
{
    *v = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *v = *v * 10 + (unsigned)(p[i] - '0');
    }
    return true;
}

/* HH:MM; 24:00 is the end of the day. */
static bool clock_of(const char *p, unsigned *minute)
{
    unsigned h, m;
    if (!digits(p, 2, &h) || p[2] != ':' || !digits(p + 3, 2, &m) || m > 59 || h > 24 || (h == 24 && m > 0))
        return false;
    *minute = h * 60 + m;
    return true;
}

/* HH:MM-HH:MM, 11 characters. One that ends at or before its beginning ends on the next day. */
static bool span_of(const char *p, size_t n, struct shift_span *s)
{
    unsigned first, end;
    if (n != 11 || !clock_of(p, &first) || p[5] != '-' || !clock_of(p + 6, &end) || first == SHIFT_DAY_MINUTES)
        return false;
    s->first = (uint16_t)first;
    s->end = (uint16_t)(end > first ? end : end + SHIFT_DAY_MINUTES);
    return true;
}

static bool date_of(const char *p, int64_t *day)
{
    unsigned y, m, d, month, day_of_month;
    int year;
    if (!digits(p, 4, &y) || p[4] != '-' || !digits(p + 5, 2, &m) || p[7] != '-' || !digits(p + 8, 2, &d) || m < 1 ||
        m > 12 || d < 1 || y < 1970)
        return false;
    *day = shift_day_of((int)y, m, d);
    shift_date_of(*day, &year, &month, &day_of_month);
    return month == m && day_of_month == d; /* no 30th of February */
}

static int weekday_of(const char *p)
{
    for (int i = 0; i < 7; i++)
        if (strncmp(p, weekdays[i], 3) == 0)
            return i;
    return -1;
}

/* "sat" or "mon-fri", which may go over the week's end; false: neither. */
static bool weekdays_of(const char *p, int *first, int *last)
{
    size_t n = strlen(p);
    *first = *last = n >= 3 ? weekday_of(p) : -1;
    if (n == 7 && p[3] == '-')
        *last = weekday_of(p + 4);
    else if (n != 3)
        return false;
    return *first >= 0 && *last >= 0;
}

/* ---------------------------------------------------------------- spans, weeks, dates */
static const char *scalar(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

static void add_spans(struct yaml_walk *w, const yaml_node_t *node, struct shift_day *to)
{
    const char *p = scalar(node);
    if (!*p)
        yaml_walk_problem(w, node, "spans are times such as 08:00-12:00 13:00-17:00");
    while (*p) {
        size_t n = strcspn(p, " ,");
        struct shift_span s;
        if (n > 0 && !span_of(p, n, &s)) {
            yaml_walk_problem(w, node, "'%.*s' is no span of time: HH:MM-HH:MM, such as 22:00-06:00",
                              n < 40 ? (int)n : 40, p);
            return;
        }
        if (n > 0 && to->count == SHIFT_SPANS_DAY_MAX) {
            yaml_walk_problem(w, node, "more than %d spans a day", SHIFT_SPANS_DAY_MAX);
            return;
        }
        if (n > 0)
            to->span[to->count++] = s;
        p += n + (p[n] != 0);
    }
}

static void read_spans(struct yaml_walk *w, const yaml_node_t *node, struct shift_day *to)
{
    const yaml_node_t *item;
    if (node->type != YAML_SEQUENCE_NODE) {
        add_spans(w, node, to);
        return;
    }
    for (size_t i = 0; yaml_walk_item(w, node, "spans", i, &item); i++)
        add_spans(w, item, to);
}

static void read_week(struct yaml_walk *w, const yaml_node_t *node, const char *key, struct shift_week *to)
{
    const yaml_node_t *days, *spans;
    for (size_t i = 0; yaml_walk_pair(w, node, key, i, &days, &spans); i++) {
        int first, last;
        struct shift_day d = { 0 };
        if (!weekdays_of(scalar(days), &first, &last)) {
            yaml_walk_problem(w, days, "'%.40s' is no weekday: mon tue wed thu fri sat sun, or a range such as mon-fri",
                              scalar(days));
            continue;
        }
        read_spans(w, spans, &d);
        for (int day = first;; day = (day + 1) % 7) {
            if (to->day[day].count) {
                yaml_walk_problem(w, days, "%s stands twice in this week", weekdays[day]);
                return;
            }
            to->day[day] = d;
            if (day == last)
                break;
        }
    }
}

bool shift_read_date(struct yaml_walk *w, const yaml_node_t *node, int64_t *day)
{
    const char *p = scalar(node);
    if (strlen(p) == 10 && date_of(p, day))
        return true;
    yaml_walk_problem(w, node, "'%.40s' is no date: YYYY-MM-DD", p);
    return false;
}

const struct shift_off *shift_read_off(struct yaml_walk *w, struct arena *a, const yaml_node_t *node,
                                       const struct shift *base, uint32_t *count)
{
    struct shift_off *v = arena_take(a, sizeof *v * SHIFT_DATES_MAX);
    const yaml_node_t *item;
    *count = base ? base->off_count : 0;
    if (!v)
        return NULL;
    for (uint32_t i = 0; i < *count; i++)
        v[i] = base->off[i];
    for (size_t i = 0; yaml_walk_item(w, node, "off", i, &item); i++) {
        const char *p = scalar(item);
        struct shift_off o;
        bool range = strlen(p) == 22 && strncmp(p + 10, "..", 2) == 0;
        if (!(range || strlen(p) == 10) || !date_of(p, &o.first_day) || !date_of(range ? p + 12 : p, &o.last_day) ||
            o.last_day < o.first_day) {
            yaml_walk_problem(w, item, "'%.40s' is no day off: YYYY-MM-DD, or YYYY-MM-DD..YYYY-MM-DD", p);
            continue;
        }
        if (*count == SHIFT_DATES_MAX) {
            yaml_walk_problem(w, item, "off: at most %d entries", SHIFT_DATES_MAX);
            break;
        }
        v[(*count)++] = o;
    }
    return v;
}

/* ---------------------------------------------------------------- a shift */
static int by_day(const void *a, const void *b)
{
    const struct shift_extra *x = a, *y = b;
    return x->day < y->day ? -1 : x->day > y->day;
}

static void read_extra(struct yaml_walk *w, struct arena *a, const yaml_node_t *node, struct shift *to)
{
    struct shift_extra *v = arena_take(a, sizeof *v * SHIFT_DATES_MAX);
    const yaml_node_t *date, *spans;
    for (size_t i = 0; v && yaml_walk_pair(w, node, "extra", i, &date, &spans); i++) {
        struct shift_extra x = { 0 };
        if (!shift_read_date(w, date, &x.day))
            continue;
        if (to->extra_count == SHIFT_DATES_MAX) {
            yaml_walk_problem(w, date, "extra: at most %d days", SHIFT_DATES_MAX);
            break;
        }
        for (uint32_t k = 0; k < to->extra_count; k++)
            if (v[k].day == x.day)
                yaml_walk_problem(w, date, "%s stands twice in extra", scalar(date));
        read_spans(w, spans, &x.spans);
        v[to->extra_count++] = x;
    }
    if (v)
        qsort(v, to->extra_count, sizeof *v, by_day);
    to->extra = v;
}

static int by_from(const void *a, const void *b)
{
    const struct shift_week *x = a, *y = b;
    return x->from_day < y->from_day ? -1 : x->from_day > y->from_day;
}

static void read_changes(struct yaml_walk *w, const yaml_node_t *node, struct shift_week *v, uint32_t *count)
{
    const yaml_node_t *date, *week;
    for (size_t i = 0; yaml_walk_pair(w, node, "from", i, &date, &week); i++) {
        int64_t day;
        if (!shift_read_date(w, date, &day))
            continue;
        if (*count == SHIFT_WEEKS_MAX) {
            yaml_walk_problem(w, date, "from: at most %d changes", SHIFT_WEEKS_MAX - 1);
            break;
        }
        for (uint32_t k = 1; k < *count; k++)
            if (v[k].from_day == day)
                yaml_walk_problem(w, date, "%s stands twice in from", scalar(date));
        v[*count].from_day = day;
        read_week(w, week, "a week", &v[(*count)++]);
    }
    qsort(v, *count, sizeof *v, by_from);
}

/* "mon-fri 08:00-12:00 13:00-17:00, sat 08:00-12:00", as the file has it. */
static const char *week_text(struct yaml_walk *w, struct arena *a, const yaml_node_t *node)
{
    char text[SL_TEXT_BYTES_MAX / 2] = "";
    size_t at = 0;
    if (!node || node->type != YAML_MAPPING_NODE)
        return "";
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *spans = yaml_document_get_node(&w->doc, p->value);
        at += (size_t)snprintf(text + at, at < sizeof text ? sizeof text - at : 0, "%s%s", at ? ", " : "",
                               scalar(yaml_document_get_node(&w->doc, p->key)));
        size_t n = spans->type == YAML_SEQUENCE_NODE
                       ? (size_t)(spans->data.sequence.items.top - spans->data.sequence.items.start)
                       : 1;
        for (size_t i = 0; i < n && at < sizeof text; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, " %s",
                                   scalar(spans->type == YAML_SEQUENCE_NODE
                                              ? yaml_document_get_node(&w->doc, spans->data.sequence.items.start[i])
                                              : spans));
        if (at >= sizeof text) {
            memcpy(text + sizeof text - 4, "...", 4); /* its words are ASCII: nothing is cut in two */
            break;
        }
    }
    return arena_text(a, text);
}

static void check_overlaps(struct yaml_walk *w, const yaml_node_t *node, const char *name, const struct shift *s)
{
    int64_t day;
    char text[64], when[40];
    int y;
    unsigned m, d;
    if (!shift_overlaps(s, &day, text, sizeof text))
        return;
    shift_date_of(day, &y, &m, &d);
    if (day < 32) /* a week of the pattern, not of the calendar */
        snprintf(when, sizeof when, "on %s", weekdays[shift_weekday(day)]);
    else
        snprintf(when, sizeof when, "on %s %04d-%02u-%02u", weekdays[shift_weekday(day)], y, m, d);
    yaml_walk_problem(w, node, "shift '%s' overlaps itself %s: %s", name, when, text);
}

void shift_read(struct yaml_walk *w, struct arena *a, const yaml_node_t *node, const char *name, struct shift *to,
                const char **text)
{
    static const char *const keys[] = { "week", "off", "extra", "from", "overtime", NULL };
    enum { WEEK, OFF, EXTRA, FROM, OVERTIME, KEYS };
    _Static_assert(sizeof keys / sizeof *keys == KEYS + 1, "a name for each key");
    const yaml_node_t *v[KEYS + 1];
    uint32_t before = w->problems;
    *to = (struct shift){ .overtime_us = SHIFT_OVERTIME_DEFAULT_US };
    *text = "";
    struct shift_week *weeks = arena_take(a, sizeof *weeks * SHIFT_WEEKS_MAX);
    if (!weeks || !yaml_walk_map(w, node, "a shift", keys, v))
        return;
    weeks[0].from_day = INT64_MIN;
    to->week_count = 1;
    if (!v[WEEK] && !v[EXTRA] && !v[FROM])
        yaml_walk_problem(w, node, "key 'week' is missing: weekdays and times, such as mon-fri: 09:00-17:00");
    if (v[WEEK])
        read_week(w, v[WEEK], "week", &weeks[0]);
    if (v[FROM])
        read_changes(w, v[FROM], weeks, &to->week_count);
    to->week = weeks;
    if (v[OFF])
        to->off = shift_read_off(w, a, v[OFF], NULL, &to->off_count);
    if (v[EXTRA])
        read_extra(w, a, v[EXTRA], to);
    if (v[OVERTIME])
        yaml_walk_duration(w, v[OVERTIME], "overtime", 0, 86400000000, &to->overtime_us);
    *text = week_text(w, a, v[WEEK]);
    if (w->problems == before)
        check_overlaps(w, node, name, to);
}
