#!/usr/bin/python3
"""How worlds are run and told: shrinking, stories, recorded hours, figures. The simulator is a fake one here that fails as it is told to."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN = os.path.join(TOP, "tests", "sim", "run")

# Fails with 5 rows and more, in 3 hours and more, with the network's faults: with a verdict, or by a signal.
FAKE = """#!/usr/bin/python3
import os, sys
args = sys.argv[1:]
number = lambda key, otherwise: int(args[args.index(key) + 1]) if key in args else otherwise
bad = number("--rows", 200) >= 5 and number("--hours", 30) >= 3 and "net" not in args
trace = "--trace" in args
if trace:
    for i in range(100):
        print("line", i)
    print("assigned run 3 unit 7 station 1 assignment 44")
    print("about somebody else")
    print("started assignment 44")
    if bad and not CRASHES:
        print("VERDICT unfinished: something is left")
        print("VERDICT lost: run 3 unit 7: row 1 was acknowledged, and is not there")
if bad and CRASHES:
    sys.stdout.flush()
    os.abort()
print("seed", number("--seed", 1), "FAILED" if bad else "ok", "hash 0123456789abcdef hours", number("--hours", 30), VERSION)
if bad:
    print("  lost: 1, first: run 3 unit 7: row 1 was acknowledged, and is not there")
sys.exit(bad)
"""


class Worlds(unittest.TestCase):
    def setUp(self):
        self.build = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.build)

    def fake(self, crashes=False, version="kept 1"):
        path = os.path.join(self.build, "sunline-sim")
        with open(path, "w", encoding="utf-8") as f:
            f.write(FAKE.replace("CRASHES", str(crashes)).replace("VERSION", repr(version)))
        os.chmod(path, 0o755)

    def run_it(self, *args):
        return subprocess.run([sys.executable, "-B", RUN, "--build", self.build, *args], capture_output=True, text=True, timeout=120, check=False)

    def shrunk(self):
        text = self.run_it("--seed", "9", "--shrink").stdout
        smallest = re.search(r"^smallest: (.*)$", text, re.M)[1]
        return smallest, text

    def test_a_failing_world_shrinks_to_what_it_needs_and_tells_the_story_of_its_unit(self):
        self.fake()
        smallest, text = self.shrunk()
        for needed in ("--seed 9", "--hours 3", "--rows 5", "--runs 1", "--hubs 1", "--lines 1", "--no agents", "--no broker", "--no operator", "--no people",
                       "--no copies", "--no reviews", "--trace"):
            self.assertRegex(smallest, needed + r"\b")
        self.assertNotIn("--no net", smallest)
        story = text[text.index("the story of run 3 unit 7:"):].splitlines()[1:]
        self.assertEqual([line.split()[0] for line in story], ["assigned", "started", "VERDICT"])

    def test_of_a_crash_the_end_of_the_story_is_told(self):
        self.fake(crashes=True)
        smallest, text = self.shrunk()
        self.assertIn("--rows 5", smallest)
        self.assertIn("fails: crash", text)
        end = text[text.index("it ends without a verdict; the end of its story:"):].splitlines()
        self.assertIn("started assignment 44", end)
        self.assertEqual(len(end), 41)

    def test_a_world_that_does_not_fail_is_not_shrunk(self):
        self.fake()
        done = self.run_it("--seed", "9", "--no", "net", "--shrink")
        self.assertEqual((done.returncode, done.stdout), (1, "this world does not fail\n"))


if __name__ == "__main__":
    unittest.main()
