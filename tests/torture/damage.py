#!/usr/bin/python3
"""Damage: a store after honest work, its broker killed, with bits flipped, bytes overwritten, sectors zeroed or moved, or an end cut off, at seeded places of data.mdb
or of the log. Then everything is read:
each answer is either what was put in, or a refusal or a stop with a name. A wrong byte, or a unit that is missing without a word, is a failure.

    damage.py [--build DIR] [--seed N] [--cases N] [--seconds N] [--brokers N] [--jobs N] [--fresh]

A sector of zeros in the log is left out: in the last batch nobody can tell it from one that a power cut kept from the disk (broker/store/wal.c).

Most cases go through look.c (store, engine and reader as in the broker, and store_verify over all tables); --brokers of them through a real sunlined that
is started on the damage and asked for everything. A stop with a name is a status: sunlined may refuse to start with 1 or 70, and end with 70. LMDB itself trusts its pages: of one that is
damaged or not there it may fall (SIGABRT, SIGSEGV, SIGBUS), or look for ever. sunlined catches that, and look.c does as well, and each ends with a status of its own (LOOK_STOPS); so no end by a signal is a stop
with a name. How often each of them stopped, and by what, is counted. Any other end is a failure. The last line is JSON for the report.

What is missing is forgiven only where nobody could read it: all of it where the broker stopped, or refused to start; of an output all, if a page of it was refused by name; of the stations'
outputs that one's; of stories the one that was refused. A read that goes to its end may miss nothing, whatever is named besides. What is handed out is never forgiven.
"""
import argparse
import collections
import concurrent.futures
import json
import multiprocessing
import os
import pickle
import random
import re
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checker  # noqa: E402
import crew  # noqa: E402
from notebook import Notebook  # noqa: E402
from place import NO_START, PAGE_LOST, STORE_FAILED, Broker, Place, die_with_parent  # noqa: E402
from looking import Looker  # noqa: E402
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402

PATIENCE_S = 120  # longer than the processor has for a call into LMDB that does not come back (broker/endless.h)
NEVER_ALLOWED = ("unexpected", "bytes_differ", "duplicated", "double_accept")
NAMED = ("damage ", "check: ", "recount: ", "refused ", "error CORRUPT")  # what names the damage
MISSING = "error NOT_FOUND"
FELL, LED_OUT, ENDLESS = "LMDB fell over its tree", "a page that is not in the file", "LMDB did not come back"
LOOK_STOPS = {3: FELL, 4: LED_OUT, 5: ENDLESS}  # look.c
SIGNS = {"LMDB fell": FELL, PAGE_LOST: LED_OUT, "LMDB does not come back": ENDLESS}  # of a line of the log


def honest_work(place, seed, units):
    """A store and its history: ({file: bytes}, history)"""
    broker = Broker(place, "honest")
    if not broker.start():
        raise AssertionError(f"the broker does not start\n{place.log()}")
    people = crew.Crew(broker.endpoints, seed, units)
    if not people.play(broker.running, 60):
        raise AssertionError(f"the broker ended\n{place.log()}")
    people.close()
    broker.kill()
    files = {}
    for name in ("data.mdb", "wal"):
        with open(os.path.join(broker.data, name), "rb") as f:
            files[name] = f.read()
    return files, [h for h in people.history if h["op"] not in ("end", "story", "counters", "event")]


def used_end(image):
    """Where the last byte that is not zero lies: what comes behind was only written ahead of use."""
    return len(image.rstrip(b"\0")) or 1


def harm(files, dice):
    """-> (name of what was done, the files with one of them damaged)"""
    name = dice.choice(["data.mdb", "data.mdb", "data.mdb", "wal"])
    out, end = bytearray(files[name]), used_end(files[name])
    kind = dice.choice(["bit", "bit", "bits", "bytes", "old sector", "cut off"] + ["zero sector"] * (name != "wal"))
    at = dice.randrange(end)
    if kind == "bit":
        out[at] ^= 1 << dice.randrange(8)
    elif kind == "bits":
        for _ in range(dice.randrange(2, 9)):
            out[dice.randrange(end)] ^= 1 << dice.randrange(8)
    elif kind == "bytes":
        out[at:at + 16] = dice.randbytes(min(16, len(out) - at))
    elif kind == "cut off":
        del out[at:]
    else:
        sector, other = at // 512 * 512, dice.randrange(end) // 512 * 512
        out[sector:sector + 512] = bytes(512) if kind == "zero sector" else out[other:other + 512]
    return f"{kind} at {at} of {name}", {**files, name: bytes(out)}


class Seen:
    """What was handed out of a damaged store: pictures of the run, for checker.py; what named the damage; and what was refused otherwise."""

    def __init__(self):
        self.pictures, self.named, self.refused, self.stop = {}, [], [], None
        self.unread = set()  # pictures, and (picture, unit or station)

    def complain(self, text, unread=None):
        """unread: what could not be read therefore."""
        (self.named if text.startswith(NAMED) else self.refused).append(text)
        if unread and text.startswith(NAMED):
            self.unread.add(unread)

    def show(self, picture, rows):
        self.pictures.setdefault(picture, []).extend(crew.ends(rows))

    @property
    def how(self):
        return "stopped" if self.stop else "named" if self.named else "unharmed"


def could_be_read(history, seen, picture):
    """What a picture must have: the history without what was acknowledged of units whose story was refused, or at a station whose output was."""
    if all((picture, name) in seen.unread for name in crew.STATIONS):
        return [h for h in history if h["op"] not in ("put_ok", "submit_ok")]
    gone = {h["key"] for h in history if h["op"] == "put_ok" and (picture, h["unit"]) in seen.unread}
    of_gone = {h["assignment"] for h in history if h["op"] == "push" and (h["key"] in gone or (picture, h["station"]) in seen.unread)}
    return [h for h in history if not (h["op"] == "put_ok" and h["key"] in gone or h["op"] == "submit_ok" and h["assignment"] in of_gone)]


def judge(history, seen):
    """What is wrong: a refusal that names no damage; whatever was handed out and is not what was put in; and what is not there, though it could be read."""
    wrong = [f"lost: {text}" if text == MISSING else f"refused without a name: {text}" for text in dict.fromkeys(seen.refused)]
    for picture, shown in seen.pictures.items():
        whole = not seen.stop and picture not in seen.unread
        bad = checker.check((could_be_read(history, seen, picture) if whole else history) + shown, drained=False).bad
        wrong += [f"{name} in {picture}: {texts[0]} ({len(texts)})" for name, texts in bad.items() if name in NEVER_ALLOWED or whole]
    return "; ".join(wrong)


def put_there(broker, files):
    shutil.rmtree(broker.data, ignore_errors=True)
    os.mkdir(broker.data)
    for name, image in files.items():
        with open(os.path.join(broker.data, name), "wb") as f:
            f.write(image)


def ask_broker(place, files, history):
    """Everything a real broker on this store hands out"""
    broker, seen = Broker(place, "harmed"), Seen()
    put_there(broker, files)
    if not broker.start():
        seen.stop = stop_of(broker, "refused to start", NO_START)
        place.children.remove(broker)
        return seen
    client = wire.Client(broker.endpoints["clients"])
    try:
        read_all(lambda name, **fields: crew.ask(client, name, broker.running, PATIENCE_S, **fields), {h["unit"] for h in history if h["op"] == "put_ok"} - {None}, seen)
    except crew.Gone:
        pass
    client.socket.setsockopt(wire.zmq.LINGER, 0)
    client.close()
    broker.kill()
    place.children.remove(broker)
    if broker.status != -signal.SIGKILL:
        seen.stop = stop_of(broker, "ended", (STORE_FAILED,))
    return seen


def read_all(request, units, seen):
    """The run's output, each station's, the story of each unit, and what a check says. A refusal ends that read alone."""
    def part(read, of=None):
        try:
            read()
        except wire.SunlineError as e:
            seen.complain("error " + e.code, of)

    def output():
        for page in crew.output_pages(request, run=crew.RUN, all_units=True):
            seen.show("the output", crew.decode_rows(page))

    def station(name):
        times = collections.Counter()
        for page in crew.output_pages(request, run=crew.RUN, station=name, all_units=True):
            unit, text, answer = (page["columns"].index(column) for column in ("unit", "text", name + ".answer"))
            for r in page["rows"]:
                times[r[unit]] += 1
                same = (r[unit], r[text], times[r[unit]])  # whatever differs is another row of the unit, and so a double
                row = of_stations.setdefault(same, {"unit": r[unit], "text": r[text], "results": {}})
                row["results"].update({name: r[answer]} if r[answer] is not None else {})

    def story(unit):
        story = request("unit_get", run=crew.RUN, unit=unit)["story"]
        told = [{"op": "story", "station": s["name"], "key": crew.key_of(story["input"]["text"]),
                 **crew.results_of(s)} for s in story["stations"]]
        seen.show("stories", [{"unit": story["unit"], "text": story["input"]["text"], "results": {t["station"]: t["counted"][0][2] for t in told if t["counted"]}}])
        seen.pictures["stories"] += told
    of_stations = {}
    part(output, "the output")
    for name in crew.STATIONS:
        part(lambda name=name: station(name), ("the stations' output", name))
    seen.show("the stations' output", of_stations.values())
    for unit in sorted(units):
        part(lambda unit=unit: story(unit), ("stories", unit))
    part(lambda: [seen.complain(text) for text in crew.check(request)])


def stop_of(broker, what, clean):
    """How it stopped, for the figures: its status, and its word about it."""
    broker.must_be(clean)
    told = re.findall(r"(?m)\berror event=(\S+)(.*)$", broker.said())
    if not told:
        raise AssertionError(f"the broker {what} with {broker.status} without a word\n{broker.place.log()}")
    event, rest = told[-1]
    word = next((name for sign, name in SIGNS.items() if sign in rest), event)
    return f"sunlined {what} with {broker.status}: {word}"


def ask_look(looker, files):
    seen = Seen()
    rows, complaints = looker.look(files)
    status = looker.helper.process.poll()
    if status is not None:
        if status not in LOOK_STOPS:
            raise AssertionError(f"look ended with {status}")
        seen.stop = f"look ended with {status}: {LOOK_STOPS[status]}"
        complaints = [c for c in complaints if not c.startswith("crashed ")]
    for text in [MISSING] if rows is None else []:
        seen.complain(text)
    for text in complaints:
        seen.complain(text)
    if seen.named and not looker.whole:
        seen.unread.add("the output")
    if rows is not None:
        seen.show("the output", rows)
    return seen


BLOCK = 50  # cases in one go
ENDINGS = ("unharmed", "named", "stopped", "crashed")


def load(build, path):
    global store, history
    die_with_parent()
    harness.BUILD = build
    with open(path, "rb") as f:
        store, history = pickle.load(f)


def one(place, looker, seed, case, by_broker):
    """-> (how it ended: of ENDINGS, how it stopped or None, a text if it is bad)"""
    what, harmed = harm(store, random.Random(f"{seed}/{case}"))
    seen = Seen()
    try:
        seen = ask_broker(place, harmed, history) if by_broker else ask_look(looker, harmed)
        how, wrong = seen.how, judge(history, seen)
    except (AssertionError, wire.Refused) as e:
        how, wrong = "crashed", str(e)
    return how, seen.stop, wrong and (f"BAD case {case} ({what}, {'sunlined' if by_broker else 'look'}): {wrong}\n"
                                      f"  named: {len(seen.named)} {seen.named[:3]}; stop: {seen.stop}\n"
                                      f"  again with tests/torture/damage.py --seed {seed} --first {case} --cases 1 --brokers {int(bool(by_broker))}")


def block(seed, cases, stride, deadline):
    """The named cases, one after the other -> counts, texts"""
    done, stops, texts = dict.fromkeys(("cases", "brokers", *ENDINGS, "bad"), 0), collections.Counter(), []
    with Place() as place:
        looker = Looker(place)
        for case in cases:
            if time.time() > deadline:
                break
            by_broker = bool(stride) and case % stride == 0
            how, stop, text = one(place, looker, seed, case, by_broker)
            stops.update([stop] if stop else [])
            done["cases"] += 1
            done["brokers"] += by_broker
            done[how] += 1
            done["bad"] += bool(text)
            texts += [text] if text else []
        looker.end()
    return cases[0], {**done, "stops": stops}, texts


def main():
    p = argparse.ArgumentParser(description="damage to a store, and what is read then")
    p.add_argument("--build")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--units", type=int, default=200)
    p.add_argument("--cases", type=int, default=3000)
    p.add_argument("--brokers", type=int, default=200)
    p.add_argument("--first", type=int, default=0, help="the number of the first case, to see it again")
    p.add_argument("--seconds", type=float)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--fresh", action="store_true", help="begin again")
    args = p.parse_args()
    if args.build:
        harness.BUILD = os.path.abspath(args.build)
    whole = args.seconds is None and args.first == 0 and args.cases > BLOCK
    settings = {name: getattr(args, name) for name in ("seed", "units", "cases", "brokers")}
    with Place() as place:
        notes = Notebook(harness.BUILD if whole else place.dir, "damage", settings, ["sunlined", "torture/look"] if whole else [], args.fresh)
        path = os.path.join(notes.folder, "damage.store")
        if not notes.done or not os.path.exists(path):
            with open(path, "wb") as f:
                pickle.dump(honest_work(place, args.seed, args.units), f)
        totals = dict(seed=args.seed, cases=0, brokers=0, **dict.fromkeys(ENDINGS, 0), bad=0, stops=collections.Counter())
        texts, known, begin = [], {r["first"] for r in notes.done}, time.monotonic()

        def count(done, found):
            texts.extend(found)
            for name, n in done.items():
                totals[name] += collections.Counter(n) if name == "stops" else n
        for r in notes.done:
            count(r["done"], r["texts"])
        stride = max(1, args.cases // args.brokers) if args.brokers else 0
        deadline = time.time() + (args.seconds or 1e9)
        last = args.first + args.cases
        with concurrent.futures.ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn"), initializer=load,
                                                    initargs=(harness.BUILD, path)) as pool:
            waiting = [pool.submit(block, args.seed, list(range(at, min(at + BLOCK, last))), stride, deadline)
                       for at in range(args.first, last, BLOCK) if at not in known]
            for f in concurrent.futures.as_completed(waiting):
                first, done, found = f.result()
                notes.add({"first": first, "done": done, "texts": found})
                count(done, found)
        print("\n".join(texts[:20]), flush=True)
        if whole:
            notes.publish(dict(totals))
    totals["seconds"] = round(time.monotonic() - begin, 1)
    print(json.dumps(totals))
    sys.exit(1 if totals["bad"] else 0)


if __name__ == "__main__":
    main()
