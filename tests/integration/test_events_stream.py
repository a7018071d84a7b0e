"""The event stream with real processes: two subscribers get the same bytes, a frozen one costs bounded memory and nobody's time and loses nothing,
a follower has no hole and no repeat though the broker is killed, and what is no longer kept is refused with the oldest that is."""
import json
import os
import signal
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402

ALONE = False

LINE = {"line": "echo", "input": [{"name": "text", "type": "text"}], "stations": [
    {"name": "say", "type": "work", "form": {"title": "Echo", "fields": [{"name": "loud", "type": "short_answer"}]}}]}


class Stream(harness.Case):
    def begin(self, config=None):
        self.broker = self.world.broker(config=config)
        self.client = wire.Client(self.broker.endpoints["clients"])
        self.addCleanup(self.client.close)
        self.client.request("line_apply", definition=LINE)
        self.run_id = self.client.request("run_start", line="echo", name="r")["run_id"]

    def last(self):
        return self.client.request("info_get")["event_seq"]

    def events(self, n):
        """At least n more events, each in a step of its own: one request each, many under way."""
        ids = []
        for i in range((n + 1) // 2):
            ids.append(self.client.send("put", run_id=self.run_id, rows=[["x"]]))
            if len(ids) == 500:
                while ids:
                    self.client.reply(ids.pop(0))
        for i in ids:
            self.client.reply(i)

    def large_events(self, times):
        """Each time 4,000 events of half a kilobyte."""
        station = self.client.request("stations_get", line="echo")["rows"][0]["station_id"]
        for _ in range(times):
            first = self.client.request("put", run_id=self.run_id, rows=[["x"]] * 4000)["first_unit"]
            self.client.request("tasks_set", station_id=station, run="r", action=1, units=list(range(first, first + 4000)), reason="so it is. " * 50, timeout_s=60)

    def figure(self, key):
        return self.client.request("stats_get")["figures"][key]

    def subscriptions(self, n):
        self.world.wait(lambda: self.client.request("stats_get")["figures"]["subscriptions"] >= n, 10, "%d subscriptions" % n)

    def test_two_subscribers_get_the_same_bytes(self):
        self.begin()
        monitors = [wire.Monitor(self.broker.endpoints["events"]) for _ in range(2)]
        for m in monitors:
            self.addCleanup(m.close)
        got = [[], []]

        def both():  # subscriptions are not answered: until each has had a frame, make events
            self.events(2)
            for m, frames in zip(monitors, got):
                while m.socket.poll(20):
                    frames.append(m.socket.recv_multipart())
            return all(got)
        self.world.wait(both, 10, "both subscriptions to arrive")
        self.events(1000)
        last = self.last()

        def upto(frames):
            return wire.decode(frames[-1][1], {"B2M"})[2]["next_since"] > last
        for m, frames in zip(monitors, got):
            while not upto(frames):
                self.assertTrue(m.socket.poll(10000))
                frames.append(m.socket.recv_multipart())
        first = got[0].index(got[1][0]) if got[1][0] in got[0] else 0
        second = got[1].index(got[0][first])
        self.assertGreaterEqual(len(got[0]) - first, 2)
        self.assertEqual(got[0][first:], got[1][second:])

    def follow(self, name, *args):
        return self.world.spawn("--json", "events", "--follow", *args, name=name)

    def followed(self, daemon):
        """The sequences it has printed; only whole lines."""
        with open(daemon.log_path) as f:
            lines = f.read().split("\n")[:-1]
        return [json.loads(line)["seq"] for line in lines if line.startswith("{")]

    def test_a_follower_has_no_hole_and_no_repeat_though_the_broker_is_killed(self):
        self.begin()
        self.events(50)
        follower = self.follow("follower", "--since", "1")
        for round in range(3):
            self.events(200)
            if round == 1:
                self.world.wait(lambda: self.followed(follower), 10, "the follower to begin")
            self.broker.kill()
            self.broker.start()
        self.events(50)
        last = self.last()
        self.world.wait(lambda: (self.followed(follower) or [0])[-1] >= last, 20, "the follower to come up")
        self.assertEqual(self.followed(follower)[:last], list(range(1, last + 1)))

    def test_a_frozen_follower_costs_no_time_and_bounded_memory_and_misses_nothing(self):
        self.begin()
        follower, lively = self.follow("frozen", "--since", "1"), self.follow("lively", "--since", "1")
        self.world.wait(lambda: self.followed(follower) and self.followed(lively), 10, "the followers to begin")
        self.subscriptions(1)
        self.large_events(2)
        begin = time.monotonic()
        self.large_events(10)
        alone = time.monotonic() - begin
        before = self.broker.rss_bytes()
        follower.signal(signal.SIGSTOP)
        try:
            begin, sent = time.monotonic(), self.figure("published_bytes_total")
            self.large_events(40)
            took = time.monotonic() - begin
            last = self.last()
            self.world.wait(lambda: self.followed(lively)[-1] >= last, 60, "the lively one to see it all")
            self.assertGreater(self.figure("published_bytes_total") - sent, 60 << 20)
            self.assertLess(self.broker.rss_bytes() - before, 40 << 20)
        finally:
            follower.signal(signal.SIGCONT)
        self.assertLess(took, 4 * alone * 2 + 2, "four times the work; the machine may be busy")
        self.world.wait(lambda: self.followed(follower)[-1] >= last, 60, "the frozen one to catch up")
        for f in (follower, lively):
            self.assertEqual(self.followed(f)[:last], list(range(1, last + 1)))

    def test_what_is_no_longer_kept_is_refused_with_the_oldest_that_is(self):
        self.begin("event_keep: 1000\n")
        self.events(4000)
        last = self.last()
        with self.assertRaises(wire.SunlineError) as refused:
            self.client.request("events_get", since=1)
        self.assertEqual(refused.exception.code, "GONE")
        oldest = self.client.request("stats_get")["figures"]["event_oldest_seq"]
        self.assertIn(str(oldest), refused.exception.text)
        self.assertTrue(last - 1100 <= oldest <= last - 999, (oldest, last))
        page = self.client.request("events_get", since=oldest)
        self.assertEqual(page["events"][0]["seq"], oldest)
        self.assertEqual(self.client.request("events_get", since=0)["events"][0]["seq"], oldest)
        with self.assertRaises(wire.SunlineError):
            self.client.request("events_get", since=oldest - 1)
        done = self.world.sunline("events", "--since", "1", status=1)
        self.assertIn(str(oldest), done.err)

    def test_what_the_store_does_not_know_yet_is_refused_too(self):
        self.begin()
        last = self.last()
        self.assertEqual(self.client.request("events_get", since=last + 1)["events"], [])
        with self.assertRaises(wire.SunlineError) as refused:  # who asks so has seen what this store, an old backup, has lost
            self.client.request("events_get", since=last + 2)
        self.assertEqual(refused.exception.code, "GONE")
        self.assertIn(str(last), refused.exception.text)
        self.assertIn("GONE", self.world.sunline("events", "--since", last + 100, status=1).err)

    def test_a_listing_that_a_frozen_broker_cuts_short_is_no_success(self):
        self.begin()
        self.large_events(2)
        last = self.last()
        self.client.close()
        for thaw in (False, True):
            read, write = os.pipe()
            child = subprocess.Popen([harness.program("sunline"), "--timeout", "60" if thaw else "1", "events"], stdout=write, stderr=subprocess.PIPE,
                                     text=True, env=self.world.env())
            os.close(write)
            with open(read) as out:
                out.readline()  # it has begun, and can only go on as we read
                self.broker.signal(signal.SIGSTOP)
                if thaw:
                    threading.Timer(3, self.broker.signal, [signal.SIGCONT]).start()
                lines = 1 + sum(1 for _ in out)
            self.broker.signal(signal.SIGCONT)
            _, err = child.communicate(timeout=60)
            if thaw:
                self.assertEqual((child.returncode, lines >= last, err), (0, True, ""))
            else:
                self.assertEqual(child.returncode, 1, "%d lines" % lines)
                self.assertLess(lines, last)

    def test_the_error_names_the_oldest_in_a_field_of_its_own(self):
        self.begin("event_keep: 1000\n")
        self.events(3000)
        request = self.client.send("events_get", since=1)
        self.client.until(lambda: request in self.client.replies, 10, "the refusal")
        name, fields = self.client.replies.pop(request)
        self.assertEqual((name, fields["oldest"]), ("error", self.client.request("stats_get")["figures"]["event_oldest_seq"]))


if __name__ == "__main__":
    import unittest
    unittest.main()
