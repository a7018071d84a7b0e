"""Real input: 800 sentence pairs, each answered by ten of 164 people. They go through a line of ten stations side by side whose robots replay the
k-th recorded answer of each item: all 8,000 answers must come back as they were recorded. And through one station that asks for ten answers, where
each of the 164 comes, answers what he answered then and declines what he never saw: what the command line then makes of the run must be right as often
as the method is known to be."""
import collections
import csv
import io
import os
import random
import unittest

import harness
import sunline_wire as wire

ALONE = False  # tests/run


def find_data():
    """SUNLINE_RTE, else shared/data/rte in the tree or in a folder above it."""
    above = harness.TOP
    while not os.path.isfile(os.path.join(above, "shared", "data", "rte", "answers.csv")) and above != os.path.dirname(above):
        above = os.path.dirname(above)
    return os.environ.get("SUNLINE_RTE", os.path.join(above, "shared", "data", "rte"))


DATA = find_data()
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


COPIES = """
line: rte
input:
  - {name: item, type: text, required: true}
stations:
  - name: judge
    copies: {min: 10}
    agree: {on: [entails], method: plurality, ties: review}
    form:
      fields:
        - {name: entails, type: radio, options: ["0", "1"], required: true}
"""
AT_ONCE = 50  # tasks that a worker holds: what he holds is looked at again for each that he is given


@unittest.skipUnless(os.path.isfile(os.path.join(DATA, "answers.csv")), f"the sentence pairs are not at {DATA} (SUNLINE_RTE tells where)")
class RteCopies(harness.Case):
    def setUp(self):
        super().setUp()
        self.said = collections.defaultdict(dict)  # worker -> item -> answer
        with open(os.path.join(DATA, "answers.csv"), newline="", encoding="utf-8") as f:
            for row in csv.DictReader(f):
                self.said[row["worker"]][row["item"]] = row["answer"]
        with open(os.path.join(DATA, "gold.csv"), newline="", encoding="utf-8") as f:
            self.gold = {row["item"]: row["gold"] for row in csv.DictReader(f)}
        self.items = list(self.gold)

    def comes(self, agent, worker):
        """He is given task after task until there is none for him any more."""
        said = self.said[worker]
        agent.credit({worker: AT_ONCE})
        while True:
            agent.heartbeat()  # what was given with the last command was sent before this is answered
            tasks, agent.pushed = agent.pushed, []
            if not tasks:
                break
            declines = [agent.act("decline", t) for t in tasks if t["fields"][0] not in said]
            results = [agent.result(t, [said[t["fields"][0]]]) for t in tasks if t["fields"][0] in said]
            if declines:
                self.assertEqual(agent.acts(declines)["ok"], len(declines))
            if results:
                self.assertEqual(agent.submit(results)["ok"], len(results))
            agent.credit({worker: len(tasks)})
        agent.sign_off([worker])

    def replay(self, seed):
        broker = self.world.broker()
        self.world.sunline("line", "apply", self.world.write("rte.yml", COPIES))
        self.world.sunline("run", "start", "rte", "--name", "rte", "--input", self.world.write("items.csv", "item\n" + "\n".join(self.items) + "\n"))
        with wire.Agent(broker.endpoints["agents"], "nairobi") as agent:
            agent.hello()
            workers = sorted(self.said)
            agent.roster([{"name": w, "kind": 0, "capacity": 1, "skills": []} for w in workers])
            random.Random(seed).shuffle(workers)
            for worker in workers:
                self.comes(agent, worker)

    def right(self, method):
        done = self.world.sunline("run", "aggregate", "rte", "--station", "judge", "--method", method)
        rows = list(csv.DictReader(io.StringIO(done.out)))
        self.assertEqual([int(r["unit"]) for r in rows], list(range(1, len(self.items) + 1)))
        self.assertEqual({r["answers"] for r in rows}, {"10"})
        said = {self.items[int(r["unit"]) - 1]: r for r in rows}
        return sum(said[i]["judge.entails"] == self.gold[i] for i in self.items), said, done.err

    def test_aggregate_is_right_as_often_as_the_method_is_known_to_be(self):
        self.assertEqual((len(self.items), len(self.said)), (800, 164))
        self.replay(1)
        self.assertEqual(self.world.sunline("--json", "run", "show", "rte").json()["done"], 800)
        right, _, note = self.right("dawid-skene")
        self.assertEqual(right, 742)  # 0.9275
        self.assertRegex(note, r"dawid-skene: \d+ iterations, converged")
        self.assertIn("8,000 answers of 164 workers to 800 units", self.right("plurality")[2])
        votes = {i: collections.Counter(s[i] for s in self.said.values() if i in s) for i in self.items}
        for item, row in self.right("plurality")[1].items():
            two = votes[item].most_common(2)
            self.assertEqual(row["tied"], "true" if len(two) == 2 and two[0][1] == two[1][1] else "false", item)
            if row["tied"] == "false":
                self.assertEqual(row["judge.entails"], two[0][0], item)
        self.assertEqual(sum(r["tied"] == "true" for r in self.right("plurality")[1].values()), 65)


if __name__ == "__main__":
    unittest.main()
