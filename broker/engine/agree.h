/* How independent answers to one task become one: pure rules over values, for the engine, which decides by them, and the readers, which tell who
 * agreed. Answers are given in the order in which they counted. Integers only, so that the same answers decide the same everywhere.
 *
 * Answers are grouped: each joins the first group whose first answer is the same by the fields of `agree.on` (see agree_same). Then
 *
 *   plurality   the group with the most answers wins; its confidence is its share. What a tie means, `ties` says.
 *   all         every answer is kept; the outcome's fields are lists.
 *   posterior   dynamic overlap, as Toloka documents it (toloka.ai/docs, "Dynamic overlap", and the crowd-kit sources): a worker who answered
 *               `correct` of `total` control tasks as they should be has the quality q = (K + correct) / (2K + total), K = 0.5. Each
 *               answer is right with probability q and else any of the other Y - 1 answers with (1 - q) / (Y - 1) each. With a uniform prior
 *               the posterior of an answer v is the product of these likelihoods over all answers, divided by its sum over all Y. Dividing all Y products by
 *               the likelihood of everybody being wrong leaves, for v, the product of (Y - 1)(1 + 2 correct) / (1 + 2 total - 2 correct)
 *               over those who answered v, and 1 for what nobody answered. These factors are multiplied as 64-bit mantissas with an exponent of two,
 *               cut after each product, within a group in the order of their values; the share is in millionths, rounded down. */
#ifndef SUNLINE_ENGINE_AGREE_H
#define SUNLINE_ENGINE_AGREE_H
#include "proto/linedef.h"

struct agree_answer {
    struct slp_list values;  /* of the form, as submitted */
    uint32_t correct, total; /* control tasks of its worker at this station */
    uint32_t group;          /* out: the group's first answer, by index */
};
enum agree_what { AGREE_MORE, AGREE_DONE, AGREE_FAIL }; /* one more answer is needed; winner stands; a tie that may not be decided */
struct agree_verdict {
    enum agree_what what;
    enum ld_rule rule;       /* of DONE */
    uint32_t winner;         /* the first answer of the leading group; of method all the last one */
    uint32_t votes, answers; /* of the leading group, of all */
    uint32_t confidence_micros;
};

/* Each joins the first group whose first answer is the same. */
void agree_group(const struct ld_station *s, struct agree_answer *a, uint32_t n);
/* n answers (1 to SL_COPIES_MAX, or more where an operator asked for more) are in, none is under way: what now? */
void agree_decide(const struct ld_station *s, struct agree_answer *a, uint32_t n, struct agree_verdict *v);

/* Do two results say the same, by the fields and the allowances of the station's `agree`? Missing, nil, an empty text and an empty list are the same.
 * Texts: with `ignore: [case]` the letters of ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic count without their case, with `ignore: [space]`
 * blanks at the ends do not count and any others as one. Numbers: as decimals, exactly; with a tolerance, or where one of them was sent as a binary
 * fraction, to twelve decimals. Lists of a check_box: in any order. */
bool agree_value_same(const struct ld_field *f, const struct ld_copies *c, struct slp_bytes a, struct slp_bytes b); /* one field; p NULL: missing. Of c, how to compare */
bool agree_same(const struct ld_station *s, const struct slp_list *a, const struct slp_list *b);
#endif
