"""sunline coverage with real programs: what it draws, on a terminal and elsewhere, and what it tells programs."""
import datetime
import os
import pty
import re
import select
import time
import unittest

import harness
import sunline_wire as wire

LINE = """line: pairs
input:
  - {name: text, type: text, required: true}
stations:
  - name: judge
    worker: {kind: human, skills: {english: 2}}
    lease: 4m
    form: {fields: [{name: entails, type: radio, options: ["0", "1"], required: true}]}
  - name: check
    worker: {kind: human, skills: {english: 3}}
    lease: 8m
    when: judge.entails == "1"
    form: {fields: [{name: right, type: radio, options: ["0", "1"], required: true}]}
"""
HOUR_US = 3600 * 1000000


class Coverage(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.world.broker()
        self.now = time.time_ns() // 1000
        self.hour = self.now // HOUR_US * HOUR_US
        self.world.sunline("line", "apply", self.world.write("pairs.yml", LINE))
        self.hub("kathmandu", [(-1, 5), (23, 29), (47, 53), (71, 77)], {"asha": 3, "bina": 2, "chandra": 2})
        self.hub("nairobi", [(4, 10), (28, 34), (52, 58), (76, 82)], {"njeri": 2, "otieno": 2})
        self.world.sunline("run", "start", "pairs", "--name", "monday", "--input", self.world.write("t.csv", "text\n" + "a\n" * 60))

    def hub(self, name, spans, workers):
        agent = wire.Agent(self.broker.endpoints["agents"], name)
        self.addCleanup(agent.close)
        agent.hello()
        agent.shifts({"day": [(self.hour + a * HOUR_US, self.hour + b * HOUR_US) for a, b in spans]})
        agent.roster([{"name": w, "kind": 0, "capacity": 1, "skills": [{"name": "english", "level": level}], "shift": "day"}
                      for w, level in workers.items()])
        agent.heartbeat()

    def on_terminal(self, *args, **env):
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(env, SUNLINE_BROKER=self.broker.endpoints["clients"])
            os.execv(harness.program("sunline"), ["sunline", *args])
        shown = b""
        while True:
            if not select.select([terminal], [], [], 60)[0]:
                break
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, shown)
        return shown.decode()

    def test_it_draws_the_coming_hours_for_people(self):
        text = self.world.sunline("coverage", "pairs").out
        self.assertIn("judge  human english:2: 5 workers", text)
        self.assertIn("check  human english:3: 1 worker,", text)
        self.assertIn("60 queued", text)
        for row in ("can be done", "comes", "is there then", "nobody", "bottleneck", "monday", "not measured yet at 2 of 2 hubs"):
            self.assertIn(row, text)
        self.assertIn("x", re.search(r"can be done(.*)", text)[1])  # hours without anybody
        self.assertNotIn("\033", text)
        self.assertTrue(text.isascii())
        self.assertRegex(text, r"monday +done \w{3} \d{4}-\d\d-\d\d \d\d:\d\d UTC, in \S+ \(80%: .* to .*\)")

    def test_a_terminal_gets_blocks_and_colours(self):
        text = self.on_terminal("coverage", "pairs")
        self.assertIn("\033[32m", text)
        self.assertIn("\033[31m", text)
        self.assertRegex(text, "[▁▂▃▄▅▆▇█]")
        text = self.on_terminal("coverage", "pairs", NO_COLOR="1")
        self.assertNotIn("\033[3", text)
        self.assertRegex(text, "[▁▂▃▄▅▆▇█]")

    def test_a_week_is_a_row_a_day(self):
        text = self.world.sunline("coverage", "pairs", "--hours", "168").out
        self.assertEqual(text.count("can be done"), 2 * 7)

    def test_times_are_those_of_a_zone(self):
        utc, there = self.world.sunline("coverage", "pairs").out, self.world.sunline("coverage", "pairs", "--zone", "Asia/Kathmandu").out
        gap, gap_there = (re.search(r"nobody +(\w{3} [-0-9]+ [:0-9]+) to", t)[1] for t in (utc, there))
        at = datetime.datetime.strptime(gap, "%a %Y-%m-%d %H:%M") + datetime.timedelta(hours=5, minutes=45)
        self.assertEqual(at.strftime("%a %Y-%m-%d %H:%M"), gap_there)
        self.assertRegex(there, r"monday +done .* Asia/Kathmandu, in ")
        self.assertIn("not 'Nepal/Town'", self.world.sunline("coverage", "pairs", "--zone", "Nepal/Town", status=2).err)

    def test_programs_get_all_numbers(self):
        told = self.world.sunline("--json", "coverage", "pairs").json()
        judge, check = told["stations"]
        self.assertEqual((judge["station"], judge["needs"], judge["workers"], judge["queued"]), ("judge", "human english:2", 5, 60))
        self.assertEqual([len(s["hours"]) for s in told["stations"]], [24, 24])
        self.assertEqual(judge["hours"][0]["from_wall_us"], self.hour)
        self.assertAlmostEqual(judge["hours"][1]["slots"], 3, delta=0.5)   # kathmandu
        self.assertAlmostEqual(judge["hours"][4]["slots"], 5, delta=0.5)   # and nairobi
        self.assertAlmostEqual(judge["hours"][7]["slots"], 2, delta=0.5)   # nairobi alone
        self.assertAlmostEqual(judge["hours"][12]["slots"], 0, delta=0.5)
        self.assertAlmostEqual(judge["hours"][1]["able"], 90, places=1)   # half the lease is assumed
        self.assertEqual(judge["nobody"], [{"from_wall_us": self.hour + 10 * HOUR_US, "to_wall_us": self.hour + 23 * HOUR_US}])
        self.assertEqual(check["nobody"], [{"from_wall_us": self.hour + 5 * HOUR_US, "to_wall_us": self.hour + 23 * HOUR_US}])
        run, = told["runs"]
        self.assertEqual((run["run"], run["state"]), ("monday", "within"))
        self.assertLessEqual(run["low_wall_us"], run["mid_wall_us"])
        self.assertLessEqual(run["mid_wall_us"], run["high_wall_us"])
        self.assertIn(told["bottleneck"], ("judge", "check"))
        self.world.sunline("station", "pause", "pairs/check")
        run, = self.world.sunline("--json", "coverage", "pairs").json()["runs"]
        self.assertEqual((run["state"], run["stuck_at"], run["mid_wall_us"]), ("paused", "check", None))

    def test_what_is_wrong_is_said(self):
        self.assertIn("NOT_FOUND", self.world.sunline("coverage", "pears", status=1).err)
        self.assertIn("168", self.world.sunline("coverage", "pairs", "--hours", "169", status=2).err)
        self.assertIn("168", self.world.sunline("coverage", "pairs", "--hours", "0", status=2).err)


if __name__ == "__main__":
    unittest.main()
