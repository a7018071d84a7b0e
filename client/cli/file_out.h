/* A file that appears only when it is complete: written beside its place under another name, then synced and
 * renamed. */
#ifndef SUNLINE_CLI_FILE_OUT_H
#define SUNLINE_CLI_FILE_OUT_H
#include <limits.h>
#include <stdio.h>

struct cli;
struct file_out {
    struct cli *cli;
    FILE *f;
    const char *path; /* borrowed: where it will be */
    char beside[PATH_MAX];
};
/* An exit code; after CLI_DONE, exactly one of the two others must follow. */
int file_out_begin(struct file_out *o, struct cli *cli, const char *path);
int file_out_finish(struct file_out *o);
void file_out_abandon(struct file_out *o);
#endif
