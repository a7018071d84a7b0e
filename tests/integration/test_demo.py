"""`make demo` does what README says: real work comes out, the numbers are right, nothing is left running."""
import csv
import os
import re
import signal
import subprocess
import tempfile
import unittest

import harness

ALONE = False  # tests/run

DEMO = os.path.join(harness.TOP, "deploy", "demo")


def rows_of(path):
    with open(path, newline="", encoding="utf-8-sig") as f:
        return list(csv.DictReader(f))


class Demo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.adopt_orphans()
        cls.tmp = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.tmp.cleanup)
        cls.output = os.path.join(harness.BUILD, "demo-output.csv")
        if os.path.exists(cls.output):
            os.unlink(cls.output)
        env = dict(os.environ, TMPDIR=cls.tmp.name)
        cls.done = subprocess.run([os.path.join(DEMO, "demo.sh"), harness.BUILD], env=env, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=240, text=True, encoding="utf-8")
        print(cls.done.stdout, cls.done.stderr)
        cls.left = harness.children_left()

    def test_ends_well_and_says_where_the_output_is(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.assertIn(self.output, self.done.stdout)
        self.assertRegex(self.done.stdout, r"Done: 600 units in \d+ seconds")

    def test_nothing_is_left(self):
        self.assertEqual(self.left, [])
        self.assertEqual(os.listdir(self.tmp.name), [])

    def test_every_message_came_out_once_in_input_order(self):
        messages, out = rows_of(os.path.join(DEMO, "messages.csv")), rows_of(self.output)
        self.assertGreaterEqual(len(messages), 500)
        self.assertEqual([m["id"] for m in messages], [o["id"] for o in out])

    def test_input_fields_come_back_to_the_byte(self):
        for m, o in zip(rows_of(os.path.join(DEMO, "messages.csv")), rows_of(self.output)):
            self.assertEqual((m["customer"], m["channel"]), (o["customer"], o["channel"]))
            # A cell that a spreadsheet would take for a formula gets an apostrophe.
            self.assertIn(o["message"], (m["message"], "'" + m["message"]))

    def test_the_robots_really_worked(self):
        out = rows_of(self.output)
        for o in out:
            self.assertEqual(int(float(o["clean.words"])), len(o["clean.text"].lstrip("'").split()), o)
            self.assertIn(o["ticket.topic"], "delivery damage refund invoice account question praise other".split())
        # Devanagari is Nepali, and only that.
        for o in out:
            nepali = len(re.findall("[\u0900-\u097f]", o["message"])) > 20
            self.assertEqual(nepali, o["language.language"] == "ne", o["message"])
        # An independent look for addresses.
        for o in out:
            found = re.search(r"[\w.+-]+@[\w-]+(\.[\w-]+)*\.[a-z]{2,}", o["message"], re.IGNORECASE | re.ASCII)
            expected = found[0].lower() if found and o["channel"] != "review" else ""
            self.assertEqual(o["contact.email"], expected, o["message"])
        self.assertEqual({"en", "es", "fr", "de", "pt", "sw", "ne"} - {o["language.language"] for o in out}, set())

    def test_reviews_pass_the_contact_station_by(self):
        reviews = [o for o in rows_of(self.output) if o["channel"] == "review"]
        self.assertGreater(len(reviews), 10)
        for o in reviews:
            self.assertEqual((o["contact.email"], o["contact.phone"]), ("", ""))

    def test_urgent_tickets_were_reviewed_and_some_sent_back(self):
        seen = set()
        for o in rows_of(self.output):
            self.assertEqual(o["check.verdict"] != "", o["ticket.priority"] == "high", o)
            self.assertEqual(o["check.changed"] != "", o["check.subject"] != o["ticket.subject"], o)
            self.assertEqual(o["check.verdict"] == "improve", o["check.changed"] != "", o)
            self.assertEqual(o["check.topic"], o["ticket.topic"])  # also of those that passed the review by
            about_an_order = o["ticket.priority"] == "high" and o["ticket.topic"] in ("refund", "damage", "delivery")
            self.assertTrue(not about_an_order or o["ticket.subject"].lstrip("'").startswith("["), o)
            seen.add((o["check.verdict"], o["ticket.subject"].lstrip("'").startswith("[order unknown]")))
        self.assertLessEqual({("accept", False), ("improve", True), ("", False)}, seen)
        self.assertIn("a review sent it back", self.done.stdout)

    def test_the_best_answer_to_a_refund_was_chosen_by_a_jury(self):
        replied, won = 0, set()
        for o in rows_of(self.output):
            self.assertEqual(o["reply.text"] != "", o["check.topic"] == "refund", o)
            if o["reply.text"]:
                replied += 1
                won.add(o["reply.text"].split()[0])
                self.assertIn((o["reply.decided"], o["reply.answers"], o["reply.votes"]), (("jury", "2", "2"), ("jury", "3", "2"), ("first", "3", "1")), o)
        self.assertGreater(replied, 10)
        self.assertGreater(len(won), 1)  # not always the same one
        self.assertRegex(self.done.stdout, r'"place": *1\b')
        self.assertRegex(self.done.stdout, r'"entry": *\d')

    def test_control_tasks_found_out_the_robot_that_lacks_two_languages(self):
        shown = self.done.stdout.partition("$ sunline worker show nbo-language")[2]
        bad, good = shown.partition("$ sunline worker show ktm-language")[::2]
        self.assertRegex(bad, r"(?m)^inbox/language +suspended by rule\b")
        self.assertRegex(good.partition("\n7. ")[0], r"(?m)^inbox/language +good\b")
        wrong = [o for o in rows_of(self.output) if o["language.language"] not in ("pt", "sw") and re.search("ã|õ|oda yangu", o["message"].lower())]
        self.assertLess(len(wrong), 60)  # what it had said until then

    def test_all_three_hubs_took_part(self):
        for hub in ("kathmandu", "nairobi", "medellin"):
            done = [int(n) for n in re.findall(rf"^\S*\s*.*\b{hub}\b.*?(\d+)\s*$", self.done.stdout, re.M)]
            self.assertGreater(max(done, default=0), 0, hub)


class Interrupted(unittest.TestCase):
    def test_ctrl_c_leaves_nothing_either(self):
        harness.adopt_orphans()
        with tempfile.TemporaryDirectory() as tmp:
            os.mkdir(tmp + "/tmp")
            with open(tmp + "/out", "w+", encoding="utf-8") as out:
                # From a shell's background INT would be ignored: a terminal's foreground has it as it is by default.
                demo = subprocess.Popen([os.path.join(DEMO, "demo.sh"), harness.BUILD], env=dict(os.environ, TMPDIR=tmp + "/tmp"), stdout=out,
                                        stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
                                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

                def at_work():
                    self.assertIsNone(demo.poll(), "it ended too early")
                    out.seek(0)
                    return "run watch" in out.read()
                try:
                    harness.wait(at_work, 60, "the hubs to be at work")
                    os.killpg(demo.pid, signal.SIGINT)  # as a terminal does: to all of the foreground
                    self.assertEqual(demo.wait(60), 130)
                finally:
                    if demo.poll() is None:
                        os.killpg(demo.pid, signal.SIGKILL)
                        demo.wait()
                    out.seek(0)
                    print(out.read())
            self.assertEqual(harness.children_left(), [])
            self.assertEqual(os.listdir(tmp + "/tmp"), [])


if __name__ == "__main__":
    unittest.main()
