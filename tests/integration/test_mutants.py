#!/usr/bin/python3
"""Planted bugs: the patches themselves. That the simulator finds each of them is `make mutants`."""
import glob
import os
import subprocess
import sys
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MUTANTS = os.path.join(TOP, "tests", "sim", "mutants")


class Mutants(unittest.TestCase):
    def test_every_planted_bug_still_applies_to_the_tree(self):
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


if __name__ == "__main__":
    unittest.main()
