"""What the bench makes of its records: ratios, the cost model, what is missed, and the page's tables."""
import contextlib
import copy
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import types
import unittest
import unittest.mock

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = os.path.join(TOP, "tests", "bench")
sys.path[:0] = [BENCH, os.path.join(TOP, "tests", "lib")]
import broker  # noqa: E402
import budget  # noqa: E402
import clients  # noqa: E402
import commits  # noqa: E402
import figures  # noqa: E402
import goals  # noqa: E402
import lives  # noqa: E402
import parts  # noqa: E402
import profiles  # noqa: E402
import report  # noqa: E402
import report_alone  # noqa: E402
import report_profile  # noqa: E402
import why  # noqa: E402
from scripts import program  # noqa: E402
from figures import spread  # noqa: E402


def row(queue, mode, durable, *per_s, window=1, **more):
    return {"queue": queue, "mode": mode, "durable": durable, "window": window, "frame": 1, "per_s": spread(per_s), **{k: spread([v]) for k, v in more.items()}}


def ours(*per_s, **more):
    counts = {"engine_us": 20, "commit_us": 50, "store_settle_us": 5, "store_wal_bytes": 2048, "lives_a_commit": 1, "store_puts": 6, "store_appends": 3, "store_dels": 1,
              "messages_in": 2, "messages_out": 2, "bytes_in": 500, "bytes_out": 500, "server_cpu_us": 60}
    return row("sunline", "as shipped", True, *per_s, **{**counts, **more})


LIMITS = {"rows": [{"limit": limit, "case": case, "mean_us": spread([mean]), "p50_us": spread([mean]), "cpu_us": spread([cpu])} for limit, case, mean, cpu in (
    ("disk", budget.DISK[2], 40, 1), ("disk", budget.DISK[256], 292, 1), ("disk", budget.DISK[4096], 4132, 1), ("lmdb", budget.LMDB_APPENDS, 1, 0.5), ("zeromq", budget.ECHO_ALONE, 1, 40),
    ("zeromq", budget.ECHO_SMALL, 1, 4), ("zeromq", budget.ECHO_LARGE, 1, 40))]}
BATCH = {"rows": [{"shape": "window 1", "pages_kib_a_settling": 256, "commits_a_settling": 100}]}


def life(*rows):
    return {"rows": list(rows), "ratios": lives.ratios(list(rows)), "missing": {}}


class BenchTables(unittest.TestCase):
    def test_a_ratio_is_of_each_round_and_told_with_its_spread(self):
        part = life(ours(100, 300, 160), row("redis", "always", True, 100, 100, 80))
        ratio = part["ratios"][0]["ratio"]
        self.assertEqual((ratio["each"], ratio["median"], ratio["min"], ratio["max"]), ([1.0, 3.0, 2.0], 2.0, 1.0, 3.0))
        self.assertIn("2.00 (1.00-3.00)", report.life(part))

    def test_the_best_peer_is_chosen_among_those_that_are_as_durable(self):
        part = life(ours(100), row("redis", "always", True, 50), row("postgresql", "", True, 80), row("nats", "", False, 400))
        self.assertEqual([(r["durable"], r["peer"], r["ratio"]["median"]) for r in part["ratios"]], [(True, "postgresql", 1.25), (False, "nats", 0.25)])

    def test_of_several_numbers_of_tasks_a_request_the_better_one_counts_at_each_window(self):
        rows = [{**row("postgresql", "", True, per_s, window=window), "frame": frame} for window, frame, per_s in ((256, 256, 70), (256, 64, 90), (1000, 1000, 80), (1000, 250, 60))]
        kept, others = lives.better_frames(rows)
        self.assertEqual([[(r["window"], r["frame"]) for r in x] for x in (kept, others)], [[(256, 64), (1000, 1000)], [(256, 256), (1000, 250)]])
        told = report.life({**life(*kept), "others": others})
        self.assertIn("64 / 1000", told)
        self.assertIn("postgresql, , window 256, 256 a request: 70.0; postgresql, , window 1,000, 250 a request: 60.0", told)

    def test_what_a_consumer_did_alone_is_told_at_window_1(self):
        told = report.life(life(ours(100, alone_share=0.01, both_per_s=99), row("beanstalkd", "-f0", True, 150, alone_share=0.25, both_per_s=140), row("redis", "", True, 90, window=256)))
        self.assertRegex(told, r"\| beanstalkd, -f0 +\| +150 \| +25% \| +140 \|")

    def test_a_lone_tasks_commits_are_told(self):
        keys = {k: 1 for k in lives.LATENCIES}
        part = {"rows": [ours(200, **keys, lives_a_commit=0.5), row("beanstalkd", "", True, 200, **keys)], "ratios": {}, "missing": {}}
        self.assertIn("2.00 a life, of which one is its completion's: the rest, 1.00, is what a task alone takes from enqueue to assignment", report.latency(part))

    def test_each_round_has_another_order_and_another_one_before_each(self):
        for n in (1, 2, 3, 11):
            orders = [clients.turn(list(range(n)), i) for i in range(3)]
            self.assertEqual([sorted(o) for o in orders], [list(range(n))] * 3)
            if n > 2:
                before = [{o[i]: o[i - 1] for i in range(1, n)} for o in orders]
                self.assertTrue(all(len({b.get(k) for b in before}) > 1 for k in range(n)), orders)
            if n > 1:
                self.assertNotEqual(orders[0][0], orders[1][0])

    def test_what_the_broker_counted_is_told_of_a_life_of_a_commit_and_of_a_settling(self):
        before = {k + "_total": 0 for k in (*broker.TOTALS, "store_commits", "store_settles")}
        after = {**before, "store_commits_total": 10, "store_settles_total": 2, "store_settle_us_total": 4000, "commit_us_total": 1000, "batch_us_total": 3000, "store_puts_total": 200}
        told = broker.per_life(before, after, 100)
        self.assertEqual([told[k] for k in ("store_puts", "lives_a_commit", "commit_us", "engine_us", "commit_ms", "engine_ms", "commits_a_settling", "settle_ms", "store_settle_us")],
                         [2, 10, 10, 20, 0.1, 0.2, 5, 2.0, 40])

    def test_a_run_without_a_settling_tells_none(self):
        before = {k + "_total": 0 for k in (*broker.TOTALS, "store_commits", "store_settles")}
        told = broker.per_life(before, {**before, "store_commits_total": 10}, 100)
        self.assertEqual((told["commits_a_settling"], told["settle_ms"], told["store_settle_us"]), (None, None, 0))

    def test_what_the_engine_does_while_a_batch_is_written_is_counted_once(self):
        told = budget.budget({"life": life(ours(10000, commit_beside_us=8))})["rows"][0]
        self.assertEqual((told["beside"], told["engine"] + told["commit"] + told["settle"] - told["beside"] + told["left"]), (8, 100))
        self.assertIn("the commit 50.0, 8.00 of that while the engine was at the next batch, settling", budget.sentence(told))

    def test_the_parts_of_a_life_add_up_to_it(self):
        result = {"life": life(ours(10000)), "limits": LIMITS, "batch": BATCH}
        told = budget.budget(result)["rows"][0]
        self.assertEqual((told["life"], told["engine"] + told["commit"] + told["settle"] + told["left"]), (100, 100))
        self.assertEqual((told["engine_lmdb"], told["commit_disk"], told["settle_disk"], told["server_zeromq"]), (5, 40, 2.92, 40))
        for text in ("40.0", "2.92", "25.0"):
            self.assertIn(text, report.budget({"rows": [told]}))

    def test_a_stall_of_the_disk_is_no_limit_and_a_larger_write_takes_no_less_than_a_smaller_one(self):
        rows = copy.deepcopy(LIMITS["rows"])
        rows[0]["mean_us"] = spread([70, 230, 1080])
        self.assertEqual(budget.budget({"life": life(ours(10000)), "limits": {"rows": rows}, "batch": BATCH})["rows"][0]["commit_disk"], 40)
        rows[1]["p50_us"] = spread([30])
        self.assertEqual(budget.budget({"life": life(ours(10000, store_wal_bytes=256 * 1024)), "limits": {"rows": rows}, "batch": BATCH})["rows"][0]["commit_disk"], 40)

    def test_limits_that_were_not_measured_are_not_made_up(self):
        told = budget.budget({"life": life(ours(10000))})["rows"][0]
        self.assertEqual([told[k] for k in ("engine_lmdb", "commit_disk", "server_zeromq")], [None] * 3)
        self.assertRegex(report.budget({"rows": [told]}), r"beside the commit: the disk alone, for as many bytes and a sync +\| +- \|")

    def test_the_disk_alone_is_taken_between_what_was_measured_and_beyond(self):
        self.assertEqual([budget.disk_us({"limits": LIMITS}, {}, kib) for kib in (1, 2, 129, 256, 4096, 7936)], [40, 40, 166, 292, 4132, 7972])

    def test_the_disk_alone_is_as_it_was_before_the_row(self):
        self.assertEqual([budget.disk_us({"limits": LIMITS}, {"disk_us": spread([60])}, kib) for kib in (2, 129)], [60, 249])

    def test_engine_and_commit_beside_each_other_leave_less_than_nothing_and_still_add_up(self):
        told = budget.budget({"life": life(ours(20000))})["rows"][0]
        self.assertEqual((told["left"], told["engine"] + told["commit"] + told["settle"] + told["left"]), (-25, 50))
        self.assertIn("beside each other", budget.sentence(told))

    def test_a_limit_that_lies_above_what_ours_took_is_marked_as_none(self):
        result = {"life": life(ours(10000, commit_us=30)), "limits": LIMITS}
        told = report.budget(budget.budget(result))
        self.assertRegex(told, r"beside the commit: .* \| +40\.0 \* \|")
        self.assertIn(report.OF_ABOVE, told)
        self.assertNotIn(report.OF_ABOVE, report.budget(budget.budget({**result, "life": life(ours(10000))})))

    def test_what_free_keys_cost_is_told_by_numbered_rows(self):
        keys = {**ours(5000, engine_us=40, store_settle_us=20, server_cpu_us=90), "mode": "free keys"}
        self.assertIn("Free keys, by numbered rows: at window 1 engine and settling take 2.40 times as much, the broker's CPU 1.50 times.", report.section("cost", {"life": life(ours(10000), keys)}))

    def test_rounds_on_both_sides_of_a_limit_are_told(self):
        def rounds(*each):
            return {"rounds": {"cpu_us": each}}
        part = {"small": {"asking": rounds(1, 1, 1), "arriving": rounds(1, 1, 1)}, "large": {"counts": False, "asking": rounds(1, 1.4, 2.25), "arriving": rounds(1, 1.2, 1.4)}}
        told = list(report.scatter(part))
        self.assertEqual(len(told), 1)
        self.assertIn("its rounds scatter from 1.00 to 2.25 times, 1 of 3 above the limit of 1.5", told[0])

    def test_a_ratio_of_a_deep_queue_that_scatters_is_told_with_what_the_empty_queue_did(self):
        deep = {"queue": "postgresql", "depth": 1000000, "frame": 1, "bytes_per_queued": 300, "fill_per_s": 9, "fill_rss_mb": 77, **{k: spread([1]) for k in ("per_s", "first_s", "rss_anon_mb")}}
        part = {"missing": {}, "not_filled": [], "depths": {"postgresql": [1000000]}}
        for most, said in ((8.25, True), (1.1, False)):
            told = report.depth({**part, "rows": [{**deep, "ratio": spread([0.7, 0.9, most]), "empty_per_s": spread([12000, 136000])}]})
            self.assertEqual("Ratios whose rounds scatter: postgresql's at 1,000,000 from 0.70 to 8.25, as its empty queue did 12,000 to 136,000 lives a second." in told, said)

    def test_the_rows_of_a_life_add_up_as_the_table_shows_them(self):
        table = report.budget(budget.budget({"life": life(ours(10000, commit_beside_us=8))}))
        rows = {cells[1].strip(): cells[2].strip() for cells in (line.split("|") for line in table.splitlines()[2:])}
        whole = list(rows).index("together: a life")
        self.assertEqual(sum(float(v) for v in list(rows.values())[:whole]), float(rows["together: a life"]), table)

    def test_a_batch_stands_beside_what_the_broker_counted(self):
        batch = {"rows": [{"shape": "window 1", "gets": 3, "seeks": 2, "puts": 7, "appends": 4, "dels": 1, "put_bytes": 90, "done_a_commit": 0.5}]}
        counted = life(ours(10000, store_gets=3.5, store_seeks=2, store_put_bytes=100))
        told = report.section("compared", {"life": counted, "batch": batch})
        for text in ("window 1", "3.00 / 3.50", "7.00 / 6.00", "90.0 / 100", "2.00 / 1.00"):
            self.assertIn(text, told)

    def test_puts_are_told_without_the_appends_that_the_broker_counts_among_them(self):
        before = {k + "_total": 0 for k in (*broker.TOTALS, "store_commits", "store_settles")}
        told = broker.per_life(before, {**before, "store_commits_total": 10, "store_puts_total": 700, "store_appends_total": 300}, 100)
        self.assertEqual((told["store_puts"], told["store_appends"]), (4, 3))

    def counted(self, queue, at="window 1", **figures_):
        return {"queue": queue, "at": at, **{k: spread([v]) for k, v in {"syncs": 2, "sync_us": 50, "write_us": 2, "written": 400, "disk_us": 50, "disk_share": 0.9, "ack_p50_ms": 0.3, "server_cpu_us": 60, **figures_}.items()}}

    def counted_alike(self):
        return {"life": life(ours(5000, lives_a_commit=0.5), row("beanstalkd", "", True, 9000)),
                "syncs": {"rows": [self.counted("sunline", per_s=5000, disk_share=0.5), self.counted("beanstalkd", per_s=8000), self.counted("null broker", per_s=6000)], "missing": {}}}

    def test_syncs_that_were_counted_alike_tell_whether_it_is_the_disk(self):
        result = self.counted_alike()
        told = why.missed(result)
        for text in ("a life of ours is 75.0 us longer: 0.00 us of that are syncs and writes, 75.0 us what is done beside them, 98.0 in ours and 23.0 in beanstalkd. It is not the disk",
                     "nothing but append 400 bytes a life (our log 2,050), sync and answer did 6,000 lives a second in turn with these, 1.20 times ours and 0.75 times beanstalkd", "so the goal is out of reach",
                     "By the 9,000 of beanstalkd in the rounds of the ratio it is 0.67 times."):
            self.assertIn(text, told)
        result["syncs"]["rows"][0]["sync_us"] = spread([90])
        result["syncs"]["rows"][2]["per_s"] = spread([9500])
        self.assertNotIn("It is not the disk", why.missed(result))
        self.assertNotIn("out of reach", why.missed(result))

    def test_the_gap_of_the_ratio_is_told_beside_what_the_counted_runs_see_of_it(self):
        result = self.counted_alike()
        result["life"] = life(ours(5000, lives_a_commit=0.5), row("beanstalkd", "", True, 12500))
        told = why.missed(result)
        self.assertIn("a life of ours is 120 us longer than beanstalkd's: so much would have to go. The runs that count see 75.0 of them; why beanstalkd does less there was not measured.", told)
        result["life"]["rows"][1].update(both_per_s=spread([8100]), alone_share=spread([0.22]))
        result["life"]["rows"][0].update(both_per_s=spread([5000]), alone_share=spread([0.02]))
        self.assertIn("see 75.0 of them; there beanstalkd's life takes as long as in those rounds while both are at work, 123 us, and the rest is what its consumer, who has 22% of the time for himself, makes of the ratio.", why.missed(result))

    def test_a_goal_that_a_broker_on_zeromq_would_reach_is_said_to_be_within_reach(self):
        rows = [self.counted(q, "200 a second", ack_p50_ms=ms) for q, ms in (("sunline", 0.45), ("null broker", 0.35), ("beanstalkd", 0.25))]
        result = {"life": life(ours(10000), row("beanstalkd", "", True, 9000)), "syncs": {"rows": rows, "missing": {}},
                  "latency": {"rows": [ours(200, ack_p50_ms=0.45), row("beanstalkd", "", True, 200, ack_p50_ms=0.25)], "missing": {}, "ratios": {"ack_p50_ms": spread([1.8])}}}
        self.assertIn("So the goal is within reach of what stands on ZeroMQ, and 75.0 of those would have to go there", why.missed(result))
        rows[1]["ack_p50_ms"] = spread([0.40])
        self.assertNotIn("within reach", why.missed(result))

    def test_of_several_ratios_at_window_1_one_is_said_to_be_the_one_that_counts(self):
        result = self.counted_alike()
        result["alone"] = {"rows": [{"queue": q, "where": "on the disk", "way": None, "threads": {"per_s": 1, "without_perf": n, "rows": []}} for q, n in (("sunline", 4000), ("beanstalkd", 8000))]}
        told = why.missed(result)
        self.assertIn("This ratio, 0.56, is the one that counts. The parts below are of runs of their own, at another time: there it is 0.62 where syncs are counted and 0.50 where hand-overs are followed, without perf", told)
        for r, both, alone in zip(result["life"]["rows"], (4900, 7000), (0.02, 0.22)):
            r.update(both_per_s=spread([both]), alone_share=spread([alone]))
        self.assertIn("While producer and consumer were both at work it is 0.70: beanstalkd's consumer is alone for 22% of the time, ours for 2%.", why.missed(result))

    def test_what_the_committer_spends_is_told_with_its_waits_for_a_processor_or_said_not_to_be_measured(self):
        result = self.counted_alike()
        self.assertIn("was not measured", why.missed(result))
        phases = [{"phase": phase, "runs": runs, "processor": 5, "disk": disk, "idle": idle} for phase, runs, disk, idle in (("sockets", 30, 0, 40), ("engine", 40, 0, 0), ("commit", 20, 90, 0), ("settle", 4, 1, 0))]
        result["alone"] = {"rows": [{"queue": "sunline", "where": "on the disk", "way": None, "threads": {"per_s": 4000, "without_perf": 4100, "rows": [], "phases": phases}}]}
        self.assertIn("in one run whose life takes 250 us, under perf and beside the loops, at 4,000 lives a second, 2% fewer than without: runs in the engine 40.0, in the commit 20.0, in settling 4.00, at the sockets 30.0, waits for the disk 91.0, for a processor 20.0, for something to do 40.0; 5.00 us of it",
                      why.missed(result))
        table = report.alone({**result["alone"], "missing": {}})
        self.assertRegex(table, r"together: a life +\| +94.0 \| +20.0 \| +91.0 \| +40.0 \| +250 \|")
        self.assertRegex(table, r"what the record does not tell +\| +- \| +- \| +- \| +- \| +5.00 \|")

    def test_the_commits_of_a_life_are_told_as_they_were_counted_and_no_model_is_made_of_them(self):
        result = self.counted_alike()
        result["syncs"]["rows"][0].update(syncs=spread([1.4]), per_s=spread([4500]))
        self.assertIn("took 2.00 commits in the rounds of the ratio, by the broker's own count, 50.0 us together, and 1.40 syncs where those are counted, 72.0 us with the writes before them and with those of settlings; beanstalkd's takes 2.00 syncs, 102 us. "
                      "A commit is held up for who was just answered only where the engine takes at most an eighth of it: here it takes 40%",
                      why.missed(result))
        threads = {"per_s": 4000, "without_perf": 4100, "rows": [], "lives_a_commit": 0.8, "commit_us": 40}
        result["alone"] = {"rows": [{"queue": "sunline", "where": "on the disk", "way": None, "threads": threads}]}
        self.assertIn("Where hand-overs were followed it took 1.25 by the same count, 40.0 us together: 10.0 us less of a life. That run had perf and the loops beside it; what fewer commits alone change was not measured.", why.missed(result))
        threads["lives_a_commit"] = 0.5
        self.assertNotIn("by the same count", why.missed(result))
        result["life"]["rows"][0]["engine_us"] = spread([5])
        self.assertNotIn("seldom", why.missed(result))

    def test_how_light_a_batch_must_be_to_be_held_up_is_as_the_broker_has_it(self):
        with open(os.path.join(TOP, "broker", "committer.c"), encoding="utf-8") as f:
            self.assertIn(f"#define GATHER_LIGHT {why.GATHER_LIGHT} ", f.read())

    def test_what_a_commit_takes_beyond_the_disk_is_held_against_what_would_have_to_go(self):
        result = {"life": life(ours(100000, window=256, engine_us=4, commit_us=3, commit_beside_us=1, store_settle_us=1, lives_a_commit=100, store_wal_bytes=400), row("postgresql", "", True, 50000, window=256)), "limits": LIMITS,
                  "syncs": {"rows": [self.counted(q, "window 256", sync_us=us, per_s=9) for q, us in (("sunline", 208), ("null broker", 100))], "missing": {}}}
        told = why.missed(result)
        self.assertIn("The commit takes 3.00 us, and the disk alone 0.77 for as many bytes and a sync: 2.23 us are neither, more than the 2.00 that would have to go; but of the commit only 2.00 us are not beside the engine. "
                      "A sync takes ours 208 us in the mean, those of its settlings too, and the null broker 100;", told)
        result["life"]["rows"][0]["commit_us"] = spread([0.5])
        self.assertNotIn("the disk alone", why.missed(result))

    def test_the_parts_of_a_life_that_were_counted_alike_add_up(self):
        table = [line.split("|")[1:-1] for line in why.sums(self.counted_alike()).strip().splitlines()]
        self.assertEqual([c.strip() for c in table[0][1:]], ["sunline", "beanstalkd", "null broker"])
        columns = list(zip(*([float(c) for c in line[1:]] for line in table[2:])))
        self.assertEqual([c[-1] for c in columns], [200, 125, 167])
        for column in columns:
            self.assertAlmostEqual(sum(column[:-1]), column[-1], delta=1)

    def test_commits_are_shown_beside_the_syncs_of_the_same_run_where_they_were_counted(self):
        result = self.counted_alike()
        self.assertRegex(report.syncs(result["syncs"]), r"\| sunline, window 1 +\| +5,000 \| +300 \| +- \| +2.00 \|")
        result["syncs"]["rows"][0]["lives_a_commit"] = spread([0.5])
        self.assertRegex(report.syncs(result["syncs"]), r"\| sunline, window 1 +\| +5,000 \| +300 \| +2.00 \| +2.00 \|")

    def test_the_kernel_is_told_by_what_it_was_asked_for_and_by_its_own_functions(self):
        def sample(thread, *frames):
            return [f" {thread} ", *(f"\t    ffffffff81 {function} ({object_})" for function, object_ in frames), ""]
        kernel, ours_ = "[kernel.kallsyms]", "/x/build/sunlined"
        door = (("do_syscall_64", kernel), ("entry_SYSCALL_64_after_hwframe", kernel))
        lines = [*sample(7, ("copy_folio", kernel), ("vfs_writev", kernel), ("do_writev", kernel), *door, ("main+0x7", ours_)), *sample(7, ("copy_folio", kernel), ("__x64_sys_fdatasync", kernel), *door),
                 *sample(7, ("eventfd_write", kernel), ("ksys_write", kernel), *door), *sample(7, *door), *sample(7, ("clear_page", kernel), ("asm_exc_page_fault", kernel), ("put", ours_)),
                 *sample(7, ("net_rx", kernel), ("asm_sysvec_apic_timer_interrupt", kernel)), *sample(7, ("crc32c+0x1f", ours_), ("main", ours_)), *sample(8, ("crc32c", ours_))]
        found, kernel_ = profiles.samples(lines, {7: "committer"})
        self.assertEqual({f: n for (_, w, f), n in found.items() if w == "the kernel"},
                         {"writev()": 1, "fdatasync()": 1, "write()": 1, "entering and leaving calls": 1, "page faults": 1, "interrupts": 1})
        self.assertEqual((found["committer", "ours", "crc32c"], kernel_["copy_folio"], sum(kernel_.values())), (1, 2, 6))

    def test_a_sample_in_an_inlined_function_is_of_the_function_that_it_stands_in(self):
        lines = [" 7 ", "\t    55d0c0de next_byte (inlined)", "\t    55d0c0de decode+0x1f (/x/build/sunlined)", "\t    55d0c0df main+0x7 (/x/build/sunlined)", ""]
        self.assertEqual(dict(profiles.samples(lines, {7: "committer"})[0]), {("committer", "ours", "decode"): 1})

    def test_perf_is_told_not_to_tell_inlined_functions(self):
        with unittest.mock.patch.object(profiles.subprocess, "run") as run:
            profiles.script("perf.data")
        self.assertIn("--no-inline", run.call_args.args[0])

    def test_a_kernel_that_does_not_name_its_functions_is_said_not_to(self):
        found, kernel = profiles.samples([" 7 ", "\t ffffffff81 [unknown] ([kernel.kallsyms])", ""], {7: "committer"})
        self.assertEqual((list(found), list(kernel)), ([("committer", "the kernel", "")], ["[unknown]"]))
        row_ = self.profile("sunline", 1, ("committer", "the kernel", "", 4))
        self.assertIn("does not name its functions here", report_profile.of_functions({**row_, "kernel": [{"function": "[unknown]", "us": 4}]}))
        self.assertIn("those that take most: copy_folio 3.00. Without a name: 1.00.", report_profile.of_functions({**row_, "kernel": [{"function": "copy_folio", "us": 3}, {"function": "[unknown]", "us": 1}]}))

    def profile(self, queue, window, *functions):
        return {"queue": queue, "window": window, "event": "cycles", "samples": 1, "per_s": 1, "without_perf": 1, "server_cpu_us": sum(f[3] for f in functions), "kernel": [],
                "functions": [dict(zip(("thread", "whose", "function", "us"), f)) for f in functions]}

    def test_processor_time_is_held_against_the_peers_call_by_call_and_adds_up(self):
        ours_ = self.profile("sunline", 1, ("broker's committer", "ours", "gather", 40), ("broker's committer", "the kernel", "fdatasync()", 50), ("broker's ZeroMQ", "the kernel", "sendto()", 20),
                             ("broker's ZeroMQ", "ZeroMQ", "[unknown]", 9.5), ("broker's ZeroMQ", "ours", "let_go", 0.5))
        theirs = self.profile("beanstalkd", 1, ("beanstalkd", "beanstalkd", "put", 4), ("beanstalkd", "the kernel", "fsync()", 45), ("beanstalkd", "the kernel", "futex()", 0.1))
        table = report_profile.tables({"rows": [ours_, theirs]})
        for text in ("the kernel: syncs +\\| +50.0 \\| +45.0", "its own code +\\| +40.5 \\| +4.00", "ZeroMQ +\\| +9.50 \\| +0.00", "less than 1% in both +\\| +0.00 \\| +0.10", "together +\\| +120 \\| +49.1"):
            self.assertRegex(table, text)
        told = why.missed({**self.counted_alike(), "profile": {"rows": [ours_, theirs], "missing": {}}})
        self.assertIn("a life of ours takes the broker 120 us and beanstalkd 49.1; most of what it takes more is its own code 36.5; the kernel: writes and sends 20.0; ZeroMQ 9.50; the kernel: syncs 5.00.", told)
        self.assertIn("in which the broker takes 120 us of processor time a life (in the rounds of the ratio the broker took 60.0), the committer's thread takes 90.0 of them, the broker's others 30.0; what takes most of the committer's: gather 40.0; the kernel: fdatasync() 50.0", told)
        self.assertIn("The broker by function was not measured at this window", why.missed(self.counted_alike()))

    def test_what_follows_one_another_in_one_thread_is_told_with_what_would_have_to_go(self):
        told = why.missed({"life": life(ours(100000, window=256, engine_us=4, commit_us=3, commit_beside_us=1, store_settle_us=1, lives_a_commit=100, commit_ms=0.3, store_wal_bytes=400),
                                        row("postgresql", "", True, 50000, window=256))})
        self.assertIn("a life would have to take 8.00 us, so 2.00 us would have to go", told)
        for text in ("the engine +\\| +4.00 \\| +50%", "what the engine does meanwhile +\\| +2.00 \\| +100%", "settling +\\| +1.00 \\| +all of it is not enough", "left: .* +\\| +3.00 \\| +67%",
                     "together: a life +\\| +10.0 \\| +20%"):
            self.assertRegex(told, text)

    def test_a_ratio_just_below_its_goal_is_told_with_so_many_digits_that_it_does_not_look_like_it(self):
        result = {"life": life(ours(9990, engine_us=4, commit_us=3, lives_a_commit=100, commit_ms=0.3, window=1000), row("postgresql", "", True, 5000, window=1000))}
        self.assertRegex(report.section("life", result), r"1\.998 +\| +2\.00 +\| +1\.20 +\| +MISSED")
        told = why.missed(result)
        self.assertIn("**Window 1,000: 1.998 of the rate of PostgreSQL; the goal is 2.00", told)
        self.assertIn("us, so 0.10 us would have to go", told)

    def test_a_task_alone_is_held_against_the_null_broker_and_the_goal(self):
        rows = [{"queue": q, "at": "200 a second", "ack_p50_ms": spread([ack])} for q, ack in (("sunline", 0.5), ("null broker", 0.36), ("beanstalkd", 0.24))]
        result = {"life": life(ours(10000), row("beanstalkd", "", True, 9000)), "syncs": {"rows": rows},
                  "latency": {"rows": [ours(200, ack_p50_ms=0.45), row("beanstalkd", "", True, 200, ack_p50_ms=0.25)], "missing": {}, "ratios": {"ack_p50_ms": spread([1.8])}}}
        told = why.missed(result)
        self.assertIn("To reach the goal 75.0 of the 450 us would have to go.", told)
        self.assertIn("acknowledges after 360 us at the median, 1.50 times beanstalkd's 240, where syncs were counted; ours took 500 there: 140 us are ours beyond it.", told)

    def test_what_processors_that_sleep_take_of_a_task_alone_is_told_beside_the_way(self):
        way = {"hops": [{"who": "x", "woken": 1, "runs": 300, "disk": 0}], "all_us": 301, "ack_p50_us": 315, "without_perf_us": 446}
        told = report_alone.sentence({"rows": [{"queue": "sunline", "where": "on the disk", "way": way}]})
        self.assertIn("sunline's 315 us at the median, and 446 without perf and the loops: 131 us are not in the ways: with perf and the loops both differ; that it is the processors, which sleep between two tasks where no loop keeps them awake, is inferred, not measured.", told)
        self.assertNotIn("sleep", report_alone.sentence({"rows": [{"queue": "sunline", "where": "on the disk", "way": {**way, "without_perf_us": 300}}]}))

    def test_a_shortfall_that_lies_inside_the_rounds_is_said_to(self):
        for each, inside in (((4900, 4950, 5100), True), ((4900, 4950, 4990), False)):
            result = {"life": life(ours(*each, window=256), row("postgresql", "", True, *[2000] * 3, window=256))}
            self.assertEqual("Its rounds: 2.45, 2.48, 2.55; 1 of 3 reaches the goal." in why.missed(result), inside)

    def test_the_cost_and_the_rate_are_of_the_same_rounds(self):
        result = {"life": life(ours(10000, 8000, 9000), row("beanstalkd", "", True, 12000, 12000, 12000))}
        self.assertIn("9,000 (8,000-10,000)", report.section("cost", result))
        self.assertIn("111 us a life", why.missed(result))
        self.assertIn("**Window 1: 0.75 of the rate of beanstalkd; the goal is 1.00, the floor 0.30.**", why.missed(result))

    def test_a_peer_that_is_not_durable_is_called_so(self):
        told = why.missed({"life": life(ours(100, window=256), row("nats", "JetStream, default", False, 200, window=256))})
        self.assertIn("0.50 of the rate of NATS (JetStream, default, not durable); the goal is 1.00.", told)
        self.assertNotIn("beanstalkd", told)

    def test_each_goal_that_is_missed_is_told_with_the_figures_of_its_own_part(self):
        result = {"life": life(ours(10000), row("beanstalkd", "", True, 9000)),
                  "latency": {"rows": [ours(200, ack_p50_ms=0.9, commit_ms=0.123, engine_ms=0.031), row("beanstalkd", "", True, 200, ack_p50_ms=0.5)], "missing": {},
                              "ratios": {"ack_p50_ms": spread([1.8])}},
                  "lines": {"rows": [{"line": "chain", "stations": 5, "cost": spread([6])}]},
                  "csv": {"library": spread([1000]), "import": spread([300]), "export": spread([900]), "import_ratio": spread([0.3]), "export_ratio": spread([0.9])},
                  "depth": {"rows": [{"queue": "sunline", "depth": 5000, "ratio": spread([0.5]), "rss_anon_mb": spread([9]), "first_s": spread([0.1]), "bytes_per_queued": 300, "fill_rss_mb": 9}]}}
        told = why.missed(result).split("\n\n")
        self.assertEqual([t.split(":")[0].strip("*") for t in told], ["Latency", "Depth 5,000", "Line, chain", "Import"])
        self.assertIn("900 us, beanstalkd's after 500.", told[0])

    def test_nothing_missed_is_said(self):
        self.assertEqual(why.missed({"life": life(ours(10000), row("beanstalkd", "", True, 9000))}), "Nothing: every goal is met in this run.")

    def test_a_limit_is_broken_by_one_round(self):
        deep = {"ratio": spread([0.5, 0.9, 0.9]), "rss_anon_mb": spread([10, 10, 110]), "first_s": spread([0.1, 1.2, 0.1]), "bytes_per_queued": 300, "fill_rss_mb": 10}
        self.assertEqual(goals.deep(deep), ["memory", "start"])
        self.assertEqual(goals.deep({**deep, "rss_anon_mb": spread([10]), "fill_rss_mb": 110}), ["memory", "start"])

    def test_who_was_measured_at_which_depth_and_who_was_not_filled_is_told(self):
        deep = {"queue": "redis", "depth": 1000000, "frame": 1, "bytes_per_queued": 300, "fill_per_s": 9, "fill_rss_mb": 77,
                **{k: spread([1]) for k in ("per_s", "ratio", "first_s", "rss_anon_mb")}}
        part = {"rows": [deep], "missing": {"rabbitmq, 1,000,000 queued": "it is not there"}, "not_filled": [{"queue": "redis", "depth": 20000000, "seconds": 600}],
                "depths": {"sunline": [1000000, 20000000], "redis": [1000000, 20000000], "rabbitmq": [1000000]}}
        told = report.section("depth", {"depth": part})
        self.assertIn("Measured alike: ours and redis at 1,000,000, 20,000,000; rabbitmq at 1,000,000.", told)
        rabbit = {**deep, "queue": "rabbitmq", "fill_per_s": 20000}
        self.assertIn("To fill 20,000,000 would take, at the rate of the column *filled*, rabbitmq 16.7 minutes.", report.section("depth", {"depth": {**part, "rows": [deep, rabbit]}}))
        self.assertNotIn("To fill", told)
        self.assertIn("Not measured: rabbitmq, 1,000,000 queued: it is not there", told)
        self.assertRegex(told, r"\| redis, 20,000,000 queued +\| +not filled in 600 s \|")

    def test_every_section_of_the_page_is_made_and_every_table_stands_in_it(self):
        with open(os.path.join(TOP, "docs", "performance.md"), encoding="utf-8") as f:
            self.assertEqual(sorted(re.findall(r"<!-- bench:(\w+) -->", f.read())), sorted(report.SECTIONS))

    def test_a_section_of_the_page_that_has_no_table_says_only_that_it_was_not_measured(self):
        with open(os.path.join(TOP, "docs", "performance.md"), encoding="utf-8") as f:
            sections = dict(re.findall(r"<!-- bench:(\w+) -->\n(.*?)\n<!-- end -->", f.read(), flags=re.S))
        for name in sorted(set(sections) - {"setting", "missed"}):
            self.assertTrue("\n|--" in sections[name] or sections[name] == report.NOT_YET, name)

    def test_what_is_said_of_a_table_stands_with_it_and_not_without(self):
        missing = {"the way between threads": "it takes root, and perf"}
        for name in ("alone", "profile"):
            self.assertEqual(report.section(name, {name: {"rows": [], "missing": missing}}), report.NOT_YET + "\n\nNot measured: the way between threads: it takes root, and perf")
        threads = {"per_s": 4000, "without_perf": 4100, "rows": [], "phases": None}
        rows = [{"queue": "sunline", "where": "on the disk", "way": None, "threads": None}]
        self.assertEqual(report.alone({"rows": rows, "missing": {}}), report.NOT_YET)
        told = report.alone({"rows": [{**rows[0], "threads": threads}], "missing": {}})
        self.assertEqual([text in told for text in (report_alone.OF_ALL, report_alone.OF_WAYS, report_alone.OF_THREADS, report_alone.OF_PHASES)], [True, False, True, False])
        told = report_profile.tables({"rows": [self.profile("sunline", 1, ("broker's committer", "ours", "gather", 40)), self.profile("sunline", 256, ("broker's committer", "ours", "gather", 4))]})
        self.assertTrue(told.startswith("Under the life bench: sunline at window 1; sunline at window 256. Each function"), told)
        self.assertTrue(report.section("limits", {"limits": {"rows": []}}).startswith(report.OF_LIMITS))

    def test_the_column_of_commits_is_explained_where_it_has_figures(self):
        part = self.counted_alike()["syncs"]
        self.assertNotIn(report.OF_COMMITS, report.syncs(part))
        part["rows"][0]["lives_a_commit"] = spread([0.5])
        self.assertIn(report.OF_COMMITS, report.syncs(part))

    def documented(self, result, page="before\n{setting}<!-- bench:csv -->\nold\n<!-- end -->\n<!-- bench:missed -->\nold too\n<!-- end -->\nbehind\n", setting=""):
        """The exit code, what was printed, and the page before and after."""
        with tempfile.TemporaryDirectory(prefix="sunline-bench-") as folder:
            path, measured = os.path.join(folder, "page.md"), os.path.join(folder, "measured.json")
            before = page.format(setting=setting)
            with open(path, "w", encoding="utf-8") as f:
                f.write(before)
            with open(measured, "w", encoding="utf-8") as f:
                json.dump(result, f)
            done = subprocess.run([sys.executable, os.path.join(BENCH, "document"), measured, path], capture_output=True, text=True, check=False)
            with open(path, encoding="utf-8") as f:
                return done.returncode, done.stdout + done.stderr, before, f.read()

    def measured(self, commit="aaaa"):
        setting = {"cores": 2, "machine": "m", "kernel": "6", "rounds": 3, "seconds": 3, "load_before": 0, "commit": commit, "filesystem": "ext4", "versions": {}, "quick": False}
        return {"setting": setting, "life": {**life(ours(10000), row("beanstalkd", "", True, 9000)), "commit": commit}}

    def test_a_section_that_was_not_measured_keeps_what_it_has(self):
        code, said, _, after = self.documented(self.measured())
        self.assertEqual((code, after), (0, "before\n<!-- bench:csv -->\nold\n<!-- end -->\n<!-- bench:missed -->\nNothing: every goal is met in this run.\n<!-- end -->\nbehind\n"))
        self.assertIn("csv: not measured", said)

    def test_the_budget_of_the_page_is_made_of_the_parts_as_they_are_understood_now(self):
        result = {**self.measured(), "budget": {"rows": []}}
        _, _, _, after = self.documented(result, page="<!-- bench:budget -->\nold\n<!-- end -->\n")
        self.assertEqual(after, f"<!-- bench:budget -->\n{report.budget(budget.budget(result))}\n<!-- end -->\n")
        self.assertNotEqual(report.budget(budget.budget(result)), report.budget({"rows": []}))

    def test_each_record_has_a_line_of_the_page(self):
        with tempfile.TemporaryDirectory(prefix="sunline-bench-") as folder, unittest.mock.patch.object(report, "RECORDS", pathlib.Path(folder, "records.json")):
            self.assertEqual(report.records({}), "Nothing is recorded yet.")
            report.RECORDS.write_text(json.dumps([{"commit": "aaaa", "window 1": 0.5}, {"commit": "bbbb", "window 1": 0.45, "received p50": 1.2}]))
            lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in report.records({}).splitlines()]
        self.assertEqual([lines[0][1:], *lines[2:]], [["window 1", "received p50"], ["aaaa", "0.50", "-"], ["bbbb", "0.45", "1.20"]])

    def test_parts_of_two_commits_are_not_put_into_one_page(self):
        mixed = self.measured()
        mixed["life"]["commit"] = "bbbb"
        silent = self.measured()
        del silent["life"]["commit"]
        of_the_page = "<!-- bench:setting -->\n2 cores; commit cccc; ext4.\n<!-- end -->\n"
        for result, setting, words in ((mixed, "", "several commits between which the product has changed: setting aaaa, life bbbb"), (silent, "", "life of none"), (self.measured(), of_the_page, "these would stay of cccc: csv")):
            code, said, before, after = self.documented(result, setting=setting)
            self.assertEqual((code, after), (1, before))
            self.assertIn(words, said)
        code, _, _, after = self.documented(self.measured("cccc"), setting=of_the_page)
        self.assertEqual(code, 0)
        self.assertIn("commit cccc; ext4", after)

    def test_events_and_workers_tell_the_commit_that_they_are_of(self):
        self.assertEqual(commits.of({"events": {"setting": {"commit": "aaaa"}}, "workers": {"commit": "bbbb"}, "budget": {}}), {"events": "aaaa", "workers": "bbbb"})
        self.assertEqual(figures.machine()["commit"], commits.now())

    def repository(self):
        """A folder that commits.py takes for ours, and what writes and commits there."""
        folder = tempfile.TemporaryDirectory(prefix="sunline-bench-")
        self.addCleanup(folder.cleanup)
        patch = unittest.mock.patch.object(commits, "TOP", folder.name)
        patch.start()
        self.addCleanup(patch.stop)

        def write(*names):
            for name in names:
                os.makedirs(os.path.join(folder.name, os.path.dirname(name)), exist_ok=True)
                with open(os.path.join(folder.name, name), "a", encoding="utf-8") as f:
                    f.write("more\n")

        def commit(*names):
            write(*names)
            for args in (("init", "-q"), ("add", "."), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one")):
                self.assertEqual(commits.git(*args).returncode, 0)
            return commits.now()
        return write, commit

    def test_a_commit_is_here_until_something_that_figures_depend_on_changes(self):
        for name in ("broker/main.c", "proto/p.c", "tests/bench/lives.py", "tests/bench/peers/redis.c", "tests/bench/anything.new"):
            write, commit = self.repository()
            at = commit("broker/main.c", "proto/p.c", "tests/bench/lives.py", "tests/bench/peers/redis.c", "docs/performance.md", "tests/bench/anything.new", *(f"tests/bench/{file}" for file in commits.TELLS))
            write("docs/performance.md", *(f"tests/bench/{file}" for file in commits.TELLS))
            self.assertTrue(commits.is_here(at, "life"))
            self.assertEqual(commits.now(), at + "-dirty")
            write(name)
            self.assertFalse(commits.is_here(at, "life"), name)

    def test_what_measures_one_part_only_changes_nothing_of_the_others(self):
        write, commit = self.repository()
        at = commit(*(f"tests/bench/{file}" for file in commits.MEASURES))
        write("tests/bench/handovers.py")
        self.assertEqual([commits.is_here(at, part) for part in ("life", "setting", "profile", "alone")], [True, True, True, False])
        write("tests/bench/schedule.py")
        self.assertEqual([commits.is_here(at, part) for part in ("life", "profile", "workers")], [True, False, True])

    def test_parts_of_two_commits_stand_in_one_page_where_the_product_is_the_same_and_it_says_which(self):
        _, commit = self.repository()
        one, two, three = commit("broker/main.c", "tests/bench/handovers.py"), commit("tests/bench/handovers.py"), commit("broker/main.c")
        part = {"rows": [], "missing": {}}
        result = {**self.measured(one), "alone": {**part, "commit": two}}
        self.assertEqual((commits.whole(result), commits.others(result)), (one, {"alone": two}))
        self.assertIn(f"Measured later, of the same product: alone at commit {two}.", report.section("setting", result))
        self.assertIn(f"alone at commit {two}", report.section("alone", result))
        self.assertNotIn("commit", report.section("life", result))
        with self.assertRaisesRegex(ValueError, "several commits between which the product has changed"):
            commits.whole({**result, "alone": {**part, "commit": three}})

    def test_a_run_of_some_parts_goes_on_with_a_file_of_the_same_product_and_keeps_a_file_of_another(self):
        with unittest.mock.patch.object(sys, "dont_write_bytecode", True):
            run = program("bench", "run")
        _, commit = self.repository()
        out = pathlib.Path(commits.TOP, "..", os.path.basename(commits.TOP) + ".json").resolve()
        before = out.with_name(out.name + ".before")
        for path in (out, before):
            self.addCleanup(path.unlink, missing_ok=True)
        was = {"setting": {"rounds": 3, "seconds": 3, "quick": False, "commit": commit("broker/main.c")}, "life": {"rows": []}}
        out.write_text(json.dumps(was))
        o = types.SimpleNamespace(out=out, only="alone", rounds=3, seconds=3, quick=False, base="/")
        commit("tests/bench/handovers.py")
        self.assertEqual((run.begun(o), before.exists()), (was, False))
        commit("broker/main.c")
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual((list(run.begun(o)), json.loads(before.read_text())), (["setting"], was))
        self.assertIn("is of another product or another kind of run: begun anew", said.getvalue())

    def test_depths_that_are_measured_again_for_some_queues_leave_those_of_the_others(self):
        with unittest.mock.patch.object(sys, "dont_write_bytecode", True):
            run = program("bench", "run")
        deep = {"depth": 1000000, "frame": 1, "bytes_per_queued": 300, "fill_per_s": 9, "fill_rss_mb": 77, **{k: spread([1]) for k in ("per_s", "ratio", "first_s", "rss_anon_mb")}}
        redis, rabbitmq = {**deep, "queue": "redis"}, {**deep, "queue": "rabbitmq"}
        before = {"rows": [redis], "missing": {"rabbitmq, 1,000,000 queued": "it came twice", "beanstalkd, 1,000,000 queued": "not there"},
                  "not_filled": [{"queue": "redis", "depth": 20000000, "seconds": 600}, {"queue": "rabbitmq", "depth": 5000000, "seconds": 600}],
                  "depths": {"redis": [1000000, 20000000], "rabbitmq": [1000000, 5000000]}, "took_s": 900.1, "commit": "one"}
        now = {"rows": [rabbitmq], "missing": {}, "not_filled": [], "depths": {"rabbitmq": [1000000]}, "took_s": 99.9, "commit": "two"}
        both = run.with_others(before, now, ["rabbitmq"])
        self.assertEqual(both, {"rows": [redis, rabbitmq], "missing": {"beanstalkd, 1,000,000 queued": "not there"}, "not_filled": [{"queue": "redis", "depth": 20000000, "seconds": 600}],
                                "depths": {"redis": [1000000, 20000000], "rabbitmq": [1000000]}, "took_s": 1000.0, "commit": "one", "again": {"rabbitmq": "two"}})
        self.assertIn("Measured again after the others, alone: rabbitmq (two).", report.depth(both))
        self.assertNotIn("again", report.depth(before))

    def test_what_is_said_to_tell_or_to_measure_is_there(self):
        there = set(os.listdir(BENCH))
        self.assertEqual(set(commits.TELLS) - there, set())
        self.assertEqual(set(commits.MEASURES) - there, set())
        self.assertEqual({p for of in commits.MEASURES.values() for p in of} - {"workers", "events"} - set(parts.PARTS), set())

    def test_what_is_here_is_not_of_a_commit_that_differs_or_that_was_changed(self):
        for commit in ("", "4b825dc642cb6eb9a060e54bf8d69288fbee4904", commits.now().removesuffix("-dirty") + "-dirty"):
            self.assertFalse(commits.is_here(commit, "life"), commit)

    def test_the_headroom_is_one_figure_of_what_was_done_and_what_is_needed(self):
        lives = {"per_s": 60000, "engine_cpu_us": 15.0, "commit_share": 0.1, "put_bytes": 600}
        told = report.headroom(50000, 1e6, lives, "So")
        for text in ("60,000 answers a second", "enough for 1,200,000 workers, a headroom of 20%", "the engine's thread ran for 90% of the time, 15.0 us an answer, and commits took 10%"):
            self.assertIn(text, told)
        self.assertIn("the rest, 0% (the bench's own frames, settling, waits), is not told apart; 600 bytes each were put. 50,000 answers a second would take the engine's thread 75% of a core.", told)
        self.assertEqual(told.count("headroom") + told.count("left"), 1)
        self.assertIn("15.0 and 5.0 us, are 20.0 us an answer at most, since there is an engine in both: 50,000 answers a second would take the broker 1.00 processors", report.on_paper(50000, lives, {"broker_cpu_us": 5.0}))
        self.assertIn("enough for 800,000 workers, 20% too few", report.headroom(50000, 1e6, {**lives, "per_s": 40000}, "So"))

    def test_numbers_are_rounded_as_people_read_them(self):
        self.assertEqual([figures.number(v) for v in (None, 97234, 1234.5, 123.4, 12.34, 0.4812, -0.004, -0.006)], ["-", "97,200", "1,230", "123", "12.3", "0.48", "0.00", "-0.01"])


if __name__ == "__main__":
    unittest.main()
