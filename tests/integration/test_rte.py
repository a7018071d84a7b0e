"""Real input: 800 sentence pairs, each answered by ten people, go through a line of ten stations side by side whose robots replay the
k-th recorded answer of each item. All 8,000 answers must come back as they were recorded."""
import collections
import csv
import os
import unittest

import harness

DATA = os.environ.get("SUNLINE_RTE", os.path.join(os.path.dirname(harness.TOP), "shared", "data", "rte"))
STATIONS = 10

ROBOT = '''#!/usr/bin/python3
"""Replays the k-th answer of each item: argv is k and answers.csv."""
import csv, json, sys
k, answers = int(sys.argv[1]), {}
with open(sys.argv[2], newline="") as f:
    for row in csv.DictReader(f):
        answers.setdefault(row["item"], []).append(row)
for line in sys.stdin:
    task = json.loads(line)
    answer = answers[str(task["fields"]["item"])][k]
    print(json.dumps({"id": task["id"], "values": {"entails": answer["answer"], "by": answer["worker"]}}), flush=True)
'''


@unittest.skipUnless(os.path.isfile(os.path.join(DATA, "answers.csv")), f"the sentence pairs are not at {DATA} (SUNLINE_RTE tells where)")
class Rte(harness.Case):
    def line(self):
        text = ["line: rte", "title: Does the text entail the hypothesis?", "input:", "  - {name: item, type: text, required: true}",
                "  - {name: text, type: text, required: true}", "  - {name: hypothesis, type: text, required: true}", "stations:"]
        for k in range(STATIONS):
            text += [f"  - name: answer{k}", "    type: work", "    after: []", f"    worker: {{kind: robot, skills: {{answer{k}: 1}}}}",
                     "    form:", "      title: Read both sentences", "      fields:",
                     "        - {name: entails, label: Entailed?, type: radio, options: [\"0\", \"1\"], required: true}",
                     "        - {name: by, label: Who, type: short_answer, required: true}", "    lease: 1m"]
        return "\n".join(text) + "\n"

    def hub(self, robot, answers):
        text = ["hub: nairobi", "zone: Africa/Nairobi", "broker: {agents}", "data: {data}", "robots:"]
        for k in range(STATIONS):
            text += [f"  - id: replay{k}", f"    skills: {{answer{k}: 1}}", "    runner: coprocess",
                     f"    command: [{robot}, \"{k}\", {answers}]", "    capacity: 16"]
        return "\n".join(text) + "\n"

    def test_all_recorded_answers_come_back(self):
        world = self.world
        world.broker()
        robot = world.write("replay.py", ROBOT, 0o755)
        answers = os.path.join(DATA, "answers.csv")
        world.agent("nairobi", self.hub(robot, answers))
        world.sunline("line", "apply", world.write("rte.yml", self.line()))
        world.sunline("run", "start", "rte", "--name", "rte", "--input", os.path.join(DATA, "items.csv"))
        world.sunline("run", "watch", "rte", timeout_s=120)
        world.sunline("run", "output", "rte", "--raw", "-o", world.path("out.csv"))

        with open(os.path.join(DATA, "items.csv"), newline="", encoding="utf-8") as f:
            items = list(csv.DictReader(f))
        with open(world.path("out.csv"), newline="", encoding="utf-8") as f:
            out = list(csv.DictReader(f))
        recorded = collections.defaultdict(list)
        with open(answers, newline="") as f:
            for row in csv.DictReader(f):
                recorded[row["item"]].append((row["worker"], row["answer"]))
        self.assertEqual([(i["item"], i["text"], i["hypothesis"]) for i in items], [(o["item"], o["text"], o["hypothesis"]) for o in out])
        came = {o["item"]: [(o[f"answer{k}.by"], o[f"answer{k}.entails"]) for k in range(STATIONS)] for o in out}
        self.assertEqual(sum(len(v) for v in came.values()), 8000)
        self.assertEqual(came, dict(recorded))


if __name__ == "__main__":
    unittest.main()
