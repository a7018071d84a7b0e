#!/usr/bin/python3
"""Planted bugs: the patches themselves. That the simulator finds each of them is `make mutants`."""
import glob
import json
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MUTANTS = os.path.join(TOP, "tests", "sim", "mutants")
sys.path[:0] = [os.path.join(TOP, "tests", "lib")]
from scripts import program  # noqa: E402

ALONE = False  # tests/run

HUNT = program("sim", "mutants", "run")


class Mutants(unittest.TestCase):
    def test_every_planted_bug_still_applies_to_the_tree_and_compiles(self):
        done = subprocess.run([sys.executable, "-B", os.path.join(MUTANTS, "run"), "--check"], capture_output=True, text=True, timeout=600, check=False)
        stale = [line for line in done.stdout.splitlines() if line.startswith("not ok")]
        self.assertEqual(stale, [], "bring the patch up to date: two lines around the change are enough")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_checker_itself_must_find_at_least_thirty_each_within_its_number_of_seeds(self):
        own = 0
        for path in glob.glob(os.path.join(MUTANTS, "*.patch")):
            with open(path, encoding="utf-8") as f:
                head = f.read()
            self.assertRegex(head, r"\A.+\nSeeds: \d+\n", path)
            by = HUNT.patches.found_by(head)
            own += by is None
            if by is not None:
                self.assertRegex(by, "^(" + "|".join(HUNT.patches.NO_VERDICTS.values()) + r") \(.{20,}\)$", "what finds it, and why no verdict does: " + path)
        self.assertGreaterEqual(own, 30)

    def looked(self, worlds, seeds=60, instead=None):
        """What is said of a mutant in whose worlds this is found, one after the other, and in how many of them it was looked for."""
        asked = []

        def world(_, seed):
            asked.append(seed)
            return worlds[seed - HUNT.FIRST_SEED] if seed - HUNT.FIRST_SEED < len(worlds) else None
        with mock.patch.object(HUNT, "world", world):
            return *HUNT.look("", seeds, instead), len(asked)

    def test_what_a_verdict_finds_is_found_at_once(self):
        self.assertEqual(self.looked([None, "fifo, broken", "lost"]), (True, "seed 5001 (2 of 60): fifo, broken", 2))
        self.assertEqual(self.looked([], seeds=9), (False, "not found by 9 worlds", 9))

    def test_behind_what_is_no_verdict_further_worlds_are_run_until_there_is_one(self):
        self.assertEqual(self.looked([None, "broken", None, "crash", "fifo, lost"]), (True, "seed 5001 (2 of 60): broken; seed 5004 (5 of 60): fifo, lost", 5))
        more = HUNT.MORE_WORLDS
        for worlds in (["stands still"], ["stands still"] * (more + 1) + ["lost"]):
            self.assertEqual(self.looked(worlds), (False, f"seed 5000 (1 of 60): stands still; no verdict by {more + 1} worlds", more + 1))
        self.assertEqual(self.looked(["crash"] * 9, seeds=4), (False, "seed 5000 (1 of 4): crash; no verdict by 4 worlds", 4), "never more than its head says")

    def test_each_patch_has_worlds_among_the_first_and_words_that_no_plan_has_end_the_search(self):
        with tempfile.TemporaryDirectory() as tree:
            os.symlink(os.environ.get("SUNLINE_BUILD", os.path.join(TOP, "build")), os.path.join(tree, "build"))
            needed = set()
            for path in glob.glob(os.path.join(MUTANTS, "*.patch")):
                with open(path, encoding="utf-8") as f:
                    needed.add(tuple(HUNT.patches.worlds_with(f.read())))
            self.assertIn(("bars", "reviews"), needed)
            for things in needed:
                self.assertLess(next(HUNT.seeds_with(tree, things)), HUNT.FIRST_SEED + 100, things)
            with mock.patch.object(HUNT, "SEEDS_MAX", 9):
                self.assertEqual(list(HUNT.seeds_with(tree, ["nothing of the kind"])), [])

    def test_what_the_long_run_of_this_simulator_found_good_is_not_run_again(self):
        with tempfile.TemporaryDirectory() as tree:
            os.makedirs(os.path.join(tree, "build"))
            os.makedirs(os.path.join(tree, "reliability"))
            with open(os.path.join(tree, "build", "sunline-sim"), "w", encoding="utf-8") as f:
                f.write("this one")
            sim = HUNT.notebook.digest(f.name)
            self.assertEqual(HUNT.known_good(tree, tree), set())
            with open(os.path.join(tree, "reliability", "sim.worlds"), "w", encoding="utf-8") as f:
                for seed, ok, by in ((5000, True, sim), (5001, False, sim), (5002, True, "another"), (5003, True, sim)):
                    f.write(json.dumps({"seed": seed, "ok": ok, "sim": by}) + "\n")
                f.write('{"seed": 5004, "ok": tr')  # broken off
            self.assertEqual(HUNT.known_good(tree, tree), {5000, 5003})

    def test_of_which_no_history_can_tell_what_its_head_says_is_enough_and_no_other_end(self):
        self.assertEqual(self.looked([None, "broken", "lost"], instead="broken"), (True, "seed 5001 (2 of 60): broken", 2))
        self.assertEqual(self.looked([None, "crash", "broken"], instead="broken"), (True, "seed 5001 (2 of 60): crash; seed 5002 (3 of 60): broken", 3))
        self.assertEqual(self.looked(["lost"] * 4, seeds=4, instead="broken"), (False, "seed 5000 (1 of 4): lost; not broken by 4 worlds", 4), "then its head is wrong")
        self.assertEqual(self.looked(["crash"] * 9, seeds=4, instead="broken"), (False, "seed 5000 (1 of 4): crash; not broken by 4 worlds", 4))
        self.assertEqual(self.looked([None], seeds=9, instead="broken"), (False, "not found by 9 worlds", 9))
        self.assertEqual(HUNT.patches.instead("A bug.\nSeeds: 9\nFound by: an assertion or a crash (for that is how it is)\n"), "crash")
        self.assertIsNone(HUNT.patches.instead("A bug.\nSeeds: 9\n"))
        with self.assertRaisesRegex(ValueError, "a mistake of mine"):
            HUNT.patches.instead("A bug.\nSeeds: 9\nFound by: a mistake of mine (why)\n")

    def test_a_patch_of_what_is_no_more_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, line, change, why in (("gone.patch", "a line that is nowhere\n", "another\n", "does not apply"),
                                            ("broken.patch", "#include \"broker/engine/gold.h\"\n", "no C\n", "does not compile: .*error:")):
                path = os.path.join(folder, name)
                with open(path, "w", encoding="utf-8") as f:
                    f.write(f"A mistake.\nSeeds: 1\n\n--- a/broker/engine/gold.c\n+++ b/broker/engine/gold.c\n@@ -2,1 +2,1 @@\n-{line}+{change}")
                self.assertRegex(HUNT.stale(path) or "", why)

    def published(self, *parts):
        """What is in the figures after these, each (commit, results, the patches of that time)."""
        with tempfile.TemporaryDirectory() as build:
            for commit, results, here in parts:
                with mock.patch.object(HUNT.notebook, "commit", return_value=commit), mock.patch.object(HUNT.patches, "here", return_value=here):
                    HUNT.publish(build, results, 10, {name: here[name] for name in results})
            with open(os.path.join(build, "reliability", "mutants.json"), encoding="utf-8") as f:
                return json.load(f)

    FOUND = "seed 5001 (2 of 9): fifo"

    def test_figures_of_a_part_keep_the_others_with_the_commit_they_were_hunted_at(self):
        here = {"first": "1", "second": "2", "third": "3"}
        out = self.published(("aaaaaaa", {"first": self.FOUND, "second": self.FOUND}, here), ("bbbbbbb", {"second": "not found by 9 worlds"}, here))
        self.assertEqual(out["commits"], {"first": "aaaaaaa", "second": "bbbbbbb"})
        self.assertEqual((out["what"]["mutants"], out["what"]["hunted"], out["what"]["caught"], out["what"]["worlds"]), (3, 2, 1, 2))
        self.assertEqual(out["seconds"], 15, "of the first hunt the share of what is still told of it")

    def test_a_result_is_dropped_whose_patch_has_changed_or_is_gone(self):
        was = {"changed": "1", "gone": "2", "same": "3", "hunted": "4"}
        now = {"changed": "9", "same": "3", "hunted": "4"}
        out = self.published(("aaaaaaa", dict.fromkeys(was, self.FOUND), was), ("bbbbbbb", {"hunted": self.FOUND}, now))
        self.assertEqual(out["commits"], {"same": "aaaaaaa", "hunted": "bbbbbbb"})
        self.assertEqual(out["patches"], {"same": "3", "hunted": "4"})
        self.assertEqual((out["what"]["mutants"], out["what"]["hunted"], out["seconds"]), (3, 2, 12.5))

    def test_a_result_that_does_not_tell_of_which_patch_it_is_is_dropped(self):
        told = {"mutants": {"a": self.FOUND}, "commits": {"a": "aaaaaaa"}, "seconds": 1}
        self.assertEqual(HUNT.patches.of_these(told, {"a": "1"})["what"]["hunted"], 0)

    def test_a_result_tells_what_was_first_and_whether_a_verdict_was_had(self):
        results = {"own": "seed 5000 (1 of 9): fifo, broken", "later": "seed 5001 (2 of 9): broken; seed 5004 (5 of 9): lost", "none": "seed 5000 (1 of 9): crash",
                   "failed": "seed 5002 (3 of 9): stands still; no verdict by 9 worlds", "unseen": "not found by 9 worlds"}
        self.assertEqual(HUNT.patches.without_verdict(results), {"none": "crash"})
        self.assertEqual([name for name, text in results.items() if HUNT.patches.missed(text)], ["failed", "unseen"])
        self.assertTrue(HUNT.patches.missed("seed 5000 (1 of 4): crash; not stands still by 4 worlds"))
        self.assertEqual(HUNT.patches.sums(results, 6), {"mutants": 6, "hunted": 5, "caught": 3, "by_verdict": 2, "most_worlds": 2, "worlds": 4, "in_the_first": 2})

    def test_the_table_names_those_that_no_verdict_found(self):
        figures, (a, b) = program("figures"), list(HUNT.patches.here())[:2]
        told = {"mutants": {a: self.FOUND, b: "seed 5000 (1 of 9): broken"}, "commits": dict.fromkeys((a, b), "aaaaaaa"), "seconds": 60, "command": "make mutants",
                "patches": HUNT.patches.here()}
        self.assertIn(f"**1** of them were found by a verdict of the checker; the others by something else: `{b}` (a check of the simulator's own).", figures.mutants(told)[0])
        told["mutants"][b] += "; no verdict by 9 worlds"
        self.assertIn(f"**1** of them were found by a verdict of the checker. **Not found as they must be**: `{b}`.", figures.mutants(told)[0])
        self.assertIn("**1 of ", figures.mutants(told)[0])

    def test_the_table_has_what_was_found_of_the_patches_that_are_here(self):
        figures, (name, other) = program("figures"), list(HUNT.patches.here())[:2]
        told = {"mutants": dict.fromkeys((name, other), self.FOUND), "commits": {name: "aaaaaaa", other: "bbbbbbb"}, "seconds": 60, "command": "make mutants",
                "patches": {name: HUNT.patches.here()[name], other: "as it was"}}
        rows = figures.mutants(told)
        self.assertIn(f"commit aaaaaaa, seeds from ? on, 30 s: **1 of {len(HUNT.patches.here())}** planted bugs found", rows[0])
        self.assertIsNone(figures.mutants(dict(told, patches={})), "the table stays as it is")


if __name__ == "__main__":
    unittest.main()
