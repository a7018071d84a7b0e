#!/usr/bin/python3
"""What a long torture has done so far, so that it can be broken off and taken up again, and its figures at the end. Of which commit and machine they are: also for
what the simulator and the coverage keep beside them.

    notes = Notebook(build, "crash-broker", {"seed": 1, "units": 200}, ["sunlined"])
    notes.done                  # records of an earlier call: same settings; programs, shims, scenario and judge the same to the byte; else []
    notes.add({"n": 17, ...})   # one more, on disk at once
    notes.publish(what)         # BUILD/reliability/crash-broker.json: {"what", "command", "commit", "seconds", "machine"}

    notebook.py BUILD NAME COMMAND SECONDS FIGURE=VALUE ...     publishes what another program came to

The notes lie in BUILD/reliability/NAME.notes; a finished part's stay there too, so that the same command again only prints what came of it. --fresh of each part
throws them away.
"""
import glob
import hashlib
import json
import os
import platform
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def commit():
    done = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty", "--exclude", "*"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{platform.machine()}, {os.cpu_count()} cores ({model}), {platform.system()} {platform.release().split('-')[0]}"


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()[:16]


def flat(what):
    """{"calls": {"before": 7}} as {"calls before": 7}: a table has one level."""
    out = {}
    for name, value in what.items():
        out.update({f"{name} {k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value})
    return out


def torturers(build):
    """What made the records, beside the programs: scenario and judge (each module of tests/ that is loaded), shims and helpers."""
    tests = os.path.realpath(os.path.dirname(HERE))
    files = {os.path.realpath(m.__file__) for m in list(sys.modules.values()) if getattr(m, "__file__", None)}
    paths = {os.path.relpath(f, tests): f for f in files if f.startswith(tests + os.sep)}
    paths.update((os.path.relpath(f, build), f) for f in glob.glob(os.path.join(build, "torture", "*")) if os.path.isfile(f) and not f.endswith((".o", ".d")))
    return {name: digest(path) for name, path in sorted(paths.items())}


class Notebook:
    def __init__(self, build, name, settings, programs, fresh=False):
        self.folder = os.path.join(build, "reliability")
        os.makedirs(self.folder, exist_ok=True)
        self.name, self.path = name, os.path.join(self.folder, name + ".notes")
        head = {"settings": settings, "programs": {p: digest(os.path.join(build, p)) for p in programs}, "torturers": torturers(build),
                "commit": commit()}
        self.done, self.seconds_before = [], 0.0
        old = [] if fresh else self.read()
        if old and {**old[0], "commit": None} == {**json.loads(json.dumps(head)), "commit": None}:
            self.commit = old[0]["commit"]  # of the first call: these are its programs
            self.done = [r for r in ({k: v for k, v in r.items() if k != "seconds_so_far"} for r in old[1:]) if r]
            self.seconds_before = old[-1].get("seconds_so_far", 0.0)
            self.file = open(self.path, "r+")  # behind the last whole line
            self.file.seek(sum(len(json.dumps(r)) + 1 for r in old))
            self.file.truncate()
        else:
            self.commit = head["commit"]
            self.file = open(self.path, "w")
            self.write(head)
        self.begin = time.monotonic()

    def read(self):
        """Whole lines only: the last may have been cut off."""
        try:
            with open(self.path) as f:
                lines = f.read().split("\n")[:-1]
            return [json.loads(line) for line in lines]
        except (FileNotFoundError, ValueError):
            return []

    def write(self, line):
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()

    def seconds(self):
        """Of this call and of those that were broken off, up to their last records."""
        return self.seconds_before + time.monotonic() - self.begin

    def add(self, record):
        self.write({**record, "seconds_so_far": round(self.seconds(), 3)})

    def publish(self, what):
        """Figures of a part that came to its end."""
        self.add({})
        publish(self.folder, self.name, what, " ".join(["tests/torture/" + os.path.basename(sys.argv[0]), *sys.argv[1:]]), self.seconds(), self.commit)


def publish(folder, name, what, command, seconds, of_commit):
    os.makedirs(folder, exist_ok=True)
    out = {"what": flat(what), "command": command, "commit": of_commit, "machine": machine()}
    if seconds is not None:
        out["seconds"] = round(seconds, 1)
    with open(os.path.join(folder, name + ".json.new"), "w") as f:
        json.dump(out, f, indent=2)
        f.write("\n")
    os.rename(f.name, os.path.join(folder, name + ".json"))


def main():
    build, name, command, seconds, *figures = sys.argv[1:]
    what = dict(figure.split("=", 1) for figure in figures)
    publish(os.path.join(build, "reliability"), name, {k: int(v) if v.isdigit() else v for k, v in what.items()}, command, float(seconds), commit())


if __name__ == "__main__":
    main()
