"""`make bench-check`, on doctored figures: what got worse than recorded beyond the tolerance fails it, by name, and nothing else does."""
import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench", "check")
sys.path.insert(0, os.path.dirname(CHECK))
import commits  # noqa: E402
import servers  # noqa: E402
import verdict  # noqa: E402
from figures import spread  # noqa: E402

ALONE = False  # tests/run

TOLERANCE = 0.2
WINDOWS = (1, 256)
QUEUES = [("sunline", "as shipped", True, 100), ("sunline", "free keys", True, 50)] + [(k.name, k.mode, k.durable, 40 + i) for i, k in enumerate((*servers.DURABLE, *servers.RELAXED))]
COUNTS = {"lives_a_commit": spread([0.6]), "engine_us": spread([10]), "payload_in_bytes": spread([200]), "payload_in_copied_bytes": spread([200]),
          "payload_out_bytes": spread([200]), "payload_out_copied_bytes": spread([200])}

MEASURED = {
    "setting": {"quick": False, "commit": commits.now()},
    "life": {"ratios": [{"window": 1, "durable": True, "ratio": spread([0.5])}, {"window": 256, "durable": True, "ratio": spread([2.0])},
                        {"window": 256, "durable": False, "ratio": spread([1.5])}],
             "rows": [{"queue": queue, "mode": mode, "durable": durable, "window": window, "per_s": spread([per_s]), "server_cpu_us": spread([20 if queue == "sunline" else per_s]),
                       **(COUNTS if queue == "sunline" else {})} for queue, mode, durable, per_s in QUEUES for window in WINDOWS]},
    "latency": {"ratios": {"ack_p50_ms": spread([1.2]), "ack_p99_ms": spread([1.1])},
                "rows": [{"queue": "sunline", "mode": "as shipped", "lives_a_commit": spread([0.5])}, {"queue": "beanstalkd", "mode": servers.Beanstalkd.mode}]},
    "depth": {"rows": [{"queue": queue, "depth": 1000000, "ratio": spread([ratio]), "bytes_per_queued": each, "rss_anon_mb": spread([20]), "fill_rss_mb": 20, "first_s": spread([0.2])}
                       for queue, ratio, each in (("sunline", 0.9, 300), ("redis", 0.1, 400))]},
    "lines": {"rows": [{"line": "one station", "stations": 1, "cost": spread([1.0])}, {"line": "chain", "stations": 5, "cost": spread([4.5])}]},
    "csv": {"import_ratio": spread([0.8]), "export_ratio": spread([0.9])},
    "batch": {"rows": [{"shape": "window 1", "log_kib_a_commit": 2.0, "pages_kib_a_commit": 3.0, "instructions": {"all": 60000}}]},
    "allocations": {"rows": [{"window": 1, "own": 0}, {"window": 256, "own": 3}]},
}
for part in MEASURED.values():
    part["commit"] = commits.now()


class BenchCheck(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="sunline-bench-")
        self.addCleanup(self.folder.cleanup)
        self.recorded = os.path.join(self.folder.name, "recorded.json")
        self.measured = copy.deepcopy(MEASURED)

    def run_check(self, *options):
        path = os.path.join(self.folder.name, "measured.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(self.measured, f)
        return subprocess.run([sys.executable, CHECK, path, "--recorded", self.recorded, *([] if "--this-commit" in options else ["--any-commit"]), *(o for o in options if o != "--this-commit")], capture_output=True, text=True, check=False)

    def record(self):
        done = self.run_check("--record")
        self.assertEqual(done.returncode, 0, done)

    def says_worse(self, *names):
        done = self.run_check()
        worse = [line.split("  ")[-1] for line in done.stdout.splitlines() if line.startswith("WORSE")]
        self.assertEqual(worse, list(names), done)
        self.assertEqual(done.returncode, 1 if names else 0, done)

    def test_what_was_recorded_passes(self):
        self.record()
        self.says_worse()

    def test_better_figures_pass(self):
        self.record()
        self.measured["life"]["ratios"][0]["ratio"] = spread([1.5])
        self.measured["latency"]["ratios"]["ack_p50_ms"] = spread([0.4])
        self.measured["lines"]["rows"][1]["cost"] = spread([1.5])
        self.says_worse()

    def test_a_p99_may_be_worse_by_much(self):
        self.record()
        self.measured["latency"]["ratios"]["ack_p99_ms"] = spread([2.1])
        self.says_worse()
        self.measured["latency"]["ratios"]["ack_p99_ms"] = spread([2.3])
        self.says_worse("latency, ack_p99_ms, by beanstalkd's")

    def ours(self, window, mode="as shipped"):
        return next(r for r in self.measured["life"]["rows"] if (r["queue"], r["mode"], r["window"]) == ("sunline", mode, window))

    def fails(self, sentence, *options):
        done = self.run_check(*options)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(sentence, done.stdout + done.stderr)

    def test_a_payload_that_is_copied_twice_fails_whatever_was_recorded(self):
        for way in ("in", "out"):
            self.measured = copy.deepcopy(MEASURED)
            self.ours(256)[f"payload_{way}_copied_bytes"] = spread([400])
            self.run_check("--record", "--accept")
            self.fails(f"FAILED: life, as shipped, window 256: a payload is copied 2.00 times on its way {way}")

    def test_the_brokers_cpu_by_the_peers_that_takes_least_is_compared(self):
        self.record()
        self.ours(1)["server_cpu_us"] = spread([25])
        self.ours(256)["engine_us"] = spread([13])
        self.says_worse("life, window 1, server CPU by the server CPU of the least of 4 durable peers", "life, window 256, engine by the server CPU of the least of 4 durable peers")

    def test_what_a_recording_would_lower_is_named_and_not_recorded_unless_it_is_accepted(self):
        self.record()
        self.measured["csv"]["import_ratio"] = spread([0.3])
        for options, code in (((), 1), (("--accept",), 0)):
            done = self.run_check("--record", *options)
            self.assertEqual(done.returncode, code, done)
            self.assertEqual([line.split("  ")[-1] for line in done.stdout.splitlines() if line.startswith("WORSE")], ["csv, import, by the library's pipelined put"], done)
            with open(self.recorded, encoding="utf-8") as f:
                self.assertEqual(json.load(f)["csv, import, by the library's pipelined put"][0], 0.3 if options else 0.8)

    def test_what_differs_from_round_to_round_may_be_worse_by_as_much_up_to_a_half(self):
        self.measured["csv"]["import_ratio"] = spread([0.6, 0.8, 0.9])
        self.record()
        self.measured["csv"]["import_ratio"] = spread([0.52])     # the rounds differed by 37%
        self.says_worse()
        self.measured["csv"]["import_ratio"] = spread([0.49])
        self.says_worse("csv, import, by the library's pipelined put")
        self.measured["csv"]["import_ratio"] = spread([0.1, 0.39, 0.9])
        self.says_worse("csv, import, by the library's pipelined put")

    def test_a_figure_below_its_floor_fails_whatever_was_recorded(self):
        self.measured["life"]["ratios"][1].update(ratio=spread([1.3]), peer="postgresql")
        self.measured["latency"]["ratios"]["ack_p50_ms"] = spread([2.6])
        self.assertEqual(self.run_check("--record").returncode, 1)
        self.assertFalse(os.path.exists(self.recorded))
        self.run_check("--record", "--accept")
        self.fails("FAILED: life, window 256: 1.30 times postgresql's rate, below the floor of 1.4")
        self.fails("FAILED: latency, ack_p50_ms: 2.60 times beanstalkd's, below the floor of 2.5")

    def test_each_peer_that_is_missing_fails_by_name_whatever_was_recorded(self):
        for kind in (*servers.DURABLE, *servers.RELAXED):
            self.measured = copy.deepcopy(MEASURED)
            life = self.measured["life"]
            life["rows"] = [r for r in life["rows"] if (r["queue"], r["mode"], r["window"]) != (kind.name, kind.mode, 256)]
            self.run_check("--record", "--accept")
            self.fails(f"FAILED: life: {kind.name} ({kind.mode}) is missing at window 256")
        for part in ("syncs", "alone", "profile"):
            self.measured = copy.deepcopy(MEASURED)
            self.measured[part] = {"rows": [], "missing": {"the way between threads": "of 400 acknowledgements 20 could be followed"}, "commit": commits.now()}
            self.run_check("--record", "--accept")
            self.fails("FAILED: not measured: the way between threads: of 400 acknowledgements 20 could be followed")
        self.measured["depth"]["missing"] = {"redis, 5,000,000 queued": "it did not come up"}
        self.fails("FAILED: not measured: redis, 5,000,000 queued: it did not come up")

    def test_what_takes_root_and_perf_is_no_failure_where_ours_is_measured_by_itself_but_told(self):
        for part, privileged in (("alone", True), ("profile", True), ("syncs", False), ("allocations", False)):
            result = {**copy.deepcopy(MEASURED), part: {"rows": [], "missing": {"what it measures": "it takes root, and perf"}}}
            told = ["not measured: what it measures: it takes root, and perf"]
            self.assertEqual((verdict.failures(result, peers=False), verdict.left_out(result, peers=False)), ([], told) if privileged else (told, []), part)
            self.assertEqual((verdict.failures(result), verdict.left_out(result)), (told, []), part)

    def test_a_run_of_another_commit_is_neither_compared_nor_recorded_unless_it_is_asked_for(self):
        self.record()
        for part in self.measured.values():
            part["commit"] = "4b825dc642cb"
        for options in ((), ("--record",)):
            self.fails("setting is of commit 4b825dc642cb", "--this-commit", *options)
        self.says_worse()
        self.measured["csv"]["commit"] = "another"
        self.fails("parts of several commits", "--this-commit")

    def test_the_workers_figures_count_where_they_were_measured(self):
        path = os.path.join(self.folder.name, "workers.json")
        cost = {what: {"instructions": 100, "rounds": {"instructions": [90, 100, 110]}} for what in ("asking", "arriving", "asking_50")}
        workers = {"scale": 1, "small": cost, "large": {**cost, "counts": True, "lives_1000": {"instructions": 1000}}, "again": {"bytes_a_worker": 700},
                   "author": {"author": {"instructions": 10}, "other": {"instructions": 10}}, "rows": [{"what": "an assignment", "figure": "1.59 times", "limit": "1.5 times", "holds": True}]}

        def write():
            with open(path, "w", encoding="utf-8") as f:
                json.dump({"workers": workers}, f)
        write()
        self.assertEqual(self.run_check("--workers", path, "--record").returncode, 0)
        self.assertEqual(self.run_check("--workers", path).returncode, 0)
        self.assertEqual(self.run_check("--workers", path + "-is-not-there").returncode, 0)
        workers["rows"][0]["holds"] = False
        write()
        done = self.run_check("--workers", path)
        self.assertIn("FAILED: workers: an assignment: 1.59 times, limit 1.5 times", done.stdout)
        self.assertEqual(done.returncode, 1)
        workers["scale"] = 200
        write()
        self.assertEqual(self.run_check("--workers", path).returncode, 0)
        workers["scale"] = 1
        workers["rows"][0]["holds"] = True
        workers["again"]["bytes_a_worker"] = 900
        write()
        done = self.run_check("--workers", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("workers, bytes of a registered worker", [line.split("  ")[-1] for line in done.stdout.splitlines() if line.startswith("WORSE")])

    def test_goals_that_have_no_floor_must_be_reached_whatever_was_recorded(self):
        for part, change, told in (("depth", lambda p: p["rows"][0].update(ratio=spread([0.7])), "depth, 1,000,000 queued: rate"), ("lines", lambda p: p["rows"][1].update(cost=spread([5.2])), "line chain: a unit costs 5.20"),
                                   ("csv", lambda p: p.update(export_ratio=spread([0.45])), "export: 0.45 of the library's pipelined put, less than 0.5")):
            self.measured = copy.deepcopy(MEASURED)
            change(self.measured[part])
            self.run_check("--record", "--accept")
            self.fails("FAILED: " + told)

    def test_each_record_that_was_taken_over_is_kept(self):
        def kept():
            with open(os.path.join(self.folder.name, "records.json"), encoding="utf-8") as f:
                return json.load(f)
        self.record()
        first = {"commit": commits.now(), "window 1": 0.5, "window 256": 2.0, "acknowledged p50": 1.2}
        self.assertEqual(kept(), [first])
        self.measured["setting"]["commit"] = "another"
        self.measured["life"]["ratios"][0]["ratio"] = spread([0.45])
        self.record()
        self.assertEqual(kept(), [first, {**first, "commit": "another", "window 1": 0.45}])
        self.record()
        self.assertEqual(len(kept()), 2)

    def test_a_ratio_that_fell_fails_beyond_the_tolerance_and_not_before(self):
        self.record()
        life = self.measured["life"]["ratios"][1]
        life["ratio"] = spread([2.0 * (1 - TOLERANCE) + 0.01])
        self.says_worse()
        life["ratio"] = spread([2.0 * (1 - TOLERANCE) - 0.01])
        self.says_worse("life, window 256, by the best of 4 durable peers")

    def test_a_cost_that_rose_fails_beyond_the_tolerance_and_not_before(self):
        self.record()
        self.measured["latency"]["ratios"]["ack_p50_ms"] = spread([1.2 * (1 + TOLERANCE) - 0.01])
        self.says_worse()
        self.measured["latency"]["ratios"]["ack_p50_ms"] = spread([1.2 * (1 + TOLERANCE) + 0.01])
        self.measured["lines"]["rows"][1]["cost"] = spread([4.5 * (1 + TOLERANCE) + 0.1])
        self.says_worse("latency, ack_p50_ms, by beanstalkd's", "line chain, cost of a task by one station's")

    def test_more_pages_copies_or_instructions_fail(self):
        self.record()
        self.measured["batch"]["rows"] = [{"shape": "window 1", "log_kib_a_commit": 2.0, "pages_kib_a_commit": 4.2, "instructions": {"all": 73000}}]
        self.says_worse(*(f"batch, window 1, {what}" for what in ("KiB written a commit, its share of settling too", "instructions a task")))

    def test_each_kind_of_ratio_can_fail(self):
        self.record()
        self.measured["depth"]["rows"][0]["ratio"] = spread([0.5])
        self.measured["csv"]["import_ratio"] = spread([0.3])
        self.says_worse("depth 1000000, by the empty queue's rate", "csv, import, by the library's pipelined put")

    def test_the_best_peer_may_not_be_missing(self):
        self.record()
        life = self.measured["life"]
        life["rows"] = [r for r in life["rows"] if r["queue"] != "postgresql"]
        life["ratios"][0]["ratio"] = life["ratios"][1]["ratio"] = spread([9])  # by what is left
        done = self.run_check()
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("NOT MEASURED   life, window 256, by the best of 4 durable peers", done.stdout)

    def test_what_does_not_depend_on_the_machine_is_compared(self):
        self.record()
        self.measured["depth"]["rows"][0]["bytes_per_queued"] = 400
        self.measured["allocations"]["rows"][0]["own"] = 500
        next(r for r in self.measured["life"]["rows"] if r["mode"] == "free keys" and r["window"] == 256)["per_s"] = spread([30])
        self.says_worse("life, window 256, free keys by numbers", "depth 1000000, bytes a queued task", "allocations of our own, window 1")

    def test_what_is_not_measured_any_more_fails_by_name(self):
        self.record()
        del self.measured["life"]["ratios"][0]
        done = self.run_check()
        self.assertEqual(done.returncode, 1)
        self.assertIn("NOT MEASURED   life, window 1, by the best of 4 durable peers", done.stdout)

    def test_the_median_of_the_rounds_is_compared(self):
        self.record()
        self.measured["csv"]["import_ratio"] = spread([0.1, 0.8, 0.9])
        self.says_worse()
        self.measured["csv"]["import_ratio"] = spread([0.1, 0.3, 0.9])
        self.says_worse("csv, import, by the library's pipelined put")

    def test_a_part_that_was_not_measured_fails_by_the_names_of_all_its_figures(self):
        self.record()
        del self.measured["csv"], self.measured["batch"]
        done = self.run_check()
        self.assertEqual(done.returncode, 1)
        self.assertEqual([line.split("  ")[-1].strip().split(",")[0] for line in done.stdout.splitlines() if line.startswith("NOT MEASURED")], ["csv"] * 2 + ["batch"] * 2, done)

    def test_fewer_lives_a_commit_fail(self):
        self.record()
        next(r for r in self.measured["life"]["rows"] if r["mode"] == "as shipped" and r["window"] == 1)["lives_a_commit"] = spread([0.4])
        self.says_worse("life, window 1, lives a commit")

    def test_a_new_ratio_is_no_failure(self):
        self.record()
        self.measured["life"]["ratios"].append({"window": 1000, "durable": False, "ratio": spread([0.1])})
        self.says_worse()

    def test_nothing_recorded_is_no_pass(self):
        with open(self.recorded, "w", encoding="utf-8") as f:
            f.write("{}")
        done = self.run_check()
        self.assertEqual(done.returncode, 1)
        self.assertIn("nothing to compare with", done.stderr)

    def test_a_quick_run_is_neither_recorded_nor_compared(self):
        self.record()
        self.measured["setting"]["quick"] = True
        self.assertEqual(self.run_check().returncode, 1)
        os.remove(self.recorded)
        self.assertEqual(self.run_check("--record").returncode, 1)
        self.assertFalse(os.path.exists(self.recorded))


if __name__ == "__main__":
    unittest.main()
