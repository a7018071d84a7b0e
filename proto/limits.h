/* Every limit of Sunline, with its unit at the end of its name. A limit that a peer, a file or a person can run into has a
 * typed error in errors.def, named beside it. Relations between limits are proved at compile time at the end of this file. */
#ifndef SUNLINE_LIMITS_H
#define SUNLINE_LIMITS_H

/* ---- the wire ---- */
#define SL_PROTOCOL_VERSION 1
#define SL_FRAME_BYTES_MAX (256 * 1024)   /* one message body; TOO_BIG. ZeroMQ's MAXMSGSIZE is set to it */
#define SL_DEPTH_MAX 16                   /* nesting of msgpack containers in a frame; MALFORMED */
#define SL_MAP_PAIRS_MAX 1024             /* pairs of a map inside a value (definitions, stories, figures); TOO_MANY */
#define SL_BATCH_ITEMS_MAX 4096           /* items in one frame: units, acts, results; TOO_MANY */
#define SL_PUSH_ITEMS_MAX 1024            /* assignments in one push frame (the broker cuts there) */
#define SL_HELD_ITEMS_MAX 28000           /* assignments a hub may hold, so that hello can name them all; TOO_MANY */
#define SL_PAGE_ITEMS_MAX 4096            /* rows of a listing, an output page or an event page; more are cut off */

/* ---- names and texts ---- */
#define SL_NAME_BYTES_MAX 64              /* line, station, run, hub, worker, field, skill, team; BAD_NAME */
#define SL_KEY_BYTES_MAX 128              /* an idempotency key; TOO_BIG */
#define SL_SHIFT_NAME_BYTES_MAX 136       /* a shift's name, with a zone or a worker's behind it; BAD_VALUE */
#define SL_TEXT_BYTES_MAX 512             /* a reason or a note; TOO_BIG */

/* ---- definitions ---- */
#define SL_LINE_BYTES_MAX (128 * 1024)    /* a line definition as sent; TOO_BIG */
#define SL_LINE_STATIONS_MAX 128          /* stations of one line; BAD_LINE */
#define SL_INPUT_FIELDS_MAX 128           /* input fields of a line; BAD_LINE */
#define SL_FORM_FIELDS_MAX 128            /* form fields of a station; BAD_LINE */
#define SL_OPTIONS_MAX 256                /* options of a radio, check_box or select; BAD_LINE */
#define SL_SHOWS_MAX 2048                 /* values that one station shows to its workers; BAD_LINE */
#define SL_EXPR_NODES_MAX 128             /* operators and operands of one `when`; BAD_LINE */
#define SL_SKILLS_MAX 32                  /* skills of a worker or a requirement; TOO_MANY */
#define SL_SKILL_LEVEL_MAX 255            /* the highest level of a skill; BAD_VALUE */
#define SL_COPIES_MAX 100                 /* answers a station may ask for of one task; BAD_LINE */
#define SL_GOLD_ROWS_MAX 4096             /* control tasks of a station; BAD_LINE */
#define SL_PLACES_MAX 256                 /* hubs or teams that one list of a station names; BAD_LINE */
#define SL_ATTEMPTS_MAX 100               /* attempts a station may allow; BAD_LINE */
#define SL_AT_ONCE_MAX 1000000            /* the highest limit of a station's tasks in hand at once; BAD_LINE */
#define SL_PER_DAY_MAX 1000000            /* the highest limit of a worker's tasks a day; BAD_LINE, BAD_VALUE */
#define SL_REWARD_MICROS_MAX 1000000000000ll /* the highest reward: a million of the line's currency; BAD_LINE */
#define SL_PROBLEMS_MAX 256               /* mistakes named in one definition; the rest is only counted */
#define SL_PRIORITY_MAX 9                 /* priorities go 0..9, 9 first; BAD_VALUE */

#define SL_SHIFT_TIMES_MAX 256            /* beginnings and ends of one shift that a hub tells in advance; TOO_MANY */
#define SL_ZONE_DAYS_MAX 32               /* beginnings of days of one zone that a hub tells in advance; TOO_MANY */
#define SL_HUB_ZONES_MAX 600              /* zones whose days one hub tells, all there are; TOO_MANY */
#define SL_COVERAGE_STATIONS_MAX 256      /* stations that one forecast is about; TOO_MANY */

/* ---- payloads: what one unit or one result may hold ---- */
#define SL_UNIT_BYTES_MAX (64 * 1024)     /* the input values of one unit, as packed; TOO_BIG */
#define SL_RESULT_BYTES_MAX (64 * 1024)   /* the values of one result, as packed; TOO_BIG */
#define SL_PUSH_FIELDS_BYTES_MAX (192 * 1024) /* what one task shows to its worker; a task above it is parked as dead */

/* ---- quotas and capacities ---- */
#define SL_QUEUE_TASKS_DEFAULT_MAX 100000000ull /* open units of one run unless configured; QUEUE_FULL */
#define SL_WORKER_CREDIT_MAX 65536        /* assignments one worker may hold; more credit is cut to this */
#define SL_PEERS_MAX 16384                /* peers of one endpoint; BUSY */
#define SL_DELAY_US_MAX (366ll * 24 * 3600 * 1000000) /* a delay at put or after a failure; BAD_VALUE */
#define SL_LEASE_US_MIN 1000000ll         /* leases go from a second ... */
#define SL_LEASE_US_MAX (30ll * 24 * 3600 * 1000000)  /* ... to 30 days; BAD_LINE */

/* ---- the store ---- */
#define SL_VALUE_BYTES_MAX 4080           /* a stored value, envelope included: one that is larger is cut into pieces */
#define SL_SEGMENT_BYTES_MAX 3500         /* what the engine packs into one segment */

_Static_assert(SL_HELD_ITEMS_MAX * 9 + 4096 < SL_FRAME_BYTES_MAX, "a hello that names all assignments of a hub fits a frame");
_Static_assert(SL_UNIT_BYTES_MAX * 2 < SL_FRAME_BYTES_MAX, "a put of one unit fits a frame");
_Static_assert(SL_PUSH_FIELDS_BYTES_MAX + 4096 < SL_FRAME_BYTES_MAX, "a push of one task fits a frame");
_Static_assert(SL_LINE_BYTES_MAX + 4096 < SL_FRAME_BYTES_MAX, "a line definition fits a frame");
_Static_assert(SL_PROBLEMS_MAX * (SL_TEXT_BYTES_MAX + 256) + 4096 < SL_FRAME_BYTES_MAX, "all mistakes of a line fit a frame");
_Static_assert(SL_SEGMENT_BYTES_MAX < SL_VALUE_BYTES_MAX, "a segment fits a value");
#endif
