"""What a cut of power leaves of an agent's folder, at places that the scenario of tests/torture/powercut.py does not come to: its very first start, a result that
the broker refused for good. The disk's rules are tests/torture/tape.py's."""
import json
import os
import sys
import unittest

import harness

TORTURE = os.path.join(harness.TOP, "tests", "torture")
sys.path.insert(0, TORTURE)
import crash  # noqa: E402
import tape  # noqa: E402
from place import Broker, Place  # noqa: E402


def replay(path, there=()):
    return tape.played(tape.read_recording(path), there)


class AgentPowerCuts(unittest.TestCase):
    def test_the_folder_that_an_agent_made_is_certain_before_it_promises_anything(self):
        with Place() as place:
            scene = crash.AgentScene(place, 1, units=4)
            scene.agent.start(record=place.path("tape"))
            self.assertTrue(scene.play())
            scene.agent.kill()
            scene.client.close()
            self.assertTrue(any(h["op"] == "kept" for h in scene.history))
            self.assertIn("data", replay(place.path("tape")).certain())

    def test_a_result_that_was_put_aside_is_certain_before_the_outbox_forgets_it(self):
        with Place() as place:
            scene = crash.AgentScene(place, 1, units=2)
            os.mkdir(scene.agent.data)
            scene.agent.start(record=place.path("tape"))
            person = scene.screens[0]
            sent = []

            class Held(crash.Screen):
                def hand_in(self):  # the broker dies, and the one that comes knows nothing of it
                    if not sent:
                        sent.append(self.task["assignment"])
                        scene.broker.kill()
                    super().hand_in()
            person.__class__ = Held
            person.meet()

            def kept():
                person.hear()
                return any(h["op"] == "kept" for h in scene.history)
            harness.wait(kept, 60, "an answer that the agent keeps")
            other = Broker(place, "other")
            other.endpoints = dict(scene.broker.endpoints)
            for kind, endpoint in other.endpoints.items():
                other.argv[other.argv.index("--" + kind) + 1] = endpoint
            self.assertTrue(other.start())
            path = os.path.join(scene.agent.data, "refused.jsonl")
            harness.wait(lambda: os.path.exists(path) and os.path.getsize(path), 60, place.log)
            name = "data/refused.jsonl"
            harness.wait(lambda: name in replay(place.path("tape"), ("data",)).certain(), 60, f"{name}, whose name hangs in the air")
            scene.agent.kill()
            scene.client.close()
            with open(path) as f:
                self.assertEqual(json.loads(f.readline())["assignment"], sent[0])
            self.assertGreater(len(replay(place.path("tape"), ("data",)).certain()[name]), 0)


if __name__ == "__main__":
    unittest.main()
