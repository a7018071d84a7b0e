/* The checker: an independent judge. It knows nothing of the engine's code or store. It is fed with facts, in the order in which they happened,
 * keeps a model of its own made from them alone, and gives verdicts. All verdicts must be zero.
 *
 * Facts are of four kinds:
 *   what is so by definition     STATION, WORKER (a roster), RUN
 *   what the world did and heard ROW_SENT, ROW_ACKED, SUBMIT_SENT, BAD_SENT, KEPT, OUTCOME (an act's or a submit's code, as the broker gave it), GRANT, SIGN_OFF, SEEN
 *   what the broker says         the facts of its event stream, each with its sequence; STEP ends what one input caused
 *   what is there at the end     STORY_* (unit_get), OUTPUT and HANDED_OUT (output_get), COUNTS, RUN_COUNTS; ALL_TOLD: there is nothing else
 *
 * Inside the model: units by (run, number), a task for each station, assignments by number. Events move them; a move that the matrix of
 * PROTOCOL.md does not have is wrong_state. */
#ifndef TESTS_SIM_CHECKER_H
#define TESTS_SIM_CHECKER_H
// clang-format off
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CHECKER_STATIONS_MAX 16
#define CHECKER_SKILLS 4
#define CHECKER_GOLD_ROW 900000000 /* the row that the first control task of a station shows; the others follow */

enum verdict {
    LOST,            /* acknowledged, and not there at the end; or a good answer that is refused, which nobody sends again */
    UNEXPECTED,      /* there, and never sent by anybody */
    DUPLICATED,      /* one row in two units, one result for two assignments */
    DOUBLE_ACCEPT,   /* two results of one task counted */
    GIVEN_TWICE,     /* an assignment number that a lost store gave, given again by the one that was put back from its backup */
    STALE_ACCEPTED,  /* a command under an assignment that was over went through */
    BYTES_DIFFER,    /* a row or result is not, to the byte, what was sent; an event is not what the store has under its number */
    FIFO,            /* first dispatch out of order within (station, run) among what its worker may do, a station of his run further downstream passed by, or rows out of their producer's order */
    FAIRNESS,        /* of two runs that both had work for the same workers, one got ahead; or a worker got something while a run of a higher priority had work for him, or nothing while there was some */
    EVENT_GAP,       /* sequences are not gapless */
    COUNTERS,        /* counters are not what a recount gives */
    NOT_ELIGIBLE,    /* assigned to somebody who may not do it, is suspended, is off shift, is not signed in, has declined it, or while it was paused */
    OVER_ASKED,      /* more assignments outstanding and accepted than answers wanted */
    VOID_COUNTS,     /* a task was decided with an answer of somebody who had been suspended since he gave it */
    CREDIT_NEGATIVE, /* more assigned than granted */
    WRONG_STATE,     /* a transition, an answer or an end that the matrix does not have */
    TOO_EARLY,       /* a lease, a time to start or a delay ended before its time */
    OVER_LIMIT,      /* more in hand at a station, or more in a day for a worker, than a limit allows */
    UNFINISHED,      /* the faults are over, time was given, and something has not come to its end */
    VERDICTS
};
const char *verdict_name(enum verdict v);

enum fact_kind {
    /* station: number; line, index, kind (0 any 1 human 2 robot), level[] needed, after (bits), when_on (-1 always, -2 the row's, else a
     * station's route), shut_hubs, shut_teams (bits of those who get nothing), not_did (bits of stations; who did one does not get this), when_is, attempts, copies_min, copies_max, ties, jury, equal, at_once, per_day (0: no limit), lease_us, start_by_us, stations (of the line version), first (station number of index 0) */
    FACT_STATION,
    FACT_WORKER,     /* worker, session of its hub, wkind (0 human 1 robot), index of its hub, team, level[], digest: its shift, 0: none; per_day */
    FACT_SHIFT,      /* session of its hub, digest, times, count: how many; beginnings and ends in UTC */
    FACT_DAYS,       /* session of its hub, times, count: how many; the midnights of its days in UTC */
    FACT_CLOCK,      /* the broker's wall clock was set, by `wall`: what was counted by days is not known any more */
    FACT_HUB_CLOCK,  /* session, flag: its hub was told that its clock is off, and until it is told that it is right it begins no work; a new session begins right */
    FACT_FULL,       /* flag: the broker was told that its store is nearly full: no new units until it is told that there is room, or begins anew */
    FACT_RUN,        /* run, station (number of index 0) */
    FACT_ROW_SENT,   /* run, row, digest, route, flag: rows of this producer keep their order; producer in `worker` */
    FACT_ROW_ACKED,  /* run, row, unit (0: a repeat, not told) */
    FACT_SUBMIT_SENT,/* assignment, worker, digest, route; of a verdict route -1, and flag: it changes nothing */
    FACT_BAD_SENT,   /* assignment: an answer that may be refused; of one that was only ever sent good no answer may be */
    FACT_KEPT,       /* assignment, index: the agent, flag: whoever handed its result in was told that it is kept; or, without, what kept it is gone for good */
    FACT_ACT,        /* act (0 start .. 5 bury, 6 submit), assignment, worker, session, code, lease_us (start, touch; 0 without flag: the whole): the broker's answer to one item; before the step's events */
    FACT_ROSTER,     /* session: its hub's roster is another one; WORKER facts of who is on it follow */
    FACT_GRANT,      /* session, worker, count: total */
    FACT_SIGN_OFF,   /* session, worker */
    FACT_SEEN,       /* assignment, row, digest, worker: what a worker was shown */
    /* events: seq and */
    FACT_EVENT,      /* any that is not modelled */
    FACT_BOOT,       /* the broker began to serve: sessions are over */
    FACT_SESSION,    /* hub, session, flag: connected */
    FACT_LINE_STATE, /* line, state */
    FACT_STATION_STATE, /* line, index, flag: paused */
    FACT_HELD,       /* run, station, unit */
    FACT_DECIDED,    /* run, station, unit, result, assignment (whose answer the outcome follows), count: answers, state: votes, flag: by auto_judge */
    FACT_PLACED,     /* run, station, unit, assignment: an entry; count: its place, state: its votes */
    FACT_WANTS,      /* run, station, unit, count: answers wanted from here on, why */
    FACT_REVIEWED,   /* run, station, unit, result, assignment, count: round of the work, state: enum sim_review */
    FACT_BLOCKED,    /* run, station, unit */
    FACT_RUN_STATE,  /* run, state, flag: paused, count: priority */
    FACT_STANDING,   /* worker, line, index: of the station's name, 16 and on: of a tournament's jury; state: 0 good, 1 suspended, 2 by a rule, 3 in training; flag: an operator said so */
    FACT_SKILL,      /* worker, index: the skill, state: enum sim_says, count: level, due: when it ends by the wall clock, 0: it does not */
    FACT_GOLD,       /* assignment, flag: the answer to a control task is right */
    FACT_VOID,       /* run, station, unit, assignment: its answer counts no more; 0: all were told, count: answers wanted from here on */
    FACT_UNITS_ADDED,/* run, unit */
    FACT_READY,      /* run, station, unit, why */
    FACT_WAITING,    /* run, station, unit, why, due */
    FACT_SKIPPED,    /* run, station, unit */
    FACT_ASSIGNED,   /* run, station, unit, assignment, worker, hub */
    FACT_STARTED,    /* assignment */
    FACT_RETURNED,   /* assignment, unit, why; at: not before the lease, or the time to start, is over, if it expired */
    FACT_SUBMITTED,  /* assignment, result, flag: late */
    FACT_TASK_DONE,  /* run, station, unit */
    FACT_DEAD,       /* run, station, unit, why */
    FACT_UNIT_DONE,  /* run, unit */
    FACT_DROPPED,    /* run, unit */
    FACT_STEP,       /* the input that caused the events since the last STEP is over; wall; flag: so is the handing out of what is ready, nobody who may have some was left for later */
    /* the end */
    FACT_STORY_UNIT, /* run, unit, state, row, digest */
    FACT_STORY_TASK, /* run, unit, station, state */
    FACT_STORY_ASSIGNMENT, /* run, unit, station, assignment, state, why, digest (0: none) */
    FACT_OUTPUT,     /* run, unit, row, digest of the input part */
    FACT_OUTPUT_ANSWER, /* as HANDED_OUT, of that station's column in the unit's row of what the run hands out */
    FACT_HANDED_OUT, /* run, unit, index: what its station hands out: digest of the answer; of a list state: how many, count: which of them, from 0; flag: there is nothing in the answer's place */
    FACT_COUNTS,     /* run, station, counts[] */
    FACT_RUN_COUNTS, /* run, state, counts: units, done, dropped, cancelled, dead */
    FACT_ALL_TOLD,   /* every run that is there was told, with all that it and its stations hand out */
    FACT_BODY,       /* seq, digest: of the event as the store has it; told before the event itself */
    FACT_SUBSCRIBER, /* a subscriber's stream: worker: which one; prev, seq, digest */
    FACT_GONE,       /* worker: a subscriber was told that events are kept from seq on only; prev: from where on he asked; count: so many are kept at least, 0: nobody knows; flag: not for ever */
    FACT_LAST_EVENT, /* seq: the newest there is */
    FACT_SUBSCRIBED, /* worker: a subscriber that must have seen everything of run, of hub, of line, or of all */
    FACT_DAMAGE,     /* text: what the store's own check names; flag: by a recount, the run whose counters differ */
    FACT_STUCK,      /* text: what has not come to an end */
    FACT_LEFT_OVER   /* from here on only units are dropped of which a task is dead, and nobody is left who may do it */
};

struct fact {
    enum fact_kind kind;
    uint64_t seq, run, unit, row, digest, assignment, worker, hub, session, result, count, prev, line;
    uint32_t station, index, stations, first, code, act, why, state, after, attempts, wkind, team, shut_hubs, shut_teams, not_did;
    const int64_t *times;
    int64_t wall;       /* with events: the broker's wall clock */
    int64_t at, due, lease_us, start_by_us; /* at: the broker's elapsed time of the step, with ACT and with events */
    int32_t route, when_on, when_is;
    uint32_t at_once, per_day;
    /* of STATION: what it requires, in tenths, 0: nothing; asks_after: of at least so many things; asks_of_all: measured at all stations together, where newcomers may be
     * refused. rule: what follows from wrong control answers, 0: nothing, 1: he is suspended, 2: a skill is lowered, 3: he goes to training at the station of that index, until so
     * much there is right; below, in tenths, after so many. window: of what is measured here, last 0: nothing is forgotten */
    uint32_t abandoned_most, gold_least, agreed_least, approved_least, returned_most, asks_after, rule, rule_below, rule_after, rule_at, rule_until, rule_skill;
    bool asks_of_all, refuses_new;
    uint32_t window_last;
    int64_t window_within_us;
    uint32_t gold_every, gold_rows; /* of STATION: control tasks; every 0: none */
    uint32_t review, rounds; /* of STATION */
    int64_t return_us;
    bool rejects;
    uint32_t jury, equal; /* of STATION: of a tournament its jury's index, of a jury its tournament's; entries that end it at once, 0: never */
    uint32_t copies_min, copies_max, ties; /* of STATION, copies_max 0: no copies; ties: enum sim_ties */
    bool flag;
    uint8_t level[CHECKER_SKILLS];
    uint64_t counts[9];
    const char *text;
};

/* What a tie means at a station with copies, whose answers agree by their routes. ALL: every answer is kept, there are no ties. */
enum sim_ties { TIES_MORE, TIES_FIRST, TIES_FAIL, TIES_ALL, TIES_ENTRIES /* a tournament's */, TIES_JURY_FIRST, TIES_JURY_REVIEW, TIES_JURY_FAIL };

enum sim_says { SKILL_SAYS_HUB, SKILL_IS_GRANTED, SKILL_IS_LOWERED };

/* Of DEAD, `why`: the task is parked since nobody is left who may do it, or judge it, or since all who would be left are kept out. Of READY, `why`: it was parked so, and somebody has come. */
enum sim_parked { PARKED_FOR_NOBODY = 6, PARKED_WITHOUT_JURY, PARKED_KEPT_OUT };
enum { READY_FOR_SOMEBODY = 15 };

enum sim_review { REVIEW_ACCEPT, REVIEW_IMPROVE, REVIEW_REJECT };

struct checker;
struct checker *checker_new(FILE *story); /* story: where each verdict is told as it is found; NULL: nowhere */
void checker_quiet(struct checker *c);     /* no story from here on */
/* What the broker does in portions takes up to this long (us of its elapsed time): a task may wait meanwhile though nobody is left for it. As made: 0, the step's end. */
void checker_patience(struct checker *c, int64_t us);
void checker_free(struct checker **c);
void checker_feed(struct checker *c, const struct fact *f);
void checker_end(struct checker *c);      /* all facts are in: judge what can only be judged now */
void checker_missing(struct checker *c);  /* a part of that, where work still goes on: what should be there, and was not told */
/* A store goes back to what it was at its backup: the model with it. A copy made then; to be freed by checker_free. */
struct checker *checker_keep(const struct checker *c);
void checker_go_back(struct checker *c, const struct checker *kept);
bool checker_lost(const struct checker *c, uint64_t assignment); /* a store that was lost gave it, after its backup */
const struct fact *checker_station(const struct checker *c, uint64_t station); /* as it was told; NULL: it was not */
bool checker_for_nobody(uint64_t why); /* of DEAD: is it one of enum sim_parked? */
/* A task that is parked for nobody (run, unit, station, wall): there are workers who fit its station, and each of them already did something that it builds upon, so he may not do it. */
bool checker_own_work(struct checker *c, const struct fact *f);
uint64_t checker_newest(const struct checker *c, const struct fact *of); /* the newest event of the stream of its run, hub or line, as the stream of all told it; of a run that was deleted 0 */
uint64_t checker_count(const struct checker *c, enum verdict v);
uint64_t checker_total(const struct checker *c);
const char *checker_first(const struct checker *c, enum verdict v); /* the first one, in words; "" if none */

/* idle_judged: how often a worker with room was looked at who got nothing of a station where something was ready. */
struct checker_sums { uint64_t facts, rows_sent, rows_acked, units, results_sent, results_counted, results_late, assignments, recovered, events, idle_judged; };
struct checker_sums checker_sums(const struct checker *c);
#endif
