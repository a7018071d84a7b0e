#!/usr/bin/python3
"""kill -9 while a broker that was killed settles what it left: in each call of that start that changes a file, and at seeded points in the start after that one again. What was acknowledged
before the first death is there in the end, to the byte, and a check and a recount of the store name nothing; at seeded points the peers go on to the end, and their whole history is judged.

    recovery.py [--build DIR] [--seed N] [--store NAME | --death DIR] [--seconds N] [--jobs N] [--from N] [--points N] [--mode M] [--fresh]

The scenario is crash.py's, with an operator who looks seldom, since each look has the log settled. It is recorded once, undisturbed; then the broker is killed in it once for each of DEATHS, where by the
recording the log holds the most. Such a run is recorded as well, up to the call that it died in: that it was one of those that DEATHS means is demanded of it, and that it left half of what was expected, where any does.
What it left is kept, with what its peers knew (DIR/reliability/recovery), and all calls of a start over it are gone through (starts.py). Another run dies elsewhere, so a death after which something was
wrong is kept for good (DIR/reliability/bad-recovery-SEED-NAME), and gone through again with --death.
--seconds: two stores of one log and a seeded sample of their points, as many as fit. The last line is JSON for the report.
"""
import collections
import hashlib
import itertools
import json
import os
import pickle
import random
import shutil
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checker  # noqa: E402
import crash  # noqa: E402
import crew  # noqa: E402
import judges  # noqa: E402
from notebook import Notebook  # noqa: E402
from place import Broker, Place  # noqa: E402
from tally import Tally  # noqa: E402
from tape import SECTOR, read_recording  # noqa: E402
import harness  # noqa: E402
import starts  # noqa: E402
import sunline_wire as wire  # noqa: E402

AGAIN, ON = 4, 4  # at every so many-th point the next start is killed, too; the peers go on
LOOKS = 8
CHOICE, TRIES, OTHERS = 3, 6, 24
SETTLE = "sectors to settle"
DATA, WAL, PARTIAL = "data/data.mdb", "data/wal", ".copy.partial/data.mdb"
META_BYTES, META_PAGE_BYTES_AT, META_TXN_AT = 152, 40, 144  # LMDB's, on the first two pages
SMALL, LARGE = "64KiB", "1MiB"  # a log that is begun again and again; one that holds hundreds of batches


class Call:
    """A call of the recording. held: bytes of batches in the log that LMDB has not; pages: LMDB's commit of them has begun."""

    def __init__(self, op, held, pages):
        self.op, self.held, self.pages = op, held, pages
        self.writes_log = op.kind == "write" and op.name == WAL and op.data.strip(b"\0") != b""
        self.writes_pages = op.kind == "write" and op.name == DATA and not op.synced
        self.commits = op.kind == "write" and op.name == DATA and op.synced
        self.begins_log = self.writes_log and op.off == 0
        self.only = (op.kind, op.name, op.off if self.commits or self.begins_log else None)  # what it is one of, in another run as well
        self.n = 0  # it is the n-th of these
        self.leaves = held or op.n // 2  # bytes, roughly: of a log that is begun again, half of this write


def calls_of(ops):
    calls, counts, held, pages = [], collections.Counter(), 0, False
    for op in ops:
        call = Call(op, held, pages)
        calls.append(call)
        for only in {(op.kind, op.name, None), (op.kind, op.name, op.off)}:
            counts[only] += 1
        call.n = counts[call.only]
        held = 0 if call.commits else held + op.n if call.writes_log else held
        pages = not call.commits and (pages or call.writes_pages)
    return calls


# What the broker was doing, in which log: how the call was cut, which calls of the recording are such, and whether there is something to settle then (None: that may be).
DEATHS = {
    "log-made": (SMALL, "half", lambda c: c.op.kind == "write" and c.op.name == WAL and not c.writes_log, False),
    "log-begun-again": (SMALL, "half", lambda c: c.begins_log and c.op.n > SECTOR, True),
    "batch-half": (SMALL, "half", lambda c: c.writes_log and c.held > 0 and c.op.n > SECTOR, True),
    "commit-half": (SMALL, "half", lambda c: c.commits and c.held > 0, True),
    "backup-half": (SMALL, "half", lambda c: c.op.kind == "write" and c.op.name == PARTIAL, None),
    "backup-unnamed": (SMALL, "before", lambda c: c.op.kind == "rename" and c.op.name == os.path.dirname(PARTIAL), None),
    "large-log-begun-again": (LARGE, "half", lambda c: c.begins_log and c.op.n > SECTOR, True),
    "large-batch-half": (LARGE, "half", lambda c: c.writes_log and c.held > 0 and c.op.n > SECTOR, True),
    "large-batch-whole": (LARGE, "after", lambda c: c.writes_log and c.held > 0, True),
    "large-commit-not-begun": (LARGE, "before", lambda c: c.writes_pages and c.held > 0 and not c.pages, True),
    "large-pages-half": (LARGE, "half", lambda c: c.writes_pages and c.held > 0 and c.pages, True),
    "large-pages-whole": (LARGE, "before", lambda c: c.op.kind == "fdatasync" and c.op.name == DATA and c.held > 0, True),
    "large-commit-half": (LARGE, "half", lambda c: c.commits and c.held > 0, True),
    "large-commit-whole": (LARGE, "after", lambda c: c.commits and c.held > 0, False),
}


# ---------------------------------------------------------------- the deaths
def settings_of(log):
    return "--set", "wal_bytes=" + log


def choose(calls, name, seed):
    """Calls of the recording to die in: of those in which the log holds nearly the most, or the most is written where it is empty, in a seeded order.
    In another run batches are others: then there are those of the same kind, too, whatever they were in the recording. -> the calls; how many sectors should be left, half of what
    the recording has in the least of the best; how many must be, an eighth of these."""
    fits = sorted((c for c in calls if DEATHS[name][2](c)), key=lambda c: -c.leaves)
    if not fits:
        raise AssertionError(f"no call of the recording is what {name} says")
    best = [c for c in fits[:max(CHOICE, len(fits) // 8)] if 2 * c.leaves >= fits[0].leaves]
    others = [c for c in calls if c not in best and any(c.only == b.only for b in best)]
    for some in (best, others):
        random.Random(f"{seed}/{name}").shuffle(some)
    enough = max(1, min(c.leaves for c in best) // SECTOR // 2) if DEATHS[name][3] else 0
    least = max(1, enough // 8) if enough else 0
    return [(*c.only, c.n) for c in [*itertools.islice(itertools.cycle(best), TRIES), *others[:OTHERS]]], enough, least


def record(log, names, seed):
    """The scenario without a crash -> where to die, by name"""
    with Place() as place:
        tape = place.path("tape")
        crash.broker_undisturbed(place, seed, tape, *settings_of(log), looks=LOOKS)
        calls = calls_of(read_recording(tape))
    return {name: choose(calls, name, seed) for name in names}


def unsettled(data):
    """-> LMDB's last commit, and how many sectors of the log it has not (wal.c), those of a batch that was cut short included."""
    with open(os.path.join(data, "data.mdb"), "rb") as f:
        first = f.read(META_BYTES)
        f.seek(struct.unpack_from("<I", first, META_PAGE_BYTES_AT)[0])
        last = max(struct.unpack_from("<Q", meta, META_TXN_AT)[0] for meta in (first, f.read(META_BYTES)))
    with open(os.path.join(data, "wal"), "rb") as f:
        log = f.read()
    return last, sum(struct.unpack_from("<Q", log, at + 16)[0] > last for at in range(0, len(log) - SECTOR + 1, SECTOR))


def die(place, log, mode, call, seed):
    """The scenario, recorded, until the broker is killed in that call -> broker, peers (None: it never served), the recording's last call (None: it was not killed)"""
    broker, people, tape = Broker(place, "broker", *settings_of(log)), None, place.path("tape")
    if broker.start(at=call[3], mode=mode, only=call[:3], record=tape):
        people = crash.people_of(broker, seed, looks=LOOKS)
        if people.play(broker.running):
            broker.stop()
        people.close()
    broker.must_be((0, -9))
    return broker, people, calls_of(read_recording(tape))[-1] if broker.status == -9 else None


def keep(folder, broker, people, tape, facts):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(broker.disk, os.path.join(folder, "disk"))
    shutil.copy(tape, os.path.join(folder, "tape"))
    with open(os.path.join(folder, "peers"), "wb") as f:
        pickle.dump(people, f)
    with open(os.path.join(folder, "facts.json"), "w") as f:
        json.dump(facts, f)


def make(name, folder, seed, where):
    """What is left of that death: FOLDER/disk, FOLDER/peers, FOLDER/tape; FOLDER/facts.json when it is whole. Threads and clocks make a call come earlier or later: it is the first that, by its
    own recording, is what the name says, and that left enough. Batches are smaller on a loaded machine than in the recording: where none left enough it is the one that left the most."""
    log, mode, is_it, wanted = DEATHS[name]
    calls, enough, least = where
    seen, most = [], least - 1
    for call in calls:
        with Place() as place:
            broker, people, last = die(place, log, mode, call, seed)
            if last is None:
                continue
            seen.append(f"{last.op.kind} {last.op.name} at {last.op.off}: ")
            if not is_it(last):
                seen[-1] += "another call"
                continue
            txn, sectors = unsettled(broker.data)
            seen[-1] += f"{sectors} sectors left"
            if sectors > most and wanted in (None, sectors > 0):
                most = sectors
                keep(folder, broker, people, place.path("tape"), {"name": name, "seed": seed, "place": broker.last_call(), "off": last.op.off, "bytes": last.op.n, "mode": mode, "held": last.held,
                                              "pages": last.pages, "txn": txn, "sectors": sectors, "rows": people.acked_rows if people else 0})
                if sectors >= enough:
                    return
    if most >= least:
        return
    raise AssertionError(f"the broker did not die as {name} says and leave {least} sectors in any of {calls}, but in " + "; ".join(seen))


def facts_of(folder):
    """{}: there is no such death yet."""
    try:
        with open(os.path.join(folder, "facts.json")) as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def digest_of(kept, names):
    """Of the deaths that points are about."""
    told = hashlib.sha256()
    for name in names:
        for path, _, files in sorted(os.walk(os.path.join(kept, name))):
            for file in sorted(files):
                told.update(os.path.relpath(os.path.join(path, file), kept).encode() + b"\0")
                with open(os.path.join(path, file), "rb") as f:
                    told.update(hashlib.sha256(f.read()).digest())
    return told.hexdigest()[:16]


def notebook_of(kept, args):
    """Noted are points over the deaths that lie there; where these are gone, or others, it begins again, with others."""
    def notes(fresh):
        return Notebook(harness.BUILD, "recovery", {"seed": args.seed, "units": crash.UNITS}, ["sunlined"], fresh)
    book = notes(args.fresh)
    noted = next((r["deaths"] for r in book.done if "deaths" in r), None)
    if noted is None or noted != digest_of(kept, DEATHS):
        shutil.rmtree(kept, ignore_errors=True)
        book.file.close()
        book = notes(True)
    return book


class Again:
    """The command that makes a bad point again: over the very death, which is put where nothing takes it away."""

    def __init__(self, seed, folders):
        self.seed, self.folders, self.saved = seed, folders, {}

    def __call__(self, name):
        if name not in self.saved:
            self.saved[name] = os.path.join(harness.BUILD, "reliability", f"bad-recovery-{self.seed}-{name}")
            if os.path.abspath(self.folders[name]) != os.path.abspath(self.saved[name]):
                shutil.rmtree(self.saved[name], ignore_errors=True)
                shutil.copytree(self.folders[name], self.saved[name])
        return f"tests/torture/recovery.py --death {self.saved[name]}"


def make_all(pool, names, kept, seed):
    """The deaths that are not there, each in a folder of its name."""
    missing = [name for name in names if not facts_of(os.path.join(kept, name))]
    by_log = {log: [name for name in missing if DEATHS[name][0] == log] for log in (SMALL, LARGE)}
    recordings = [pool.submit(record, log, some, seed) for log, some in by_log.items() if some]
    for f in [pool.submit(make, name, os.path.join(kept, name), seed, where) for r in recordings for name, where in r.result().items()]:
        f.result()


# ---------------------------------------------------------------- the starts
def people_at(broker, people, seed, on_tell=None):
    """Those who were at the broker that died go on at this one; new ones, where nobody had come yet."""
    if not people:
        return crash.people_of(broker, seed, looks=LOOKS, on_tell=on_tell)
    people.on_tell, people.backup = on_tell, os.path.join(broker.disk, "copy")
    people.meet(broker.endpoints)
    return people


class Settling(starts.Starts):
    """Starts over what a death has left."""

    def __init__(self, spot, folder):
        super().__init__(spot, os.path.join(folder, "disk"))
        self.name, self.seed = (facts_of(folder)[what] for what in ("name", "seed"))
        with open(os.path.join(folder, "peers"), "rb") as f:
            self.people = pickle.load(f)

    def sound(self):
        """What is wrong as soon as it serves. Where no peer had come yet nothing was promised: then nothing may be there."""
        client, rows, wrong = wire.Client(self.broker.endpoints["clients"]), [], []
        try:
            wrong = crew.check(lambda name, **fields: client.request(name, timeout_s=60, **fields))
            rows = crew.run_rows(client.request)
        except wire.SunlineError as e:
            if e.code != "NOT_FOUND":
                raise
            return wrong + (["lost: the run itself"] if self.people and self.people.run_id else [])
        finally:
            client.close()
        if not self.people:
            return wrong + ["unexpected: a run that nobody began"]
        verdict = checker.check(self.people.history + crew.ends(rows), drained=False)
        return wrong + ([verdict.story()] if verdict.bad else [])

    def go_on(self, bad):
        verdict = crash.play_out(self.spot, self.broker, people_at(self.broker, self.people, self.seed), bad)
        return {"played on": 1, **verdict.sums()}

    def kill_again(self, dice):
        """The start after the one that was killed dies, too, in any of its calls."""
        self.original = shutil.copytree(self.broker.disk, self.spot.path("left"))
        self.kill(dice.randrange(1, self.calls() + 1), dice.choice(crash.MODES))

    def point(self, n, mode):
        dice, told = random.Random(f"{self.seed}/{self.name}/{n}/{mode}"), {}
        place = self.kill(n, mode)
        if dice.randrange(AGAIN) == 0:
            self.kill_again(dice)
            told["second kills"] = 1
        self.must(self.broker.start())
        bad = self.sound()
        if not bad and dice.randrange(ON) == 0:
            told.update(self.go_on(bad))
        return {"place": place, "bad": bad, **told}


def main():
    p = starts.options("kill -9 while a broker settles what a killed one left")
    p.add_argument("--store", choices=DEATHS, help="this one alone")
    p.add_argument("--death", help="the one that is kept there, alone")
    p.add_argument("--seconds", type=float)
    args = p.parse_args()
    dice, names = random.Random(args.seed), list(DEATHS)
    if args.death:
        names, args.seed = [facts_of(args.death)["name"]], facts_of(args.death)["seed"]
    elif args.store:
        names = [args.store]
    elif args.seconds:
        log = dice.choice((SMALL, LARGE))
        names = dice.sample([name for name in DEATHS if DEATHS[name][0] == log], 2)
    folders = {}
    tally = Tally(Again(args.seed, folders), ("second kills", "played on", *judges.SUMS), seed=args.seed, stores=len(names))
    with Place() as place, starts.workers(args) as pool:
        kept, notes = os.path.join(harness.BUILD, "reliability", "recovery"), None
        if starts.every_point(args) and names == list(DEATHS):
            notes = notebook_of(kept, args)
        elif not args.store or facts_of(os.path.join(kept, args.store)).get("seed") != args.seed:
            kept = place.path("deaths")
        if args.death:
            folders[names[0]] = args.death
        else:
            make_all(pool, names, kept, args.seed)
            folders.update((name, os.path.join(kept, name)) for name in names)
        if notes and not notes.done:
            notes.add({"deaths": digest_of(kept, names)})
        tally.sum[SETTLE] = {name: facts_of(folder)["sectors"] for name, folder in folders.items()}
        starts.go_through(pool, Settling, folders, args, tally, notes, args.seconds)
    if notes:
        notes.publish(tally.sum)
    sys.exit(0 if tally.report() else 1)


if __name__ == "__main__":
    main()
