"""`sunline check` while a broker works: every record, every counter; and `sunlined --verify` over a store at rest. Damage is named."""
import os
import re
import subprocess
import sys

ALONE = False  # tests/run

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", "lib"), os.path.join(TOP, "tests", "integration")]
import harness  # noqa: E402
import test_events_rebuild as worlds  # noqa: E402


class Check(harness.Case):
    def live(self, steps):
        self.broker = self.world.broker()
        w = worlds.RandomWorld(self.broker, 5)
        self.addCleanup(w.close)
        w.begin()
        for i in range(steps):
            w.step()
        return w

    def test_counters_equal_a_recount_at_any_moment(self):
        w = self.live(60)
        for _ in range(5):
            for _ in range(30):
                w.step()
            out = self.world.sunline("check", "--recount").out
            self.assertRegex(out, r"^\d+ runs, [\d,]+ units counted, 0 counters wrong, 0 runs not compared\n$")
        counted = int(re.search(r"([\d,]+) units", out)[1].replace(",", ""))
        runs = list(w.client.pages("runs_get", cursor="after", key="run_id"))
        self.assertEqual(counted, sum(r["units"] for r in runs))

    def test_a_run_of_many_pieces_is_counted(self):
        w = self.live(1)
        run = w.client.request("run_start", line="echo", name="many")["run_id"]
        for _ in range(20):
            w.client.request("put", run_id=run, rows=[["x"]] * 4000)
        done = self.world.sunline("--json", "check", "--recount").json_lines()[-1]
        self.assertEqual((done["wrong"], done["not_compared"]), (0, 0))
        self.assertGreaterEqual(done["units"], 80000)
        pieces, counted, page = 0, 0, {"next": None}
        while "next" in page:  # some of them are of other, small runs
            page = w.client.request("check_get", recount=True, after=page["next"], limit=100)
            if page["counts"][0][0] == run:
                pieces, counted = pieces + 1, counted + page["counts"][0][4]
        self.assertGreater(pieces, 10)
        self.assertEqual(counted, 80000)

    def test_a_counter_that_is_wrong_is_named(self):
        w = self.live(150)
        run = w.client.request("run_start", line="fan", name="spoiled")["run_id"]
        w.client.request("put", run_id=run, rows=[["x"]] * 7)
        w.rest()
        self.assertIn(" 0 counters wrong", self.world.sunline("check", "--recount").out)
        self.broker.stop()
        self.plant(run, "-", 3)
        self.plant(run, 0, 2)
        self.broker.start()
        out = self.world.sunline("check", "--recount", status=1).out
        ready = w.client.request("run_get", run="spoiled")["stations"][0]["ready"]
        self.assertRegex(out, r"(?m)^wrong\trun spoiled\t-\tdone: counted (\d+), kept \d+$")
        self.assertRegex(out, r"(?m)^wrong\trun spoiled\ta\tready: counted %d, kept %d$" % (ready - 2, ready))
        self.assertRegex(out, r"(?m) 2 counters wrong, 0 runs not compared$")
        rows = self.world.sunline("--json", "check", "--recount", status=1).json_lines()
        self.assertEqual([(r["run"], r["station"], r["counter"], r["kept"] - r["counted"]) for r in rows[:-1]],
                         [("spoiled", "", "done", 3), ("spoiled", "a", "ready", 2)])

    def plant(self, run, station, n):
        subprocess.run([harness.program("torture/plant"), self.broker.data, str(run), str(station), str(n)], check=True)

    def records(self, text):
        return int(re.search(r"^([\d,]+) records checked", text, re.M)[1].replace(",", ""))

    def verify(self):
        return subprocess.run([harness.program("sunlined"), "--verify", "--data", self.broker.data], capture_output=True, text=True, check=False)

    def test_online_and_at_rest_it_checks_every_record(self):
        w = self.live(150)
        w.rest()
        self.broker.stop()
        done = self.verify()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertGreater(self.records(done.stdout), 100)
        self.broker.start()
        online = self.world.sunline("check").out
        self.assertRegex(online, r" records checked, 0 damaged$")
        self.assertLessEqual(abs(self.records(done.stdout) - self.records(online)), 20, "a start at most came in between")

    def damage(self, needle):
        """Changes a byte of a value wherever it lies in the file: in its table, and in pages that are free again."""
        path = os.path.join(self.broker.data, "data.mdb")
        with open(path, "r+b") as f:
            data = f.read()
            places = [m.start() for m in re.finditer(re.escape(needle), data)]
            self.assertTrue(places)
            for at in places:
                f.seek(at)
                f.write(b"?")

    def test_damage_is_named_online_and_at_rest(self):
        self.broker = self.world.broker()
        w = worlds.RandomWorld(self.broker, 6)
        self.addCleanup(w.close)
        w.begin()
        run = w.client.request("run_start", line="echo", name="precious")["run_id"]
        w.client.request("put", run_id=run, rows=[["a needle in a haystack"]])
        self.broker.stop()
        self.damage(b"a needle in a haystack")
        done = self.verify()
        self.assertEqual(done.returncode, 3, done)
        self.assertRegex(done.stdout, r"(?m)^damaged\tUNIT [0-9a-f]+: the input values of run %d, unit 1 and on$" % run)
        self.assertRegex(done.stdout, r"(?m) records checked, 1 damaged$")
        self.assertEqual(self.world.sunline("check", "--data", self.broker.data, status=3).out, done.stdout)
        self.world.sunline("check", "--data", self.broker.data, "--recount", status=2)
        self.broker.start()
        online = self.world.sunline("check", status=1).out
        self.assertRegex(online, r"(?m)^damaged\tUNIT [0-9a-f]+: the input values of run %d, unit 1 and on$" % run)
        rows = self.world.sunline("--json", "check", status=1).json_lines()
        self.assertEqual((len(rows), rows[-1]["damaged_records"]), (2, 1))

    def test_a_record_that_is_gone_is_named_by_what_implies_it(self):
        w = self.live(1)
        run = w.client.request("run_start", line="echo", name="keyed")["run_id"]
        w.client.request("put", run_id=run, rows=[["x"]] * 3, keys=["one", "two", "three"])
        w.rest()
        self.broker.stop()
        self.assertEqual(self.verify().returncode, 0)
        self.plant(run, "key", "two")
        said = r"(?m)^damaged\tSTATE [0-9a-f]+: .* refers to the idempotency key of unit 2, which is not in DEDUP$"
        done = self.verify()
        self.assertEqual(done.returncode, 3, done)
        self.assertRegex(done.stdout, said)
        self.assertRegex(done.stdout, r"(?m) records checked, 1 damaged$")
        self.broker.start()
        self.assertRegex(self.world.sunline("check", status=1).out, said)

    def test_a_foreign_folder_is_no_store(self):
        self.broker = self.world.broker(start=False)
        self.broker.expected_end = True
        done = self.verify()
        self.assertEqual(done.returncode, 1)
        self.assertFalse(os.path.exists(self.broker.data), "nothing was made")


if __name__ == "__main__":
    import unittest
    unittest.main()
