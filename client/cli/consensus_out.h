/* What `run aggregate` and `run quality` share: making a consensus, and saying how it was made. */
#ifndef SUNLINE_CLI_CONSENSUS_OUT_H
#define SUNLINE_CLI_CONSENSUS_OUT_H
#include "client/cli/answers.h"

bool consensus_method(const char *word, enum sl_method *method); /* false: no such word */
const char *consensus_word(enum sl_method method);
/* An exit code, after a message if it is not CLI_DONE; *c must be freed after CLI_DONE. */
int consensus_make(struct cli *cli, const struct answers *a, const struct sl_consensus_options *o, struct sl_consensus **c);
/* "dawid-skene: 21 iterations, converged; ..." as a remark. */
void consensus_note(struct cli *cli, const struct answers *a, const struct sl_consensus *c);
#endif
