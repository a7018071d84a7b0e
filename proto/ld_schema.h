/* The keys of a line definition, as tables: which keys a map may have, what each holds, which must be there. The compiler checks by
 * them, the YAML front-end reads scalars by them, and a test holds docs/line-files.md against them. A new key is a row here. */
#ifndef SUNLINE_LD_SCHEMA_H
#define SUNLINE_LD_SCHEMA_H
#include <stdbool.h>
#include <stdint.h>

enum ld_shape {
    LD_S_NAME,       /* a string that keeps the rule of names */
    LD_S_FIELD_NAME, /* the same, and without '.' */
    LD_S_WORD,       /* one of a few words, checked by its reader */
    LD_S_TEXT,       /* a string for people, SL_TEXT_BYTES_MAX at most */
    LD_S_LONG_TEXT,  /* a string of any length (the whole definition is bounded) */
    LD_S_BOOL,
    LD_S_COUNT,      /* an integer >= 0 */
    LD_S_NUMBER,     /* a finite number */
    LD_S_MONEY,      /* a number or a decimal string, to millionths */
    LD_S_DECIMAL,    /* the same, for what is no money */
    LD_S_DURATION,   /* "10m", or an integer: seconds */
    LD_S_TEXTS,      /* a list of strings */
    LD_S_LEVELS,     /* a map from a name to an integer */
    LD_S_MAP,        /* a map, described by `map` */
    LD_S_MAPS        /* a list of such maps */
};

struct ld_map;
struct ld_key {
    const char *name;
    enum ld_shape shape;
    bool required;
    const struct ld_map *map; /* of MAP and MAPS */
};
struct ld_map {
    const char *what; /* "station", for messages and the document */
    uint32_t count;
    const struct ld_key *keys;
};

/* Indexes into the tables. */
enum { LD_LINE_NAME, LD_LINE_TITLE, LD_LINE_CURRENCY, LD_LINE_INPUT, LD_LINE_STATIONS, LD_LINE_KEYS };
enum { LD_FIELD_NAME, LD_FIELD_TYPE, LD_FIELD_LABEL, LD_FIELD_HINT, LD_FIELD_REQUIRED, LD_FIELD_OPTIONS, LD_FIELD_MIN, LD_FIELD_MAX,
       LD_FIELD_CHARS_MAX, LD_FIELD_KEYS };
enum { LD_STATION_NAME, LD_STATION_TYPE, LD_STATION_TITLE, LD_STATION_WORKER, LD_STATION_AFTER, LD_STATION_WHEN, LD_STATION_SHOWS,
       LD_STATION_PASSES, LD_STATION_FORM, LD_STATION_LEASE, LD_STATION_BACKOFF, LD_STATION_START_BY, LD_STATION_ATTEMPTS,
       LD_STATION_REWARD, LD_STATION_COPIES, LD_STATION_AGREE, LD_STATION_REASONS, LD_STATION_AUTHOR, LD_STATION_ROUNDS,
       LD_STATION_RETURN, LD_STATION_EXHAUSTED, LD_STATION_SAMPLE, LD_STATION_FIRST, LD_STATION_AT_ONCE, LD_STATION_CONTESTANTS, LD_STATION_JURY,
       LD_STATION_AUTO_JUDGE, LD_STATION_REQUIRE, LD_STATION_WINDOW, LD_STATION_GOLD, LD_STATION_KEYS };
enum { LD_WORKER_KIND, LD_WORKER_SKILLS, LD_WORKER_ONLY_HUBS, LD_WORKER_NOT_HUBS, LD_WORKER_ONLY_TEAMS, LD_WORKER_NOT_TEAMS,
       LD_WORKER_PREFER, LD_WORKER_NOT_WHO_DID, LD_WORKER_PER_DAY, LD_WORKER_KEYS };
enum { LD_COPIES_MIN, LD_COPIES_MAX, LD_COPIES_KEYS };
enum { LD_AGREE_METHOD, LD_AGREE_ON, LD_AGREE_TIES, LD_AGREE_CONFIDENCE, LD_AGREE_IGNORE, LD_AGREE_TOLERANCE, LD_AGREE_KEYS };
enum { LD_JURY_MAX, LD_JURY_TIES, LD_JURY_WORKER, LD_JURY_TITLE, LD_JURY_INSTRUCTION, LD_JURY_LEASE, LD_JURY_REWARD, LD_JURY_KEYS };
enum { LD_AUTO_EQUAL, LD_AUTO_ON, LD_AUTO_IGNORE, LD_AUTO_TOLERANCE, LD_AUTO_KEYS };
enum { LD_REQUIRE_APPROVAL, LD_REQUIRE_RETURNED, LD_REQUIRE_GOLD, LD_REQUIRE_AGREEMENT, LD_REQUIRE_ABANDONMENT, LD_REQUIRE_WON, LD_REQUIRE_BEATEN,
       LD_REQUIRE_LEASE_TIME, LD_REQUIRE_ACTIVE_TIME, LD_REQUIRE_AFTER, LD_REQUIRE_OF, LD_REQUIRE_NEWCOMERS, LD_REQUIRE_KEYS };
enum { LD_WINDOW_KEY_LAST, LD_WINDOW_KEY_WITHIN, LD_WINDOW_KEYS };
enum { LD_GOLD_FILE, LD_GOLD_EVERY, LD_GOLD_MATCH, LD_GOLD_RULES, LD_GOLD_COLUMNS, LD_GOLD_CELLS, LD_GOLD_KEYS };
enum { LD_MATCH_FIELD, LD_MATCH_IGNORE, LD_MATCH_TOLERANCE, LD_MATCH_KEYS };
enum { LD_RULE_BELOW, LD_RULE_AFTER, LD_RULE_DO, LD_RULE_SKILL, LD_RULE_AT, LD_RULE_UNTIL, LD_RULE_KEYS };
enum { LD_FORM_TITLE, LD_FORM_INSTRUCTION, LD_FORM_FIELDS, LD_FORM_KEYS };
#define LD_KEYS_MAX 32 /* keys of the largest map */

extern const struct ld_map ld_line_map, ld_input_map, ld_station_map, ld_worker_map, ld_copies_map, ld_agree_map, ld_jury_map, ld_auto_map, ld_form_map,
    ld_field_map, ld_require_map, ld_window_map, ld_gold_map, ld_match_map, ld_rule_map;
extern const struct ld_map *const ld_maps[]; /* all of them, NULL at the end */

/* Index of key p[0..n), -1 if the map has none of that name. */
int ld_key_find(const struct ld_map *m, const char *p, uint32_t n);
/* Words of the language, by their enum; NULL at the end. */
extern const char *const ld_type_words[];    /* enum ld_type; the first LD_INPUT_TYPES may stand in `input` */
extern const char *const ld_kind_words[];    /* enum ld_kind */
extern const char *const ld_station_words[]; /* enum ld_station_type */
extern const char *const ld_method_words[];  /* enum ld_method */
extern const char *const ld_ties_words[];    /* enum ld_ties */
extern const char *const ld_rule_words[];    /* enum ld_rule */
extern const char *const ld_prefer_words[];  /* enum ld_prefer */
extern const char *const ld_verdict_words[]; /* enum ld_verdict */
#define LD_INPUT_TYPES 9
#endif
