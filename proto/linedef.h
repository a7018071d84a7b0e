/* A line definition: from its packed form (a msgpack map with string keys, the same keys as in a line file) to a checked and
 * compiled structure. Broker, command line and agent share it, so that all find the same mistakes.
 * Pure: no I/O, no clock, deterministic. One allocation arena a line; immutable once compiled, so any thread may read it. */
#ifndef SUNLINE_LINEDEF_H
#define SUNLINE_LINEDEF_H
#include "proto/codec.h"

enum ld_type { LD_TEXT, LD_GENERAL, LD_EMAIL, LD_URL, LD_NUMBER, LD_DATE, LD_TIME, LD_DATETIME, LD_PHONE,      /* input and form */
               LD_SHORT_ANSWER, LD_LONG_ANSWER, LD_RADIO, LD_CHECK_BOX, LD_SELECT };                         /* form only */
enum ld_kind { LD_ANY, LD_HUMAN, LD_ROBOT };
enum ld_station_type { LD_WORK, LD_IMPROVE, LD_TOURNAMENT, LD_JURY /* made for each tournament */ };

struct ld_field {
    struct slp_bytes name, label, hint;
    enum ld_type type;
    bool required;
    uint32_t option_count;
    struct slp_bytes *options;
    double min, max;       /* numbers; NaN: none */
    uint32_t chars_max;    /* texts; 0: none */
};
struct ld_ref { int16_t station, field; }; /* station -1: an input field */
struct ld_skill { struct slp_bytes name; uint32_t level; };
struct ld_names { uint32_t count; struct slp_bytes *name; };
enum ld_prefer { LD_PREFER_IDLE, LD_PREFER_BEST, LD_PREFER_HUB }; /* of those who are idle: idle the longest, the best measured, at the hub before */
struct ld_expr; /* a compiled condition */

/* Independent answers to the same task, and how they become one. */
enum ld_method { LD_PLURALITY, LD_POSTERIOR, LD_ALL, LD_ENTRIES, LD_VOTES /* of a tournament, of its jury: no words of a line file */ };
enum ld_ties { LD_TIES_MORE, LD_TIES_FIRST, LD_TIES_REVIEW, LD_TIES_FAIL };
enum ld_rule { LD_RULE_PLURALITY, LD_RULE_POSTERIOR, LD_RULE_ALL, LD_RULE_FIRST, LD_RULE_REVIEW, LD_RULE_MAX, LD_RULE_JURY, LD_RULE_AUTO, LD_RULES }; /* what decided */
struct ld_copies {
    uint32_t min, max;           /* max 0: this station has no copies, one result is enough */
    enum ld_method method;
    enum ld_ties ties;           /* of PLURALITY; of VOTES, but MORE */
    uint32_t equal;              /* of ENTRIES: so many that are equal end it without a jury; 0: never */
    uint32_t confidence_micros;  /* of POSTERIOR */
    uint64_t answers;            /* of POSTERIOR: how many different ones there are */
    uint32_t on_count;           /* what must agree: form fields, ascending; not of ALL, VOTES */
    uint16_t *on;
    bool ignore_case, ignore_space;
    int64_t tolerance_micros;    /* numbers that differ by no more are equal */
};
const char *ld_rule_word(enum ld_rule rule);
/* Stations that come before the jury's in `stations` are those of the file. What others call by a station's name, and wait for, is its giver's: the jury's
 * of a tournament, else its own. */
#define LD_JURY_SUFFIX ".jury"
#define LD_JURY_FIELD "winner" /* what a juror answers: a place in the list that he sees, from 1 */
#define LD_JURY_ENTRIES ".entries" /* behind the tournament's name: what that list is shown as */

/* Whoever works here must have been measured so. */
enum ld_measure { LD_APPROVAL, LD_RETURNED, LD_GOLD, LD_AGREEMENT, LD_ABANDONMENT, LD_WON, LD_BEATEN, LD_LEASE_TIME, LD_ACTIVE_TIME };
static inline bool ld_measures_time(enum ld_measure m) { return m >= LD_LEASE_TIME; }
/* less: <, else >; equal: it may be that, too. micros: of a share its millionths, of a mean time its microseconds. */
struct ld_bound { enum ld_measure measure; bool less, equal; uint64_t micros; };
struct ld_require {
    uint32_t count;               /* 0: nothing is required */
    struct ld_bound *bound;
    uint32_t after;               /* fewer things say nothing: a newcomer */
    bool of_all, refuse_new;      /* of_all: measured at all stations, not at this one */
};
#define LD_WINDOW_LAST 64
#define LD_WINDOW_LAST_MIN 8
#define LD_WINDOW_LAST_MAX 10000
#define LD_WINDOW_WITHIN_US (90ll * 24 * 3600 * 1000000)

/* Control tasks: what they show, what the answers are, and what follows from them. */
enum ld_gold_do { LD_SUSPEND, LD_LOWER, LD_TRAIN };
struct ld_gold_answer { uint16_t field; bool ignore_case, ignore_space; int64_t tolerance_micros; };
struct ld_gold_rule { uint32_t below_micros, after, until_micros; enum ld_gold_do what; struct slp_bytes skill; int16_t at; }; /* at: the station that trains */
struct ld_gold {
    uint32_t every;               /* one of so many assignments of a worker; 0: there are none */
    uint32_t row_count, answer_count, rule_count;
    struct ld_gold_answer *answer;
    struct slp_bytes *shown;      /* row by row, a packed value for each that the station shows */
    struct slp_bytes *wanted;     /* row by row, for each answer; p NULL: anything is right */
    uint64_t *digest;             /* of what a row shows */
    uint64_t secret;              /* of all rows, answers too: nobody who does not know them can tell it */
    struct ld_gold_rule *rules;
};
/* What a station with copies adds behind its form's fields, in this order; with method ALL only the first. */
enum { LD_ADDS_ANSWERS, LD_ADDS_VOTES, LD_ADDS_CONFIDENCE, LD_ADDS_DECIDED, LD_ADDS };

/* A review of another station's work. What its workers fill in are the fields of that work, none of them required (one that is left out is as it
 * was), then a verdict, a note and, if the work can be sent back, a reason. It adds the list of the fields that were changed. */
enum ld_verdict { LD_ACCEPT, LD_IMPROVED, LD_REJECT };
const char *ld_verdict_word(enum ld_verdict verdict);
enum { LD_REVIEW_VERDICT, LD_REVIEW_NOTE, LD_REVIEW_REASON }; /* places behind the work's fields */
struct ld_review {
    int of;                       /* the station whose work it reviews */
    uint32_t work;                /* fields of that work */
    uint32_t reason_count;        /* 0: it cannot reject */
    struct slp_bytes *reasons;
    bool author;                  /* its workers are told whose work it is */
    uint32_t rounds;              /* so often the work is done at most ... */
    int exhausted;                /* ... then the unit goes to this station; -1: the work is parked as dead */
    int64_t return_us;            /* what is sent back is for so long its author's alone */
    uint32_t sample_micros, first; /* of all units this share; and the first results of each worker. Both 0: all */
};

struct ld_station {
    struct slp_bytes name, title, instruction;
    enum ld_station_type type;
    uint16_t partner;             /* of TOURNAMENT its jury's index, behind all that the file names; of JURY its tournament's */
    enum ld_kind kind;
    uint32_t skill_count;
    struct ld_skill *skills;
    struct ld_names only_hubs, not_hubs, only_teams, not_teams; /* at most one of each pair holds any */
    enum ld_prefer prefer;
    uint32_t not_did_count;       /* stations upstream of this one; who did one of them for a unit does not get this one */
    uint16_t *not_did;
    uint32_t field_count;         /* the form: what a worker answers */
    struct ld_field *form;
    uint32_t value_count;         /* what the station hands on: the form's fields, then what it adds (of JURY its tournament's; of TOURNAMENT nothing) */
    struct ld_field *fields;      /* mostly begins with the form */
    struct ld_copies copies;
    struct ld_review review;      /* of type IMPROVE */
    int reviewed_by;              /* -1: nobody's */
    struct ld_require require;
    struct ld_gold gold;
    uint32_t window_last;         /* measures are of so many latest things, */
    int64_t window_within_us;     /* and of nothing older */
    uint32_t after_count;         /* direct upstream stations, by index, ascending; stations are in topological order of the file (an */
    uint16_t *after;              /* `after` may name a later one in the file: `order` below is the topological order) */
    uint32_t next_count;          /* direct downstream stations, ascending */
    uint16_t *next;
    struct ld_expr *when;         /* NULL: always */
    uint32_t show_count;          /* what its workers see, in this order */
    struct ld_ref *shows;
    struct slp_bytes *show_names; /* "text", "judge.entails"; of JURY one more: the entries */
    uint32_t depth;               /* longest way from an entry: 0 for entries */
    int64_t lease_us, backoff_us, start_by_us; /* start_by_us 0: the broker's default */
    uint32_t at_once, per_day;    /* of its tasks, so many in hand at once, and so many a day for one worker; 0: no limit */
    uint32_t attempts;
    int64_t reward_micros;
    struct slp_bytes form_raw;    /* the packed `form` map as sent, for agents; of a review with the fields that it has */
};

struct ld_line {
    struct slp_bytes name, title, definition; /* title: perhaps empty; definition: the packed bytes it was made from (a copy) */
    struct slp_bytes currency; /* three capital letters: what rewards are millionths of */
    uint32_t input_count, station_count;
    struct ld_field *inputs;
    struct ld_station *stations;
    uint16_t *order;              /* topological order, ties by position in the file */
    uint32_t out_count;           /* what `run output` hands out: all input fields, then every station's fields in file order */
    struct ld_ref *outs;
    struct slp_bytes *out_names;
    void *arena;
};

static inline uint32_t ld_work_fields(const struct ld_station *s) /* of what it hands on, those that its workers' work has: the first ones */
{
    return s->type == LD_IMPROVE ? s->review.work : s->type == LD_JURY ? s->value_count - LD_ADDS : s->field_count;
}
/* Whose form the work of a review began as; of any other station it is itself. */
static inline const struct ld_station *ld_origin(const struct ld_line *l, const struct ld_station *s)
{
    while (s->review.of >= 0)
        s = &l->stations[s->review.of];
    return s;
}
static inline uint32_t ld_giver(const struct ld_line *l, uint32_t station)
{
    return l->stations[station].type == LD_TOURNAMENT ? l->stations[station].partner : station;
}
static inline struct slp_bytes ld_given_name(const struct ld_line *l, uint32_t station) /* by which its fields are called */
{
    return l->stations[l->stations[station].type == LD_JURY ? l->stations[station].partner : station].name;
}

/* Sink of mistakes: path such as "stations[2].form.fields[0].type", "stations[1].when", "input[0].name" (under 256 bytes), text under
 * SL_TEXT_BYTES_MAX, both UTF-8 without control characters. Called in file order; beyond SL_PROBLEMS_MAX one last call counts the rest.
 * Which keys there are, and what each may hold: ld_schema.h, docs/line-files.md. */
typedef void ld_problem_fn(void *arg, const char *path, const char *text);

/* Check and compile. The bytes are copied. Returns the line, or NULL after at least one problem() (or with none: out of memory). */
struct ld_line *ld_compile(const char *packed, size_t n, ld_problem_fn *problem, void *arg);
/* A definition that was checked before it was stored. NULL: *damaged tells whether it is none any more, or memory ran out. */
struct ld_line *ld_compile_again(const char *packed, size_t n, bool *damaged);
void ld_free(struct ld_line **line); /* safe to repeat */

/* May a run under way on `old` go over to `new` at once? (Only texts, reward, lease, back-off, attempts, limits differ.) */
bool ld_compatible(const struct ld_line *old_line, const struct ld_line *new_line);

/* Values. A row is an array of input_count values, a result one of field_count; each is a packed string, number, boolean or nil (check_box:
 * an array of option strings). nil and the empty string mean: not given. `values` points behind the array header, at `count` packed elements.
 * Nothing is allocated; the bytes may be malformed, strings in them must have been checked for UTF-8.
 * Return 0, or -1 with *field the index that is wrong (or UINT32_MAX: the count) and text filled with what is wrong. */
int ld_check_values(const struct ld_field *fields, uint32_t field_count, const char *values, size_t bytes, uint32_t count,
                    uint32_t *field, char *text, size_t text_size);

/* What a reviewer handed in (`given`: values of the review's form, checked by ld_check_values) about this work (`work`: its values; those of the form come
 * first). Packs the review's result into `out`: the work as it stands now, verdict, note and reason, the fields that were changed. Returns the verdict, or -1
 * with text filled: what does not go together, and in *field the place of the form's field whose fault it is. `out` failed: without memory. */
int ld_review(const struct ld_station *s, const struct ld_field *work_fields, const struct slp_list *work, const struct slp_list *given, struct slp_buf *out,
              uint32_t *field, char *text, size_t text_size);

/* Evaluate a station's `when`. get() hands out the packed value of a field, {NULL, 0} for null (skipped, nil, not there).
 * A comparison with null is false; `not` of it is true. Numbers compare as numbers if both sides are numbers or decimal strings, else as
 * strings by bytes (a boolean as its word). Without a condition: true. No allocation, no recursion. */
typedef struct slp_bytes ld_get_fn(void *arg, struct ld_ref ref);
bool ld_when(const struct ld_station *s, ld_get_fn *get, void *arg);
#endif
