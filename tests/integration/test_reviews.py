"""Reviews by people at a terminal and by robots: broker, agents and command line as programs."""
import csv
import json
import os
import unittest

import harness

ALONE = False  # tests/run

LINE = """line: articles
input:
  - {name: subject, type: text, required: true}
stations:
  - name: write
    worker: {skills: {write: 1}}
    form:
      fields:
        - {name: title, type: short_answer, required: true}
        - {name: words, type: number}
  - name: edit
    type: improve
    worker: {skills: {edit: 1}}
    author: true
    reasons: [copied, too short]
    rounds: 2
    on_exhausted: chief
    form: {title: Is it good enough to print?}
  - name: chief
    worker: {skills: {edit: 2}}
    form: {fields: [{name: decision, type: radio, options: [print, forget]}]}
"""

HUB = """hub: pokhara
zone: Asia/Kathmandu
broker: {agents}
data: {data}
workers:
  - {id: asha, skills: {write: 1}}
  - {id: bina, skills: {write: 1, edit: 1}}
  - {id: chetan, skills: {edit: 2}}
"""

ROBOT_HUB = """hub: accra
zone: Africa/Accra
broker: {agents}
data: {data}
robots:
  - {id: editor, skills: {edit: 1}, runner: coprocess, command: ["{robot}"]}
"""

EDITOR = """#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    assert task["review"]["of"] == "write" and task["context"]["author"] == "asha", task
    title, round_ = task["review"]["work"]["title"], task["context"]["round"]
    if title == "Sum" and round_ == 1:
        values = {"verdict": "reject", "reason": "too short", "note": "what is it?"}
    elif title[0].islower():
        values = {"verdict": "improve", "title": title.capitalize()}
    else:
        values = {"verdict": "accept"}
    print(json.dumps({"id": task["id"], "values": values}), flush=True)
"""


class Reviews(harness.Case):
    def start(self, hub, *subjects, **more):
        self.broker = self.world.broker()
        self.world.write("line.yml", LINE)
        self.world.sunline("line", "apply", "line.yml")
        text = hub.replace("{agents}", self.broker.endpoints["agents"]).replace("{data}", self.world.path(more.get("data", "agent")))
        for key, value in more.items():
            text = text.replace("{%s}" % key, value)
        self.world.agent(more.get("data", "agent"), text).wait_log("session-up")  # its folder is there then
        self.world.write("rows.csv", "subject\n" + "".join(s + "\n" for s in subjects))
        self.world.sunline("run", "start", "articles", "--name", "r", "--input", "rows.csv")

    def work(self, who, typed, tasks=1):
        return self.world.sunline("work", "--hub", self.world.path("agent"), "--worker", who, "--once", "--tasks", str(tasks), input=typed, timeout_s=60)

    def rows(self, *args):
        self.world.sunline("run", "output", "r", "-o", "out.csv", *args)
        with open(self.world.path("out.csv"), newline="", encoding="utf-8-sig") as f:
            return list(csv.DictReader(f))

    def test_people_review_at_a_terminal_and_what_comes_back_begins_with_what_was_sent(self):
        self.start(HUB, "the sun")
        self.work("asha", "Sun\n12\n")
        # bina says accept though she changed the title: she is asked for it again, and then says improve
        said = self.work("bina", "\n\nreject\nwhich sun?\n.\n2\n")
        self.assertIn("author: asha", said.out)
        self.assertIn("Is it good enough to print?", said.out)
        self.assertIn("[Sun]", said.out)
        told = self.work("asha", "The sun\n\n")
        for part in ("round 2", "reason: too short", "note: which sun?", "[Sun]", "[12]"):
            self.assertIn(part, told.out)
        corrected = self.work("bina", "The Sun\n\naccept\n\n\n\n")
        self.assertIn("title: is changed, but the verdict is accept", corrected.err)
        row, = self.rows()
        self.assertEqual((row["write.title"], row["edit.title"], row["edit.verdict"], row["chief.decision"]), ("The sun", "The sun", "accept", ""))
        verdicts = self.rows("--station", "edit", "--answers")
        self.assertEqual([(v["edit.verdict"], v["edit.reason"], v["edit.note"], v["worker"], v["stands"]) for v in verdicts],
                         [("reject", "too short", "which sun?", "bina", "false"), ("accept", "", "", "bina", "true")])
        story = self.world.sunline("unit", "show", "r/1").out
        self.assertIn("a review sent it back", story)
        self.assertIn("reviews: write", story)
        self.assertIn("round: 2", story)
        for line in ("verdict: reject", "reason: too short", "note: which sun\\?", "verdict: accept"):
            self.assertRegex(story, rf"(?m)^ +{line}$")

    def test_an_author_does_not_review_and_what_is_rejected_to_the_last_goes_on_as_the_line_says(self):
        self.start(HUB, "the moon")
        self.work("bina", "Moon\n\n")  # she may edit, but not this
        self.assertIn("0 done", self.work("bina", "").out)
        for _ in range(2):
            self.work("chetan", "\n\nreject\n\n1\n")
            if _ == 0:
                self.assertIn("0 done", self.work("asha", "").out)  # it is bina's for a while
                self.work("bina", "\n\n")
        self.work("chetan", "forget\n")
        row, = self.rows()
        self.assertEqual((row["edit.title"], row["edit.verdict"], row["chief.decision"]), ("Moon", "reject", "forget"))

    def test_robots_review(self):
        robot = self.world.write("editor.py", EDITOR)
        os.chmod(robot, 0o755)
        self.start(HUB, "a", "b", "c")
        self.world.agent("robots", ROBOT_HUB.replace("{agents}", self.broker.endpoints["agents"]).replace("{data}", self.world.path("robots")).replace("{robot}", robot))
        self.work("asha", "Sum\n\nmoon\n\nStars\n3\n", tasks=3)
        self.work("asha", "The sun\n\n")
        self.world.sunline("run", "watch", "r", timeout_s=60)
        self.assertEqual([(r["write.title"], r["edit.title"], r["edit.verdict"], r["edit.changed"]) for r in self.rows()],
                         [("The sun", "The sun", "accept", ""), ("moon", "Moon", "improve", '["title"]'), ("Stars", "Stars", "accept", "")])
        told = json.loads(self.world.sunline("--json", "unit", "show", "r/2").out)
        self.assertEqual(told["stations"][1]["assignments"][0]["changes"], {"title": ["moon", "Moon"]})
        story = self.world.sunline("unit", "show", "r/2").out
        for line in ("verdict: improve", "title: moon -> Moon"):
            self.assertRegex(story, rf"(?m)^ +{line}$")


if __name__ == "__main__":
    unittest.main()
