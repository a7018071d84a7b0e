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
from figures import spread  # noqa: E402

TOLERANCE = 0.2

MEASURED = {
    "setting": {"quick": False},
    "life": {"ratios": [{"window": 1, "durable": True, "ratio": spread([0.5])}, {"window": 256, "durable": True, "ratio": spread([2.0])},
                        {"window": 256, "durable": False, "ratio": spread([1.5])}],
             "rows": [{"queue": queue, "mode": mode, "durable": durable, "window": window, "per_s": spread([per_s]), "lives_a_commit": spread([0.6])}
                      for queue, mode, durable, per_s in (("sunline", "as shipped", True, 100), ("sunline", "free keys", True, 50),
                                                          ("postgresql", "", True, 50), ("redis", "", True, 40), ("nats", "", False, 60))
                      for window in (1, 256)]},
    "latency": {"ratios": {"ack_p50_ms": spread([1.2]), "ack_p99_ms": spread([2.0])}},
    "depth": {"rows": [{"queue": queue, "depth": 1000000, "ratio": spread([ratio]), "bytes_per_queued": each, "rss_anon_mb": spread([20]), "first_s": spread([0.2])}
                       for queue, ratio, each in (("sunline", 0.9, 300), ("redis", 0.1, 400))]},
    "lines": {"rows": [{"line": "one station", "stations": 1, "cost": spread([1.0])}, {"line": "chain", "stations": 5, "cost": spread([4.5])}]},
    "csv": {"import_ratio": spread([0.8]), "export_ratio": spread([0.9])},
    "batch": {"rows": [{"shape": "window 1", "log_kib_a_commit": 2.0, "pages_kib_a_commit": 3.0, "copied": 1.0, "instructions": {"all": 60000}}]},
    "allocations": {"rows": [{"window": 1, "own": 0}, {"window": 256, "own": 3}]},
}


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
        return subprocess.run([sys.executable, CHECK, path, "--recorded", self.recorded, *options], capture_output=True, text=True, check=False)

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

    def test_copies_may_not_rise_at_all_and_a_p99_by_much(self):
        self.record()
        self.measured["latency"]["ratios"]["ack_p99_ms"] = spread([3.9])
        self.says_worse()
        self.measured["batch"]["rows"][0]["copied"] = 1.02
        self.measured["latency"]["ratios"]["ack_p99_ms"] = spread([4.1])
        self.says_worse("latency, ack_p99_ms, by beanstalkd's", "batch, window 1, bytes copied in by bytes put")

    def test_what_a_recording_lowers_is_named(self):
        self.record()
        self.measured["csv"]["import_ratio"] = spread([0.3])
        done = self.run_check("--record")
        self.assertEqual([line.split("  ")[-1] for line in done.stdout.splitlines() if line.startswith("BECAME WORSE")],
                         ["csv, import, by the library's pipelined put"], done)

    def test_the_workers_figures_count_where_they_were_measured(self):
        path = os.path.join(self.folder.name, "workers.json")
        cost = {"asking": {"instructions": 100}, "arriving": {"instructions": 100}, "asking_50": {"instructions": 100}}
        workers = {"scale": 1, "small": cost, "large": {**cost, "counts": True, "lives_1000": {"instructions": 1000}}, "again": {"bytes_a_worker": 700},
                   "author": {"author": {"instructions": 10}, "other": {"instructions": 10}}}

        def write():
            with open(path, "w", encoding="utf-8") as f:
                json.dump({"workers": workers}, f)
        write()
        self.assertEqual(self.run_check("--workers", path, "--record").returncode, 0)
        self.assertEqual(self.run_check("--workers", path).returncode, 0)
        self.assertEqual(self.run_check("--workers", path + "-is-not-there").returncode, 0)
        workers["again"]["bytes_a_worker"] = 900
        write()
        done = self.run_check("--workers", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("workers, bytes of a registered worker", [line.split("  ")[-1] for line in done.stdout.splitlines() if line.startswith("WORSE")])

    def test_a_ratio_that_fell_fails_beyond_the_tolerance_and_not_before(self):
        self.record()
        life = self.measured["life"]["ratios"][1]
        life["ratio"] = spread([2.0 * (1 - TOLERANCE) + 0.01])
        self.says_worse()
        life["ratio"] = spread([2.0 * (1 - TOLERANCE) - 0.01])
        self.says_worse("life, window 256, by the best of 2 durable peers")

    def test_a_cost_that_rose_fails_beyond_the_tolerance_and_not_before(self):
        self.record()
        self.measured["latency"]["ratios"]["ack_p50_ms"] = spread([1.2 * (1 + TOLERANCE) - 0.01])
        self.says_worse()
        self.measured["latency"]["ratios"]["ack_p50_ms"] = spread([1.2 * (1 + TOLERANCE) + 0.01])
        self.measured["lines"]["rows"][1]["cost"] = spread([4.5 * (1 + TOLERANCE) + 0.1])
        self.says_worse("latency, ack_p50_ms, by beanstalkd's", "line chain, cost of a task by one station's")

    def test_more_pages_copies_or_instructions_fail(self):
        self.record()
        self.measured["batch"]["rows"] = [{"shape": "window 1", "log_kib_a_commit": 2.0, "pages_kib_a_commit": 4.2, "copied": 2.0, "instructions": {"all": 73000}}]
        self.says_worse(*(f"batch, window 1, {what}" for what in ("KiB written a commit, its share of settling too", "bytes copied in by bytes put", "instructions a task")))

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
        self.assertIn("NOT MEASURED   life, window 256, by the best of 2 durable peers", done.stdout)

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
        self.assertIn("NOT MEASURED   life, window 1, by the best of 2 durable peers", done.stdout)

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
        self.assertEqual([line.split("  ")[-1].strip().split(",")[0] for line in done.stdout.splitlines() if line.startswith("NOT MEASURED")], ["csv"] * 2 + ["batch"] * 3, done)

    def test_fewer_lives_a_commit_fail(self):
        self.record()
        next(r for r in self.measured["life"]["rows"] if r["mode"] == "as shipped" and r["window"] == 1)["lives_a_commit"] = spread([0.4])
        self.says_worse("life, window 1, lives a commit")

    def test_a_new_ratio_is_no_failure(self):
        self.record()
        self.measured["life"]["ratios"].append({"window": 1000, "durable": True, "ratio": spread([0.1])})
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
