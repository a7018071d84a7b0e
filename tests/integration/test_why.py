"""Each reason for which a worker who has credit gets no work, over the wire and at the command line: its number, its name, and the words that say what to do."""
import os
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402

FORM = {"fields": [{"name": "answer", "type": "short_answer"}]}
LINE = {"line": "letters", "input": [{"name": "text", "type": "text"}], "stations": [
    {"name": "write", "type": "work", "worker": {"kind": "human", "skills": {"english": 2}}, "form": FORM},
    {"name": "read", "type": "work", "worker": {"skills": {"english": 2}, "not_who_did": ["write"]}, "form": FORM}]}


class Why(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.world.broker()
        self.client = wire.Client(self.broker.endpoints["clients"])
        self.addCleanup(self.client.close)
        self.client.request("line_apply", definition=LINE)
        self.run_id = self.client.request("run_start", line="letters", name="r")["run_id"]
        self.hub = wire.Agent(self.broker.endpoints["agents"], "nairobi")
        self.addCleanup(self.hub.close)
        self.hub.hello()
        self.hub.shifts({"later": [(self.in_s(3600), self.in_s(7200))], "soon-over": [(self.in_s(-3600), self.in_s(60))]})
        rows = {"njeri": ([("english", 2)], None), "otieno": ([("swahili", 5)], None), "kamau": ([("english", 1)], None),
                "wanjiru": ([("english", 3)], "later"), "achieng": ([("english", 3)], "soon-over"), "joy": ([("english", 2)], None)}
        self.hub.roster([{"name": name, "kind": 0, "capacity": 9, "skills": [{"name": n, "level": level} for n, level in skills],
                          **({"shift": shift} if shift else {})} for name, (skills, shift) in rows.items()])
        self.credit = set()

    @staticmethod
    def in_s(s):
        return time.time_ns() // 1000 + s * 1000000

    def put(self, n=1):
        self.client.request("put", run_id=self.run_id, rows=[["a"]] * n)

    def expect(self, worker, code, name, text):
        """The agent is told this of its worker, who has credit for one task; so is who asks at the command line."""
        if worker not in self.credit:
            self.hub.credit({worker: 1})
            self.credit.add(worker)
            self.hub.heartbeat()
        self.assertEqual([a for a in self.hub.pushed if a["worker"] == self.hub.workers[worker]], [])
        told = self.hub.request("why_get", session=self.hub.session, worker=self.hub.workers[worker])
        self.assertEqual(told["code"], code, told)
        self.assertRegex(told["text"], text)
        shown = self.world.sunline("--json", "worker", "why", worker).json()
        self.assertEqual((shown["why"], shown["text"]), (name, told["text"]))
        self.assertIn(told["text"], self.world.sunline("worker", "why", worker).out)

    def test_nothing_is_queued(self):
        self.expect("njeri", 1, "NOTHING_QUEUED", "^nothing is queued$")

    def test_a_skill_is_missing_and_which(self):
        self.put()
        self.expect("otieno", 2, "SKILL_MISSING", "station write.*english")

    def test_a_level_is_too_low_and_which(self):
        self.put()
        self.expect("kamau", 3, "LEVEL_TOO_LOW", "^station write asks for level 2 of english, this worker has 1$")

    def test_suspended_and_where(self):
        self.put()
        self.world.sunline("worker", "suspend", "njeri", "letters/write", "--reason", "three complaints")
        self.expect("njeri", 17, "SUSPENDED", "suspended at station write: three complaints")

    def test_all_that_is_there_is_his_own(self):
        self.put()
        self.hub.credit({"njeri": 1})
        (task,) = self.hub.assignments(1)
        self.assertEqual(self.hub.submit([self.hub.result(task, ["x"])])["ok"], 1)
        self.expect("njeri", 22, "OWN_WORK", "station read: all that is ready builds upon this worker's own work")
        self.hub.credit({"joy": 1})
        self.assertEqual(self.hub.assignments(1)[0]["worker"], self.hub.workers["joy"], "who did not write it reads it")

    def test_off_shift_and_until_when(self):
        self.put()
        self.expect("wanjiru", 8, "OFF_SHIFT", r"^off shift until 20\d\d-\d\d-\d\d \d\d:\d\d UTC \(shift later\)$")

    def test_the_shift_ends_before_the_lease_would(self):
        self.put()
        self.expect("achieng", 9, "SHIFT_ENDS", r"^station write: a task usually takes \d+ s, the shift ends in [1-6]?\d s$")

    def test_a_station_is_paused_and_which(self):
        self.put()
        self.world.sunline("station", "pause", "letters/write")
        self.expect("njeri", 4, "PAUSED", "^station write is paused$")


if __name__ == "__main__":
    harness.unittest.main()
