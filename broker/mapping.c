/* /proc/self/maps, read by a handler of signals: see mapping.h. */
#include "broker/mapping.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct lines {
    int fd;
    size_t at, n; /* of what was read */
    char read[1024];
    char line[MAPPING_LINE_BYTES_MAX];
};

static bool next_byte(struct lines *l, char *c)
{
    if (l->at == l->n) {
        ssize_t n = read(l->fd, l->read, sizeof l->read);
        if (n <= 0) {
            return false;
        }
        l->n = (size_t)n;
        l->at = 0;
    }
    *c = l->read[l->at++];
    return true;
}

static bool next_line(struct lines *l)
{
    size_t n = 0;
    char c;
    memset(l->line, 0, sizeof l->line);
    while (next_byte(l, &c)) {
        if (c == '\n') {
            return true;
        }
        if (n < sizeof l->line - 1) {
            l->line[n++] = c;
        }
    }
    return false;
}

static const char *hex(const char *p, uint64_t *v)
{
    *v = 0;
    for (;; p++) {
        if (*p >= '0' && *p <= '9') {
            *v = *v << 4 | (uint64_t)(*p - '0');
        } else if (*p >= 'a' && *p <= 'f') {
            *v = *v << 4 | (uint64_t)(*p - 'a' + 10);
        } else {
            return p;
        }
    }
}

/* "7f1000000000-7f2000000000 r--s 00000000 fe:01 4711     /var/lib/sunline/data.mdb". */
static bool find(struct lines *l, uintptr_t address, struct mapping *m)
{
    uint64_t from, to, offset;
    while (next_line(l)) {
        const char *p = hex(l->line, &from);
        p = hex(p + strlen("-"), &to);
        if (address < from || address >= to) {
            continue;
        }
        m->shared = p[strlen(" rwx")] == 's';
        hex(p + strlen(" rwxs "), &offset);
        m->byte = offset + (address - from);
        const char *file = strchr(l->line, '/');
        stpcpy(m->file, file != NULL ? file : "");
        return true;
    }
    return false;
}

bool mapping_at(uintptr_t address, struct mapping *m)
{
    struct lines l = { .fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC) };
    if (l.fd < 0) {
        return false;
    }
    bool found = find(&l, address, m);
    close(l.fd);
    return found;
}
