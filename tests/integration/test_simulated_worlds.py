#!/usr/bin/python3
"""How worlds are run and told: shrinking, stories, recorded hours, figures. The simulator is a fake one here that fails as it is told to, but for the story of a branch."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

ALONE = False  # tests/run
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", "lib")]
from scripts import program  # noqa: E402

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
print("seed", number("--seed", 1), "FAILED" if bad else "ok", "hash 0123456789abcdef hours", number("--hours", 30), "units 1 version VERSION")
if bad:
    print("  lost: 1, first: run 3 unit 7: row 1 was acknowledged, and is not there")
sys.exit(bad)
"""


HUNT = program("sim", "mutants", "run")


class Hunts(unittest.TestCase):
    """What finds a planted bug: tests/sim/mutants/run."""

    def world(self, script):
        with tempfile.TemporaryDirectory() as tree:
            path = os.path.join(tree, "build", "sunline-sim")
            os.mkdir(os.path.dirname(path))
            with open(path, "w", encoding="utf-8") as f:
                f.write("#!/bin/sh\n" + script)
            os.chmod(path, 0o755)
            return HUNT.world(tree, 1)

    def test_a_world_that_fails_finds_by_its_verdicts(self):
        self.assertIsNone(self.world("exit 0"))
        self.assertEqual(self.world("echo 'seed 1 FAILED'; echo '  lost: 2, first: run 1'; echo '  counters: 1, first: x'; echo '  again: it'; exit 1"), "lost, counters")
        self.assertEqual(self.world("echo '  broken: a frame'; exit 1"), "broken")
        self.assertEqual(self.world("echo '  broken: a frame'; echo '  lost: 1, first: run 1'; exit 1"), "lost, broken", "the verdict was first: what is broken ends the world")
        self.assertEqual(self.world("echo '  broken: over a damaged store (a bit is turned): verdict lost: run 3 unit 7; its story: x'; exit 1"), "lost", "the checker's, in a branch")
        self.assertEqual(self.world("echo '  broken: over a damaged store (a bit is turned): the world ended by signal 11; its story: x'; exit 1"), "broken")
        self.assertEqual(self.world("kill -6 $$"), "crash")

    def test_a_simulator_that_does_not_run_finds_nothing(self):
        for script in ("echo usage; exit 2", "exit 1"):
            with self.assertRaises(HUNT.NoWorld):
                self.world(script)

    def test_what_found_them_is_counted(self):
        told = {"a": "seed 5000 (1 of 5): lost, counters", "b": "seed 5001 (2 of 5): lost", "c": "seed 5000 (1 of 5): broken", "d": "seed 5000 (1 of 5): stands still",
                "e": "not found by 5 worlds"}
        self.assertEqual(program("figures").by_what(told), [("lost", 2, 2), ("broken", 1, 0), ("stands still", 1, 0)])
        told["c"] += "; seed 5003 (4 of 5): fifo, lost"
        self.assertEqual(program("figures").by_what(told), [("lost", 2, 2), ("broken", 1, 0), ("stands still", 1, 0), ("fifo", 0, 1)])


class Faults(unittest.TestCase):
    """What befell the worlds: counted in sim.h and net.c, told by main.c, published by tests/figures."""

    def text(self, name):
        with open(os.path.join(TOP, "tests", "sim", name), encoding="utf-8") as f:
            return f.read()

    def test_every_fault_that_a_world_counts_is_published_and_no_other(self):
        counted = re.findall(r"\bT\((\w+)\)", re.search(r"#define TALLIES\(T\)((?:.*\\\n)+.*)", self.text("sim.h"))[1])
        self.assertGreater(len(counted), 40)
        of_frames = {"lost": "lost", "replayed": "doubled", "late_frames": "late", "overtaken": "overtaken"}
        told = self.text("main.c")
        for word, field in of_frames.items():
            self.assertRegex(told, rf'\b{word} %" PRIu64')
            self.assertRegex(told, rf"s->net\.{field}\b")
        published = [k for _, keys in program("figures").FAULTS for k in keys]
        self.assertEqual(sorted(published), sorted([*counted, *of_frames]))

    def test_a_fault_that_no_world_tells_is_an_error(self):
        figures = program("figures")
        what = {k: 1 for _, keys in figures.FAULTS for k in keys}
        self.assertEqual(len(figures.faults({"what": what})), len(figures.FAULTS) + 2)
        del what["restores"]
        with self.assertRaisesRegex(SystemExit, "restores"):
            figures.faults({"what": what})

    def test_each_seed_that_the_document_names_is_simulated_again(self):
        with open(os.path.join(TOP, "docs", "reliability.md"), encoding="utf-8") as f:
            rows = [line.split("|")[2] for line in f if line.startswith("| ") and line.count("|") == 4]
        named = {seed for row in rows for seed in re.findall(r"\d{4,}", row) if re.search(r"\bseeds? ", row)}
        past = {options[options.index("--seed") + 1] for options in program("sim/run").past_seeds() if "--seed" in options}
        self.assertGreater(len(named), 5)
        self.assertLessEqual(named, past)

    def test_what_the_judge_found_is_a_number_for_each_kind_and_counted_in_every_world(self):
        figures = program("figures")
        verdicts = re.findall(r"= \"(\w+)\",", re.search(r"verdict_name\(.*?\n}", self.text("checker.c"), re.DOTALL)[0])
        self.assertGreater(len(verdicts), 15)
        self.assertLess({v for _, of in figures.JUDGED for v in of}, set(verdicts))
        self.assertIn('printf(" verdict_%s %" PRIu64, verdict_name(v), checker_count(s->checker, v));', self.text("main.c"))
        what = {k: 5 for k in ("rows_acked", "results", "late", "worlds", "hours", "units", "recovered", "assignments", "events", "frames", "commits", "crashes", "idle_judged")}
        what.update({"failed": 1, "drained_min_most": 90, "drained_min": 150 * 60}, **{"verdict_" + v: n for n, v in enumerate(verdicts)})
        f = {"what": what, "command": "x", "seconds": 1, "machine": "y"}
        table = figures.sim(f)
        n = {v: what["verdict_" + v] for v in verdicts}
        self.assertIn(f"| lost, double, phantom, of rows and results acknowledged | {n['lost']}, {n['duplicated'] + n['double_accept'] + n['given_twice']}, {n['unexpected']} of 15 |", table)
        self.assertIn("| the longest time until all was at its end, when the faults were over; these times of all worlds, which are among the hours | 1.5 h; 150 h |", table)
        del what["verdict_given_twice"]
        with self.assertRaisesRegex(SystemExit, "verdict_given_twice"):
            figures.sim(f)

    def test_a_part_that_was_not_measured_keeps_its_table_and_one_that_was_gets_its_own(self):
        figures = program("figures")
        part = {"what": {"points": 3}, "command": "x", "commit": "new", "seconds": 1}
        old = "**crash**, of old: `x`, 1 s.\n\n| figure | |\n|---|---|\n| points | 2 |\n\n**storm**, of old: `y`, 1 s.\n\n| figure | |\n|---|---|\n| kills | 7 |\n"
        self.assertEqual("\n".join(figures.others({"crash": part}, (), old)), old.replace("of old: `x`", "of new: `x`").replace("points | 2", "points | 3"))

    def test_the_kinds_of_a_thing_are_one_row_and_a_seed_has_no_commas(self):
        part = {"what": {"what": "agent", "seed": 20261127, "kinds write": 1000, "points": 9, "points below the end": "3 of 3", "links: cut up": 1, "kinds fsync": 2, "links: cut down": 5,
                         "to settle a": 1, "to settle a b": 2}, "command": "x", "commit": "c", "seconds": 1}
        self.assertEqual(program("figures").part_of(part)[4:], ["| seed | 20261127 |", "| kinds | write 1,000; fsync 2 |", "| points | 9 |", "| points below the end | 3 of 3 |",
                                                               "| links: cut | up 1; down 5 |", "| to settle | a 1; a b 2 |"])

    def test_what_both_judges_found_is_added_up_over_the_parts_that_tell_it(self):
        figures = program("figures")
        found = {"units": 1200, "results": 2400, "lost": 1, "double": 0, "phantom": 2}
        parts = {"crash": {"what": {**found, "refused: lost": 9}, "command": "x", "commit": "c", "seconds": 1}, "memory": {"what": {"units": 9, "results": 9}, "command": "x", "commit": "c", "seconds": 1},
                 "storm": {"what": {"rounds": 3, **found}, "command": "x", "commit": "c", "seconds": 1}}
        told = figures.others(parts, (), "")
        self.assertEqual(told[-9:], ["**both judges**: the figures of crash, storm, added up.", "", "| figure | |", "|---|---|", "| units | 2,400 |", "| results | 4,800 |", "| lost | 2 |",
                                     "| double | 0 |", "| phantom | 4 |"])
        del parts["crash"], parts["storm"]
        self.assertNotIn("judges", "\n".join(figures.others(parts, (), "\n".join(told[-9:]))), "nobody tells it any more")

    def test_what_is_below_what_is_demanded_is_named_and_the_page_that_is_here_is_not_read_past_it(self):
        figures = program("figures")
        with open(os.path.join(TOP, "docs", "reliability.md"), encoding="utf-8") as f:
            page = f.read()

        def below(*changes):
            changed = page
            for old, new in changes:
                self.assertRegex(changed, old)
                changed = re.sub(old, new, changed, count=1)
            return set(figures.below(changed)) - set(figures.below(page))
        for change, said in (((r"(?<=\| worlds; simulated hours \| )[^|]*", "9, none failed; 9,999 "), "worlds, simulated hours: 9999.0, demanded: 10000"),
                             ((r"(?<=\| worlds; simulated hours \| )([\d,]+), none failed", r"\g<1>, 3 failed"), "worlds: | worlds; simulated hours | "),
                             ((r"(?<=of rows and results acknowledged \| )0, 0, 0", "0, 1, 0"), "worlds, double: 1.0, demanded: 0"),
                             ((r"(?<=\| kills \| )[\d,]+", "1,999"), "storm, kills: 1999.0, demanded: 2000"),
                             ((r"(?<=\| points below the end \| crashed at )(\d+) of (\d+)", "1 of 2"), "crash-agent, points below the end: [1.0, 2.0], demanded: all"),
                             ((r"(?<=\| store \| )(reached .*percent )[\d.]+", r"\g<1>94.9"), "coverage, store: 94.9, demanded: 95"),
                             ((r"(\*\*damage\*\*(?:.*\n)*?\| bad \| )0", r"\g<1>2"), "damage, bad: 2.0, demanded: 0"),
                             ((r"\*\*storm\*\*, of", "**tempest**, of"), "storm, kills: not there, demanded: 2000"),
                             ((r"\*\*\d+ of \d+\*\* planted bugs", "**7 of 9** planted bugs"), "mutants found: [7, 9], demanded: all")):
            self.assertTrue(any(text.startswith(said) for text in below(change)), said)

    def test_a_part_that_was_never_measured_is_named_with_what_makes_it(self):
        figures = program("figures")
        self.assertEqual(figures.unmeasured("<!-- figures: processes -->\n" + "".join(f"**{p}**, of c: `x`, 1 s.\n\n" for p in figures.PARTS if p != "compilers") + "<!-- end -->"),
                         ["compilers (make compilers)"])
        for part in program("torture", "run").PARTS:
            self.assertTrue(any(p.split("-")[0] == part for p in figures.PARTS), part)

    PAGE = """<!-- figures: program -->
<!-- end -->
<!-- figures: sim -->
`x`, 1 h of worlds on a machine. Commits: aaaaaaa: 1,000 hours, seeds 1 to 9; bbbbbbb: 2.5 hours, seeds 10 to 11.

<!-- end -->
<!-- figures: mutants -->
`make mutants`, commits aaaaaaa (107), ccccccc (3), seeds from 5000 on, 51 min: **110 of 110** found, deadbeef or not.
<!-- end -->
<!-- figures: processes -->
**crash-agent**, of aaaaaaa: `x`, 3 min on a machine (R), Linux.

| figure | |
|---|---|
| seed | 20261127 |

**storm**, of bbbbbbb-dirty: `y`, 1 s.

| figure | |
|---|---|
| kills | 7 |

**both judges**: the figures of storm, added up.
<!-- end -->
"""

    def test_what_was_measured_of_another_program_than_the_one_that_is_here_is_told(self):
        figures, asked = program("figures"), set()

        def alike(commit, paths):
            asked.add((commit, paths))
            return commit in here
        with unittest.mock.patch.object(figures.commits, "alike", alike):
            for here, now, before in (({"aaaaaaa"}, "crash-agent", "worlds (bbbbbbb), mutants (ccccccc), storm (bbbbbbb-dirty)"),
                                      ({"aaaaaaa", "bbbbbbb", "ccccccc", "bbbbbbb-dirty"}, "worlds, mutants, crash-agent, storm", "none"),
                                      ((), "none", "worlds (aaaaaaa, bbbbbbb), mutants (aaaaaaa, ccccccc), crash-agent (aaaaaaa), storm (bbbbbbb-dirty)")):
                told = figures.program(self.PAGE)
                self.assertEqual(told[0], f"Of the program that is here: {now}.")
                self.assertTrue(told[1].endswith(f": {before}."), told[1])
                self.assertIn("compilers (make compilers), coverage (make coverage), ", told[2])
        self.assertEqual(asked, {(commit, ("broker", "proto", "worker-agent")) for commit in ("aaaaaaa", "bbbbbbb", "ccccccc", "bbbbbbb-dirty")})

    def test_the_page_has_a_place_for_each_table_and_all_that_it_tells_is_of_some_commit(self):
        figures = program("figures")
        with open(figures.PAGE, encoding="utf-8") as f:
            page = f.read()
        for name in ("program", "sim", "faults", "mutants", "processes"):
            self.assertIn(f"<!-- figures: {name} -->\n", page)
        told = figures.commits_of(page)
        self.assertLess({"worlds", "mutants", "crash-broker", "storm", "coverage"}, told.keys())
        self.assertEqual([part for part, of in told.items() if not of], [])
        self.assertEqual(told.keys() - {"worlds", "mutants"} - figures.PARTS.keys(), set(), "what makes each is known")


class WhichTestShowsWhat(unittest.TestCase):
    """The table of docs/reliability.md with a row for each fault."""

    def rows(self):
        with open(os.path.join(TOP, "docs", "reliability.md"), encoding="utf-8") as f:
            table = f.read().split("\n## Which test shows what\n")[1].split("\n## ")[0]
        return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines() if line.startswith("| ")][1:]

    def test_every_file_and_every_test_that_is_named_there_exists(self):
        files = 0
        for fault, _, shown in self.rows():
            text = ""
            for name in re.findall(r"`([^`]+)`", shown):
                with self.subTest(fault=fault, name=name):
                    if "/" in name or name == "alloc_sites":
                        files += 1
                        with open(os.path.join(TOP, "tests", name), encoding="utf-8") as f:
                            text = f.read()
                    else:
                        self.assertRegex(text, rf"(?m)^ *(static void|def) {name}\(", "in the file that is named before it")
        self.assertGreater(files, 70)

    def test_each_fault_has_a_test_or_is_said_not_to_have_one_yet(self):
        rows = self.rows()
        self.assertEqual((len(rows), len({fault for fault, _, _ in rows})), (29, 29))
        for fault, seen, shown in rows:
            with self.subTest(fault):
                self.assertGreater(len(seen), 10)
                self.assertRegex(shown, r"`\w+/[\w.]+`|not yet")


class Worlds(unittest.TestCase):
    def setUp(self):
        self.build = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.build)

    def fake(self, crashes=False):
        self.write(FAKE.replace("CRASHES", str(crashes)), version="1")

    def write(self, text, version):
        path = os.path.join(self.build, "sunline-sim")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("CRASHES", "False").replace("VERSION", version))
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
                       *(f"--no {what}" for what in program("sim", "run").WITHOUT if what != "net"), "--trace"):
            self.assertRegex(smallest, needed + r"\b")
        self.assertNotIn("--no net", smallest)
        story = text[text.index("the story of run 3 unit 7:"):].splitlines()[1:]
        self.assertEqual([line.split()[0] for line in story], ["assigned", "started", "VERDICT"])

    def test_what_shrinking_takes_away_is_all_that_the_simulator_can_leave_out(self):
        sim = os.path.join(os.environ["SUNLINE_BUILD"], "sunline-sim")
        usage = subprocess.run([sim, "--no", "such"], capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(usage.returncode, 2, "a word that is none leaves nothing out")
        self.assertEqual(tuple(re.search(r"WHAT: (.*)", usage.stderr)[1].split()), program("sim", "run").WITHOUT)

    # A real world in which something is called wrong: it needs what is counted so.
    INJECTED = """#!/bin/sh
out=$(REAL "$@"); status=$?
echo "$out"
if echo "$out" | grep -q '^seed .* takeovers [1-9]' && echo "$out" | grep -q '^seed .* links_cut_both_ways [1-9]'; then
    echo "  lost: 1, first: run 1 unit 1: it was called so"
    exit 1
fi
exit $status
"""

    def test_a_real_world_shrinks_to_what_it_needs(self):
        real = os.path.abspath(os.path.join(os.environ["SUNLINE_BUILD"], "sunline-sim"))
        self.write(self.INJECTED.replace("REAL", real), version="1")
        small = ["--hours", "6", "--hubs", "4", "--runs", "2", "--rows", "30"]
        seed = next(seed for seed in range(12, 200) if subprocess.run([os.path.join(self.build, "sunline-sim"), "--seed", str(seed), *small], capture_output=True, timeout=60, check=False).returncode)
        text = self.run_it("--seed", str(seed), *small, "--shrink").stdout
        smallest = re.search(r"^smallest: \S+ (.*) --trace$", text, re.M)[1].split()
        left_out = {smallest[i + 1] for i, word in enumerate(smallest) if word == "--no"}
        self.assertEqual(left_out & {"net", "agents", "twins"}, set(), "what it needs")
        self.assertGreater(len(left_out), 10)
        self.assertLess(sum(int(word) for word in smallest[2:] if word.isdigit()), 6 + 4 + 2 + 30)
        told = subprocess.run([real, *smallest], capture_output=True, text=True, timeout=60, check=True).stdout
        figures = {k: int(v) for k, v in re.findall(r"(\w+) (\d+)\b", told)}
        self.assertGreater(min(figures["takeovers"], figures["links_cut_both_ways"]), 0)
        for left, gone in (("broker", "crashes"), ("operator", "operator_acts"), ("restores", "restores"), ("damage", "damaged_stores"), ("beside", "batches_beside")):
            if left in left_out:
                self.assertEqual(figures[gone], 0, gone)

    def test_of_a_crash_the_end_of_the_story_is_told(self):
        self.fake(crashes=True)
        smallest, text = self.shrunk()
        self.assertIn("--rows 5", smallest)
        self.assertIn("fails: crash", text)
        end = text[text.index("it ends without a verdict; the end of its story:"):].splitlines()
        self.assertIn("started assignment 44", end)
        self.assertEqual(len(end), 41)

    def recorded(self, hours, *args):
        done = self.run_it("--first", "70", "--hours-total", str(hours), "--record", "long", *args)
        self.assertNotIn("Traceback", done.stderr)
        with open(os.path.join(self.build, "reliability", "long.json"), encoding="utf-8") as f:
            return json.load(f)["what"]

    def test_recorded_worlds_count_for_the_program_that_simulated_them(self):
        good = FAKE.replace('"net" not in args', "False")
        self.write(good, version="1")
        self.assertEqual([self.recorded(hours)["worlds"] for hours in (60, 120)], [2, 4], "it goes on where it was broken off")
        self.write(good, version="2")
        self.assertEqual(self.recorded(60)["worlds"], 2, "another program begins anew")

    def test_a_world_that_failed_under_another_program_is_run_again(self):
        self.fake()
        self.assertEqual(self.recorded(30)["failed"], 1)
        self.write(FAKE.replace('"net" not in args', "False"), version="2")
        again = self.recorded(30)
        self.assertEqual((again["worlds"], again["failed"], again["mended"]), (1, 0, 1))

    def test_of_a_failure_over_a_damaged_store_the_story_of_its_branch_is_told(self):
        self.write("""#!/usr/bin/python3
import sys
if "--trace" in sys.argv:
    print("assigned run 3 unit 7 station 1 assignment 44")
    if sys.argv[-2:] == ["--branch", "2"]:
        print("---- branch 2: the broker comes up over a store in which a bit is turned")
        print("about somebody else")
        print("started assignment 44")
        print("VERDICT lost: run 3 unit 7: row 1 was acknowledged, and is not there")
    print("BROKEN over a damaged store (a bit is turned): verdict lost: run 3 unit 7: row 1; its story: --trace --branch 2")
print("seed 9 FAILED hash 0123456789abcdef hours 1")
print("  broken: over a damaged store (a bit is turned): verdict lost: run 3 unit 7: row 1; its story: --trace --branch 2")
sys.exit(1)
""", version="1")
        smallest, text = self.shrunk()
        self.assertRegex(smallest, "--trace --branch 2$")
        story = text[text.index("the story of run 3 unit 7:"):].splitlines()[1:]
        self.assertEqual([line.split()[0] for line in story], ["assigned", "----", "started", "VERDICT"])

    def test_a_branch_over_a_damaged_store_tells_its_story_when_it_is_asked_to(self):
        options, _ = program("sim", "run").same_world()

        def story(*more):
            done = subprocess.run([os.path.join(os.environ["SUNLINE_BUILD"], "sunline-sim"), *options, "--trace", *more], capture_output=True, text=True, timeout=240, check=False)
            self.assertEqual(done.returncode, 0, done.stdout[-1000:])
            return done.stdout.splitlines()
        silent, told = story(), story("--branch", "1")
        begin, end = (next(i for i, line in enumerate(told) if re.search(text, line)) for text in ("---- branch 1: the broker comes up", "---- broker: had a store in which .*, in branch 1 "))
        self.assertGreater(end - begin, 5)
        self.assertIn("broker: is up", "\n".join(told[begin:end]))
        self.assertEqual(told[:begin] + told[end + 1:], silent[:begin] + silent[begin + 1:], "the world itself is the same")

    def test_a_failure_prints_what_replays_it_tells_its_story_and_makes_it_smaller(self):
        self.write("#!/bin/sh\necho seed $2 FAILED hash 0123456789abcdef hours 9\necho '  lost: 1, first: x'\nexit 1\n", version="1")
        text = self.run_it("--hours-total", "1", "--record", "long", "--first", "70").stdout
        sim, build = (os.path.relpath(os.path.join(self.build, name), TOP) for name in ("sunline-sim", ""))
        self.assertRegex(text, rf"(?m)^# replay: {sim} --seed 70\n# its story: {sim} --seed 70 --trace\n# smaller: tests/sim/run --build {build} --seed 70 --shrink$")
        run = program("sim", "run")
        self.assertEqual(run.replay_line(os.path.join(TOP, "build", "sunline-sim"), ["--seed", "1"]), "make sim ARGS='--seed 1'")

    def test_more_hours_are_new_ones_however_many_there_are(self):
        self.write(FAKE.replace('"net" not in args', "False"), version="1")
        self.assertEqual([self.recorded(60)["worlds"], self.recorded(60, "--more-hours", "90")["worlds"], self.recorded(60)["worlds"]], [2, 5, 5])

    def test_the_world_that_must_repeat_to_the_byte_must_have_all_that_is_to_be_shown(self):
        self.write("#!/bin/sh\necho seed 3 ok hash 0123456789abcdef hours 1 batches_beside 5 damaged_stores 0 restores 2 broker_memory_failures 1 lost_syncs 3 broker_power_cuts 2 full_disks 1 sectors_lost 9\n", version="1")
        text = self.run_it("--seconds", "0").stdout
        self.assertRegex(text, r"(?m)^not ok \d+ - in that world .*: never damaged_stores, failed_store_calls$")
        self.assertRegex(text, r"(?m)^ok \d+ - the same seed gives the same world, to the byte$")
        self.assertRegex(text, "(?m)^# .* 1 failed$")

    def test_the_world_that_must_be_the_same_everywhere_is_compared_beside_another_of_its_seed(self):
        options, befell = program("sim", "run").same_world()
        sim = "#!/bin/sh\necho seed $2 ok hash 0123456789abcdef of $# " + " ".join(f"{what} 1" for what in befell) + "\n"
        self.write(sim, version="1")
        with tempfile.TemporaryDirectory() as other:
            path = os.path.join(other, "sunline-sim")
            for change, status, said in ((("", ""), 0, "ok 2 - .* gives the same worlds"),
                                         (("of", "off"), 1, "not ok 2 - .* gives other worlds:\n(?:# .*\n)*# its story: .*/sunline-sim --seed .* --trace$"),
                                         ((" ok ", " FAILED "), 1, "not ok 2 - .* did not end well"), ((befell[-1] + " 1", befell[-1] + " 0"), 1, "not ok 2 - .* there is no " + befell[-1])):
                with open(path, "w", encoding="utf-8") as f:
                    f.write(sim.replace(*change))
                os.chmod(path, 0o755)
                done = subprocess.run([os.path.join(TOP, "tests", "sim", "compilers"), "--built", f"{self.build},{other}", options[1], "same"], capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual((done.returncode, done.stderr), (status, ""), done.stdout)
                self.assertRegex(done.stdout, "(?m)^ok 1 - .*: 2 worlds$")
                self.assertRegex(done.stdout, "(?m)^" + said)

    def test_a_world_that_does_not_fail_is_not_shrunk(self):
        self.fake()
        done = self.run_it("--seed", "9", "--no", "net", "--shrink")
        self.assertEqual((done.returncode, done.stdout), (1, "this world does not fail\n"))


if __name__ == "__main__":
    unittest.main()
