/* sunline run quality: how far the workers of a station agree, each beside the consensus, and what divides them most. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/answers.h"
#include "client/cli/args.h"
#include "client/cli/consensus_out.h"
#include "client/cli/family.h"
#include "client/cli/json_out.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

struct quality {
    struct cli *cli;
    const char *run, *station;
    struct answers a;
    struct sl_consensus *c;
    double agreement, nominal, interval; /* interval NaN: the labels are no numbers */
    uint64_t pairs;
    struct sl_worker_quality *workers;
    uint64_t *counts; /* [worker][label of the unit][said] */
    uint32_t *order;  /* workers, those with most answers first */
    uint32_t *labels; /* in order of their bytes */
    struct sl_disagreement *worst;
    uint32_t worst_n;
};

static int by_answers(const void *x, const void *y, void *arg)
{
    const struct quality *q = arg;
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    if (q->workers[a].answers != q->workers[b].answers) {
        return q->workers[a].answers > q->workers[b].answers ? -1 : 1;
    }
    return strcmp(sl_votes_worker(q->a.votes, a), sl_votes_worker(q->a.votes, b));
}

static int by_bytes(const void *x, const void *y, void *arg)
{
    const struct quality *q = arg;
    return strcmp(sl_votes_label(q->a.votes, *(const uint32_t *)x), sl_votes_label(q->a.votes, *(const uint32_t *)y));
}

static int compute(struct quality *q, uint32_t limit)
{
    size_t workers = q->c->workers, labels = q->c->labels;
    if (workers * labels * labels > SL_DAWID_SKENE_CELLS_MAX) {
        return cli_fail(q->cli, "%s has %u different answers: too many for a confusion matrix", q->a.column,
                        q->c->labels);
    }
    q->workers = calloc(workers, sizeof *q->workers);
    q->counts = calloc(workers * labels * labels, sizeof *q->counts);
    q->order = calloc(workers, sizeof *q->order);
    q->labels = calloc(labels, sizeof *q->labels);
    q->worst = calloc(limit + 1ul, sizeof *q->worst);
    if (!q->workers || !q->counts || !q->order || !q->labels || !q->worst) {
        return cli_nomem(q->cli);
    }
    int rc = sl_agreement(q->a.votes, &q->agreement, &q->pairs);
    if (rc == SL_OK) {
        rc = sl_alpha(q->a.votes, SL_NOMINAL, &q->nominal, NULL);
    }
    if (rc == SL_OK) {
        rc = sl_alpha(q->a.votes, SL_INTERVAL, &q->interval, NULL);
    }
    if (rc == SL_BAD_VALUE) {
        q->interval = NAN;
        rc = SL_OK;
    }
    if (rc == SL_OK) {
        rc = sl_workers_quality(q->a.votes, q->c, q->workers, q->counts);
    }
    if (rc == SL_OK) {
        rc = sl_disagreements(q->a.votes, q->worst, limit, &q->worst_n);
    }
    if (rc != SL_OK) {
        return cli_fail(q->cli, "%s", sl_error_text(rc));
    }
    for (uint32_t i = 0; i < workers; i++) {
        q->order[i] = i;
    }
    qsort_r(q->order, workers, sizeof *q->order, by_answers, q);
    for (uint32_t i = 0; i < labels; i++) {
        q->labels[i] = i;
    }
    qsort_r(q->labels, labels, sizeof *q->labels, by_bytes, q);
    return CLI_DONE;
}

/* How often each label was given to a unit: into n[labels]. */
static void count_votes(const struct quality *q, uint32_t item, uint64_t *n)
{
    memset(n, 0, q->c->labels * sizeof *n);
    for (uint64_t k = 0; k < sl_votes_count(q->a.votes); k++) {
        const struct sl_vote *v = sl_votes_at(q->a.votes, k);
        n[v->label] += v->item == item;
    }
}

/* ---- for people ---- */

static const char *share(double v, char buf[16])
{
    if (isnan(v)) {
        return "-";
    }
    snprintf(buf, 16, "%.4f", v);
    return buf;
}

/* "yes>no:3": where it was yes, said no three times. */
static void confusion_text(const struct quality *q, uint32_t worker, struct slp_buf *b)
{
    uint32_t labels = q->c->labels;
    const uint64_t *n = q->counts + (size_t)worker * labels * labels;
    char count[24];
    slp_buf_clear(b);
    for (uint32_t k = 0; k < labels * labels; k++) {
        uint32_t of = q->labels[k / labels], to = q->labels[k % labels], i = of * labels + to;
        if (n[i]) {
            const char *was = sl_votes_label(q->a.votes, of), *said = sl_votes_label(q->a.votes, to);
            slp_buf_add(b, " ", b->n ? 1 : 0);
            slp_buf_add(b, was, strlen(was));
            slp_buf_add(b, ">", 1);
            slp_buf_add(b, said, strlen(said));
            slp_buf_add(b, count, (size_t)snprintf(count, sizeof count, ":%llu", (unsigned long long)n[i]));
        }
    }
}

static void votes_text(const struct quality *q, const uint64_t *n, struct slp_buf *b)
{
    char count[24];
    slp_buf_clear(b);
    for (uint32_t k = 0; k < q->c->labels; k++) {
        uint32_t i = q->labels[k];
        if (n[i]) {
            const char *label = sl_votes_label(q->a.votes, i);
            slp_buf_add(b, " ", b->n ? 1 : 0);
            slp_buf_add(b, label, strlen(label));
            slp_buf_add(b, count, (size_t)snprintf(count, sizeof count, ":%llu", (unsigned long long)n[i]));
        }
    }
}

static int print_text(struct quality *q)
{
    FILE *out = q->cli->out;
    char a[TEXT_TIME_BYTES], b[TEXT_TIME_BYTES], c[TEXT_TIME_BYTES], x[16], y[16];
    struct slp_buf text = { 0 };
    struct table t;
    uint64_t *votes = calloc(q->c->labels, sizeof *votes);
    if (!votes) {
        return cli_nomem(q->cli);
    }
    fprintf(out, "run        %s, ", q->run);
    text_put(out, q->a.column, strlen(q->a.column));
    fprintf(out, "\nanswers    %s, of %s workers to %s units; %u different\n",
            text_count(sl_votes_count(q->a.votes), a), text_count(q->c->workers, b), text_count(q->c->items, c),
            q->c->labels);
    fprintf(out, "agreement  %s of %s pairs of answers\n", share(q->agreement, x), text_count(q->pairs, a));
    fprintf(out, "alpha      %s nominal, %s interval\n", share(q->nominal, x), share(q->interval, y));
    fprintf(out, "consensus  %s", consensus_word(q->c->method));
    if (q->c->method == SL_DAWID_SKENE) {
        fprintf(out, ", %u iterations, %s", q->c->iterations, q->c->converged ? "converged" : "NOT converged");
    }
    fputs("\n\n", out);
    table_begin(&t, out, true, q->cli->color, "WORKER|>ANSWERS|>AGREED|>SHARE|CONFUSION (consensus>said:times)");
    for (uint32_t i = 0; i < q->c->workers; i++) {
        const struct sl_worker_quality *w = &q->workers[q->order[i]];
        confusion_text(q, q->order[i], &text);
        table_str(&t, sl_votes_worker(q->a.votes, q->order[i]));
        table_u64(&t, w->answers);
        table_u64(&t, w->agreed);
        table_str(&t, share(w->agreement, x));
        table_text(&t, (struct slp_bytes){ text.p, (uint32_t)text.n });
    }
    bool whole = table_end(&t);
    if (q->worst_n) {
        fputc('\n', out);
        table_begin(&t, out, true, q->cli->color, ">UNIT|>ANSWERS|>ENTROPY|VOTES");
        for (uint32_t i = 0; i < q->worst_n; i++) {
            count_votes(q, q->worst[i].item, votes);
            votes_text(q, votes, &text);
            table_str(&t, sl_votes_item(q->a.votes, q->worst[i].item));
            table_u64(&t, q->worst[i].votes);
            table_str(&t, share(q->worst[i].bits, x));
            table_text(&t, (struct slp_bytes){ text.p, (uint32_t)text.n });
        }
        whole = table_end(&t) && whole;
    }
    whole = whole && !text.failed;
    slp_buf_free(&text);
    free(votes);
    return whole ? CLI_DONE : cli_nomem(q->cli);
}

/* ---- for programs ---- */

static json_t *number_or_null(double v)
{
    return isnan(v) ? json_null() : json_real(v);
}

/* {"no": 2, "yes": 3} of n[labels], without zeros */
static json_t *json_counts(const struct quality *q, const uint64_t *n)
{
    json_t *o = json_object();
    for (uint32_t i = 0; i < q->c->labels; i++) {
        if (n[i]) {
            json_object_set_new(o, sl_votes_label(q->a.votes, i), json_integer((json_int_t)n[i]));
        }
    }
    return o;
}

static json_t *json_worker(const struct quality *q, uint32_t worker)
{
    uint32_t labels = q->c->labels;
    json_t *confusion = json_object();
    for (uint32_t i = 0; i < labels; i++) {
        json_t *row = json_counts(q, q->counts + ((size_t)worker * labels + i) * labels);
        if (json_object_size(row)) {
            json_object_set(confusion, sl_votes_label(q->a.votes, i), row);
        }
        json_decref(row);
    }
    const struct sl_worker_quality *w = &q->workers[worker];
    return json_pack("{s:s, s:I, s:I, s:f, s:o}", "worker", sl_votes_worker(q->a.votes, worker), "answers",
                     (json_int_t)w->answers, "agreed", (json_int_t)w->agreed, "agreement", w->agreement, "confusion",
                     confusion);
}

static int print_json(struct quality *q)
{
    json_t *workers = json_array(), *worst = json_array();
    uint64_t *votes = calloc(q->c->labels, sizeof *votes);
    for (uint32_t i = 0; i < q->c->workers; i++) {
        json_array_append_new(workers, json_worker(q, q->order[i]));
    }
    for (uint32_t i = 0; votes && i < q->worst_n; i++) {
        count_votes(q, q->worst[i].item, votes);
        json_array_append_new(
            worst, json_pack("{s:I, s:i, s:f, s:o}", "unit",
                             (json_int_t)strtoull(sl_votes_item(q->a.votes, q->worst[i].item), NULL, 10), "answers",
                             (int)q->worst[i].votes, "entropy_bits", q->worst[i].bits, "votes", json_counts(q, votes)));
    }
    json_t *all = !votes
                      ? NULL
                      : json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:I, s:o, s:o, s:s, s:i, s:b, s:f, s:O, s:O}", "run",
                                  q->run, "field", q->a.column, "answers", (json_int_t)sl_votes_count(q->a.votes),
                                  "empty", (json_int_t)q->a.empty, "units", (json_int_t)q->c->items, "agreement",
                                  number_or_null(q->agreement), "pairs", (json_int_t)q->pairs, "alpha_nominal",
                                  number_or_null(q->nominal), "alpha_interval", number_or_null(q->interval), "method",
                                  consensus_word(q->c->method), "iterations", (int)q->c->iterations, "converged",
                                  (int)q->c->converged, "log_likelihood", q->c->log_likelihood, "workers", workers,
                                  "disagreements", worst);
    json_decref(workers);
    json_decref(worst);
    free(votes);
    return json_line(q->cli, all);
}

int cmd_run_quality(struct cli *cli, int argc, char **argv)
{
    const char *field = NULL, *method = "dawid-skene";
    uint64_t limit = 10;
    struct quality q = { .cli = cli };
    struct sl_consensus_options options = { 0 };
    const struct arg args[] = { { "--station", ARG_TEXT, &q.station, NULL, 0, 0 },
                                { "--field", ARG_TEXT, &field, NULL, 0, 0 },
                                { "--method", ARG_TEXT, &method, NULL, 0, 0 },
                                { "--limit", ARG_U64, &limit, NULL, 10000, 0 },
                                { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 1, 1) < 0) {
        return CLI_USAGE;
    }
    if (!consensus_method(method, &options.method)) {
        return cli_misuse(cli, "--method is plurality, wawa or dawid-skene, not '%s'", method);
    }
    q.run = argv[1];
    int code = answers_read(cli, q.run, q.station, field, &q.a);
    if (!code) {
        code = consensus_make(cli, &q.a, &options, &q.c);
    }
    if (!code) {
        code = compute(&q, (uint32_t)limit);
    }
    if (!code) {
        code = cli->json ? print_json(&q) : print_text(&q);
    }
    free(q.workers);
    free(q.counts);
    free(q.order);
    free(q.labels);
    free(q.worst);
    sl_consensus_free(&q.c);
    answers_free(&q.a);
    return code;
}
