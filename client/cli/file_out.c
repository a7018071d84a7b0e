/* Complete files only. */
#include "client/cli/file_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/cli.h"

int file_out_begin(struct file_out *o, struct cli *cli, const char *path)
{
    *o = (struct file_out){ .cli = cli, .path = path };
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) { /* /dev/stdout, a pipe: renaming over it would be wrong */
        if (S_ISDIR(st.st_mode)) {
            return cli_fail(cli, "%s: is a folder", path);
        }
        o->f = fopen(path, "w");
        return o->f ? CLI_DONE : cli_fail(cli, "%s: %s", path, strerror(errno));
    }
    int n = snprintf(o->beside, sizeof o->beside, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof o->beside) {
        return cli_fail(cli, "%s: the path is too long", path);
    }
    int fd = mkstemp(o->beside);
    if (fd < 0) {
        return cli_fail(cli, "%s: %s", path, strerror(errno));
    }
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask); /* mkstemp's 0600 is for secrets; this is an ordinary file */
    o->f = fdopen(fd, "w");
    if (!o->f) {
        close(fd);
        unlink(o->beside);
        return cli_nomem(cli);
    }
    return CLI_DONE;
}

void file_out_abandon(struct file_out *o)
{
    fclose(o->f);
    if (o->beside[0]) {
        unlink(o->beside);
    }
}

int file_out_finish(struct file_out *o)
{
    bool ok = fflush(o->f) == 0 && !ferror(o->f) && (!o->beside[0] || fsync(fileno(o->f)) == 0);
    int error = errno;
    if (fclose(o->f) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (ok && o->beside[0] && rename(o->beside, o->path) != 0) {
        ok = false;
        error = errno;
    }
    if (!ok) {
        if (o->beside[0]) {
            unlink(o->beside);
        }
        return cli_fail(o->cli, "%s: %s", o->path, strerror(error));
    }
    return CLI_DONE;
}
