#!/usr/bin/python3
"""Everything at once, for a while: a real broker, two real agents with a robot and people at their screens each, two real producers (`sunline run start`; real.py), and
three more hubs and a producer as peers; over them a seeded storm of faults. Rounds of a few seconds, each a process of its own; after each the faults stop, the runs must come
to their end, and both judges look at all that happened at the one broker (judges.py).

    storm.py [--build DIR] [--minutes N | --kills N] [--seed N] [--units N] [--jobs N] [--fresh] [--sample]
    storm.py --one ROUND [--build DIR] [--seed N] ...      this round alone; if it is BAD, histories, facts, log and store are kept in DIR/reliability/bad-storm-SEED-ROUND

Faults: kill -9 of broker (also while it starts), agents and producers, each by itself; SIGSTOP and SIGCONT of broker and agents; links, also those of one agent alone, cut one way, both ways,
narrowed and delayed by the kernel in a network namespace of their own; delayed, held half-open, broken off by a TCP fault proxy; the disk or a quota of it filled to the last block, the file-size limit.
What the machine does not permit is named, with what stands in for it. --kills: until the broker was killed so often; may be broken off and taken up again
(notebook.py). Its figures are "storm", those of --minutes are "storm-minutes", a --sample leaves none. The last line is JSON for the report.
"""
import argparse
import concurrent.futures
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crew  # noqa: E402
import disk  # noqa: E402
import judges  # noqa: E402
import namespace  # noqa: E402
from notebook import Notebook  # noqa: E402
from place import NO_START, PAGE_LOST, STORE_FAILED, Broker, Place, die_with_parent  # noqa: E402
from proxy import Proxy  # noqa: E402
from real import Real  # noqa: E402
from realrun import LINE as REAL_LINE  # noqa: E402
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402

SETTINGS = ("--set", f"reserve_bytes={disk.RESERVE_BYTES}", "--set", "heartbeat=1s", "--set", "grace=4s")


# Delays and leases that are longer than what the judges cannot see of the time (facts.py), and short enough to end in a round.
LINE = dict(crew.LINE, stations=[crew.LINE["stations"][0], dict(crew.LINE["stations"][1], backoff="300ms", lease="2s", start_by="2s")])
SHARED = ("clients", "agents")  # links of all peers, and of the real producers
REAL_UNITS = 40  # of each real producer
PROGRAM = os.path.abspath(__file__)
PER_ROUND_S = 900  # a round that takes longer hangs


class Storm:
    def __init__(self, place, seed, units, totals, own_net):
        self.place, self.dice, self.seed, self.units, self.totals, self.own_net = place, random.Random(seed), seed, units, totals, own_net
        self.disk = disk.take(place, list(disk.KINDS)[seed % len(disk.KINDS)])
        for name in disk.counted(self.disk):
            self.count(name)
        self.broker = Broker(place, "broker", *SETTINGS, ipc=False)
        self.disk.carry(self.broker)
        self.must(self.start())
        self.real = Real(place, seed, REAL_UNITS, self.count)
        self.alone = [hub.name for hub in self.real.hubs]  # each has a link of its own
        self.links = {name: Proxy(self.port(kind)) for name, kind in [(kind, kind) for kind in SHARED] + [(name, "agents") for name in self.alone]}
        self.endpoints = {name: f"tcp://127.0.0.1:{link.port}" for name, link in self.links.items()}
        self.people = crew.Crew(self.endpoints, seed, units, credit=16, window=3, hubs=3, frame=25, skills={"craft": 1, "real": 1},
                                line=LINE, fail_us=None, sitters=0.3)
        self.refusals = {}
        self.people.refused = lambda e: self.refusals.update({e.code: self.refusals.get(e.code, 0) + 1})
        self.begun = False

    def port(self, kind):
        return int(self.broker.endpoints[kind].rsplit(":", 1)[1])

    def must(self, good):
        if not good:
            raise AssertionError(f"the broker does not start: status {self.broker.status}\n{self.place.log()}")

    def count(self, name, n=1):
        self.totals[name] = self.totals.get(name, 0) + n

    def start(self):
        self.short = self.disk.is_full()  # since this start it had no room, or its files might not grow
        return self.broker.start()

    def again(self):
        if not self.start():  # it has to settle what its log holds, and somebody has filled the disk: room is made, as an operator would
            self.must(self.disk.is_full())
            self.ended(NO_START)
            self.count("starts that waited for room")
            self.disk.empty()
            self.must(self.start())
        self.meet()

    def clean(self):
        """How a broker that serves may end by itself: the disk is full, or its file may not grow."""
        return (STORE_FAILED,) if self.short else ()

    def ended(self, clean):
        """It did so, in one of these ways. Of a store that failed it has said what did, and it is counted by that."""
        self.broker.must_be(clean)
        if self.broker.status == STORE_FAILED:
            what = self.broker.failure()
            if what is None or what == PAGE_LOST and not self.disk.loses_pages:
                raise AssertionError(f"the broker ended with {STORE_FAILED} on {self.disk.words}, and said {what}\n{self.place.log()}")
            self.count(f"ended with {STORE_FAILED}: {what}")

    def meet(self):
        self.people.meet(self.endpoints)
        self.real.meet(self.endpoints)

    def over(self):
        return self.people.counters.get("state") == 2 and self.real.done

    def pause(self, seconds):
        """Work goes on meanwhile, as far as it can. A broker that ended is started again."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.over():
            self.round()

    def round(self):
        """One round of everybody; True: all is done."""
        self.people.alive = self.broker.running
        try:
            done = self.people.turn()
            if not self.begun:
                self.people.ask(self.people.operator, "line_apply", definition=REAL_LINE)
                self.real.meet(self.endpoints)
                self.real.begin(self.endpoints)
                self.begun = True
            self.real.turn()
            return self.real.done and done
        except wire.Timeout:
            self.count("timeouts")  # a request that a fault swallowed: fresh links
            self.meet()
        except crew.Gone:
            self.ended(self.clean())
            self.count("restarts")
            self.again()
        return False

    # ---- the faults
    def strike(self, clean):
        """Counted is who was killed, not who had ended before."""
        killed = self.broker.strike(clean)
        if not killed:
            self.ended(clean)
        self.count("kills" if killed else "ended before a kill")

    def kill(self):
        self.strike(self.clean())
        self.again()

    def kill_twice(self):
        """Again while it starts."""
        self.strike(self.clean())
        self.short = self.disk.is_full()
        super(Broker, self.broker).start()
        time.sleep(self.dice.random() * 0.02)
        self.strike(NO_START if self.short else ())
        self.again()

    def freeze(self):
        self.count("freezes")
        self.broker.process.send_signal(signal.SIGSTOP)
        time.sleep(self.dice.random() * 0.3)
        self.broker.process.send_signal(signal.SIGCONT)

    def real_fault(self):
        if not self.begun:
            return
        hub, what = self.dice.choice(self.real.hubs), self.dice.choice(["kill", "kill", "freeze", "producer"])
        if what == "kill":
            hub.kill()
        elif what == "producer":
            self.dice.choice(self.real.runs).kill()
        elif hub.frozen:
            hub.thaw()
        else:
            hub.freeze()
            if self.dice.random() < 0.5:  # or it stays so, while others are hit, longer than its leases: what it was given comes to the other one
                self.pause(self.dice.random())
                hub.thaw()

    def through(self, name, order, fault, clear):
        """A fault of this link, for a while. Peers whose link was cut or broken off meet again: what was on its way is gone; a real agent has to find that by itself."""
        if name in self.alone:
            self.count(f"links of one agent: {fault.split()[0]}")
        order(fault)
        self.pause(0.2 + self.dice.random())
        clear()
        if name not in self.alone and fault.startswith(("cut", "break", "down", "slow")):
            self.meet()

    def net(self):
        """The kernel's own faults; every link of this round lies in the namespace."""
        if not self.own_net:
            return self.link()
        name = self.dice.choice(list(self.links))
        port = self.links[name].port if name in self.alone else self.port(name)
        fault = self.dice.choice([f"cut up {port}", f"cut down {port}", "down", "slow"])
        self.count("namespace: " + " ".join(fault.split()[:2] if fault.startswith("cut") else [fault]))
        # what is down or slow is so for all
        return self.through(name if fault.startswith("cut") else SHARED[0], namespace.order, fault, lambda: namespace.order("clear"))

    def link(self):
        name = self.dice.choice(list(self.links))
        fault = self.dice.choice(["delay 0.02", "delay 0.15", "cut up", "cut down", "hold", "break"])
        self.count("links: " + fault.split(" 0")[0])
        self.through(name, self.links[name].order, fault, lambda: self.links[name].order("clear"))

    def fill_disk(self):
        self.short = True
        if not self.disk.fill(self.dice.choice([0, 0, disk.RESERVE_BYTES // 3])):
            return self.limit_files()
        self.count("disk filled")
        self.pause(0.5 + self.dice.random())
        self.disk.empty()

    def limit_files(self):
        """The file may not grow any more, for the running broker."""
        self.count("file size limited")
        self.short = True
        size = os.path.getsize(os.path.join(self.broker.data, "data.mdb"))
        resource.prlimit(self.broker.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        self.pause(0.5 + self.dice.random())
        self.limit_none()

    def limit_none(self):
        if self.broker.running():
            resource.prlimit(self.broker.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def calm(self):
        """The faults are over."""
        self.disk.empty()
        for hub in self.real.hubs:
            hub.thaw()
        for link in self.links.values():
            link.order("clear")
        if self.own_net:
            namespace.order("clear")
        self.limit_none()
        self.meet()

    def play(self, seconds, patience_s):
        deadline = time.monotonic() + seconds
        faults = [self.kill] * 10 + [self.kill_twice] * 3 + [self.freeze] * 2 + [self.link] * 3 + [self.net] * 3 + [self.real_fault] * 5 + \
            [self.fill_disk, self.limit_files]
        while time.monotonic() < deadline and not self.over():
            self.pause(self.dice.random() * 0.08)
            if self.people.ready:
                self.dice.choice(faults)()
        self.calm()
        deadline, wrong = time.monotonic() + patience_s, []
        while not self.round() and not wrong:
            if time.monotonic() > deadline:  # and the judges may say why
                wrong = [f"the faults are over, and the runs come to no end: {self.people.counters} {self.real.told}\n{self.place.log()}"]
        self.people.take_out()
        wrong += self.real.stop()  # what lies in the outbox of one is handed in, though the other did that task, and the run is over
        self.real.take_out()
        wrong += self.remains()
        self.totals["late results of agents"] = self.real.late
        verdict = judges.whole(*self.histories())
        wrong += verdict.wrong
        for name, n in verdict.sums().items():
            self.count(name, n)
        for code, n in self.refusals.items():
            self.count("refused: " + code, n)
        return "\n".join(wrong)

    def histories(self):
        return [self.people.history, *self.real.histories]

    def remains(self):
        status = self.broker.stop()
        return [] if status == 0 else [f"at SIGTERM the broker ended with {status}\n{self.place.log()}"]

    def keep(self, folder):
        """What happened, what the broker logged, and its store, in a folder that stays."""
        told = judges.keep(folder, *self.histories())
        shutil.copy(self.broker.log_path, folder)
        shutil.copytree(self.broker.data, os.path.join(folder, "data"))
        return told

    def close(self):
        self.people.close()
        self.real.close()
        self.broker.kill()
        for link in self.links.values():
            link.close()


def one(args):
    """A round, in this process: prints its figures."""
    refused = namespace.enter()
    totals, storm, wrong = {"rounds": 1, "namespace refused": refused}, None, ""
    with Place() as place:
        try:
            storm = Storm(place, args.seed + args.one, args.units, totals, not refused)
            wrong = storm.play(args.round, args.patience)
        except Exception as e:
            wrong = f"{type(e).__name__}: {e}"
        finally:
            if storm is not None:
                storm.close()
        if wrong and storm is not None:
            wrong += "\n" + storm.keep(os.path.join(harness.BUILD, "reliability", f"bad-storm-{args.seed}-{args.one}"))
    if wrong:
        print(f"BAD: again with tests/torture/storm.py --one {args.one} --seed {args.seed} --round {args.round} --units {args.units} --patience {args.patience}\n{wrong}", flush=True)
    print(json.dumps(dict(one=args.one, bad=int(bool(wrong)), **totals)))
    return 1 if wrong else 0


def said_by(number, build, seed, units, round_s, *more, timeout_s=PER_ROUND_S):
    """A round in a process of its own -> all that it said"""
    argv = [sys.executable, PROGRAM, "--one", str(number), "--build", build, "--seed", str(seed), "--units", str(units), "--round", str(round_s), *more]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=die_with_parent)
    try:
        return child.communicate(timeout=timeout_s)[0]
    except subprocess.TimeoutExpired:
        child.kill()
        return child.communicate()[0] + f"\nBAD: round {number} hangs: again with tests/torture/" + " ".join([os.path.basename(PROGRAM), *argv[2:]])


def figures_of(number, said):
    """A round's, with what else it said; without its last line it is bad."""
    lines = said.splitlines()
    figures = json.loads(lines.pop()) if lines and lines[-1].startswith("{") else {"one": number, "rounds": 1, "bad": 1}
    return dict(figures, said="\n".join(lines))


def played(args, number):
    return figures_of(number, said_by(number, harness.BUILD, args.seed, args.units, args.round))


def add(totals, figures):
    for name, n in figures.items():
        if isinstance(n, int) and name != "one":
            totals[name] = totals.get(name, 0) + n


def main():
    p = argparse.ArgumentParser(description="a storm of faults over real processes")
    p.add_argument("--build")
    p.add_argument("--minutes", type=float, default=5)
    p.add_argument("--kills", type=int)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--units", type=int, default=3000)
    p.add_argument("--round", type=float, default=20, help="seconds of faults in a round")
    p.add_argument("--patience", type=float, default=300, help="seconds until the runs of --one must have come to their end")
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--one", type=int)
    p.add_argument("--fresh", action="store_true", help="begin again")
    p.add_argument("--sample", action="store_true", help="leave no figures")
    args = p.parse_args()
    if args.build:
        harness.BUILD = os.path.abspath(args.build)
    args.seed = args.seed or random.SystemRandom().randrange(1, 1 << 31)
    if args.one is not None:
        sys.exit(one(args))
    print(f"seed {args.seed}", flush=True)
    totals, number, deadline = {"rounds": 0, "bad": 0, "kills": 0}, 0, time.monotonic() + 60 * args.minutes
    notes = None if args.sample else Notebook(harness.BUILD, "storm" if args.kills else "storm-minutes", {"seed": args.seed, "units": args.units},
                                              ["sunlined", "sunline-agent", "sunline"], args.fresh or not args.kills)
    for r in notes.done if notes else ():
        add(totals, r)
        number = max(number, r["one"] + 1)
    refused = None

    def enough():
        return totals["bad"] >= 10 or (totals["kills"] >= args.kills if args.kills else time.monotonic() > deadline)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        flying = set()
        while flying or not enough():
            while len(flying) < args.jobs and not enough():
                args.round = args.round if args.kills else min(args.round, max(1.0, deadline - time.monotonic()))
                flying.add(pool.submit(played, args, number))
                number += 1
            for f in concurrent.futures.wait(flying, return_when=concurrent.futures.FIRST_COMPLETED).done:
                flying.remove(f)
                r = f.result()
                if refused is None and "namespace refused" in r:
                    refused = r["namespace refused"]
                    print("links: " + (f"no network namespace here ({refused}): the TCP fault proxy stands in for it" if refused else
                                       "a network namespace, cut and delayed by the kernel, and the TCP fault proxy"), flush=True)
                if r["said"]:
                    print(r["said"], flush=True)
                add(totals, r)
                if notes:
                    notes.add(r)
    print("disk: " + disk.told(totals))
    if notes:
        notes.publish(dict(totals, seed=args.seed, namespace=not refused))
    print(json.dumps(dict(seed=args.seed, **totals)))
    sys.exit(1 if totals["bad"] else 0)


if __name__ == "__main__":
    main()
