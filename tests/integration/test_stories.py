"""What the broker tells afterwards has the shape that the documents promise: every event's data (docs/events.md) and a unit's
story (PROTOCOL.md section 5), after a little of everything has happened."""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402

FORM = {"title": "Echo", "fields": [{"name": "loud", "type": "short_answer", "required": True}]}
LINE = {"line": "echo", "input": [{"name": "text", "type": "text"}], "stations": [
    {"name": "say", "type": "work", "attempts": 3, "backoff": "1h", "form": FORM},
    {"name": "check", "type": "work", "after": ["say"], "when": "say.loud == 'again'", "form": FORM}]}


def described():
    """number -> (name, streams, keys) out of docs/events.md"""
    with open(os.path.join(TOP, "docs", "events.md"), encoding="utf-8") as f:
        text = f.read()
    found = re.findall(r"^### (\w+), type (\d+)\n.*\. Streams: ([\w, ]+)\. Data: (.*)\.$", text, re.M)
    return {int(n): (name, streams.split(", "), set(re.findall(r"`(\w+)`", keys))) for name, n, streams, keys in found}


class Stories(harness.Case):
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
        self.agent.roster([{"name": "ann", "kind": 0, "capacity": 9, "skills": []}])
        self.station = self.client.request("stations_get", line="echo")["rows"][0]["station_id"]

    def handed(self):
        self.client.request("put", run_id=self.run_id, rows=[["a"]])
        self.agent.credit({"ann": 1})
        return self.agent.assignments(1)[0]

    def act(self, what, a, **more):
        reply = self.agent.acts([self.agent.act(what, a, **more)])
        self.assertIn(reply["outcomes"][0]["code"] if reply["outcomes"] else "OK", ("OK",))

    def a_little_of_everything(self):
        a = self.handed()  # unit 1 passes the line, and check passes it by
        self.act("start", a)
        self.assertEqual(self.agent.submit([self.agent.result(a, ["x"], active_us=7)])["ok"], 1)
        self.act("bury", self.handed(), reason="torn page")  # unit 2 is buried and dropped
        self.client.request("tasks_set", station_id=self.station, action=1, run="r", units=[2], reason="no use")
        self.act("fail", self.handed(), reason="no light")  # unit 3 waits for its back-off
        self.client.request("put", run_id=self.run_id, rows=[["later"]], delay_us=3600 * 1000000)
        self.client.request("station_set", line="echo", station="say", action=0)
        self.client.request("station_set", line="echo", station="say", action=1)
        self.client.request("line_set", line="echo", action=0)
        self.client.request("line_set", line="echo", action=1)
        self.agent.sign_off(["ann"])
        self.agent.heartbeat()
        self.agent.bye()
        self.client.request("run_set", run="r", action=3)

    def events(self, stream):
        events, since = [], 1
        while True:
            page = self.client.request("events_get", since=since, stream=stream)
            self.assertEqual(page["stream"], stream)
            events += page["events"]
            since = page["next_since"]
            if not page.get("more"):
                return events

    def test_every_event_carries_the_data_that_its_section_names(self):
        self.a_little_of_everything()
        types = described()
        events = self.events("all")
        self.assertEqual([e["seq"] for e in events], list(range(1, len(events) + 1)))
        for e in events:
            name, _, keys = types[e["type"]]
            with self.subTest(event=name):
                self.assertEqual(set(e["data"]), keys)
        happened = {types[e["type"]][0] for e in events}
        expected = {"LINE_APPLIED", "LINE_STATE", "STATION_STATE", "RUN_STARTED", "RUN_STATE", "UNITS_ADDED", "TASKS_READY", "TASKS_WAITING",
                    "TASKS_SKIPPED", "ASSIGNED", "STARTED", "RETURNED", "SUBMITTED", "TASKS_DONE", "TASKS_DEAD", "UNITS_DONE", "UNITS_DROPPED",
                    "HUB_SESSION", "ROSTER_CURRENT", "WORKERS_PRESENT", "BROKER_STARTED"}
        self.assertEqual(expected - happened, set())

    def test_a_stream_holds_the_events_that_name_it(self):
        self.a_little_of_everything()
        types = described()
        everything = self.events("all")
        for stream in ("line/echo", "run/r", "hub/nairobi"):
            kind = stream.split("/")[0]
            with self.subTest(stream=stream):
                want = [e["seq"] for e in everything if kind in types[e["type"]][1] and e["data"].get(kind) != 0]
                last = everything[-1]["seq"]  # the sweep after the cancel may have gone on
                self.assertEqual([e["seq"] for e in self.events(stream) if e["seq"] <= last], want)

    def test_a_story_has_the_shape_of_the_document(self):
        self.a_little_of_everything()
        story = self.client.request("unit_get", run="r", unit=1)["story"]
        self.assertEqual((story["run"], story["line"], story["unit"], story["state"], story["input"]), ("r", "echo", 1, 1, {"text": "a"}))
        say, check = story["stations"]
        self.assertEqual((say["name"], say["state"], check["name"], check["state"]), ("say", 5, "check", 6))
        (a,) = say["assignments"]
        self.assertEqual((a["worker"], a["hub"], a["state"], a["result"], a["late"], a["active_us"]), ("ann", "nairobi", 2, {"loud": "x"}, False, 7))
        self.assertTrue(a["assigned_wall_us"] <= a["started_wall_us"] <= a["ended_wall_us"])

    def test_a_story_tells_why(self):
        self.a_little_of_everything()
        dropped = self.client.request("unit_get", run="r", unit=2)["story"]
        self.assertEqual((dropped["state"], dropped["stations"][0]["state"]), (2, 8))
        told = [(h["what"], h["reason"]) for h in dropped["history"]]
        self.assertEqual((told[0], told[-1]), ((9, "torn page"), (10, "no use")))
        (a,) = dropped["stations"][0]["assignments"]
        self.assertEqual((a["state"], a["why"], a["reason"]), (4, 9, "torn page"))
        failed = self.client.request("unit_get", run="r", unit=3)["story"]
        self.assertEqual(failed["state"], 3)  # its run was cancelled
        self.assertEqual([(h["what"], h["worker"], h["station"], h["reason"]) for h in failed["history"]], [(6, "ann", "say", "no light")])


if __name__ == "__main__":
    import unittest
    unittest.main()
