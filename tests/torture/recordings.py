"""Lives of the programs that are recorded, call by call (shim.c), for powercut.py to cut the power in:

    broker     from an empty store to its end, with its peers and a backup
    agent      from its empty folder on, with a robot and people
    settled    a start over what a killed broker left in its log (recovery.py has the deaths), and a little of what comes then
    restored   `sunlined --restored` over copies of a store, and the start after that
    upgraded   a start over the store of a released version

A start that follows a death does so on a disk that still has in flight what the dead broker had not synced: both are one recording. Of everything else that
lay there before, whoever put it there is taken to have waited until it was on the disk.
"""
import concurrent.futures
import mmap
import multiprocessing
import os
import pickle
import re
import shutil
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crash  # noqa: E402
import crew  # noqa: E402
import harness  # noqa: E402
import recovery  # noqa: E402
import released  # noqa: E402
import sunline_wire as wire  # noqa: E402
from place import Broker, Child, Place, data_of, die_with_parent  # noqa: E402
from tape import SECTOR, played, read_recording, tree_of  # noqa: E402

AGENT_SHARE = 4  # of the units
DEATHS = ("log-made", "batch-half", "large-batch-whole", "large-pages-half", "large-commit-half")  # that a start settles; nothing, and a torn batch, the most, LMDB's commit of it in its middle
ROUNDS, MOST_ROUNDS = 2, 12  # of the peers, after a start: until something is acknowledged, or all was done before
LEFT_SECTORS = 24  # in the log of a store that is copied
LOST_UNITS = 200   # of its run: more than are in when the copies are made, so that it is open


class Life:
    """What lay on the disk (there), what was done to it (ops), and what the peers did and heard, with the place that the recording had reached by then ("at").
    The power is cut at the place `first` and behind it; most often before `served`, if it is but a start that matters. told: more, for whoever judges it."""

    def __init__(self, name, ops, history, there=(), first=0, served=0, **told):
        self.name, self.ops, self.history, self.there, self.first, self.served, self.told = name, ops, history, there, first, served, told


class Stamp:
    """Each record of a history gets the place that the recording had reached: "at"."""

    def __init__(self, path, first=0):
        self.first = first
        with open(path, "r+b") as f:
            self.counts = mmap.mmap(f.fileno(), 24)

    def __call__(self, h):
        h["at"] = self.first + struct.unpack_from("<Q", self.counts, 8)[0]


def must(good, child, place):
    if not good:
        raise AssertionError(f"the {child.name} ended with {child.status}\n{place.log()}")


# ---------------------------------------------------------------- from an empty folder
def broker(seed, units):
    with Place() as place:
        b = Broker(place)
        tape = place.path("tape")
        must(b.start(record=tape), b, place)
        people = crew.Crew(b.endpoints, seed, units, on_tell=Stamp(b.state_path), backup=os.path.join(b.disk, "copy"))
        must(people.play(b.running, 60), b, place)
        people.close()
        b.stop()
        return Life("", read_recording(tape), people.history)


def agent(seed, units):
    """The agent's folder is there, and empty, as an installation leaves it."""
    with Place() as place:
        scene = crash.AgentScene(place, seed, units=units // AGENT_SHARE)
        tape = place.path("tape")
        os.mkdir(scene.agent.data)
        scene.agent.start(record=tape)
        while not os.path.exists(scene.agent.state_path) or os.path.getsize(scene.agent.state_path) < 64:
            time.sleep(0.001)
        scene.on_tell = Stamp(scene.agent.state_path)
        must(scene.play(), scene.agent, place)
        scene.agent.stop()
        scene.client.close()
        return Life("", read_recording(tape), [dict({"at": 0}, **h) for h in scene.history], ("data",))


# ---------------------------------------------------------------- folders
def put_there(child, path):
    shutil.rmtree(child.disk)
    shutil.copytree(path, child.disk)


def as_killed(ops, mode):
    """A recording's last call is the one that it was killed in; what was made of it is not on the disk for certain."""
    last, made = ops[-1], ops[:-1]
    if mode == "after":
        made.append(last)
    elif mode == "half" and last.kind == "write":
        whole = last.off % SECTOR == 0 and last.n % SECTOR == 0
        last.n = last.n // SECTOR // 2 * SECTOR if whole else last.n // 2  # as shim.c
        last.data, last.synced = last.data[:last.n], False
        made.append(last)
    return made


# ---------------------------------------------------------------- a start that settles
def settling(name, death):
    """The start over a death (a folder of recovery.py), behind the life that led there."""
    with Place() as place:
        log, mode = recovery.DEATHS[name][:2]
        b, tape = Broker(place, "broker", *recovery.settings_of(log)), place.path("tape")
        dead = as_killed(read_recording(os.path.join(death, "tape")), mode)
        left = tree_of(os.path.join(death, "disk"))
        if played(dead).all() != left:
            raise AssertionError(f"{name}: what is left is not what was recorded")
        put_there(b, os.path.join(death, "disk"))
        with open(os.path.join(death, "peers"), "rb") as f:
            people = pickle.load(f)
        must(b.start(record=tape), b, place)
        stamp, served = Stamp(b.state_path, len(dead)), len(dead) + b.shim_state()[1]
        for h in people.history if people else ():
            h["at"] = 0
        people = recovery.people_at(b, people, recovery.facts_of(death)["seed"], stamp)
        people.alive = b.running
        for done in range(MOST_ROUNDS):
            if done >= ROUNDS and any(h["op"] in ("put_ok", "submit_ok") and h["at"] > len(dead) for h in people.history):
                break
            if people.turn():
                break
        people.close()
        b.stop()
        facts = recovery.facts_of(death)
        return Life(name, dead + read_recording(tape), people.history, first=len(dead), served=served, sectors=facts["sectors"])


def settled(seed, names=DEATHS, jobs=2):
    os.environ["SUNLINE_BUILD"] = harness.BUILD  # of those who make them
    with Place() as place, concurrent.futures.ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=die_with_parent) as pool:
        recovery.make_all(pool, names, place.path("deaths"), seed)
        return [settling(name, os.path.join(place.path("deaths"), name)) for name in names]


# ---------------------------------------------------------------- --restored
def lost(seed, place):
    """A store that was lost behind its copies -> {name: (folder, history of whoever finds it there)}, its id, the newest assignment that anybody knows of"""
    b = Broker(place, "original", *recovery.settings_of(recovery.LARGE))
    must(b.start(), b, place)
    people = crew.Crew(b.endpoints, seed, LOST_UNITS, one_by_one=True, looks=recovery.LOOKS, backup=os.path.join(b.disk, "copy"))
    people.alive = b.running
    while not people.copied or recovery.unsettled(b.data)[1] < LEFT_SECTORS:
        people.turn()
        if people.closed is not None:
            raise AssertionError(f"the run was closed before {LEFT_SECTORS} sectors of the log were left, and a copy made")
    was = people.operator.request("info_get")["store_id"].hex()
    people.close()
    b.kill()
    if recovery.unsettled(b.data)[1] == 0:
        raise AssertionError("nothing is left in the log")
    newest = max(h["assignment"] for h in people.history if h["op"] == "push")
    return {"snapshot": (b.data, people.history), "backup": (people.backup, crew.at_backup(people.history, ()))}, was, newest


def restoring(name, folder, history, was, newest=0, **told):
    """The command, and the start after it, which acknowledges a unit if the run is the peers'."""
    with Place() as place:
        args = released.SETTINGS if "version" in told else ()
        b, command = Broker(place, "broker", *args), [harness.program("sunlined"), "--restored", "--data", data_of(place, "broker")]
        shutil.copytree(folder, b.data)
        there = tree_of(b.disk)
        child = Child(place, "broker", command)  # on the same disk
        child.start(record=place.path("tape.restored"))
        must(child.process.wait(60) == 0, child, place)
        ops, first = read_recording(place.path("tape.restored")), int(re.search(r"assignments go on at (\d+)\n$", child.said())[1])
        must(b.start(record=place.path("tape")), b, place)
        history = [dict(h, at=0) for h in history]
        if "version" not in told:
            history += one_unit_more(b, Stamp(b.state_path, len(ops)))
        b.stop()
        return Life(name, ops + read_recording(place.path("tape")), history, there, was=was, newest=newest, own_at=len(ops), own_from=first, **told)


def one_unit_more(b, stamp):
    client, text = wire.Client(b.endpoints["clients"]), "late and the last"
    heard = [{"op": "put", "key": crew.key_of(text), "value": text}]
    stamp(heard[0])
    run_id = client.request("run_get", run=crew.RUN)["run"][0]["run_id"]
    unit = client.request("put", run_id=run_id, rows=[[text]])["first_unit"]
    heard.append({"op": "put_ok", "key": crew.key_of(text), "unit": unit})
    stamp(heard[1])
    client.close()
    return heard


def restored(seed, names=None, versions=released.VERSIONS):
    lives = []
    with Place() as place:
        copies, was, newest = lost(seed, place)
        for name, (folder, history) in copies.items():
            if names is None or name in names:
                lives.append(restoring(name, folder, history, was, newest))
        for version in versions if names is None or "released" in names else ():
            said = released.said(version)["backup"]["answers"]
            was = next(s["answer"]["store_id"]["$bin"] for s in said if s["ask"] == "info_get")
            folder = released.unpack(version, "backup", place.path("backup " + version))
            lives.append(restoring(f"backup of {version}", folder, [], was, version=version, which="backup"))
    return lives


# ---------------------------------------------------------------- the take-over of a released version's store
def taking_over(version):
    with Place() as place:
        b = Broker(place, "broker", *released.SETTINGS)
        released.unpack(version, "store", b.data)
        there = tree_of(b.disk)
        must(b.start(record=place.path("tape")), b, place)
        b.stop()
        return Life(version, read_recording(place.path("tape")), [], there, version=version, which="store")


def upgraded(versions=released.VERSIONS):
    return [taking_over(version) for version in versions]
