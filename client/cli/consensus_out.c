/* A consensus, made and described. */
#include "client/cli/consensus_out.h"

#include <string.h>

#include "client/cli/text.h"

static const char *const words[] = {
    [SL_PLURALITY] = "plurality", [SL_WAWA] = "wawa", [SL_DAWID_SKENE] = "dawid-skene"
};

bool consensus_method(const char *word, enum sl_method *method)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i]) == 0) {
            *method = (enum sl_method)i;
            return true;
        }
    }
    return false;
}

const char *consensus_word(enum sl_method method)
{
    return words[method];
}

int consensus_make(struct cli *cli, const struct answers *a, const struct sl_consensus_options *o,
                   struct sl_consensus **c)
{
    int rc = sl_consensus_new(a->votes, o, c);
    if (rc == SL_TOO_MANY) {
        return cli_fail(cli, "%s has %u different answers: too many for %s; use --method plurality", a->column,
                        sl_votes_labels(a->votes), consensus_word(o->method));
    }
    return rc == SL_OK ? CLI_DONE : cli_fail(cli, "%s: %s", consensus_word(o->method), sl_error_text(rc));
}

void consensus_note(struct cli *cli, const struct answers *a, const struct sl_consensus *c)
{
    char answers[TEXT_TIME_BYTES], workers[TEXT_TIME_BYTES], units[TEXT_TIME_BYTES], how[96] = "";
    if (c->method == SL_DAWID_SKENE) {
        snprintf(how, sizeof how, "%u iterations, %s, log-likelihood %.3f; ", c->iterations,
                 c->converged ? "converged" : "NOT converged", c->log_likelihood);
    }
    cli_note(cli, "%s: %s%s answers of %s workers to %s units", consensus_word(c->method), how,
             text_count(sl_votes_count(a->votes), answers), text_count(c->workers, workers),
             text_count(c->items, units));
    if (a->empty) {
        cli_note(cli, "%s answers say nothing in %s and were left out", text_count(a->empty, answers), a->column);
    }
}
