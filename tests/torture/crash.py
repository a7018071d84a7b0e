"""kill -9 in every call that changes a file: the n-th write, sync, rename ... of a fixed scenario, for n = 1, 2, 3 ... until the scenario is over before the
n-th call is reached. After each the program is started again without the shim, the peers go on, and the checker judges.

Two programs are tortured so: the broker (a line of two stations, a producer, two hubs, an operator: crew.py) and the agent (a robot, two people at their
screens, a real broker that lives). Three modes: before the call, in the middle of a write's bytes, and when the call has come back but nobody can
have heard of it.

    crash.py [--build DIR] [--what broker|agent|both] [--seconds N] [--seed N] [--jobs N] [--from N] [--mode M] [--fresh]
--seconds: a seeded sample of the points, as many as fit; without it all of them, which may be broken off and taken up again by the same command (notebook.py).
The last line is JSON for the report.
"""
import argparse
import concurrent.futures
import json
import multiprocessing
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checker  # noqa: E402
import crew  # noqa: E402
from notebook import Notebook  # noqa: E402
from place import Broker, Child, Place, die_with_parent  # noqa: E402
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402
import zmq  # noqa: E402

MODES = ("before", "half", "after")
UNITS = 200
AGENT_UNITS = 24
NEVER = 1 << 40

AGENT_LINE = {"line": "torture", "input": [{"name": "text", "type": "text"}], "stations": [
    {"name": "first", "type": "work", "worker": {"kind": "robot"}, "backoff": "10ms", "attempts": 20,
     "form": {"title": "first", "fields": [{"name": "answer", "type": "long_answer", "required": True}]}},
    {"name": "second", "type": "work", "worker": {"kind": "human"},
     "form": {"title": "second", "fields": [{"name": "answer", "type": "long_answer", "required": True}]}}]}
HUB = """hub: nairobi
zone: Africa/Nairobi
broker: {agents}
data: {data}
local: {local}
workers:
  - {{id: ann}}
  - {{id: ben}}
robots:
  - id: echo
    runner: coprocess
    command: [{robot}]
    capacity: 4
"""
ROBOT = """#!/usr/bin/python3 -IS
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    print(json.dumps({"id": task["id"], "values": {"answer": "robot " + task["fields"]["text"]}}), flush=True)
"""


def judge(place, history, bad):
    verdict = checker.check(history)
    if verdict.bad:
        bad.append(verdict.story())
    return verdict


# ---------------------------------------------------------------- the broker
def broker_point(n, mode, seed):
    bad = []
    with Place() as place:
        broker = Broker(place)
        up = broker.start(at=n, mode=mode)
        people, over = None, False
        if up:
            people = crew.Crew(broker.endpoints, seed, UNITS)
            over = people.play(broker.running)
            if over:
                broker.stop()  # the last calls are made at the end
        crashed = not broker.running()
        completed = crashed and broker.status == 0
        if crashed and broker.status not in (0, -9):
            bad.append(f"the broker ended with {broker.status}, not killed by the shim\n{place.log()}")
        _, _, kind = broker.shim_state()
        if not broker.start():
            bad.append(f"the broker does not start again, status {broker.status}\n{place.log()}")
            return dict(n=n, mode=mode, kind=kind, completed=completed, bad=bad)
        if people is None:
            people = crew.Crew(broker.endpoints, seed, UNITS)
        else:
            people.meet(broker.endpoints)
        if not people.play(broker.running):
            bad.append(f"the broker ended with {broker.status} after its restart\n{place.log()}")
        else:
            people.take_out()
        people.close()
        verdict = judge(place, people.history, bad)
    return dict(n=n, mode=mode, kind=kind, completed=completed, bad=bad, units=verdict.acknowledged, results=verdict.accepted,
                recovered=len(verdict.found["recovered"]))


# ---------------------------------------------------------------- the agent
class Screen:
    """A person who does what comes, keeps a draft of it, and goes on after the agent's death: a result that was not called kept is handed in again."""

    refusals = ("NOT_FOUND", "STALE", "RECALLED", "BAD_STATE", "GONE", "NOT_SIGNED_IN")  # and the person goes on

    def __init__(self, endpoint, worker, tell):
        self.endpoint, self.worker, self.tell = endpoint, worker, tell
        self.socket, self.last_id, self.waiting = None, 0, None
        self.drafts = {}   # assignment -> a draft that the agent called kept

    def meet(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(self.endpoint)
        self.task = self.waiting = None
        self.ask("sign_in")

    def ask(self, verb, **fields):
        self.last_id += 1
        self.waiting = (self.last_id, verb, fields)
        self.socket.send(json.dumps({"id": self.last_id, "verb": verb, "worker": self.worker, **fields}).encode())

    def hear(self):
        """Take what came and do the next thing."""
        while self.socket.poll(0):
            answer = json.loads(self.socket.recv())
            if self.waiting is None or answer.get("id") != self.waiting[0]:
                continue  # a notice
            _, verb, fields = self.waiting
            self.waiting = None
            self.answered(verb, fields, answer)

    def answered(self, verb, fields, answer):
        if not answer["ok"] and answer["error"] not in self.refusals:
            raise AssertionError(f"{verb} was refused: {answer}")
        if not answer["ok"] and answer["error"] == "NOT_SIGNED_IN":
            return self.ask("sign_in")
        if verb == "next" and answer.get("task"):
            self.task = answer["task"]
            number = self.task["assignment"]
            if self.drafts.get(number) not in (None, self.task.get("draft")):
                self.tell({"op": "lost_draft", "assignment": number, "kept": self.drafts[number], "found": self.task.get("draft")})
            return self.ask("start", assignment=number) if self.task["state"] == "waiting" else self.write()
        if verb == "start" and answer["ok"]:
            return self.write()
        if verb == "draft" and answer["ok"]:
            self.drafts[fields["assignment"]] = fields["values"]
            return self.hand_in()
        if verb == "submit" and answer["ok"]:
            self.drafts.pop(fields["assignment"], None)
            self.tell({"op": "kept", "station": "second", "key": self.key(), "worker": self.worker, "result": fields["values"]["answer"]})
        self.ask("next", wait_ms=20)

    def key(self):
        return crew.key_of(self.task["fields"]["text"])

    def write(self):
        number = self.task["assignment"]
        self.ask("draft", assignment=number, values={"answer": f"draft {number}"})

    def hand_in(self):
        result = f"{self.worker} on " + self.task["fields"]["text"][:200]
        self.tell({"op": "tried", "station": "second", "key": self.key(), "result": result})
        self.ask("submit", assignment=self.task["assignment"], values={"answer": result})


class AgentScene:
    def __init__(self, place, seed, screen=Screen):
        self.history, self.lost_drafts = [], []
        self.broker = Broker(place)
        if not self.broker.start():
            raise AssertionError(f"the broker does not start\n{place.log()}")
        self.client = wire.Client(self.broker.endpoints["clients"])
        self.client.request("line_apply", definition=AGENT_LINE)
        self.run_id = self.client.request("run_start", line="torture", name=crew.RUN)["run_id"]
        texts = [crew.payload(seed, n) for n in range(1, AGENT_UNITS + 1)]
        for text in texts:
            self.tell({"op": "put", "key": crew.key_of(text), "value": text})
            self.tell({"op": "tried", "station": "first", "key": crew.key_of(text), "result": "robot " + text})
        first = self.client.request("put", run_id=self.run_id, rows=[[t] for t in texts])["first_unit"]
        for i, text in enumerate(texts):
            self.tell({"op": "put_ok", "key": crew.key_of(text), "unit": first + i})
        self.client.request("run_set", run=crew.RUN, action=0)
        local = "ipc://" + place.path("local")
        hub = HUB.format(agents=self.broker.endpoints["agents"], data=place.path("agent.data"), local=local, robot=place.write("robot.py", ROBOT, 0o755))
        self.agent = Child(place, "agent", [harness.program("sunline-agent"), "--config", place.write("hub.yml", hub)])
        self.screens = [screen(local, w, self.tell) for w in ("ann", "ben")]

    def tell(self, record):
        (self.lost_drafts if record["op"] == "lost_draft" else self.history).append(record)

    def play(self, timeout_s=180):
        """True: the run is done. False: the agent is gone."""
        for screen in self.screens:
            screen.meet()
        deadline = time.monotonic() + timeout_s
        asked = None
        while True:
            if asked is None:
                asked = self.client.send("run_get", run=crew.RUN)
            poller = zmq.Poller()
            for s in (self.client.socket, *(screen.socket for screen in self.screens)):
                poller.register(s, zmq.POLLIN)
            if not poller.poll(20) and not self.agent.running():
                return False
            while self.client.pump(0):
                pass
            if asked in self.client.replies:
                row = self.client.reply(asked)[1]["run"][0]
                asked = None
                if row["state"] == 2:
                    return True
                if not self.agent.running():
                    return False
            for screen in self.screens:
                screen.hear()
            if time.monotonic() > deadline:
                raise wire.Timeout(f"the run is not done after {timeout_s} s: {row}")

    def take_out(self):
        people = crew.Crew.__new__(crew.Crew)  # only its end
        people.operator, people.alive, people.history, people.on_tell = self.client, self.broker.running, self.history, None
        people.take_out()


def agent_point(n, mode, seed):
    bad = []
    with Place() as place:
        scene = AgentScene(place, seed)
        scene.agent.start(at=n, mode=mode)
        if scene.play():
            scene.agent.stop()
        completed = scene.agent.process.wait(120) == 0
        if scene.agent.status not in (0, -9):
            bad.append(f"the agent ended with {scene.agent.status}, not killed by the shim\n{place.log()}")
        _, _, kind = scene.agent.shim_state()
        scene.agent.start()
        if not scene.play():
            bad.append(f"the agent ended with {scene.agent.status} after its restart\n{place.log()}")
        scene.take_out()
        scene.client.close()
        bad += [f"a draft that was kept is gone: {d}" for d in scene.lost_drafts]
        verdict = judge(place, scene.history, bad)
    return dict(n=n, mode=mode, kind=kind, completed=completed, bad=bad, units=verdict.acknowledged, results=verdict.accepted,
                recovered=len(verdict.found["recovered"]))


# ---------------------------------------------------------------- all points, or a sample
POINTS = {"broker": broker_point, "agent": agent_point}


def one(job):
    what, n, mode, seed = job
    try:
        return POINTS[what](n, mode, seed)
    except Exception as e:  # the driver's own trouble fails the point, with its replay
        return dict(n=n, mode=mode, kind="?", completed=False, bad=[f"{type(e).__name__}: {e}"])


def replay(what, r, seed):
    return f"tests/torture/crash.py --what {what} --mode {r['mode']} --from {r['n']} --points 1 --seed {seed}"


class Tally:
    def __init__(self, what, seed):
        self.what, self.seed, self.begin = what, seed, time.monotonic()
        self.sum = dict(what=what, seed=seed, points=0, crashes=0, units=0, results=0, recovered=0, bad=0)
        self.kinds, self.completed = {}, {}

    def add(self, r):
        s = self.sum
        s["points"] += 1
        s["crashes"] += not r["completed"]
        for name in ("units", "results", "recovered"):
            s[name] += r.get(name, 0)
        if r["completed"] and r["n"] < NEVER:
            self.completed[r["mode"]] = min(r["n"], self.completed.get(r["mode"], r["n"]))
        elif not r["completed"]:
            self.kinds[r["kind"]] = self.kinds.get(r["kind"], 0) + 1
        if r["bad"]:
            s["bad"] += 1
            print(f"BAD {self.what} call {r['n']} ({r['kind']}), {r['mode']}: again with {replay(self.what, r, self.seed)}")
            print("\n".join("  " + line for text in r["bad"] for line in text.splitlines()), flush=True)

    def figures(self):
        return {**self.sum, "kinds": self.kinds, "calls": self.completed}

    def report(self):
        self.sum.update(kinds=self.kinds, calls=self.completed, seconds=round(time.monotonic() - self.begin, 1))
        print(json.dumps(self.sum), flush=True)
        return self.sum["bad"] == 0


OVER = 3  # so many points in a row behind the end: the count of calls varies a little


def every_point(pool, jobs, what, seed, modes, first, points, tally, notes):
    """n = first, first + 1 ... in each mode, until the scenario is over before the n-th call."""
    known = {(r["mode"], r["n"]): r for r in notes.done} if notes else {}
    for mode in modes:
        n, over, flying = first, 0, {}
        while flying or over < OVER and n < first + points:
            while over < OVER and n < first + points and len(flying) < jobs:
                if (mode, n) in known:
                    r = known[mode, n]
                    over = over + 1 if r["completed"] else 0
                    tally.add(r)
                else:
                    flying[pool.submit(one, (what, n, mode, seed))] = n
                n += 1
            if not flying:
                continue
            for f in concurrent.futures.wait(flying, return_when=concurrent.futures.FIRST_COMPLETED).done:
                del flying[f]
                r = f.result()
                over = over + 1 if r["completed"] else 0
                tally.add(r)
                if notes:
                    notes.add(r)


def sample(pool, jobs, what, seed, seconds, tally):
    """Points drawn from all calls that the scenario makes, until the time is over."""
    dice, deadline = random.Random(seed), time.monotonic() + seconds
    whole = one((what, NEVER, "before", seed))
    tally.add(whole)
    with Place() as place:  # how many calls there are
        if what == "broker":
            b = Broker(place)
            b.start(shim=True)
            people = crew.Crew(b.endpoints, seed, UNITS)
            people.play(b.running)
            people.close()
            b.stop()
            calls = b.shim_state()[0]
        else:
            scene = AgentScene(place, seed)
            scene.agent.start(shim=True)
            scene.play()
            scene.agent.stop()
            calls = scene.agent.shim_state()[0]
            scene.client.close()
    flying = set()
    while flying or time.monotonic() < deadline:
        while time.monotonic() < deadline and len(flying) < jobs:
            flying.add(pool.submit(one, (what, dice.randrange(1, calls + 1), dice.choice(MODES), seed)))
        for f in concurrent.futures.wait(flying, return_when=concurrent.futures.FIRST_COMPLETED).done:
            flying.remove(f)
            tally.add(f.result())


def main():
    p = argparse.ArgumentParser(description="kill -9 in every call that changes a file")
    p.add_argument("--build")
    p.add_argument("--what", choices=(*POINTS, "both"), default="both")
    p.add_argument("--seconds", type=float)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--from", dest="first", type=int, default=1)
    p.add_argument("--points", type=int, default=1 << 30)
    p.add_argument("--mode", choices=MODES)
    p.add_argument("--fresh", action="store_true", help="begin again")
    args = p.parse_args()
    if args.build:
        harness.BUILD = os.path.abspath(args.build)
        os.environ["SUNLINE_BUILD"] = harness.BUILD
    whole = not args.seconds and not args.mode and args.first == 1 and args.points == 1 << 30
    good, whats = True, list(POINTS) if args.what == "both" else [args.what]
    with concurrent.futures.ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn"),
                                                initializer=die_with_parent) as pool:
        for what in whats:
            tally = Tally(what, args.seed)
            if args.seconds:
                sample(pool, args.jobs, what, args.seed, args.seconds / len(whats), tally)
            else:
                notes = Notebook(harness.BUILD, "crash-" + what, {"seed": args.seed, "units": UNITS, "agent_units": AGENT_UNITS},
                                 ["sunlined", "sunline-agent"], args.fresh) if whole else None
                every_point(pool, args.jobs, what, args.seed, [args.mode] if args.mode else MODES, args.first, args.points, tally, notes)
                if whole:
                    notes.publish(tally.figures())
            good = tally.report() and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
