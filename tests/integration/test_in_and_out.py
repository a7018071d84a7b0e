"""What comes out under the names that were handed in, states that are told as they are, events from the oldest that is kept."""
import json
import unittest

import harness
import sunline_wire as wire

ALONE = False  # tests/run
LINE = """line: %s
input:
  - {name: unit, type: text, required: true}
  - {name: worker, type: text}
stations:
  - name: judge
    form: {fields: [{name: answer, type: short_answer, required: true}]}
"""


class InAndOut(harness.Case):
    def begin(self, config=None):
        self.broker = self.world.broker(config=config)
        self.world.sunline("line", "apply", self.world.write("l.yml", LINE % "one"))
        self.csv = self.world.write("f.csv", "unit,worker\nkilogram,anna\nlitre,\n")

    def test_input_fields_that_are_called_like_our_columns_come_out_beside_them(self):
        self.begin()
        self.world.sunline("run", "start", "one", "--name", "r", "--input", self.csv)
        rows = self.world.sunline("run", "output", "r", "--all", "--format", "jsonl").json_lines()
        self.assertEqual(rows[0], {"unit": 1, "input.unit": "kilogram", "worker": "anna", "judge.answer": None})
        rows = self.world.sunline("run", "output", "r", "--all", "--station", "judge", "--format", "jsonl").json_lines()
        self.assertEqual(rows[0], {"unit": 1, "input.unit": "kilogram", "input.worker": "anna", "judge.answer": None,
                                   "worker": None, "done_wall_us": None})
        self.assertEqual(len(rows), 2)

    def test_a_station_of_no_name_is_refused_in_each_format(self):
        self.begin()
        self.world.sunline("run", "start", "one", "--name", "r", "--input", self.csv)
        for more in ([], ["--answers"], ["--format", "jsonl"]):
            for name in ("x" * 65, "no name", ""):
                self.assertNotEqual(self.world.sunline("run", "output", "r", "--station", name, *more, status=2).err, "")

    def test_bounds_hold_for_numbers_that_share_a_double_with_them(self):
        self.begin()
        self.world.sunline("line", "apply", self.world.write("n.yml",
            "line: n\ninput:\n  - {name: v, type: number, min: 0, max: 9007199254740991}\nstations:\n"
            "  - name: a\n    form: {fields: [{name: answer, type: short_answer}]}\n"))
        for bad, why in (("9007199254740992", "is more than"), ("9007199254740991.3", "is more than"), ("-1e-400", "is less than")):
            told = self.world.sunline("run", "start", "n", "--name", "n", "--input", self.world.write("n.csv", "v\n%s\n" % bad), status=1).err
            self.assertIn(why, told)
        good = "v\n9007199254740991\n9007199254740991.0\n0\n-0\n1e-400\n"
        self.world.sunline("run", "start", "n", "--name", "n", "--input", self.world.write("n.csv", good))

    def test_a_run_that_is_closed_is_not_called_open(self):
        self.begin()
        self.world.sunline("run", "start", "one", "--name", "o", "--open")
        self.world.sunline("run", "start", "one", "--name", "o", "--open")
        self.world.sunline("run", "close", "o")
        self.assertIn("BAD_STATE", self.world.sunline("run", "start", "one", "--name", "o", "--open", status=1).err)
        self.world.sunline("run", "start", "one", "--name", "r", "--input", self.csv)
        again = self.world.sunline("--json", "run", "start", "one", "--name", "r", "--input", self.csv, "--open").json()
        self.assertEqual(again["state"], "closed")

    def test_all_events_that_are_kept_are_told_when_the_first_are_gone(self):
        self.begin("event_keep: 1000\n")
        client = wire.Client(self.broker.endpoints["clients"])
        self.addCleanup(client.close)
        run = client.request("run_start", line="one", name="e")["run_id"]
        for _ in range(1500):
            client.request("put", run_id=run, rows=[["x", None]])
        oldest = client.request("stats_get")["figures"]["event_oldest_seq"]
        self.assertGreater(oldest, 1)
        told = self.world.sunline("--json", "events").json_lines()
        self.assertEqual(told[0]["seq"], oldest)
        self.assertEqual([e["seq"] for e in told], list(range(oldest, oldest + len(told))))
        self.assertIn("GONE", self.world.sunline("events", "--since", "1", status=1).err)


if __name__ == "__main__":
    unittest.main()
