"""The C examples of client/examples, as somebody would use them: a producer, a robot and a watcher against a real broker and hub."""
import csv
import io
import os
import signal
import subprocess
import sys

ALONE = False  # tests/run

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402

LINE = """
line: words
input:
  - {name: text, type: text, required: true}
stations:
  - name: count
    worker: {kind: robot, skills: {counting: 1}}
    form:
      fields:
        - {name: words, type: number, required: true}
        - {name: letters, type: number, required: true}
"""
HUB = """
hub: nairobi
zone: Africa/Nairobi
broker: "{agents}"
data: "{data}"
robots:
  - id: counter
    skills: {counting: 1}
    runner: coprocess
    command: ["{build}/examples/robot", "text"]
    capacity: 64
"""


class Examples(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.world.broker()
        self.world.sunline("line", "apply", self.world.write("words.yml", LINE))

    def example(self, name, *args, input=None, status=0):
        done = subprocess.run([harness.program("examples/" + name), *args], input=input, capture_output=True, text=True, timeout=60,
                              env=self.world.env(), cwd=self.world.dir, check=False)
        self.assertEqual(done.returncode, status, f"{name} {args}: {done.stdout}\n{done.stderr}")
        return done

    def start(self, name, *args, stdin):
        child = harness.Daemon(self.world, name, [harness.program("examples/" + name), *args])
        with open(stdin, "rb") as f:
            child.child = subprocess.Popen(child.argv, stdin=f, env=self.world.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        child.expected_end = True
        child.log_path = os.devnull
        self.world.daemons.append(child)
        return child

    def output(self, run, *args):
        return list(csv.DictReader(io.StringIO(self.world.sunline("run", "output", run, "--format", "csv", *args).out)))

    def test_lines_go_in_and_counts_come_out(self):
        self.world.agent("nairobi", HUB)
        done = self.example("producer", "words", "monday", input="".join(f"line {i} of some\n" for i in range(500)))
        self.assertIn("500 units", done.stdout)
        done = self.example("watcher", "--events", "monday")
        self.assertIn("run monday is done", done.stdout)
        self.assertIn(" RUN_STARTED", done.stdout)
        self.assertIn(" UNITS_DONE", done.stdout)
        rows = self.output("monday")
        self.assertEqual([r["text"] for r in rows], [f"line {i} of some" for i in range(500)])
        self.assertEqual({(r["count.words"], r["count.letters"]) for r in rows}, {("4", "10")})

    def test_csv_goes_in_with_its_names_and_quoted_lines(self):
        text = '\ufefftext\r\n"two\nlines, ""quoted"""\r\nnaïve café\r\n'
        self.assertIn("2 units", self.example("producer", "--csv", "words", "r", input=text).stdout)
        self.world.agent("nairobi", HUB)
        self.example("watcher", "r")
        rows = self.output("r")
        self.assertEqual([r["text"] for r in rows], ['two\nlines, "quoted"', "naïve café"])
        self.assertEqual([(r["count.words"], r["count.letters"]) for r in rows], [("3", "14"), ("2", "9")])

    def test_what_is_wrong_is_said(self):
        self.assertIn("no input field 'nope'", self.example("producer", "--csv", "words", "r", input="nope\na\n", status=1).stderr)
        self.assertIn("NOT_FOUND", self.example("producer", "other", "r2", input="a\n", status=1).stderr)
        self.assertIn("quoted", self.example("producer", "--csv", "words", "r3", input='text\n"a\n', status=1).stderr)
        self.assertIn("NOT_FOUND", self.example("watcher", "unknown", status=1).stderr)
        self.assertIn("usage", self.example("producer", status=2).stderr)
        self.example("robot", input="not json\n", status=1)

    def test_a_cancelled_run_ends_the_watch(self):
        self.example("producer", "--keep-open", "words", "r", input="a\n")
        self.world.sunline("run", "cancel", "r")
        self.assertIn("was cancelled", self.example("watcher", "r", status=1).stdout)

    def test_a_producer_broken_off_anywhere_leaves_each_line_once(self):
        count = 300000
        path = self.world.write("many.txt", "".join(f"{i}\n" for i in range(count)))
        killed = 0
        for _ in range(100):
            before = self.units()
            child = self.start("producer", "words", "r", stdin=path)
            # In the middle, wherever that is: when some more units are there, or when it was quicker than us.
            self.world.wait(lambda: not child.running() or self.units() > before, 30, "units to come in")
            if not child.running():
                self.assertEqual(child.child.returncode, 0)
                break
            child.kill()
            killed += 1
            if killed == 2:  # the broker, too
                self.broker.kill()
                self.broker.start()
            if killed == 4:
                with open(path, encoding="utf-8") as f:
                    self.example("producer", "words", "r", input=f.read())
                break
        self.assertEqual(self.units(), count)
        self.assertGreater(killed, 0, "nothing was broken off: the input is too small for this machine")
        self.assertEqual([r["text"] for r in self.output("r", "--all")], [str(i) for i in range(count)])

    def test_a_producer_outlives_a_broker_that_is_killed(self):
        count = 200000
        path = self.world.write("many.txt", "".join(f"{i}\n" for i in range(count)))
        child = self.start("producer", "words", "r", stdin=path)
        self.world.wait(lambda: self.units() > 0 or not child.running(), 30, "units to come in")
        self.broker.kill()
        self.broker.start()
        self.assertEqual(child.wait_end(60), 0)
        self.assertEqual(self.units(), count)

    def test_an_interrupted_watcher_leaves_the_run_alone(self):
        self.example("producer", "words", "r", input="a\n")
        child = subprocess.Popen([harness.program("examples/watcher"), "r"], env=self.world.env(), stdout=subprocess.PIPE, text=True,
                                 stderr=subprocess.PIPE)
        self.assertIn("0 of 1", child.stdout.readline())
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=20)
        self.assertEqual(child.returncode, 1)
        self.assertIn("interrupted", err)

    def units(self):
        shown = self.world.sunline("--json", "run", "show", "r", status=None)
        return shown.json()["units"] if shown.status == 0 else 0
