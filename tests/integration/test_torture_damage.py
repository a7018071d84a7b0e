"""What the part `damage` of the tortures (tests/torture/damage.py) forgives, and what it does not."""
import contextlib
import os
import sys
import types
import unittest

import harness

sys.path.insert(0, os.path.join(harness.TOP, "tests", "torture"))
import crash  # noqa: E402
import crew  # noqa: E402
import damage  # noqa: E402
import lmdb_tree  # noqa: E402
import looking  # noqa: E402
import sunline_wire as wire  # noqa: E402


class Damage(unittest.TestCase):
    NO_ROOM = "echo 'x error event=store_failed at=commit code=3 text=\"No space left on device\"'; exit 70"
    NO_PAGE = f"echo 'x error event=store_failed text=\"{damage.PAGE_LOST} cannot be read, or not written\"'; exit 70"
    FELL = "echo 'x error event=store_failed file=data.mdb text=\"LMDB fell over its own tree\" lmdb=\"mdb.c\"'; exit 70"

    def ended(self, child, how):
        """A stand-in for a program that ended by itself."""
        child.argv = ["/bin/sh", "-c", how]
        crash.Child.start(child)
        child.process.wait(20)
        return child

    def test_a_broker_that_crashes_on_damage_is_bad_and_how_one_stops_is_told(self):
        for how, said in ((self.FELL, "LMDB fell over its tree"), (self.NO_PAGE, "a page that is not in the file"), (self.NO_ROOM, "store_failed")):
            with damage.Place() as place:
                self.assertEqual(damage.stop_of(self.ended(damage.Broker(place), how), "ended", (70,)), "sunlined ended with 70: " + said)
        for how, said in (("kill -SEGV $$", "ended by itself with -11"), ("kill -BUS $$", "ended by itself with -7"), ("exit 1", "ended by itself with 1"), ("exit 70", "without a word")):
            with self.subTest(how), damage.Place() as place, self.assertRaisesRegex(AssertionError, said):
                damage.stop_of(self.ended(damage.Broker(place), how), "ended", (70,))
        for status, said in ((None, None), (3, "look ended with 3: LMDB fell over its tree"), (4, "look ended with 4: a page that is not in the file"),
                             (5, "look ended with 5: LMDB did not come back"),
                             (-7, "bad"), (-11, "bad"), (-6, "bad"), (-4, "bad"), (1, "bad")):
            looker = types.SimpleNamespace(look=lambda files: ([], []), whole=False, helper=types.SimpleNamespace(process=types.SimpleNamespace(poll=lambda status=status: status)))
            with self.subTest(status), self.assertRaises(AssertionError) if said == "bad" else contextlib.nullcontext():
                self.assertEqual(damage.ask_look(looker, {}).stop, said)

    def test_the_reader_ends_with_a_status_of_its_own_where_lmdb_falls(self):
        with damage.Place() as place:
            files, history = damage.honest_work(place, 1, 60)
            looker = looking.Looker(place)
            rows, complaints = looker.look(files)
            self.assertEqual((len(rows), complaints), (60, []))
            with open(place.path("spoiled"), "wb") as f:
                f.write(files["data.mdb"])
            lmdb_tree.spoil(place.path("spoiled"), lmdb_tree.is_a_tree)
            with open(place.path("spoiled"), "rb") as f:
                seen = damage.ask_look(looker, {**files, "data.mdb": f.read()})
            self.assertEqual((seen.stop, seen.refused, damage.judge(history, seen)), ("look ended with 3: LMDB fell over its tree", [], ""))
            looker.helper.process.stdin.close()
            looker.helper.process.stdout.close()

    PUT = [{"op": "put", "key": "u1", "value": "u1 one"}, {"op": "put_ok", "key": "u1", "unit": 1}, {"op": "put", "key": "u2", "value": "u2 two"}, {"op": "put_ok", "key": "u2", "unit": 2},
           {"op": "push", "assignment": 7, "station": "first", "key": "u1", "worker": "w", "value": "u1 one"},
           {"op": "submit", "assignment": 7, "station": "first", "key": "u1", "worker": "w", "result": "yes"}, {"op": "submit_ok", "assignment": 7, "code": "OK"}]
    ONE, TWO = {"unit": 1, "text": "u1 one", "results": {"first": "yes"}}, {"unit": 2, "text": "u2 two", "results": {}}

    def judged(self, rows, *complaints):
        seen = damage.Seen()
        seen.show("the output", rows)
        for text in complaints:
            seen.complain(text, "the output" if text.startswith(("error", "refused")) else None)
        return damage.judge(self.PUT, seen)

    def test_what_is_not_there_is_forgiven_only_where_it_was_refused_by_name(self):
        self.assertEqual(self.judged([self.ONE, self.TWO]), "")
        self.assertRegex(self.judged([self.ONE]), r"\Alost in the output: ")
        for refused in ("error CORRUPT", "refused it is cut off"):
            self.assertEqual(self.judged([self.ONE], refused), "")
        for elsewhere in ("damage UNIT 1", "check: UNIT 00", "recount: run r"):
            self.assertRegex(self.judged([self.ONE], elsewhere), r"\Alost in the output: ")
            self.assertEqual(self.judged([self.ONE, self.TWO], elsewhere), "")
        for other in ("error NOT_FOUND", "error BUSY", "a word of another kind"):
            self.assertRegex(self.judged([self.ONE], other), "^(lost|refused without a name): " + other)
            self.assertRegex(self.judged([self.ONE, self.TWO], other, "error CORRUPT"), "^(lost|refused without a name): " + other)
        looker = types.SimpleNamespace(look=lambda files: (None, []), whole=False, helper=types.SimpleNamespace(process=types.SimpleNamespace(poll=lambda: None)))
        self.assertRegex(damage.judge(self.PUT, damage.ask_look(looker, {})), "^lost: ")

    def test_what_is_served_beside_named_damage_is_compared(self):
        for rows, verdict in (([self.ONE, dict(self.TWO, text="u2 too")], "bytes_differ"), ([dict(self.ONE, results={"first": "no"})], "bytes_differ"),
                              ([self.ONE, self.ONE], "duplicated"), ([dict(self.ONE, text="u3 three")], "unexpected")):
            self.assertRegex(self.judged(rows, "error CORRUPT"), "^%s in the output: " % verdict)
        decoded = [self.ONE, self.TWO]
        page, error = (wire.encode(name, 1, **fields).hex() for name, fields in (
            ("output", {"columns": ["unit", "text", "first.answer", "second.answer"], "rows": [[1, "u1 one", "yes", None], [2, "u2 two", None, None]], "next_after": 2, "more": True}),
            ("error", {"code": next(n for n, name in wire.CATALOGUE.errors.items() if name == "CORRUPT"), "text": "damaged", "retry": 0})))
        looker = looking.Looker.__new__(looking.Looker)
        looker.helper = types.SimpleNamespace(ask=lambda line: (["damage UNIT 1", "page " + page, "error " + error], []))
        self.assertEqual(looker.look_at("somewhere"), (decoded, ["damage UNIT 1", "error CORRUPT"]))

    def broker_that_says(self, output=None, first=None, story=None, refuse=()):
        """What damage.py sees of a broker with the two units, each on a page of its own, if some of it is otherwise."""
        stories = {unit: {"unit": unit, "input": {"text": text}, "stations": [{"name": "first", "assignments": [
            {"assignment": 7, "worker": "w", "state": crew.COUNTED, "result": {"answer": "yes"}}] if unit == 1 else []}]} for unit, text in ((1, "u1 one"), (2, "u2 two"))}

        def request(name, station=None, unit=None, after_unit=0, **_):
            if (name, station, unit or after_unit) in refuse:
                raise wire.SunlineError({"code": refuse[name, station, unit or after_unit], "retry": 0, "text": ""})
            if name == "unit_get":
                return {"story": story if story and story["unit"] == unit else stories[unit]}
            if name == "check_get":
                return {}
            if station is None:
                rows = output or [[1, "u1 one", "yes", None], [2, "u2 two", None, None]]
                columns = ["unit", "text", "first.answer", "second.answer"]
            else:
                rows = (first if station == "first" else None) or [[1, "u1 one", "yes" if station == "first" else None], [2, "u2 two", None]]
                columns = ["unit", "text", station + ".answer"]
            return {"columns": columns, "rows": rows[after_unit:after_unit + 1], "next_after": after_unit + 1, "more": after_unit == 0}
        seen = damage.Seen()
        damage.read_all(request, {1, 2}, seen)
        return damage.judge(self.PUT, seen)

    def test_each_page_and_each_story_that_a_broker_hands_out_of_a_damaged_store_is_compared(self):
        corrupt, not_found = (next(n for n, name in wire.CATALOGUE.errors.items() if name == word) for word in ("CORRUPT", "NOT_FOUND"))
        told = {"unit": 2, "input": {"text": "u2 two"}, "stations": []}
        self.assertEqual(self.broker_that_says(), "")
        self.assertRegex(self.broker_that_says(output=[[1, "u1 one", "yes", None], [2, "u2 too", None, None]]), "^bytes_differ in the output")
        self.assertRegex(self.broker_that_says(output=[[1, "u1 too", "yes", None]] * 2, refuse={("output_get", None, 1): corrupt}), "^bytes_differ in the output")
        self.assertRegex(self.broker_that_says(first=[[1, "u1 one", "yes"], [2, "u2 too", None]]), "bytes_differ in the stations' output")
        self.assertRegex(self.broker_that_says(first=[[1, "u1 one", "yes"]] * 2), "^duplicated in the stations' output")
        self.assertRegex(self.broker_that_says(first=[[1, "u1 one", "no"], [2, "u2 two", None]]), "^bytes_differ in the stations' output")
        self.assertRegex(self.broker_that_says(first=[[1, "u1 one", None], [2, "u2 two", None]]), "^lost in the stations' output")
        self.assertRegex(self.broker_that_says(story={**told, "input": {"text": "u2 too"}}), "^bytes_differ in stories")
        self.assertRegex(self.broker_that_says(story={**told, "unit": 1, "input": {"text": "u1 one"}}), "^lost in stories")
        self.assertEqual(self.broker_that_says(refuse={("unit_get", None, 2): corrupt}), "")
        self.assertRegex(self.broker_that_says(refuse={("unit_get", None, 2): not_found}), "^lost: ")
        self.assertRegex(self.broker_that_says(story={**told, "unit": 1, "input": {"text": "u1 one"}}, refuse={("unit_get", None, 2): corrupt}), "^lost in stories")
        self.assertRegex(self.broker_that_says(first=[[1, "u1 one", None], [2, "u2 two", None]], refuse={("unit_get", None, 2): corrupt}), "^lost in the stations' output")
        self.assertEqual(self.broker_that_says(first=[[1, "u1 one", None], [2, "u2 two", None]], refuse={("output_get", "first", 1): corrupt}), "")
        self.assertRegex(self.broker_that_says(first=[[1, "u1 one", None], [2, "u2 two", None]], refuse={("output_get", "second", 0): corrupt}), "^lost in the stations' output")
        self.assertEqual(self.broker_that_says(refuse={("output_get", name, 0): corrupt for name in crew.STATIONS}), "")

    def test_a_check_that_is_refused_excuses_no_output_that_was_read_to_its_end(self):
        for whole, wrong in ((True, "^lost in the output"), (False, "^$")):
            looker = types.SimpleNamespace(look=lambda files: ([self.ONE], ["error CORRUPT", "refused a check failed"]), whole=whole,
                                           helper=types.SimpleNamespace(process=types.SimpleNamespace(poll=lambda: None)))
            self.assertRegex(damage.judge(self.PUT, damage.ask_look(looker, {})), wrong)


if __name__ == "__main__":
    unittest.main()
