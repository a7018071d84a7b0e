"""The bench's way of a task from thread to thread, on events that are known."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import handovers  # noqa: E402
import servers  # noqa: E402
from schedule import Schedule  # noqa: E402

PRODUCER, SERVER, OTHER, NOBODY = 1, 2, 3, 0
NAMES = {PRODUCER: "producer", SERVER: "server", OTHER: "other"}
COMES, LEAVES, WAKES = "comes", "leaves", "wakes"


def lines(events):
    """As perf tells them: (when, who, COMES), (when, who, LEAVES, state), (when, who, WAKES, whom)."""
    for when, who, what, *more in sorted(events, key=lambda e: e[0]):
        at = f"{int(when // 1e6)}.{round(when % 1e6 * 1e3):09d}"
        if what == WAKES:
            yield f" {who} {at}: sched:sched_waking: comm=x pid={more[0]} prio=120 target_cpu=000\n"
        else:
            leaves, state, comes = (who, more[0], 99) if what == LEAVES else (99, "S", who)
            yield f" {leaves} {at}: sched:sched_switch: prev_comm=x prev_pid={leaves} prev_prio=120 prev_state={state} ==> next_comm=x next_pid={comes} next_prio=120\n"


def task(t, disk_by=NOBODY):
    """The producer runs for 10 us and wakes the server, which runs 5 us later, for 20, sleeps 50 for the disk, waits 2, runs 7 and wakes the producer, which runs 3 us later."""
    return [(t - 1, NOBODY, WAKES, PRODUCER), (t, PRODUCER, COMES), (t + 10, PRODUCER, WAKES, SERVER), (t + 12, PRODUCER, LEAVES, "S"), (t + 15, SERVER, COMES), (t + 35, SERVER, LEAVES, "D"),
            (t + 85, disk_by, WAKES, SERVER), (t + 87, SERVER, COMES), (t + 94, SERVER, WAKES, PRODUCER), (t + 96, SERVER, LEAVES, "S"), (t + 97, PRODUCER, COMES), (t + 99, PRODUCER, LEAVES, "S")]


def schedule(*tasks, more=()):
    first = [(100, NOBODY, WAKES, SERVER), (101, SERVER, COMES), (102, SERVER, LEAVES, "S"), (103, PRODUCER, COMES), (104, PRODUCER, LEAVES, "S")]
    return Schedule(lines([*first, *(e for t in tasks for e in t), *more]), NAMES)


def usual(s, ack_us=97):
    return handovers.usual(*s.ways(), ack_us)


class HandOvers(unittest.TestCase):
    def test_the_way_goes_from_who_wakes_to_who_is_woken_and_waits_for_the_disk_between(self):
        way = usual(schedule(*(task(1000 * n) for n in range(1, 6))))
        self.assertEqual(way["hops"], [{"who": "producer", "woken": 0, "runs": 10, "disk": 0}, {"who": "server", "woken": 7, "runs": 27, "disk": 50},
                                       {"who": "producer", "woken": 3, "runs": 0, "disk": 0}])
        self.assertEqual((way["all_us"], way["share"], way["followed"]), (97, 1, 1))

    def test_the_disk_wakes_whatever_thread_its_interrupt_comes_upon(self):
        self.assertEqual(usual(schedule(task(1000, disk_by=OTHER), task(2000, disk_by=PRODUCER)))["hops"][1], {"who": "server", "woken": 7, "runs": 27, "disk": 50})

    def test_who_is_put_aside_waits_for_a_processor(self):
        aside = [(1020, SERVER, LEAVES, "R"), (1030, SERVER, COMES)]
        self.assertEqual(usual(schedule(task(1000), more=aside))["hops"][1], {"who": "server", "woken": 17, "runs": 17, "disk": 50})

    def test_who_ran_for_something_else_when_it_was_called_is_followed_from_there(self):
        busy = [e for e in task(1000) if e[:2] != (1015, SERVER)] + [(1001, NOBODY, WAKES, SERVER), (1002, SERVER, COMES)]
        self.assertEqual(usual(schedule(busy), 97)["hops"][1], {"who": "server", "woken": 2, "runs": 32, "disk": 50})

    def test_a_way_that_is_seldom_is_not_the_one_that_is_told(self):
        by_another = [e for e in task(5000) if e[1:] != (SERVER, WAKES, PRODUCER)]
        more = [(5080, SERVER, WAKES, OTHER), (5088, SERVER, WAKES, OTHER), (5089, OTHER, COMES), (5094, OTHER, WAKES, PRODUCER), (5095, OTHER, LEAVES, "S")]
        s = schedule(*(task(1000 * n) for n in range(1, 5)), by_another, more=more)
        self.assertEqual([h["who"] for h in usual(s)["hops"]], ["producer", "server", "producer"])

    def test_a_way_that_is_not_as_long_as_the_client_measured_is_refused(self):
        with self.assertRaisesRegex(servers.Missing, "97.0 us, and the client of the same run measured 200"):
            usual(schedule(task(1000)), ack_us=200)

    def test_a_way_that_few_took_is_refused(self):
        lost = [e for n in range(2, 7) for e in task(1000 * n) if e[1:] != (PRODUCER, WAKES, SERVER)]
        with self.assertRaisesRegex(servers.Missing, "83% could not be followed"):
            usual(schedule(task(1000), more=lost))

    def test_events_that_perf_lost_are_not_passed_over(self):
        with self.assertRaisesRegex(servers.Missing, "lost"):
            Schedule([*lines(task(1000)), "  1 1.000000000: PERF_RECORD_LOST lost 17\n"], NAMES)

    def test_a_life_of_each_thread_is_its_wake_ups_and_where_its_time_goes(self):
        s = schedule(*(task(1000 * n) for n in range(1, 201)))
        threads = {t["who"]: t for t in s.threads(per_s=1000)}
        server = threads["server"]
        self.assertEqual([round(server[k]) for k in ("wakes", "runs", "processor", "disk", "idle")], [2, 29, 7, 50, 914])
        self.assertNotIn("other", threads)

    def test_what_the_committer_spends_adds_up_to_a_life(self):
        threads = {"per_s": 10000, "engine_us": 20, "commit_us": 50, "store_settle_us": 2, "rows": [{"who": "broker's committer", "runs": 45, "processor": 5, "disk": 30, "idle": 20}]}
        spent = handovers.spent(threads)
        self.assertEqual(sum(spent[k] for k in ("engine", "disk", "commit", "settle", "sockets", "idle")), spent["life"])
        self.assertEqual((spent["commit"], spent["sockets"]), (20, 8))
        self.assertIsNone(handovers.spent({**threads, "commit_us": 90}))


if __name__ == "__main__":
    unittest.main()
