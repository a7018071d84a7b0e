"""The stream tells everything: from its events alone, from the beginning or from a snapshot, the state of a broker is rebuilt and compared with
what it says. A random world: lines of several shapes, three hubs whose workers do all that a worker may do, an operator who pauses, cancels,
deletes, requeues and drops, and a broker that is killed twice. It begins with a script, so that every type of event comes."""
import os
import random
import sys
import time

ALONE = False  # tests/run

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", "lib"), os.path.join(TOP, "tests", "integration")]
import harness  # noqa: E402
import rebuild  # noqa: E402
import sunline_wire as wire  # noqa: E402
import test_events_document  # noqa: E402

CATALOGUE = test_events_document.catalogue()
FORM = {"title": "Echo", "fields": [{"name": "loud", "type": "short_answer", "required": True}]}


def station(name, **more):
    return {"name": name, "type": "work", "attempts": 2, "backoff": "1s", "form": FORM, **more}


LINES = {
    "echo": [station("say"), station("check", after=["say"], when="say.loud == 'again'")],
    "fan": [station("a"), station("b", after=["a"]), station("c", after=["a"], when="a.loud == 'again'"), station("d", after=["b", "c"])],
    "one": [station("only", attempts=1)],
    "hasty": [station("fast", lease="1s", attempts=3)],
    "copies": [station("judge", copies={"min": 2, "max": 4}, agree={"method": "plurality", "ties": "more"}),
               station("sure", copies={"min": 2}, agree={"method": "plurality", "ties": "fail"}, when="judge.confidence < 0.9")],
    "reviewed": [station("write"), {"name": "edit", "type": "improve", "reasons": ["bad"], "rounds": 2, "return_to_author": "1s"}, station("print", after=["write"])],
    "contest": [station("pick", type="tournament", contestants=2, jury={"max": 3, "ties": "review"}, auto_judge={"equal": 2}), station("use", after=["pick"])],
}
WIDE = [station("one-of-many-stations-whose-names-fit-no-event-together-%d" % i, after=[]) for i in range(60)]  # in no run
PICKED = [station("pick", type="tournament", contestants=2, jury={"max": 1, "ties": "first"})]
SCRIPTED = [station("judge", copies={"min": 2, "max": 3}, agree={"method": "plurality", "ties": "more"}), station("check", after=["judge"], when="judge.loud == 'again'")]
REVIEWED = [station("write"), {"name": "edit", "type": "improve", "reasons": ["bad"]}]
WORDS = ["x", "again", "loud"]


class RandomWorld:
    """Does something random, again and again, to a broker and its hubs."""

    def __init__(self, broker, seed):
        self.random = random.Random(seed)
        self.broker = broker
        self.client = wire.Client(broker.endpoints["clients"])
        self.agents = [wire.Agent(broker.endpoints["agents"], "hub-%d" % i) for i in range(3)]
        self.player = wire.Agent(broker.endpoints["agents"], "hub-of-the-script")
        self.runs, self.held, self.answers, self.returned = {}, [], {}, []
        self.said_hello, self.on, self.types = set(), {}, {}

    def close(self):
        self.client.close()
        for a in self.agents + [self.player]:
            a.close()

    def begin(self):
        for name, stations in LINES.items():
            self.client.request("line_apply", definition={"line": name, "input": [{"name": "text", "type": "text"}], "stations": stations})
        self.script()
        for i, a in enumerate(self.agents):
            a.hello()
            self.turn_shift(a)
            a.roster([self.worker(i, k) for k in range(3)])

    def script(self):
        """What chance may leave out: with this every type of event comes, before any other hub is there."""
        r, a = self.client.request, self.player
        for name, stations in (("scripted", SCRIPTED), ("wide", WIDE), ("scripted-review", REVIEWED), ("picked", PICKED)):
            r("line_apply", definition={"line": name, "input": [{"name": "text", "type": "text"}], "stations": stations})
        self.juries = {s["station_id"] for s in r("stations_get")["rows"] if s["name"].endswith(".jury")}
        a.hello()
        a.shifts({"night": []})
        a.roster([{"name": "s%d" % i, "kind": 0, "capacity": 9, "skills": [], **({"shift": "night"} if i == 4 else {})} for i in range(5)])
        run = r("run_start", line="scripted", name="scripted-run")["run_id"]

        def taken(i):
            a.credit({"s%d" % i: 1})
            return a.assignments(1)[0]

        def done(outcomes):
            assert outcomes["ok"] == 1, outcomes

        def answer(assignment, word):
            done(a.submit([a.result(assignment, [word])]))
            self.answers[assignment["assignment"]] = word

        def verdict(assignment, word, reason=None):
            done(a.submit([a.result(assignment, [None, word, None, reason])]))
            self.answers[assignment["assignment"]] = None

        def ready():
            return {s["name"]: s["ready"] for s in r("run_get", run="scripted-run")["stations"]}["judge"]
        r("put", run_id=run, rows=[["x"]])
        first = taken(0)
        done(a.acts([a.act("release", first)]))
        second = taken(1)
        done(a.acts([a.act("start", second)]))
        assert ready() == 1  # for one more: his who comes too late, and holds the task by it
        answer(first, "x")
        assert ready() == 0
        answer(second, "loud")
        assert ready() == 1  # no agreement: another is asked
        answer(taken(2), "x")
        r("put", run_id=run, rows=[["x"]])
        done(a.acts([a.act("bury", taken(3), reason="so")]))
        r("put", run_id=run, rows=[["x"]], delay_us=1000)
        r("tasks_set", station_id=r("run_get", run="scripted-run")["stations"][0]["station_id"], run="scripted-run", units=[2], action=1, reason="because")
        r("run_set", run="scripted-run", action=["close", "pause", "resume", "cancel"].index("cancel"))
        reviewed = r("run_start", line="scripted-review", name="scripted-review-run")["run_id"]
        r("put", run_id=reviewed, rows=[["x"]])
        answer(taken(0), "x")
        verdict(taken(1), "reject", "bad")
        answer(taken(0), "loud")
        verdict(taken(2), "accept")
        picked = r("run_start", line="picked", name="picked-run")["run_id"]
        r("put", run_id=picked, rows=[["x"]])
        answer(taken(0), "x")
        answer(taken(1), "loud")
        answer(taken(2), "1")
        for action in (0, 1):
            r("line_set", line="scripted", action=action)
            r("station_set", line="scripted", station="judge", action=action)
        now, hour = time.time_ns() // 1000, 3600 * 1000000
        a.shifts({"night": [(now - hour, now + hour)]})
        a.shifts({"night": []})
        self.trusted(r, a)
        a.bye()

    def trusted(self, r, a):
        """A control task is answered wrong, which suspends; so the answer that he gave before is void. An operator grants a skill."""
        gold = {"every": 2, "columns": ["text", "loud"], "cells": ["gold", "yes"], "rules": [{"below": 0.5, "after": 1, "do": "suspend"}]}
        r("line_apply", definition={"line": "trusted", "input": [{"name": "text", "type": "text"}], "stations": [
            station("judge", copies={"min": 3}, agree={"method": "plurality", "ties": "first"}, gold=gold)]})
        run = r("run_start", line="trusted", name="trusted-run")["run_id"]
        r("put", run_id=run, rows=[["x"]] * 3)
        a.roster([{"name": "s%d" % i, "kind": 0, "capacity": 9, "skills": []} for i in range(5)])
        for who, n in (("s0", 2), ("s1", 4), ("s2", 4), ("s3", 4)):
            for _ in range(n):
                before = len(a.pushed)
                a.credit({who: 1})
                while len(a.pushed) == before and a.pump(0.3):
                    pass
                if len(a.pushed) == before:
                    break
                assignment = a.pushed[-1]
                right = "yes" if assignment["fields"] == ["gold"] and who != "s0" else "no"
                a.submit([a.result(assignment, [right])])
                self.answers[assignment["assignment"]] = right
        r("worker_set", name="s4", action=2, skill="law", level=2)
        r("run_set", run="trusted-run", action=["close", "pause", "resume", "cancel"].index("cancel"))

    @staticmethod
    def worker(hub, k):
        return {"name": "w%d-%d" % (hub, k), "kind": 0, "capacity": 9, "skills": [], **({"shift": "day"} if k == 2 else {})}

    def turn_shift(self, a):
        """The third worker of each hub works by a shift: it begins, or it ends."""
        now, hour = time.time_ns() // 1000, 3600 * 1000000
        self.on[a.hub] = not self.on.get(a.hub, False)
        a.shifts({"day": [(now - hour, now + hour)] if self.on[a.hub] else []})

    def after_restart(self):
        for a in self.agents:
            mine = [x["assignment"] for agent, x in self.held if agent is a]
            a.pushed = []
            welcome = a.hello(held=mine)
            self.held = [(agent, x) for agent, x in self.held if agent is not a or x["assignment"] not in welcome["recalled"]]

    def gather(self):
        for a in self.agents:
            while a.pump(0):
                pass
            known = {x["assignment"] for _, x in self.held}
            self.held += [(a, x) for x in a.pushed if x["assignment"] not in known]
            a.pushed = []

    def step(self):
        self.random.choice([self.put] * 3 + [self.credit] * 5 + [self.work] * 14 + [self.operate] * 2 + [self.presence])()

    def put(self):
        if len(self.runs) < 6 and self.random.random() < 0.4:
            name = "run-%d" % self.random.randrange(10 ** 6)
            line = self.random.choice(sorted(LINES))
            self.runs[name] = self.client.request("run_start", line=line, name=name, priority=self.random.randrange(10))["run_id"]
        open_runs = [n for n in self.runs]
        if open_runs:
            try:
                self.client.request("put", run_id=self.runs[self.random.choice(open_runs)], rows=[[w] for w in self.random.choices(WORDS, k=self.random.randrange(1, 9))],
                                    delay_us=self.random.choice([0, 0, 0, 300000]))
            except wire.SunlineError as e:
                assert e.code in ("RUN_CLOSED", "NOT_FOUND"), e

    def credit(self):
        a = self.random.choice(self.agents)
        if a.session:
            a.credit({w: self.random.randrange(1, 4) for w in self.random.sample(sorted(a.workers), 2)})
            a.heartbeat()
        self.gather()

    def work(self):
        self.gather()
        if not self.held:
            return
        agent, a = self.held[self.random.randrange(len(self.held))]
        what = self.random.choice(["start"] * 4 + ["submit"] * 8 + ["release", "decline", "fail", "fail", "bury"])
        if self.returned and self.random.random() < 0.1:
            agent, a = self.random.choice(self.returned)  # somebody whose time was over sends his work all the same
            what = "submit"
        if what == "submit":
            word, values = self.random.choice(["1", "2"] if a["push"]["station_id"] in self.juries else WORDS), None
            if self.type_of(agent, a) == 1:  # a review: what it changes differs from any work
                word = self.random.choice([None, None, "better"])
                values = [word] + (["improve", None, None] if word else self.random.choice([["accept", "so", None], ["reject", "no", "bad"]]))
            answer = agent.submit([agent.result(a, values or [word])])
            code = answer["outcomes"][0]["code"] if answer["outcomes"] else "OK"
            assert code in ("OK", "LATE", "DUPLICATE", "NOT_FOUND"), code
            if code in ("OK", "LATE"):
                self.answers[a["assignment"]] = word
        else:
            answer = agent.acts([agent.act(what, a, **({"reason": "so"} if what in ("fail", "bury") else {}), **({"delay_us": 200000} if what == "fail" else {}))])
            code = answer["outcomes"][0]["code"] if answer["outcomes"] else "OK"
            assert code in ("OK", "DUPLICATE", "STALE", "NOT_FOUND"), (what, code)
            if what != "start":
                self.returned.append((agent, a))
        if what != "start":
            self.held = [(g, x) for g, x in self.held if x["assignment"] != a["assignment"]]

    def type_of(self, agent, a):
        station = a["push"]["station_id"]
        if station not in self.types:
            self.types[station] = agent.form(station)["type"]
        return self.types[station]

    def operate(self):
        if not self.runs:
            return
        name = self.random.choice(sorted(self.runs))
        what = self.random.choice(["pause", "resume", "resume", "close", "cancel", "delete", "priority", "requeue", "requeue_all", "drop", "drop_all", "station", "line", "version"])
        r = self.client.request
        try:
            if what in ("pause", "resume", "close", "cancel"):
                if what != "cancel" or self.random.random() < 0.3:
                    r("run_set", run=name, action=["close", "pause", "resume", "cancel"].index(what))
            elif what == "delete":
                if self.random.random() < 0.4:
                    r("run_set", run=name, action=4, force=True)
                    del self.runs[name]
            elif what == "priority":
                r("run_set", run=name, action=5, priority=self.random.randrange(10))
            elif what == "line":
                name = self.random.choice(sorted(LINES))
                r("line_set", line=name, action=0)
                r("line_set", line=name, action=1)
            elif what == "version":
                r("line_apply", definition={"line": "echo", "title": "echo %d" % self.random.randrange(10 ** 9), "input": [{"name": "text", "type": "text"}], "stations": LINES["echo"]})
            elif what == "station":
                line = self.random.choice(["fan", "echo"])  # of echo new versions come meanwhile
                s = self.random.choice(LINES[line])["name"]
                r("station_set", line=line, station=s, action=0)
                if self.random.random() < 0.85:
                    r("station_set", line=line, station=s, action=1)
            else:
                info = r("run_get", run=name)
                sid = self.random.choice(info["stations"])["station_id"]
                units = [self.random.randrange(1, info["run"][0]["units"] + 2) for _ in range(3)]
                everything = what.endswith("_all")
                of_run = {} if everything and self.random.random() < 0.3 else {"run": name}  # of all runs: one sweep
                r("tasks_set", station_id=sid, action=int(what.startswith("drop")), reason="because", units=None if everything else units, **of_run)
        except wire.SunlineError as e:
            assert e.code in ("BAD_STATE", "NOT_FOUND"), e

    def presence(self):
        a = self.random.choice(self.agents)
        if self.random.random() < 0.4:
            self.turn_shift(a)
        elif self.random.random() < 0.7:
            a.sign_off(self.random.sample(sorted(a.workers), 2))
            a.heartbeat()
        elif self.random.random() < 0.5:
            a.bye()
            a.pushed = []
            mine = [x["assignment"] for agent, x in self.held if agent is a]
            a.hello(held=mine)
        else:
            keep = [w for w in ("w%d-%d" % (self.agents.index(a), k) for k in range(3)) if self.random.random() < 0.8]
            i = self.agents.index(a)
            a.roster([self.worker(i, k) for k in range(3) if "w%d-%d" % (i, k) in keep])
            for w in [w for w in a.workers if w not in keep]:
                del a.workers[w]
            a.roster([self.worker(i, k) for k in range(3)])

    def rest(self):
        """Until no delay, sweep or lease moves anything by itself."""
        last = [0]

        def still():
            figures = self.client.request("stats_get")["figures"]
            for a in self.agents:
                a.heartbeat()
            at_rest = figures["sweeps_under_way"] == 0 and figures["tasks_waiting"] == 0 and figures["event_seq"] == last[0]
            last[0] = figures["event_seq"]
            return at_rest
        harness.wait(still, 30, "the broker to come to rest")


class Rebuilding(harness.Case):
    def live(self, seed, steps, during=lambda w, i: None):
        broker = self.world.broker(name="broker-%d" % seed)
        w = RandomWorld(broker, seed)
        self.addCleanup(w.close)
        w.begin()
        for i in range(steps):
            w.step()
            if i in (steps // 3, 2 * steps // 3):
                broker.kill()
                broker.start()
                w.after_restart()
            during(w, i)
        w.rest()
        return w

    def check_catalogue(self, w):
        """Every event has the keys that events.def gives its type, and stands in the streams that it names. Returns the types seen."""
        events, seen, page = {}, {}, {"more": True, "next_since": 1}
        while page["more"]:
            page = w.client.request("events_get", since=page["next_since"], limit=100)
            events.update((e["seq"], e) for e in page["events"])
        names = rebuild.event_names()
        for e in events.values():
            name = names[e["type"]]
            seen.setdefault(name, []).append(e["seq"])
            self.assertEqual(sorted(e["data"]), sorted(CATALOGUE[name][2]), name)
        for kind, listing, cursor in (("line", "lines_get", "name"), ("run", "runs_get", "run_id"), ("hub", "hubs_get", "name")):
            told = set()
            for row in w.client.pages(listing, cursor="after", key=cursor):
                stream = "%s/%s" % (kind, row["name"])
                page = w.client.request("events_get", since=1, stream=stream)
                self.assertFalse(page["more"])
                told.update(e["seq"] for e in page["events"])
                for e in page["events"]:  # those that came meanwhile aside
                    self.assertEqual(e, events.get(e["seq"], e))
            for name, seqs in seen.items():
                if kind not in CATALOGUE[name][1]:
                    self.assertEqual(told.intersection(seqs), set(), (kind, name))
                elif name != "SWEPT" and kind != "run":  # the streams of deleted runs went with them
                    self.assertEqual(set(seqs) - told, set(), (kind, name))
        return set(seen)

    def check(self, w, world):
        self.seen = self.check_catalogue(w)
        differences, seen = None, None
        while seen != world.seq:  # a lease may run out under the comparison
            rebuild.follow(w.client, world)
            differences, seen = rebuild.compare(w.client, world), w.client.request("info_get")["event_seq"]
        self.assertEqual(differences, [])
        self.assertGreater(len(world.assignments), 50)
        # what stands is what its worker said: the output has it, word for word
        for run in world.runs.values():
            if run.state == rebuild.RUN_DELETING:
                continue
            run_of = {r.name: n for n, r in world.runs.items()}
            numbers = {s["name"]: n for n, s in world.stations.items() if (s["line"], s["version"]) == (run.line, run.version)}
            by_result = {a.result: n for n, a in world.assignments.items() if a.result}
            out = w.client.request("output_get", run=run.name, all_units=True)
            for row in out["rows"]:
                told = dict(zip(out["columns"], row))
                unit = run.units[told["unit"]]
                for s in world.line_stations(run.line, run.version):
                    task = unit.tasks[s["index"]]
                    column = s["name"] + ".loud"
                    if column in told and "%s.decided" % s["name"] in told:
                        if told[s["name"] + ".decided"] is None:
                            self.assertIsNone(told[column])
                            continue
                        counted = [n for n, a in world.assignments.items()
                                   if (a.run, a.unit, a.state) == (run_of[run.name], told["unit"], rebuild.COUNTED) and a.station == numbers[s["name"]]]
                        self.assertIn(told[column], [w.answers[n] for n in counted], (run.name, told["unit"], column))
                        if s["name"] + ".jury" not in numbers:  # else they are votes
                            self.assertEqual(told[s["name"] + ".answers"], len(counted))
                    elif s["name"] == "edit":  # what it did not change is as the work is; so is what it passed by
                        if task.state in (rebuild.DONE, rebuild.SKIPPED):
                            self.assertEqual((task.result and w.answers[by_result[task.result]]) or told["write.loud"], told[column], (run.name, told["unit"], column))
                    elif column in told and task.state != rebuild.DONE:
                        self.assertIsNone(told[column])
                    elif column in told:
                        self.assertEqual(w.answers[by_result[task.result]] if task.result else None, told[column], (run.name, told["unit"], column))

    def test_from_the_first_event_on(self):
        self.check(self.live(1, 500), rebuild.World())
        self.assertEqual(set(CATALOGUE) - self.seen, set(), "every type of event came")

    def test_every_type_of_event_comes_whatever_chance_does(self):
        w = self.live(1, 0)
        harness.wait(lambda: set(CATALOGUE) == self.check_catalogue(w), 10, lambda: "%s to come" % (set(CATALOGUE) - self.check_catalogue(w)))

    def test_from_the_first_event_on_in_another_world(self):
        self.check(self.live(2, 500), rebuild.World())

    def test_who_comes_into_a_shift_that_is_off_hands_over_though_it_was_never_told(self):
        broker = self.world.broker()
        client, agent = wire.Client(broker.endpoints["clients"]), wire.Agent(broker.endpoints["agents"], "nairobi")
        self.addCleanup(client.close)
        self.addCleanup(agent.close)
        client.request("line_apply", definition={"line": "one", "input": [{"name": "text", "type": "text"}], "stations": [
            {"name": "say", "type": "work", "form": {"title": "Say", "fields": [{"name": "what", "type": "short_answer"}]}}]})
        client.request("put", run_id=client.request("run_start", line="one", name="r")["run_id"], rows=[["x"]])
        ann = {"name": "ann", "kind": 0, "capacity": 1, "skills": []}
        agent.hello()
        agent.shifts({"night": []})
        agent.roster([ann])
        agent.credit({"ann": 1})
        agent.assignments(1)
        agent.roster([{**ann, "shift": "night"}])

        names, world, told = rebuild.event_names(), rebuild.World(), []

        def handed_over():
            told[:] = [names[e["type"]] for e in client.request("events_get", since=1)["events"]]
            return "HANDOVER" in told
        harness.wait(handed_over, 10, lambda: "a handover: %s" % told)
        self.assertNotIn("SHIFT", told)
        self.assertEqual(rebuild.compare(client, rebuild.follow(client, world)), [])

    def test_from_a_snapshot_taken_page_by_page_while_work_goes_on(self):
        taken = []

        def during(w, i):
            if i == 250:
                taken.append(rebuild.snapshot(w.client, limit=20, between=w.step))
        w = self.live(3, 400, during)
        self.check(w, taken[0])

    def test_a_snapshot_at_rest_is_the_state(self):
        w = self.live(4, 250)
        world = rebuild.snapshot(w.client)
        self.check(w, world)


if __name__ == "__main__":
    import unittest
    unittest.main()
