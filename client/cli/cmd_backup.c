/* sunline backup: a copy of the store, made by the broker while work goes on. */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/args.h"
#include "client/cli/family.h"
#include "client/cli/json_out.h"

int cmd_backup(struct cli *cli, int argc, char **argv)
{
    char path[PATH_MAX];
    if (args_parse(cli, argc, argv, NULL, 1, 1) < 0) {
        return CLI_USAGE;
    }
    /* A relative name means this folder, as people expect; that is right as long as broker and people share a
     * machine. */
    char here[PATH_MAX];
    if (argv[1][0] != '/' && !getcwd(here, sizeof here)) {
        return cli_fail(cli, "cannot tell the present folder; give an absolute path");
    }
    int n = argv[1][0] == '/' ? snprintf(path, sizeof path, "%s", argv[1])
                              : snprintf(path, sizeof path, "%s/%s", here, argv[1]);
    if (n < 0 || (size_t)n >= sizeof path) {
        return cli_fail(cli, "the path is too long");
    }
    struct sl_info info;
    if (session_open(cli) ||
        session_check(cli, sl_info(cli->sl, &info), NULL)) { /* says at once if there is no broker */
        return CLI_FAILED;
    }
    if (session_check(cli, sl_backup(cli->sl, path, 0), path)) {
        return CLI_FAILED;
    }
    if (cli->json) {
        return json_line(cli, json_pack("{s:s}", "backup", path));
    }
    fprintf(cli->out, "backup written to %s\n", path);
    return CLI_DONE;
}
