"""docs/events.md says what events.def says: every type, its number, its streams, its data keys, and a word on each key."""
import os
import re
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as f:
        return f.read()


def catalogue():
    """name -> (number, streams, data keys) out of events.def"""
    rows = re.findall(r'^EVENT\((\w+), (\d+), "(.*?)", "(.*?)", "(.*)"\)', read("proto", "events.def"), re.M)
    return {name: (int(number), streams.split(), keys.split()) for name, number, streams, keys, _ in rows}


def sections():
    """name -> (number, streams, data keys, prose) out of events.md"""
    found = {}
    types = read("docs", "events.md").split("\n## The types")[1].split("\n## ")[0]
    for section in types.split("\n### ")[1:]:
        head, facts, prose = re.fullmatch(r"(.*)\n(.*)\n\n(.*)", section.rstrip("\n"), re.S).groups()
        name, number = re.fullmatch(r"(\w+), type (\d+)", head).groups()
        streams, keys = re.fullmatch(r".*\. Streams: ([\w, ]+)\. Data: (.*)\.", facts).groups()
        assert name not in found, name + " stands twice"
        found[name] = int(number), streams.split(", "), re.findall(r"`(\w+)`", keys), prose
    return found


class TheDocument(unittest.TestCase):
    def test_every_type_stands_in_it_with_its_number_streams_and_data(self):
        events, described = catalogue(), sections()
        self.assertGreater(len(events), 20)
        self.assertEqual(list(described), list(events), "the same types in the same order")
        for name, (number, streams, keys) in events.items():
            self.assertEqual(described[name][:3], (number, ["all"] + streams, keys), name)

    def test_every_key_is_explained_in_its_section_or_at_the_head(self):
        head = read("docs", "events.md").split("\n## The types")[0]
        for name, (_, _, keys, prose) in sections().items():
            for key in keys:
                self.assertIn("`%s`" % key, prose + head, "%s of %s" % (key, name))

    def test_type_numbers_are_used_once(self):
        numbers = [number for number, _, _ in catalogue().values()]
        self.assertEqual(len(numbers), len(set(numbers)))


if __name__ == "__main__":
    unittest.main()
