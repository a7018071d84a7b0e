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

HUNT = program("sim", "mutants", "run")


class Mutants(unittest.TestCase):
    def test_every_planted_bug_still_applies_to_the_tree_and_compiles(self):
        done = subprocess.run([sys.executable, "-B", os.path.join(MUTANTS, "run"), "--check"], capture_output=True, text=True, timeout=120, check=False)
        stale = [line for line in done.stdout.splitlines() if line.startswith("not ok")]
        self.assertEqual(stale, [], "bring the patch up to date: two lines around the change are enough")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_there_are_at_least_thirty_each_with_its_number_of_seeds(self):
        patches = glob.glob(os.path.join(MUTANTS, "*.patch"))
        self.assertGreaterEqual(len(patches), 30)
        for path in patches:
            with open(path, encoding="utf-8") as f:
                self.assertRegex(f.read(), r"\A.+\nSeeds: \d+\n", path)

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

    def test_the_table_has_what_was_found_of_the_patches_that_are_here(self):
        figures, (name, other) = program("figures"), list(HUNT.patches.here())[:2]
        told = {"mutants": dict.fromkeys((name, other), self.FOUND), "commits": {name: "aaaaaaa", other: "bbbbbbb"}, "seconds": 60, "command": "make mutants",
                "patches": {name: HUNT.patches.here()[name], other: "as it was"}}
        rows = figures.mutants(told)
        self.assertIn(f"commit aaaaaaa, seeds from ? on, 30 s: **1 of {len(HUNT.patches.here())}** planted bugs found", rows[0])
        self.assertIsNone(figures.mutants(dict(told, patches={})), "the table stays as it is")


if __name__ == "__main__":
    unittest.main()
