"""The checker of the simulated world over histories of real processes: those of real small scenarios get no verdict, and from the same ones, changed by hand, each
verdict comes that can come there."""
import copy
import json
import os
import subprocess
import sys
import tempfile
import time
import types
import unittest
import unittest.mock

import harness

sys.path.insert(0, os.path.join(harness.TOP, "tests", "torture"))
import crash  # noqa: E402
import crew  # noqa: E402
import facts  # noqa: E402
import judges  # noqa: E402
import realrun  # noqa: E402
import sunline_wire as wire  # noqa: E402
from place import Broker, Place  # noqa: E402
from real import Real  # noqa: E402

ALONE = False  # tests/run

TYPES = {name: number for number, name in facts.NAMES.items()}
RELEASED = 3


def of_peers():
    with Place() as place:
        broker = Broker(place)
        assert broker.start(), place.log()
        people = crew.Crew(broker.endpoints, 7, 120, noise=0.4)
        while people.acked_rows < 60:
            people.turn()
        broker.strike()
        assert broker.start(), place.log()
        people.meet(broker.endpoints)
        assert people.play(broker.running), place.log()
        people.take_out()
        people.close()
        return people.history


def of_an_agent():
    with Place() as place:
        scene = crash.AgentScene(place, 7)
        scene.agent.start()
        assert scene.play(), place.log()
        scene.take_out()
        scene.agent.stop()
        scene.client.close()
        return scene.history


def of_two_agents():
    """And two producers: their histories."""
    with Place() as place:
        broker = Broker(place)
        assert broker.start(), place.log()
        client = wire.Client(broker.endpoints["clients"])
        client.request("line_apply", definition=realrun.LINE)
        real = Real(place, 7, 20, lambda name: None)
        endpoints = dict(broker.endpoints, **{hub.name: broker.endpoints["agents"] for hub in real.hubs})
        real.meet(endpoints)
        real.begin(endpoints)
        deadline = time.monotonic() + 120
        while not real.done:
            real.turn()
            time.sleep(0.002)
            assert time.monotonic() < deadline, f"{real.told}\n{place.log()}"
        assert real.stop() == [], place.log()
        real.take_out()
        real.close()
        client.close()
        return real.histories


class Case(unittest.TestCase):
    @staticmethod
    def make():
        """A history."""
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.made = cls.make()

    def setUp(self):
        self.history = copy.deepcopy(self.made)

    def all(self, op, **fields):
        return [h for h in self.history if h["op"] == op and all(h[k] == v for k, v in fields.items())]

    def first(self, op, **fields):
        return self.all(op, **fields)[0]

    def events(self, name, **data):
        return [h for h in self.all("event", type=TYPES[name]) if all(h["data"][k] == v for k, v in data.items())]

    def becomes_nothing(self, event):
        """Its number stays, and what it told is gone."""
        event.update(type=TYPES["ROSTER_CURRENT"], data={"hub": 1, "workers": 1})

    def judged(self):
        return judges.same_checker(facts.of(self.history))

    def says(self, *names):
        words, summary = self.judged()
        self.assertEqual(sorted(summary["verdicts"]), sorted(names), words)

    def accuses_of(self, name):
        words, summary = self.judged()
        self.assertIn(name, summary["verdicts"], words)


class OfPeers(Case):
    make = staticmethod(of_peers)

    def test_what_happened_gets_no_verdict_of_either_judge(self):
        judged = judges.whole(self.history)
        self.assertEqual(judged.wrong, [])
        self.assertEqual((judged.acknowledged, judged.accepted), (120, 240))
        self.assertEqual((judged.same["units"], judged.same["results_counted"]), (120, 240))
        self.assertEqual(judged.same["events"], len(self.all("event")))

    def test_what_is_bad_is_kept_and_told_again_as_a_story(self):
        self.first("row")["value"] += "."
        with tempfile.TemporaryDirectory() as top:
            folder = os.path.join(top, "bad")
            said = judges.keep(folder, self.history)
            with open(os.path.join(folder, "history-0"), encoding="utf-8") as f:
                self.assertEqual([json.loads(line) for line in f], json.loads(json.dumps(self.history)))
            done = subprocess.run(said.split(" told event by event by ")[1], shell=True, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("\nbytes_differ 1: ", done.stdout)
            self.assertGreater(done.stdout.count("\n"), len(self.all("event")), "event by event")
            self.assertIn("no facts can be made of it: Untold: no event was taken out", judges.keep(folder, [h for h in self.history if h["op"] != "event"]))

    def test_fifo_a_unit_that_was_ready_later_is_given_first(self):
        first = min(number for number, _ in self.events("LINE_APPLIED")[0]["data"]["stations"])
        for e in self.events("TASKS_READY", station=first, why=0):
            e["data"]["units"] = [x for unit in reversed(list(facts.numbers(e["data"]["units"]))) for x in (unit, 1)]
        self.says("fifo")

    def test_fifo_rows_lie_in_another_order_than_they_were_sent_in(self):
        puts = self.all("put")
        puts[0]["key"], puts[1]["key"], puts[0]["value"], puts[1]["value"] = puts[1]["key"], puts[0]["key"], puts[1]["value"], puts[0]["value"]
        self.says("fifo")

    def test_credit_negative_less_was_granted(self):
        for h in self.all("credit"):
            h["totals"] = [[worker, max(0, total - 6)] for worker, total in h["totals"]]
        self.says("credit_negative")

    def test_not_eligible_a_worker_lacks_the_skill(self):
        self.first("staff")["workers"][0]["skills"] = {}
        self.says("not_eligible")

    def test_not_eligible_a_worker_gave_no_credit_in_this_session(self):
        last = self.all("session")[-1]["session"]
        self.history = [h for h in self.history if not (h["op"] == "credit" and h["session"] == last)]
        self.accuses_of("not_eligible")

    def test_event_gap_a_hole_in_the_events(self):
        self.history.remove(self.events("ROSTER_CURRENT")[0])
        self.says("event_gap")

    def test_event_gap_the_newest_event_was_not_handed_out(self):
        self.first("newest")["seq"] += 1000
        self.says("event_gap")

    def test_counters_of_the_run(self):
        self.first("counters")["done"] -= 1
        self.says("counters")

    def test_counters_of_a_station(self):
        self.first("counters")["stations"]["second"][5] -= 1
        self.says("counters")

    def test_lost_a_unit_is_not_there(self):
        for op in ("end", "story"):
            for h in self.all(op, key="u5"):
                self.history.remove(h)
        self.accuses_of("lost")

    def test_lost_a_unit_that_is_done_is_not_handed_out(self):
        self.history.remove(self.first("row"))
        self.says("lost")

    def test_lost_a_result_that_is_done_is_not_handed_out_by_its_station(self):
        self.history.remove(self.first("handed", station="second"))
        self.says("lost")

    def test_lost_a_good_result_is_refused_as_a_bad_one(self):
        number = self.first("submit_ok", code="OK")["assignment"]
        for h in self.all("submit_ok", assignment=number):
            h["code"] = "BAD_RESULT"
        self.says("lost")

    def test_duplicated_a_result_is_handed_out_twice(self):
        self.history.append(dict(self.first("handed")))
        self.says("duplicated")

    def test_unexpected_a_unit_holds_what_nobody_put(self):
        for h in self.all("end", key="u5") + self.all("story", key="u5"):
            h["key"] = "x1"
        self.accuses_of("unexpected")

    def test_bytes_differ_in_what_is_handed_out(self):
        self.first("row")["value"] += "."
        self.says("bytes_differ")

    def test_bytes_differ_in_a_result(self):
        self.first("handed")["result"] += "."
        self.says("bytes_differ")

    def test_bytes_differ_in_what_a_worker_was_shown(self):
        self.first("push")["value"] += "."
        self.says("bytes_differ")

    def test_bytes_differ_in_a_story(self):
        self.first("story")["all"][-1][3] += "."
        self.accuses_of("bytes_differ")

    def test_double_accept_two_results_of_a_task_count(self):
        story = next(h for h in self.all("story") if len(h["all"]) > 1)
        story["all"][0][1:] = [crew.COUNTED, 0, story["all"][-1][3]]
        self.accuses_of("double_accept")

    def test_over_asked_a_task_is_given_again_that_nobody_gave_back(self):
        e = self.events("RETURNED", why=RELEASED)[0]
        self.becomes_nothing(next(r for r in self.events("TASKS_READY", why=RELEASED) if r["seq"] > e["seq"]))
        self.becomes_nothing(e)
        self.accuses_of("over_asked")

    def test_too_early_a_delay_is_cut_short(self):
        self.events("TASKS_WAITING")[0]["data"]["due"] += 3600 * 1000000
        self.says("too_early")

    def test_too_early_a_lease_runs_out_before_its_time(self):
        """What a worker released expired instead."""
        e = self.events("RETURNED", why=RELEASED)[0]
        ready = next(r for r in self.events("TASKS_READY", why=RELEASED) if r["seq"] > e["seq"])
        number = e["data"]["assignment"]
        e["data"]["why"] = ready["data"]["why"] = 5
        self.history = [h for h in self.history if not (h["op"] in ("act", "act_ok") and h["assignment"] == number and h["what"] == "release")]
        self.accuses_of("too_early")

    def released(self):
        """The place where a worker heard that he was rid of it."""
        return next(i for i, h in enumerate(self.history) if h["op"] == "act_ok" and h["what"] == "release" and h["code"] == "OK")

    def after_the_release(self, what, code):
        at = self.released()
        number = self.history[at]["assignment"]
        self.history[at + 1:at + 1] = [{"op": "act", "what": what, "assignment": number},
                                       {"op": "act_ok", "what": what, "assignment": number, "code": code, "heard_us": 0}]

    def test_stale_token_accepted_an_act_under_a_number_that_was_given_back(self):
        self.after_the_release("touch", "OK")
        self.says("stale_token_accepted")

    def test_stale_token_accepted_an_act_of_which_no_event_tells(self):
        self.after_the_release("bury", "OK")
        self.says("stale_token_accepted")

    def test_what_is_refused_as_the_matrix_says_is_no_fault(self):
        self.after_the_release("touch", "STALE")
        self.says()

    def test_wrong_state_a_refusal_that_the_matrix_does_not_have(self):
        self.after_the_release("touch", "NOT_FOUND")
        self.says("wrong_state")

    def test_wrong_state_a_result_counts_that_its_sender_was_refused(self):
        number = self.first("submit_ok", code="OK")["assignment"]
        for h in self.all("submit_ok", assignment=number):
            h["code"] = "STALE"
        self.says("wrong_state")

    def test_wrong_state_a_task_is_done_without_a_result(self):
        e = self.events("SUBMITTED")[-1]
        self.becomes_nothing(e)
        self.accuses_of("wrong_state")

    def test_unfinished_a_unit_came_to_no_end(self):
        self.events("UNITS_DONE")[0]["data"]["units"][:2] = []
        self.accuses_of("unfinished")

    def test_a_history_that_was_taken_out_without_its_events_is_no_good_one(self):
        self.history = [h for h in self.history if h["op"] != "event"]
        self.assertIn("untold: no event was taken out", judges.whole(self.history).wrong)

    def test_an_event_that_is_not_translated_or_not_known_is_no_good_history(self):
        for number, said in ((TYPES["SHIFT"], "SHIFT, which nothing here can cause"), (TYPES["HANDOVER"], "HANDOVER, which"), (9999, "of type 9999, which docs/events.md does not have")):
            with self.subTest(said):
                self.first("event", type=TYPES["ROSTER_CURRENT"])["type"] = number
                self.assertIn(said, judges.whole(self.history).wrong[0])
                self.setUp()

    def test_each_event_of_the_catalogue_is_translated_or_refused_or_sums_up_others(self):
        for name in facts.NAMES.values():
            self.assertEqual([name in facts.UNTRANSLATED, name in facts.PLAIN, name in facts.OF_UNITS, hasattr(facts.Facts, "on_" + name.lower())].count(True), 1, name)

    def test_times_are_not_judged_where_the_clock_was_set(self):
        had = judges.whole(self.history).sums()
        self.assertEqual(had["histories without times"], 0)
        self.events("TASKS_WAITING")[0]["data"]["due"] += 3600 * 1000000
        self.history.append({"op": "clock", "ahead_us": 0})
        self.says()
        sums = judges.whole(self.history).sums()
        self.assertEqual(sums["histories without times"], 1)
        self.assertEqual((sums["refusals judged"], sums["refusals left out"]), (0, had["refusals judged"] + had["refusals left out"]))

    def test_a_refusal_that_is_judged_is_counted_and_so_is_one_that_is_left_out(self):
        had = judges.whole(self.history).sums()
        self.after_the_release("touch", "STALE")
        number = self.history[self.released()]["assignment"]
        acts = [h for h in self.history if h["op"] == "act" and h["assignment"] == number]
        self.history.insert(self.history.index(acts[0]), dict(acts[0], what="bury"))  # and one that was under way when it was released
        self.history.insert(self.released() + 1, {"op": "act_ok", "what": "bury", "assignment": number, "code": "STALE", "heard_us": 1 << 60})
        sums = judges.whole(self.history).sums()
        self.assertEqual((sums["refusals judged"] - had["refusals judged"], sums["refusals left out"] - had["refusals left out"]), (1, 1))


class OfAnAgent(Case):
    make = staticmethod(of_an_agent)

    def test_what_happened_gets_no_verdict_of_either_judge(self):
        judged = judges.whole(self.history)
        self.assertEqual(judged.wrong, [])
        self.assertEqual(judged.same["results_counted"], 2 * crash.AGENT_UNITS)
        self.assertGreater(len(self.all("shown")), 0)

    def test_not_eligible_a_robot_does_what_is_for_people(self):
        for w in self.first("staff")["workers"]:
            w["kind"] = 1
        self.says("not_eligible")

    def test_not_eligible_nobody_is_signed_in(self):
        for e in self.events("WORKERS_PRESENT"):
            e["data"]["in"] = []
        self.accuses_of("not_eligible")

    def test_bytes_differ_in_what_a_robot_is_known_to_have_said(self):
        self.first("tried", station="first")["result"] += "."
        self.accuses_of("bytes_differ")


class OfTwoAgents(Case):
    """Each of them is judged, and each producer: what is changed is of the second one."""
    make = staticmethod(of_two_agents)

    def setUp(self):
        self.histories = copy.deepcopy(self.made)
        self.history = self.histories[1]

    def judged(self):
        return judges.same_checker(facts.of(*self.histories))

    def test_what_happened_gets_no_verdict_of_either_judge(self):
        judged = judges.whole(*self.histories)
        self.assertEqual(judged.wrong, [])
        self.assertEqual((judged.acknowledged, judged.same["units"], judged.same["results_counted"]), (40, 40, 80))
        self.assertEqual({w.split("-")[0] for history in self.histories for w in [h["worker"] for h in history if h["op"] == "kept"]}, {"nairobi", "kisumu"})
        self.assertEqual(len({h["producer"] for history in self.histories for h in history if h["op"] == "run"}), 2)

    def test_lost_a_row_that_the_second_producer_was_promised(self):
        key = self.first("end")["key"]
        for h in self.all("end", key=key) + self.all("story", key=key):
            self.history.remove(h)
        self.accuses_of("lost")
        self.assertIn("was acknowledged as unit", "".join(judges.whole(*self.histories).wrong))

    def test_lost_a_result_that_the_second_agent_called_kept(self):
        kept = next(h for h in self.all("kept") if h["worker"].startswith("kisumu"))
        kept["result"] += "."
        self.assertIn("was promised to be brought in", "".join(judges.whole(*self.histories).wrong))

    def test_fifo_rows_of_the_second_producer_lie_in_another_order(self):
        puts = self.all("put")
        puts[0]["key"], puts[1]["key"], puts[0]["value"], puts[1]["value"] = puts[1]["key"], puts[0]["key"], puts[1]["value"], puts[0]["value"]
        self.says("fifo")

    def test_not_eligible_a_worker_of_the_second_agent_lacks_the_skill(self):
        staff = [h for history in self.histories for h in history if h["op"] == "staff"]
        staff[1]["workers"][0]["skills"] = {}
        self.says("not_eligible")

    def test_untold_who_works_at_the_second_agent(self):
        staff = [h for history in self.histories for h in history if h["op"] == "staff"]
        staff[1]["workers"] = []
        self.assertIn("untold: who kisumu-", "".join(judges.whole(*self.histories).wrong))


class WhatIsKnown(unittest.TestCase):
    def test_who_joined_again_was_known_since_he_joined_in_that_session(self):
        events = [("HUB_SESSION", {"hub": 1, "session": 5, "connected": 1}), ("ROSTER_WORKERS", {"hub": 1, "joined": [[7, "ann"]], "left": []}),
                  ("HUB_SESSION", {"hub": 1, "session": 6, "connected": 1}), ("ROSTER_WORKERS", {"hub": 1, "joined": [], "left": [7]}),
                  ("ROSTER_WORKERS", {"hub": 1, "joined": [[7, "ann"]], "left": []})]
        stream = facts.Stream([facts.Event({"seq": i, "type": TYPES[name], "wall_us": i, "data": data}) for i, (name, data) in enumerate(events, 1)])
        for session, known in ((5, 2), (6, 5)):
            told = types.SimpleNamespace(history=[{"op": "session", "hub": "h", "session": session, "workers": {"ann": 7}},
                                                  {"op": "credit", "session": session, "totals": [[7, 3]]}])
            self.assertEqual(facts.Between(told, stream, True).pending, [(known, f"GRANT session={session} worker=7 count=3")])

    def test_who_reads_the_clocks_and_is_held_up_reads_them_again(self):
        for reads, ahead_us in ((1, 915000), (5, 900000)):
            now, held_up = 0, iter([0, 30000000, 0, 0, 0, 40000000] + [0] * 100)

            def read(which, held_up=held_up):
                nonlocal now
                now += 1000 + next(held_up)
                return now + (900000000 if which == time.CLOCK_REALTIME else 0)
            with unittest.mock.patch.object(time, "clock_gettime_ns", read):
                self.assertEqual(crew.clock(reads), {"op": "clock", "ahead_us": ahead_us})


class TheProgram(unittest.TestCase):
    def test_one_that_ends_as_if_there_was_a_verdict_and_has_none_is_noticed(self):
        for script in ("echo '{}'; exit 1", "echo 'fifo 1: x'; echo '{}'; exit 0", "exit 0", "exit 1", "echo '{}'; kill -9 $$"):
            with self.subTest(script), tempfile.NamedTemporaryFile("w", suffix=".sh") as f:
                f.write("cat > /dev/null\n" + script)
                f.flush()
                with unittest.mock.patch.object(judges, "program", lambda f=f: ["/bin/sh", f.name]), self.assertRaisesRegex(AssertionError, "the judge ended with"):
                    judges.same_checker(["STEP"])

    def test_a_line_that_is_no_fact_is_named(self):
        for line in ("RUM run=1", "RUN run", "RUN ran=1", "RUN run=x", "RUN run=-1", "RUN state=4294967296", "WORKER level=1,2,3,4,5", "RUN flag=2", ""):
            with self.assertRaises(AssertionError) as e:
                judges.same_checker(["STEP", line])
            self.assertIn("line 2 is no fact: " + line, str(e.exception))


if __name__ == "__main__":
    unittest.main()
