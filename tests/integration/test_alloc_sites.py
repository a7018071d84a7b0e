"""tests/alloc_sites sees calls that no test refused memory."""
import os
import subprocess
import unittest

import harness


class AllocSites(harness.Case):
    def test_a_call_that_no_test_refused_is_named(self):
        for name in ("libproto.a", "libstore.a", "libengine.a", "libagent.a"):
            os.symlink(os.path.join(harness.BUILD, name), self.world.path(name))
        done = subprocess.run([os.path.join(harness.TOP, "tests", "alloc_sites"), "--build", self.world.dir], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stdout, r"never refused: broker/engine/gate\.c:\d+")
        self.assertRegex(done.stdout, r"[0-9]+ calls ask for memory in .*; 0 were refused")


if __name__ == "__main__":
    unittest.main()
