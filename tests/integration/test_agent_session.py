"""Section 7 of PROTOCOL.md over the wire: sessions, rosters, credit, hand-over between agents, and what a broken link leaves behind."""
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402

LINE = {"line": "echo", "input": [{"name": "text", "type": "text"}], "stations": [
    {"name": "say", "type": "work", "form": {"title": "Echo", "fields": [{"name": "loud", "type": "short_answer"}]}}]}


def worker(name, **more):
    return {"name": name, "kind": 0, "capacity": 9, "skills": [], **more}


class Sessions(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.world.broker()
        self.client = wire.Client(self.broker.endpoints["clients"])
        self.addCleanup(self.client.close)
        self.client.request("line_apply", definition=LINE)
        self.run_id = self.client.request("run_start", line="echo", name="r")["run_id"]

    def agent(self, hub="nairobi", **more):
        agent = wire.Agent(self.broker.endpoints["agents"], hub, **more)
        self.addCleanup(agent.close)
        return agent

    def ready(self, hub="nairobi", *names):
        agent = self.agent(hub)
        agent.hello()
        agent.roster([worker(name) for name in names or ("ann",)])
        return agent

    def put(self, n=1):
        self.client.request("put", run_id=self.run_id, rows=[["a"]] * n)

    def refused(self, code, ask):
        with self.assertRaises(wire.SunlineError) as caught:
            ask()
        self.assertEqual(caught.exception.code, code)
        return caught.exception

    def test_without_a_session_nothing_goes(self):
        agent = self.agent()
        agent.session = 12345
        error = self.refused("NO_SESSION", agent.heartbeat)
        self.assertEqual(error.retry, 1)  # now: say hello first
        self.refused("NO_SESSION", lambda: agent.submit([]))
        self.refused("NO_SESSION", lambda: agent.roster([worker("ann")]))

    def test_credit_is_a_total_and_a_repeat_does_no_harm(self):
        self.put(5)
        agent = self.ready()
        ann = agent.workers["ann"]
        for _ in range(3):
            agent.send("credit", session=agent.session, grants=[{"worker": ann, "total": 2}])
        agent.assignments(2)
        agent.heartbeat()
        self.assertEqual(agent.pushed, [])
        agent.send("credit", session=agent.session, grants=[{"worker": ann, "total": 1}])  # totals never shrink
        agent.send("credit", session=agent.session, grants=[{"worker": ann, "total": 3}])
        agent.assignments(1)
        agent.heartbeat()
        self.assertEqual(agent.pushed, [])

    def test_signing_off_gives_back_what_is_not_started(self):
        self.put(2)
        agent = self.ready("nairobi", "ann", "ben")
        agent.credit({"ann": 2})
        first, second = agent.assignments(2)
        self.assertEqual(agent.start(first), "OK")
        agent.sign_off(["ann"])
        agent.credit({"ben": 2})
        (again,) = agent.assignments(1)
        self.assertEqual(again["worker"], agent.workers["ben"])
        self.assertEqual(agent.start(second), "STALE")
        self.assertEqual(agent.submit([agent.result(first, ["x"])])["ok"], 1)

    def test_a_second_hello_names_what_was_recalled_and_pushes_what_is_missing(self):
        self.put(2)
        agent = self.ready()
        agent.credit({"ann": 2})
        held, lost = (a["assignment"] for a in agent.assignments(2))
        welcome = agent.hello(held=[held, 999999])
        self.assertEqual(welcome["recalled"], [999999])
        self.assertEqual(welcome.get("missing", [lost]), [lost])
        (again,) = agent.assignments(1)
        self.assertEqual(again["assignment"], lost)
        self.assertEqual(agent.start(again), "OK")

    def test_assignments_outlive_a_killed_broker(self):
        self.put(2)
        agent = self.ready()
        agent.credit({"ann": 2})
        first, second = agent.assignments(2)
        self.assertEqual(agent.start(first), "OK")
        self.broker.kill()
        self.broker.start()
        old = agent.session
        error = self.refused("NO_SESSION", lambda: agent.submit([agent.result(first, ["x"])], timeout_s=20))
        self.assertEqual(error.retry, 1)
        welcome = agent.hello(held=[first["assignment"], second["assignment"]], timeout_s=20)
        self.assertNotEqual(agent.session, old)
        self.assertEqual(welcome["recalled"], [])
        self.assertFalse(welcome["roster_wanted"])
        self.assertEqual(agent.submit([agent.result(first, ["x"]), agent.result(second, ["y"])])["ok"], 2)

    def test_the_same_roster_need_not_be_sent_again(self):
        agent = self.ready("nairobi", "ann", "ben")
        numbers = dict(agent.workers)
        self.assertFalse(agent.hello()["roster_wanted"])
        page = agent.request("roster_get", session=agent.session)
        self.assertEqual(dict(zip(page["names"], page["workers"])), numbers)
        self.assertEqual(page["workers"], sorted(page["workers"]))

    def test_the_higher_incarnation_serves_the_hub(self):
        mine = bytes(range(16))
        old, new = self.agent(incarnation=5, data_id=mine), self.agent(incarnation=6, data_id=mine)
        old.hello()
        new.hello()
        self.refused("TAKEN_OVER", lambda: old.hello())
        new.heartbeat()

    def test_another_data_directory_must_say_so(self):
        first, second = self.agent(), self.agent()
        first.hello()
        self.refused("OTHER_AGENT", second.hello)
        second.hello(takeover=True)
        second.heartbeat()

    def test_a_worker_is_on_one_roster(self):
        self.ready("nairobi", "ann")
        other = self.agent("medellin")
        other.hello()
        self.assertEqual(other.roster([worker("ann"), worker("eva")])["ann"], 0)
        self.assertGreater(other.workers["eva"], 0)

    def test_bye_gives_back_at_once(self):
        self.put(1)
        agent = self.ready("nairobi", "ann")
        agent.credit({"ann": 1})
        (a,) = agent.assignments(1)
        agent.bye()
        other = self.ready("medellin", "eva")
        other.credit({"eva": 1})
        (b,) = other.assignments(1)
        self.assertNotEqual(a["assignment"], b["assignment"])
        self.refused("NO_SESSION", agent.heartbeat)

    def test_an_assignment_belongs_to_its_hub(self):
        self.put(1)
        agent = self.ready("nairobi", "ann")
        agent.credit({"ann": 1})
        (a,) = agent.assignments(1)
        other = self.ready("medellin", "eva")
        stolen = dict(a, worker=other.workers["eva"])
        self.assertEqual(other.start(stolen), "NOT_YOURS")
        self.assertEqual(other.submit([other.result(a, ["x"])])["outcomes"][0]["code"], "NOT_YOURS")
        self.assertEqual(agent.start(a), "OK")

    def test_a_form_says_what_to_ask(self):
        self.put(1)
        agent = self.ready()
        agent.credit({"ann": 1})
        (a,) = agent.assignments(1)
        form = agent.form(a["push"]["station_id"])
        self.assertEqual((form["line"], form["station"], form["shows"]), ("echo", "say", ["text"]))
        self.assertEqual([f["name"] for f in form["form"]["fields"]], ["loud"])
        self.assertEqual(a["fields"], ["a"])
        self.assertEqual(a["attempt"], 1)


if __name__ == "__main__":
    import unittest
    unittest.main()
