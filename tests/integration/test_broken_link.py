"""A hub behind a broken link, with real programs: what its people have begun stays theirs and counts, what they have not goes elsewhere after the hub's grace, and
by then they cannot begin it any more."""
import os
import sys
import urllib.parse

ALONE = False  # tests/run

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for folder in ("lib", "torture"):
    sys.path.insert(0, os.path.join(TOP, "tests", folder))
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402
from proxy import Proxy  # noqa: E402
from test_agent import PEOPLE_LINE, Screen  # noqa: E402

COUNTED = 2  # of an assignment

HUB = """hub: pokhara
zone: Asia/Kathmandu
broker: %s
data: {data}
grace: 2s
workers:
  - {id: asha, skills: {english: 3}}
"""


class BrokenLink(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.world.broker(config="heartbeat: 200ms\n")
        self.world.sunline("line", "apply", self.world.write("judge.yml", PEOPLE_LINE))
        self.world.sunline("run", "start", "judge", "--name", "r", "--input", self.world.write("t.csv", "text\na\nb\n"))
        self.link = Proxy(urllib.parse.urlparse(self.broker.endpoints["agents"]).port)
        self.addCleanup(self.link.close)
        self.agent = self.world.agent("pokhara", HUB % f"tcp://127.0.0.1:{self.link.port}")
        self.asha = Screen(self.agent.wait_log(r"local=(\S+)")[1], "asha")
        self.addCleanup(self.asha.close)
        self.agent.wait_log("session-up")
        self.asha.ask("sign_in")
        self.begun = self.asha.task()["assignment"]
        self.asha.ask("start", assignment=self.begun)
        self.world.wait(lambda: self.world.sunline("--json", "worker", "show", "asha").json()["holding"] == 2, 10, "the one behind it")
        self.world.wait(lambda: self.told("STARTED"), 10, "the start to be known")
        self.other = wire.Agent(self.broker.endpoints["agents"], "medellin", zone="America/Bogota")
        self.addCleanup(self.other.close)
        self.other.hello()
        self.other.roster([{"name": "luz", "kind": 0, "capacity": 9, "skills": [{"name": "english", "level": 3}]}])
        self.other.credit({"luz": 5})

    def told(self, name):
        return [e for e in self.world.sunline("--json", "events").json_lines() if e["event"] == name]

    def elsewhere(self):
        """Waits for what the other hub is given; beating, so that it is not taken for silent as well."""
        def look():
            self.other.heartbeat(held=len(self.other.pushed))
            return self.other.pushed
        self.world.wait(look, 20, "what was not begun to go to the other hub")
        return list(self.other.pushed)

    def assignments(self, unit):
        return self.world.sunline("--json", "unit", "show", f"r/{unit}").json()["stations"][0]["assignments"]

    def counted(self):
        return any(a["state"] == COUNTED for a in self.assignments(1))

    def test_what_is_begun_is_finished_behind_a_broken_link_and_counts(self):
        self.link.order("cut up")
        self.link.order("cut down")
        (taken,) = self.elsewhere()
        self.assertNotEqual(taken["assignment"], self.begun)
        self.assertTrue(self.asha.ask("submit", assignment=self.begun, values={"follows": "yes"})["kept"])
        self.assertFalse(self.counted())
        self.link.order("clear")
        self.world.wait(self.counted, 30, "the result of the hub that was cut off")
        self.assertEqual([a["assignment"] for a in self.assignments(1)], [self.begun], "what was begun was given to nobody else")

    def hands_in(self):
        self.assertTrue(self.asha.ask("submit", assignment=self.begun, values={"follows": "yes"})["kept"])

    def unsent(self):
        return self.asha.ask("status")["results_unsent"]

    def counts_once_when_the_link_is_whole(self):
        """The unit has one assignment, and the broker told of one result."""
        self.link.order("clear")
        self.world.wait(lambda: self.unsent() == 0, 30, "an outbox that is empty")
        self.assertEqual([(a["assignment"], a["state"]) for a in self.assignments(1)], [(self.begun, COUNTED)])
        self.assertEqual(len(self.told("SUBMITTED")), 1)

    def test_where_nothing_gets_to_the_broker_heartbeats_end_the_session_at_both_ends_and_the_outbox_sends_again(self):
        self.link.order("cut up")
        self.hands_in()
        self.agent.wait_log("session-over", timeout_s=20)
        self.elsewhere()  # for the broker the session is over, too
        self.assertFalse(self.counted())
        self.assertEqual(self.unsent(), 1)
        self.counts_once_when_the_link_is_whole()

    def test_where_nothing_gets_back_heartbeats_end_the_session_and_what_counts_already_is_sent_again_and_counts_once(self):
        self.link.order("cut down")
        self.hands_in()
        self.world.wait(self.counted, 30, "the result, of which the agent does not hear")
        self.agent.wait_log("session-over", timeout_s=20)
        self.assertEqual(self.unsent(), 1)
        self.counts_once_when_the_link_is_whole()

    def test_what_is_not_begun_may_not_be_begun_when_others_may_have_it(self):
        self.link.order("cut up")
        self.link.order("cut down")
        waiting = self.assignments(2)[0]["assignment"]
        self.elsewhere()
        self.assertEqual(self.asha.ask("touch", assignment=self.begun)["ok"], True)
        self.assertEqual(self.asha.ask("start", assignment=waiting)["error"], "OFFLINE")

    def test_a_machine_that_died_has_its_begun_work_when_it_is_back(self):
        self.agent.kill()
        (taken,) = self.elsewhere()
        self.assertNotEqual(taken["assignment"], self.begun)
        self.agent.start().wait_log("session-up", timeout_s=20)
        again = Screen(self.agent.wait_log(r"local=(\S+)")[1], "asha")
        self.addCleanup(again.close)
        again.ask("sign_in")
        self.assertEqual(again.task()["assignment"], self.begun)
        self.assertTrue(again.ask("submit", assignment=self.begun, values={"follows": "yes"})["kept"])
        self.world.wait(self.counted, 20, "the result")


if __name__ == "__main__":
    harness.unittest.main()
