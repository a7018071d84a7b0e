"""sunline top, driven through tmux: each screen is waited for, never slept for."""
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402
import past  # noqa: E402
import sunline_wire as wire  # noqa: E402

ALONE = False  # tests/run

FORM = {"title": "Echo", "fields": [{"name": "loud", "type": "short_answer"}]}


class Screen(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.world.broker()
        self.client = wire.Client(self.broker.endpoints["clients"])
        self.agent = wire.Agent(self.broker.endpoints["agents"], "nairobi")
        self.addCleanup(self.client.close)
        self.addCleanup(self.agent.close)
        self.agent.hello()

    def top(self, endpoint):
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24",
                  "env TERM=screen %s --broker %s top --interval 1; echo ended with $?; exec sleep 1000" % (harness.program("sunline"), endpoint))
        self.addCleanup(self.tmux, "kill-server")

    def tmux(self, *args):
        done = subprocess.run(["tmux", "-S", self.world.path("tmux"), *args], capture_output=True, text=True, check=False)
        return done.stdout

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def shows(self, pattern, absent=None):
        found = self.world.wait(lambda: re.search(pattern, self.screen(), re.M) and not (absent and re.search(absent, self.screen(), re.M)), 30,
                                lambda: "the screen to show %r; it shows\n%s" % (pattern, self.screen()))
        return found


@harness.unittest.skipUnless(shutil.which("tmux"), "tmux is not there: install Debian's package tmux")
class Top(Screen):
    def setUp(self):
        super().setUp()
        for line, rows in (("aloe", 3), ("birch", 12), ("cedar", 7)):
            self.client.request("line_apply", definition={"line": line, "input": [{"name": "text", "type": "text"}],
                                                          "stations": [{"name": "say", "type": "work", "form": FORM}]})
            run = self.client.request("run_start", line=line, name=line + "-run")["run_id"]
            self.client.request("put", run_id=run, rows=[["x"]] * rows)
        self.agent.roster([{"name": n, "kind": k, "capacity": 9, "skills": []} for n, k in (("ann", 0), ("bot", 1))])
        self.agent.credit({"ann": 2})
        self.agent.assignments(2)
        self.top(self.broker.endpoints["clients"])

    def order(self, *names):
        self.shows(".*".join("(?s:%s" % n for n in names) + ")" * len(names))

    def test_every_view_shows_its_rows(self):
        self.shows(r"^ready 20  in hand 2  dead 0 ")
        self.shows(r"^runs open 3  hubs 1/1  workers 1/2 ")
        self.shows(r"^birch .*active")
        self.keys("2")
        self.shows(r"^birch-run +birch +open +5 +12 +0\.0 ")
        self.keys("3")
        self.shows(r"^birch/say@1 ")
        self.keys("4")
        self.shows(r"^nairobi +Africa/Nairobi +here +1 +2 +2 .*#$")
        self.keys("5")
        self.shows(r"^ann +nairobi +human +in +2 ")
        self.shows(r"^bot +nairobi +robot +off +0 ")
        self.keys("Tab")
        self.shows(r"^cedar .*active")

    def test_who_is_signed_in_but_off_shift_is_told_apart(self):
        self.shows(r"^runs open 3  hubs 1/1  workers 1/2  on shift 1 ")
        self.agent.roster([{"name": "ann", "kind": 0, "capacity": 9, "skills": [], "shift": "night"}, {"name": "bot", "kind": 1, "capacity": 9, "skills": []}])
        self.agent.credit({"bot": 1})
        self.keys("5")
        self.shows(r"^ann +nairobi +human +rest ")
        self.shows(r"^bot +nairobi +robot +in ")
        self.shows(r"^runs open 3  hubs 1/1  workers 2/2  on shift 1 ")

    def test_it_sorts_and_filters(self):
        self.keys("2")
        self.order("^aloe-run", "^birch-run", "^cedar-run")
        self.keys("r")
        self.order("^cedar-run", "^birch-run", "^aloe-run")
        self.keys("r", ">", ">", ">", ">")  # by units, the most first
        self.order("^birch-run", "^cedar-run", "^aloe-run")
        self.keys("/", "c", "e", "d")
        self.shows("^cedar-run", absent="^birch-run")
        self.keys("Escape")
        self.shows("^birch-run")

    def test_it_follows_what_happens(self):
        self.shows(r"^ready 20 ")
        run = self.client.request("run_start", line="aloe", name="new-one")["run_id"]
        self.client.request("put", run_id=run, rows=[["x"]] * 80)
        self.shows(r"^ready 100 ")
        self.keys("2")
        self.shows(r"^new-one +aloe +open ")

    def test_slow_work_has_a_rate_and_an_estimate(self):
        self.keys("2")
        self.shows(r"^birch-run +birch +open +5 +12 +0\.0 +0 +- +-$")
        done = 0

        def told():  # one unit now and then, most looks see none: a rate and an estimate all the same
            nonlocal done
            if done < 9 and self.client.request("stats_get")["figures"]["results_last_minute"] == done:
                self.agent.credit({"ann": 1})
                for a in self.agent.assignments(1):
                    self.agent.submit([self.agent.result(a, ["y"])])
                    done += 1
            return re.search(r"^\w+-run .* [1-9]\d* +\d+(\.\d)?[smh]\w*$", self.screen(), re.M)
        self.world.wait(told, 40, lambda: "a rate and an estimate; it shows\n" + self.screen())
        run = re.search(r"^(\w+-run) .* [1-9]\d* +\d+(\.\d)?[smh]\w*$", self.screen(), re.M)[1]
        self.keys("1")
        self.shows("^birch ")
        self.keys("2")  # it is remembered while another table is looked at
        self.shows(r"^%s .* [1-9]\d* +\d+(\.\d)?[smh]\w*$" % run)

    def test_it_fits_any_size(self):
        self.shows(r"^birch ")
        for columns, lines in ((40, 8), (132, 50), (20, 3), (80, 24)):
            self.tmux("resize-window", "-x", str(columns), "-y", str(lines))
            self.shows(r"^ready 20")
            self.assertLessEqual(max(map(len, self.screen().split("\n"))), columns)
        self.keys("q")
        self.shows("^ended with 0")

    def test_it_waits_for_a_broker_that_is_away(self):
        self.shows(r"^ready 20")
        self.broker.kill()
        self.shows("does not answer")
        self.broker.start()
        self.world.wait(lambda: "does not answer" not in self.screen() and re.search("^ready 20", self.screen(), re.M), 20, self.screen)

    def test_without_a_terminal_it_says_so(self):
        self.assertIn("needs a terminal", self.world.sunline("top", status=1).err)


@harness.unittest.skipUnless(shutil.which("tmux"), "tmux is not there: install Debian's package tmux")
class Strip(Screen):
    """The strip of a hub's day, from events that are hours old. An hour may end while a test runs."""

    def setUp(self):
        super().setUp()
        self.agent.roster([{"name": "ann", "kind": 0, "capacity": 9, "skills": []}])

    def last_event(self):
        self.agent.heartbeat()  # what it sent before is done
        return self.client.request("info_get")["event_seq"]

    def begin(self, *hours):
        """hours: (last event, hours ago), ascending; what comes behind is as it was."""
        def when(seq, wall_us):
            return wall_us - next((ago for last, ago in hours if seq <= last), 0) * past.HOUR_US
        told = past.Past("ipc://" + self.world.path("past"), self.broker.endpoints["clients"], when)
        self.addCleanup(told.close)
        self.top(told.endpoint)
        self.shows("^runs open")
        self.keys("4")
        return told

    def test_it_shows_the_hours_in_which_somebody_was_there(self):
        self.agent.credit({"ann": 1})
        came = self.last_event()
        self.agent.sign_off(["ann"])
        self.begin((came, 9), (self.last_event(), 5))
        self.shows(r"^nairobi +Africa/Nairobi +here +0 +1 +0 +#{4,6}\.{4,6}$")  # and nothing is known of the hours before

    def test_the_hours_since_a_restart_begin_with_nobody(self):
        self.agent.credit({"ann": 1})
        came = self.last_event()
        self.broker.stop()
        self.broker.start()
        self.begin((came, 9), (came + 1, 5))
        self.shows(r"^nairobi +Africa/Nairobi +\w+ +0 +1 +0 +#{4,6}\.{4,6}$")

    def test_who_came_before_the_day_began_is_known_without_reading_so_far_back(self):
        self.agent.credit({"ann": 1})
        came = self.last_event()
        self.agent.sign_off(["ann"])
        told = self.begin((came, 40), (self.last_event(), 5))
        self.shows(r"^nairobi +Africa/Nairobi +here +0 +1 +0 +#{18,20}\.{4,6}$")
        self.assertIn(came + 1, told.asked)
        self.assertNotIn(1, told.asked)


if __name__ == "__main__":
    import unittest
    unittest.main()
