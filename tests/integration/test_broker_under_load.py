"""sunlined under load, and what befalls it then: a sync that fails, a backup that is asked for, a crowd that never greets."""
import os
import re
import resource
import socket
import sys
import threading
import time

import zmq

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402
from one_broker import Process  # noqa: E402

ALONE = False


class Peer(threading.Thread):
    """At work in a thread of its own until it is told to stop."""

    def __init__(self, peer):
        super().__init__()
        self.peer, self.over = peer, False

    def run(self):
        while not self.over:
            self.turn()

    def turn(self):
        raise NotImplementedError

    def stop(self):
        self.over = True
        self.join()


class Producer(Peer):
    """Units of different texts, ten frames under way. What it sent, and what was acknowledged."""

    def __init__(self, client, run, name):
        super().__init__(client)
        self.run_id, self.name_, self.waiting, self.sent, self.acknowledged = run, name, {}, set(), []
        self.start()

    def turn(self):
        while len(self.waiting) < 10:
            text = "%s-%d" % (self.name_, len(self.sent))
            self.sent.add(text)
            self.waiting[self.peer.send("put", run_id=self.run_id, rows=[[text]])] = text
        self.peer.pump(0.05)
        for i in [i for i in self.waiting if i in self.peer.replies]:
            name, reply = self.peer.replies.pop(i)
            text = self.waiting.pop(i)
            if name == "put_done" and reply["accepted"] == 1:
                self.acknowledged.append(text)


class Worker(Peer):
    """Does all that it is given, by its own word; what was acknowledged: [text, ...]. It holds ten at most."""

    def __init__(self, agent, word):
        super().__init__(agent)
        self.word, self.waiting, self.acknowledged = word, {}, []
        agent.credit({"ann": 10})
        self.start()

    def answer(self, task):
        return "%s by %s" % (task["fields"][0], self.word)

    def turn(self):
        a = self.peer
        a.pump(0.05)
        for task in a.pushed:
            grants = a.more_credit({"ann": 1})
            self.waiting[a.send("submit", session=a.session, results=[a.result(task, [self.answer(task)])], grants=grants)] = task
        a.pushed = []
        for i in [i for i in self.waiting if i in a.replies]:
            name, reply = a.replies.pop(i)
            task = self.waiting.pop(i)
            if name == "outcomes" and reply["ok"] == 1:
                self.acknowledged.append(task["fields"][0])


class UnderLoad(Process):
    def outputs(self, client, run="r"):
        """What every unit that is done came to: {text: answer}."""
        rows = self.output(client, run, "text", "say.loud")
        self.assertEqual(len({text for text, _ in rows}), len(rows))
        return dict(rows)

    def assert_sound(self, broker):
        """A broker that serves: neither its check nor its recount finds anything."""
        env = {"SUNLINE_BROKER": broker.endpoints["clients"]}
        self.assertRegex(self.world.sunline("check", env=env).out, r"(?m)^[\d,]+ records checked, 0 damaged")
        self.assertRegex(self.world.sunline("check", "--recount", env=env).out, r" 0 counters wrong, 0 runs not compared\n$")

    def verify(self, broker):
        self.assertEqual(self.sunlined("--verify", "--data", broker.data), (0, ""))

    def test_after_a_sync_that_failed_a_verification_and_a_whole_drain_find_all_that_was_acknowledged(self):
        fails = self.world.path("fails")
        broker = self.slow_broker(FAIL_SYNC=fails)
        client, run = self.start_run(broker)
        producer, worker = Producer(self.client(broker), run, "u"), Worker(self.agent(broker), "the first")
        self.addCleanup(producer.stop)
        self.addCleanup(worker.stop)
        self.world.wait(lambda: len(producer.acknowledged) > 200 and len(worker.acknowledged) > 50, 60, "units and results")
        open(fails, "w").close()
        self.assertEqual(broker.wait_end(), 70)
        self.assertRegex(broker.log(), 'error event=store_failed .*commit: Input/output error')
        for peer in (producer, worker):
            peer.stop()
            peer.peer.socket.setsockopt(zmq.LINGER, 0)
            peer.peer.close()  # or it would send on to the next life
        os.unlink(fails)
        self.verify(broker)
        broker.start()
        client = self.client(broker)
        there = self.units(client)
        self.assertEqual(len(set(there)), len(there))
        self.assertLessEqual(set(producer.acknowledged), set(there))
        self.assertLessEqual(set(there), producer.sent)
        last = Worker(self.agent(broker, data_id=worker.peer.data_id), "the last")
        self.addCleanup(last.stop)
        self.world.wait(lambda: len(self.outputs(client)) == len(there), 60, "all to be done")
        last.stop()
        outputs = self.outputs(client)
        self.assertEqual(set(outputs), set(there))
        for text in worker.acknowledged:
            self.assertEqual(outputs[text], text + " by the first")
        self.assert_sound(broker)
        self.assertEqual(broker.stop(), 0)
        self.verify(broker)

    def test_a_backup_under_load_has_all_that_was_acknowledged_before_it_was_asked_for_and_is_sound(self):
        broker = self.world.broker()
        client, run = self.start_run(broker)
        producers = [Producer(self.client(broker), run, "p%d" % i) for i in range(2)]
        worker = Worker(self.agent(broker), "ann")
        peers = [*producers, worker]
        for peer in peers:
            self.addCleanup(peer.stop)
        acknowledged = lambda: [len(peer.acknowledged) for peer in peers]  # noqa: E731
        self.world.wait(lambda: min(acknowledged()) > 100, 60, "units and results")
        units, results = {t for p in producers for t in p.acknowledged}, set(worker.acknowledged)
        path = self.world.path("copy")
        at_first = acknowledged()
        backup = client.send("backup", path=path)
        self.assertEqual(client.reply(backup, 60)[0], "done")
        self.world.wait(lambda: all(now > was for now, was in zip(acknowledged(), at_first)), 60, "work that went on")
        for peer in peers:
            peer.stop()
        second = self.world.broker("second", start=False)
        os.rename(path, second.data)
        self.verify(second)
        second.start()
        reader = self.client(second)
        there = self.units(reader)
        self.assertEqual(len(set(there)), len(there))
        self.assertLessEqual(units, set(there))
        self.assertLessEqual(set(there), producers[0].sent | producers[1].sent)
        outputs = self.outputs(reader)
        self.assertLessEqual(results, set(outputs))
        self.assertEqual({text for text, answer in outputs.items() if answer != text + " by ann"}, set())
        self.assert_sound(second)

    def test_while_a_crowd_of_newcomers_never_greets_those_who_are_there_work_on_and_nothing_spins(self):
        """10,000 of them, or as many as descriptors allow: a half at each endpoint. They say nothing, or begin a greeting, or end it and say no more."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        size = min(10000, hard // 2)  # the broker has a third of them for each of its three endpoints
        broker = self.world.broker()
        client, run = self.start_run(broker)
        agent = self.agent(broker)
        agent.credit({"ann": 1})
        greeting = bytes.fromhex("ff00000000000000017f0300") + b"NULL".ljust(20, b"\0") + bytes(32)
        crowd, done = [], 0

        def close():
            while crowd:
                crowd.pop().close()
        self.addCleanup(close)

        def works():
            nonlocal done
            client.request("put", run_id=run, rows=[["u%d" % done]])
            self.assertEqual(agent.submit([agent.result(agent.assignments(1)[0], ["x"])], grants={"ann": 1})["ok"], 1)
            done += 1
            return client.request("stats_get")["figures"]["connections"]
        before = works()
        begun, used = time.monotonic(), harness.cpu_s(broker.pid)
        for i in range(size):
            at = re.match(r"tcp://([\d.]+):(\d+)", broker.endpoints[("clients", "agents")[i % 2]])
            crowd.append(socket.create_connection((at[1], int(at[2])), timeout=20))
            crowd[-1].sendall(greeting[:(0, 11, len(greeting))[i % 3]])
        self.world.wait(lambda: works() > before + size // 4, 60, "much of the crowd to be there at once")
        self.world.wait(lambda: works() == before, 120, "the crowd to be cut off")  # each after ten seconds
        used, passed = harness.cpu_s(broker.pid) - used, time.monotonic() - begun
        print("# %d connections, %d tasks meanwhile, %.2f s of the processor in %.1f s" % (size, done, used, passed))
        self.assertLess(used, passed / 2)
        self.client(broker).request("info_get")  # and a newcomer who greets is served
        self.assertTrue(broker.running())


if __name__ == "__main__":
    harness.unittest.main()
