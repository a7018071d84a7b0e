"""`make install` puts everything where it belongs, and what it installed works from there: programs, library, pkg-config."""
import os
import subprocess
import tempfile
import unittest

import harness

PROGRAM = r"""
#include <stdio.h>
#include <sunline.h>
int main(void) { puts(sl_version()); return 0; }
"""


def sh(*argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, **more)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.tmp.cleanup)
        cls.root = os.path.join(cls.tmp.name, "root")
        cls.prefix = "/opt/sunline"
        with open(os.path.join(harness.TOP, "VERSION")) as f:
            cls.version = f.read().strip()
        sh(os.path.join(harness.TOP, "deploy", "install.sh"), harness.BUILD, cls.root, cls.prefix, cls.version)
        cls.at = cls.root + cls.prefix

    def pkg_config(self, *args):
        env = dict(os.environ, PKG_CONFIG_PATH=self.at + "/lib/pkgconfig", PKG_CONFIG_SYSROOT_DIR=self.root)
        return sh("pkg-config", *args, "sunline", env=env).split()

    def compile(self, name, *args):
        source, program = os.path.join(self.tmp.name, name + ".c"), os.path.join(self.tmp.name, name)
        with open(source, "w") as f:
            f.write(PROGRAM)
        sh("gcc", "-Wall", "-Werror", "-o", program, source, *args)
        return program

    def test_nothing_is_written_outside_the_prefix(self):
        self.assertEqual(os.listdir(self.root), ["opt"])
        self.assertEqual(os.listdir(self.root + "/opt"), ["sunline"])
        self.assertEqual(sorted(os.listdir(self.at)), ["bin", "include", "lib", "share"])

    def test_programs_tell_their_version(self):
        for name in ("sunlined", "sunline-agent"):
            self.assertIn(self.version, sh(f"{self.at}/bin/{name}", "--version"), name)
        # The command line tells the broker's, too; without one it fails, but says its own first.
        out = subprocess.run([f"{self.at}/bin/sunline", "--broker", "ipc:///nonexistent/socket", "--timeout", "1", "version"],
                             capture_output=True, text=True, timeout=20)
        self.assertIn(self.version, out.stdout)

    def test_a_program_links_with_the_shared_library(self):
        self.assertEqual(self.pkg_config("--modversion"), [self.version])
        program = self.compile("shared", *self.pkg_config("--cflags", "--libs"))
        self.assertEqual(sh(program, env=dict(os.environ, LD_LIBRARY_PATH=self.at + "/lib")).strip(), self.version)

    def test_a_program_links_with_the_static_library(self):
        program = self.compile("static", *self.pkg_config("--cflags"), self.at + "/lib/libsunline.a", "-lzmq", "-lmsgpackc", "-lpthread", "-lm")
        self.assertEqual(sh(program).strip(), self.version)

    def test_the_shared_library_exports_its_own_names_only(self):
        names = [line.split()[-1] for line in sh("nm", "-D", "--defined-only", self.at + "/lib/libsunline.so").splitlines()]
        self.assertGreater(len(names), 10)
        self.assertEqual([n for n in names if not n.startswith("sl_")], [])

    def test_units_name_the_installed_programs(self):
        folder = self.at + "/lib/systemd/system"
        units = [u for u in os.listdir(folder) if u.endswith(".service")]
        self.assertTrue(units)
        for unit in units:
            with open(os.path.join(folder, unit)) as f:
                starts = [line.split("=", 1)[1].split()[0] for line in f if line.startswith("ExecStart=")]
            self.assertTrue(starts, unit)
            for program in starts:
                self.assertTrue(os.access(self.root + program, os.X_OK), f"{unit}: {program}")

    def test_documents_and_man_pages_are_there(self):
        for path in ("share/doc/sunline/README.md", "share/doc/sunline/PROTOCOL.md", "share/man/man1/sunline.1", "include/sunline.h", "include/sunline_quality.h", "include/sunline_forecast.h"):
            self.assertTrue(os.path.isfile(os.path.join(self.at, path)), path)


if __name__ == "__main__":
    unittest.main()
