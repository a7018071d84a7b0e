"""The bench's way of a task from thread to thread, on events that are known."""
import os
import pathlib
import select
import signal
import subprocess
import sys
import types
import unittest
import unittest.mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import handovers  # noqa: E402
import report_alone  # noqa: E402
import servers  # noqa: E402
import schedule as schedules  # noqa: E402
from schedule import Schedule  # noqa: E402

PRODUCER, SERVER, OTHER, NOBODY = 1, 2, 3, 0
NAMES = {PRODUCER: "producer", SERVER: "server", OTHER: "other"}
COMES, LEAVES, WAKES, IS_AT = "comes", "leaves", "wakes", "is at"


def lines(events):
    """As perf tells them: (when, who, COMES), (when, who, LEAVES, state), (when, who, WAKES, whom), (when, who, IS_AT, mark)."""
    for when, who, what, *more in sorted(events, key=lambda e: e[0]):
        at = f"{int(when // 1e6)}.{round(when % 1e6 * 1e3):09d}"
        if what == IS_AT:
            yield f" {who} {at}: sunline_bench:{more[0]}: (55d0c0de)\n"
        elif what == WAKES:
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

    def test_where_nobody_tells_that_the_disk_was_done_it_is_waited_for_until_the_thread_runs(self):
        untold = [e for e in task(1000) if e[1:] != (NOBODY, WAKES, SERVER)]
        self.assertEqual(usual(schedule(untold))["hops"][1], {"who": "server", "woken": 5, "runs": 27, "disk": 52})

    def test_a_thread_that_the_disk_wakes_many_times_is_followed_to_the_end(self):
        steps = [e for n in range(200) for e in ((1016 + n * 0.05, SERVER, LEAVES, "D"), (1016.02 + n * 0.05, NOBODY, WAKES, SERVER), (1016.04 + n * 0.05, SERVER, COMES))]
        self.assertEqual(usual(schedule(task(1000), more=steps))["followed"], 1)

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

    def test_the_second_most_frequent_way_is_told_by_whom_it_passes_through_and_how_many_took_it(self):
        def walked(us):
            return [{"who": "x", "woken": 1, "runs": us - 1, "disk": 0}]
        way = handovers.usual({("server",): [walked(97)] * 5, ("producer", "other"): [walked(50), walked(60), walked(70)], ("producer",): [walked(9)]}, 1, 97)
        self.assertEqual((way["share"], way["next"]), (0.5, {"who": ["producer", "other"], "share": 0.3, "median_us": 60}))
        self.assertIsNone(usual(schedule(task(1000)))["next"])
        told = report_alone.tables({"rows": [{"queue": "sunline", "where": "on the disk", "threads": None, "way": {**way, "ack_p50_us": 97, "without_perf_us": 120}}]})
        self.assertIn("The second most frequent way. sunline, on the disk: producer > other, 30%, 60.0 us at the median.", told)
        seldom = {**way, "next": {**way["next"], "share": 0.004}, "ack_p50_us": 97, "without_perf_us": 120}
        self.assertNotIn("second most", report_alone.tables({"rows": [{"queue": "sunline", "where": "on the disk", "threads": None, "way": seldom}]}))

    def test_threads_are_told_of_a_run_that_perf_does_not_slow_down_by_more_than_a_third_or_of_none(self):
        runs = iter([(6000, 1900), (6000, 4100, "row", "known")])
        with unittest.mock.patch.object(handovers, "say"):
            self.assertEqual(handovers.undisturbed(lambda: next(runs)), (6000, 4100, "row", "known"))
        slow = iter([(6000, 1900)] * handovers.TRIES)
        with unittest.mock.patch.object(handovers, "say"), self.assertRaisesRegex(servers.Missing, "more than 33% less than without, 4 times: 1,900 to 6,000"):
            handovers.undisturbed(lambda: next(slow))

    def test_a_way_that_is_not_as_long_as_the_client_measured_is_refused(self):
        with self.assertRaisesRegex(servers.Missing, "97.0 us, and the client of the same run measured 200"):
            usual(schedule(task(1000)), ack_us=200)

    def test_a_way_that_few_took_is_refused(self):
        with self.assertRaisesRegex(servers.Missing, "was taken by 20% of the acknowledgements seen"):
            handovers.usual({(f"way {n}",): [[{"who": f"way {n}", "woken": 1, "runs": 96, "disk": 0}]] for n in range(5)}, 0, 97)

    def test_ways_of_which_less_than_four_in_five_can_be_followed_are_refused(self):
        def lost(n):
            return [e for e in task(1000 * n) if e[1:] != (PRODUCER, WAKES, SERVER)]
        with self.assertRaisesRegex(servers.Missing, "of 6 acknowledgements 4 could be followed, and it takes 80% of them"):
            usual(schedule(*(task(1000 * n) for n in range(1, 5)), lost(5), lost(6)))
        self.assertEqual(usual(schedule(*(task(1000 * n) for n in range(1, 6)), lost(6)))["followed"], 0.833)

    def test_an_acknowledgement_of_which_nobody_tells_who_woke_the_producer_is_one_that_cannot_be_followed(self):
        lost = [e for e in task(6000) if e[1:] != (SERVER, WAKES, PRODUCER)]
        self.assertEqual(usual(schedule(*(task(1000 * n) for n in range(1, 6)), lost))["followed"], 0.833)

    def test_a_kernel_that_does_not_tell_that_threads_came_is_not_believed(self):
        untold = [e for n in range(1, 20) for e in task(1000 * n) if n % 5 or e[1:] != (SERVER, COMES)]
        with self.assertRaisesRegex(servers.Missing, "of 8% of the times that a thread came to a processor the kernel told nothing"):
            schedule(untold)

    def test_no_processor_is_idle_while_it_is_recorded_and_each_again_afterwards(self):
        def loops():
            pids = [int(p) for children in pathlib.Path("/proc/self/task").glob("*/children") for p in children.read_text().split()]
            return sorted(next(iter(os.sched_getaffinity(p))) for p in pids if os.sched_getscheduler(p) == os.SCHED_IDLE)
        with schedules.awake():
            self.assertEqual(loops(), sorted(os.sched_getaffinity(0)))
        self.assertEqual(loops(), [])

    def test_a_loop_ends_with_the_bench_that_is_killed(self):
        program = "import os, schedule, signal\nwith schedule.loop_on(min(os.sched_getaffinity(0))):\n    print(*schedule.children(os.getpid()), flush=True)\n    signal.pause()"
        with subprocess.Popen([sys.executable, "-c", program], cwd=os.path.dirname(schedules.__file__), stdout=subprocess.PIPE, text=True) as bench:
            loop = os.pidfd_open(int(bench.stdout.readline()))
            bench.kill()
        self.addCleanup(os.close, loop)
        self.addCleanup(self.end, loop)
        self.assertTrue(select.select([loop], [], [], 60)[0], "it is still there")

    @staticmethod
    def end(pidfd):
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def test_a_loop_that_does_not_begin_or_that_ends_meanwhile_is_not_passed_over(self):
        with unittest.mock.patch.object(schedules, "SPIN", "raise SystemExit(3)"), self.assertRaisesRegex(servers.Missing, "did not begin"), schedules.awake():
            self.fail("there is no loop")
        with unittest.mock.patch.object(schedules, "SPIN", "print('gives way')"), self.assertRaisesRegex(servers.Missing, "ended meanwhile"), schedules.awake():
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)

    def probes(self, program, returncode=0):
        """What perf is asked for, around and inside, and which events there are."""
        asked = []

        def run(args, **_):
            asked.append(args[args.index("-q") + 1:])
            return types.SimpleNamespace(returncode=returncode)
        with unittest.mock.patch.object(schedules.subprocess, "run", run), schedules.marks(program) as events:
            asked.append("inside")
        return asked, events

    def test_probes_that_a_killed_run_left_are_gone_before_others_are_made_and_these_at_the_end(self):
        asked, events = self.probes("/x/sunlined")
        self.assertEqual((asked[0], asked[-1], events), (["-d", "sunline_bench:*"], ["-d", "sunline_bench:*"], ",sunline_bench:*"))
        self.assertEqual([a[2] for a in asked[1:-2]], ["-a"] * len(schedules.MARKS))
        self.assertEqual(self.probes("/x/sunlined", 1)[1], "")
        self.assertEqual(self.probes(None), (["inside"], ""))

    def test_events_that_perf_lost_are_not_passed_over(self):
        with self.assertRaisesRegex(servers.Missing, "lost"):
            Schedule([*lines(task(1000)), "  1 1.000000000: PERF_RECORD_LOST lost 17\n"], NAMES)

    def test_a_life_of_each_thread_is_its_wake_ups_and_where_its_time_goes(self):
        s = schedule(*(task(1000 * n) for n in range(1, 201)))
        threads = {t["who"]: t for t in s.threads(per_s=1000)}
        server = threads["server"]
        self.assertEqual([round(server[k]) for k in ("wakes", "runs", "processor", "disk", "idle")], [2, 29, 7, 50, 914])
        self.assertNotIn("other", threads)

    def test_what_the_committer_spends_adds_up_to_a_life_and_waits_for_a_processor_are_in_it(self):
        known = {PRODUCER: "producer", SERVER: "broker's committer"}
        marks = [(1000 * n + t, SERVER, IS_AT, mark) for n in range(1, 201) for t, mark in ((20, "engine"), (30, "commit"), (90, "committed__return"))]
        s = Schedule(lines([e for n in range(1, 201) for e in task(1000 * n)] + marks), known)
        phases = {p["phase"]: {k: round(p[k]) for k in schedules.STATES} for p in s.phases("broker's committer", 1000)}
        self.assertEqual(phases["sockets"], {"runs": 11, "processor": 5, "disk": 0, "idle": 914})
        self.assertEqual(phases["engine"], {"runs": 10, "processor": 0, "disk": 0, "idle": 0})
        self.assertEqual(phases["commit"], {"runs": 8, "processor": 2, "disk": 50, "idle": 0})
        spent = report_alone.spent({"per_s": 1000, "phases": s.phases("broker's committer", 1000)})
        self.assertEqual((spent["life"], round(spent["residue"], 1), round(report_alone.in_state(spent, "processor"))), (1000, 0, 7))
        self.assertIsNone(report_alone.spent({"per_s": 1000, "phases": None}))

    def test_phases_that_the_brokers_clock_does_not_bear_out_are_refused(self):
        threads = {"engine_us": 40, "commit_us": 90, "phases": [{"phase": p, "runs": us, "processor": 0, "disk": 0, "idle": 0} for p, us in (("engine", 45), ("commit", 100))]}
        self.assertEqual(handovers.agree(threads), threads["phases"])
        with self.assertRaisesRegex(servers.Missing, "the commit takes 100 us of a life by the kernel's events, and 150 by the broker's clock"):
            handovers.agree({**threads, "commit_us": 150})


if __name__ == "__main__":
    unittest.main()
