"""The checker of the tortures, on hand-made histories: a good one passes, and for each verdict a bad one is caught, with this verdict and no other."""
import copy
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "torture"))
import checker  # noqa: E402
import crew  # noqa: E402


def good():
    history = []
    for n in (1, 2, 3):
        key, value = f"k{n}", f"payload {n}"
        history += [{"op": "put", "key": key, "value": value}, {"op": "put_ok", "key": key, "unit": n},
                    {"op": "push", "assignment": 10 + n, "station": "s", "key": key, "worker": "ann", "value": value},
                    {"op": "act", "what": "start", "assignment": 10 + n},
                    {"op": "act_ok", "what": "start", "assignment": 10 + n, "code": "OK"},
                    {"op": "submit", "assignment": 10 + n, "station": "s", "key": key, "worker": "ann", "result": f"r{n}"},
                    {"op": "submit_ok", "assignment": 10 + n, "code": "OK"}]
    for n in (1, 2, 3):
        history += [{"op": "end", "key": f"k{n}", "unit": n, "state": "done", "value": f"payload {n}", "results": {"s": f"r{n}"}},
                    {"op": "story", "key": f"k{n}", "station": "s", "counted": [[10 + n, "ann", f"r{n}"]]}]
    history += [{"op": "counters", "units": 3, "done": 3, "dropped": 0, "cancelled": 0},
                {"op": "event", "seq": 1, "done": []}, {"op": "event", "seq": 2, "done": [1, 2]}, {"op": "event", "seq": 3, "done": [3]}, {"op": "check", "wrong": []}]
    return history


class Checker(unittest.TestCase):
    def setUp(self):
        self.history = good()

    def find(self, op, **fields):
        return next(h for h in self.history if h["op"] == op and all(h[k] == v for k, v in fields.items()))

    def before_end(self, *more):
        at = self.history.index(self.find("end", unit=1))
        self.history[at:at] = more

    def says(self, *names, **options):
        v = checker.check(copy.deepcopy(self.history), **options)
        self.assertEqual(sorted(v.bad), sorted(names), v.story())
        return v

    def test_a_good_history_passes(self):
        v = self.says()
        self.assertEqual((v.acknowledged, v.accepted), (3, 3))
        self.assertIn("3 units and 3 results acknowledged: lost 0, unexpected 0, duplicated 0", v.line())

    def test_a_unit_without_an_acknowledgement_that_is_there_is_recovered(self):
        self.history.remove(self.find("put_ok", key="k2"))
        self.assertEqual(len(self.says().found["recovered"]), 1)

    def test_a_unit_without_an_acknowledgement_may_be_missing(self):
        self.history.insert(0, {"op": "put", "key": "k4", "value": "never answered"})
        self.says()

    def test_lost_a_unit_is_gone(self):
        self.history.insert(0, {"op": "put", "key": "k4", "value": "x"})
        self.history.insert(1, {"op": "put_ok", "key": "k4", "unit": 4})
        self.says("lost")

    def test_lost_a_unit_came_to_no_end(self):
        self.history += [{"op": "put", "key": "k4", "value": "x"}, {"op": "put_ok", "key": "k4", "unit": 4},
                         {"op": "end", "key": "k4", "unit": 4, "state": "open", "value": "x", "results": {}}]
        self.find("counters")["units"] = 4
        self.says("lost")
        self.says(drained=False)

    def test_lost_a_unit_was_dropped_by_nobody(self):
        self.find("end", unit=1)["state"] = "dropped"
        self.find("counters").update(done=2, dropped=1)
        self.find("event", seq=2)["done"] = [2]
        self.says("lost")
        self.history.insert(0, {"op": "drop", "key": "k1"})
        self.says()

    def test_lost_an_accepted_result_is_gone(self):
        self.find("end", unit=2)["results"] = {}
        self.find("story", key="k2")["counted"] = []
        self.says("lost")

    def test_two_people_were_told_that_theirs_is_kept_one_counts_the_other_is_there_as_late(self):
        for result in ("r1", "another's"):
            self.history.append({"op": "kept", "station": "s", "key": "k1", "worker": "ben", "result": result})
        self.find("story", key="k1")["late"] = ["another's"]
        self.says()
        self.find("story", key="k1")["late"] = []
        self.says("lost")

    def test_lost_a_kept_result_is_gone(self):
        self.history.append({"op": "kept", "station": "t", "key": "k1", "worker": "ann", "result": "a person's"})
        self.says("lost")

    def test_unexpected_a_unit_from_nowhere(self):
        self.history.append({"op": "end", "key": "k9", "unit": 4, "state": "done", "value": "x", "results": {}})
        self.find("counters").update(units=4, done=4)
        self.find("event", seq=3)["done"] = [3, 4]
        self.says("unexpected")

    def test_unexpected_a_result_from_nowhere(self):
        self.find("end", unit=1)["results"]["t"] = "nobody sent this"
        self.history.append({"op": "story", "key": "k1", "station": "t", "counted": [[90, "ann", "nobody sent this"]]})
        self.says("unexpected")

    def test_unexpected_a_push_of_what_nobody_put(self):
        self.before_end({"op": "push", "assignment": 90, "station": "s", "key": "k9", "worker": "ann", "value": "x"})
        self.says("unexpected")

    def test_duplicated_one_key_in_two_units(self):
        self.history.append(dict(self.find("end", unit=1), unit=4))
        self.find("counters").update(units=4, done=4)
        self.find("event", seq=3)["done"] = [3, 4]
        self.says("duplicated")

    def test_duplicated_two_numbers_were_acknowledged(self):
        self.before_end({"op": "put_ok", "key": "k1", "unit": 7})
        self.says("duplicated")

    def test_duplicated_a_unit_is_announced_twice(self):
        self.find("event", seq=3)["done"] = [3, 1]
        self.says("duplicated")

    def test_duplicated_an_assignment_number_is_used_again(self):
        self.before_end(dict(self.find("push", assignment=11), key="k2", value="payload 2"))
        self.says("duplicated")

    def again(self, number=21, worker="ben", **answer):
        """A second assignment of the first task, before its first one was handed in."""
        return [{"op": "push", "assignment": number, "station": "s", "key": "k1", "worker": worker, "value": "payload 1"},
                {"op": "submit", "assignment": number, "station": "s", "key": "k1", "worker": worker, "result": "r1"},
                {"op": "submit_ok", "assignment": number, "code": "OK", **answer}]

    def test_double_accept_two_workers_were_told_so(self):
        self.before_end(*self.again())
        self.says("double_accept")

    def late(self, result="r21"):
        again = self.again(code="LATE")
        again[1]["result"] = result
        self.before_end(*again)

    def test_double_accept_a_late_one_is_not_accepted_and_is_kept(self):
        self.late()
        self.find("story", key="k1")["late"] = ["r21"]
        self.says()

    def test_lost_a_result_that_was_called_late_is_in_no_story(self):
        self.late()
        self.says("lost")
        self.find("story", key="k1")["late"] = ["another"]
        self.says("lost")

    def test_double_accept_two_results_count(self):
        self.late("r1")
        self.find("story", key="k1")["counted"].append([21, "ben", "r1"])
        self.says("double_accept")

    def test_stale_token_accepted(self):
        at = self.history.index(self.find("submit", assignment=11))
        self.history[at:at] = [{"op": "push", "assignment": 21, "station": "s", "key": "k1", "worker": "ben", "value": "payload 1"},
                               {"op": "act", "what": "start", "assignment": 21},
                               {"op": "act_ok", "what": "start", "assignment": 21, "code": "OK"}]
        self.says("stale_token_accepted")
        self.find("act_ok", assignment=21)["code"] = "STALE"
        self.says()

    def test_bytes_differ_in_a_payload(self):
        self.find("end", unit=3)["value"] = "payload 3 "
        self.says("bytes_differ")

    def test_bytes_differ_in_what_was_shown(self):
        self.find("push", assignment=12)["value"] = "payload"
        self.says("bytes_differ")

    def test_bytes_differ_in_a_result(self):
        self.find("end", unit=2)["results"]["s"] = "r3"
        self.find("story", key="k2")["counted"] = []
        self.says("bytes_differ")

    def test_bytes_differ_in_a_story(self):
        self.find("story", key="k2")["counted"][0][2] = "r3"
        self.says("bytes_differ")

    def test_unbalanced_counters(self):
        self.find("counters")["done"] = 2
        self.says("unbalanced")

    def test_unbalanced_a_unit_is_done_and_nobody_was_told(self):
        self.find("event", seq=3)["done"] = []
        self.says("unbalanced")

    def test_unbalanced_what_was_called_done_is_not_there(self):
        self.find("event", seq=3)["done"] = [3, 9]
        self.says("unbalanced")

    def test_untold_no_counters(self):
        self.history.remove(self.find("counters"))
        self.says("untold")

    def test_untold_no_events(self):
        self.history = [h for h in self.history if h["op"] != "event"]
        self.says("untold")

    def test_untold_no_check(self):
        self.history.remove(self.find("check"))
        self.says("untold")

    def test_unsound_a_check_or_a_recount_names_something(self):
        self.find("check")["wrong"].append("recount: run r: counted [2, 0, 0], kept [3, 0, 0]; stations []")
        self.says("unsound")

    def test_untold_no_story_of_a_result(self):
        self.history.remove(self.find("story", key="k2"))
        self.says("untold")

    def test_untold_no_story_of_what_came_late(self):
        self.late()
        self.find("push", assignment=21)["station"] = self.find("submit", assignment=21)["station"] = "t"
        self.says("untold")

    def test_untold_is_nothing_in_the_middle(self):
        self.history = [h for h in self.history if h["op"] not in ("counters", "event", "story", "check")]
        self.says(drained=False)

    def test_event_gap(self):
        self.find("event", seq=2)["seq"] = 4
        self.says("event_gap")

    def test_events_that_begin_late(self):
        self.history.remove(self.find("event", seq=1))
        self.says("event_gap")

    def test_a_history_that_contradicts_itself_is_refused(self):
        self.history.append({"op": "put", "key": "k1", "value": "another payload"})
        with self.assertRaises(ValueError):
            checker.check(self.history)

    def test_every_verdict_has_a_bad_history_here(self):
        tests = [name for name in dir(self) if name.startswith("test_")]
        for verdict in checker.VERDICTS:
            self.assertTrue(any(verdict.split("_token")[0] in name for name in tests), verdict)


class Checks(unittest.TestCase):
    """What the tortures take from the answers to a check of the store."""

    def setUp(self):
        self.pages = {False: [{"damage": [], "next": b"1"}, {}], True: [{"counts": [[1, "r", 77, 1, 3, [2, 1, 0, 0], [3, 2, 1, 0, 0], [["s", [0, 3], [0, 3]]]]]}]}
        self.run_row = self.pages[True][0]["counts"][0]

    def check(self):
        def request(name, recount, after):
            return self.pages[recount][int(after or 0)]
        return crew.check(request)

    def test_a_sound_store_says_nothing(self):
        self.assertEqual(self.check(), [])

    def test_damage_of_any_page_is_told(self):
        self.pages[False][1]["damage"] = ["UNIT 00: the input values"]
        self.assertEqual(self.check(), ["check: UNIT 00: the input values"])

    def test_counters_that_are_not_what_was_counted_are_told(self):
        for change in ((5, [3, 0, 0, 0]), (4, 2), (7, [["s", [0, 3], [1, 2]]])):
            row = list(self.run_row)
            row[change[0]] = change[1]
            self.pages[True][0]["counts"] = [row]
            (told,) = self.check()
            self.assertIn("recount: run r", told)


if __name__ == "__main__":
    unittest.main()
