"""What workers said together: `run aggregate` and `run quality` over the answers of a station with copies, beside sums made here."""
import collections
import csv
import io
import itertools
import re

import harness

ALONE = False  # tests/run

LINE = """
line: pictures
input:
  - {name: picture, type: number, required: true}
stations:
  - name: judge
    worker: {kind: robot, skills: {judge: 1}}
    copies: {min: 5, max: 5}
    agree: {on: [animal], method: plurality, ties: first}
    form:
      fields:
        - {name: animal, type: radio, options: [cat, dog, eel], required: true}
        - {name: size, type: radio, options: ["1", "2", "4"], required: true}
        - {name: remark, type: short_answer}
"""
SECOND = """
  - name: again
    worker: {kind: robot, skills: {judge: 1}}
    shows: [picture]
    form:
      fields:
        - {name: animal, type: radio, options: [cat, dog, eel], required: true}
        - {name: size, type: radio, options: ["1", "2", "4"], required: true}
        - {name: remark, type: short_answer}
  - name: never
    when: picture > 1000
    worker: {kind: robot, skills: {judge: 1}}
    form:
      fields:
        - {name: seen, type: short_answer}
"""
ROBOT = '''#!/usr/bin/python3
"""Says what it saw: argv is who it is. Of each ten pictures `careless` gets three wrong, `dull` says cat to all."""
import json, sys
who, animals = sys.argv[1], ["cat", "dog", "eel"]
for line in sys.stdin:
    task = json.loads(line)
    n = int(task["fields"]["picture"])
    said = animals[n % 3]
    if who == "careless" and n % 10 < 3:
        said = animals[(n + 1) % 3]
    if who == "dull":
        said = "cat"
    print(json.dumps({"id": task["id"], "values": {"animal": said, "size": str(2 ** animals.index(said)), "remark": None}}), flush=True)
'''
WHO = ("amina", "binod", "careless", "dull", "elena")
PICTURES = 40


class RunQuality(harness.Case):
    @classmethod
    def hub(cls, robot):
        text = ["hub: nairobi", "zone: Africa/Nairobi", "broker: {agents}", "data: {data}", "robots:"]
        for who in WHO:
            text += [f"  - id: {who}", "    skills: {judge: 1}", "    runner: coprocess", f"    command: [{robot}, {who}]", "    capacity: 8"]
        return "\n".join(text) + "\n"

    def setUp(self):
        super().setUp()
        world = self.world
        world.broker()
        world.sunline("line", "apply", world.write("pictures.yml", LINE))
        rows = "picture\n" + "".join(f"{n}\n" for n in range(PICTURES))
        world.sunline("run", "start", "pictures", "--name", "march", "--input", world.write("pictures.csv", rows))

    def worked(self):
        self.world.agent("nairobi", self.hub(self.world.write("judge.py", ROBOT, 0o755)))
        self.world.sunline("run", "watch", "march", timeout_s=120)

    def answers(self):
        """{unit: {worker: label}} as the broker tells it"""
        text = self.world.sunline("run", "output", "march", "--station", "judge", "--answers", "--all").out
        said = collections.defaultdict(dict)
        for row in csv.DictReader(io.StringIO(text)):
            said[row["unit"]][row["worker"]] = row["judge.animal"]
        self.assertEqual({len(v) for v in said.values()}, {5})
        return said

    def aggregate(self, *args):
        done = self.world.sunline("run", "aggregate", "march", "--station", "judge", "--field", "animal", *args)
        return {row["unit"]: row for row in csv.DictReader(io.StringIO(done.out))}, done.err

    def test_aggregate_and_quality_say_what_the_answers_say(self):
        self.worked()
        said = self.answers()
        plurality, note = self.aggregate("--method", "plurality")
        self.assertEqual(list(plurality), [str(n + 1) for n in range(PICTURES)])
        self.assertIn("plurality: 200 answers of 5 workers to 40 units", note)
        for unit, row in plurality.items():
            votes = collections.Counter(said[unit].values())
            self.assertEqual((row["judge.animal"], row["answers"], row["tied"]), (votes.most_common(1)[0][0], "5", "false"))
            self.assertAlmostEqual(float(row["confidence"]), votes.most_common(1)[0][1] / 5, places=6)

        for method in ("wawa", "dawid-skene"):
            found, note = self.aggregate("--method", method)
            self.assertEqual([found[str(n + 1)]["judge.animal"] for n in range(PICTURES)], [["cat", "dog", "eel"][n % 3] for n in range(PICTURES)])
        self.assertRegex(note, r"dawid-skene: \d+ iterations, converged, log-likelihood -\d+")

        path = self.world.path("labels.jsonl")
        self.world.sunline("run", "aggregate", "march", "--station", "judge", "--field", "animal", "--format", "jsonl", "-o", path)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(len(f.readlines()), PICTURES)

        quality = self.world.sunline("--json", "run", "quality", "march", "--station", "judge", "--field", "animal", "--limit", "3").json()
        pairs = [(a, b) for v in said.values() for a, b in itertools.combinations(v.values(), 2)]
        self.assertEqual((quality["answers"], quality["units"], quality["pairs"]), (200, PICTURES, len(pairs)))
        self.assertAlmostEqual(quality["agreement"], sum(a == b for a, b in pairs) / len(pairs), places=9)
        self.assertIsNone(quality["alpha_interval"])
        workers = {w["worker"]: w for w in quality["workers"]}
        self.assertEqual(workers["amina"]["agreed"], PICTURES)
        self.assertEqual(workers["careless"]["agreed"], sum(n % 10 >= 3 for n in range(PICTURES)))
        self.assertEqual(workers["dull"]["confusion"], {a: {"cat": sum(n % 3 == i for n in range(PICTURES))} for i, a in enumerate(("cat", "dog", "eel"))})
        self.assertEqual(len(quality["disagreements"]), 3)
        for worst in quality["disagreements"]:
            self.assertEqual(worst["votes"], dict(collections.Counter(said[str(worst["unit"])].values())))

        text = self.world.sunline("run", "quality", "march", "--station", "judge", "--field", "animal").out
        self.assertRegex(text, r"(?m)^answers +200, of 5 workers to 40 units; 3 different$")
        self.assertRegex(text, r"(?m)^alpha +0\.\d{4} nominal, - interval$")
        self.assertRegex(text, r"(?m)^dull +40 +14 +0\.3500 +cat>cat:14 ")

    def test_unit_show_tells_every_vote_and_the_rule_that_decided(self):
        self.worked()
        said = {unit: votes for unit, votes in self.answers().items() if set(votes.values()) == {"cat", "dog"}}
        unit, votes = sorted(said.items(), key=lambda x: int(x[0]))[0]
        label, n = collections.Counter(votes.values()).most_common(1)[0]
        text = self.world.sunline("unit", "show", f"march/{unit}").out
        outcome, assignments = re.search(r"(?ms)^    outcome\n(.*?)^    assignments\n(.*?)(?:^    \S|^history|\Z)", text).groups()
        for line in (f"animal: {label}", "answers: 5", f"votes: {n}", f"confidence: {n / 5:.6f}", "decided: plurality"):
            self.assertRegex(outcome, rf"(?m)^ +{line}$")
        told = {}
        for one in re.split(r"(?m)^ +\d+\.$", assignments)[1:]:
            self.assertRegex(one, r"(?m)^ +state: counted$")
            told[re.search(r"(?m)^ +worker: (\S+)$", one)[1]] = re.search(r"(?m)^ +animal: (\S+)$", one)[1]
        self.assertEqual(told, votes)

    def test_quality_tells_how_far_numbers_are_apart(self):
        self.worked()
        units = [[2 ** ("cat", "dog", "eel").index(a) for a in v.values()] for v in self.answers().values()]

        def apart(values):
            return sum((a - b) ** 2 for a, b in itertools.permutations(values, 2))
        every = [v for unit in units for v in unit]
        n = len(every)
        alpha = 1 - (sum(apart(u) / (len(u) - 1) for u in units) / n) / (apart(every) / (n * (n - 1)))
        asked = ("run", "quality", "march", "--station", "judge", "--field", "size")
        self.assertAlmostEqual(self.world.sunline("--json", *asked).json()["alpha_interval"], alpha, places=9)
        self.assertRegex(self.world.sunline(*asked).out, rf"(?m)^alpha +0\.\d{{4}} nominal, {alpha:.4f} interval$")

    def test_the_only_station_with_answers_need_not_be_named(self):
        for command in ("aggregate", "quality"):
            refused = self.world.sunline("run", command, "march", "--field", "animal", status=1)
            self.assertIn("run march has no answers at any station", refused.err)
        self.worked()
        for command in ("aggregate", "quality"):
            named = self.world.sunline("run", command, "march", "--station", "judge", "--field", "animal")
            self.assertEqual(self.world.sunline("run", command, "march", "--field", "animal").out, named.out)
        self.assertIn("NOT_FOUND", self.world.sunline("run", "aggregate", "april", status=1).err)

    def test_where_several_stations_have_answers_they_are_named(self):
        world = self.world
        world.sunline("line", "apply", world.write("two.yml", LINE.replace("line: pictures", "line: two") + SECOND))
        world.sunline("run", "start", "two", "--name", "both", "--input", world.write("one.csv", "picture\n3\n"))
        world.agent("nairobi", self.hub(world.write("judge.py", ROBOT, 0o755)))
        world.sunline("run", "watch", "both", timeout_s=120)
        for command in ("aggregate", "quality"):
            refused = world.sunline("run", command, "both", "--field", "animal", status=1)
            self.assertIn("run both has answers at 2 stations: say which with --station: judge, again", refused.err)

    def test_what_cannot_be_computed_is_said(self):
        refused = self.world.sunline("run", "quality", "march", "--station", "judge", "--field", "animal", status=1)
        self.assertIn("run march has no answers at station judge", refused.err)
        self.worked()
        for args, message in ((("--field", "colour"), "station judge has no field 'colour'"),
                              ((), "station judge has 3 fields: say which with --field"),
                              (("--field", "remark"), "run march has no answers at station judge in this field")):
            self.assertIn(message, self.world.sunline("run", "aggregate", "march", "--station", "judge", *args, status=1).err)
        self.assertIn("NOT_FOUND", self.world.sunline("run", "aggregate", "april", "--station", "judge", status=1).err)
        self.assertIn("--method is plurality, wawa or dawid-skene, not 'em'",
                      self.world.sunline("run", "aggregate", "march", "--station", "judge", "--method", "em", status=2).err)


if __name__ == "__main__":
    import unittest
    unittest.main()
