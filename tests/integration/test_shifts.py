"""Shifts with real programs: a hub file's local times reach the broker, people get work on shift only, what was not begun goes to the next hub, a reload
drops nothing, and what cannot be is refused with a sentence that says what to do."""
import datetime
import json
import os
import re
import time
import unittest
import zoneinfo

import zmq

import harness
import sunline_wire as wire
from test_agent import PEOPLE_LINE

ALONE = False  # tests/run

HUB = """hub: {name}
zone: {zone}
broker: {{agents}}
data: {{data}}
{shifts}
workers:
  - {{id: {worker}, skills: {{english: 3}}{more}}}
"""


def span(zone, from_s, to_s):
    """A shift around now in the local time of the zone, as an extra span of one date; seconds from now are rounded down to minutes."""
    now = time.time() // 60 * 60
    first = datetime.datetime.fromtimestamp(now + from_s, zoneinfo.ZoneInfo(zone))
    end = datetime.datetime.fromtimestamp(now + to_s, zoneinfo.ZoneInfo(zone))
    return "shifts:\n  turn: {extra: {%s: %s-%s}}" % (first.date(), first.strftime("%H:%M"), end.strftime("%H:%M"))


ON, OVER, LATER = (-3600, 6 * 3600), (-7200, -3600), (3600, 6 * 3600)


class Shifts(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.world.broker()
        self.world.sunline("line", "apply", self.world.write("judge.yml", PEOPLE_LINE))
        self.context = zmq.Context.instance()

    def hub(self, name, zone, worker, when, wait=True):
        more = ", shift: turn" if when else ""
        text = HUB.format(name=name, zone=zone, worker=worker, shifts=span(zone, *when) if when else "", more=more)
        agent = self.world.agent(name, text)
        if wait:
            agent.wait_log("session-up")
        return agent

    def rewrite(self, agent, name, zone, worker, when):
        with open(agent.argv[2], encoding="utf-8") as f:
            data = [line for line in f if line.startswith(("broker:", "data:"))]
        text = HUB.format(name=name, zone=zone, worker=worker, shifts=span(zone, *when), more=", shift: turn")
        lines = [line for line in text.splitlines() if not line.startswith(("broker:", "data:"))]
        with open(agent.argv[2], "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n" + "".join(data))
        agent.signal(1)

    def screen(self, agent, worker):
        endpoint = "ipc://" + agent.data + "/local.sock"
        s = self.context.socket(zmq.DEALER)
        s.setsockopt(zmq.LINGER, 0)
        s.connect(endpoint)
        self.addCleanup(s.close)

        def ask(verb, **more):
            s.send(json.dumps({"verb": verb, "worker": worker, "id": verb, **more}).encode())
            while True:
                self.assertTrue(s.poll(20000), verb)
                answer = json.loads(s.recv())
                if answer.get("id") == verb:
                    return answer
        return ask

    def units(self, n):
        path = self.world.write("t.csv", "text\n" + "a\n" * n)
        self.world.sunline("run", "start", "judge", "--name", "r", "--input", path)

    def why(self, worker):
        return self.world.sunline("--json", "worker", "why", worker).json()

    def test_off_shift_nothing_comes_and_the_answer_says_until_when(self):
        agent = self.hub("pokhara", "Asia/Kathmandu", "asha", LATER)
        self.units(2)
        ask = self.screen(agent, "asha")
        ask("sign_in")
        self.world.wait(lambda: self.world.sunline("--json", "worker", "show", "asha").json()["signed_in"], 10, "the grant")
        figures = self.world.sunline("--json", "stats").json()
        self.assertEqual((figures["workers_signed_in"], figures["workers_on_shift"], figures["by_hub"]["pokhara"]["on_shift"]), (1, 0, 0))
        answer = ask("next")
        self.assertIsNone(answer["task"])
        self.assertEqual(answer["why"]["code"], 8)
        self.assertRegex(answer["why"]["text"], r"^off shift until 20\d\d-\d\d-\d\d \d\d:\d\d UTC \(shift turn\)$")
        self.assertEqual(self.why("asha")["why"], "OFF_SHIFT")
        shown = self.world.sunline("hub", "show", "pokhara").out
        self.assertRegex(shown, r"turn +Asia/Kathmandu +1 +off until \w{3} 20\d\d-\d\d-\d\d \d\d:\d\d \+05:45 \(.*\d\d:\d\d UTC\)")
        row = self.world.sunline("--json", "worker", "show", "asha").json()["shift"]
        self.assertEqual((row["name"], row["zone"], row["on"]), ("turn", "Asia/Kathmandu", False))
        self.assertAlmostEqual(row["change_wall_us"] / 1e6, time.time() + 3600, delta=130)
        out = self.world.sunline("work", "--hub", agent.data, "--worker", "asha", "--once", input="", timeout_s=30).out
        self.assertIn("no work just now: off shift until", out)

    def test_what_a_shift_has_not_begun_goes_to_the_next_hub_by_itself(self):
        first = self.hub("pokhara", "Asia/Kathmandu", "asha", ON)
        second = self.hub("medellin", "America/Bogota", "luz", None)
        self.units(2)
        ask = self.screen(first, "asha")
        ask("sign_in")
        begun = ask("next", wait_ms=20000)["task"]["assignment"]
        ask("start", assignment=begun)
        self.world.wait(lambda: self.world.sunline("--json", "worker", "show", "asha").json()["holding"] == 2, 10, "the one behind it")
        other = self.screen(second, "luz")
        other("sign_in")
        self.assertIsNone(other("next")["task"])
        self.rewrite(first, "pokhara", "Asia/Kathmandu", "asha", OVER)
        task = other("next", wait_ms=20000)["task"]
        self.assertIsNotNone(task)
        events = self.world.sunline("events", "--topic", "hub/pokhara").out
        self.assertRegex(events, r"HANDOVER\t.*returned=1\tstarted=1")
        told = self.world.sunline("--json", "events").json_lines()
        back = next(e for e in told if e["event"] == "RETURNED")
        taken = next(e for e in told if e["event"] == "ASSIGNED" and e["seq"] > back["seq"])
        self.assertLess(taken["wall_us"] - back["wall_us"], 1000000, "the next hub takes over within a second")
        self.assertTrue(ask("submit", assignment=begun, values={"follows": "yes"})["ok"])
        self.world.wait(lambda: "COUNTED" in self.world.sunline("unit", "show", "r/1").out.upper(), 10, "what was begun to count")

    def test_when_a_shift_ends_the_next_hub_has_its_work_within_a_second(self):
        def ready(hub, worker, times):
            agent = wire.Agent(self.broker.endpoints["agents"], hub)
            self.addCleanup(agent.close)
            agent.hello()
            if times:
                agent.shifts({"turn": [times]})
            row = {"name": worker, "kind": 0, "capacity": 20, "skills": [{"name": "english", "level": 3}]}
            agent.roster([dict(row, shift="turn") if times else row])
            return agent
        # Before the end nothing is given that would not fit, by what the last twenty or more took: these take no time.
        self.units(25)
        quick = ready("accra", "ama", None)
        quick.credit({"ama": 20})
        for a in quick.assignments(20):
            self.assertEqual(quick.start(a), "OK")
            self.assertEqual(quick.submit([quick.result(a, ["yes", None])])["ok"], 1)
        quick.bye()
        now = time.time_ns() // 1000
        end = now + 2500000
        day = ready("pokhara", "asha", (now - 3600000000, end))
        night = ready("medellin", "luz", (end - 1000, now + 3600000000))
        day.credit({"asha": 5})
        held = day.assignments(5)
        self.assertEqual(day.start(held[0]), "OK")
        night.credit({"luz": 5})
        got = night.assignments(4, timeout_s=20)
        self.assertEqual(len(day.recalled) if day.heartbeat() else 0, 4)
        self.assertEqual({code for _, code in day.recalled}, {6})
        told = self.world.sunline("--json", "events").json_lines()
        over = next(e for e in told if e["event"] == "HANDOVER")
        self.assertEqual((over["data"]["returned"], over["data"]["started"]), (4, 1))
        taken = [e["wall_us"] for e in told if e["event"] == "ASSIGNED" and e["seq"] > over["seq"]]
        self.assertGreaterEqual(min(taken), end)
        self.assertLess(max(taken) - end, 1000000, "the next hub takes over within a second of the shift's end")
        self.assertEqual({a["worker"] for a in got}, {night.workers["luz"]})
        self.assertEqual(day.submit([day.result(held[0], ["yes", None])])["ok"], 1)

    def test_a_reload_drops_nothing_in_hand(self):
        agent = self.hub("pokhara", "Asia/Kathmandu", "asha", ON)
        self.units(2)
        ask = self.screen(agent, "asha")
        ask("sign_in")
        ask("next", wait_ms=20000)
        self.world.wait(lambda: self.world.sunline("--json", "worker", "show", "asha").json()["holding"] == 2, 10, "both")
        self.rewrite(agent, "pokhara", "Asia/Kathmandu", "asha", (-3000, 5 * 3600))
        agent.wait_log("reload workers=1")
        self.world.wait(lambda: self.world.sunline("--json", "worker", "show", "asha").json()["shift"]["change_wall_us"] / 1e6
                        < time.time() + 5 * 3600 + 60, 10, "the new times")
        self.assertEqual(self.world.sunline("--json", "worker", "show", "asha").json()["holding"], 2)
        self.assertNotIn("RETURNED", self.world.sunline("events").out)

    def test_a_worker_on_two_rosters_is_named_with_the_hub_that_has_it(self):
        first = self.hub("pokhara", "Asia/Kathmandu", "asha", None)
        second = self.hub("medellin", "America/Bogota", "asha", None)
        said = second.wait_log("worker-elsewhere.*")[0]
        self.assertIn('hub="pokhara"', said)
        self.assertIn("take it off one of the two", said)
        ask = self.screen(second, "asha")
        self.assertEqual(ask("sign_in")["error"], "ELSEWHERE")
        with open(first.argv[2], encoding="utf-8") as f:  # and that is how it is mended
            text = f.read()
        with open(first.argv[2], "w", encoding="utf-8") as f:
            f.write(text.replace("id: asha", "id: bina"))
        first.signal(1)
        self.world.wait(lambda: self.world.sunline("worker", "show", "asha", status=None).status != 0, 10, "pokhara to let her go")
        second.signal(1)
        self.world.wait(lambda: ask("sign_in").get("ok"), 10, "work in medellin")

    def test_a_clock_that_is_off_by_more_than_two_minutes_is_refused_with_how_to_mend_it(self):
        agent = wire.Agent(self.broker.endpoints["agents"], "accra", zone="Africa/Accra")
        self.addCleanup(agent.close)
        for off_s, words in ((125, "ahead of"), (-125, "behind")):
            with self.assertRaises(wire.SunlineError) as caught:
                agent.hello(wall_us=time.time_ns() // 1000 + off_s * 1000000)
            self.assertEqual(caught.exception.code, "CLOCK_OFF")
            self.assertIn(words, str(caught.exception))
            self.assertIn("set it by NTP", str(caught.exception))
        agent.hello(wall_us=time.time_ns() // 1000 + 60 * 1000000)
        with self.assertRaises(wire.SunlineError) as caught:  # and later, too
            agent.request("heartbeat", 10, session=agent.session, last_push=0, held=0, wall_us=time.time_ns() // 1000 + 125 * 1000000)
        self.assertEqual(caught.exception.code, "CLOCK_OFF")
        self.assertRegex(str(caught.exception), "12[45] s ahead of the broker's: set it by NTP; until then it begins no work")
        agent.heartbeat()

    def skewed(self, name, worker, skew_s):
        """A real agent on a machine whose wall clock is wrong by so much; the clock can be set by writing NAME.skew."""
        text = HUB.format(name=name, zone="Africa/Accra", worker=worker, shifts="", more="")
        agent = self.world.agent(name, text, start=False)
        agent.env = {"LD_PRELOAD": harness.program("torture/skew.so"), "SKEW_FILE": self.world.write(name + ".skew", str(skew_s))}
        return agent.start()

    def test_an_agent_on_a_machine_with_a_wrong_clock_ends_and_says_what_to_do(self):
        for skew_s, words in ((150, "ahead of"), (-150, "behind")):
            agent = self.skewed("accra%d" % (skew_s > 0), "ama%d" % (skew_s > 0), skew_s)
            self.assertEqual(agent.wait_end(), 1)
            last = agent.log().splitlines()[-1]
            self.assertRegex(last, r"must-stop code=CLOCK_OFF .*(149|15\d) s %s the broker's: set it by NTP" % words)
            self.world.write(agent.name + ".skew", "0")  # and that is how it is mended
            agent.start().wait_log("session-up")

    def test_a_clock_that_is_set_wrong_at_work_stops_the_hub_until_it_is_right_again(self):
        agent = self.skewed("accra", "ama", 0)
        agent.wait_log("session-up")
        self.units(3)
        ask = self.screen(agent, "ama")
        ask("sign_in")
        begun = ask("next", wait_ms=20000)["task"]["assignment"]
        ask("start", assignment=begun)
        self.world.write("accra.skew", "3600")
        agent.wait_log("clock-off.*", timeout_s=40)
        self.assertEqual(self.why("ama")["why"], "HUB_CLOCK_OFF")
        self.assertIn("set it by NTP", self.world.sunline("worker", "why", "ama").out)
        self.assertTrue(ask("submit", assignment=begun, values={"follows": "yes"})["ok"])
        self.assertIsNone(ask("next")["task"])
        self.world.write("accra.skew", "0")
        self.assertIsNotNone(ask("next", wait_ms=40000)["task"])
        self.assertIn("COUNTED", self.world.sunline("unit", "show", "r/1").out.upper())

    def at_work_around_now(self, clock):
        """A hub in Kathmandu whose only worker is on shift for twelve hours each day, around now, under these clocks; its screen, and its worker's row."""
        now = datetime.datetime.now(zoneinfo.ZoneInfo("Asia/Kathmandu"))
        hours = [(now + datetime.timedelta(hours=h)).strftime("%H:%M") for h in (-6, 6)]
        text = HUB.format(name="pokhara", zone="Asia/Kathmandu", worker="asha", more=", shift: day",
                          shifts="shifts:\n  day: {week: {mon-sun: %s-%s}}" % tuple(hours))
        agent = self.world.agent("pokhara", text, start=False)
        agent.env = clock
        agent.start().wait_log("session-up")
        ask = self.screen(agent, "asha")
        ask("sign_in")
        row = lambda: self.world.sunline("--json", "worker", "show", "asha").json()
        self.world.wait(lambda: row()["signed_in"] and row()["shift"]["on"], 10, "the shift")
        return ask, row

    def test_an_agent_that_runs_longer_than_the_days_it_told_keeps_the_brokers_copy_current(self):
        clock = {"LD_PRELOAD": harness.program("torture/skew.so"), "SKEW_FILE": self.world.write("skew", "0 0")}
        self.broker.stop()
        self.broker.env = clock
        self.broker.start()
        ask, row = self.at_work_around_now(clock)
        passed_s = 10 * 86400  # more than the 9 that are told at most
        self.world.write("skew", "%d %d" % (passed_s, passed_s))
        then = time.time() + passed_s
        self.world.wait(lambda: row()["shift"]["on"] and row()["shift"]["change_wall_us"] / 1e6 > then, 40, "the shift of the tenth day")
        self.units(1)
        ask("sign_in")
        self.assertIsNotNone(ask("next", wait_ms=20000)["task"])

    def test_when_the_zone_database_changes_the_agent_sees_it_within_a_quarter_of_an_hour(self):
        def zone_file(name):
            with open(os.path.join(os.environ.get("TZDIR", "/usr/share/zoneinfo"), name), "rb") as f:
                return self.world.write("zones/Asia/Kathmandu", f.read())
        zone_file("Asia/Kathmandu")
        _, row = self.at_work_around_now({"LD_PRELOAD": harness.program("torture/skew.so"), "SKEW_FILE": self.world.write("skew", "0 0"),
                                          "TZDIR": self.world.path("zones")})
        ends_us = row()["shift"]["change_wall_us"]
        zone_file("Asia/Dhaka")  # 06:00 ahead of UTC, no longer 05:45
        self.world.write("skew", "0 901")
        self.world.wait(lambda: row()["shift"]["change_wall_us"] == ends_us - 900 * 1000000, 40, "an end a quarter of an hour earlier")

    def test_limits_hold_are_told_and_change_with_the_file(self):
        limited = PEOPLE_LINE.replace("  - name: judge\n", "  - name: judge\n    at_once: 3\n")
        self.world.sunline("line", "apply", self.world.write("judge.yml", limited))
        text = HUB.format(name="pokhara", zone="Asia/Kathmandu", worker="asha", shifts="", more=", capacity: 9, per_day: 2")
        agent = self.world.agent("pokhara", text)
        agent.wait_log("session-up")
        other = self.hub("medellin", "America/Bogota", "luz", None)
        self.units(9)
        self.screen(agent, "asha")("sign_in")
        worker = lambda name: self.world.sunline("--json", "worker", "show", name).json()
        self.world.wait(lambda: worker("asha")["today"] == 2, 10, "the two of her day")
        self.assertEqual((worker("asha")["per_day"], worker("asha")["holding"]), (2, 2))
        answer = self.why("asha")
        self.assertEqual(answer["why"], "DAY_FULL")
        begins = datetime.datetime.strptime(re.search(r"begins at (.*) UTC", answer["text"])[1], "%Y-%m-%d %H:%M")
        local = begins.replace(tzinfo=datetime.timezone.utc).astimezone(zoneinfo.ZoneInfo("Asia/Kathmandu"))
        self.assertEqual((local.hour, local.minute), (0, 0))
        self.assertIn("2 of 2", self.world.sunline("worker", "show", "asha").out)
        self.screen(other, "luz")("sign_in")
        self.world.wait(lambda: worker("luz")["holding"] == 1, 10, "the one that is left of three")
        self.assertEqual(self.why("luz")["why"], "STATION_FULL")
        self.assertIn("3 of 3 at once", self.world.sunline("station", "show", "judge/judge").out)
        row = self.world.sunline("--json", "station", "show", "judge/judge@2").json()
        self.assertEqual((row["at_once"], row["in_hand"], row["per_day"]), (3, 3, None))
        self.world.sunline("line", "apply", self.world.write("judge.yml", PEOPLE_LINE))
        self.world.wait(lambda: worker("luz")["holding"] == 2, 10, "one more, without the limit")
        with open(agent.argv[2], encoding="utf-8") as f:
            text = f.read()
        with open(agent.argv[2], "w", encoding="utf-8") as f:
            f.write(text.replace("per_day: 2", "per_day: 4"))
        agent.signal(1)
        self.world.wait(lambda: worker("asha")["today"] == 4, 10, "two more a day")

    def test_check_prints_the_days_ahead_in_local_time_and_in_utc(self):
        path = self.world.write("hub.yml", "hub: a\nzone: Asia/Kathmandu\nshifts:\n  day: {week: {mon-sun: 09:00-17:00}}\nworkers:\n  - {id: x, shift: day}\n")
        done = harness.subprocess.run([harness.program("sunline-agent"), "--check", "--config", path], capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[1], "shift day, Asia/Kathmandu, 1 worker: mon-sun 09:00-17:00")
        self.assertGreaterEqual(len(lines), 10)
        for line in lines[2:]:
            self.assertRegex(line, r"^  \w{3} 20\d\d-\d\d-\d\d 09:00 \(\d\d 03:15 UTC\) to \w{3} 20\d\d-\d\d-\d\d 17:00 \(\d\d 11:15 UTC\)$")


if __name__ == "__main__":
    unittest.main()
