/* How many may work at a gate, of all who are on rosters, and how many of these are kept out of its station now: suspended there, in training, or short of what it requires.
 *
 * Where a gate names no hub and no team and nobody can be kept out, that is a sum over profiles. Elsewhere everybody must be looked at once: from the moment on when somebody
 * asks, in portions, of which a small company needs one. From then on each roster, skill and measure that changes moves the counts by one, and a bit for each
 * worker remembers how he was counted. Memory only: a start counts anew what is asked.
 *
 * Whose bar is known counts as it says, which is what matching goes by; of the others the record is read. */
#include "broker/engine/internal.h"

#define LOOKS_A_STEP 65536 /* at workers who do not pass */
#define READS_A_STEP 1000  /* of records of those who do */

struct heads {
    uint32_t next; /* the first worker who was not looked at; 0: all were */
    uint32_t staff, out;
    uint32_t words;
    bool gained, lost; /* by this step */
    uint64_t *bits;    /* by worker - 1: he passes, and is kept out */
};

static bool is_counted(const struct gate *g)
{
    return g->listed || g->key;
}

static bool bit(const struct heads *t, uint32_t worker)
{
    uint32_t i = (worker - 1) / 64;
    return i < t->words && t->bits[i] >> ((worker - 1) % 64) & 1;
}

static void bit_set(struct engine *e, struct heads *t, uint32_t worker, bool to)
{
    uint32_t i = (worker - 1) / 64;
    uint64_t *v = i < t->words || to ? grow(e, t->bits, &t->words, i + 1, sizeof *v) : NULL,
             one = 1ull << (worker - 1) % 64;
    if (!v)
        return;
    t->bits = v;
    v[i] = to ? v[i] | one : v[i] & ~one;
}

static bool was_looked_at(const struct heads *t, const struct worker *w)
{
    return !t->next || w->id < t->next;
}

/* True: his record was read. */
static bool count_in(struct engine *e, uint32_t gate, struct worker *w)
{
    const struct gate *g = &e->m.gate[gate];
    struct heads *t = g->heads;
    if (!gate_takes(e, gate, w))
        return false;
    t->staff++;
    if (!g->key)
        return false;
    if (standing_out(e, w, g->key)) {
        t->out++;
        bit_set(e, t, w->id, true);
    }
    return !w->bar_known;
}

static void tell(struct engine *e, struct heads *t, bool gained, bool lost)
{
    if (!t)
        return;
    t->gained = t->gained || gained;
    t->lost = t->lost || lost;
    e->heads_news = true;
}

static void go_on(struct engine *e, uint32_t gate)
{
    struct heads *t = e->m.gate[gate].heads;
    uint32_t reads = 0;
    for (uint32_t looks = portion(e, LOOKS_A_STEP); t->next && looks && reads < READS_A_STEP && !e->rc; looks--) {
        if (t->next > e->meta.worker) {
            t->next = 0;
            e->heads_counting--;
            return;
        }
        struct worker *w = worker_at(e, t->next++);
        if (w)
            reads += count_in(e, gate, w);
    }
}

static void begin(struct engine *e, uint32_t gate)
{
    struct gate *g = &e->m.gate[gate];
    if (!g->heads && !(g->heads = calloc(1, sizeof *g->heads))) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    struct heads *t = g->heads;
    e->heads_counting += !t->next;
    t->staff = t->out = 0;
    t->next = 1;
    if (t->words)
        memset(t->bits, 0, t->words * sizeof *t->bits);
    go_on(e, gate);
}

static uint32_t sum(struct engine *e, struct gate *g, uint32_t gate)
{
    if (g->staff_at == e->staff_changes + 1)
        return g->staff;
    g->staff = 0;
    for (uint32_t i = 0; i < e->m.profiles; i++)
        if (e->m.profile[i] && e->m.profile[i]->fits[gate / 64] >> (gate % 64) & 1)
            g->staff += e->m.profile[i]->workers;
    g->staff_at = e->staff_changes + 1;
    return g->staff;
}

bool staff_known(struct engine *e, uint32_t gate, uint32_t *staff, uint32_t *out)
{
    struct gate *g = &e->m.gate[gate];
    *out = 0;
    if (!is_counted(g)) {
        *staff = sum(e, g, gate);
        return true;
    }
    if (!g->heads)
        begin(e, gate);
    if (e->rc || g->heads->next)
        return false;
    *staff = g->heads->staff;
    *out = g->heads->out;
    return true;
}

bool staff_is_out(const struct engine *e, uint32_t gate, uint32_t worker)
{
    const struct heads *t = e->m.gate[gate].heads;
    return t && bit(t, worker);
}

void staff_leaves(struct engine *e, struct worker *w)
{
    e->staff_changes++;
    for (uint32_t i = 0; i < e->m.gates; i++) {
        struct heads *t = e->m.gate[i].heads;
        if (!t || !was_looked_at(t, w) || !gate_takes(e, i, w))
            continue;
        t->staff--;
        t->out -= bit(t, w->id);
        bit_set(e, t, w->id, false);
    }
}

void staff_joins(struct engine *e, struct worker *w)
{
    e->staff_changes++;
    for (uint32_t i = 0; i < e->m.gates; i++)
        if (e->m.gate[i].heads && was_looked_at(e->m.gate[i].heads, w))
            count_in(e, i, w);
}

void staff_measured(struct engine *e, struct worker *w, uint32_t key)
{
    for (uint32_t i = 0; i < e->m.gates && !e->rc; i++) {
        struct gate *g = &e->m.gate[i];
        struct heads *t = g->heads;
        if (!g->key || (key && g->key != key) || (!t && !key) || (t && !was_looked_at(t, w)) || !gate_takes(e, i, w))
            continue;
        bool out = standing_out(e, w, g->key);
        if (!t && out) { /* who is still there may have been the last one */
            begin(e, i);
            tell(e, g->heads, false, true);
        } else if (t && out != bit(t, w->id)) {
            bit_set(e, t, w->id, out);
            t->out += out ? 1 : UINT32_MAX;
            tell(e, t, !out, out);
        }
    }
}

void staff_anew(struct engine *e, uint32_t key)
{
    for (uint32_t i = 0; i < e->m.gates; i++)
        if (e->m.gate[i].key == key && e->m.gate[i].heads) {
            begin(e, i);
            tell(e, e->m.gate[i].heads, true, true);
        }
}

void staff_counted_anew(struct engine *e, uint32_t gate)
{
    const struct gate *g = &e->m.gate[gate];
    struct heads *t = g->heads;
    if (g->key && t && !t->next)
        tell(e, t, true, t->out != 0);
}

void staff_step(struct engine *e)
{
    for (uint32_t i = 0; e->heads_counting && i < e->m.gates; i++)
        if (e->m.gate[i].heads && e->m.gate[i].heads->next) {
            go_on(e, i);
            if (!e->m.gate[i].heads->next) /* until now nobody knew */
                tell(e, e->m.gate[i].heads, true, true);
            return;
        }
}

void staff_news(const struct engine *e, const struct station *st, bool *gained, bool *lost)
{
    const struct heads *t = e->heads_news && st->gate ? e->m.gate[st->gate - 1].heads : NULL;
    *gained = t && t->gained;
    *lost = t && t->lost;
}

void staff_told(struct engine *e)
{
    for (uint32_t i = 0; e->heads_news && i < e->m.gates; i++)
        if (e->m.gate[i].heads)
            e->m.gate[i].heads->gained = e->m.gate[i].heads->lost = false;
    e->heads_news = false;
}

void staff_forget(struct engine *e, struct gate *g)
{
    if (!g->heads)
        return;
    e->heads_counting -= g->heads->next != 0;
    free(g->heads->bits);
    free(g->heads);
    g->heads = NULL;
}
