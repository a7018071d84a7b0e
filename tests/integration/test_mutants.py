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

    def test_figures_of_a_part_keep_the_others_with_the_commit_they_were_hunted_at(self):
        first, second = sorted(os.path.basename(p)[:-6] for p in glob.glob(os.path.join(MUTANTS, "*.patch")))[:2]
        with tempfile.TemporaryDirectory() as build:
            for name, commit in ((first, "aaaaaaa"), (second, "bbbbbbb")):
                with mock.patch.object(HUNT.notebook, "commit", return_value=commit):
                    HUNT.publish(build, {name: "seed 5001 (2 of 9): fifo"}, 1)
            with open(os.path.join(build, "reliability", "mutants.json"), encoding="utf-8") as f:
                out = json.load(f)
        self.assertEqual(out["commits"], {first: "aaaaaaa", second: "bbbbbbb"})
        self.assertEqual((out["what"]["hunted"], out["what"]["caught"], out["what"]["worlds"]), (2, 2, 4))


if __name__ == "__main__":
    unittest.main()
