"""kill -9 in every call that changes a file while a store of a released version is taken over (tests/fixtures): the next start takes it up again, and the
store then says what the old release said of it.

    upgrade.py [--build DIR] [--version V] [--jobs N] [--from N] [--points N] [--mode M] [--fresh]

Of every released version the calls of the start are gone through one by one, in three modes (crash.py). The last line is JSON for the report.
"""
import argparse
import concurrent.futures
import json
import multiprocessing
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from notebook import Notebook  # noqa: E402
from place import Broker, Place, die_with_parent  # noqa: E402
import crash  # noqa: E402
import crew  # noqa: E402
import harness  # noqa: E402
import answers  # noqa: E402
import released  # noqa: E402
import sunline_wire as wire  # noqa: E402


def sound(client, said, everything):
    """What is wrong with a store that was taken over."""
    deadline = time.monotonic() + 60
    while not answers.swept(client):
        if time.monotonic() > deadline:
            return ["the sweeps do not end"]
        time.sleep(0.01)
    wrong = crew.check(lambda name, **fields: client.request(name, timeout_s=60, **fields))
    producer = said["facts"]["producer"]
    ask = answers.ask_all if everything else answers.ask_some
    now = answers.plain(ask(client, [(producer["run"], bytes.fromhex(producer["id"]))]))
    asked = {answers.key(s) for s in now}
    old = said["store"]["answers"] if everything else [s for s in said["store"]["answers"] if answers.key(s) in asked]
    return wrong + answers.differences(old, now, said["facts"]["killed_wall_us"])[:5]


class Taking:
    """A store of a release, again and again."""

    def __init__(self, spot, version):
        self.spot, self.said = spot, released.said(version)
        self.original = released.unpack(version, "store", spot.path("original"))
        self.broker = Broker(spot, "broker", *released.SETTINGS)

    def fresh(self, **how):
        shutil.rmtree(self.broker.data, ignore_errors=True)
        shutil.copytree(self.original, self.broker.data)
        return self.broker.start(**how)

    def calls(self):
        """How many there are until it serves."""
        if not self.fresh(shim=True):
            raise AssertionError(f"the broker does not start\n{self.spot.log()}")
        calls = self.broker.shim_state()[0]
        self.broker.kill()
        return calls

    def point(self, n, mode, everything):
        """-> (kind of the call, killed, what is wrong)"""
        b = self.broker
        up = self.fresh(at=n, mode=mode)
        if up:  # the call comes after the take-over, at a sweep
            try:
                b.process.wait(5)
            except Exception:
                b.kill()
        kind = b.shim_state()[2]
        if b.status != -9:
            return kind, False, [f"the broker ended with {b.status}, not killed by the shim\n{self.spot.log()}"]
        if not b.start():
            return kind, True, [f"the broker does not start again, status {b.status}\n{self.spot.log()}"]
        client = wire.Client(b.endpoints["clients"])
        try:
            wrong = sound(client, self.said, everything)
        finally:
            client.close()
            b.kill()
        return kind, True, wrong


def load(build, version):
    global spot, taking
    die_with_parent()
    harness.BUILD = build
    spot = Place()
    spot.__enter__()
    taking = Taking(spot, version)


def one(n, mode):
    try:
        kind, _, bad = taking.point(n, mode, n % 16 == 1)
    except Exception as e:
        kind, bad = "?", [f"{type(e).__name__}: {e}"]
    return {"n": n, "mode": mode, "kind": kind, "bad": bad}


def clean():
    spot.__exit__()


def go_through(args, version, notes, figures):
    """All places of one version's start, but for those that are noted."""
    with Place() as place:
        calls = Taking(place, version).calls()
    figures["calls"] += calls
    known = {(r["n"], r["mode"]): r for r in notes.done if r["version"] == version} if notes else {}
    jobs = [(n, mode) for mode in ([args.mode] if args.mode else crash.MODES) for n in range(args.first, min(args.first + args.points, calls + 1))]

    def count(r):
        figures["points"] += 1
        figures["kinds"][r["kind"]] = figures["kinds"].get(r["kind"], 0) + 1
        if r["bad"]:
            figures["bad"] += 1
            print(f"BAD call {r['n']} ({r['kind']}), {r['mode']}: again with tests/torture/upgrade.py --version {version} --mode {r['mode']} "
                  f"--from {r['n']} --points 1\n  " + "\n  ".join(r["bad"]), flush=True)
    for job in jobs:
        if job in known:
            count(known[job])
    with concurrent.futures.ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn"), initializer=load,
                                                initargs=(harness.BUILD, version)) as pool:
        for f in concurrent.futures.as_completed([pool.submit(one, *job) for job in jobs if job not in known]):
            count(f.result())
            if notes:
                notes.add(dict(f.result(), version=version))
        concurrent.futures.wait([pool.submit(clean) for _ in range(args.jobs)])


def main():
    p = argparse.ArgumentParser(description="kill -9 while a store of a released version is taken over")
    p.add_argument("--build")
    p.add_argument("--seed", type=int, help="not used: all points are gone through")
    p.add_argument("--version", choices=released.VERSIONS, help="this one alone")
    p.add_argument("--jobs", type=int, default=2)
    crash.point_options(p)
    args = p.parse_args()
    if args.build:
        harness.BUILD = os.path.abspath(args.build)
    versions = [args.version] if args.version else released.VERSIONS
    whole = args.first == 1 and args.points == 1 << 30 and not args.mode and not args.version
    figures = {"version": ", ".join(versions), "calls": 0, "points": 0, "kinds": {}, "bad": 0}
    notes = Notebook(harness.BUILD, "upgrade", {"versions": versions}, ["sunlined"], args.fresh) if whole else None
    for version in versions:
        go_through(args, version, notes, figures)
    if notes:
        notes.publish(figures)
    print(json.dumps(figures))
    sys.exit(1 if figures["bad"] else 0)


if __name__ == "__main__":
    main()
