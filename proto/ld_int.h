/* What the files of the line compiler share. Stages: linedef.c drives; ld_parse.c maps to structs (ld_read.c reads single values, ld_agree.c what copies must agree on, ld_review.c who reviews what);
 * ld_graph.c the order of stations; ld_see.c who sees what; ld_expr.c conditions. ld_values.c stands beside them: it checks values against
 * fields. */
#ifndef SUNLINE_LD_INT_H
#define SUNLINE_LD_INT_H
#include "proto/ld_schema.h"
#include "proto/ld_text.h"
#include "proto/linedef.h"
#include "proto/reader.h"

/* ---- arenas: memory that goes at once. A failed allocation is remembered, and everything after it may give up quietly ---- */
struct ld_chunk;
struct ld_arena { struct ld_chunk *head; bool failed; };
void *ld_get(struct ld_arena *a, size_t count, size_t each); /* zeroed; NULL: memory ran out (also for count 0 it is not NULL) */
void ld_arena_free(struct ld_chunk *head);

/* ---- one compilation ---- */
struct ld_item { const char *at; struct slp_bytes text; }; /* a string of the definition and its place */

struct ld_draft { /* what is known of a station until it is compiled */
    const char *at;             /* its place in the definition */
    bool form_unknown;          /* its fields could not be read: say nothing of fields that seem missing */
    bool has_after, has_shows, has_passes;
    uint32_t after_count, shows_count, passes_count, not_did_count;
    struct ld_item *after, *shows, *passes, *not_did, when, exhausted; /* when.text.p NULL: none */
    const char *shows_at, *reasons_at; /* of a review */
    struct slr gold, require;    /* p NULL: none */
    uint64_t ancestors[SL_LINE_STATIONS_MAX / 64];
    uint64_t *sees, *hands;     /* bit sets of slots: what comes to it, what it hands on */
    uint32_t first_slot;        /* slots: all input fields, then what each station gives, in the order of the file */
    struct slr jury;            /* of a tournament */
};
struct ld_found { const char *at, *path, *text; }; /* a problem */

struct ld_build {
    struct ld_arena keep, temp; /* keep becomes the line's; temp dies with the compilation */
    const char *base;           /* the definition's copy: places are pointers into it */
    size_t base_bytes;
    struct ld_line *line;
    struct ld_draft *drafts;    /* one a station */
    bool input_unknown, graph_broken;
    uint32_t slots, named;      /* named: stations of the file; behind them are juries */
    char path[256];             /* where the reader stands: "stations[2].form" */
    uint32_t path_n;
    uint32_t found_count, found_more; /* found_more: beyond SL_PROBLEMS_MAX */
    struct ld_found *found;
};
static inline bool ld_memory_out(const struct ld_build *b)
{
    return b->keep.failed || b->temp.failed;
}

/* The path grows by a key or an index, and is cut back to the length that these return. */
uint32_t ld_path_key(struct ld_build *b, struct slp_bytes key);
uint32_t ld_path_index(struct ld_build *b, uint32_t index);
/* A mistake at `at`, under the current path, or under a path that is given. */
void ld_problem(struct ld_build *b, const char *at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void ld_problem_on(struct ld_build *b, const char *at, const char *path, const char *format, ...) __attribute__((format(printf, 4, 5)));

static inline struct slp_bytes ld_str(const char *s)
{
    return (struct slp_bytes){ s, (uint32_t)__builtin_strlen(s) };
}
static inline bool ld_same(struct slp_bytes a, struct slp_bytes b)
{
    return a.n == b.n && (a.n == 0 || __builtin_memcmp(a.p, b.p, a.n) == 0);
}
/* ", did you mean 'x'?" from the likeliest of words offered one by one; "" if none is near. */
struct ld_guess { struct slp_bytes written, best; uint32_t likeness; char text[LD_QUOTE_BYTES + 24]; };
void ld_guess_begin(struct ld_guess *g, struct slp_bytes written);
void ld_guess_offer(struct ld_guess *g, struct slp_bytes word);
const char *ld_guess_end(struct ld_guess *g);

/* ---- the stages; each reports what it finds and goes on as far as that makes sense ---- */
void ld_parse(struct ld_build *b, struct slr r);  /* fills line and drafts */
/* The keys `copies` and `agree`, once the form is known: fills s->copies and appends what the station adds to its fields. */
void ld_agree(struct ld_build *b, struct slr copies, struct slr agree, struct ld_station *s, const struct ld_draft *d);
/* The keys of a review, and once the order is known what it reviews: its fields and its form (ld_review.c). */
void ld_review_keys(struct ld_build *b, const struct slr *vals, struct ld_station *s, struct ld_draft *d);
void ld_reviews(struct ld_build *b);
/* The keys that make a tournament, once the form is known; then, once all stations of the file are, its jury's station behind them. */
void ld_tournament(struct ld_build *b, struct slr vals[], struct ld_station *s, struct ld_draft *d);
void ld_jury(struct ld_build *b, uint32_t station);
/* The keys `window`, `require` (ld_require.c), and what of it can only be told once the whole station is known. */
void ld_window(struct ld_build *b, struct slr r, struct ld_station *s);
void ld_require(struct ld_build *b, struct slr r, struct ld_station *s);
void ld_require_check(struct ld_build *b, struct slr r, struct ld_station *s);
void ld_gold(struct ld_build *b);                 /* control tasks, when it is known what stations show */
void ld_graph(struct ld_build *b);                /* after, next, order, depth, ancestors */
void ld_not_did(struct ld_build *b);              /* whose work shuts out whom (ld_worker.c) */
void ld_see(struct ld_build *b);                  /* sees, hands, shows, when, outs */

/* ---- fields by name ---- */
/* Find the field that `name` names for station `reader`: 0, or -1 with why[] saying what is wrong ("" if nothing should be said, because
 * the cause is reported elsewhere). */
#define LD_WHY_BYTES 400
int ld_find_field(struct ld_build *b, uint32_t reader, struct slp_bytes name, struct ld_ref *ref, char why[LD_WHY_BYTES]);
const struct ld_field *ld_field_of(const struct ld_line *line, struct ld_ref ref);

/* Compile a condition of a station; NULL after a problem (or without memory). */
struct ld_expr *ld_expr_compile(struct ld_build *b, uint32_t station, struct ld_item source);
bool ld_expr_true(const struct ld_expr *e, ld_get_fn *get, void *arg);
struct slp_bytes ld_expr_source(const struct ld_expr *e);
#endif
