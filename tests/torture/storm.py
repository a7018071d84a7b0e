"""Everything at once, for a while: a real broker, agents and producers as processes or peers, and a seeded storm of faults over them. Rounds of a few seconds;
after each the faults stop, the run must come to its end, and the checker judges the whole history.

    storm.py [--build DIR] [--minutes N] [--seed N] [--units N]

Faults: kill -9 of the broker, SIGSTOP and SIGCONT of it, the links delayed, cut one way, held half-open, broken off; the disk filled to the last block
(a tmpfs of a fixed size as root, else a limit on the size of files), the file-size limit. What the machine does not permit is named, with what stood in for it.
The last line is JSON for the report.
"""
import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checker  # noqa: E402
import crew  # noqa: E402
from place import Broker, Place  # noqa: E402
from proxy import Proxy  # noqa: E402
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402

DISK_BYTES = 48 << 20
RESERVE_BYTES = 8 << 20
SETTINGS = ("--set", f"reserve_bytes={RESERVE_BYTES}", "--set", "heartbeat=500ms", "--set", "grace=2s")


def netem_works():
    """Delay and loss by the kernel need namespaces and the netem discipline."""
    ask = ["unshare", "-n", "sh", "-c", "ip link set lo up && tc qdisc add dev lo root netem delay 1ms"]
    try:
        return subprocess.run(ask, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10).returncode == 0
    except OSError:
        return False


class SmallDisk:
    """A file system that a test may fill."""

    def __init__(self, place):
        path = place.path("disk")
        self.path, self.ballast = path, os.path.join(path, "ballast")
        os.mkdir(path)
        place.children.append(self)  # unmounted with its place, whatever happens
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.mounted = done.returncode == 0

    def fill(self, leave):
        """Takes all but `leave` bytes. False: this disk has no end."""
        if not self.mounted:
            return False
        free = os.statvfs(self.path).f_bavail * os.statvfs(self.path).f_bsize
        with open(self.ballast, "ab") as f:
            try:
                while free > leave:
                    n = min(free - leave, 1 << 20)
                    f.write(bytes(n))
                    f.flush()
                    free -= n
            except OSError:
                pass  # full: that was the wish
        return True

    def empty(self):
        if os.path.exists(self.ballast):
            os.unlink(self.ballast)

    def end(self):
        if self.mounted:
            self.mounted = False
            subprocess.run(["umount", "-l", self.path], check=False)


class Storm:
    def __init__(self, place, seed, units, totals):
        self.place, self.dice, self.seed, self.units, self.totals = place, random.Random(seed), seed, units, totals
        self.disk = SmallDisk(place)
        self.broker = Broker(place, "broker", *SETTINGS, ipc=False)
        self.broker.data = os.path.join(self.disk.path, "data")
        self.broker.argv[self.broker.argv.index("--data") + 1] = self.broker.data
        self.limited = False
        self.must(self.broker.start())
        self.links = {kind: Proxy(int(self.broker.endpoints[kind].rsplit(":", 1)[1])) for kind in ("clients", "agents")}
        self.endpoints = {kind: f"tcp://127.0.0.1:{link.port}" for kind, link in self.links.items()}
        self.people = crew.Crew(self.endpoints, seed, units, credit=16, window=3, hubs=3, frame=25)
        self.refusals = {}
        self.people.refused = lambda e: self.refusals.update({e.code: self.refusals.get(e.code, 0) + 1})

    def must(self, good):
        if not good:
            raise AssertionError(f"the broker does not start: status {self.broker.status}\n{self.place.log()}")

    def count(self, name):
        self.totals[name] = self.totals.get(name, 0) + 1

    def again(self):
        self.must(self.broker.start())
        self.people.meet(self.endpoints)

    def pause(self, seconds):
        """Work goes on meanwhile, as far as it can. A broker that ended is started again."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.people.counters.get("state") != 2:
            self.round()

    def round(self):
        self.people.alive = self.broker.running
        try:
            return self.people.turn()
        except wire.Timeout:
            self.count("timeouts")  # a request that a fault swallowed: fresh links
            self.people.meet(self.endpoints)
        except crew.Gone:
            if self.broker.status not in (-9, 70):
                raise AssertionError(f"the broker ended with {self.broker.status}\n{self.place.log()}") from None
            self.count("restarts")
            self.again()
        return False

    # ---- the faults
    def kill(self):
        self.count("kills")
        self.broker.kill()
        self.again()

    def kill_twice(self):
        """Again while it starts."""
        self.count("kills")
        self.broker.kill()
        super(Broker, self.broker).start()
        time.sleep(self.dice.random() * 0.02)
        self.count("kills")
        self.broker.kill()
        self.again()

    def freeze(self):
        self.count("freezes")
        self.broker.process.send_signal(signal.SIGSTOP)
        time.sleep(self.dice.random() * 0.3)
        self.broker.process.send_signal(signal.SIGCONT)

    def link(self):
        link = self.dice.choice(list(self.links.values()))
        order = self.dice.choice(["delay 0.02", "delay 0.15", "cut up", "cut down", "hold", "break"])
        self.count("links: " + order.split(" 0")[0])
        link.order(order)
        self.pause(0.2 + self.dice.random())
        link.order("clear")
        if order.startswith(("cut", "break")):
            self.people.meet(self.endpoints)  # and what was on its way is gone

    def fill_disk(self):
        if not self.disk.fill(self.dice.choice([0, 0, RESERVE_BYTES // 3])):
            return self.limit_files()
        self.count("disk filled")
        self.pause(0.5 + self.dice.random())
        self.disk.empty()

    def limit_files(self):
        """The file may not grow any more, for the running broker."""
        self.count("file size limited")
        size = os.path.getsize(os.path.join(self.broker.data, "data.mdb"))
        resource.prlimit(self.broker.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        self.pause(0.5 + self.dice.random())
        if self.broker.running():
            resource.prlimit(self.broker.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def play(self, seconds):
        deadline = time.monotonic() + seconds
        faults = [self.kill] * 10 + [self.kill_twice] * 3 + [self.freeze] * 2 + [self.link] * 3 + [self.fill_disk, self.limit_files]
        while time.monotonic() < deadline and self.people.counters.get("state") != 2:
            self.pause(self.dice.random() * 0.08)
            if self.people.ready:
                self.dice.choice(faults)()
        self.disk.empty()
        for link in self.links.values():
            link.order("clear")
        if self.broker.running():
            resource.prlimit(self.broker.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.people.meet(self.endpoints)
        deadline = time.monotonic() + 60
        while not self.round():
            if time.monotonic() > deadline:
                raise AssertionError(f"the faults are over, and the run comes to no end: {self.people.counters}\n{self.place.log()}")
        self.people.take_out()
        verdict = checker.check(self.people.history)
        self.totals["units"] = self.totals.get("units", 0) + verdict.acknowledged
        self.totals["results"] = self.totals.get("results", 0) + verdict.accepted
        for code, n in self.refusals.items():
            self.totals["refused: " + code] = self.totals.get("refused: " + code, 0) + n
        return verdict

    def close(self):
        self.people.close()
        self.broker.kill()
        for link in self.links.values():
            link.close()


def main():
    p = argparse.ArgumentParser(description="a storm of faults over real processes")
    p.add_argument("--build")
    p.add_argument("--minutes", type=float, default=5)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--units", type=int, default=3000)
    p.add_argument("--round", type=float, default=20, help="seconds of faults in a round")
    args = p.parse_args()
    if args.build:
        harness.BUILD = os.path.abspath(args.build)
    seed = args.seed or random.SystemRandom().randrange(1, 1 << 31)
    if netem_works():
        print("links: the kernel's netem would be here; the TCP fault proxy is used all the same: it can cut one way")
    else:
        print("links: no network namespace with netem on this machine: a TCP fault proxy stands in")
    print(f"seed {seed}", flush=True)
    deadline, totals, bad = time.monotonic() + 60 * args.minutes, {"rounds": 0}, 0
    while time.monotonic() < deadline:
        with Place() as place:
            storm = None
            try:
                storm = Storm(place, seed + totals["rounds"], args.units, totals)
                if not storm.disk.mounted and totals["rounds"] == 0:
                    print("disk: no tmpfs of a fixed size may be mounted here: the limit on the size of files stands in")
                verdict = storm.play(min(args.round, max(1, deadline - time.monotonic())))
                wrong = verdict.story() if verdict.bad else ""
            except Exception as e:
                wrong = f"{type(e).__name__}: {e}"
            finally:
                if storm is not None:
                    storm.close()
            if wrong:
                bad += 1
                print(f"BAD: again with tests/torture/storm.py --seed {seed + totals['rounds']} --minutes 0.01 --round {args.round} --units {args.units}\n{wrong}",
                      flush=True)
        totals["rounds"] += 1
        if bad == 10:
            print("ten bad rounds are enough")
            break
    print(json.dumps(dict(seed=seed, bad=bad, **totals)))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
