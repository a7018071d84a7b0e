"""Real agents: one broker, and 200 `sunline-agent` processes on loopback, each with a hub file of 5,000 people in two shifts and a robot. How long until all are signed in, how much
memory the broker takes for each registered worker with them, and how many lives a second go through those connections, from an import to the robots.

People in these files do not sign in: that takes a screen each. The robots do, and work; they answer at once, so what is measured is the way there and back."""
import json
import os
import pathlib
import re
import subprocess
import time

import servers

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
AT_A_TIME = 8   # agents that start together: reading 5,000 people takes a processor for a while
PATIENCE_S = 240
ROWS = 600000


def hub_file(path, number, workers, endpoint, robot):
    people = "".join(f"  - {{id: p-{number}-{i}, capacity: 2, skills: {{s{(number + i) % SKILLS}: {1 + i % 3}, t{i % 40}: 2}}, shift: {'day' if i % 2 else 'night'}}}\n" for i in range(workers))
    path.write_text(f"hub: hub-{number}\nzone: Asia/Kathmandu\nbroker: {endpoint}\ndata: {path.parent / f'hub-{number}.data'}\n"
                    "shifts:\n  day: {week: {mon-sun: 08:00-16:00}}\n  night: {week: {mon-sun: 22:00-06:00}}\n"
                    f"workers:\n{people}robots:\n  - {{id: r-{number}, runner: coprocess, command: [{robot}], capacity: 16}}\n")


def rss_bytes(pid, what="VmRSS"):
    return int(re.search(rf"^{what}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]) * 1024


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
            line = folder / "line.yml"
            line.write_text(LINE)
            subprocess.run([*cli, "line", "apply", str(line)], check=True, capture_output=True, timeout=60)
            rows = folder / "rows.csv"
            with open(rows, "w", encoding="utf-8") as f:
                f.write("text\n" + "a few words to count\n" * ROWS)
            importing = subprocess.Popen([*cli, "run", "start", "counted", "--name", "r", "--input", str(rows)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait("the first results", lambda: figures()["results_total"] > 1000)
            at, first = time.monotonic(), figures()["results_total"]
            time.sleep(seconds)
            last = figures()["results_total"]
            took, lives = time.monotonic() - at, last - first
            if last >= ROWS:
                raise SystemExit("real agents: the import is too short for what they do")
            importing.kill()
            importing.wait()
            each = sorted(rss_bytes(a.pid) for a in agents)
            return {"agents": hubs, "connected": now["hubs_connected"], "registered": registered, "signed_in_s": round(signed_in, 2),
                    "rss_mb": round(rss / 1048576), "bytes_a_worker": round((rss - before) / registered), "lives_per_s": round(lives / took),
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
