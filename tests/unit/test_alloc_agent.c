/* Memory runs out in the agent, at every allocation of a scenario, once and for good. The core says so and the process would end; outbox and journal
 * refuse, and what they had taken is there when they are opened again; a hub file is not half read; answers are not half packed. */
#include "tests/unit/alloc_world.h"

#include <stdio.h>

static int around(int rc);
/* Armed from here to around(): what the world itself allocates is not meant. */
#define AROUND_CORE(CALL) (alloc_rearm(), around(CALL))
#include "tests/unit/agent_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "worker-agent/config.h"
#include "worker-agent/form.h"
#include "worker-agent/journal.h"
#include "worker-agent/link.h"
#include "worker-agent/outbox.h"
#include "worker-agent/rota.h"
#include "worker-agent/runner.h"
#include "worker-agent/syncer.h"
#include "worker-agent/u64map.h"

static int around(int rc)
{
    alloc_disarm();
    return rc;
}

/* Runs it with nothing failing, then again and again with the n-th allocation failing, then with all from the n-th on. */
static void at_every_allocation(void (*run)(void *arg), void *arg)
{
    alloc_arm(0, false);
    alloc_disarm();
    run(arg);
    uint64_t all = alloc_state.calls;
    assert_true(all > 0);
    for (int on = 0; on < 2; on++)
        for (uint64_t n = 1; n <= all; n++) {
            alloc_arm(n, on);
            alloc_disarm();
            run(arg);
            if (alloc_state.failed == 0)
                fail_msg("allocation %llu of %llu did not come", (unsigned long long)n, (unsigned long long)all);
        }
    print_message("# %llu allocations failed, once and for good\n", (unsigned long long)all);
}

/* ---------------------------------------------------------------- the core */
static void tell_shifts(struct world *w)
{
    struct slp_buf times = { 0 }, packed = { 0 };
    slp_pack_u64(&times, 1000);
    slp_pack_u64(&times, 2000);
    struct slp_item_shift_def d = {
        .name = text("day"), .zone = text("UTC"), .text = text(""), .times = { times.p, (uint32_t)times.n, 2 }
    };
    slp_pack_item(&packed, SLP_ITEM_shift_def, &d);
    struct core_shifts s = { .until_us = 5000, .count = 1, .packed = &packed };
    act(w, (struct core_in){ .kind = CORE_IN_SHIFTS, .shifts = &s });
    slp_buf_free(&times);
    slp_buf_free(&packed);
}

static void a_day_of_the_core(struct world *w)
{
    struct slp_buf values = { 0 };
    slp_pack_cstr(&values, "from an earlier life");
    struct core_task begun = { .assignment = 90,
                               .worker_no = ASHA,
                               .station_id = STATION,
                               .attempt = 1,
                               .lease_us = 60 * S,
                               .fields = { values.p, (uint32_t)values.n, 1 } };
    step(w, (struct core_in){ .kind = CORE_IN_RESTORE, .task = &begun });
    struct slp_buf item = { 0 };
    struct slp_item_result kept = { .assignment = 91, .worker = CRANE, .values = { values.p, (uint32_t)values.n, 1 } };
    slp_pack_item(&item, SLP_ITEM_result, &kept);
    step(w,
         (struct core_in){ .kind = CORE_IN_UNSENT, .assignment = 91, .seq = 1, .item = { item.p, (uint32_t)item.n } });
    connect_up(w, 21);
    step(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    tell_shifts(w);
    push(w, 21, 1, ASHA, 100, 1);
    form_known(w);
    push(w, 21, 2, CRANE, 200, 40);
    act(w, (struct core_in){ .kind = CORE_IN_START, .assignment = 90 });
    act(w, (struct core_in){ .kind = CORE_IN_START, .assignment = 100 });
    act(w, (struct core_in){ .kind = CORE_IN_TOUCH, .assignment = 100 });
    finish(w, 200, CRANE, 2);
    finish(w, 201, CRANE, 3);
    act(w,
        (struct core_in){
            .kind = CORE_IN_GIVE_UP, .assignment = 202, .act = 2, .text = text("the model is loading"), .hold_us = S });
    act(w, (struct core_in){ .kind = CORE_IN_WHY, .name = "asha", .token = 7 });
    pass(w, HEARTBEAT_US);
    step(w, (struct core_in){ .kind = CORE_IN_SIGN_OFF, .name = "asha" });
    act(w, (struct core_in){ .kind = CORE_IN_MESSAGE,
                             .msg = &(struct slp_msg){ .version = 1, .type = SLP_CONTROL, .u.control.order = 0 } });
    uint64_t gone[2] = { 203, 90 };
    welcome(w, 22, false, gone, 2);
    pass(w, S);
    finish(w, 100, ASHA, 4);
    give_roster(w); /* another one */
    pass(w, 60 * S);
    act(w, (struct core_in){ .kind = CORE_IN_QUIET, .deadline_us = w->now_us + S });
    pass(w, 2 * S);
    slp_buf_free(&values);
    slp_buf_free(&item);
}

static void core_runs_out(void *arg)
{
    (void)arg;
    struct core_config c = {
        .hub = "pokhara", .zone = "Asia/Kathmandu", .incarnation = 7, .data_id = "0123456789abcde", .seed = 1
    };
    struct world *w = __real_calloc(1, sizeof *w);
    w->now_us = 1000 * S;
    w->may_fail = alloc_state.fail_at > 0;
    alloc_rearm();
    w->core = core_new(&c);
    alloc_disarm();
    assert_true(w->core || w->may_fail);
    add_member(w, "crane", true, 2, 2);
    add_member(w, "asha", false, 1, 1);
    if (w->core)
        a_day_of_the_core(w);
    assert_true(w->over || !w->core || alloc_state.failed == 0);
    void *state = w;
    tear_down(&state);
}

#ifdef __SANITIZE_ADDRESS__
/* A roster that was made by half is left where it is: the process ends. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:session_set_roster";
}
#endif

static void the_core_says_that_memory_ran_out(void **state)
{
    (void)state;
    at_every_allocation(core_runs_out, NULL);
}

/* ---------------------------------------------------------------- a directory for outbox and journal */
struct place {
    char path[64];
    int fd;
};

static void place_open(struct place *p)
{
    strcpy(p->path, "/tmp/sunline-alloc-XXXXXX");
    assert_non_null(mkdtemp(p->path));
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(p->fd >= 0);
}

static void place_close(struct place *p)
{
    DIR *d = opendir(p->path);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            unlinkat(p->fd, e->d_name, 0);
    closedir(d);
    close(p->fd);
    assert_int_equal(rmdir(p->path), 0);
}

/* ---------------------------------------------------------------- the outbox */
#define RESULTS 40
struct box {
    struct place place;
    bool taken[RESULTS], acked[RESULTS]; /* promised to be kept; told to be forgotten */
    bool found[RESULTS];
};

static void result_text(char text[200], unsigned i)
{
    int n = snprintf(text, 200, "result %u ", i);
    memset(text + n, 'a' + (int)i % 26, 150);
    text[n + 150] = '\0';
}

static void on_result(void *arg, const struct outbox_entry *e)
{
    struct box *b = arg;
    char want[200];
    assert_true(e->assignment >= 1 && e->assignment <= RESULTS);
    result_text(want, (unsigned)e->assignment - 1);
    assert_int_equal(e->packed.n, strlen(want));
    assert_memory_equal(e->packed.p, want, e->packed.n);
    assert_false(b->found[e->assignment - 1]);
    b->found[e->assignment - 1] = true;
}

/* As the agent does it: promised when it was added and written. A failed write is tried again at the next one. */
static void box_day(struct box *b)
{
    int rc;
    uint64_t seq[RESULTS] = { 0 };
    alloc_rearm();
    struct outbox *o = agent_outbox_open(b->place.fd, 2000, on_result, b, &rc);
    alloc_disarm();
    if (!o) {
        assert_int_equal(rc, ENOMEM);
        return;
    }
    for (unsigned i = 0; i < RESULTS; i++) {
        char text[200];
        result_text(text, i);
        struct slp_buf again = { 0 };
        alloc_rearm();
        seq[i] = agent_outbox_add(o, i + 1, 3, i % 2, (struct slp_bytes){ text, (uint32_t)strlen(text) });
        rc = seq[i] && i % 3 == 0 ? agent_outbox_read(o, seq[i], &again) : 0; /* while it is in memory */
        assert_true(rc == 0 || rc == ENOMEM);
        b->taken[i] = agent_outbox_write(o) == 0 && seq[i];
        if (seq[i] && i % 3 == 1)
            rc = agent_outbox_read(o, seq[i], &again);
        alloc_disarm();
        if (i % 3 == 1 && seq[i] && rc == 0) {
            assert_int_equal(again.n, strlen(text));
            assert_memory_equal(again.p, text, again.n);
        }
        slp_buf_free(&again);
        if (i % 4 == 3 && seq[i - 2]) {
            alloc_rearm();
            agent_outbox_ack(o, seq[i - 2]);
            alloc_disarm();
            b->acked[i - 2] = true;
        }
    }
    agent_outbox_write(o);
    agent_outbox_close(&o);
}

static void outbox_runs_out(void *arg)
{
    (void)arg;
    struct box b = { 0 };
    int rc;
    place_open(&b.place);
    box_day(&b);
    bool promised[RESULTS];
    memcpy(promised, b.taken, sizeof promised);
    struct box again = { .place = b.place };
    alloc_rearm(); /* reading an old outbox may fail, too, and harms nothing */
    struct outbox *o = agent_outbox_open(b.place.fd, 2000, on_result, &again, &rc);
    alloc_disarm();
    if (!o) {
        assert_int_equal(rc, ENOMEM);
        memset(again.found, 0, sizeof again.found);
        alloc_arm(UINT64_MAX, false);
        alloc_disarm();
        alloc_state.failed = 1;
        o = agent_outbox_open(b.place.fd, 2000, on_result, &again, &rc);
    }
    assert_non_null(o);
    for (unsigned i = 0; i < RESULTS; i++) {
        if (promised[i] && !b.acked[i] && !again.found[i])
            fail_msg("after allocation %llu failed result %u is gone", (unsigned long long)alloc_state.fail_at, i);
        if (again.found[i] && b.acked[i])
            assert_true(alloc_state.failed > 0); /* it is sent once more: that does no harm */
    }
    agent_outbox_close(&o);
    place_close(&b.place);
}

static void the_outbox_refuses_or_keeps(void **state)
{
    (void)state;
    at_every_allocation(outbox_runs_out, NULL);
}

/* ---------------------------------------------------------------- the journal */
#define BEGUN 6
struct book {
    struct place place;
    struct slp_buf form;
    bool begun[BEGUN], over[BEGUN];
    char draft[BEGUN][32]; /* the last one that was called kept */
    bool found[BEGUN], form_found;
};

static void on_form(void *arg, struct slp_bytes body)
{
    struct book *b = arg;
    assert_int_equal(body.n, b->form.n);
    assert_memory_equal(body.p, b->form.p, body.n);
    b->form_found = true;
}

static void on_task(void *arg, const struct core_task *t)
{
    struct book *b = arg;
    assert_true(b->form_found && t->assignment >= 1 && t->assignment <= BEGUN && t->station_id == STATION);
    assert_int_equal(t->fields.count, 1);
    b->found[t->assignment - 1] = true;
}

static struct journal *book_open(struct book *b, int *rc)
{
    struct journal_events events = { on_form, on_task, b };
    return journal_open(b->place.fd, &events, rc);
}

static void book_day(struct book *b)
{
    int rc;
    alloc_rearm();
    struct journal *j = book_open(b, &rc);
    alloc_disarm();
    if (!j) {
        assert_int_equal(rc, ENOMEM);
        return;
    }
    struct slp_buf fields = { 0 };
    slp_pack_cstr(&fields, "a text to look at");
    for (unsigned i = 0; i < BEGUN; i++) {
        struct core_task t = { .assignment = i + 1,
                               .worker_no = ASHA,
                               .station_id = STATION,
                               .attempt = 1,
                               .lease_us = S,
                               .fields = { fields.p, (uint32_t)fields.n, 1 },
                               .context = { fields.p, (uint32_t)fields.n } };
        alloc_rearm();
        rc = journal_begun(j, &t, (struct slp_bytes){ b->form.p, (uint32_t)b->form.n });
        int wrote = journal_write(j);
        alloc_disarm();
        b->begun[i] = rc == 0 && wrote == 0;
        assert_true(rc == 0 || rc == ENOMEM);
        for (unsigned k = 0; k < 3; k++) {
            char draft[32];
            int n = snprintf(draft, sizeof draft, "{\"x\": \"draft %u of %u\"}", k, i);
            alloc_rearm();
            rc = journal_draft(j, i + 1, draft, (size_t)n);
            wrote = journal_write(j);
            alloc_disarm();
            assert_true(rc == 0 || rc == ENOMEM || rc == ENOENT);
            if (rc == 0 && wrote == 0)
                strcpy(b->draft[i], draft);
        }
        if (i % 3 == 2) {
            alloc_rearm();
            journal_over(j, i + 1);
            journal_write(j);
            alloc_disarm();
            b->over[i] = true;
        }
    }
    slp_buf_free(&fields);
    journal_close(&j);
}

static void journal_runs_out(void *arg)
{
    const struct slp_buf *form = arg;
    struct book b = { .form = *form };
    int rc;
    place_open(&b.place);
    book_day(&b);
    memset(b.found, 0, sizeof b.found);
    b.form_found = false;
    alloc_rearm();
    struct journal *j = book_open(&b, &rc);
    alloc_disarm();
    if (!j) {
        assert_int_equal(rc, ENOMEM);
        j = book_open(&b, &rc);
    }
    assert_non_null(j);
    for (unsigned i = 0; i < BEGUN; i++) {
        if (b.begun[i] && !b.over[i] && !b.found[i])
            fail_msg("after allocation %llu failed begun task %u is gone", (unsigned long long)alloc_state.fail_at, i);
        struct slp_bytes draft = journal_draft_of(j, i + 1);
        if (b.found[i] && b.begun[i] && b.draft[i][0] && !b.over[i]) {
            /* one that was refused may have come through all the same, a kept one is never replaced by an older */
            assert_true(draft.n > 0);
            char text[33] = { 0 };
            memcpy(text, draft.p, draft.n < 32 ? draft.n : 32);
            assert_true(strcmp(text, b.draft[i]) >= 0);
        }
    }
    journal_close(&j);
    place_close(&b.place);
}

/* The FORM message of a small station. */
static void pack_form(struct slp_buf *out)
{
    struct slp_buf form = { 0 }, shows = { 0 };
    slp_pack_map(&form, 2);
    slp_pack_cstr(&form, "title");
    slp_pack_cstr(&form, "Read it");
    slp_pack_cstr(&form, "fields");
    slp_pack_array(&form, 3);
    static const char *const types[] = { "short_answer", "number", "check_box" };
    for (int i = 0; i < 3; i++) {
        slp_pack_map(&form, i == 2 ? 3 : 2);
        slp_pack_cstr(&form, "name");
        slp_pack_cstr(&form, i == 0 ? "x" : i == 1 ? "y" : "z");
        slp_pack_cstr(&form, "type");
        slp_pack_cstr(&form, types[i]);
        if (i == 2) {
            slp_pack_cstr(&form, "options");
            slp_pack_array(&form, 2);
            slp_pack_cstr(&form, "p");
            slp_pack_cstr(&form, "q");
        }
    }
    slp_pack_cstr(&shows, "text");
    struct slp_form m = { .station_id = STATION,
                          .line = text("pairs"),
                          .version = 1,
                          .station = text("judge"),
                          .shows = { shows.p, (uint32_t)shows.n, 1 },
                          .form = { form.p, (uint32_t)form.n },
                          .lease_us = S };
    assert_int_equal(slp_encode(out, SLP_FORM, 1, &m), 0);
    slp_buf_free(&form);
    slp_buf_free(&shows);
}

static void the_journal_refuses_or_keeps(void **state)
{
    (void)state;
    struct slp_buf form = { 0 };
    pack_form(&form);
    at_every_allocation(journal_runs_out, &form);
    slp_buf_free(&form);
}

/* ---------------------------------------------------------------- forms, tasks, answers */
/* A form, a task with "a text", these answers: each whole or not at all. */
static void form_is_filled_in(const struct slp_buf *body, const char *given, void (*whole)(const json_t *task))
{
    char said[600] = "", field[SL_NAME_BYTES_MAX + 1];
    struct slp_buf fields = { 0 }, values = { 0 };
    slp_pack_cstr(&fields, "a text");
    struct core_task t = {
        .assignment = 5, .station_id = STATION, .attempt = 1, .fields = { fields.p, (uint32_t)fields.n, 1 }
    };
    alloc_rearm();
    struct form *f = form_new(body->p, body->n, said, sizeof said);
    int why = errno;
    json_t *task = f ? form_task_json(f, &t) : NULL;
    alloc_disarm();
    assert_true(f || (said[0] != '\0' && why == ENOMEM));
    if (task)
        whole(task);
    json_t *answers = json_loads(given, 0, NULL);
    if (f && answers) {
        alloc_rearm();
        int rc = form_values(f, &t, answers, &values, field, said, sizeof said);
        alloc_disarm();
        assert_true(rc == 0 || (alloc_state.failed > 0 && rc == FORM_NO_MEMORY)); /* never the worker's fault */
        if (rc == 0)
            assert_int_equal(values.failed, false);
    }
    json_decref(answers);
    json_decref(task);
    form_free(&f);
    slp_buf_free(&fields);
    slp_buf_free(&values);
}

static void form_is_whole(const json_t *task)
{
    assert_string_equal(json_string_value(json_object_get(json_object_get(task, "fields"), "text")), "a text");
    assert_int_equal(json_array_size(json_object_get(json_object_get(task, "form"), "fields")), 3);
}

static void form_runs_out(void *arg)
{
    form_is_filled_in(arg, "{\"x\": \"yes\", \"y\": 3.5, \"z\": [\"q\"]}", form_is_whole);
}

/* A review: one field of the work, a verdict, a note. */
static void pack_review(struct slp_buf *out)
{
    static const char *const names[] = { "x", "verdict", "note" }, *const types[] = { "short_answer", "radio",
                                                                                      "long_answer" };
    struct slp_buf form = { 0 }, shows = { 0 };
    slp_pack_map(&form, 1);
    slp_pack_cstr(&form, "fields");
    slp_pack_array(&form, 3);
    for (int i = 0; i < 3; i++) {
        slp_pack_map(&form, i == 1 ? 3 : 2);
        slp_pack_cstr(&form, "name");
        slp_pack_cstr(&form, names[i]);
        slp_pack_cstr(&form, "type");
        slp_pack_cstr(&form, types[i]);
        if (i == 1) {
            slp_pack_cstr(&form, "options");
            slp_pack_array(&form, 2);
            slp_pack_cstr(&form, "accept");
            slp_pack_cstr(&form, "improve");
        }
    }
    slp_pack_cstr(&shows, "write.x");
    struct slp_form m = { .station_id = STATION,
                          .line = text("pairs"),
                          .version = 1,
                          .station = text("edit"),
                          .shows = { shows.p, (uint32_t)shows.n, 1 },
                          .form = { form.p, (uint32_t)form.n },
                          .lease_us = S,
                          .type = 1,
                          .reviews = text("write") };
    SLP_SET(&m, form, reviews);
    assert_int_equal(slp_encode(out, SLP_FORM, 1, &m), 0);
    slp_buf_free(&form);
    slp_buf_free(&shows);
}

static void review_is_whole(const json_t *task)
{
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(json_object_get(task, "review"), "work"), "x")), "a text");
}

static void review_runs_out(void *arg)
{
    form_is_filled_in(arg, "{\"x\": \"another\", \"verdict\": \"improve\"}", review_is_whole);
}

static void a_form_a_task_and_its_answers_are_whole_or_not_there(void **state)
{
    (void)state;
    struct slp_buf form = { 0 };
    pack_form(&form);
    json_set_alloc_funcs(malloc, free); /* jansson's own as well */
    at_every_allocation(form_runs_out, &form);
    slp_buf_clear(&form);
    pack_review(&form);
    at_every_allocation(review_runs_out, &form);
    slp_buf_free(&form);
}

/* ---------------------------------------------------------------- the hub file */
static void on_problem(void *arg, const char *said)
{
    assert_true(said[0] != '\0');
    ++*(unsigned *)arg;
}

#define HUB_PATH sizeof "/tmp/sunline-hub-XXXXXX"

static void write_hub_file(char path[HUB_PATH], const char *hub)
{
    memcpy(path, "/tmp/sunline-hub-XXXXXX", HUB_PATH);
    int fd = mkstemp(path);
    assert_int_equal(write(fd, hub, strlen(hub)), strlen(hub));
    close(fd);
}

static void config_runs_out(void *arg)
{
    const char *path = arg;
    unsigned problems = 0;
    alloc_rearm();
    struct hub_config *c = hub_config_load(path, on_problem, &problems);
    alloc_disarm();
    assert_true(c || problems > 0);
    if (c) {
        assert_int_equal(c->member_count, 3);
        assert_int_equal(c->roster.count, 3);
    }
    hub_config_free(&c);
}

static void a_hub_file_is_read_whole_or_refused(void **state)
{
    (void)state;
    char path[HUB_PATH];
    static const char hub[] =
        "hub: pokhara\nzone: Asia/Kathmandu\ndata: /tmp/x\nteams: [north]\n"
        "shifts:\n  day: {week: {mon-sun: 06:00-14:00}}\nworkers:\n"
        "  - {id: asha, name: Asha G., team: north, skills: {english: 3, french: 1}}\n  - {id: bina, shift: day}\n"
        "robots:\n  - {id: crane, runner: exec, command: [/bin/cat, -u], env: {A: b}, cwd: /tmp, skills: {say: 1}}\n";
    write_hub_file(path, hub);
    at_every_allocation(config_runs_out, path);
    unlink(path);
}

static void rota_runs_out(void *arg)
{
    struct core_shifts rota;
    const char *zone;
    alloc_rearm();
    int rc = rota_make(arg, 1700000000 * S, &rota, &zone);
    alloc_disarm();
    if (rc == 0) {
        assert_int_equal(rota.count, 2);
        assert_int_equal(rota.zone_count, 2);
    } else {
        assert_null(rota.packed);
    }
    rota_free(&rota);
}

static void a_rota_is_whole_or_not_made(void **state)
{
    (void)state;
    char path[HUB_PATH];
    static const char hub[] =
        "hub: pokhara\nzone: Asia/Kathmandu\ndata: /tmp/x\nshifts:\n  day: {week: {mon-sun: 06:00-14:00}}\nworkers:\n"
        "  - {id: asha, shift: day}\n  - {id: bina, shift: day, zone: Africa/Nairobi}\n";
    write_hub_file(path, hub);
    unsigned problems = 0;
    struct hub_config *c = hub_config_load(path, on_problem, &problems);
    assert_non_null(c);
    at_every_allocation(rota_runs_out, c);
    hub_config_free(&c);
    unlink(path);
}

/* ---------------------------------------------------------------- robots at work */
struct floor {
    struct runners *r;
    unsigned done, values;
};

static void on_done(void *arg, const struct run_done *d)
{
    struct floor *f = arg;
    f->done++;
    if (d->end == RUN_VALUES) {
        assert_string_equal(json_string_value(json_object_get(d->values, "x")), "said");
        f->values++;
    } else {
        assert_true(d->reason && d->reason[0]);
    }
}

static void on_ready(void *arg, const char *robot, bool ready)
{
    (void)arg, (void)robot, (void)ready;
}

static void runners_run_out(void *arg)
{
    struct hub_config *c = arg;
    struct floor f = { 0 };
    struct runner_events events = { on_done, on_ready, &f };
    int rc = 0;
    alloc_rearm();
    f.r = runners_new(&events, &rc);
    alloc_disarm();
    if (!f.r) {
        assert_int_equal(rc, ENOMEM);
        return;
    }
    alloc_rearm();
    rc = runners_configure(f.r, c, S);
    alloc_disarm();
    assert_true(rc == 0 || rc == ENOMEM);
    if (rc == 0) {
        int64_t now_us = S;
        json_t *task = json_pack("{s:i, s:s}", "assignment", 5, "x", "y");
        for (unsigned i = 0; i < c->member_count; i++) {
            alloc_rearm();
            runners_run(f.r, c->members[i].id, 10 + i, task, now_us);
            alloc_disarm();
        }
        /* each task comes to an end, whatever failed: the deadline is for a broken test */
        for (int turns = 0; f.done < c->member_count; turns++) {
            assert_true(turns < 20000);
            nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
            now_us += 5000;
            alloc_rearm();
            runners_poll(f.r, now_us);
            runners_tick(f.r, now_us);
            alloc_disarm();
        }
        json_decref(task);
    }
    assert_true(alloc_state.failed > 0 || f.values == c->member_count);
    runners_free(&f.r);
}

static void a_robot_s_task_comes_to_an_end_whatever_fails(void **state)
{
    (void)state;
    char path[HUB_PATH];
    static const char hub[] = "hub: pokhara\nzone: Asia/Kathmandu\ndata: /tmp/x\nrobots:\n"
                              "  - {id: once, runner: exec, command: [/bin/echo, '{\"x\": \"said\"}'], env: {A: b}}\n"
                              "  - {id: lives, runner: coprocess, command: [/bin/sed, -u, 's/.*\"id\": "
                              "*\\([0-9]*\\).*/{\"id\": \\1, \"values\": {\"x\": \"said\"}}/']}\n";
    write_hub_file(path, hub);
    unsigned problems = 0;
    struct hub_config *c = hub_config_load(path, on_problem, &problems);
    assert_non_null(c);
    at_every_allocation(runners_run_out, c);
    hub_config_free(&c);
    unlink(path);
}

/* ---------------------------------------------------------------- what is opened once */
static void parts_run_out(void *arg)
{
    void *zmq = arg;
    char said[300];
    int rc = 0;
    struct u64map m = { 0 };
    alloc_rearm();
    struct syncer *s = syncer_new(&rc);
    struct link *l = link_open(zmq, "tcp://127.0.0.1:1", said, sizeof said);
    bool all = true;
    static char something;
    for (uint64_t i = 1; i < 100; i++) {
        bool put = u64map_put(&m, i * 7919, &something);
        all = all && put;
        assert_true((u64map_get(&m, i * 7919) != NULL) == put);
    }
    alloc_disarm();
    assert_true((s && l && all) || alloc_state.failed > 0);
    assert_true(s || rc == ENOMEM);
    assert_true(l || said[0] != '\0');
    u64map_free(&m);
    syncer_free(&s);
    link_close(&l, 0);
}

static void what_is_opened_once_is_refused(void **state)
{
    (void)state;
    void *zmq = zmq_ctx_new();
    at_every_allocation(parts_run_out, zmq);
    zmq_ctx_term(zmq);
}

static int tell_sites(void **state)
{
    (void)state;
    print_message("# the agent's allocations failed at %u sites\n", alloc_sites());
    return 0;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_core_says_that_memory_ran_out),
        cmocka_unit_test(the_outbox_refuses_or_keeps),
        cmocka_unit_test(the_journal_refuses_or_keeps),
        cmocka_unit_test(a_form_a_task_and_its_answers_are_whole_or_not_there),
        cmocka_unit_test(a_hub_file_is_read_whole_or_refused),
        cmocka_unit_test(a_rota_is_whole_or_not_made),
        cmocka_unit_test(a_robot_s_task_comes_to_an_end_whatever_fails),
        cmocka_unit_test(what_is_opened_once_is_refused),
    };
    return cmocka_run_group_tests_name("allocations of the agent", tests, NULL, tell_sites);
}
