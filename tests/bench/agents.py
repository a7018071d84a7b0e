"""Real agents: one broker, and 200 `sunline-agent` processes on loopback, each with a hub file of 5,000 people in two shifts and a robot. How long until all are signed in, how much
memory the broker takes for each registered worker with them, and how many lives a second go through those connections, from an import to the robots.

Some people of each hub sign in at their screens (the agent's local endpoint), of both shifts, one of which is on at any moment: those get a task each, begin it and hand it in, the others get none. Then the
robots work; they answer at once, so what is measured is the way there and back."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import zmq

sys.path.append(str(pathlib.Path(__file__).parent.parent / "lib"))
import harness  # noqa: E402
import servers  # noqa: E402

SKILLS = 25
LINE = """line: counted
input:
  - {name: text, type: text}
stations:
  - name: count
    worker: {kind: robot}
    start_by: 1h
    form: {fields: [{name: words, type: number}, {name: letters, type: number}]}
"""
ASKED = """line: asked
input:
  - {name: text, type: text}
stations:
  - name: read
    worker: {kind: human}
    start_by: 1h
    form: {fields: [{name: answer, type: short_answer, required: true}]}
"""
SCREENS = 20    # people of each hub who sign in, half of each shift
AT_A_TIME = 8   # agents that start together: reading 5,000 people takes a processor for a while
PATIENCE_S = 240
ROWS = 600000


def hub_file(path, number, workers, endpoint, robot):
    people = "".join(f"  - {{id: p-{number}-{i}, capacity: 2, skills: {{s{(number + i) % SKILLS}: {1 + i % 3}, t{i % 40}: 2}}, shift: {'day' if i % 2 else 'night'}}}\n" for i in range(workers))
    path.write_text(f"hub: hub-{number}\nzone: Asia/Kathmandu\nbroker: {endpoint}\ndata: {path.parent / f'hub-{number}.data'}\n"
                    "shifts:\n  day: {week: {mon-sun: 00:00-12:00}}\n  night: {week: {mon-sun: 12:00-24:00}}\n"
                    f"workers:\n{people}robots:\n  - {{id: r-{number}, runner: coprocess, command: [{robot}], capacity: 16}}\n")


def rss_bytes(pid, what="VmRSS"):
    return int(re.search(rf"^{what}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]) * 1024


class Screens:
    """The screens of a hub's people: one socket, many who ask."""

    def __init__(self, context, number, data):
        self.number, self.socket = number, context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(f"ipc://{data}/local.sock")

    def ask_all(self, requests):
        """The answers, in order; whatever was not asked for is passed over."""
        for i, request in enumerate(requests):
            self.socket.send(json.dumps({**request, "id": i}).encode())
        answers = {}
        while len(answers) < len(requests):
            if not self.socket.poll(PATIENCE_S * 1000):
                raise SystemExit(f"real agents: hub {self.number} does not answer its screens")
            answer = json.loads(self.socket.recv())
            if "id" in answer:
                answers[answer["id"]] = answer
        return [answers[i] for i in range(len(requests))]

    def must(self, requests):
        answers = self.ask_all(requests)
        wrong = [a for a in answers if not a["ok"]]
        if wrong:
            raise SystemExit(f"real agents: hub {self.number}: {wrong[0]}")
        return answers


def people_work(hubs, workers, data_of, put, wait):
    """They sign in, those on shift do a task each. How long that took, how many did, and how many who were off shift were given one."""
    context = zmq.Context()
    screens = [Screens(context, n, data_of(n)) for n in range(hubs)]
    names = [[f"p-{n}-{i}" for i in range(min(SCREENS, workers))] for n in range(hubs)]
    began = time.monotonic()
    for s, who in zip(screens, names):
        s.must([{"verb": "sign_in", "worker": w} for w in who])
    signed_in = time.monotonic() - began
    on = [[] for _ in range(hubs)]
    wait("people on shift are told from those who are off", lambda: all(
        a["task"] is not None or a["why"]["code"] in (1, 8) for s, who in zip(screens, names) for a in s.must([{"verb": "next", "worker": w} for w in who])))
    for n, (s, who) in enumerate(zip(screens, names)):
        on[n] = [w for w, a in zip(who, s.must([{"verb": "next", "worker": w} for w in who])) if a["why"]["code"] == 1]
    expected = sum(map(len, on))
    put(expected)
    began, done = time.monotonic(), 0
    for s, who in zip(screens, on):
        waiting = list(who)
        while waiting:
            given = [(w, a["task"]["assignment"]) for w, a in zip(waiting, s.must([{"verb": "next", "worker": w, "wait_ms": 1000} for w in waiting])) if a["task"]]
            s.must([{"verb": "start", "worker": w, "assignment": a} for w, a in given])
            s.must([{"verb": "submit", "worker": w, "assignment": a, "values": {"answer": "yes"}} for w, a in given])
            done += len(given)
            had = {w for w, _ in given}
            waiting = [w for w in waiting if w not in had]
            if time.monotonic() - began > PATIENCE_S:
                raise SystemExit("real agents: some people on shift get no task")
    took = time.monotonic() - began
    off = sum(a["task"] is not None for s, who, there in zip(screens, names, on)
              for a in s.must([{"verb": "next", "worker": w} for w in who if w not in there]))
    for s, who in zip(screens, names):
        s.must([{"verb": "sign_off", "worker": w} for w in who])
        s.socket.close()
    context.term()
    return {"people": sum(map(len, names)), "people_signed_in_s": round(signed_in, 2), "people_on_shift": expected, "people_done": done,
            "people_took_s": round(took, 2), "people_off_shift_given": off}


def measure(build, base, hubs=200, workers=5000, seconds=6):
    """The figures, as a dict. Everything that was started is ended."""
    build = pathlib.Path(build).resolve()
    agents = []
    with servers.Sunline(build, base) as broker:
        ends = dict(re.findall(r"^(\w+)=(\S+)$", pathlib.Path(broker.where()).read_text(), re.M))
        folder = broker.directory / "hubs"
        folder.mkdir()
        cli = [str(build / "sunline"), "--broker", ends["clients"]]

        def ask(*args):
            return json.loads(subprocess.run([*cli, "--json", *args], capture_output=True, text=True, check=True, timeout=120).stdout)

        def figures():
            return ask("stats")

        def wait(what, when):
            end = time.monotonic() + PATIENCE_S
            while not when():
                if time.monotonic() > end:
                    raise SystemExit(f"real agents: not within {PATIENCE_S} s: {what}")
                time.sleep(0.25)
        for n in range(hubs):
            hub_file(folder / f"hub-{n}.yml", n, workers, ends["agents"], build / "examples" / "robot")
        before = rss_bytes(broker.process.pid)
        try:
            began = time.monotonic()
            for n in range(hubs):
                log = open(folder / f"hub-{n}.log", "wb")
                agents.append(subprocess.Popen([str(build / "sunline-agent"), "--config", str(folder / f"hub-{n}.yml")], stdout=log, stderr=log,
                                               stdin=subprocess.DEVNULL))
                log.close()
                if (n + 1) % AT_A_TIME == 0:
                    wait("a robot of each signs in", lambda m=n + 1: figures()["workers_signed_in"] >= m)
            wait("a robot of each signs in", lambda: figures()["workers_signed_in"] >= hubs)
            signed_in = time.monotonic() - began
            now = figures()
            registered = hubs * (workers + 1)
            rss = rss_bytes(broker.process.pid)
            asked = folder / "asked.yml"
            asked.write_text(ASKED)
            subprocess.run([*cli, "line", "apply", str(asked)], check=True, capture_output=True, timeout=60)

            def put(n):
                rows = folder / "asked.csv"
                rows.write_text("text\n" + "is it so?\n" * n)
                subprocess.run([*cli, "run", "start", "asked", "--name", "people", "--input", str(rows)], check=True, capture_output=True, timeout=60)
            people = people_work(hubs, workers, lambda n: folder / f"hub-{n}.data", put, wait)
            wait("the broker has what people did", lambda: figures()["results_total"] >= people["people_done"])
            before_robots = figures()["results_total"]
            line = folder / "line.yml"
            line.write_text(LINE)
            subprocess.run([*cli, "line", "apply", str(line)], check=True, capture_output=True, timeout=60)
            rows = folder / "rows.csv"
            with open(rows, "w", encoding="utf-8") as f:
                f.write("text\n" + "a few words to count\n" * ROWS)
            importing = subprocess.Popen([*cli, "run", "start", "counted", "--name", "r", "--input", str(rows)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait("the first results", lambda: figures()["results_total"] > before_robots + 1000)
            at, first, ran = time.monotonic(), figures()["results_total"], harness.cpu_s(broker.process.pid)
            time.sleep(seconds)
            last = figures()["results_total"]
            took, lives, ran = time.monotonic() - at, last - first, harness.cpu_s(broker.process.pid) - ran
            if last - before_robots >= ROWS:
                raise SystemExit("real agents: the import is too short for what they do")
            importing.kill()
            importing.wait()
            each = sorted(rss_bytes(a.pid) for a in agents)
            return {**people, "agents": hubs, "connected": now["hubs_connected"], "registered": registered, "signed_in_s": round(signed_in, 2),
                    "rss_mb": round(rss / 1048576), "bytes_a_worker": round((rss - before) / registered), "lives_per_s": round(lives / took), "broker_cpu_us": round(ran / lives * 1e6, 1),
                    "agent_rss_mb": round(each[len(each) // 2] / 1048576, 1), "cores": os.cpu_count()}
        finally:
            for a in agents:
                a.terminate()
            for a in agents:
                try:
                    a.wait(20)
                except subprocess.TimeoutExpired:
                    a.kill()
                    a.wait()
