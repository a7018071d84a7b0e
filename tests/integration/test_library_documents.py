"""The C library is what its documents say: header, man page and shared object name the same functions, the header stands alone in C and
C++, and the programs in docs/library.md and sunline(3) compile and run."""
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402

CC = os.environ.get("CC", "cc")
LINE = """
line: sentence-pairs
input:
  - {name: text, type: text, required: true}
  - {name: hypothesis, type: text, required: true}
stations:
  - name: judge
    form:
      fields:
        - {name: entails, type: radio, options: ["yes", "no"]}
"""


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as f:
        return f.read()


def declared():
    return set(re.findall(r"^SL_API [^;]*?\b(sl_\w+)\(", "".join(read("client", h) for h in ("sunline.h", "sunline_quality.h", "sunline_forecast.h")), re.M))


class LibraryDocuments(harness.Case):
    def compile(self, name, text, language="c", flags=("-std=c17", "-Wpedantic"), link=True):
        source = self.world.write(name + "." + language, text)
        argv = [CC if language == "c" else "c++", *flags, "-Wall", "-Wextra", "-Werror", "-I", os.path.join(TOP, "client"), source]
        if link:
            argv += ["-o", self.world.path(name), harness.program("libsunline.a"), "-lzmq", "-lmsgpackc", "-lpthread", "-lm"]
        else:
            argv += ["-c", "-o", self.world.path(name + ".o")]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.world.path(name)

    def test_header_and_man_page_name_the_same_functions(self):
        self.assertGreater(len(declared()), 50)
        self.assertEqual(declared(), set(re.findall(r"\bFn (sl_\w+)", re.sub(r" , Fn", "\n.Fn", read("docs", "man", "sunline.3")))))

    def test_the_shared_object_shows_these_and_nothing_else(self):
        symbols = subprocess.run(["nm", "-D", "--defined-only", harness.program("libsunline.so")], capture_output=True, text=True, check=True)
        self.assertEqual(declared(), {line.split()[-1] for line in symbols.stdout.splitlines()})

    def test_the_header_stands_alone(self):
        text = '#include "sunline_forecast.h"\n#include "sunline_quality.h"\n#include "sunline.h"\nint main(void);\nint main(void) { return sl_version() ? 0 : 1; }\n'
        for standard in ("c11", "c17"):
            self.compile("alone", text, flags=("-std=" + standard, "-Wpedantic", "-Wstrict-prototypes"), link=False)
        if shutil.which("c++"):
            self.compile("alone", text, language="cc", flags=("-std=c++17", "-Wpedantic"), link=False)

    def test_functions_in_the_guide_exist(self):
        called = set(re.findall(r"\b(sl_\w+)\(", read("docs", "library.md")))
        self.assertTrue(called)
        self.assertEqual(called - declared(), set())

    def test_the_first_program_of_the_guide_runs(self):
        program = re.search(r"```c\n(#include.*?)```", read("docs", "library.md"), re.S)[1]
        broker = self.world.broker()
        self.world.sunline("line", "apply", self.world.write("l.yml", LINE))
        path = self.compile("first", program.replace("tcp://127.0.0.1:7710", broker.endpoints["clients"]))
        for _ in range(2):  # the second time the key is known
            self.assertEqual(subprocess.run([path], capture_output=True, text=True, check=True).stdout, "unit 1\n")

    def test_the_program_of_the_man_page_puts_each_line_once(self):
        body = re.search(r"\.Bd -literal.*?\n(.*?)\.Ed", read("docs", "man", "sunline.3"), re.S)[1].replace("\\e", "\\")
        broker = self.world.broker()
        self.world.sunline("line", "apply", self.world.write("l.yml", LINE.replace("sentence-pairs", "words").replace(
            "  - {name: hypothesis, type: text, required: true}\n", "")))
        body = body.replace("sl_open(NULL,", f'sl_open(&(struct sl_options){{ .endpoint = "{broker.endpoints["clients"]}" }},')
        includes = "#define _GNU_SOURCE\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <sunline.h>\n"
        path = self.compile("man", includes + "int main(void)\n{\n" + body + "free(line);\nreturn rc;\n}\n")
        for text in ("a\nb\n", "a\nb\nc\n", "a\nb\nc\n"):
            done = subprocess.run([path], input=text, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.world.sunline("--json", "run", "show", "monday").json()["units"], 3)
