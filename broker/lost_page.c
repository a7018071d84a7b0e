/* The handler of SIGBUS: see lost_page.h, also for what may be called here. */
#include "broker/lost_page.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "broker/log.h"
#include "broker/mapping.h"

static lost_page_fn *tell_of_it;

/* NULL: it is not about a page of a file. */
static const char *why(int code)
{
    switch (code) {
    case BUS_ADRERR:
        return "a page of the store cannot be read, or not written: the disk is damaged, full, or over its quota, or a "
               "damaged page leads to where the file has none";
    case BUS_MCEERR_AR: return "a page of the store cannot be read: the machine's memory is damaged";
    default: return NULL;
    }
}

static void on_bus_error(int signo, siginfo_t *info, void *context)
{
    struct mapping m;
    struct lost_page page = { .why = why(info->si_code) };
    (void)context;
    if (page.why != NULL && mapping_at((uintptr_t)info->si_addr, &m) && m.shared && *m.file != '\0') {
        page.file = m.file;
        page.byte = m.byte;
        _exit(tell_of_it(&page));
    }
    signal(signo, SIG_DFL);
    raise(signo); /* it waits until the handler is left */
}

void lost_page_catch(lost_page_fn *tell)
{
    tell_of_it = tell;
    sigaction(SIGBUS, &(struct sigaction){ .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO }, NULL);
}

void lost_page_print(const struct lost_page *page)
{
    char text[2 * MAPPING_LINE_BYTES_MAX], digits[LOG_DIGITS_MAX + 1];
    char *end = stpcpy(text, "sunlined: ");
    digits[log_digits(digits, page->byte, 1)] = '\0';
    end = stpcpy(stpcpy(stpcpy(end, page->file), ": "), page->why);
    end = stpcpy(stpcpy(stpcpy(end, ", at byte "), digits), "\n");
    log_raw(STDERR_FILENO, text, (size_t)(end - text));
}
