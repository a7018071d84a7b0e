/* Inside the checker: the model that checker_events.c moves, checker_judge.c judges at each step, and checker_end.c compares with what is there at
 * the end. */
#ifndef TESTS_SIM_CHECKER_MODEL_H
#define TESTS_SIM_CHECKER_MODEL_H
#include "tests/sim/checker.h"

/* The numbers are those of PROTOCOL.md, section 4. */
enum ck_state { CK_BLOCKED, CK_WAITING, CK_READY, CK_ASSIGNED, CK_STARTED, CK_DONE, CK_SKIPPED, CK_DEAD, CK_ENDED };
enum ck_astate { CK_HANDED, CK_BEGUN, CK_COUNTED, CK_LATE, CK_RETURNED };

#define RUN_IS_DELETED 4 /* of a run's state */

struct slot { uint64_t key; void *p; };
struct table { struct slot *v; size_t cap, n; };

struct ck_task {
    uint64_t newest, holder, winner, place, was_holder, changed, judged; /* place: in the order of becoming ready, from 1 */
    uint32_t outstanding, accepted, attempts, begun; /* begun: of those outstanding */
    uint32_t wanted;   /* answers, at a station with copies; 0: the station's least (ck_wanted) */
    uint64_t owes;     /* a worker whose begun assignment was taken back in this step, which only an answer of his does */
    int64_t due;
    uint32_t votes; /* of the outcome */
    uint32_t handed_out; /* how often its station did, at the end */
    uint8_t state, was, story, parked; /* parked: why it is dead */
    bool dispatched, declined, told, at_once, voided; /* at_once: decided by auto_judge; voided: answers of it count no more */
    /* with reviews: how often its work was sent back; whose alone it is since `back_us`, 0: anybody's; of a review: the last verdict, and that the work is to go back */
    uint32_t round;
    uint64_t author, reviewed; /* reviewed: the result whose verdict was told last */
    uint64_t rejected_by, since; /* of a review: whose verdict sent the work back; of work: the same, what was given before is of an earlier round */
    int64_t back_us, ready_us; /* ready_us: when it became ready last */
    uint8_t verdict;
    bool came_back; /* it was ready before it was dispatched first, and is so again: such ones are served before the others */
    bool goes_back, author_out; /* author_out: the author may be kept out, and the work anybody's at once */
};
struct ck_unit { uint64_t row; uint32_t handed_out; uint8_t state; bool told; struct ck_task task[]; };
struct ck_fifo { uint64_t *unit; size_t n, cap, head, furthest; bool dirty; };
struct ck_run {
    uint64_t id, line, done, dropped, cancelled, served, served_last, newest_event; /* served_last: the unit that was assigned last */
    uint64_t told_anew; /* the step in which its state, pause or priority was told last */
    uint32_t first, stations;
    uint8_t state, priority;
    bool paused, fair_reset, fifo_dirty, told, gone; /* told, gone: at the end */
    struct ck_unit **unit;
    size_t units, unit_cap;
    struct ck_fifo fifo[CHECKER_STATIONS_MAX];
    uint64_t counts[CHECKER_STATIONS_MAX][9];
    int64_t free_ready[CHECKER_STATIONS_MAX]; /* ready, and declined by nobody */
};
struct ck_sent { uint64_t digest, entry; int32_t route; bool filled; }; /* entry: of a vote, what it is for; filled: the answer was not left empty */
struct ck_assignment {
    uint64_t run, unit, worker, hub, prev, result, changed, judged, row; /* run 0: only heard of from a worker */
    uint64_t freed; /* the step in which its event showed why it counts after all (ck_doubted) */
    int64_t until; /* not before then may it expire */
    int64_t given; /* wall */
    uint32_t station;
    uint8_t state, why, was, was_why, acked; /* acked: 1 counted, 2 late */
    uint32_t kept;   /* by this agent, from 1: its worker was told so; 0: by none */
    bool came;       /* it was handed in, whatever the answer */
    bool told, past, voided, bad_sent; /* past: it counted, and was sent back since; voided: its worker was suspended since; bad_sent: an answer to it may be refused */
    int32_t route;
    uint32_t round;  /* of the work, when it was given */
    uint64_t about, digest; /* of a verdict: the assignment whose work it is about; digest: of the result as the story tells it */
    uint64_t entry; /* as of the one that came */
    uint32_t place, score; /* of an entry, as told */
    struct ck_sent *sent; /* what its worker sent; more than one only where a result was lost before it was sent and made again */
    size_t sents, sent_cap;
};
/* By its worker, who is never asked again, not even where he answered it too late after all. */
static inline bool ck_declined(const struct ck_assignment *a) { return a->why == 4 && a->state != CK_COUNTED; }
struct ck_station { struct fact f; };
/* Nobody gets a task there that builds upon his own work, so each has an order of his own. */
static inline bool ck_own_work_aside(const struct ck_station *s) { return s->f.not_did || s->f.review; }
struct ck_worker { struct fact f; uint64_t session, sent, told_anew; bool signed_in, on, was_on; }; /* told_anew: the step in which the roster, or what he can do, was told last */
struct ck_hub { uint64_t session, newest_event; bool connected, clock_off; };
struct ck_shift { int64_t *times; size_t n; };
struct ck_session { uint64_t hub; };
struct ck_gold { uint64_t handed, golds, seen, known, answered, told, step; }; /* of a worker at a station: assignments, control tasks among them, bits of their rows; of those that he is known to have seen, of those of which an answer counted, and of which a reply said so */
struct ck_standing { uint64_t void_result, taken_back, changed; uint8_t standing; }; /* taken_back: the step in which he lost what he held; changed: in which it was told last */
/* What is measured (checker_measure.c). A thing: when, how far clocks had been set till then, and how many of all so far are so: at least, and at most. */
enum ck_measured { CK_ABANDONED, CK_GOLD, CK_AGREED, CK_APPROVED, CK_RETURNED_WORK, CK_MEASURED };
enum ck_so { CK_NO, CK_YES, CK_WHO_KNOWS };
struct ck_thing { int64_t wall, moved; uint64_t least, most; };
struct ck_measure { struct ck_thing *v; size_t n, cap; };
struct ck_measures { uint64_t changed; struct ck_measure of[CK_MEASURED]; }; /* changed: the step in which there was the newest thing, or it began anew */
struct ck_ask { enum ck_measured what; bool most, refuses_new; uint32_t tenths, after; }; /* at least so much of it, or at most; of so many */
#define CK_MET 1u
#define CK_UNMET 2u
struct ck_owed { uint64_t worker, line, name, step; uint32_t rule, back; }; /* what must follow from a control answer, at once: a rule; bits of stations that he may come back to */
struct ck_ruled { uint64_t worker, line, name, assignment; int64_t wall; bool late; }; /* to be judged when the step is over */
struct ck_doubt { uint64_t assignment; uint8_t state, why; }; /* to be judged when the step is over; as it was */
struct ck_skill { uint8_t granted, lowered; int64_t until; bool is_lowered; }; /* granted 0: nothing; until 0: for good */
struct ck_limit { uint64_t in_hand; uint32_t at_once, per_day; };
struct ck_count { uint32_t n; int64_t since; }; /* of a worker, since that wall time */
struct ck_line { uint32_t state, paused; uint64_t told_anew, newest_event; };
struct ck_row { uint64_t run, digest, producer, unit, found; int32_t route; bool acked; };
struct ck_grant { uint64_t total; };
struct ck_pair { struct ck_run *a, *b; uint64_t base_a, base_b; bool valid; };
struct ck_subscriber { uint64_t seq, gone; }; /* gone: what is before it he was told not to be kept */
struct ck_range { uint64_t first, last; };
struct ck_touched { uint64_t run, unit; };
struct ck_first { struct ck_run *run; uint64_t place, worker; uint32_t index; }; /* of a step: who got a task that nobody had had */
struct ck_given { const struct ck_run *run; uint64_t unit, worker; uint32_t index; int64_t wall; }; /* of a step: who got what */
struct ck_waits { uint64_t run, unit; uint32_t station; int64_t wall, at; };

struct ck_in_step { /* what a step is judged by when it is over; empty between two */
    struct ck_touched *touched;
    struct ck_ruled *ruled;
    struct ck_doubt *doubts;
    struct ck_first *firsts;
    struct ck_given *gave;
    size_t touched_n, touched_cap, ruled_n, ruled_cap, doubts_n, doubts_cap, firsts_n, firsts_cap, gave_n, gave_cap;
};

struct checker {
    FILE *story;
    struct table sessions, stations, workers, shifts, hubs, lines, runs, rows, assignments, grants, subscribers, limits, days, counts, gold, standings, skills, measures, bars;
    int64_t at; /* the newest event's */
    uint64_t step, newest_event, newest_assignment, newest_result;
    struct ck_in_step in_step;
    struct ck_pair *pair;
    size_t pairs, pair_cap;
    bool fifo_dirty;
    struct ck_waits *waits; /* what became ready, or lost one who might have done it, in this step or within patience_us before it */
    size_t waits_n, waits_cap;
    int64_t patience_us; /* so long a task may wait for nobody, until a portion comes to it */
    int64_t stirred_at;  /* when a clock was set last, or a line got a version: who may do what is looked at anew then, in portions */
    int64_t moved; /* by how much clocks were set, all together */
    struct ck_owed owed;
    bool left_over; /* what is dropped from here on had nobody left */
    uint64_t kept_out; /* the newest step in which somebody was suspended */
    uint64_t asked_anew; /* in which a station was told: of it something else may be asked */
    uint64_t news;       /* in which anything happened that may give somebody work */
    struct ck_range *lost; /* of assignment numbers that stores gave which were lost since */
    size_t lost_n, lost_cap;
    uint64_t own_first; /* the first number that this store gave since it was put back; 0: it is the first of all */
    bool goes_on;       /* it was put back, and has given nothing yet */
    bool all_told, full;
    uint64_t *body; /* digests of events, by their numbers from 1 on */
    size_t bodies, body_cap;
    uint64_t count[VERDICTS];
    char text[VERDICTS][300];
    struct checker_sums sums;
};

void *ck_get(const struct table *t, uint64_t key);
struct ck_unit *ck_unit(struct checker *c, uint64_t run, uint64_t unit);
void ck_verdict(struct checker *c, enum verdict v, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void *ck_must(void *p); /* out of memory ends the program */
void *ck_make(struct table *t, uint64_t key, size_t size); /* find, or make it, zeroed */
void *ck_more(void *p, size_t *cap, size_t n, size_t size); /* room for one more */
const struct fact *ck_copies(const struct checker *c, uint32_t station);
/* Is the worker on shift at this wall time? A clock that goes back by less than a second does not undo what has just begun. */
bool ck_on_shift(const struct checker *c, const struct ck_worker *w, int64_t wall);
uint32_t ck_wanted(const struct fact *copies, const struct ck_task *t); /* how many answers, at such a station */
uint32_t ck_index_of(const struct checker *c, uint32_t station);
uint64_t ck_hub_of(const struct checker *c, uint64_t session); /* 0: no such session was ever opened */
struct ck_task *ck_task_at(struct checker *c, const struct ck_assignment *a);
extern const char *const ck_state_names[];
void ck_may_do(struct checker *c, const struct fact *f, const struct ck_run *r, const struct ck_station *s, uint64_t newest);
void ck_assignment_made(struct checker *c, const struct fact *f, struct ck_run *r, const struct ck_station *s, uint64_t prev);
void ck_move_assignment(struct checker *c, const struct fact *f, struct ck_assignment *a, enum ck_astate to, unsigned from);
/* checker_gold.c */
#define GOLD_UNIT (1ull << 47)
static inline bool ck_is_gold(uint64_t unit) { return unit >= GOLD_UNIT; }
bool ck_gold_event(struct checker *c, const struct fact *f); /* it is of a control task */
void ck_gold_counted(struct checker *c, const struct fact *f, const struct ck_station *s); /* an assignment of another task */
void ck_gold_act(struct checker *c, const struct fact *f, struct ck_assignment *a);
void ck_model_free(struct checker *c); /* checker.c: all but itself */
void ck_number_given(struct checker *c, const struct fact *f); /* checker_copy.c */
/* checker_standing.c */
uint64_t ck_name_of(const struct fact *station);
uint64_t ck_place(uint64_t worker, uint64_t line, uint64_t name);
bool ck_kept_out(const struct checker *c, uint64_t worker, const struct fact *station);
void ck_standing_told(struct checker *c, const struct fact *f);
void ck_void(struct checker *c, const struct fact *f, struct ck_task *t);
bool ck_is_void(const struct checker *c, const struct ck_assignment *a, const struct fact *copies); /* its worker was suspended since he gave it, and it was not taken out yet */
void ck_no_void_counts(struct checker *c, const struct fact *f, const struct ck_task *t);
void ck_taken_back(struct checker *c, const struct fact *f, const struct ck_assignment *a);
void ck_standings_judge(struct checker *c); /* what a step left in hand */
void ck_skill_told(struct checker *c, const struct fact *f);
uint8_t ck_level(const struct checker *c, const struct ck_worker *w, uint32_t skill, int64_t wall);
/* checker_bars.c */
/* Was something set a while ago by which who may do what is looked at anew, and may it, in small portions, still be under way? */
static inline bool ck_stirred(const struct checker *c) { return c->stirred_at && c->at - c->stirred_at < c->patience_us; }
void ck_bar_told(struct checker *c, const struct fact *f);
void ck_worked(struct checker *c, const struct fact *f, const struct ck_assignment *a, bool abandoned); /* it ended with a result that counts, or was given up */
void ck_agreed(struct checker *c, const struct fact *f, const struct ck_task *t); /* answers, beside what was decided */
void ck_judged_work(struct checker *c, const struct fact *f, const struct ck_assignment *work);
void ck_lowered(struct checker *c, const struct fact *f);
void ck_gold_told(struct checker *c, const struct fact *f);
void ck_bar_standing(struct checker *c, const struct fact *f, uint32_t was);
void ck_bar_given(struct checker *c, const struct fact *f, const struct fact *station);
bool ck_late_by_rule(struct checker *c, const struct ck_assignment *a); /* an earlier item of the frame may have suspended him */
bool ck_late_control(struct checker *c, uint64_t assignment); /* or ended its run */
bool ck_may_be_freed(const struct checker *c, const struct ck_assignment *a); /* or have let him come back from training, or have taken the task from whoever had begun it */
bool ck_freed(struct checker *c, const struct ck_assignment *a); /* and so it was told, in this step */
void ck_bars_judge(struct checker *c);
/* checker_measure.c */
void ck_measure(struct checker *c, const struct fact *station, uint64_t worker, enum ck_measured what, enum ck_so so, int64_t wall);
void ck_measure_anew(struct checker *c, uint64_t place, enum ck_measured what);
/* Looked at somewhen between two moments: is it met? Both, if that depends on what is forgotten already. station NULL: over all of them. */
unsigned ck_meets(const struct checker *c, uint64_t place, const struct fact *station, const struct ck_ask *ask, int64_t from, int64_t to);
int64_t ck_measured_at(const struct checker *c, uint64_t place, enum ck_measured what, int64_t otherwise); /* the newest thing, no later than otherwise */
void ck_measures_tell(const struct checker *c, uint64_t place, enum ck_measured what, char *text, size_t size);
void ck_measures_end(void *p);
/* Is he kept out of this station, by whatever? CK_PERHAPS: this step changed it, and the order within a step is not told, or a window may have forgotten something. */
enum ck_out { CK_IN, CK_PERHAPS, CK_OUT };
enum ck_out ck_out(const struct checker *c, uint64_t worker, const struct fact *station, int64_t wall);
enum ck_out ck_out_so_far(const struct checker *c, uint64_t worker, const struct fact *station, int64_t wall); /* in the midst of a step, by what it told already */
void ck_stream(struct checker *c, const struct fact *f); /* checker_stream.c */
/* checker_review.c */
struct ck_task *ck_work(struct checker *c, uint64_t run, uint64_t unit, uint32_t station); /* of a review: the task whose work it is about; NULL: it is no review */
uint32_t ck_round_shown(struct checker *c, const struct fact *f, const struct ck_station *s); /* of the work that an assignment is about */
bool ck_authors_alone(struct checker *c, const struct fact *f, const struct ck_station *s); /* and the worker is not its author */
void ck_offered_in_time(struct checker *c, const struct fact *f, const struct ck_station *s); /* what was its author's for a while is given out after that: it was offered to everybody before */
uint32_t ck_review_of(const struct checker *c, uint32_t station);                          /* the station that reviews this one; 0: none */
uint32_t ck_waits_for(const struct checker *c, const struct ck_station *s);                /* bits of stations: those it names, and their reviews */
uint32_t ck_upstream(const struct checker *c, const struct ck_station *s);
void ck_reviewed(struct checker *c, const struct fact *f, struct ck_task *t);
void ck_goes_back(struct checker *c, const struct fact *f, struct ck_task *t); /* the review is blocked again */
bool ck_sent_back(struct checker *c, const struct fact *f, struct ck_task *t); /* the work is ready, or dead, again: may it be? */
bool ck_verdict_counts(struct checker *c, const struct ck_assignment *a);      /* is its work still what it was shown? */
const struct ck_assignment *ck_verdict_about(struct checker *c, const struct ck_assignment *a);
/* checker_limits.c */
void ck_limit_told(struct checker *c, const struct fact *f);
void ck_days_told(struct checker *c, const struct fact *f);
void ck_days_settle(struct checker *c, const struct ck_worker *w, int64_t wall);
void ck_limit_given(struct checker *c, const struct fact *f, const struct ck_station *s, const struct ck_worker *w);
bool ck_limited(struct checker *c, const struct fact *station); /* is there a limit of its tasks at once, or in a day? */
void ck_limit_over(struct checker *c, const struct fact *f, const struct ck_assignment *a, bool worked);
bool ck_event(struct checker *c, const struct fact *f); /* checker_events.c; false: not its matter */
/* checker_order.c: what a worker got, and what comes before it of what he might have got */
void ck_gave(struct checker *c, const struct fact *f, const struct ck_run *r, uint32_t index);
void ck_order_judge(struct checker *c);
void ck_idle_judge(struct checker *c, int64_t wall); /* and who got nothing, though there was something for him */
void ck_act(struct checker *c, const struct fact *f);   /* checker_judge.c */
bool ck_doubted(struct checker *c, const struct fact *f, const struct ck_assignment *a); /* it counts, and should be late by what was before the step: that may be so, and its event tells */
void ck_counted(struct checker *c, const struct fact *f, struct ck_assignment *a); /* its event, before it moves anything */
bool ck_refused_good(struct checker *c, const struct fact *f, const struct ck_assignment *a); /* an answer, as one that cannot be taken; true: so it is, and was judged */
void ck_step_over(struct checker *c, const struct fact *f);
/* checker_contest.c: tournaments, and tasks for which nobody is left */
/* A task's answers that count, in the order in which they did, `most` of them; how many. *all (NULL: not wanted): its assignments that were passed. */
uint32_t ck_answers(const struct checker *c, const struct ck_task *t, const struct ck_assignment **v, uint32_t most, uint32_t *all);
void ck_placed(struct checker *c, const struct fact *f);
bool ck_fits(struct checker *c, const struct ck_station *s, const struct ck_worker *w, int64_t wall); /* is he one whom the station takes, kept out of it or not? */
/* And may he do this task, now or later? f: run, unit, wall. */
bool ck_could(struct checker *c, const struct fact *f, const struct ck_station *s, const struct ck_task *t, const struct ck_worker *w);
void ck_nobody(struct checker *c, const struct fact *f, const struct ck_task *t); /* is that so? */
void ck_left_over(struct checker *c, const struct fact *f, const struct ck_run *r, const struct ck_unit *u); /* dropped, since nobody is left for one of its tasks? */
void ck_somebody(struct checker *c); /* the end of a step: and is it so of nothing else? */
void ck_judge_contest(struct checker *c, const struct ck_run *r, size_t unit);
bool ck_did_before(struct checker *c, uint64_t run, uint64_t unit, uint64_t worker, const struct ck_station *s);
void ck_seen(struct checker *c, const struct fact *f);
void ck_end_fact(struct checker *c, const struct fact *f);
#endif
