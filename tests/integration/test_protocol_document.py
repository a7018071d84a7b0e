"""PROTOCOL.md says what messages.def says, and what it says is enough: the client made from the document alone reads every vector
as the C codec does (tests/unit/test_codec.c reads the same files)."""
import json
import os
import re
import sys
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", "lib"), os.path.join(TOP, "proto")]
import catalogue  # noqa: E402  the reader of messages.def
import sunline_wire as wire  # noqa: E402  the reader of PROTOCOL.md


def document():
    with open(os.path.join(TOP, "proto", "PROTOCOL.md"), encoding="utf-8") as f:
        return f.read()


def vectors(name, columns):
    with open(os.path.join(TOP, "proto", "vectors", name), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if line.startswith("#") or not line.strip():
                continue
            parts = line.rstrip("\n").split(" | ")
            assert len(parts) == columns, "%s:%d has %d columns" % (name, number, len(parts))
            yield number, parts


def binaries(value):
    """JSON with {"$bin": hex} -> Python values."""
    if isinstance(value, dict):
        return bytes.fromhex(value["$bin"]) if set(value) == {"$bin"} else {k: binaries(v) for k, v in value.items()}
    return [binaries(v) for v in value] if isinstance(value, list) else value


class TheDocument(unittest.TestCase):
    maxDiff = None

    def shape(self, fields):
        return [(f.key, f.name, f.kind, f.required, f.limit) for f in fields]

    def wanted(self, fields):
        return [(f["key"], f["name"], catalogue.type_words(f["type"]), f["required"], f["max"]) for f in fields]

    def test_every_message_stands_in_it_field_by_field(self):
        _, messages = catalogue.read_messages()
        self.assertGreater(len(messages), 50)
        self.assertEqual(set(wire.CATALOGUE.messages), {m["name"] for m in messages})
        for m in messages:
            read = wire.CATALOGUE.messages[m["name"]]
            self.assertEqual((read.number, read.way), (m["number"], m["way"]), m["name"])
            self.assertEqual(self.shape(read.fields), self.wanted(m["fields"]), m["name"])

    def test_every_item_stands_in_it_field_by_field(self):
        items, _ = catalogue.read_messages()
        self.assertEqual(set(wire.CATALOGUE.items), {i["name"] for i in items})
        for i in items:
            self.assertEqual(self.shape(wire.CATALOGUE.items[i["name"]].fields), self.wanted(i["fields"]), i["name"])

    def test_every_error_stands_in_it(self):
        errors = catalogue.read_errors()
        self.assertGreater(len(errors), 30)
        self.assertEqual(wire.CATALOGUE.errors, {number: name for number, name, _, _ in errors})
        self.assertEqual(wire.CATALOGUE.retry, {name: retry for _, name, retry, _ in errors})

    def test_its_tables_are_up_to_date_to_the_letter(self):
        self.assertEqual(document(), catalogue.filled(document()), "run proto/catalogue.py")

    def test_numbers_and_keys_are_used_once(self):
        _, messages = catalogue.read_messages()
        numbers = [m["number"] for m in messages]
        self.assertEqual(len(numbers), len(set(numbers)))
        for m in messages:
            keys = [f["key"] for f in m["fields"]]
            self.assertEqual(keys, sorted(set(keys)), m["name"])
            self.assertTrue(all(4 <= k < wire.KEYS_MAX for k in keys), m["name"])

    def test_the_limits_it_names_are_those_of_the_code(self):
        limits = catalogue.read_limits()
        self.assertEqual(wire.BODY_BYTES_MAX, limits["SL_FRAME_BYTES_MAX"])
        self.assertEqual(wire.DEPTH_MAX, limits["SL_DEPTH_MAX"])
        self.assertEqual(wire.PAIRS_MAX, limits["SL_MAP_PAIRS_MAX"])
        self.assertEqual(wire.TEXT_BYTES_MAX, limits["SL_TEXT_BYTES_MAX"])
        table = dict(re.findall(r"^\| ([^|]+) \| ([\d,]+) ?(?:bytes|days)? \| [A-Z]", document(), re.M))
        for words, name in (("a body", "SL_FRAME_BYTES_MAX"), ("items in one frame", "SL_BATCH_ITEMS_MAX"),
                            ("the values of one unit, as packed", "SL_UNIT_BYTES_MAX"), ("the values of one result, as packed", "SL_RESULT_BYTES_MAX"),
                            ("assignments a hub may hold", "SL_HELD_ITEMS_MAX"), ("an idempotency key", "SL_KEY_BYTES_MAX"), ("a line definition, as packed", "SL_LINE_BYTES_MAX")):
            self.assertEqual(int(table[words].replace(",", "")), limits[name], words)

    def test_its_programs_compile(self):
        programs = re.findall(r"```python\n(# example: (\w+).*?)```", document(), re.S)
        self.assertEqual([name for _, name in programs], ["producer", "agent"])
        for text, name in programs:
            compile(text, name, "exec")


class TheVectors(unittest.TestCase):
    maxDiff = None

    def test_the_valid_ones_mean_what_they_say(self):
        seen = set()
        for number, (way, name, request_id, body, fields, what) in vectors("valid.txt", 6):
            with self.subTest(line=number, what=what):
                data = bytes.fromhex(body)
                want = (name, int(request_id), binaries(json.loads(fields)))
                self.assertEqual(wire.decode(data, wire.WAYS[way]), want)
                if "(not canonical)" not in what and "keep the form" not in what:
                    self.assertEqual(wire.encode(name, want[1], **want[2]), data)
                seen.add(name)
        self.assertEqual(seen, set(wire.CATALOGUE.messages))

    def test_the_invalid_ones_are_refused_for_the_reason_they_say(self):
        seen = set()
        for number, (way, code, place, body, what) in vectors("invalid.txt", 5):
            with self.subTest(line=number, what=what):
                with self.assertRaises(wire.Refused) as caught:
                    wire.decode(bytes.fromhex(body), wire.WAYS[way])
                self.assertEqual(caught.exception.code, code)
                if caught.exception.place is not None:
                    self.assertEqual(caught.exception.place, place)
                seen.add(code)
        self.assertEqual(seen, {wire.CATALOGUE.errors[n] for n in range(10, 20)})

    def test_no_prefix_of_a_valid_one_is_valid(self):
        for number, (way, _, _, body, _, what) in vectors("valid.txt", 6):
            data = bytes.fromhex(body)
            for n in range(len(data)):
                with self.subTest(line=number, what=what, bytes=n), self.assertRaises(wire.Refused):
                    wire.decode(data[:n], wire.WAYS[way])


if __name__ == "__main__":
    unittest.main()
