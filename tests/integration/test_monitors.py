"""Three monitors written from the documents alone, one in C on the library, one in Python on pyzmq and msgpack, one in a shell with jq, tell the
same, and the truth, though they begin at different moments and the broker is killed under them."""
import os
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402

FORM = {"title": "Echo", "fields": [{"name": "loud", "type": "short_answer"}]}
MONITORS = os.path.join(TOP, "tests", "monitors")


class Monitors(harness.Case):
    def begin(self):
        self.broker = self.world.broker()
        self.client = wire.Client(self.broker.endpoints["clients"])
        self.agent = wire.Agent(self.broker.endpoints["agents"], "nairobi")
        self.addCleanup(self.client.close)
        self.addCleanup(self.agent.close)
        self.client.request("line_apply", definition={"line": "echo", "input": [{"name": "text", "type": "text"}],
                                                      "stations": [{"name": "say", "type": "work", "form": FORM}]})
        self.runs = {name: self.client.request("run_start", line="echo", name=name)["run_id"] for name in ("first", "second")}
        self.agent.hello()
        self.agent.roster([{"name": "ann", "kind": 0, "capacity": 99, "skills": []}])

    def do(self, run, units):
        self.client.request("put", run_id=self.runs[run], rows=[["x"]] * units)
        self.agent.credit({"ann": units})
        for a in self.agent.assignments(units):
            self.agent.submit([self.agent.result(a, ["y"])])

    def crash(self):
        self.broker.kill()
        self.broker.start()
        self.agent.hello()

    def start(self, *argv):
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.world.env())
        self.addCleanup(lambda: (child.poll() is None and child.kill(), child.communicate()))
        return child

    def told(self, child):
        out, err = child.communicate(timeout=30)
        self.assertEqual((child.returncode, err), (0, ""))
        return out

    def watch(self, units, *stream):
        e = self.broker.endpoints
        return [self.start(harness.program("examples/monitor"), e["clients"], str(units), *stream),
                self.start(harness.PYTHON, os.path.join(MONITORS, "monitor.py"), e["clients"], e["events"], str(units), *stream)]

    def jq(self, *stream):
        if not shutil.which("jq"):
            self.skipTest("jq is not there: install Debian's package jq")
        env = self.world.env()
        env["PATH"] = harness.BUILD + os.pathsep + env["PATH"]
        return subprocess.run([os.path.join(MONITORS, "monitor.sh"), self.broker.endpoints["clients"], *stream], capture_output=True, text=True, env=env,
                              check=True).stdout

    def test_all_three_tell_the_truth(self):
        self.begin()
        early = self.watch(90)
        self.do("first", 20)
        self.do("second", 15)
        late = self.watch(90)
        self.crash()
        self.do("first", 30)
        self.crash()
        self.do("second", 25)
        truth = "".join("run %d: %d done\n" % (n, self.client.request("run_get", run=name)["run"][0]["done"]) for name, n in self.runs.items())
        self.assertEqual(truth, "run 1: 50 done\nrun 2: 40 done\n")
        for child in early + late:
            self.assertEqual(self.told(child), truth)
        self.assertEqual(self.jq(), truth)

    def test_of_one_run_they_tell_that_run(self):
        self.begin()
        watching = self.watch(40, "run/second")
        self.do("second", 15)
        self.do("first", 20)
        self.crash()
        self.do("second", 25)
        for child in watching:
            self.assertEqual(self.told(child), "run 2: 40 done\n")
        self.assertEqual(self.jq("run/second"), "run 2: 40 done\n")


if __name__ == "__main__":
    import unittest
    unittest.main()
