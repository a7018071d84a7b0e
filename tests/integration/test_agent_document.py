"""docs/agent.md against the agent: every key, verb and error stands in both."""
import os
import re
import subprocess
import unittest

import harness


def read(*path):
    with open(os.path.join(harness.TOP, *path), encoding="utf-8") as f:
        return f.read()


def section(text, heading):
    return re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]


def table(text, first_column):
    """The code words of the first column of the table whose heading begins with this word."""
    rows = re.search(rf"^\| {first_column} \|.*\n\|[-|]+\|\n((?:\|.*\n?)+)", text, re.M)[1]
    return {word for row in rows.splitlines() for word in re.findall(r"`([^`]+)`", row.split("|")[1])}


def c_words(source, name):
    """The strings of a table of keys in the source."""
    return set(re.findall(r'"([^"]+)"', re.search(rf"{name}\[\] = \{{(.*?)\}};", source, re.S)[1]))


class Document(unittest.TestCase):
    def setUp(self):
        self.text = read("docs", "agent.md")
        self.config = read("worker-agent", "config.c")
        self.local = read("worker-agent", "local.c")

    def test_keys_of_a_hub_file(self):
        hub = section(self.text, "The hub file")
        self.assertEqual(table(hub, "key"), c_words(self.config, "hub_keys"))
        for key in c_words(self.config, "worker_keys"):
            self.assertRegex(hub, rf"A \*\*worker\*\*(?s:.*)`{key}`")
        robots = hub[hub.index("A **robot**"):]
        own = table(robots, "key")
        self.assertEqual(own | {"id", "name", "team", "skills", "shift", "zone", "off", "per_day"}, c_words(self.config, "robot_keys"))

    def test_verbs_and_errors_of_the_local_protocol(self):
        local = section(self.text, "The local protocol")
        verbs = re.search(r"verbs\[\] = \{(.*?)\n\};", self.local, re.S)[1]
        self.assertEqual(table(local, "verb"), set(re.findall(r'\{ "(\w+)"', verbs)))
        errors = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', self.local)) - {"SUNLINE_AGENT_LOCAL_H"}
        self.assertEqual(table(local, "error"), errors)
        notices = set(re.findall(r'"notice", "(\w+)"', self.local))
        self.assertEqual(set(re.findall(r"`(\w+)`", local[local.index("Notices come"):].split("\n")[0])) & notices, notices)

    def test_the_example_is_without_mistakes(self):
        done = subprocess.run([harness.program("sunline-agent"), "--check", "--config", "deploy/examples/hub.yml"], cwd=harness.TOP, text=True,
                              capture_output=True, timeout=20)
        if "there is no program 'jq'" in done.stderr:
            self.skipTest("jq is not installed: the example's robots need it")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_usage_and_the_manual_name_the_same_options(self):
        usage = subprocess.run([harness.program("sunline-agent"), "--help"], text=True, capture_output=True, timeout=20)
        self.assertEqual(usage.returncode, 0)
        options = set(re.findall(r"^  --(\w+)", usage.stdout, re.M))
        manual = read("docs", "man", "sunline-agent.8")
        self.assertEqual(options, set(re.findall(r"Fl -(\w+)", manual)))


if __name__ == "__main__":
    unittest.main()
