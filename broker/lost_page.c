/* The handler of SIGBUS: see lost_page.h, also for what may be called here. */
#include "broker/lost_page.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "broker/log.h"

#define LINE_BYTES_MAX 512 /* of /proc/self/maps; a longer path is cut */

static lost_page_fn *tell_of_it;

struct maps {
    int fd;
    size_t at, n; /* of what was read */
    char read[1024];
    char line[LINE_BYTES_MAX];
};

static bool next_byte(struct maps *m, char *c)
{
    if (m->at == m->n) {
        ssize_t n = read(m->fd, m->read, sizeof m->read);
        if (n <= 0) {
            return false;
        }
        m->n = (size_t)n;
        m->at = 0;
    }
    *c = m->read[m->at++];
    return true;
}

static bool next_line(struct maps *m)
{
    size_t n = 0;
    char c;
    memset(m->line, 0, sizeof m->line);
    while (next_byte(m, &c)) {
        if (c == '\n') {
            return true;
        }
        if (n < sizeof m->line - 1) {
            m->line[n++] = c;
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

/* "7f1000000000-7f2000000000 r--s 00000000 fe:01 4711     /var/lib/sunline/data.mdb". *page's file lies in m. */
static bool find_mapping(struct maps *m, uint64_t touched, struct lost_page *page)
{
    uint64_t from, to, offset;
    while (next_line(m)) {
        const char *p = hex(m->line, &from);
        p = hex(p + strlen("-"), &to);
        if (touched < from || touched >= to) {
            continue;
        }
        bool shared = p[strlen(" rwx")] == 's';
        hex(p + strlen(" rwxs "), &offset);
        page->file = strchr(m->line, '/');
        page->byte = offset + (touched - from);
        return shared && page->file != NULL;
    }
    return false;
}

/* NULL: it is not about a page of a file. */
static const char *why(int code)
{
    switch (code) {
    case BUS_ADRERR:
        return "a page of the store cannot be read, or not written: the disk is damaged, full, or over its quota";
    case BUS_MCEERR_AR: return "a page of the store cannot be read: the machine's memory is damaged";
    default: return NULL;
    }
}

static void on_bus_error(int signo, siginfo_t *info, void *context)
{
    struct maps m = { .fd = -1 };
    struct lost_page page = { .why = why(info->si_code) };
    (void)context;
    if (page.why != NULL) {
        m.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    }
    if (m.fd >= 0 && find_mapping(&m, (uintptr_t)info->si_addr, &page)) {
        _exit(tell_of_it(&page));
    }
    signal(signo, SIG_DFL);
    raise(signo); /* it waits until the handler is left */
    if (m.fd >= 0) {
        close(m.fd);
    }
}

void lost_page_catch(lost_page_fn *tell)
{
    tell_of_it = tell;
    sigaction(SIGBUS, &(struct sigaction){ .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO }, NULL);
}

void lost_page_print(const struct lost_page *page)
{
    char text[2 * LINE_BYTES_MAX], digits[LOG_DIGITS_MAX + 1];
    char *end = stpcpy(text, "sunlined: ");
    digits[log_digits(digits, page->byte, 1)] = '\0';
    end = stpcpy(stpcpy(stpcpy(end, page->file), ": "), page->why);
    end = stpcpy(stpcpy(stpcpy(end, ", at byte "), digits), "\n");
    while (write(STDERR_FILENO, text, (size_t)(end - text)) < 0 && errno == EINTR) {}
}
