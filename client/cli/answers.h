/* All answers that were handed in at one station of a run, as votes for sunline_quality.h: an item is a unit (its number), a label is
 * what one field says, as text. Answers that came late or do not stand are among them: somebody gave them. */
#ifndef SUNLINE_CLI_ANSWERS_H
#define SUNLINE_CLI_ANSWERS_H
#include "client/cli/cli.h"
#include "client/sunline_quality.h"

struct answers {
    char station[SL_NAME_SIZE];
    struct sl_votes *votes;
    char *column;   /* "judge.entails" */
    uint64_t empty; /* answers that say nothing in this field: not among the votes */
};
/* station NULL: the only one of the run that has answers. field NULL: the station's only one. An exit code, after a message if it is not CLI_DONE (no answers at all is a failure). Free in
 * either case. */
int answers_read(struct cli *cli, const char *run, const char *station, const char *field, struct answers *a);
void answers_free(struct answers *a); /* safe to repeat */
#endif
