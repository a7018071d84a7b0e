/* The agent and reviews: what a robot or a screen is given, and which verdicts are refused while whoever gave them is still there. */
#include "tests/unit/line_world.h"
#include "worker-agent/form.h"

#define LINE                                                                                                           \
    "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - name: write\n    form: {fields: [{name: title, "    \
    "type: "                                                                                                           \
    "text, required: true}, {name: tags, type: check_box, options: [a, b]}]}\n  - name: edit\n    type: improve\n    " \
    "reasons: [copied]\n"

struct scene {
    struct ld_line *line;
    struct form *form;
    struct slp_buf fields, context;
    struct core_task task;
};

static void open_scene(struct scene *s)
{
    struct slp_buf shows = { 0 }, body = { 0 };
    char text[256];
    memset(s, 0, sizeof *s);
    s->line = good_line(LINE);
    const struct ld_station *st = &s->line->stations[1];
    for (uint32_t i = 0; i < st->show_count; i++)
        slp_pack_str(&shows, st->show_names[i].p, st->show_names[i].n);
    struct slp_form m = { .station_id = 7,
                          .line = { "l", 1 },
                          .version = 1,
                          .station = { "edit", 4 },
                          .shows = { shows.p, (uint32_t)shows.n, st->show_count },
                          .form = st->form_raw,
                          .type = 1,
                          .reviews = { "write", 5 } };
    SLP_SET(&m, form, reviews);
    assert_int_equal(slp_encode(&body, SLP_FORM, 1, &m), 0);
    s->form = form_new(body.p, body.n, text, sizeof text);
    assert_non_null(s->form);
    slp_pack_cstr(&s->fields, "the input");
    slp_pack_cstr(&s->fields, "Sun");
    slp_pack_array(&s->fields, 1);
    slp_pack_cstr(&s->fields, "a");
    slp_pack_map(&s->context, 1);
    slp_pack_cstr(&s->context, "author");
    slp_pack_cstr(&s->context, "ann");
    s->task = (struct core_task){ .assignment = 5,
                                  .station_id = 7,
                                  .attempt = 1,
                                  .fields = { s->fields.p, (uint32_t)s->fields.n, 3 },
                                  .context = { s->context.p, (uint32_t)s->context.n } };
    slp_buf_free(&shows);
    slp_buf_free(&body);
}

static void close_scene(struct scene *s)
{
    form_free(&s->form);
    ld_free(&s->line);
    slp_buf_free(&s->fields);
    slp_buf_free(&s->context);
}

static void a_task_has_the_work_and_its_author(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    json_t *task = form_task_json(s.form, &s.task);
    const json_t *review = json_object_get(task, "review"), *work = json_object_get(review, "work");
    assert_string_equal(json_string_value(json_object_get(review, "of")), "write");
    assert_string_equal(json_string_value(json_object_get(work, "title")), "Sun");
    assert_string_equal(json_string_value(json_array_get(json_object_get(work, "tags"), 0)), "a");
    assert_string_equal(json_string_value(json_object_get(json_object_get(task, "context"), "author")), "ann");
    assert_int_equal(json_array_size(json_object_get(json_object_get(task, "form"), "fields")), 5);
    json_decref(task);
    close_scene(&s);
}

static void a_verdict_is_checked_as_the_broker_checks_it(void **state)
{
    static const struct {
        const char *answer, *field, *text;
    } rows[] = {
        { "{\"verdict\": \"accept\"}", NULL, NULL },
        { "{\"verdict\": \"accept\", \"title\": \"Sun\", \"tags\": [\"a\"], \"note\": \"good\"}", NULL, NULL },
        { "{\"verdict\": \"improve\", \"title\": \"Moon\"}", NULL, NULL },
        { "{\"verdict\": \"improve\", \"tags\": []}", NULL, NULL },
        { "{\"verdict\": \"reject\", \"reason\": \"copied\", \"note\": null}", NULL, NULL },
        { "{\"title\": \"Moon\"}", "verdict", "verdict: is required" },
        { "{\"verdict\": \"fine\"}", "verdict", "verdict: 'fine' is not one of the options" },
        { "{\"verdict\": \"accept\", \"title\": \"Moon\"}", "title",
          "title: is changed, but the verdict is accept: say improve" },
        { "{\"verdict\": \"improve\"}", "verdict", "verdict: improve, but nothing is changed: say accept" },
        { "{\"verdict\": \"improve\", \"title\": \"\"}", "title", "title: is required" },
        { "{\"verdict\": \"reject\"}", "reason", "reason: is required when work is rejected" },
        { "{\"verdict\": \"accept\", \"reason\": \"copied\"}", "reason", "reason: a reason is for what is rejected" },
        { "{\"verdict\": \"reject\", \"reason\": \"copied\", \"tags\": [\"b\"]}", "tags",
          "tags: is changed, but the verdict is reject: what is sent back stays as it is" },
    };
    struct scene s;
    (void)state;
    open_scene(&s);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char field[SL_NAME_BYTES_MAX + 1], text[300] = "";
        struct slp_buf values = { 0 };
        json_t *a = json_loads(rows[i].answer, 0, NULL);
        assert_non_null(a);
        assert_int_equal(form_values(s.form, &s.task, a, &values, field, text, sizeof text), rows[i].text ? -1 : 0);
        assert_string_equal(text, rows[i].text ? rows[i].text : "");
        assert_string_equal(field, rows[i].field ? rows[i].field : "");
        json_decref(a);
        slp_buf_free(&values);
    }
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_has_the_work_and_its_author),
        cmocka_unit_test(a_verdict_is_checked_as_the_broker_checks_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
