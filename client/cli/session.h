/* The connection to the broker, as commands use it: opened once, errors said in one way, Ctrl-C noticed. */
#ifndef SUNLINE_CLI_SESSION_H
#define SUNLINE_CLI_SESSION_H
#include "client/cli/cli.h"
#include "client/sunline.h"

/* Open cli->sl if it is not open. CLI_DONE, or CLI_FAILED after a message. The link itself is made with the first
 * request. */
int session_open(struct cli *cli);
void session_close(struct cli *cli);

/* What became of a library call: CLI_DONE for SL_OK, else CLI_FAILED after "sunline: [what: ]CODE: text (place)";
 * what may be NULL. */
int session_check(struct cli *cli, int rc, const char *what);
/* Has somebody pressed Ctrl-C or asked for the end (SIGTERM)? */
bool session_interrupted(void);
/* From now on SIGINT and SIGTERM are noted for session_interrupted (a second one kills, as usual) instead of ending
 * the process. */
void session_catch_signals(void);
#endif
