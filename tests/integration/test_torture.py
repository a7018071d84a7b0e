"""A sample of the tortures in every run of the tests; `make torture` goes through all of them. Seeds are new each time and printed; a failure prints the
command that repeats it. SUNLINE_TORTURE_SEED fixes the seed, SUNLINE_TORTURE_SECONDS the time of each part."""
import contextlib
import errno
import io
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import time
import types
import unittest
import unittest.mock

import harness

TORTURE = os.path.join(harness.TOP, "tests", "torture")
sys.path.insert(0, TORTURE)
import crash  # noqa: E402
import crew  # noqa: E402
import disk as disks  # noqa: E402
import judges  # noqa: E402
import looking  # noqa: E402
import memory  # noqa: E402
import notebook  # noqa: E402
import planted  # noqa: E402
import powercut  # noqa: E402
import proxy  # noqa: E402
import real  # noqa: E402
import recordings  # noqa: E402
import recovery  # noqa: E402
import starts  # noqa: E402
import storm  # noqa: E402
import tally  # noqa: E402
import tape  # noqa: E402
import sunline_wire as wire  # noqa: E402
from place import PAGE_LOST, Broker, Place  # noqa: E402

CUT_IN_A_NAMESPACE = """
import socket, sys
sys.path.insert(0, sys.argv[1])
import namespace
why_not = namespace.enter()
if why_not:
    sys.exit(print("refused: " + why_not))
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
near = socket.create_connection(("127.0.0.1", port), timeout=20)
far = server.accept()[0]
far.settimeout(0.3)
namespace.order(f"cut up {port}")
near.sendall(b"x")
try:
    print("up open", far.recv(1))
except TimeoutError:
    print("up cut", end=", ")
far.sendall(b"y")
print("down open" if near.recv(1) == b"y" else "down cut")
namespace.order("clear")
far.settimeout(20)
print("late, not lost" if far.recv(1) == b"x" else "lost")
"""

EACH_WAY = """
import ctypes, os, sys
libc, top = ctypes.CDLL(None), sys.argv[1].encode()
os.mkdir(top + b"/a")
fd = libc.open(top + b"/a/x", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
libc.dprintf(fd, b"%d and %s", 12, b"more")
os.close(fd)
fd = libc.openat(-100, top + b"/a/x", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
libc.write(fd, b"half", 4)
os.fsync(fd)
os.close(fd)
os.rename(top + b"/a/x", top + b"/a/y")
fd = os.open(top + b"/a", os.O_RDONLY)
os.fsync(fd)
libc.renameat2(-100, top + b"/a", -100, top + b"/b", 1)
libc.unlink(top + b"/b/y")
libc.rmdir(top + b"/b")
libc.rmdir(top + b"/b")
fd = os.open(top, os.O_RDONLY)
os.fsync(fd)
"""

ALONE = False  # tests/run
SEED = int(os.environ.get("SUNLINE_TORTURE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
SECONDS = os.environ.get("SUNLINE_TORTURE_SECONDS", "15")


class Torture(unittest.TestCase):
    def part(self, name, *args):
        print(f"{name}: seed {SEED}")
        done = subprocess.run([harness.PYTHON, os.path.join(TORTURE, name + ".py"), "--build", harness.BUILD, "--seed", str(SEED), *args],
                              capture_output=True, text=True, timeout=200)
        print(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def test_killed_in_the_middle_of_writing_broker_and_agent_lose_nothing(self):
        figures = self.part("crash", "--seconds", str(2 * int(SECONDS)))
        self.assertEqual([f["what"] for f in figures], ["broker", "agent"])
        for f in figures:
            self.assertGreaterEqual(f["crashes"], 5, f)
            self.assertGreater(f["results"], 100)

    def test_without_memory_broker_and_agent_say_so_or_end_and_lose_nothing(self):
        figures = self.part("memory", "--seconds", SECONDS)
        self.assertEqual([f["what"] for f in figures], ["broker", "agent"])
        for f in figures:
            self.assertGreater(f["places"], 50)
            self.assertGreaterEqual(f["places_refused"], 3, f)
            self.assertGreater(f["results"], 50)

    def test_a_power_cut_takes_nothing_that_was_acknowledged(self):
        figures = [f for what in ("broker", "agent") for f in self.part("powercut", "--what", what, "--units", "60", "--subsets", "500", "--seconds", SECONDS, "--step", "7")]
        self.assertEqual([f["what"] for f in figures], ["broker", "agent"])
        for f in figures:
            self.assertGreaterEqual(f["prefixes"], 2 * (f["places"] // 7))  # how many places there are depends on how much went into each commit
            self.assertGreater(f["prefixes"], 40)
            self.assertGreater(f["subsets"], 20)
            self.assertGreater(f["syncs"], 20)
        self.assertGreater(figures[1]["kept"], 10)

    def test_a_power_cut_in_a_start_takes_nothing_either(self):
        for what in ("settle", "restored", "upgrade"):
            with self.subTest(what):
                (f,) = self.part("powercut", "--what", what, "--subsets", "400", "--seconds", str(int(SECONDS) // 3), "--step", "7")
                self.assertEqual((f["what"], f["recordings"]), (what, 1))
                self.assertGreaterEqual(f["prefixes"], 2 * (f["places"] // 7))
                self.assertGreater(f["opened"], 2)
                self.assertGreater(f["syncs"], 5)

    def test_damage_is_named_never_served(self):
        (f,) = self.part("damage", "--cases", "400", "--brokers", "40", "--seconds", SECONDS)
        self.assertGreater(f["cases"], 50)
        self.assertGreater(f["named"], 10)
        self.assertEqual(sum(f["stops"].values()), f["stopped"])

    def test_a_start_that_is_killed_while_it_settles_is_taken_up_again(self):
        (f,) = self.part("recovery", "--seconds", SECONDS)
        self.assertEqual(f["stores"], 2)
        self.assertGreater(f["calls"], 20)
        self.assertGreater(f["points"], 5)

    def test_a_storm_of_faults(self):
        (f,) = self.part("storm", "--minutes", str(int(SECONDS) / 60), "--units", "1500", "--sample")
        self.assertGreater(f["kills"], 3)
        self.assertGreater(f["units"], 1000)
        self.assertGreater(f["delays judged"], 0)
        self.assertGreater(f["expiries judged"], 0)

    def test_a_storm_over_each_kind_of_disk_or_over_what_is_said_to_stand_in_for_it(self):
        for number, kind in enumerate(disks.KINDS):
            with self.subTest(kind):
                (f,) = self.part("storm", "--one", str(number), "--round", "4", "--units", "600", "--seed", str(SEED + -SEED % len(disks.KINDS)))
                self.assertEqual(f["units"], 600 + storm.REAL_UNITS * len(real.RUNS))
                refused = [name for name in f if name.startswith(f"disks refused: {kind} (")]
                self.assertEqual("disks: " + kind not in f, len(refused) == 1, f)


class AFullDisk(unittest.TestCase):
    """Of each kind that the storm fills; one that this machine has not is told as skipped."""

    def take(self, kind):
        self.place = storm.Place()
        self.addCleanup(self.place.__exit__)
        self.disk = disks.take(self.place, kind)
        if kind in self.disk.refused:
            self.skipTest(f"{kind}: {self.disk.refused[kind]}")
        self.broker = storm.Broker(self.place, "broker", "--set", f"reserve_bytes={disks.RESERVE_BYTES}", ipc=False)
        self.disk.carry(self.broker)
        self.start()
        self.client.request("line_apply", definition=crew.LINE)
        self.run_id = self.client.request("run_start", line=crew.LINE["line"], name=crew.RUN)["run_id"]
        self.sent, self.acknowledged = 0, []
        for _ in range(4):
            self.assertEqual(self.put(), "OK")

    def start(self):
        self.assertTrue(self.broker.start(), self.place.log())
        self.client = wire.Client(self.broker.endpoints["clients"])
        self.client.socket.setsockopt(wire.zmq.LINGER, 0)
        self.addCleanup(self.client.close)

    def put(self, timeout_s=20):
        """One unit more -> what became of it"""
        self.sent += 1
        try:
            self.client.request("put", timeout_s=timeout_s, run_id=self.run_id, rows=[[f"unit {self.sent}"]])
        except wire.SunlineError as e:
            return e.code
        except wire.Timeout:
            return "no answer"
        self.acknowledged.append(f"unit {self.sent}")
        return "OK"

    def rows(self):
        return crew.run_rows(self.client.request)

    def refuses_units_and_takes_results(self, kind):
        self.take(kind)
        agent = wire.Agent(self.broker.endpoints["agents"], "nairobi")
        self.addCleanup(agent.close)
        agent.hello()
        agent.roster([{"name": "ann", "kind": 0, "capacity": 9, "skills": [{"name": "craft", "level": 1}]}])
        agent.credit({"ann": 2})
        one, other = agent.assignments(2)
        self.assertTrue(self.disk.fill(disks.RESERVE_BYTES * 3 // 4))
        harness.wait(lambda: self.put() == "STORE_FULL", 20, "units to be refused")
        self.assertEqual(agent.submit([agent.result(one, ["while it is full"])]), {"ok": 1, "outcomes": []})
        rows = self.rows()
        self.assertEqual([row["text"] for row in rows], self.acknowledged, "reads are served, and what was refused is not there")
        self.assertEqual([row["results"] for row in rows if row["results"]], [{"first": "while it is full"}])
        self.disk.empty()
        harness.wait(lambda: self.put() == "OK", 20, "units to be taken again")
        self.assertEqual(agent.submit([agent.result(other, ["afterwards"])]), {"ok": 1, "outcomes": []})
        rows = self.rows()
        self.assertEqual([row["text"] for row in rows], self.acknowledged)
        self.assertEqual([row["results"]["first"] for row in rows if row["results"]], ["while it is full", "afterwards"])
        self.assertEqual(self.broker.stop(), 0, self.place.log())

    def test_a_full_ext4_refuses_units_takes_results_and_takes_units_when_there_is_room(self):
        self.refuses_units_and_takes_results("ext4")

    def test_a_full_tmpfs_does_the_same(self):
        self.refuses_units_and_takes_results("tmpfs")

    def test_a_project_quota_that_is_used_up_does_the_same(self):
        self.refuses_units_and_takes_results("project quota")

    def test_a_quota_that_statvfs_does_not_tell_of_ends_the_broker_and_takes_nothing_that_was_acknowledged(self):
        self.take("quota group")
        self.assertTrue(self.disk.fill(0))
        harness.wait(lambda: self.put(0.2) == "no answer" and not self.broker.running(), 60, "the broker to end")
        self.assertEqual(self.broker.status, 70, self.place.log())
        if self.broker.failure() != PAGE_LOST:  # a write was refused first
            self.assertIn(os.strerror(errno.EDQUOT), self.place.log())
        if not self.broker.start():  # or it is up until it writes
            self.broker.must_be(storm.NO_START)
        self.broker.kill()
        self.disk.empty()
        self.start()
        self.assertLessEqual(set(self.acknowledged), {row["text"] for row in self.rows()})
        self.assertEqual(self.put(), "OK")
        self.assertEqual(self.broker.stop(), 0, self.place.log())

    def test_what_a_machine_refuses_is_told_with_what_stands_in_for_it(self):
        """As one that refuses everything, and one that has no btrfs."""
        for what_refuses, kind, stands_in, text in (
                (("",), "project quota", "none", "no file system of a fixed size was mounted: the limit on the size of files stands in; refused here: "
                 "ext4 (mkfs.ext4 refuses; none instead), project quota (mkfs.ext4 refuses; none instead), tmpfs (mount refuses; none instead)"),
                (("mkfs.btrfs",), "quota group", "ext4", "filled were an ext4 in a file; refused here: quota group (mkfs.btrfs refuses; ext4 instead)")):
            with self.subTest(kind), storm.Place() as place:
                def must(*argv, what_refuses=what_refuses):
                    if argv[0].endswith(what_refuses):
                        raise disks.Refused(f"{argv[0]} refuses")
                with unittest.mock.patch.object(disks, "must", must):
                    disk = disks.take(place, kind)
                disk.mounted = False  # nothing was
                self.assertEqual(disk.kind, stands_in)
                self.assertEqual(disks.told({name: 1 for name in disks.counted(disk)}), text)


class TheTorturer(harness.Case):
    """The tools themselves."""

    def cuts(self, what, ops, history, places=None, tree=tape.Disk.certain):
        """What is said of the pictures at these places (the end)."""
        life, texts = recordings.Life("", ops, history, ("data",) if what == "agent" else ()), []
        with Place() as place:
            judge, disk = looking.JUDGES[what](life, place), tape.Disk(life.there)
            for at in range(len(ops) + 1):
                if at in (places or [len(ops)]):
                    texts.append(judge.bad(at, tree(disk), lambda: [disk.all()]))
                if at < len(ops):
                    disk.advance(ops[at])
            judge.end()
        return texts

    def recorded(self, of):
        life = of(1, 40)
        return life.ops, life.history

    def test_a_cut_before_the_sync_is_noticed(self):
        """Had the broker acknowledged before its sync, the replay would say so: the same recording with acknowledgements at an earlier place."""
        ops, history = self.recorded(recordings.broker)
        for h in history:
            h["at"] = max(0, h["at"] - 12) if h["op"] in looking.ACKS else h["at"]
        texts = self.cuts("broker", ops, history, range(len(ops) // 2, len(ops), 9))
        self.assertTrue(any("lost" in text for text in texts), texts)

    def test_a_folder_that_is_not_synced_is_noticed(self):
        """The recording without the syncs of folders that make a name certain; whatever is in the files is on the disk."""
        ops, history = self.recorded(recordings.broker)
        self.assertEqual(self.cuts("broker", ops, history), [""])
        log_made = next(i for i, op in enumerate(ops) if op.kind == "create" and op.name == "data/wal")
        copied = next(i for i, op in enumerate(ops) if op.kind == "rename" and op.to == "copy")
        for what, since, until, folder, expected in (("the store's own folder", 0, copied, "", "lost"), ("the log", log_made, len(ops), "data", "wal"),
                                                     ("the backup", copied, len(ops), "", "a backup")):
            with self.subTest(what):
                left = [op for i, op in enumerate(ops[:until]) if i < since or op.kind != "fsync" or op.name != folder]
                (text,) = self.cuts("broker", left, [h for h in history if h["at"] < until or h["op"] not in looking.ACKS])
                self.assertIn(expected, text)
        ops, history = self.recorded(recordings.agent)
        self.assertEqual(self.cuts("agent", ops, history), [""])
        handed_in = next(h for h in history if h["op"] == "kept")["at"]
        for name in ("data/identity", "data/journal.log", "data/outbox-0000000001.log"):
            with self.subTest(name):
                named = next(i for i, op in enumerate(ops) if name == (op.to if op.kind == "rename" else op.name) and op.kind in ("create", "rename"))
                following = next(i for i, op in enumerate(ops) if i > named and op.kind == "fsync" and op.name == "data")
                disk = tape.Disk(("data",))
                for op in ops[:following]:
                    disk.advance(op)
                self.assertNotIn(name, disk.certain())
        left = [op for op in ops if op.kind != "fsync" or op.name != "data"]
        self.assertIn("the agent was", self.cuts("agent", left, history, [handed_in])[0])

    def test_what_a_person_was_told_before_the_agent_s_sync_is_noticed(self):
        ops, history = self.recorded(recordings.agent)
        left = [op for op in ops if op.kind != "fdatasync" or not op.name.startswith("data/outbox")]
        texts = self.cuts("agent", left, [dict(h, at=0) for h in history], range(len(left)))
        self.assertTrue(any("a result" in text and "that was called kept" in text for text in texts), texts)

    def test_what_a_person_was_told_before_the_agent_wrote_is_noticed(self):
        life = recordings.agent(1, 40)
        with Place() as place:
            judge = looking.AgentJudge(life, place)
            self.assertEqual(looking.kept_too_early(life, judge), [])
            life.ops = [op for op in life.ops if op.kind != "write" or not op.name.startswith("data/outbox")]
            self.assertNotEqual(looking.kept_too_early(life, judge), [])
            judge.end()

    def test_the_shim_counts_kills_and_records(self):
        with Place() as place:
            broker = Broker(place)
            self.assertTrue(broker.start(record=place.path("tape")))
            self.assertEqual(broker.stop(), 0)
            calls, recorded, _ = broker.shim_state()
            ops = tape.read_recording(place.path("tape"))
            self.assertLessEqual(len(ops), recorded)  # LMDB's table of readers is passed over
            self.assertLessEqual(recorded, calls)
            self.assertTrue(any(op.synced for op in ops), "LMDB's meta pages are written through O_DSYNC")
            self.assertTrue({"create", "write", "fdatasync", "fsync", "rename", "mkdir"} <= {op.kind for op in ops}, {op.kind for op in ops})
            disk = tape.Disk()
            for op in ops:
                disk.advance(op)
            with open(os.path.join(broker.data, "data.mdb"), "rb") as f:
                self.assertEqual(bytes(disk.find("data/data.mdb").written), f.read())  # the recording is the whole truth
            broker.start(at=3)
            self.assertEqual(broker.process.wait(20), -9)
            shutil.rmtree(broker.data)
            broker.start(at=2, mode="after", only=("write", "data/data.mdb", None))
            self.assertEqual(broker.process.wait(20), -9)
            self.assertGreater(broker.shim_state()[0], 2)
            self.assertEqual(broker.last_call(), "write data/data.mdb")
            self.assertGreater(os.path.getsize(os.path.join(broker.data, "data.mdb")), 0)
            shutil.rmtree(broker.data)
            for mode, kind, name in (("before", "write", "data/data.mdb"), ("half", "write", "data/data.mdb"), ("after", "write", "data/data.mdb"), ("half", "rename", "data/endpoints.new")):
                broker.start(at=1, mode=mode, only=(kind, name, None), record=place.path("cut"))
                self.assertEqual(broker.process.wait(20), -9)
                last = tape.read_recording(place.path("cut"))[-1]
                self.assertEqual((last.kind, last.name, last.off), (kind, name, 0), "what it died in is the last call of its recording")
                self.assertEqual(len(last.data), last.n, mode)
                shutil.rmtree(broker.data)
                os.unlink(place.path("cut"))
            broker.start(at=1, mode="before", only=("write", "data/data.mdb", 0))
            self.assertEqual(broker.process.wait(20), -9)
            self.assertEqual(os.path.getsize(os.path.join(broker.data, "data.mdb")), 0)

    def test_the_shim_sees_each_way_to_change_a_file(self):
        with Place() as place:
            child = crash.Child(place, "caller", [harness.PYTHON, "-c", EACH_WAY, place.path("caller.disk")])
            child.start(record=place.path("tape"))
            self.assertEqual(child.process.wait(20), 0, place.log())
            said = [f"{op.kind} {op.name}" + (f" {op.to}" if op.to else "") + (f" {op.data.decode()}" if op.data else "") for op in
                    tape.read_recording(place.path("tape"))]
            self.assertEqual(said, ["mkdir a", "create a/x", "write a/x 12 and more", "ftruncate a/x", "write a/x half", "fsync a/x", "rename a/x a/y", "fsync a",
                                    "rename a b", "unlink b/y", "rmdir b", "fsync "])
            self.assertEqual(child.shim_state()[0], len(said) + 1, "and one that failed is counted")
            for n, left in ((1, []), (2, ["a"]), (3, ["a", "a/x"]), (9, ["a", "a/y"]), (10, ["b", "b/y"]), (11, ["b"])):
                child.start(at=n, mode="before")
                self.assertEqual(child.process.wait(20), -9)
                found = sorted(os.path.relpath(os.path.join(d, name), child.disk) for d, folders, files in os.walk(child.disk) for name in folders + files)
                self.assertEqual(found, left, f"killed before call {n}")
                shutil.rmtree(child.disk)
                os.mkdir(child.disk)

    def test_a_point_below_the_end_that_was_not_reached_is_bad_and_named(self):
        point = dict(of="broker", n=7, mode="half", place="write data/wal", completed=False, bad=[], runs=1, **dict.fromkeys(judges.SUMS, 0))
        for more, good, said in (({}, True, ""), ({"n": 9, "completed": True}, True, ""), ({"completed": True, "runs": 8}, False, "BAD broker, call 7"),
                                 ({"place": "fsync data"}, False, "no crash at write data/wal")):
            with self.subTest(more):
                tally, out = crash.Demanded("broker", 1), io.StringIO()
                tally.measured({"end": 8, "most": 9, "places": ["write data/wal"]})
                with contextlib.redirect_stdout(out):
                    tally.add(dict(point, **more) if "n" not in more else point)
                    if "n" in more:
                        tally.add(dict(point, **more))
                    tally.over()
                    self.assertEqual(tally.report(), good)
                self.assertIn(said, out.getvalue())
        self.assertEqual(tally.sum["points below the end"], "crashed at 1 of 1")

    def a_death(self, place, name):
        """-> its folder"""
        where = recovery.record(recovery.DEATHS[name][0], [name], SEED)[name]
        recovery.make(name, place.path(name), SEED, where)
        return place.path(name)

    def test_what_a_start_loses_of_a_dead_broker_s_log_is_noticed(self):
        with starts.Place() as place:
            folder = self.a_death(place, "large-batch-whole")
            settling = recovery.Settling(place, folder)
            settling.must(settling.begin())
            self.assertEqual(settling.sound(), [])
            settling.broker.kill()
            log = os.path.join(folder, "disk", "data", "wal")
            size = os.path.getsize(log)
            os.truncate(log, 0)
            os.truncate(log, size)  # as if no batch had ever been in it
            settling.must(settling.begin())
            self.assertTrue(any("lost" in text for text in settling.sound()))

    def test_a_death_leaves_what_is_to_be_settled_and_who_can_go_on(self):
        with starts.Place() as place:
            folder = self.a_death(place, "batch-half")
            facts, bad = recovery.facts_of(folder), []
            self.assertGreater(facts["sectors"], 1, "a whole batch and a part of one at least")
            self.assertEqual((facts["name"], facts["place"], facts["mode"]), ("batch-half", "write data/wal", "half"))
            self.assertGreater(facts["held"], 0)
            self.assertGreater(facts["txn"], 0)
            settling = recovery.Settling(place, folder)
            self.assertEqual(settling.people.acked_rows, facts["rows"])
            settling.must(settling.begin())
            told = settling.go_on(bad)
            self.assertEqual((bad, told["units"]), ([], crash.UNITS))

    def test_a_death_in_another_call_than_its_name_says_or_with_too_little_in_the_log_is_none(self):
        with starts.Place() as place:
            folder = place.path("death")
            for name, calls, least, said in (("large-pages-half", [("write", "data/data.mdb", None, 1)], 1, "write data/data.mdb at 0: another call"),
                                             ("log-made", [("write", "data/wal", None, 1)], 5, "write data/wal at 0: 0 sectors left")):
                with self.subTest(name), self.assertRaisesRegex(AssertionError, said):
                    recovery.make(name, folder, SEED, (calls, least, least))
                self.assertEqual(recovery.facts_of(folder), {})
            recovery.make("log-made", folder, SEED, ([("write", "data/wal", None, 1)], 0, 0))
            settling = recovery.Settling(place, folder)
            settling.must(settling.begin())
            self.assertEqual(settling.sound(), [])
            client = recovery.wire.Client(settling.broker.endpoints["clients"])
            self.addCleanup(client.close)
            client.request("line_apply", definition=crew.LINE)
            client.request("run_start", line=crew.LINE["line"], name=crew.RUN)
            self.assertEqual(settling.sound(), ["unexpected: a run that nobody began"])

    def test_of_deaths_that_left_less_than_was_hoped_for_the_one_that_left_the_most_is_kept(self):
        with starts.Place() as place:
            folder, left = place.path("death"), itertools.chain([3, 7], itertools.repeat(2))
            with unittest.mock.patch.object(recovery, "unsettled", lambda data: (1, next(left))):
                recovery.make("large-batch-whole", folder, SEED, ([("write", "data/wal", None, n) for n in range(10, 22, 2)], 10, 1))
            self.assertEqual(recovery.facts_of(folder)["sectors"], 7)

    def test_points_over_deaths_that_are_gone_are_made_again_over_others(self):
        kept, args = self.world.path("deaths"), types.SimpleNamespace(seed=1, fresh=False)
        os.makedirs(os.path.join(self.world.dir, "torture"))
        self.world.write("sunlined", "a program")
        with unittest.mock.patch.object(harness, "BUILD", self.world.dir):
            def noted():
                return recovery.notebook_of(kept, args)
            for name in recovery.DEATHS:
                os.makedirs(os.path.join(kept, name, "disk"))
                self.world.write(f"deaths/{name}/disk/wal", name)
            notes = noted()
            self.assertFalse(os.path.exists(kept), "whose they are is not noted")
            os.makedirs(os.path.join(kept, "log-made"))
            self.world.write("deaths/log-made/facts.json", "{}")
            notes.add({"deaths": recovery.digest_of(kept, recovery.DEATHS)})
            notes.add({"of": "log-made", "n": 1})
            self.assertEqual(len(noted().done), 2)
            self.world.write("deaths/log-made/facts.json", "{ }")
            self.assertEqual(noted().done, [])

    def test_a_death_after_which_something_was_wrong_is_kept_and_the_command_goes_through_it_again(self):
        os.makedirs(self.world.path("x", "disk"))
        self.world.write("x/disk/wal", "a batch")
        folders, out = {"x": self.world.path("x")}, io.StringIO()
        with unittest.mock.patch.object(harness, "BUILD", self.world.dir), contextlib.redirect_stdout(out):
            sums = tally.Tally(recovery.Again(7, folders))
            for n in (1, 2):
                sums.add({"of": "x", "n": n, "mode": "half", "place": "write data/wal", "bad": ["lost: it"]})
        kept = self.world.path("reliability", "bad-recovery-7-x")
        self.assertIn(f"again with tests/torture/recovery.py --death {kept} --mode half --from 2 --points 1\n  lost: it\n", out.getvalue())
        with open(os.path.join(kept, "disk", "wal")) as f:
            self.assertEqual(f.read(), "a batch")

    def test_what_either_judge_found_is_counted(self):
        told = types.SimpleNamespace(lines=[], **dict.fromkeys(("refusals", "refusals_left_out", "delays", "expiries", "times"), 0))
        with unittest.mock.patch.object(judges, "same_checker", lambda lines: (["lost: 2, first: x"], {"events": 9, "verdicts": {"lost": 2, "given_twice": 1, "fifo": 4}})), \
                unittest.mock.patch.object(judges.facts, "whole", lambda *histories: told):
            sums = judges.whole([{"op": "put", "key": "a", "value": "a"}, {"op": "put_ok", "key": "a", "unit": 1},
                                 {"op": "end", "key": "b", "unit": 2, "state": "done", "value": "b", "results": {}}]).sums()
        self.assertEqual({name: sums[name] for name in ("units", "results", "events", *judges.FOUND)}, {"units": 1, "results": 0, "events": 9, "lost": 3, "double": 1, "phantom": 1})

    def test_a_call_that_a_start_does_not_make_is_not_taken_for_killed(self):
        with starts.Place() as place, unittest.mock.patch.object(starts, "SERVING_S", 0.1):
            os.mkdir(place.path("empty"))
            settling = starts.Starts(place, place.path("empty"))
            calls = settling.calls()
            self.assertIn("data/endpoints", settling.kill(calls - 1, "before") + settling.kill(calls, "before"))
            with self.assertRaisesRegex(starts.NotReached, r"not reached: this start had \d+ calls"):
                settling.kill(calls + 1000, "before")

    def test_a_start_s_point_that_was_not_reached_is_bad_and_named(self):
        sums, out = tally.Tally("recovery.py --store {}".format, ("second kills",)), io.StringIO()
        with contextlib.redirect_stdout(out):
            sums.add({"of": "x", "n": 1, "mode": "half", "place": "write data/wal", "bad": [], "second kills": 1})
            sums.add({"of": "x", "n": 2, "mode": "half", "place": "?", "bad": ["not reached: this start had 1 calls"]})
        self.assertEqual((sums.sum["points"], sums.sum["bad"], sums.sum["second kills"]), (2, 1, 1))
        self.assertEqual(out.getvalue(), "BAD x, call 2 (?), half: again with recovery.py --store x --mode half --from 2 --points 1\n  not reached: this start had 1 calls\n")

    def ended(self, child, how):
        """A stand-in for a program that ended by itself."""
        child.argv = ["/bin/sh", "-c", how]
        crash.Child.start(child)
        child.process.wait(20)
        return child

    def a_storm(self, place, how):
        s = storm.Storm.__new__(storm.Storm)
        s.place, s.totals, s.dice, s.meet, s.begun = place, {}, random.Random(1), lambda: None, True
        s.disk = types.SimpleNamespace(is_full=lambda: True, empty=lambda: None, loses_pages=False, words="a disk")
        s.broker, s.short = self.ended(storm.Broker(place), how), True

        def turn():
            raise crew.Gone
        s.people = types.SimpleNamespace(turn=turn)
        return s

    def test_a_broker_that_crashed_is_bad_and_no_kill_hides_it(self):
        for how in ("kill -SEGV $$", "kill -ABRT $$", "exit 3"):
            for fault in ("kill", "kill_twice", "again", "round"):
                with self.subTest(f"{how}: {fault}"), storm.Place() as place:
                    s = self.a_storm(place, how)
                    with self.assertRaisesRegex(AssertionError, f"the broker ended by itself with {s.broker.status}"):
                        getattr(s, fault)()
                    self.assertEqual(s.totals, {})

    NO_ROOM = "echo 'level=error event=store_failed at=commit code=3 text=\"No space left on device\"'; exit 70"
    NO_PAGE = f"echo 'level=error event=store_failed text=\"{PAGE_LOST} cannot be read, or not written\"'; exit 70"

    def test_a_broker_that_is_there_is_killed_and_one_that_had_no_room_was_not(self):
        with storm.Place() as place:
            s = self.a_storm(place, self.NO_ROOM)
            s.strike(s.clean())
            had = {"ended before a kill": 1, "ended with 70: store_failed at commit": 1}
            self.assertEqual(s.totals, had)
            s.broker.argv = ["/bin/sleep", "60"]
            crash.Child.start(s.broker)
            s.strike(())
            self.assertEqual(s.totals, {**had, "kills": 1})

    def test_a_store_that_failed_where_there_was_room_is_bad(self):
        with storm.Place() as place:
            s = self.a_storm(place, self.NO_ROOM)
            s.short = False
            for fault in (s.kill, s.kill_twice, s.round):
                with self.assertRaisesRegex(AssertionError, "the broker ended by itself with 70"):
                    fault()
            self.assertEqual(s.totals, {})

    def test_whether_there_was_room_is_known_since_the_last_start(self):
        with storm.Place() as place:
            s = self.a_storm(place, self.NO_ROOM)
            s.disk.is_full = lambda: False
            with unittest.mock.patch.object(s.broker, "start", lambda: True):
                s.start()
            self.assertEqual(s.clean(), ())
            s.disk.fill, s.pause = lambda leave: True, lambda seconds: None
            s.fill_disk()
            self.assertEqual(s.clean(), (70,))
            s.start()
            self.assertEqual(s.clean(), ())
            s.broker.argv = ["/bin/sleep", "60"]
            os.makedirs(s.broker.data)
            place.write(os.path.relpath(os.path.join(s.broker.data, "data.mdb"), place.dir), "")
            crash.Child.start(s.broker)
            s.limit_files()
            self.assertEqual(s.clean(), (70,))

    def test_a_store_that_failed_without_a_word_is_bad_and_so_is_a_page_on_a_disk_that_loses_none(self):
        for how, said in (("exit 70", None), ("echo event=store_failed at=step; exec sh -c 'exit 70'", "store_failed at step"), (self.NO_PAGE, PAGE_LOST)):
            with self.subTest(how), storm.Place() as place:
                s = self.a_storm(place, how)
                self.assertEqual(s.broker.failure(), said)
                for s.disk.loses_pages in (False, True):
                    if said is None or said == PAGE_LOST and not s.disk.loses_pages:
                        with self.assertRaisesRegex(AssertionError, f"ended with 70 on a disk, and said {said}"):
                            s.ended((70,))
                    else:
                        s.ended((70,))
                self.assertEqual({disk.kind for disk in disks.KINDS.values() if disk.loses_pages}, {"tmpfs", "quota group"})

    def test_a_bad_round_of_the_storm_keeps_what_happened(self):
        with storm.Place() as place:
            s = self.a_storm(place, "echo that is all")
            s.people.history, s.real = [{"op": "put", "key": "u1", "value": "x"}], types.SimpleNamespace(histories=[[], [{"op": "put", "key": "u2", "value": "y"}]])
            os.makedirs(s.broker.data)
            place.write(os.path.relpath(os.path.join(s.broker.data, "data.mdb"), place.dir), "a store")
            folder = self.world.path("bad")
            self.assertIn(f"kept in {folder}; no facts can be made of it: Untold", s.keep(folder))
            left = {name: open(os.path.join(folder, name)).read() for name in ("history-0", "history-1", "history-2", "broker.log", "data/data.mdb")}
            self.assertEqual(left, {"history-0": '{"op": "put", "key": "u1", "value": "x"}\n', "history-1": "", "history-2": '{"op": "put", "key": "u2", "value": "y"}\n',
                                    "broker.log": "that is all\n", "data/data.mdb": "a store"})

    def test_without_memory_a_store_fails_with_a_word_and_not_of_a_page(self):
        for name, how, good in (("broker", self.NO_ROOM, True), ("broker", "exit 70", False), ("broker", self.NO_PAGE, False), ("broker", "exit 3", False),
                                ("agent", "exit 1", True), ("agent", "exit 70", False)):
            with self.subTest(f"{name}: {how}"), storm.Place() as place:
                child, bad = self.ended(storm.Broker(place) if name == "broker" else crash.Child(place, name, []), how), []
                memory.ended(child, place, bad)
                self.assertEqual(bad == [], good, bad)

    def processes(self, place, count, how):
        """Two hubs and two runs whose agents and producers are no such programs, and nobody at a screen."""
        r = real.Real(place, 1, 3, count)
        for hub in r.hubs:
            hub.agent, hub.screens = how(crash.Child(place, hub.name, [])), []
        for run in r.runs:
            run.producer = how(crash.Child(place, run.name, []))
        return r

    def asleep(self, child):
        child.argv = ["/bin/sleep", "60"]
        return crash.Child.start(child)

    def test_an_agent_or_a_producer_that_crashed_is_bad_and_no_kill_hides_it(self):
        with storm.Place() as place:
            r = self.processes(place, lambda name: self.fail("counted: " + name), lambda child: self.ended(child, "kill -SEGV $$"))
            for each in (*r.hubs, *r.runs):
                for fault in (each.kill, each.turn):
                    with self.subTest(each.name), self.assertRaisesRegex(AssertionError, f"the {each.name} ended by itself with -11"):
                        fault()

    def test_each_agent_and_each_producer_is_killed_by_itself_and_counted_once(self):
        with storm.Place() as place:
            counted = []
            r = self.processes(place, counted.append, self.asleep)

            def pids():
                return [p.pid for p in (*(hub.agent.process for hub in r.hubs), *(run.producer.process for run in r.runs))]
            for n, (each, name) in enumerate(zip((*r.hubs, *r.runs), ["agent kills"] * 2 + ["producer kills"] * 2)):
                had = pids()
                each.kill()
                self.assertEqual([i for i, (old, new) in enumerate(zip(had, pids())) if old != new], [n])
                self.assertEqual(counted.pop(), name)
                self.assertEqual(counted, [])

    def test_an_agent_stays_frozen_until_it_is_thawed_or_killed_or_the_faults_are_over(self):
        with storm.Place() as place:
            s = storm.Storm.__new__(storm.Storm)
            s.totals, s.links, s.own_net, s.meet, s.begun = {}, {}, False, lambda: None, True
            s.disk, s.broker = types.SimpleNamespace(empty=lambda: None), types.SimpleNamespace(running=lambda: False)
            s.real = self.processes(place, s.count, self.asleep)
            hub = s.real.hubs[0]

            def fault(what, thaws):
                s.dice = types.SimpleNamespace(choice=lambda of: hub if hub in of else what, random=lambda: float(not thaws))
                s.real_fault()
                return hub.frozen
            s.pause = lambda seconds: self.assertTrue(hub.frozen)
            self.assertEqual([fault("freeze", thaws) for thaws in (True, False, False, False)], [False, True, False, True])
            self.assertFalse(fault("kill", False))
            fault("freeze", False)
            os.waitid(os.P_PID, hub.agent.process.pid, os.WSTOPPED)
            s.calm()
            os.waitid(os.P_PID, hub.agent.process.pid, os.WCONTINUED)
            self.assertFalse(hub.frozen)
            self.assertEqual(s.totals, {"agent freezes": 4, "agent kills": 1})

    def test_a_producer_that_is_through_is_not_killed_any_more(self):
        with storm.Place() as place:
            r = self.processes(place, lambda name: self.fail("counted: " + name), self.asleep)
            r.runs[1].imported = True
            r.runs[1].kill()
            self.assertTrue(r.runs[1].producer.running())

    def test_what_people_of_either_hub_did_is_judged_with_the_run_that_it_is_about(self):
        with storm.Place() as place:
            r = real.Real(place, 1, 3, lambda name: None)
            self.assertEqual(len({w["name"] for hub in r.hubs for w in hub.staff["workers"]}), 6, "nobody is at two hubs")
            self.assertFalse(r.runs[0].keys & r.runs[1].keys)
            had = [len(h) for h in r.histories]
            for n, key in enumerate((min(r.runs[0].keys), min(r.runs[1].keys), "u1")):
                for record in ({"op": "shown", "key": key}, {"op": "drafting"}, {"op": "kept", "key": key}):
                    r.tell(dict(record, assignment=n))
            r.tell({"op": "lost_draft", "assignment": 1})
            self.assertEqual([[h["assignment"] for h in history[n:]] for history, n in zip(r.histories, had)], [[0, 0, 0, 2, 2, 2], [1, 1, 1]])
            self.assertEqual(len(r.lost_drafts), 1)

    def test_an_agent_alone_is_cut_off_and_the_peers_keep_their_links(self):
        s, met, orders = storm.Storm.__new__(storm.Storm), [], []
        s.totals, s.dice, s.alone, s.own_net = {}, random.Random(1), ["nairobi", "kisumu"], True
        s.meet, s.pause, s.port = lambda: met.append(orders[-1]), lambda seconds: None, lambda kind: 1
        s.links = {name: types.SimpleNamespace(port=2 + n, order=lambda text, name=name: orders.append((name, text))) for n, name in enumerate((*storm.SHARED, *s.alone))}
        with unittest.mock.patch.object(storm.namespace, "order", lambda text: orders.append(("kernel", text))):
            for _ in range(400):
                s.link()
                s.net()
        self.assertEqual({name for name, _ in met}, {*storm.SHARED, "kernel"})
        for name in s.alone:
            self.assertIn((name, "cut up"), orders)
            self.assertIn(("kernel", f"cut up {s.links[name].port}"), orders)
        self.assertEqual([text for _, text in orders[1::2]], ["clear"] * 800)
        self.assertEqual(sum(n for name, n in s.totals.items() if not name.startswith("links of one agent: ")), 800)
        self.assertGreater(s.totals["links of one agent: cut"], 50)

    def test_whoever_sits_on_a_task_does_so_where_its_time_is_short(self):
        people = crew.Crew.__new__(crew.Crew)
        people.seed, people.rounds, people.noise = 1, {}, 1.0
        pushes = [{"key": f"u{n}", "station": station, "worker": "ann", "assignment": n} for n in range(300) for station in crew.STATIONS]
        for people.sitters in (0.0, 0.3):
            people.rounds = {}
            sat = [push["station"] for push in pushes if crew.SIT in people.plan(push)]
            self.assertEqual(set(sat), {crew.STATIONS[1]} if people.sitters else set())
            self.assertLess(len(sat), 150)

    def test_a_hub_from_which_a_task_is_taken_asks_for_another(self):
        told, granted = [], []
        hub = crew.Hub.__new__(crew.Hub)
        hub.crew = types.SimpleNamespace(tell=told.append)
        hub.link = types.SimpleNamespace(workers={}, pushed=[], recalled=[(7, 0), (8, 0), (9, 0)], session=5, totals={1: 4}, number=lambda name: 1, credit=granted.append)
        hub.held = {number: {"worker": "ann"} for number in (7, 8)}
        hub.steps = {7: [crew.SIT], 8: [("submit", "r", "sent")]}  # the second may count yet, the third is not there any more
        hub.take()
        self.assertEqual((granted, list(hub.held)), ([{"ann": 1}], [8]))
        self.assertEqual(told, [{"op": "credit", "session": 5, "totals": [[1, 4]]}])

    def test_a_planted_bug_is_a_patch_and_its_verdict_one_that_the_judge_gives(self):
        with open(os.path.join(harness.TOP, "tests", "sim", "checker.c")) as f:
            names = f.read()
        for name, (verdict, most) in planted.PLANTED.items():
            self.assertTrue(os.path.exists(planted.patch_of(name)), name)
            self.assertIn(f'"{verdict}"', names)
            self.assertGreater(most, 0)

    def test_a_planted_bug_is_looked_for_until_the_verdict_that_is_demanded_comes(self):
        for came, number, found in (([["fifo"], ["lost"], ["too_early", "lost"], ["fifo"]], 3, ["fifo", "lost", "too_early"]), ([[], ["fifo"], [], []], None, ["fifo"])):
            with unittest.mock.patch.object(planted, "verdicts", lambda build, seed, number, came=came: (came[number], "")):
                self.assertEqual(planted.rounds("build", 1, "too_early", 4), (number, found))

    def test_what_a_round_says_is_read_for_the_judge_s_verdicts(self):
        said = "BAD: again with x\nlost: 3\n  u1 is not there\nfifo 12: event 7: x\nnot_eligible 1: y\nkept in z; told by w\n{}\n"
        script = self.world.write("round", f"cat <<'END'\n{said}END\nexit 1\n")
        with unittest.mock.patch.object(storm, "PROGRAM", script), unittest.mock.patch.object(sys, "executable", "/bin/sh"):
            self.assertEqual(planted.verdicts("build", 1, 0), (["fifo", "not_eligible"], said))

    def test_a_round_of_the_unchanged_broker_that_hangs_or_breaks_off_is_bad(self):
        for does, bad in (("exec sleep 60", True), ("echo '{\"bad\": 0}'; exec sleep 60", True), ("echo Traceback", True), ("echo '{\"bad\": 0}'", False)):
            with self.subTest(does), unittest.mock.patch.object(storm, "PROGRAM", self.world.write("round", does + "\n")), \
                    unittest.mock.patch.object(sys, "executable", "/bin/sh"), unittest.mock.patch.object(planted, "PER_ROUND_S", 1):
                self.assertEqual(bool(planted.unchanged(1, 1)), bad)

    def test_a_planted_bug_that_was_not_found_is_bad_and_named(self):
        tally, out = planted.Sums(1), io.StringIO()
        with contextlib.redirect_stdout(out):
            tally.add({"name": "short-lease", "round": 2, "found": ["lost", "too_early"]})
            tally.add({"name": "level-ignored", "round": None, "found": ["lost"]})
            tally.add({"name": "kind-ignored", "round": None, "found": [], "why": "does not apply: x"})
        self.assertEqual((tally.sum["planted"], tally.sum["found"], tally.sum["bad"]), (3, 1, 2))
        self.assertEqual(out.getvalue(), f"short-lease: too_early in round 2 of {planted.PLANTED['short-lease'][1]}, lost\n"
                         f"BAD level-ignored: no not_eligible in {planted.PLANTED['level-ignored'][1]} rounds; found: lost\nBAD kind-ignored: does not apply: x\n")

    def test_as_many_subsets_are_made_as_were_asked_for(self):
        for places in (1, 7, 1308, 1473, 9999, 10007):
            cut = powercut.Tape.__new__(powercut.Tape)
            cut.places, cut.subsets = range(places), 10000
            many = [cut.subsets_at(at) for at in range(places)]
            self.assertEqual(sum(many), 10000)
            self.assertLessEqual(max(many) - min(many), 1, "evenly")

    FRAMES = {10: ("grow", "/src/proto/encode.c:28"), 11: ("event_write", "/src/broker/engine/events.c:85"), 12: ("answer", "/src/broker/readers.c:60"),
              13: ("scratch_of", "/src/broker/engine/sort.c:53"), 20: ("wait_for", "/src/worker-agent/local.c:298")}

    def refused_memory(self, what, sites, refused, then):
        """-> the tally, and what it printed; frames are FRAMES"""
        tally, out = memory.Tally(what, 1, {site: (1, callers) for site, callers in sites.items()}), io.StringIO()
        for site in sites:
            tally.add(dict(site=site, nth=1, more=0, seed=1, refused=int(site in refused), ended=True, bad=[]))
        with contextlib.redirect_stdout(out), unittest.mock.patch.object(memory, "frames", lambda what, callers: [self.FRAMES[a] for a in callers]):
            then(tally)
        return tally.sum, out.getvalue()

    def test_a_place_that_was_never_refused_memory_is_bad_or_chance(self):
        over = memory.Tally.over
        told, said = self.refused_memory("broker", {1: [10, 11], 2: [12, 11]}, {1, 2}, over)
        self.assertEqual((told["bad"], told["places"], said), (0, "refused at 2 of 2", ""))
        told, said = self.refused_memory("broker", {1: [10, 11], 2: [12, 11]}, {1}, over)
        self.assertEqual((told["bad"], told["places"]), (1, "refused at 1 of 2"))
        self.assertIn("BAD broker, never refused: 2: answer (readers.c:60)", said)
        told, said = self.refused_memory("broker", {1: [10, 11], 2: [10, 11, 12]}, {1}, over)
        self.assertEqual((told["bad"], told["places that no run came to again"]), (0, "grow (encode.c:28) < event_write (events.c:85) < answer (readers.c:60)"))
        told, said = self.refused_memory("broker", {1: [10, 11], 2: [10, 12]}, {1}, over)
        self.assertEqual(told["bad"], 1, "no other place of that function was refused")
        for refused, bad in (({1}, 0), (set(), 2)):
            told, said = self.refused_memory("broker", {1: [13, 11], 2: [13, 12]}, refused, over)
            self.assertEqual(told["bad"], bad, "which sort is the first is the same to it")

    def test_a_call_that_is_left_to_the_torture_and_that_it_did_not_refuse_is_bad(self):
        for calls, refused, bad in (({"worker-agent/local.c:298"}, {1}, 0), ({"worker-agent/local.c:298"}, set(), 1), ({"worker-agent/agent.c:9"}, {1}, 1), (set(), {1}, 1)):
            told, said = self.refused_memory("agent", {1: [20, 11]}, refused, lambda tally, calls=calls: tally.compare(calls))
            self.assertEqual(told["bad"], bad, said)
        self.assertEqual({call.split(":")[0] for call in memory.left_to_us()}, {"worker-agent/agent.c", "worker-agent/local.c"})

    def test_half_a_backup_is_noticed(self):
        with Place() as place:
            broker = crash.Broker(place)
            self.assertTrue(broker.start())
            people = crew.Crew(broker.endpoints, 1, 40, one_by_one=True, backup=os.path.join(broker.disk, "copy"))
            self.assertTrue(people.play(broker.running))
            people.close()
            broker.stop()
            bad = []
            crash.judge_copy(place, people, bad)
            self.assertEqual(bad, [])
            path = os.path.join(people.backup, "data.mdb")
            os.truncate(path, os.path.getsize(path) // 2)
            shutil.rmtree(place.path("copied.disk"))
            crash.judge_copy(place, people, bad)
            self.assertIn("no broker starts on the backup", bad[0])

    def test_the_proxy_delays_cuts_and_breaks(self):
        import socket
        server = socket.create_server(("127.0.0.1", 0))
        link = proxy.Proxy(server.getsockname()[1])
        self.addCleanup(link.close)
        self.addCleanup(server.close)
        near = socket.create_connection(("127.0.0.1", link.port), timeout=5)
        far, _ = server.accept()
        far.settimeout(5)
        near.sendall(b"there")
        self.assertEqual(far.recv(10), b"there")
        link.order("delay 0.1")
        begin = time.monotonic()
        far.sendall(b"back")
        self.assertEqual(near.recv(10), b"back")
        self.assertGreater(time.monotonic() - begin, 0.08)
        link.order("clear")
        link.order("cut up")
        self.world.wait(lambda: "up" in link.cut, 5, "the cut")
        near.sendall(b"swallowed")
        far.sendall(b"still")
        self.assertEqual(near.recv(10), b"still")
        self.world.wait(lambda: any(f.torn for f in list(link.flows.values())), 5, "the bytes to be swallowed")
        link.order("clear")
        self.assertEqual(far.recv(10), b"")  # closed, without the bytes
        near.close()
        far.close()

    def test_a_namespace_of_our_own_is_cut_by_the_kernel_or_refused_by_name(self):
        """In a process of its own, as nobody leaves a namespace again."""
        script = self.world.write("cut.py", CUT_IN_A_NAMESPACE)
        done = subprocess.run([harness.PYTHON, script, TORTURE], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        if done.stdout.startswith("refused: "):
            self.skipTest(done.stdout.strip())
        self.assertEqual(done.stdout, "up cut, down open\nlate, not lost\n")

    def test_a_part_that_was_broken_off_is_taken_up_again_and_only_with_the_same_program(self):
        self.world.write("program", "one")
        first = notebook.Notebook(self.world.dir, "x", {"seed": 1}, ["program"])
        first.add({"n": 1})
        first.add({"n": 2})
        with open(first.path, "a") as f:
            f.write('{"n": 3')  # cut off in the middle
        again = notebook.Notebook(self.world.dir, "x", {"seed": 1}, ["program"])
        self.assertEqual(again.done, [{"n": 1}, {"n": 2}])
        again.begin -= 100  # it went on for so long, and was broken off
        again.add({"n": 4})
        again = notebook.Notebook(self.world.dir, "x", {"seed": 1}, ["program"])
        self.assertGreaterEqual(again.seconds_before, 100)
        again.publish({"n": 2})
        with open(self.world.path("reliability", "x.json")) as f:
            figures = json.load(f)
        self.assertEqual(figures["what"], {"n": 2})
        self.assertGreaterEqual(figures["seconds"], 100)
        self.assertEqual(notebook.Notebook(self.world.dir, "x", {"seed": 2}, ["program"]).done, [], "another seed begins again")
        self.world.write("program", "two")
        self.assertEqual(notebook.Notebook(self.world.dir, "x", {"seed": 2}, ["program"]).done, [], "and so does another program")

    def test_what_another_judge_or_shim_found_is_not_taken_over(self):
        os.makedirs(self.world.path("torture"))
        self.world.write("torture/shim.so", "one")
        notebook.Notebook(self.world.dir, "x", {}, []).add({"n": 1})
        again = notebook.Notebook(self.world.dir, "x", {}, [])
        self.assertEqual(again.done, [{"n": 1}])
        with open(again.path) as f:
            lines = f.read()
        made_by = json.loads(lines.split("\n", 1)[0])["torturers"]
        for name in ("torture/checker.py", "torture/facts.py", "torture/judges.py", "torture/crew.py", "torture/crash.py", "torture/powercut.py", "torture/recordings.py", "torture/looking.py", "torture/storm.py", "lib/sunline_wire.py", "torture/shim.so"):
            with self.subTest(name):
                with open(again.path, "w") as f:
                    f.write(lines.replace(f'"{name}": "{made_by[name]}"', f'"{name}": "another"'))
                self.assertEqual(notebook.Notebook(self.world.dir, "x", {}, []).done, [])
        with open(again.path, "w") as f:
            f.write(lines)
        self.assertEqual(notebook.Notebook(self.world.dir, "x", {}, []).done, [{"n": 1}])
        self.world.write("torture/shim.so", "two")
        self.assertEqual(notebook.Notebook(self.world.dir, "x", {}, []).done, [])

    def fuzz(self, codec):
        """tests/fuzz/run over programs that speak as libFuzzer does."""
        build = self.world.path("fuzzers")
        os.makedirs(os.path.join(build, "fuzz"), exist_ok=True)
        for name, script in (("fuzz_codec", codec), ("fuzz_line", "echo '#9 DONE cov: 7 ft: 9'; echo stat::number_of_executed_units: 1000; touch $1/learned")):
            with open(os.path.join(build, "fuzz", name), "w") as f:
                f.write("#!/bin/sh\n" + script + "\n")
            os.chmod(f.name, 0o755)
        done = subprocess.run([os.path.join(harness.TOP, "tests", "fuzz", "run"), build, "1", "--figures", self.world.dir], capture_output=True, text=True, check=False)
        with open(self.world.path("reliability", "fuzz.json")) as f:
            return done, json.load(f)["what"]

    def test_fuzzers_leave_figures_and_what_they_learned(self):
        done, what = self.fuzz("echo '#2 INITED cov: 5'; echo '#900 DONE cov: 1234 ft: 8 exec/s: 4'; echo stat::number_of_executed_units: 900")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual((what["fuzz_codec executions"], what["fuzz_codec edges"], what["fuzz_line edges"], what["crashes"]), (900, 1234, 7, 0))
        self.assertGreater(what["fuzz_codec corpus"], 20, "the test vectors")
        self.assertTrue(os.path.exists(self.world.path("fuzzers", "fuzz", "corpus", "fuzz_line", "learned")))

    def test_a_fuzzer_that_found_something_fails_the_run(self):
        done, what = self.fuzz('for a; do case $a in -artifact_prefix=*) touch "${a#*=}crash-1";; esac; done; echo overflow; exit 77')
        self.assertEqual(done.returncode, 1)
        self.assertIn("overflow", done.stdout)
        self.assertEqual(what["crashes"], 1)

    def test_payloads_are_what_the_seed_says(self):
        self.assertEqual(crew.payload(7, 3), crew.payload(7, 3))
        self.assertNotEqual(crew.payload(7, 3), crew.payload(8, 3))
        self.assertGreater(max(len(crew.payload(7, n)) for n in range(200)), 4080)


if __name__ == "__main__":
    unittest.main()
