"""That a sync too few would be noticed in the recordings of starts (tests/torture/recordings.py): one that settles what a killed broker left, `--restored` and the start behind it,
the take-over of a released version's store. The same recordings without it are BAD. Samples of the recordings themselves are test_torture.py's."""
import os
import random
import shutil
import sys
import unittest

import harness

TORTURE = os.path.join(harness.TOP, "tests", "torture")
sys.path.insert(0, TORTURE)
import crew  # noqa: E402
import looking  # noqa: E402
import recordings  # noqa: E402
import released  # noqa: E402
import sunline_wire as wire  # noqa: E402
from place import Broker, Place  # noqa: E402
from tape import Disk, played, read_recording, tree_of  # noqa: E402

ALONE = False  # tests/run

SEED = int(os.environ.get("SUNLINE_TORTURE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)


def pages(op):
    return op.kind == "fdatasync" and op.name == "data/data.mdb"


def folder(op):
    return op.kind == "fsync" and op.name == "data"


def log(op):
    return op.kind == "fdatasync" and op.name == "data/wal"


def meta(op):
    """LMDB's own commit: a write through O_DSYNC."""
    return op.kind == "write" and op.name == "data/data.mdb" and op.synced


class SyncsTooFew(unittest.TestCase):
    def certain(self, life, until, without):
        """What is on the disk for certain at this place, had the start left these syncs out."""
        disk = Disk(life.there)
        for at, op in enumerate(life.ops[:until]):
            if at >= life.first and without and without(op):
                if op.kind != "write":
                    continue
                op.synced = False
                disk.advance(op)
                op.synced = True
            else:
                disk.advance(op)
        return disk.certain()

    def judged(self, what, life, until, *without):
        """What is said of it, for each of the syncs that are left out."""
        with Place() as place:
            judge = looking.JUDGES[what](life, place)
            try:
                return [judge.bad(until, self.certain(life, until, syncs)) for syncs in without]
            finally:
                judge.end()

    def behind(self, life, op_is):
        """The place right behind the first such call of the start."""
        return next(at for at, op in enumerate(life.ops) if at >= life.first and op_is(op)) + 1

    def test_in_a_start_that_settles(self):
        for seed in range(SEED, SEED + 12):  # the most is in the log near the run's end as well: then nothing is left to be acknowledged behind the start
            print(f"settle: seed {seed}")
            (life,) = recordings.settled(seed, ("large-batch-whole",))
            self.assertGreater(life.told["sectors"], 100)
            if any(h["op"] in looking.ACKS and h["at"] > life.first for h in life.history):
                break
        else:
            self.fail("nothing was acknowledged behind any start")
        settled = self.behind(life, meta)
        whole, torn = self.judged("settle", life, settled, None, pages)
        self.assertEqual(whole, "")
        self.assertNotEqual(torn, "", "LMDB's commit points to pages that are not there")
        whole, unlogged = self.judged("settle", life, len(life.ops), None, lambda op: log(op) or pages(op) or meta(op))
        self.assertEqual(whole, "")
        self.assertNotEqual(unlogged, "")
        logged = [at + 1 for at, op in enumerate(life.ops) if at >= settled and log(op)][:8]  # a later commit's sync covers it
        self.assertNotEqual([self.judged("settle", life, at, meta) for at in logged], [[""]] * len(logged), "the log was begun again over what LMDB has not")

    def test_a_start_over_a_half_made_store_promises_nothing_that_is_not_certain(self):
        (life,) = recordings.settled(SEED, ("log-made",))
        whole, unnamed = self.judged("settle", life, len(life.ops), None, folder)
        self.assertEqual(whole, "")
        self.assertNotEqual(unnamed, "", "its log has no name")

    def test_the_folder_that_a_start_made_which_died_is_certain_before_the_next_one_promises_anything(self):
        with Place() as place:
            broker = Broker(place)
            broker.start(at=1, mode="after", only=("mkdir", "data", None), record=place.path("dead"))
            self.assertEqual(broker.process.wait(20), -9)
            self.assertTrue(broker.start(record=place.path("tape")), place.log())
            client = wire.Client(broker.endpoints["clients"])
            client.request("line_apply", definition=crew.LINE)
            client.close()
            broker.kill()
            self.assertIn("data/data.mdb", played(read_recording(place.path("dead")) + read_recording(place.path("tape"))).certain())

    def test_in_restored_and_the_start_behind_it(self):
        print(f"restored: seed {SEED}")
        for name in ("snapshot", "backup"):
            with self.subTest(name):
                (life,) = recordings.restored(SEED, (name,))
                own = life.told["own_at"]
                whole, unmarked, torn = self.judged("restored", life, own, None, meta, pages)
                self.assertEqual(whole, "")
                if name == "snapshot":  # a backup that has its mark yet tells it itself
                    self.assertRegex(unmarked, "a store of its own|given twice")
                self.assertNotEqual(torn, "")
                whole, unnamed = self.judged("restored", life, len(life.ops), None, folder)
                self.assertEqual(whole, "")
                if name == "backup":  # the other has a log already
                    self.assertIn("wal", unnamed)

    def test_in_a_take_over(self):
        for life in recordings.upgraded():
            with self.subTest(life.name):
                whole, unnamed = self.judged("upgrade", life, len(life.ops), None, folder)
                self.assertEqual(whole, "")
                self.assertIn("wal", unnamed)
                (torn,) = self.judged("upgrade", life, self.behind(life, meta), pages)
                self.assertNotEqual(torn, "")

    def test_what_an_old_store_says_is_compared(self):
        """Another store of the same release, that opens as well, is not this one."""
        life = recordings.taking_over(released.VERSIONS[0])
        with Place() as place:
            other = released.unpack(life.told["version"], "backup", place.path("data"))
            with open(os.path.join(other, "data.mdb"), "rb") as f:
                tree = {"data": None, "data/data.mdb": f.read()}
            judge = looking.JUDGES["upgrade"](life, place)
            self.assertNotEqual(judge.bad(0, tree), "")
            judge.end()

    def test_a_call_that_a_broker_died_in_is_on_the_disk_in_part_and_not_for_certain(self):
        with Place() as place:
            broker = Broker(place)
            for mode in ("before", "half", "after"):
                for kind, name in (("write", "data/data.mdb"), ("write", "data/wal"), ("rename", "data/endpoints.new")):
                    tape = place.path(f"{mode} {name}".replace("/", "-"))
                    broker.start(at=1, mode=mode, only=(kind, name, None), record=tape)
                    self.assertEqual(broker.process.wait(20), -9)
                    found = played(recordings.as_killed(read_recording(tape), mode)).all()
                    self.assertEqual(found, tree_of(broker.disk), f"{mode} {kind} {name}")
                    shutil.rmtree(broker.data)


if __name__ == "__main__":
    unittest.main()
