/* What is in an agent's folder: opens it with the agent's own code, as a start after a power cut would, and tells what it found. For a driver: a line of
 * stdin is "DIR", the answer goes to stdout:
 *
 *   agent HEX N          its id and the incarnation of this start
 *   result N HEX         an unsent result of assignment N: the packed item
 *   task N               a begun task
 *   draft N HEX          its draft
 *   refused TEXT         it cannot be opened; nothing follows but `end`
 *   end */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker-agent/datadir.h"
#include "worker-agent/journal.h"
#include "worker-agent/outbox.h"

static void hex(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        printf("%02x", (unsigned char)p[i]);
    putchar('\n');
}

static void on_result(void *arg, const struct outbox_entry *e)
{
    (void)arg;
    printf("result %" PRIu64 " ", e->assignment);
    hex(e->packed.p, e->packed.n);
}

static void on_form(void *arg, struct slp_bytes body)
{
    (void)arg, (void)body;
}

struct begun {
    uint64_t assignments[1024];
    size_t n;
};

static void on_task(void *arg, const struct core_task *t)
{
    struct begun *b = arg;
    if (b->n == sizeof b->assignments / sizeof *b->assignments)
        abort();
    b->assignments[b->n++] = t->assignment;
}

static void open_folder(const char *path)
{
    struct datadir d;
    struct begun begun = { .n = 0 };
    const struct journal_events events = { on_form, on_task, &begun };
    char text[512];
    int rc = 0;
    if (datadir_open(&d, path, text, sizeof text) != 0) {
        printf("refused %s\n", text);
        return;
    }
    printf("agent ");
    for (size_t i = 0; i < sizeof d.id; i++)
        printf("%02x", d.id[i]);
    printf(" %" PRIu64 "\n", d.incarnation);
    struct journal *j = journal_open(d.fd, &events, &rc);
    if (j == NULL)
        printf("refused journal: %s\n", strerror(rc));
    for (size_t i = 0; i < begun.n; i++) {
        struct slp_bytes draft = journal_draft_of(j, begun.assignments[i]);
        printf("task %" PRIu64 "\n", begun.assignments[i]);
        if (draft.n > 0) {
            printf("draft %" PRIu64 " ", begun.assignments[i]);
            hex(draft.p, draft.n);
        }
    }
    struct outbox *o = agent_outbox_open(d.fd, 0, on_result, NULL, &rc);
    if (o == NULL)
        printf("refused outbox: %s\n", strerror(rc));
    agent_outbox_close(&o);
    journal_close(&j);
    datadir_close(&d);
}

int main(void)
{
    char line[4096];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        open_folder(line);
        printf("end\n");
        fflush(stdout);
    }
    return 0;
}
