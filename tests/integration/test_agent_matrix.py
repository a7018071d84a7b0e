"""The matrix of PROTOCOL.md section 4, cell by cell over the wire: what an agent may do with an assignment in each of its states."""
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402

LINE = {"line": "echo", "input": [{"name": "text", "type": "text"}],
        "stations": [{"name": "say", "type": "work", "attempts": 3, "backoff": "1h",
                      "form": {"title": "Echo", "fields": [{"name": "loud", "type": "short_answer", "required": True}]}}]}
GOOD = ["x"]


class TheMatrix(harness.Case):
    def setUp(self):
        super().setUp()
        broker = self.world.broker()
        self.client = wire.Client(broker.endpoints["clients"])
        self.agent = wire.Agent(broker.endpoints["agents"], "nairobi")
        self.addCleanup(self.client.close)
        self.addCleanup(self.agent.close)
        self.client.request("line_apply", definition=LINE)
        self.run_id = self.client.request("run_start", line="echo", name="r")["run_id"]
        self.agent.hello()
        self.agent.roster([{"name": "ann", "kind": 0, "capacity": 9, "skills": []}, {"name": "ben", "kind": 0, "capacity": 9, "skills": []}])

    def handed(self, worker="ann"):
        """A new unit, handed to this worker."""
        self.client.request("put", run_id=self.run_id, rows=[["a"]])
        self.agent.credit({worker: 1})
        (a,) = self.agent.assignments(1)
        self.assertEqual(a["worker"], self.agent.workers[worker])
        return a

    def started(self):
        a = self.handed()
        self.assertEqual(self.agent.start(a), "OK")
        return a

    def counted(self):
        a = self.started()
        self.assertEqual(self.do("submit", a), "OK")
        return a

    def late(self):
        """Came back late: another worker had started."""
        a = self.handed("ann")
        self.assertEqual(self.do("release", a), "OK")
        self.agent.credit({"ben": 1})
        (b,) = self.agent.assignments(1)
        self.assertEqual(self.agent.start(b), "OK")
        self.assertEqual(self.do("submit", a), "LATE")
        return a

    def returned_by(self, act):
        a = self.started()
        self.assertEqual(self.do(act, a), "OK")
        return a

    def do(self, command, a, values=GOOD, **more):
        """The code that one command gets."""
        if command == "submit":
            reply = self.agent.submit([self.agent.result(a, values, **more)])
        else:
            reply = self.agent.acts([self.agent.act(command, a, **more)])
        return reply["outcomes"][0]["code"] if reply["outcomes"] else "OK"

    def row(self, state, **expected):
        for command, code in expected.items():
            with self.subTest(command=command):
                self.assertEqual(self.do(command, state()), code)

    def test_handed(self):
        self.row(self.handed, start="OK", touch="BAD_STATE", submit="OK", release="OK", decline="OK", fail="OK", bury="OK")

    def test_started(self):
        self.row(self.started, start="DUPLICATE", touch="OK", submit="OK", release="OK", decline="OK", fail="OK", bury="OK")

    def test_counted(self):
        a = self.counted()
        self.row(lambda: a, start="STALE", touch="STALE", submit="DUPLICATE", release="STALE", decline="STALE", fail="STALE", bury="STALE")

    def test_a_result_sent_a_hundred_times_counts_once_and_is_answered_alike(self):
        a = self.started()
        self.assertEqual(self.do("submit", a), "OK")
        sent = [self.agent.send("submit", session=self.agent.session, results=[self.agent.result(a, GOOD)]) for _ in range(100)]
        replies = [self.agent.reply(i) for i in sent]
        self.assertEqual(self.agent.outcomes(replies[0][1])["outcomes"][0]["code"], "DUPLICATE")
        self.assertEqual(replies, replies[:1] * 100)
        (station,) = self.client.request("unit_get", run="r", unit=1)["story"]["stations"]
        self.assertEqual([b["assignment"] for b in station["assignments"]], [a["assignment"]])
        submitted = [e for e in self.world.sunline("--json", "events").json_lines() if e["event"] == "SUBMITTED"]
        self.assertEqual(len(submitted), 1)

    def test_late(self):
        a = self.late()
        self.row(lambda: a, start="STALE", touch="STALE", submit="LATE", release="STALE", decline="STALE", fail="STALE", bury="STALE")

    def test_returned_is_repeated_by_the_same_act_only(self):
        acts = ["release", "decline", "fail", "bury"]
        for returned in acts:
            a = self.returned_by(returned)
            self.row(lambda: a, start="STALE", touch="STALE", **{act: "DUPLICATE" if act == returned else "STALE" for act in acts})

    def test_a_submit_after_a_return_counts_while_nobody_has_started(self):
        for act in ("release", "decline", "fail", "bury"):
            with self.subTest(act=act):
                a = self.returned_by(act)
                self.assertEqual(self.do("submit", a), "OK")
                self.assertEqual(self.do("submit", a), "DUPLICATE")

    def test_a_late_submit_recalls_somebody_elses_unstarted_assignment(self):
        a = self.handed("ann")
        self.assertEqual(self.do("release", a), "OK")
        self.agent.credit({"ben": 1})
        (b,) = self.agent.assignments(1)
        self.assertEqual(self.do("submit", a), "OK")
        self.agent.until(lambda: b["assignment"] in [n for n, _ in self.agent.recalled], 10, "the recall")
        self.assertEqual(self.agent.start(b), "STALE")

    def test_a_start_tells_what_is_left_of_the_lease_and_a_touch_renews_it(self):
        a = self.handed()
        lease_us = a["push"]["lease_us"]
        first, again, touched = (self.agent.acts([self.agent.act(c, a)])["outcomes"][0] for c in ("start", "start", "touch"))
        self.assertEqual([first["code"], again["code"], touched["code"]], ["OK", "DUPLICATE", "OK"])
        self.assertEqual(first["lease_us"], lease_us)
        self.assertTrue(0 < again["lease_us"] <= lease_us)
        self.assertEqual(touched["lease_us"], lease_us)

    def test_a_result_that_does_not_fit_the_form_changes_nothing(self):
        a = self.started()
        for values in ([None], [], ["x", "y"], [["x"]]):
            with self.subTest(values=values):
                self.assertEqual(self.do("submit", a, values), "BAD_RESULT")
        self.assertEqual(self.do("submit", a), "OK")

    def test_numbers_of_nobody_and_of_others(self):
        a = self.handed("ann")
        for command in ("start", "touch", "submit", "release", "decline", "fail", "bury"):
            with self.subTest(command=command):
                self.assertEqual(self.do(command, dict(a, assignment=a["assignment"] + 1000)), "NOT_FOUND")
                self.assertEqual(self.do(command, dict(a, worker=self.agent.workers["ben"])), "NOT_YOURS")
        self.assertEqual(self.agent.start(a), "OK")

    def test_a_cancelled_run_still_takes_the_result_as_late(self):
        a, unstarted = self.started(), self.handed("ben")
        self.client.request("run_set", run="r", action=3)
        self.assertEqual(self.do("submit", a), "LATE")
        self.assertEqual(self.do("submit", a), "LATE")
        self.agent.until(lambda: unstarted["assignment"] in [n for n, _ in self.agent.recalled], 10, "the recall")
        self.assertEqual(self.agent.start(unstarted), "STALE")

    def test_a_dropped_unit_still_takes_the_result_as_late(self):
        a = self.started()
        station = self.client.request("stations_get", line="echo")["rows"][0]["station_id"]
        self.assertEqual(self.client.request("tasks_set", station_id=station, action=1, run="r", units=[1]).get("count"), 1)
        self.assertEqual(self.do("submit", a), "LATE")

    def test_a_pause_recalls_what_is_not_started_and_lets_the_rest_go_on(self):
        a, unstarted = self.started(), self.handed("ben")
        self.client.request("run_set", run="r", action=1)
        self.agent.until(lambda: unstarted["assignment"] in [n for n, _ in self.agent.recalled], 10, "the recall")
        self.assertEqual(self.do("touch", a), "OK")
        self.assertEqual(self.do("submit", a), "OK")
        self.agent.credit({"ann": 1, "ben": 1})
        self.agent.heartbeat()  # answered after the credit was taken: and nothing was pushed
        self.assertEqual(self.agent.pushed, [])
        self.client.request("run_set", run="r", action=2)
        self.agent.assignments(1)

    def test_only_dead_tasks_are_requeued_and_then_begin_anew(self):
        station = self.client.request("stations_get", line="echo")["rows"][0]["station_id"]
        a = self.returned_by("bury")
        set_tasks = {"station_id": station, "run": "r", "units": [1]}
        self.assertEqual(self.client.request("tasks_set", action=0, **set_tasks).get("count"), 1)
        self.assertEqual(self.client.request("tasks_set", action=0, **set_tasks).get("count", 0), 0)
        self.agent.credit({"ben": 1})
        (b,) = self.agent.assignments(1)
        self.assertNotEqual(a["assignment"], b["assignment"])
        self.assertEqual(b["attempt"], 1)
        self.assertEqual(self.client.request("tasks_set", action=1, **set_tasks).get("count"), 1)
        self.agent.until(lambda: b["assignment"] in [n for n, _ in self.agent.recalled], 10, "the recall")


if __name__ == "__main__":
    import unittest
    unittest.main()
