"""sunlined as a process: how it starts, is stopped, killed, frozen, lied to and flooded."""
import os
import random
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import urllib.request

import msgpack
import zmq

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402
from one_broker import LINE, Process  # noqa: E402

FRAME_BYTES_MAX = 262144
STUCK_BYTES_MAX = 64 << 20  # broker/connections.h: then a connection without a whole message is cut


class Starting(Process):
    def test_an_endpoint_that_others_could_reach_is_refused_by_name(self):
        for endpoint in ("tcp://0.0.0.0:7710", "tcp://*:7710", "tcp://192.0.2.1:7710", "tcp://example.org:1", "udp://127.0.0.1:1"):
            for option in ("--clients", "--agents", "--events"):
                status, said = self.sunlined("--data", "d", option, endpoint)
                self.assertEqual(status, 1, said)
                self.assertIn(endpoint, said)
                self.assertIn(option, said)
        self.assertFalse(os.path.exists(self.world.path("d")))

    def test_mistakes_of_the_configuration_are_named_all_at_once(self):
        path = self.world.write("broker.yml", "data: d\nagnets: tcp://127.0.0.1:*\ngrace: soon\n")
        status, said = self.sunlined("--config", path)
        self.assertEqual(status, 1)
        self.assertIn(path + ":2:1: unknown key 'agnets', did you mean 'agents'?", said)
        self.assertIn(path + ":3:8: 'grace' must be a time", said)
        self.assertEqual(self.sunlined("--config", path, "--check"), (status, said))

    def test_the_example_configuration_has_no_mistakes(self):
        self.assertEqual(self.sunlined("--check", "--config", os.path.join(TOP, "deploy/examples/sunlined.yml")), (0, ""))

    def test_usage(self):
        for args in (["--colour"], ["data"], ["--ready-fd", "x"], ["--set", "x"], ["--data"]):
            self.assertEqual(self.sunlined(*args)[0], 2, args)
        self.assertEqual(self.sunlined("--set", "colour=blue")[0], 1)
        self.assertEqual(self.sunlined("--help")[0], 0)
        self.assertEqual(self.sunlined()[0], 1)  # no data folder

    def test_a_second_broker_on_the_same_data_is_refused(self):
        broker = self.world.broker()
        status, said = self.sunlined("--data", broker.data, "--clients", harness.LOOPBACK, "--agents", harness.LOOPBACK,
                                     "--events", harness.LOOPBACK)
        self.assertEqual(status, 1)
        self.assertIn("event=store_locked", said)
        self.assertIn(broker.data, said)
        self.client(broker).request("info_get")  # the first one noticed nothing
        self.assertEqual(harness.read_endpoints(os.path.join(broker.data, "endpoints")), broker.endpoints)

    def test_a_port_in_use_is_named(self):
        broker = self.world.broker()
        status, said = self.sunlined("--data", "other", "--clients", broker.endpoints["clients"], "--agents", harness.LOOPBACK,
                                     "--events", harness.LOOPBACK)
        self.assertEqual(status, 1)
        self.assertIn(broker.endpoints["clients"], said)

    def test_who_starts_it_hears_when_it_is_ready(self):
        read, write = os.pipe()
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(self.world.path("notify"))
        manager.settimeout(10)
        self.addCleanup(manager.close)
        broker = self.world.broker(args=["--ready-fd", str(write)], start=False)
        popen = subprocess.Popen
        try:
            subprocess.Popen = lambda *a, **k: popen(*a, pass_fds=[write], **k)
            broker.env = {"NOTIFY_SOCKET": self.world.path("notify")}
            broker.start()
        finally:
            subprocess.Popen = popen
        os.close(write)
        with os.fdopen(read) as ready:
            self.assertEqual(ready.read().split(), [broker.endpoints[k] for k in ("clients", "agents", "events")])
        self.assertEqual(manager.recv(100), b"READY=1")
        self.assertEqual(broker.stop(), 0)
        self.assertEqual(manager.recv(100), b"STOPPING=1")

    def test_over_ipc(self):
        broker = self.world.broker(start=False)
        for kind in ("clients", "agents", "events"):
            broker.argv[broker.argv.index("--" + kind) + 1] = "ipc://" + self.world.path(kind)
        broker.start()
        self.assertEqual(os.stat(self.world.path("clients")).st_mode & 0o077, 0)  # its user's alone
        self.client(broker).request("info_get")

    def test_over_the_loopback_of_the_newer_internet(self):
        with socket.socket(socket.AF_INET6) as s:
            try:
                s.bind(("::1", 0))
            except OSError:
                self.skipTest("this machine has no [::1]")
            port = s.getsockname()[1]
        broker = self.world.broker(config="http: tcp://[::1]:*\n", start=False)
        for kind in ("clients", "agents", "events"):
            broker.argv[broker.argv.index("--" + kind) + 1] = "tcp://[::1]:*"
        broker.start()
        self.world.sunline("line", "apply", self.world.write("echo.yml", """line: echo
input: [{name: text, type: text}]
stations:
  - name: say
    type: work
    form: {title: Echo, fields: [{name: loud, type: short_answer}]}
"""))
        self.world.sunline("events")
        agent = self.world.agent("nairobi", "hub: nairobi\nzone: Africa/Nairobi\nbroker: {agents}\ndata: {data}\nlocal: tcp://[::1]:%d\nworkers:\n  - {id: ann}\n" % port)
        self.world.wait(lambda: self.world.sunline("--json", "worker", "list").json_lines(), 20, "the agent to be there")
        self.world.sunline("work", "--hub", "tcp://[::1]:%d" % port, "--worker", "ann", "--once", timeout_s=20)
        self.assertTrue(agent.running())
        with open(os.path.join(broker.data, "endpoints"), encoding="utf-8") as f:
            at = re.search(r"^http=(\S+)$", f.read(), re.M)[1]
        with urllib.request.urlopen(at + "/healthz", timeout=10) as answer:
            self.assertEqual(answer.read(), b"ok\n")


class Stopping(Process):
    def given(self, broker):
        """A row, and the agent who has it: his to begin."""
        client, run = self.start_run(broker)
        client.request("put", run_id=run, rows=[["a"]])
        agent = self.agent(broker)
        agent.credit({"ann": 1})
        return client, run, agent, agent.assignments(1)[0]

    def begun(self, broker):
        client, run, agent, task = self.given(broker)
        self.assertEqual(agent.start(task), "OK")
        return client, run, agent, task

    def hang(self, client, run, held):
        """A sync hangs from here on, and rows wait behind it: what was asked for."""
        open(held, "w").close()
        puts = [client.send("put", run_id=run, rows=[["b"]])]
        self.world.wait(lambda: os.path.exists(held + ".at"), 10, "a sync to be held up")
        puts += [client.send("put", run_id=run, rows=[["c"]]) for _ in range(3)]
        client.pump(0.2)
        return puts

    def test_what_was_received_is_answered_before_it_ends(self):
        broker = self.world.broker()
        client, run = self.start_run(broker)
        agent = self.agent(broker)
        ids = [client.send("put", run_id=run, rows=[["u%d" % i]]) for i in range(3000)]
        client.reply(ids[0])
        self.assertEqual(broker.stop(), 0)
        self.assertFalse(os.path.exists(os.path.join(broker.data, "endpoints")))
        agent.until(lambda: 1 in agent.controls, 10, "the word that the broker stops")
        while client.pump(0.2):
            pass
        answered = {"u0"} | {"u%d" % ids.index(i) for i in client.replies}
        broker.start()
        there = self.units(self.client(broker))
        self.assertEqual(len(set(there)), len(there))
        self.assertLessEqual(answered, set(there))
        # The socket sends again what was not received, and the broker takes it: then each is there once or, resent unanswered, twice;
        # what matters here: none that was answered is missing.

    def test_a_log_level_is_taken_over_and_the_rest_waits(self):
        broker = self.world.broker(config="log: info\n")
        self.world.write("broker.yml", "log: debug\nbatch_items: 17\nmap_bytes: 1GiB\n")
        broker.signal(signal.SIGHUP)
        broker.wait_log(r'event=configuration key=log change="taken over"')
        broker.wait_log(r'event=configuration key=batch_items change="taken over"')
        broker.wait_log(r'event=configuration key=map_bytes change="waits for a restart"')
        self.world.write("broker.yml", "log: loud\n")
        broker.signal(signal.SIGHUP)
        broker.wait_log(r"event=reload_failed")
        self.client(broker).request("info_get")

    def test_killed_at_any_moment_it_keeps_what_it_acknowledged(self):
        rng = random.Random(7)
        broker = self.world.broker()
        client, run = self.start_run(broker)
        acknowledged, attempted = [], set()
        for life in range(6):
            client = self.client(broker)
            waiting = {}
            enough = len(acknowledged) + rng.randrange(1, 400)
            n = 0
            while len(acknowledged) < enough:
                if len(waiting) < 64:
                    text = "life%d-%d" % (life, n)
                    n += 1
                    attempted.add(text)
                    waiting[client.send("put", run_id=run, rows=[[text]])] = text
                    continue
                client.pump(10)
                for request_id in [i for i in waiting if i in client.replies]:
                    name, reply = client.replies.pop(request_id)
                    self.assertEqual((name, reply["accepted"]), ("put_done", 1))
                    acknowledged.append(waiting.pop(request_id))
            broker.kill()
            client.socket.setsockopt(zmq.LINGER, 0)
            client.close()  # or it would go on sending to the next life
            broker.start()
        there = self.units(self.client(broker))
        self.assertEqual(len(set(there)), len(there))
        self.assertLessEqual(set(acknowledged), set(there))
        self.assertLessEqual(set(there), attempted)
        events = self.client(broker)
        since, seqs = 1, []
        while True:
            page = events.request("events_get", since=since)
            seqs += [e["seq"] for e in page["events"]]
            if not page.get("more"):
                break
            since = page["next_since"]
        self.assertEqual(seqs, list(range(1, len(seqs) + 1)))  # gapless over all lives

    def test_a_frozen_broker_takes_what_waited_before_anything_expires(self):
        broker = self.world.broker()
        client, run, agent, task = self.begun(broker)
        broker.signal(signal.SIGSTOP)
        done = agent.send("submit", session=agent.session, results=[agent.result(task, ["A"])])
        lease_over = time.monotonic() + 2.5
        self.world.wait(lambda: time.monotonic() > lease_over, 10, "the lease of 2 s to run out")
        broker.signal(signal.SIGCONT)
        self.assertEqual(agent.outcomes(agent.reply(done)[1]), {"ok": 1, "outcomes": []})
        broker.wait_log("event=gap")
        story = client.request("unit_get", run="r", unit=1)["story"]
        self.assertNotIn("expire", repr(story))

    def test_a_disk_that_holds_up_a_tick_expires_nothing_that_was_handed_in_meanwhile(self):
        held = self.world.path("held")
        broker = self.slow_broker(SLOW_ROOM=held)
        client, run, agent, task = self.begun(broker)
        lease_over = time.monotonic() + 2
        client.request("put", run_id=run, rows=[["b"]], delay_us=400000)  # the next tick is for it
        open(held, "w").close()
        self.world.wait(lambda: os.path.exists(held + ".at"), 10, "a batch to be held up before it begins")
        done = agent.send("submit", session=agent.session, results=[agent.result(task, ["A"])])
        agent.pump(0)
        self.assertLess(time.monotonic(), lease_over, "this machine is too slow")
        self.world.wait(lambda: time.monotonic() > lease_over + 0.2, 10, "the lease of 2 s to run out")
        os.unlink(held)
        self.assertEqual(agent.outcomes(agent.reply(done)[1]), {"ok": 1, "outcomes": []})
        self.assertEqual(client.request("stats_get")["figures"]["expired_total"], 0)

    def test_a_sync_that_hangs_expires_nothing_that_waits_behind_a_full_inbox(self):
        held = self.world.path("held")
        broker = self.slow_broker("batch_items: 1\n", SLOW_SYNC=held)  # an inbox of one
        client, run, agent, task = self.begun(broker)
        lease_over = time.monotonic() + 2
        self.hang(client, run, held)
        done = agent.send("submit", session=agent.session, results=[agent.result(task, ["A"])])
        agent.pump(0)
        self.assertLess(time.monotonic(), lease_over, "this machine is too slow")
        over = max(lease_over, time.monotonic() + 1.3) + 0.2  # what is shorter is not made up for
        self.world.wait(lambda: time.monotonic() > over, 10, "the lease of 2 s to run out")
        os.unlink(held)
        self.assertEqual(agent.outcomes(agent.reply(done)[1]), {"ok": 1, "outcomes": []})
        self.assertEqual(client.request("stats_get")["figures"]["expired_total"], 0)

    def test_a_second_sync_that_hangs_expires_nothing_either(self):
        """Though no tick was due between the two."""
        held = self.world.path("held")
        broker = self.slow_broker("batch_items: 1\n", SLOW_SYNC=held)  # an inbox of one
        first_tick = time.monotonic() + 1.5  # a start's; the next one is for the lease
        client, run, agent, task = self.given(broker)
        self.world.wait(lambda: time.monotonic() > first_tick, 10, "the first tick to be over")
        for hang in range(2):
            if hang:
                self.assertEqual(agent.start(task), "OK")
            puts = self.hang(client, run, held)
            over = time.monotonic() + 2.2  # the lease of 2 s, too
            if hang:
                done = agent.send("submit", session=agent.session, results=[agent.result(task, ["A"])])
                agent.pump(0)
            self.world.wait(lambda: time.monotonic() > over, 10, "the sync to have hung for long")
            os.unlink(held)
            for put in puts:
                client.reply(put)
            agent.pump(0.5)  # ticks are held no more when nothing comes
        self.assertEqual(agent.outcomes(agent.reply(done)[1]), {"ok": 1, "outcomes": []})
        self.assertEqual(client.request("stats_get")["figures"]["expired_total"], 0)

    def test_a_crowd_that_never_ends_stops_no_clock(self):
        broker = self.world.broker(config="batch_items: 1\n", start=False)  # an inbox of one is always full
        broker.env = {"LD_PRELOAD": harness.program("torture/slow.so"), "SLOW_US": "20000"}
        broker.start()
        client, run = self.start_run(broker)
        client.request("put", run_id=run, rows=[["a"]])
        agent = self.agent(broker)
        agent.credit({"ann": 1})
        self.assertEqual(agent.start(agent.assignments(1)[0]), "OK")
        crowd = [Load(self.client(broker), run) for _ in range(2)]
        try:
            self.world.wait(lambda: client.request("stats_get")["figures"]["expired_total"], 20, "the lease of 2 s to run out")
        finally:
            for load in crowd:
                load.stop()

    def test_nor_does_one_whose_every_batch_takes_long(self):
        slow = self.world.path("slow")
        broker = self.world.broker(config="batch_items: 1\n", start=False)
        broker.env = {"LD_PRELOAD": harness.program("torture/slow.so"), "SLOW_US": "1500000", "SLOW_WHILE": slow}
        broker.start()
        client, run = self.start_run(broker)
        client.request("put", run_id=run, rows=[["a"]])
        agent = self.agent(broker)
        agent.credit({"ann": 1})
        self.assertEqual(agent.start(agent.assignments(1)[0]), "OK")
        open(slow, "w").close()  # longer than what is made up for: it is, once
        for _ in range(60):  # two fit a batch that is applied beside another
            client.send("put", run_id=run, rows=[["b" * 2000]] * 100)
        client.pump(0)
        self.world.wait(lambda: self.client(broker).request("stats_get", timeout_s=30)["figures"]["expired_total"], 30, "the lease of 2 s to run out")
        os.unlink(slow)

    def test_when_a_write_fails_it_ends_without_a_lie(self):
        broker = self.world.broker(start=False)
        argv = list(broker.argv)
        broker.argv = ["prlimit", "--fsize=1200000:1200000", *argv, "--set", "wal_bytes=64KiB"]  # files may not grow beyond that: a disk that fails in the middle
        broker.start()
        client, run = self.start_run(broker)
        acknowledged, n = [], 0
        while broker.running():
            n += 1
            text = "u%d-" % n + "x" * 2000
            request_id = client.send("put", run_id=run, rows=[[text]])
            self.world.wait(lambda: client.pump(0) or not broker.running(), 20, "an answer or the end")
            if request_id in client.replies:
                self.assertEqual(client.replies.pop(request_id)[0], "put_done")
                acknowledged.append(text)
        self.assertEqual(broker.wait_end(), 70)
        self.assertIn("event=store_failed", broker.log())
        self.assertGreater(len(acknowledged), 10)
        client.socket.setsockopt(zmq.LINGER, 0)
        client.close()
        broker.argv = argv
        broker.start(same_ports=False)
        there = self.units(self.client(broker))
        self.assertEqual(there[:len(acknowledged)], acknowledged)
        self.assertLessEqual(len(there), len(acknowledged) + 1)  # the last one may be there or not


class Commits(Process):
    def commits(self, client):
        """So far; the asking is a commit of its own, which comes after the answer was made."""
        return client.request("stats_get")["figures"]["store_commits_total"]

    def lone_task(self, client, run, agent):
        """What commits it takes an idle broker: (from its enqueue until both its producer and its worker know, until its result is acknowledged)."""
        before = self.commits(client)
        client.request("put", run_id=run, rows=[["t"]])
        task = agent.assignments(1)[0]
        given = self.commits(client)
        self.assertEqual(agent.submit([agent.result(task, ["T"])])["outcomes"], [])
        return given - before - 1, self.commits(client) - given - 1

    def test_an_idle_brokers_task_costs_one_commit_and_its_result_another(self):
        broker = self.world.broker()
        client, run = self.start_run(broker)
        agent = self.agent(broker, capacity=100)
        agent.credit({"ann": 100})
        costs = [self.lone_task(client, run, agent) for _ in range(15)]
        self.assertEqual([statistics.median(c) for c in zip(*costs)], [1, 1], costs)  # a tick now and then may be one more
        idle = []
        for _ in range(3):  # and when it has long had nothing to do, and has settled its log
            until = time.monotonic() + 2
            self.world.wait(lambda: time.monotonic() > until, 10, "two seconds to pass")
            agent.heartbeat()
            idle.append(self.lone_task(client, run, agent))
        self.assertIn((1, 1), idle)


class Leading(Process):
    """Who serves the sockets: their own thread, or the committer, where one message comes at a time."""

    def quick_broker(self, sync_us=0):
        """One whose syncs take no time, or so long, or as long as self.held is there."""
        self.held = self.world.path("held")
        broker = self.world.broker(start=False)
        broker.env = {"LD_PRELOAD": harness.program("torture/slow.so"), "SLOW_SYNC": self.held, **({"SLOW_US": str(sync_us)} if sync_us else {})}
        return broker.start()

    def switches(self, broker):
        """How often the sockets' own thread has gone to sleep."""
        with open("/proc/%d/task/%d/status" % (broker.pid, broker.pid)) as f:
            return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M)[1])

    def until_the_committer_leads(self, broker, client, run):
        """Messages one at a time, each of which the sockets' thread sleeps through."""
        def slept_through():
            before = self.switches(broker)
            for _ in range(100):
                client.request("put", run_id=run, rows=[["lone"]])
            return self.switches(broker) - before < 50
        self.world.wait(slept_through, 60, "a hundred lone messages that the sockets' thread sleeps through")

    def test_messages_that_come_one_at_a_time_pass_through_one_thread(self):
        broker = self.quick_broker()
        client, run = self.start_run(broker)
        self.until_the_committer_leads(broker, client, run)
        self.assertEqual(broker.stop(), 0)  # whoever leads hears the signal

    def test_messages_of_one_who_answers_while_the_committer_hopes_for_him_pass_through_one_thread_too(self):
        broker = self.quick_broker(sync_us=1000)  # after such a commit it gathers for three quarters of as long
        client, run = self.start_run(broker)
        self.until_the_committer_leads(broker, client, run)

    def test_messages_that_come_together_are_received_by_the_sockets_own_thread(self):
        broker = self.quick_broker()
        client, run = self.start_run(broker)
        self.until_the_committer_leads(broker, client, run)
        before = self.switches(broker)
        for _ in range(20):
            for i in [client.send("put", run_id=run, rows=[["many"]]) for _ in range(200)]:
                client.reply(i)
        self.assertGreater(self.switches(broker) - before, 20)
        self.until_the_committer_leads(broker, client, run)  # and back

    def test_a_sync_that_takes_long_holds_up_nobody_who_needs_none(self):
        broker = self.quick_broker()
        client, run = self.start_run(broker)
        other = self.client(broker)
        self.until_the_committer_leads(broker, client, run)
        open(self.held, "w").close()
        put = client.send("put", run_id=run, rows=[["held up"]])
        for _ in range(100):  # the last of them come while it syncs
            other.request("info_get", timeout_s=5)
        client.pump(0)
        self.assertNotIn(put, client.replies)
        os.unlink(self.held)
        self.assertEqual(client.reply(put)[0], "put_done")

    def test_who_asks_what_needs_no_sync_is_answered_before_what_he_asked_first(self):
        broker = self.quick_broker()
        client, run = self.start_run(broker)
        open(self.held, "w").close()
        put = client.send("put", run_id=run, rows=[["held up"]])
        client.request("info_get", timeout_s=5)
        self.assertNotIn(put, client.replies)
        os.unlink(self.held)
        self.assertEqual(client.reply(put)[0], "put_done")

    def test_who_reads_does_not_wait_for_the_next_message(self):
        broker = self.quick_broker()
        client, run = self.start_run(broker)
        self.until_the_committer_leads(broker, client, run)
        times = []
        for _ in range(20):  # a read waits until the log is settled, which a committer at the sockets must hear of
            client.request("put", run_id=run, rows=[["lone"]])
            for _ in range(20):  # until it has been quiet
                client.request("info_get")
            begun = time.monotonic()
            client.request("output_get", run="r", after_unit=0, all_units=True)
            times.append(time.monotonic() - begun)
        self.assertLess(statistics.median(times), 0.03, times)  # it waits there for a message, or 0.1 s


class Load(threading.Thread):
    """A producer that has always ten frames under way, so that some have always come when a commit ends."""

    def __init__(self, client, run):
        super().__init__()
        self.client, self.run_id, self.over = client, run, False
        self.start()

    def run(self):
        waiting = set()
        while not self.over:
            waiting -= self.client.replies.keys()
            self.client.replies.clear()
            waiting |= {self.client.send("put", run_id=self.run_id, rows=[["load"]] * 100) for _ in range(10 - len(waiting))}
            self.client.pump(0.01)

    def stop(self):
        self.over = True
        self.join()


class Beside(Process):
    """Batches that are applied while the one before them is synced."""

    def setUp(self):
        super().setUp()
        self.held, self.fails = self.world.path("held"), self.world.path("fails")
        self.broker = self.world.broker(start=False)
        self.broker.env = {"LD_PRELOAD": harness.program("torture/slow.so"), "SLOW_SYNC": self.held, "FAIL_SYNC": self.fails}
        self.broker.start()
        self.one, self.run = self.start_run(self.broker)

    def beside(self):
        return self.one.request("stats_get")["figures"]["commit_beside_us_total"]

    def who_is_held_up(self):
        try:
            with open(self.held + ".at") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def held_up_beside(self):
        """A sync is held up of which the committer does not wait for the end; else it is let go."""
        open(self.held, "w").close()
        if self.world.wait(self.who_is_held_up, 60, "a sync that is held up") == "log":
            return True
        os.unlink(self.held)
        self.world.wait(lambda: not self.who_is_held_up(), 60, "the end of a sync")
        return False

    def hold_up(self):
        """A sync under load that has batches beside each other, and thirty puts that come meanwhile: their ids."""
        load = Load(self.client(self.broker), self.run)
        self.addCleanup(load.stop)
        self.world.wait(self.held_up_beside, 60, "a sync beside which the next batch is applied")
        meanwhile = [self.one.send("put", run_id=self.run, rows=[["meanwhile"]]) for _ in range(30)]
        self.one.request("info_get")  # by the sockets' thread, which does not wait for the disk: those before it have come
        load.stop()
        return meanwhile

    def answered(self, ids):
        self.one.pump(0.1)
        return [i for i in ids if i in self.one.replies]

    def test_what_comes_while_a_batch_is_synced_is_applied_together_and_answered_after_the_sync(self):
        def applied():
            beside = self.beside()
            meanwhile = self.hold_up()
            self.assertEqual(self.answered(meanwhile), [])
            os.unlink(self.held)
            self.assertEqual({self.one.reply(i)[0] for i in meanwhile}, {"put_done"})
            self.assertGreaterEqual(self.one.request("stats_get")["figures"]["batch_messages_max"], len(meanwhile))
            return self.beside() > beside
        self.world.wait(applied, 60, "a batch that was applied while another was synced")

    def test_a_sync_that_fails_answers_neither_its_batch_nor_what_was_applied_meanwhile(self):
        meanwhile = self.hold_up()
        open(self.fails, "w").close()
        os.unlink(self.held)
        self.assertEqual(self.broker.wait_end(), 70)
        self.assertEqual(self.answered(meanwhile), [])
        os.unlink(self.fails)
        self.broker.start()
        self.assertNotIn("meanwhile", self.units(self.client(self.broker)))

    def test_a_stop_waits_for_the_batch_that_is_synced_and_answers_what_came_meanwhile(self):
        meanwhile = self.hold_up()
        self.broker.signal(signal.SIGTERM)
        self.assertEqual(self.answered(meanwhile), [])
        os.unlink(self.held)
        self.assertEqual(self.broker.wait_end(), 0)
        self.assertEqual({self.one.reply(i)[0] for i in meanwhile}, {"put_done"})


class BadPeers(Process):
    """Whatever a peer sends, the broker answers everybody else."""

    def setUp(self):
        super().setUp()
        self.broker = self.world.broker()
        self.good, self.run = self.start_run(self.broker)

    def alive(self):
        self.good.request("info_get")
        self.assertTrue(self.broker.running())

    def refusal(self, peer, body):
        """Send a body; the broker's answer must be a typed error. Its code's name."""
        peer.send_raw(body)
        frames = peer.socket.recv_multipart() if peer.socket.poll(10000) else self.fail("no answer to %r" % body[:80])
        name, _, fields = wire.decode(frames[0], {"B2C", "B2A"})
        self.assertEqual(name, "error", body[:80])
        return wire.CATALOGUE.errors[fields["code"]]

    def test_every_kind_of_malformed_frame_is_refused_with_its_code(self):
        p = msgpack.packb
        body = lambda number, **more: {0: 1, 1: number, 2: 9, **{int(k[1:]): v for k, v in more.items()}}  # noqa: E731
        cases = [
            (b"", "MALFORMED"), (b"\xc1", "MALFORMED"), (b"hello", "MALFORMED"), (p([]), "MALFORMED"), (p({}), None),
            (p(body(10)) + b"\x00", "MALFORMED"), (p(body(10))[:-1], "MALFORMED"),
            (b"\xdf\xff\xff\xff\xff", None), (b"\x84" + p(0) + p(1) + p(1) + p(40) + p(4) + p(1) + p(6) + b"\xdd\xff\xff\xff\xff", None),
            (b"\x83" + p(0) + p(1) + p(1) + p(20) + p(4) + b"\x91" * 10000, None),
            (p({0: 99, 1: 10, 2: 1}), "BAD_VERSION"), (p(body(12345)), "UNKNOWN_MESSAGE"), (p(body(11)), "UNKNOWN_MESSAGE"),
            (p(body(114, _4=1, _5=0, _6=0, _7=0)), "UNKNOWN_MESSAGE"), (p(body(40)), "MISSING_FIELD"),
            (p(body(40, _4="x", _6=[])), "BAD_TYPE"), (p(body(36, _4="bad name")), "BAD_NAME"),
            (b"\x84" + p(0) + p(1) + p(1) + p(10) + p(2) + p(1) + p(2) + p(1), "DUPLICATE_KEY"),
            (p(body(40, _4=1, _6=[["x"]] * 4097)), "TOO_MANY"), (p(body(30, _4="a", _5="b", _6=10)), "BAD_VALUE"),
        ]
        peer = self.client(self.broker)
        for frame, code in cases:
            got = self.refusal(peer, frame)
            if code:
                self.assertEqual(got, code, frame[:60])
            self.alive()

    def test_a_key_that_comes_again_with_other_bytes_is_refused_and_logged(self):
        self.good.request("put", run_id=self.run, rows=[["a"]], keys=["order 7"])
        self.assertEqual(self.good.request("put", run_id=self.run, rows=[["a"]], keys=["order 7"])["duplicates"], 1)
        answer = self.good.request("put", run_id=self.run, rows=[["b"], ["x"]], keys=["order 8", "order 7"])
        self.assertEqual([(i["index"], wire.CATALOGUE.errors[i["code"]]) for i in answer["items"]], [(1, "KEY_REUSED")])
        self.broker.wait_log(r'warn event=key_reused run=r place=rows\[1\] key="order 7" times=1 suppressed=0')
        self.good.request("put", run_id=self.run, rows=[["c"]], producer=b"p" * 16, epoch=1, first_seq=1)
        with self.assertRaises(wire.SunlineError) as refused:
            self.good.request("put", run_id=self.run, rows=[["d"]], producer=b"p" * 16, epoch=1, first_seq=1)
        self.assertEqual(refused.exception.code, "KEY_REUSED")
        self.broker.wait_log("event=key_reused run=r place=rows times=1")
        self.assertEqual(len(re.findall("event=key_reused", self.broker.log())), 2)
        self.assertEqual(self.units(self.good), ["a", "b", "c"])

    def test_random_damage_to_real_messages_ends_nothing(self):
        rng = random.Random(20261123)
        real = [wire.encode("put", 5, run_id=self.run, rows=[["text"], ["more"]], columns=["text"]),
                wire.encode("line_apply", 6, definition=LINE), wire.encode("events_get", 7, since=1, stream="run/r"),
                wire.encode("output_get", 8, run="r", limit=5), wire.encode("runs_get", 9)]
        to_agents = [wire.encode("hello", 1, hub="h", incarnation=1, data_id=bytes(16), zone="UTC", roster_digest=bytes(32), held=[1, 2], wall_us=1),
                     wire.encode("submit", 2, session=1, results=[{"assignment": 1, "worker": 1, "values": ["x"]}]),
                     wire.encode("acts", 3, session=1, acts=[{"act": 0, "assignment": 1, "worker": 1}])]
        for kind, bodies in (("clients", real), ("agents", to_agents)):
            peer = self.client(self.broker, kind)
            for _ in range(1500):
                damaged = bytearray(rng.choice(bodies))
                for _ in range(rng.randrange(1, 6)):
                    what = rng.randrange(4)
                    at = rng.randrange(len(damaged) + 1)
                    if what == 0:
                        damaged[at:at + 1] = bytes([rng.randrange(256)])
                    elif what == 1:
                        del damaged[at:at + rng.randrange(1, 9)]
                    elif what == 2:
                        damaged[at:at] = rng.randbytes(rng.randrange(1, 9))
                    else:
                        damaged = damaged[:at]
                peer.send_raw(bytes(damaged))
                while peer.socket.poll(0):
                    peer.socket.recv_multipart()
            self.alive()

    def test_several_frames_are_refused_and_a_frame_too_large_ends_only_its_connection(self):
        peer = self.client(self.broker)
        peer.send_raw(b"", wire.encode("info_get", 1))
        self.assertTrue(peer.socket.poll(10000))
        self.assertEqual(wire.decode(peer.socket.recv_multipart()[0], {"B2C"})[0], "error")
        peer.send_raw(*[b"x"] * 5000)
        self.assertTrue(peer.socket.poll(10000))
        self.assertEqual(self.client(self.broker).request("stats_get")["figures"]["refused_total"], 2)
        hostile = self.client(self.broker)
        events = hostile.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        hostile.send_raw(bytes(FRAME_BYTES_MAX + 1))
        self.assertTrue(events.poll(10000), "the connection to be closed")
        hostile.socket.disable_monitor()
        events.close()
        hostile.socket.setsockopt(zmq.LINGER, 0)
        self.alive()

    def test_what_is_no_zeromq_at_all_ends_only_its_connection(self):
        host, port = re.match(r"tcp://([\d.]+):(\d+)", self.broker.endpoints["clients"]).groups()
        greeting = bytes.fromhex("ff00000000000000017f0300") + b"NULL".ljust(20, b"\0") + bytes(32)
        for garbage in (b"GET / HTTP/1.1\r\n\r\n" * 100, os.urandom(65536), b"", greeting + os.urandom(4096), greeting + b"\x06" + b"\xff" * 8):
            with socket.create_connection((host, int(port)), timeout=10) as raw:
                try:
                    raw.sendall(garbage)
                except OSError:
                    pass  # it has hung up already
        self.alive()

    def test_an_endless_multipart_message_ends_its_connection_and_memory_stays(self):
        host, port = re.match(r"tcp://([\d.]+):(\d+)", self.broker.endpoints["agents"]).groups()
        greeting = bytes.fromhex("ff00000000000000017f0300") + b"NULL".ljust(20, b"\0") + bytes(32)
        ready = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
        part = b"\x03" + struct.pack(">Q", 65536) + bytes(65536)  # a long frame, and more will follow
        before = self.broker.rss_bytes()
        peak = self.broker.forget_peak()
        with socket.create_connection((host, int(port)), timeout=5) as raw:
            raw.sendall(greeting + b"\x04" + bytes([len(ready)]) + ready)
            answer = b""
            while b"READY" not in answer:
                answer += raw.recv(4096)
            deadline = time.monotonic() + 30
            try:
                while time.monotonic() < deadline:
                    raw.sendall(part)
                self.fail("it was never cut off")
            except OSError:
                pass  # a reset; or silence, since a kernel may keep to itself that nobody reads any more
        came = int(self.broker.wait_log(r"event=connection_cut .*\bbytes=(\d+)")[1])
        self.assertGreaterEqual(came, STUCK_BYTES_MAX)
        self.assertLess(self.broker.peak_bytes() - peak, came + (64 << 20))  # what came by then, and what one look takes
        self.world.wait(lambda: self.broker.rss_bytes() < before + (32 << 20), 10, "memory to come back")
        self.alive()

    def test_a_peer_that_does_not_read_slows_nobody_and_costs_little(self):
        for i in range(20):
            self.good.request("put", run_id=self.run, rows=[["x" * 10000]] * 20)
        lazy = self.client(self.broker)
        lazy.socket.setsockopt(zmq.RCVHWM, 1)
        lazy.socket.setsockopt(zmq.RCVBUF, 4096)
        lazy.close()
        lazy = zmq.Context.instance().socket(zmq.DEALER)
        self.addCleanup(lazy.close)
        lazy.setsockopt(zmq.RCVHWM, 1)
        lazy.setsockopt(zmq.RCVBUF, 4096)
        lazy.setsockopt(zmq.LINGER, 0)
        lazy.connect(self.broker.endpoints["clients"])
        ask = wire.encode("output_get", 1, run="r", all_units=True)
        before = self.broker.rss_bytes()
        sent = 0

        def dropped():
            nonlocal sent
            for _ in range(50):
                if sent < 2000 and lazy.poll(0, zmq.POLLOUT):
                    lazy.send(ask)
                    sent += 1
            return self.good.request("stats_get")["figures"]["dropped_slow_total"]
        self.world.wait(dropped, 60, "answers that are dropped")
        self.assertLess(self.broker.rss_bytes() - before, 64 << 20)
        self.assertGreater(self.good.request("put", run_id=self.run, rows=[["y"]])["accepted"], 0)
        self.broker.wait_log("event=dropped")


class Crowds(Process):
    def test_connections_beyond_the_limit_end_and_those_before_them_go_on(self):
        broker = self.world.broker(start=False)
        broker.argv = ["prlimit", "--nofile=160:160", *broker.argv]  # twenty a side
        broker.start()
        client, run = self.start_run(broker)
        host, port = re.match(r"tcp://([\d.]+):(\d+)", broker.endpoints["clients"]).groups()
        crowd = []
        try:
            for _ in range(300):
                crowd.append(socket.create_connection((host, int(port)), timeout=10))
            broker.wait_log('event=connection_cut side=clients why="too many connections"')
            for i in range(50):
                client.request("put", run_id=run, rows=[["u%d" % i]])
            self.world.wait(lambda: client.request("stats_get")["figures"]["connections"] <= 20, 10, "the others to be gone")
        finally:
            for raw in crowd:
                raw.close()
        self.world.wait(lambda: client.request("stats_get")["figures"]["connections"] == 1, 15, "room")
        self.client(broker).request("info_get")  # and newcomers are served again


class Serving(Process):
    def test_the_figures_are_those_of_the_manual(self):
        broker = self.world.broker()
        client, run = self.start_run(broker)
        client.request("put", run_id=run, rows=[["a"]] * 10)
        figures = client.request("stats_get")["figures"]
        with open(os.path.join(TOP, "docs/operating.md")) as f:
            section = f.read().split("## Figures")[1].split("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        named = {name for row in rows for name in re.findall(r"`([a-z_*0-9]+)`", row.split("|")[1])}
        families = {name[:-1] for name in named if name.endswith("*")}
        plain = {name for name in named if not name.endswith("*")}
        single = {k for k in figures if not any(k.startswith(f) for f in families)}
        self.assertEqual(single, plain)
        for family in families:
            self.assertLessEqual({family + s for s in ("p50", "p99", "max", "total", "count")}, set(figures))
        self.assertGreater(figures["messages_in_total"], 3)
        self.assertGreater(figures["commit_us_max"], 0)
        self.assertEqual(figures["peers_clients"], 1)

    def test_a_backup_is_made_while_work_goes_on_and_serves(self):
        broker = self.world.broker()
        client, run = self.start_run(broker)
        client.request("put", run_id=run, rows=[["u%d" % i] for i in range(1000)])
        path = self.world.path("copy")
        backup = client.send("backup", path=path)
        during = [client.send("put", run_id=run, rows=[["v%d" % i]]) for i in range(100)]
        self.assertEqual(client.reply(backup)[0], "done")
        for i in during:
            client.reply(i)
        for bad in (path, "relative", "/nonexistent/folder/x", "/bad\0path"):
            with self.assertRaises(wire.SunlineError) as caught:
                client.request("backup", path=bad)
            self.assertEqual(caught.exception.code, "BAD_VALUE", bad)
        second = self.world.broker("second", start=False)
        os.rename(path, second.data)
        second.start()
        self.assertEqual(self.units(self.client(second))[:1000], ["u%d" % i for i in range(1000)])

    def test_events_reach_a_subscriber_without_a_gap(self):
        broker = self.world.broker()
        monitor = wire.Monitor(broker.endpoints["events"])
        self.addCleanup(monitor.close)
        client, run = self.start_run(broker)
        self.world.wait(lambda: client.request("stats_get")["figures"]["subscriptions"] == 1, 10, "the subscription")
        client.request("put", run_id=run, rows=[["first"]])
        _, frame = monitor.frame()
        seqs = [e["seq"] for e in frame["events"]]
        for i in range(300):
            client.request("put", run_id=run, rows=[["u%d" % i]])
        last = client.request("info_get")["event_seq"]
        while seqs[-1] < last:
            _, frame = monitor.frame()
            self.assertEqual(frame["prev_seq"], seqs[-1])
            seqs += [e["seq"] for e in frame["events"]]
        self.assertEqual(seqs, list(range(seqs[0], last + 1)))

    def test_an_idle_broker_tells_that_the_disk_is_full_and_has_room_again(self):
        full = self.world.path("full")
        broker = self.slow_broker(FULL_DISK=full)
        open(full, "w").close()
        broker.wait_log("event=store_full ", 10)
        os.unlink(full)
        broker.wait_log("event=store_has_room ", 10)

    def test_an_idle_broker_does_next_to_nothing(self):
        broker = self.world.broker()
        self.client(broker).request("info_get")

        def cpu_ticks():
            with open("/proc/%d/stat" % broker.pid) as f:
                fields = f.read().rpartition(")")[2].split()
            return int(fields[11]) + int(fields[12])
        before, until = cpu_ticks(), time.monotonic() + 2
        self.world.wait(lambda: time.monotonic() > until, 10, "two seconds to pass")
        self.assertLess(cpu_ticks() - before, 10)  # 0.1 s of 2

    def test_many_connections_are_served(self):
        broker = self.world.broker()
        peers = [self.client(broker) for _ in range(200)]
        ids = [p.send("info_get") for p in peers]
        for p, i in zip(peers, ids):
            self.assertEqual(p.reply(i)[0], "info")
        self.assertEqual(peers[0].request("stats_get")["figures"]["peers_clients"], 200)


if __name__ == "__main__":
    import unittest
    unittest.main()
