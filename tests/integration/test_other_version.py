"""A hub whose broker speaks another version of the protocol for a while: its agent keeps what it has, is started again, and delivers when its own version is known again."""
import os
import sys
import threading

import zmq

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402
from test_agent import PEOPLE_LINE, Screen  # noqa: E402

BAD_VERSION, NEVER = 11, 3
HUB = "hub: pokhara\nzone: Asia/Kathmandu\nbroker: {agents}\ndata: {data}\nworkers:\n"


class AnotherVersion(threading.Thread):
    """A broker that knows no version but its own, and says so to whatever comes."""

    def __init__(self, endpoint):
        super().__init__()
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.bind(endpoint)
        self.over = False
        self.start()

    def run(self):
        while not self.over:
            if self.socket.poll(20):
                peer, body = self.socket.recv_multipart()
                _, asked, _ = wire.decode(body, {"A2B"})
                self.socket.send_multipart([peer, wire.encode("error", asked, code=BAD_VERSION, retry=NEVER, text="version 1 is not spoken here")])
        self.socket.close()

    def stop(self):
        self.over = True
        self.join()


class OtherVersion(harness.Case):
    def test_a_full_outbox_is_kept_and_delivered_when_the_version_is_known_again(self):
        people = ["person%d" % i for i in range(12)]
        broker = self.world.broker()
        self.world.sunline("line", "apply", self.world.write("judge.yml", PEOPLE_LINE))
        texts = self.world.write("in.csv", "text\n" + "".join(f"for {name}\n" for name in people))
        self.world.sunline("run", "start", "judge", "--name", "r", "--input", texts)
        agent = self.world.agent("pokhara", HUB + "".join("  - {id: %s, skills: {english: 3}, prefetch: 0}\n" % name for name in people))
        endpoint = agent.wait_log(r"local=(\S+)")[1]
        agent.wait_log("session-up")
        begun = {}
        for name in people:
            screen = Screen(endpoint, name)
            self.addCleanup(screen.close)
            screen.ask("sign_in")
            number = screen.task()["assignment"]
            self.assertTrue(screen.ask("start", assignment=number)["ok"])
            begun[number] = screen
        self.assertEqual(broker.stop(), 0)
        for number, screen in begun.items():
            self.assertTrue(screen.ask("submit", assignment=number, values={"follows": "yes", "why": str(number)})["kept"])
        other = AnotherVersion(broker.endpoints["agents"])
        self.addCleanup(other.stop)
        agent.wait_log("hello-refused code=BAD_VERSION", timeout_s=40)
        self.assertEqual(screen.ask("status")["results_unsent"], len(people))
        agent.kill()
        agent.start().wait_log("results_unsent=%d " % len(people))
        agent.wait_log("hello-refused code=BAD_VERSION", timeout_s=40)
        other.stop()
        broker.start()
        agent.kill()  # or it would ask again after half a minute
        agent.start().wait_log("results_unsent=%d " % len(people))
        self.world.sunline("run", "watch", "r", timeout_s=60)
        rows = self.world.sunline("run", "output", "r", "--format", "jsonl").json_lines()
        self.assertEqual(sorted(int(row["judge.why"]) for row in rows), sorted(begun))
        last = Screen(agent.wait_log(r"local=(\S+)")[1], people[0])
        self.addCleanup(last.close)
        self.world.wait(lambda: last.ask("status")["results_unsent"] == 0, 30, "an outbox that is empty")


if __name__ == "__main__":
    harness.unittest.main()
