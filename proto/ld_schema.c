/* The tables of keys and words. Order within a table is the order of its enum. */
#include "proto/ld_schema.h"

#include "proto/linedef.h"

#include <stddef.h>
#include <string.h>

static const struct ld_key field_keys[LD_FIELD_KEYS] = {
    [LD_FIELD_NAME] = { "name", LD_S_FIELD_NAME, true, NULL },
    [LD_FIELD_TYPE] = { "type", LD_S_WORD, true, NULL },
    [LD_FIELD_LABEL] = { "label", LD_S_TEXT, false, NULL },
    [LD_FIELD_HINT] = { "hint", LD_S_TEXT, false, NULL },
    [LD_FIELD_REQUIRED] = { "required", LD_S_BOOL, false, NULL },
    [LD_FIELD_OPTIONS] = { "options", LD_S_TEXTS, false, NULL },
    [LD_FIELD_MIN] = { "min", LD_S_NUMBER, false, NULL },
    [LD_FIELD_MAX] = { "max", LD_S_NUMBER, false, NULL },
    [LD_FIELD_CHARS_MAX] = { "chars_max", LD_S_COUNT, false, NULL },
};
static const struct ld_key form_keys[LD_FORM_KEYS] = {
    [LD_FORM_TITLE] = { "title", LD_S_TEXT, false, NULL },
    [LD_FORM_INSTRUCTION] = { "instruction", LD_S_LONG_TEXT, false, NULL },
    [LD_FORM_FIELDS] = { "fields", LD_S_MAPS, false, &ld_field_map },
};
static const struct ld_key worker_keys[LD_WORKER_KEYS] = {
    [LD_WORKER_KIND] = { "kind", LD_S_WORD, false, NULL },
    [LD_WORKER_SKILLS] = { "skills", LD_S_LEVELS, false, NULL },
    [LD_WORKER_ONLY_HUBS] = { "only_hubs", LD_S_TEXTS, false, NULL },
    [LD_WORKER_NOT_HUBS] = { "not_hubs", LD_S_TEXTS, false, NULL },
    [LD_WORKER_ONLY_TEAMS] = { "only_teams", LD_S_TEXTS, false, NULL },
    [LD_WORKER_NOT_TEAMS] = { "not_teams", LD_S_TEXTS, false, NULL },
    [LD_WORKER_PREFER] = { "prefer", LD_S_WORD, false, NULL },
    [LD_WORKER_NOT_WHO_DID] = { "not_who_did", LD_S_TEXTS, false, NULL },
    [LD_WORKER_PER_DAY] = { "per_day", LD_S_COUNT, false, NULL },
};
static const struct ld_key copies_keys[LD_COPIES_KEYS] = {
    [LD_COPIES_MIN] = { "min", LD_S_COUNT, true, NULL },
    [LD_COPIES_MAX] = { "max", LD_S_COUNT, false, NULL },
};
static const struct ld_key agree_keys[LD_AGREE_KEYS] = {
    [LD_AGREE_METHOD] = { "method", LD_S_WORD, true, NULL },
    [LD_AGREE_ON] = { "on", LD_S_TEXTS, false, NULL },
    [LD_AGREE_TIES] = { "ties", LD_S_WORD, false, NULL },
    [LD_AGREE_CONFIDENCE] = { "confidence", LD_S_DECIMAL, false, NULL },
    [LD_AGREE_IGNORE] = { "ignore", LD_S_TEXTS, false, NULL },
    [LD_AGREE_TOLERANCE] = { "tolerance", LD_S_DECIMAL, false, NULL },
};
static const struct ld_key jury_keys[LD_JURY_KEYS] = {
    [LD_JURY_MAX] = { "max", LD_S_COUNT, true, NULL },
    [LD_JURY_TIES] = { "ties", LD_S_WORD, true, NULL },
    [LD_JURY_WORKER] = { "worker", LD_S_MAP, false, &ld_worker_map },
    [LD_JURY_TITLE] = { "title", LD_S_TEXT, false, NULL },
    [LD_JURY_INSTRUCTION] = { "instruction", LD_S_LONG_TEXT, false, NULL },
    [LD_JURY_LEASE] = { "lease", LD_S_DURATION, false, NULL },
    [LD_JURY_REWARD] = { "reward", LD_S_MONEY, false, NULL },
};
static const struct ld_key auto_keys[LD_AUTO_KEYS] = {
    [LD_AUTO_EQUAL] = { "equal", LD_S_COUNT, true, NULL },
    [LD_AUTO_ON] = { "on", LD_S_TEXTS, false, NULL },
    [LD_AUTO_IGNORE] = { "ignore", LD_S_TEXTS, false, NULL },
    [LD_AUTO_TOLERANCE] = { "tolerance", LD_S_DECIMAL, false, NULL },
};
static const struct ld_key require_keys[LD_REQUIRE_KEYS] = {
    [LD_REQUIRE_APPROVAL] = { "approval", LD_S_WORD, false, NULL },
    [LD_REQUIRE_RETURNED] = { "returned", LD_S_WORD, false, NULL },
    [LD_REQUIRE_GOLD] = { "gold", LD_S_WORD, false, NULL },
    [LD_REQUIRE_AGREEMENT] = { "agreement", LD_S_WORD, false, NULL },
    [LD_REQUIRE_ABANDONMENT] = { "abandonment", LD_S_WORD, false, NULL },
    [LD_REQUIRE_WON] = { "won", LD_S_WORD, false, NULL },
    [LD_REQUIRE_BEATEN] = { "beaten", LD_S_WORD, false, NULL },
    [LD_REQUIRE_LEASE_TIME] = { "lease_time", LD_S_WORD, false, NULL },
    [LD_REQUIRE_ACTIVE_TIME] = { "active_time", LD_S_WORD, false, NULL },
    [LD_REQUIRE_AFTER] = { "after", LD_S_COUNT, false, NULL },
    [LD_REQUIRE_OF] = { "of", LD_S_WORD, false, NULL },
    [LD_REQUIRE_NEWCOMERS] = { "newcomers", LD_S_WORD, false, NULL },
};
static const struct ld_key window_keys[LD_WINDOW_KEYS] = {
    [LD_WINDOW_KEY_LAST] = { "last", LD_S_COUNT, false, NULL },
    [LD_WINDOW_KEY_WITHIN] = { "within", LD_S_DURATION, false, NULL },
};
static const struct ld_key match_keys[LD_MATCH_KEYS] = {
    [LD_MATCH_FIELD] = { "field", LD_S_FIELD_NAME, true, NULL },
    [LD_MATCH_IGNORE] = { "ignore", LD_S_TEXTS, false, NULL },
    [LD_MATCH_TOLERANCE] = { "tolerance", LD_S_DECIMAL, false, NULL },
};
static const struct ld_key rule_keys[LD_RULE_KEYS] = {
    [LD_RULE_BELOW] = { "below", LD_S_DECIMAL, true, NULL }, [LD_RULE_AFTER] = { "after", LD_S_COUNT, false, NULL },
    [LD_RULE_DO] = { "do", LD_S_WORD, true, NULL },          [LD_RULE_SKILL] = { "skill", LD_S_NAME, false, NULL },
    [LD_RULE_AT] = { "at", LD_S_NAME, false, NULL },         [LD_RULE_UNTIL] = { "until", LD_S_DECIMAL, false, NULL },
};
static const struct ld_key gold_keys[LD_GOLD_KEYS] = {
    [LD_GOLD_FILE] = { "file", LD_S_TEXT, false, NULL },
    [LD_GOLD_EVERY] = { "every", LD_S_COUNT, false, NULL },
    [LD_GOLD_MATCH] = { "match", LD_S_MAPS, false, &ld_match_map },
    [LD_GOLD_RULES] = { "rules", LD_S_MAPS, false, &ld_rule_map },
    [LD_GOLD_COLUMNS] = { "columns", LD_S_TEXTS, false, NULL },
    [LD_GOLD_CELLS] = { "cells", LD_S_TEXTS, false, NULL },
};
static const struct ld_key station_keys[LD_STATION_KEYS] = {
    [LD_STATION_NAME] = { "name", LD_S_NAME, true, NULL },
    [LD_STATION_TYPE] = { "type", LD_S_WORD, false, NULL },
    [LD_STATION_TITLE] = { "title", LD_S_TEXT, false, NULL },
    [LD_STATION_WORKER] = { "worker", LD_S_MAP, false, &ld_worker_map },
    [LD_STATION_AFTER] = { "after", LD_S_TEXTS, false, NULL },
    [LD_STATION_WHEN] = { "when", LD_S_LONG_TEXT, false, NULL },
    [LD_STATION_SHOWS] = { "shows", LD_S_TEXTS, false, NULL },
    [LD_STATION_PASSES] = { "passes", LD_S_TEXTS, false, NULL },
    [LD_STATION_FORM] = { "form", LD_S_MAP, false, &ld_form_map },
    [LD_STATION_LEASE] = { "lease", LD_S_DURATION, false, NULL },
    [LD_STATION_BACKOFF] = { "backoff", LD_S_DURATION, false, NULL },
    [LD_STATION_START_BY] = { "start_by", LD_S_DURATION, false, NULL },
    [LD_STATION_ATTEMPTS] = { "attempts", LD_S_COUNT, false, NULL },
    [LD_STATION_REWARD] = { "reward", LD_S_MONEY, false, NULL },
    [LD_STATION_COPIES] = { "copies", LD_S_MAP, false, &ld_copies_map },
    [LD_STATION_AGREE] = { "agree", LD_S_MAP, false, &ld_agree_map },
    [LD_STATION_REASONS] = { "reasons", LD_S_TEXTS, false, NULL },
    [LD_STATION_AUTHOR] = { "author", LD_S_BOOL, false, NULL },
    [LD_STATION_ROUNDS] = { "rounds", LD_S_COUNT, false, NULL },
    [LD_STATION_RETURN] = { "return_to_author", LD_S_DURATION, false, NULL },
    [LD_STATION_EXHAUSTED] = { "on_exhausted", LD_S_NAME, false, NULL },
    [LD_STATION_SAMPLE] = { "sample", LD_S_DECIMAL, false, NULL },
    [LD_STATION_FIRST] = { "first", LD_S_COUNT, false, NULL },
    [LD_STATION_AT_ONCE] = { "at_once", LD_S_COUNT, false, NULL },
    [LD_STATION_CONTESTANTS] = { "contestants", LD_S_COUNT, false, NULL },
    [LD_STATION_JURY] = { "jury", LD_S_MAP, false, &ld_jury_map },
    [LD_STATION_AUTO_JUDGE] = { "auto_judge", LD_S_MAP, false, &ld_auto_map },
    [LD_STATION_REQUIRE] = { "require", LD_S_MAP, false, &ld_require_map },
    [LD_STATION_WINDOW] = { "window", LD_S_MAP, false, &ld_window_map },
    [LD_STATION_GOLD] = { "gold", LD_S_MAP, false, &ld_gold_map },
};
static const struct ld_key line_keys[LD_LINE_KEYS] = {
    [LD_LINE_NAME] = { "line", LD_S_NAME, true, NULL },
    [LD_LINE_TITLE] = { "title", LD_S_TEXT, false, NULL },
    [LD_LINE_CURRENCY] = { "currency", LD_S_WORD, false, NULL },
    [LD_LINE_INPUT] = { "input", LD_S_MAPS, true, &ld_input_map },
    [LD_LINE_STATIONS] = { "stations", LD_S_MAPS, true, &ld_station_map },
};
_Static_assert(LD_STATION_KEYS <= LD_KEYS_MAX && LD_FIELD_KEYS <= LD_KEYS_MAX,
               "a map's values fit the array of its reader");

const struct ld_map ld_line_map = { "line", LD_LINE_KEYS, line_keys };
const struct ld_map ld_input_map = { "input field", LD_FIELD_KEYS, field_keys };
const struct ld_map ld_station_map = { "station", LD_STATION_KEYS, station_keys };
const struct ld_map ld_worker_map = { "worker", LD_WORKER_KEYS, worker_keys };
const struct ld_map ld_copies_map = { "copies map", LD_COPIES_KEYS, copies_keys };
const struct ld_map ld_agree_map = { "agree map", LD_AGREE_KEYS, agree_keys };
const struct ld_map ld_jury_map = { "jury map", LD_JURY_KEYS, jury_keys };
const struct ld_map ld_auto_map = { "auto_judge map", LD_AUTO_KEYS, auto_keys };
const struct ld_map ld_require_map = { "require map", LD_REQUIRE_KEYS, require_keys };
const struct ld_map ld_window_map = { "window", LD_WINDOW_KEYS, window_keys };
const struct ld_map ld_gold_map = { "gold map", LD_GOLD_KEYS, gold_keys };
const struct ld_map ld_match_map = { "match", LD_MATCH_KEYS, match_keys };
const struct ld_map ld_rule_map = { "gold rule", LD_RULE_KEYS, rule_keys };
const struct ld_map ld_form_map = { "form", LD_FORM_KEYS, form_keys };
const struct ld_map ld_field_map = { "form field", LD_FIELD_KEYS, field_keys };
const struct ld_map *const ld_maps[] = { &ld_line_map,    &ld_input_map,  &ld_station_map, &ld_worker_map,
                                         &ld_copies_map,  &ld_agree_map,  &ld_jury_map,    &ld_auto_map,
                                         &ld_require_map, &ld_window_map, &ld_gold_map,    &ld_match_map,
                                         &ld_rule_map,    &ld_form_map,   &ld_field_map,   NULL };

const char *const ld_type_words[] = { "text",        "general", "email",     "url",    "number",
                                      "date",        "time",    "datetime",  "phone",  "short_answer",
                                      "long_answer", "radio",   "check_box", "select", NULL };
const char *const ld_kind_words[] = { "any", "human", "robot", NULL };
const char *const ld_prefer_words[] = { "idle", "best", "hub", NULL };
const char *const ld_station_words[] = { "work", "improve", "tournament", NULL };
const char *const ld_method_words[] = { "plurality", "posterior", "all", NULL };
const char *const ld_ties_words[] = { "more", "first", "review", "fail", NULL };
const char *const ld_verdict_words[] = { "accept", "improve", "reject", NULL };
const char *const ld_rule_words[] = { "plurality", "posterior", "all", "first", "review", "max", "jury", "auto", NULL };

const char *ld_rule_word(enum ld_rule rule)
{
    return ld_rule_words[rule];
}

const char *ld_verdict_word(enum ld_verdict verdict)
{
    return ld_verdict_words[verdict];
}

int ld_key_find(const struct ld_map *m, const char *p, uint32_t n)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (strlen(m->keys[i].name) == n && memcmp(m->keys[i].name, p, n) == 0)
            return (int)i;
    return -1;
}
