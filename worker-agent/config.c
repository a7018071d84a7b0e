#include "worker-agent/config.h"
#include "worker-agent/arena.h"
#include "worker-agent/glib_memory.h"
#include "worker-agent/shift_read.h"
#include "worker-agent/yamlmap.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_WORDS_MAX 256
#define MEMBERS_MAX 1000000
#define OUTPUT_BYTES_DEFAULT (256 * 1024)

static const char *const hub_keys[] = { "hub",  "zone",     "broker", "data",   "local",   "grace",  "drain",
                                        "idle", "prefetch", "teams",  "shifts", "workers", "robots", NULL };
enum { HUB, ZONE, BROKER, DATA, LOCAL, GRACE, DRAIN, IDLE, PREFETCH, TEAMS, SHIFTS, WORKERS, ROBOTS, HUB_KEYS };
static const char *const worker_keys[] = { "id",     "name",  "kind", "team", "capacity", "prefetch",
                                           "skills", "shift", "zone", "off",  "per_day",  NULL };
enum { W_ID, W_NAME, W_KIND, W_TEAM, W_CAPACITY, W_PREFETCH, W_SKILLS, W_SHIFT, W_ZONE, W_OFF, W_PER_DAY, W_KEYS };
static const char *const robot_keys[] = { "id",     "name",    "team",       "capacity",     "prefetch", "skills",
                                          "runner", "command", "time_limit", "output_bytes", "env",      "cwd",
                                          "shift",  "zone",    "off",        "per_day",      NULL };
enum {
    R_ID,
    R_NAME,
    R_TEAM,
    R_CAPACITY,
    R_PREFETCH,
    R_SKILLS,
    R_RUNNER,
    R_COMMAND,
    R_TIME_LIMIT,
    R_OUTPUT_BYTES,
    R_ENV,
    R_CWD,
    R_SHIFT,
    R_ZONE,
    R_OFF,
    R_PER_DAY,
    R_KEYS
};
_Static_assert(sizeof hub_keys / sizeof *hub_keys == HUB_KEYS + 1 &&
                   sizeof worker_keys / sizeof *worker_keys == W_KEYS + 1 &&
                   sizeof robot_keys / sizeof *robot_keys == R_KEYS + 1,
               "a name for each key");

struct load {
    struct yaml_walk w;
    struct hub_config *c;
    struct arena arena;
    uint32_t prefetch;
    const yaml_node_t *teams;
    struct hub_shift *named; /* those of `shifts`, as the file has them */
    uint32_t named_count;
    struct hub_shift **shift; /* those that members work by: named ones, or with a zone or days off of their own */
    uint32_t shift_cap;
};

static void *take(struct load *l, size_t n)
{
    return arena_take(&l->arena, n);
}

static const char *keep(struct load *l, const char *text)
{
    return arena_text(&l->arena, text);
}

/* ---------------------------------------------------------------- members */
/* A level, or {level, until}: the skill ends with that day, in UTC. */
static bool read_skill(struct load *l, const yaml_node_t *node, uint32_t *level, int64_t *until_wall_us)
{
    static const char *const keys[] = { "level", "until", NULL };
    const yaml_node_t *v[2];
    int64_t day;
    *until_wall_us = 0;
    if (node->type != YAML_MAPPING_NODE)
        return yaml_walk_count(&l->w, node, "a skill's level", 0, SL_SKILL_LEVEL_MAX, level);
    if (!yaml_walk_map(&l->w, node, "a skill", keys, v))
        return false;
    if (!v[0]) {
        yaml_walk_problem(&l->w, node, "a skill needs a level");
        return false;
    }
    if (v[1] && !shift_read_date(&l->w, v[1], &day))
        return false;
    if (v[1])
        *until_wall_us = (day + 1) * 86400000000ll;
    return yaml_walk_count(&l->w, v[0], "a skill's level", 0, SL_SKILL_LEVEL_MAX, level);
}

static void read_skills(struct load *l, const yaml_node_t *node, struct hub_member *m)
{
    const yaml_node_t *name, *level;
    struct hub_skill *skills = take(l, sizeof *skills * SL_SKILLS_MAX);
    if (!skills)
        return;
    for (size_t i = 0; yaml_walk_pair(&l->w, node, "skills", i, &name, &level); i++) {
        if (i == SL_SKILLS_MAX) {
            yaml_walk_problem(&l->w, name, "skills: at most %d", SL_SKILLS_MAX);
            return;
        }
        const char *text = yaml_walk_name(&l->w, name, "a skill");
        uint32_t value = 0;
        int64_t until;
        if (!read_skill(l, level, &value, &until) || !text)
            continue;
        for (uint32_t k = 0; k < m->skill_count; k++)
            if (strcmp(skills[k].name, text) == 0)
                yaml_walk_problem(&l->w, name, "skill '%s' stands twice", text);
        skills[m->skill_count++] = (struct hub_skill){ keep(l, text), value, until };
    }
    m->skills = skills;
}

static void read_team(struct load *l, const yaml_node_t *node, struct hub_member *m)
{
    const char *text = yaml_walk_name(&l->w, node, "team");
    if (!text)
        return;
    m->team = keep(l, text);
    if (!l->teams || l->teams->type != YAML_SEQUENCE_NODE)
        return;
    const yaml_node_t *item;
    for (size_t i = 0; yaml_walk_item(&l->w, l->teams, "teams", i, &item); i++)
        if (item->type == YAML_SCALAR_NODE && strcmp((const char *)item->data.scalar.value, text) == 0)
            return;
    yaml_walk_problem(&l->w, node, "team '%s' is not in the list of teams", text);
}

static const char *read_zone(struct load *l, const yaml_node_t *node)
{
    const char *text = yaml_walk_text(&l->w, node, "zone", SL_NAME_BYTES_MAX);
    if (!text)
        return "";
    char like[128];
    struct shift_zone *zone = shift_zone_open(text);
    if (!zone && shift_zone_known(text))
        yaml_walk_problem(&l->w, node, "zone: '%s' cannot be read from this machine's time zone database", text);
    else if (!zone && shift_zone_like(text, like, sizeof like))
        yaml_walk_problem(&l->w, node, "zone: '%s' is no IANA time zone, did you mean '%s'?", text, like);
    else if (!zone)
        yaml_walk_problem(&l->w, node, "zone: '%s' is no IANA time zone (such as Asia/Kathmandu)", text);
    shift_zone_close(&zone);
    return keep(l, text);
}

/* ---------------------------------------------------------------- who works by which shift */
static const struct hub_shift *shift_known(struct load *l, const char *name)
{
    for (uint32_t i = 0; i < l->c->shift_count; i++)
        if (strcmp(l->shift[i]->name, name) == 0)
            return l->shift[i];
    return NULL;
}

static const struct hub_shift *shift_used(struct load *l, const struct hub_shift *from, const char *name,
                                          const char *zone)
{
    const struct hub_shift *known = shift_known(l, name);
    if (known)
        return known;
    struct hub_shift *s = take(l, sizeof *s);
    if (!s)
        return NULL;
    if (l->c->shift_count == l->shift_cap) {
        uint32_t cap = l->shift_cap ? l->shift_cap * 2 : 16;
        struct hub_shift **v = realloc(l->shift, cap * sizeof *v);
        if (!v)
            return NULL;
        l->shift = v;
        l->shift_cap = cap;
    }
    *s = *from;
    s->name = keep(l, name);
    s->zone = zone;
    l->shift[l->c->shift_count++] = s;
    return s;
}

/* A zone or days off of one's own make another shift of the same pattern. */
static void read_shift_of(struct load *l, const yaml_node_t *at, struct hub_member *m, const yaml_node_t *shift,
                          const yaml_node_t *zone, const yaml_node_t *off)
{
    const char *own_zone = zone ? read_zone(l, zone) : NULL,
               *text = shift ? yaml_walk_name(&l->w, shift, "shift") : NULL;
    char name[SL_SHIFT_NAME_BYTES_MAX + 1];
    const struct hub_shift *from = NULL;
    for (uint32_t i = 0; text && i < l->named_count; i++)
        if (strcmp(l->named[i].name, text) == 0)
            from = &l->named[i];
    if (text && !from)
        yaml_walk_problem(&l->w, shift, "there is no shift '%s' under 'shifts'", text);
    if (!shift && off)
        yaml_walk_problem(&l->w, off, "days off are of a shift: name it with key 'shift'");
    if (!shift && zone)
        yaml_walk_problem(&l->w, zone, "an own zone is for a shift: name it with key 'shift'");
    if (!from)
        return;
    if (own_zone && strcmp(own_zone, l->c->zone) == 0)
        own_zone = NULL;
    struct hub_shift own = *from;
    if (off) {
        own.shift.off = shift_read_off(&l->w, &l->arena, off, &from->shift, &own.shift.off_count);
        snprintf(name, sizeof name, "%s (%s)", text, m->id);
    } else {
        snprintf(name, sizeof name, "%s%s%s", text, own_zone ? " " : "", own_zone ? own_zone : "");
    }
    m->shift = shift_used(l, &own, name, own_zone ? own_zone : l->c->zone);
    if (!m->shift)
        yaml_walk_problem(&l->w, at, "out of memory");
}

static void read_shifts(struct load *l, const yaml_node_t *node)
{
    const yaml_node_t *name, *value;
    size_t n =
        node->type == YAML_MAPPING_NODE ? (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start) : 0;
    l->named = take(l, sizeof *l->named * (n + 1));
    for (size_t i = 0; l->named && yaml_walk_pair(&l->w, node, "shifts", i, &name, &value); i++) {
        const char *text = yaml_walk_name(&l->w, name, "a shift");
        if (!text)
            continue;
        for (uint32_t k = 0; k < l->named_count; k++)
            if (strcmp(l->named[k].name, text) == 0)
                yaml_walk_problem(&l->w, name, "shift '%s' stands twice", text);
        struct hub_shift *s = &l->named[l->named_count++];
        s->name = keep(l, text);
        shift_read(&l->w, &l->arena, value, text, &s->shift, &s->text);
    }
}

/* ---------------------------------------------------------------- people and robots */
static void read_common(struct load *l, const yaml_node_t *at, struct hub_member *m, const yaml_node_t *id,
                        const yaml_node_t *name, const yaml_node_t *team, const yaml_node_t *capacity,
                        const yaml_node_t *prefetch, const yaml_node_t *skills, const yaml_node_t *per_day)
{
    const char *text;
    m->id = m->title = m->team = "";
    m->line = (int)at->start_mark.line + 1;
    m->capacity = 1;
    if (!id)
        yaml_walk_problem(&l->w, at, "key 'id' is missing");
    else if ((text = yaml_walk_name(&l->w, id, "id")))
        m->id = keep(l, text);
    if (name && (text = yaml_walk_text(&l->w, name, "name", SL_TEXT_BYTES_MAX)))
        m->title = keep(l, text);
    if (team)
        read_team(l, team, m);
    if (capacity)
        yaml_walk_count(&l->w, capacity, "capacity", 1, SL_WORKER_CREDIT_MAX / 2, &m->capacity);
    m->prefetch = m->robot ? (m->capacity < SL_WORKER_CREDIT_MAX / 8 ? m->capacity * 4 : m->capacity) : l->prefetch;
    if (prefetch)
        yaml_walk_count(&l->w, prefetch, "prefetch", 0, SL_WORKER_CREDIT_MAX / 2, &m->prefetch);
    if (skills)
        read_skills(l, skills, m);
    if (per_day)
        yaml_walk_count(&l->w, per_day, "per_day", 1, SL_PER_DAY_MAX, &m->per_day);
}

static void read_worker(struct load *l, const yaml_node_t *node, struct hub_member *m)
{
    const yaml_node_t *v[W_KEYS + 1];
    if (!yaml_walk_map(&l->w, node, "a worker", worker_keys, v))
        return;
    read_common(l, node, m, v[W_ID], v[W_NAME], v[W_TEAM], v[W_CAPACITY], v[W_PREFETCH], v[W_SKILLS], v[W_PER_DAY]);
    read_shift_of(l, node, m, v[W_SHIFT], v[W_ZONE], v[W_OFF]);
    const char *kind = v[W_KIND] ? yaml_walk_text(&l->w, v[W_KIND], "kind", 16) : NULL;
    if (kind && strcmp(kind, "robot") == 0)
        yaml_walk_problem(&l->w, v[W_KIND], "a robot needs a runner: put it under 'robots'");
    else if (kind && strcmp(kind, "human") != 0)
        yaml_walk_problem(&l->w, v[W_KIND], "kind is human (robots stand under 'robots')");
}

static bool on_path(const char *program)
{
    if (strchr(program, '/'))
        return true; /* relative to cwd: found out when it is run */
    const char *path = getenv("PATH");
    char full[4096];
    for (const char *p = path ? path : "/usr/local/bin:/usr/bin:/bin"; *p;) {
        size_t n = strcspn(p, ":");
        if ((size_t)snprintf(full, sizeof full, "%.*s/%s", (int)n, p, program) < sizeof full && access(full, X_OK) == 0)
            return true;
        p += n + (p[n] == ':');
    }
    return false;
}

static void read_command(struct load *l, const yaml_node_t *node, struct hub_member *m)
{
    const yaml_node_t *item;
    size_t n = 0;
    const char **words = take(l, sizeof *words * (COMMAND_WORDS_MAX + 1));
    if (!words)
        return;
    for (size_t i = 0; yaml_walk_item(&l->w, node, "command", i, &item); i++) {
        if (i == COMMAND_WORDS_MAX) {
            yaml_walk_problem(&l->w, item, "command: at most %d words", COMMAND_WORDS_MAX);
            return;
        }
        const char *text = yaml_walk_text(&l->w, item, "a word of command", 65536);
        if (text)
            words[n++] = keep(l, text);
    }
    if (node->type == YAML_SEQUENCE_NODE && (n == 0 || !words[0][0]))
        yaml_walk_problem(&l->w, node, "command is empty");
    else if (n > 0 && !on_path(words[0]))
        yaml_walk_problem(&l->w, node, "command: there is no program '%.200s' on the PATH", words[0]);
    m->command = words;
}

static void read_env(struct load *l, const yaml_node_t *node, struct hub_member *m)
{
    const yaml_node_t *name, *value;
    const char **env = take(l, sizeof *env * (COMMAND_WORDS_MAX + 1));
    size_t n = 0;
    if (!env)
        return;
    for (size_t i = 0; yaml_walk_pair(&l->w, node, "env", i, &name, &value); i++) {
        if (n == COMMAND_WORDS_MAX) {
            yaml_walk_problem(&l->w, name, "env: at most %d", COMMAND_WORDS_MAX);
            return;
        }
        const char *key = yaml_walk_text(&l->w, name, "a name in env", 256),
                   *text = yaml_walk_text(&l->w, value, "a value in env", 65536);
        if (!key || !text)
            continue;
        if (!*key || strchr(key, '=')) {
            yaml_walk_problem(&l->w, name, "a name in env is not empty and has no '='");
            continue;
        }
        size_t size = strlen(key) + strlen(text) + 2;
        char *pair = take(l, size);
        if (!pair)
            return;
        snprintf(pair, size, "%s=%s", key, text);
        env[n++] = pair;
    }
    m->env = env;
}

static void read_robot(struct load *l, const yaml_node_t *node, struct hub_member *m)
{
    static const char *const no_env[] = { NULL };
    const yaml_node_t *v[R_KEYS + 1];
    m->robot = true;
    m->env = no_env;
    m->time_limit_us = 30000000;
    m->output_bytes_max = OUTPUT_BYTES_DEFAULT;
    if (!yaml_walk_map(&l->w, node, "a robot", robot_keys, v))
        return;
    read_common(l, node, m, v[R_ID], v[R_NAME], v[R_TEAM], v[R_CAPACITY], v[R_PREFETCH], v[R_SKILLS], v[R_PER_DAY]);
    read_shift_of(l, node, m, v[R_SHIFT], v[R_ZONE], v[R_OFF]);
    const char *runner = v[R_RUNNER] ? yaml_walk_text(&l->w, v[R_RUNNER], "runner", 16) : NULL;
    if (!v[R_RUNNER])
        yaml_walk_problem(&l->w, node, "key 'runner' is missing: exec or coprocess");
    else if (runner && strcmp(runner, "exec") == 0)
        m->runner = RUNNER_EXEC;
    else if (runner && strcmp(runner, "coprocess") == 0)
        m->runner = RUNNER_COPROCESS;
    else
        yaml_walk_problem(&l->w, v[R_RUNNER], "runner is exec (a process a task) or coprocess (one that lives on)");
    if (v[R_COMMAND])
        read_command(l, v[R_COMMAND], m);
    else
        yaml_walk_problem(&l->w, node, "key 'command' is missing: the program and its arguments, as a list");
    if (v[R_TIME_LIMIT])
        yaml_walk_duration(&l->w, v[R_TIME_LIMIT], "time_limit", 1000, SL_LEASE_US_MAX, &m->time_limit_us);
    if (v[R_OUTPUT_BYTES])
        yaml_walk_count(&l->w, v[R_OUTPUT_BYTES], "output_bytes", 1, 64 * 1024 * 1024, &m->output_bytes_max);
    if (v[R_ENV])
        read_env(l, v[R_ENV], m);
    const char *text;
    if (v[R_CWD] && (text = yaml_walk_text(&l->w, v[R_CWD], "cwd", 4096)))
        m->cwd = keep(l, text);
}

static size_t items_of(const yaml_node_t *node)
{
    return node && node->type == YAML_SEQUENCE_NODE
               ? (size_t)(node->data.sequence.items.top - node->data.sequence.items.start)
               : 0;
}

static int by_id(const void *a, const void *b)
{
    const struct hub_member *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

static void read_members(struct load *l, const yaml_node_t *workers, const yaml_node_t *robots)
{
    size_t n = items_of(workers) + items_of(robots);
    if (n > MEMBERS_MAX) {
        yaml_walk_problem(&l->w, workers ? workers : robots, "more than %d workers", MEMBERS_MAX);
        return;
    }
    struct hub_member *members = take(l, sizeof *members * (n + 1));
    const struct hub_member **sorted = take(l, sizeof *sorted * (n + 1));
    if (!members || !sorted)
        return;
    const yaml_node_t *item;
    uint32_t count = 0;
    for (size_t i = 0; workers && yaml_walk_item(&l->w, workers, "workers", i, &item); i++)
        read_worker(l, item, &members[count++]);
    for (size_t i = 0; robots && yaml_walk_item(&l->w, robots, "robots", i, &item); i++)
        read_robot(l, item, &members[count++]);
    l->c->members = members;
    l->c->member_count = count;
    for (uint32_t i = 0; i < count; i++) {
        if (!members[i].id)
            members[i].id = members[i].title = members[i].team = ""; /* no mapping: reported */
        sorted[i] = &members[i];
    }
    qsort(sorted, count, sizeof *sorted, by_id);
    for (uint32_t i = 1; i < count; i++)
        if (*sorted[i]->id && strcmp(sorted[i - 1]->id, sorted[i]->id) == 0) {
            char text[512];
            int first = sorted[i - 1]->line < sorted[i]->line ? sorted[i - 1]->line : sorted[i]->line;
            int second = sorted[i - 1]->line < sorted[i]->line ? sorted[i]->line : sorted[i - 1]->line;
            snprintf(text, sizeof text, "%s:%d:1: id '%s' stands in line %d already", l->w.file, second, sorted[i]->id,
                     first);
            l->w.problems++;
            l->w.problem(l->w.arg, text);
        }
}

/* ---------------------------------------------------------------- the roster as the broker gets it */
static bool pack_member(struct slp_buf *b, const struct hub_member *m)
{
    struct slp_buf skills = { 0 };
    for (uint32_t i = 0; i < m->skill_count; i++) {
        struct slp_item_skill s = { .name = { m->skills[i].name, (uint32_t)strlen(m->skills[i].name) },
                                    .level = m->skills[i].level,
                                    .until_wall_us = m->skills[i].until_wall_us };
        if (s.until_wall_us)
            SLP_SET(&s, item_skill, until_wall_us);
        slp_pack_item(&skills, SLP_ITEM_skill, &s);
    }
    struct slp_item_worker_def d = { .name = { m->id, (uint32_t)strlen(m->id) },
                                     .kind = m->robot,
                                     .capacity = m->capacity,
                                     .skills = { skills.p, (uint32_t)skills.n, m->skill_count },
                                     .team = { m->team, (uint32_t)strlen(m->team) },
                                     .title = { m->title, (uint32_t)strlen(m->title) } };
    if (d.team.n)
        SLP_SET(&d, item_worker_def, team);
    if (d.title.n)
        SLP_SET(&d, item_worker_def, title);
    if (m->shift) {
        d.shift = (struct slp_bytes){ m->shift->name, (uint32_t)strlen(m->shift->name) };
        SLP_SET(&d, item_worker_def, shift);
    }
    if (m->per_day) {
        d.per_day = m->per_day;
        SLP_SET(&d, item_worker_def, per_day);
    }
    bool ok = !skills.failed;
    if (ok)
        slp_pack_item(b, SLP_ITEM_worker_def, &d);
    ok = ok && !b->failed;
    slp_buf_free(&skills);
    return ok;
}

static bool make_roster(struct load *l)
{
    uint32_t n = l->c->member_count;
    struct core_member *v = take(l, sizeof *v * (n + 1));
    const struct hub_member **sorted = take(l, sizeof *sorted * (n + 1));
    if (!v || !sorted)
        return false;
    GChecksum *sum = glib_sha256_new();
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = &l->c->members[i];
    qsort(sorted, n, sizeof *sorted, by_id);
    struct slp_buf b = { 0 };
    bool ok = true;
    for (uint32_t i = 0; i < n && ok; i++) {
        slp_buf_clear(&b);
        ok = pack_member(&b, sorted[i]);
        char *packed = ok ? take(l, b.n) : NULL;
        if (!packed) {
            ok = false;
            break;
        }
        memcpy(packed, b.p, b.n);
        g_checksum_update(sum, (const guchar *)b.p, (gssize)b.n);
        v[i] = (struct core_member){
            sorted[i]->id, sorted[i]->robot, sorted[i]->capacity, sorted[i]->prefetch, { packed, (uint32_t)b.n }
        };
    }
    gsize size = sizeof l->c->roster.digest;
    g_checksum_get_digest(sum, l->c->roster.digest, &size);
    g_checksum_free(sum);
    slp_buf_free(&b);
    l->c->roster.count = n;
    l->c->roster.members = v;
    return ok;
}

/* ---------------------------------------------------------------- the file */
static void read_endpoint(struct load *l, const yaml_node_t *node, const char *key, const char **to)
{
    const char *text = yaml_walk_text(&l->w, node, key, 256);
    if (!text)
        return;
    if (strncmp(text, "tcp://", 6) != 0 && strncmp(text, "ipc://", 6) != 0)
        yaml_walk_problem(&l->w, node, "%s is an endpoint: tcp://HOST:PORT or ipc://PATH", key);
    *to = keep(l, text);
}

static void read_hub(struct load *l, const yaml_node_t *root)
{
    const yaml_node_t *v[HUB_KEYS + 1], *item;
    const char *text;
    struct hub_config *c = l->c;
    if (!yaml_walk_map(&l->w, root, "a hub file", hub_keys, v))
        return;
    if (!v[HUB])
        yaml_walk_problem(&l->w, root, "key 'hub' is missing: the hub's name");
    else if ((text = yaml_walk_name(&l->w, v[HUB], "hub")))
        c->hub = keep(l, text);
    if (!v[ZONE])
        yaml_walk_problem(&l->w, root, "key 'zone' is missing: the hub's time zone, such as Africa/Nairobi");
    else
        c->zone = read_zone(l, v[ZONE]);
    if (v[BROKER])
        read_endpoint(l, v[BROKER], "broker", &c->broker);
    if (v[LOCAL])
        read_endpoint(l, v[LOCAL], "local", &c->local);
    if (v[DATA] && (text = yaml_walk_text(&l->w, v[DATA], "data", 4000))) {
        c->data = keep(l, text);
        if (!*text)
            yaml_walk_problem(&l->w, v[DATA], "data is empty");
    }
    if (v[GRACE])
        yaml_walk_duration(&l->w, v[GRACE], "grace", 1000000, SL_LEASE_US_MAX, &c->grace_us);
    if (v[DRAIN])
        yaml_walk_duration(&l->w, v[DRAIN], "drain", 0, 86400000000, &c->drain_us);
    if (v[IDLE])
        yaml_walk_duration(&l->w, v[IDLE], "idle", 1000000, 86400000000, &c->idle_us);
    if (v[PREFETCH])
        yaml_walk_count(&l->w, v[PREFETCH], "prefetch", 0, SL_WORKER_CREDIT_MAX / 2, &l->prefetch);
    for (size_t i = 0; v[TEAMS] && yaml_walk_item(&l->w, v[TEAMS], "teams", i, &item); i++)
        yaml_walk_name(&l->w, item, "a team");
    l->teams = v[TEAMS];
    if (v[SHIFTS])
        read_shifts(l, v[SHIFTS]);
    read_members(l, v[WORKERS], v[ROBOTS]);
}

struct hub_config *hub_config_load(const char *path, config_problem *problem, void *arg)
{
    struct load l = { .prefetch = 1 };
    if (yaml_walk_open(&l.w, path, problem, arg) != 0)
        return NULL;
    l.c = calloc(1, sizeof *l.c);
    if (l.c) {
        *l.c = (struct hub_config){
            .hub = "", .zone = "", .broker = "tcp://127.0.0.1:7711", .drain_us = 30000000, .idle_us = 120000000
        };
        read_hub(&l, yaml_document_get_root_node(&l.w.doc));
    }
    yaml_walk_close(&l.w);
    if (!l.c || l.arena.failed || (l.w.problems == 0 && !make_roster(&l))) {
        l.w.problems++;
        problem(arg, "out of memory");
    }
    if (l.w.problems > 0) {
        free(l.shift);
        arena_free(&l.arena);
        free(l.c);
        return NULL;
    }
    l.c->arena = l.arena.first;
    l.c->shifts = l.shift;
    return l.c;
}

struct hub_config *hub_config_hold(struct hub_config *c)
{
    c->holders++;
    return c;
}

void hub_config_free(struct hub_config **cp)
{
    if (!*cp)
        return;
    if ((*cp)->holders) {
        (*cp)->holders--;
        *cp = NULL;
        return;
    }
    struct arena a = { .first = (*cp)->arena };
    free((*cp)->shifts);
    arena_free(&a);
    free(*cp);
    *cp = NULL;
}

const struct hub_member *hub_config_member(const struct hub_config *c, const char *id)
{
    for (uint32_t i = 0; i < c->member_count; i++)
        if (strcmp(c->members[i].id, id) == 0)
            return &c->members[i];
    return NULL;
}
