"""What README says under "How to go on" works as it stands there: the line, the robot, the hub, the commands and the producer in C are
cut out of the document and used, on the ports that README names unless they are taken."""
import csv
import os
import re
import subprocess
import unittest

import harness


def blocks():
    """File name -> content: a fenced block that names a file in its first two lines; and "sh" -> the commands."""
    with open(os.path.join(harness.TOP, "README.md"), encoding="utf-8") as f:
        text = f.read()
    found = {}
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        name = re.search(r"^(?:#|/\*) ([\w-]+\.(?:yml|py|c))\b", block, re.M)
        found[name[1] if name else language] = block
    return found


class Links(unittest.TestCase):
    def test_links_between_documents_lead_somewhere(self):
        documents = [os.path.join(harness.TOP, d) for d in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "proto/PROTOCOL.md")]
        for folder in ("docs", "docs/adr"):
            documents += [os.path.join(harness.TOP, folder, f) for f in os.listdir(os.path.join(harness.TOP, folder)) if f.endswith(".md")]
        for document in documents:
            with open(document, encoding="utf-8") as f:
                for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", f.read()):
                    self.assertTrue(os.path.exists(os.path.join(os.path.dirname(document), target)), f"{document}: {target}")


class Readme(harness.Case):
    def test_own_line_own_robot_own_producer(self):
        world, files = self.world, blocks()
        self.assertEqual(set(files), {"shout.yml", "upper.py", "hub.yml", "put.c", "sh"})
        broker = world.broker()
        for name in ("shout.yml", "upper.py"):
            world.write(name, files[name])
        world.write("words.csv", "word\nhello\nnamaste\n")
        # The documents' ports may be in use on this machine: the hub file and the producer get the ones of this test.
        world.agent("accra", files["hub.yml"] + f"broker: {broker.endpoints['agents']}\n")
        program = files["put.c"].replace(".endpoint = NULL", f'.endpoint = "{broker.endpoints["clients"]}"')
        self.assertIn(broker.endpoints["clients"], program)

        shell = subprocess.run(["sh", "-eux", "-c", files["sh"]], cwd=world.dir, env=world.env({"PATH": harness.BUILD + ":" + os.environ["PATH"]}),
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual(shell.returncode, 0, shell.stdout + shell.stderr)
        with open(world.path("loud.csv"), newline="", encoding="utf-8-sig") as f:
            self.assertEqual([(r["word"], r["upper.loud"]) for r in csv.DictReader(f)], [("hello", "HELLO"), ("namaste", "NAMASTE")])

        build = subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", world.path("put"), world.write("put.c", program), "-I",
                                os.path.join(harness.TOP, "client"), harness.program("libsunline.a"), "-lzmq", "-lmsgpackc", "-lpthread", "-lm"],
                               capture_output=True, text=True)
        self.assertEqual(build.returncode, 0, build.stderr)
        for _ in range(2):  # the second time it is a duplicate
            put = subprocess.run([world.path("put")], capture_output=True, text=True, timeout=30)
            self.assertEqual((put.returncode, put.stdout), (0, "unit 1 of run open-end\n"), put.stderr)
        world.sunline("run", "close", "open-end")
        world.sunline("run", "watch", "open-end")
        rows = world.sunline("run", "output", "open-end", "--format", "jsonl").json_lines()
        self.assertEqual([r["upper.loud"] for r in rows], ["JAMBO"])


if __name__ == "__main__":
    unittest.main()
