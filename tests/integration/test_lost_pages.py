"""Pages of a store that the disk does not give, or that are broken: the broker, --verify and --restored name the file, and end."""
import fcntl
import os
import re
import signal
import subprocess
import sys

import zmq

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402
import lmdb_tree  # noqa: E402
from one_broker import LINE, Process  # noqa: E402

ALONE = False


class LostPages(Process):
    """A file that ends before a page that is mapped: the kernel tells it by the same signal as a disk that cannot read the page."""
    LOST = "a page of the store cannot be read, or not written: the disk is damaged, full, or over its quota, or a damaged page leads to where the file has none"

    def setUp(self):
        super().setUp()
        self.broker = self.world.broker(start=False)
        self.data = os.path.join(self.broker.data, "data.mdb")
        self.held = self.world.path("held")  # as long as it is there, whoever syncs waits
        self.broker.env = {"LD_PRELOAD": harness.program("torture/slow.so"), "SLOW_SYNC": self.held}

    def serve(self, rows, each=1000):
        self.broker.start()
        self.peer, self.run = self.start_run(self.broker)
        self.peer.socket.setsockopt(zmq.LINGER, 0)
        for i in range(0, len(rows), each):
            self.peer.request("put", run_id=self.run, rows=[[text] for text in rows[i:i + each]])
        self.assertEqual(self.units(self.peer), rows)

    def reads_all_and_ends(self):
        self.peer.send("output_get", run="r", after_unit=0, all_units=True)
        self.assertEqual(self.broker.wait_end(), 70)

    def ends_by(self, signo):
        """Sent by somebody else: without a word of the store."""
        self.serve(["x"])
        self.broker.signal(signo)
        self.assertEqual(self.broker.wait_end(), -signo)
        self.assertNotIn("store_failed", self.broker.log())

    def hold(self):
        with open(self.held, "wb"):
            pass

    def until_held(self):
        self.world.wait(lambda: os.path.exists(self.held + ".at"), 20, "a sync that is held")

    def offline(self, how):
        """The tool, and what it says: through a pipe that takes no more than a page."""
        ours, its = os.pipe()
        fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 4096)
        with open(its, "wb") as stdout:
            tool = subprocess.Popen([harness.program("sunlined"), how, "--data", self.broker.data], env=self.world.env(self.broker.env), cwd=self.world.dir,
                                    stdout=stdout, stderr=subprocess.PIPE, text=True)
        said = open(ours, encoding="utf-8")
        self.addCleanup(lambda: (tool.kill(), tool.wait(), said.close(), tool.stderr.close()))
        return tool, said

    def test_a_page_that_the_disk_does_not_give_ends_the_broker_like_a_read_that_fails(self):
        self.serve(["x" * 2000] * 50)
        os.truncate(self.data, 8192)
        self.reads_all_and_ends()
        said = re.search(r'error event=store_failed file=(\S+) byte=(\d+) text="(.*?)" then=', self.broker.log())
        self.assertEqual((said[1], said[3]), (self.data, self.LOST))
        self.assertGreaterEqual(int(said[2]), 8192)

    def test_so_does_a_page_of_the_table_of_readers(self):
        self.serve(["x"])
        os.truncate(os.path.join(self.broker.data, "lock.mdb"), 0)
        self.reads_all_and_ends()
        self.assertRegex(self.broker.log(), r'event=store_failed file=%s byte=\d+ text="%s"' % (self.data.replace("data.mdb", "lock.mdb"), self.LOST))

    def test_the_signal_from_somebody_else_is_no_page_and_ends_the_broker_at_once(self):
        self.ends_by(signal.SIGBUS)

    def test_verify_names_the_page_behind_the_damage_that_it_found_before(self):
        self.serve(["damaged-%04d" % i for i in range(500)], each=1)  # a record each
        self.assertEqual(self.broker.stop(), 0)
        with open(self.data, "r+b") as f:
            spoiled = f.read().replace(b"damaged-", b"spoiled-")
            f.seek(0)
            f.write(spoiled)
        tool, said = self.offline("--verify")  # which has more to tell than the pipe takes, so it is in the middle when the first line comes
        lines = [said.readline()]
        os.truncate(self.data, 8192)
        lines += said.readlines()
        self.assertEqual(lines.pop(), "damaged\tUNIT: it cannot be read to its end\n")
        self.assertEqual([line for line in lines if not re.fullmatch(r"damaged\tUNIT [0-9a-f]+: the input values of run 1, unit \d+ and on\n", line)], [])
        self.assertRegex(tool.stderr.read(), r"\Asunlined: %s: %s, at byte \d+\n\Z" % (re.escape(self.data), self.LOST))
        self.assertEqual(tool.wait(20), 3)

    def test_restored_names_the_page_too(self):
        self.serve(["x" * 2000] * 50)
        self.hold()
        self.peer.send("put", run_id=self.run, rows=[["in the log alone"]])
        self.until_held()
        self.broker.kill()
        os.remove(self.held + ".at")
        tool, said = self.offline("--restored")  # which commits first what the log holds
        self.until_held()
        os.truncate(self.data, 8192)
        os.remove(self.held)
        self.assertEqual((said.read(), tool.wait(20)), ("", 1))
        self.assertRegex(tool.stderr.read(), r"\Asunlined: %s: %s, at byte \d+\n\Z" % (re.escape(self.data), self.LOST))

    FELL = "LMDB fell over its own tree: a page of this file, of a copy that is being made, or of lock.mdb is damaged, or a program has a mistake"

    def test_a_broken_page_of_the_tree_ends_the_broker_like_a_read_that_fails(self):
        self.serve(["x" * 2000] * 50)
        lmdb_tree.spoil(self.data, lmdb_tree.is_a_tree)
        self.reads_all_and_ends()
        self.assertIn('error event=store_failed file=%s text="%s" then=' % (self.data, self.FELL), self.broker.log())

    def test_so_does_an_assertion_of_lmdb_and_it_tells_what_that_says(self):
        self.serve(["x" * 500] * 60, each=1)
        lmdb_tree.spoil(self.data, lmdb_tree.leads_to_the_first_page)
        self.reads_all_and_ends()
        self.assertRegex(self.broker.log(), 'error event=store_failed file=%s text="%s" lmdb="mdb.c:[^"]+" then=' % (re.escape(self.data), self.FELL))

    def test_a_tree_that_leads_out_of_the_file_is_told_like_a_page_that_is_not_there(self):
        self.serve(["x" * 500] * 60, each=1)
        lmdb_tree.spoil(self.data, lmdb_tree.leads_out)
        self.reads_all_and_ends()
        self.assertRegex(self.broker.log(), 'error event=store_failed file=%s byte=\\d+ text="%s" then=' % (re.escape(self.data), self.LOST))

    def test_a_fault_that_is_not_in_the_tree_ends_the_broker_by_its_signal(self):
        self.ends_by(signal.SIGSEGV)

    def test_verify_and_restored_tell_of_a_broken_page_of_the_tree(self):
        self.serve(["x" * 2000] * 50)
        self.assertEqual(self.broker.stop(), 0)
        lmdb_tree.spoil(self.data, lmdb_tree.is_a_tree)
        for how, status in (("--verify", 3), ("--restored", 1)):
            with self.subTest(how):
                tool, said = self.offline(how)
                self.assertEqual((tool.wait(20), said.read(), tool.stderr.read()), (status, "", "sunlined: %s: %s\n" % (self.data, self.FELL)))

    def test_verify_names_the_table_in_which_lmdb_fell(self):
        self.serve(["x" * 500] * 60, each=1)
        self.assertEqual(self.broker.stop(), 0)
        lmdb_tree.spoil(self.data, lmdb_tree.is_a_tree, holding=b"x" * 500)
        tool, said = self.offline("--verify")
        self.assertEqual((tool.wait(20), said.read(), tool.stderr.read()),
                         (3, "damaged\tUNIT: it cannot be read to its end\n", "sunlined: %s: %s\n" % (self.data, self.FELL)))

    def test_what_tells_of_it_calls_nothing_that_a_handler_of_signals_may_not(self):
        """From POSIX's list (2024, 2.4.3), and each other; an assert that fails ends the process anyway. What compilers add for tests is theirs."""
        allowed = {"_exit", "clock_gettime", "close", "memcmp", "memcpy", "memmove", "memset", "open", "raise", "read", "sigaction", "signal", "stpcpy", "strchr",
                   "strcmp", "strcpy", "strlen", "strncmp", "strrchr", "write", "__errno_location", "__assert_fail"}
        begins = {"timer_create", "timer_settime", "gettid", "__tls_get_addr", "store_calls_now"}  # of endless_watch, which is no handler; and numbers of the thread's own

        def symbols(*names):
            listed = subprocess.run(["nm", *(harness.program("broker/%s.o" % name) for name in names)], capture_output=True, text=True, check=True).stdout
            found = re.findall(r"(?m)^[0-9a-f ]{16} (\w) (\w+)$", listed)
            return ({name for kind, name in found if kind == "T"},
                    {name for kind, name in found if kind == "U" and not re.match(r"_*(asan|ubsan|sanitizer|gcov|llvm|stack_chk|GLOBAL_OFFSET_TABLE)_", name)})
        own, called = symbols("lost_page", "broken_tree", "mapping", "failed", "log")
        watch, called_there = symbols("endless")
        self.assertLessEqual({"lost_page_catch", "broken_tree_catch", "broken_tree_endless", "failed_by_page", "failed_by_tree", "log_end"}, own)
        self.assertEqual(watch, {"endless_watch"})
        self.assertEqual(called - own - allowed, set())
        self.assertEqual(called_there - own - allowed - begins, set())

    LONG_KEY = "k" * 100  # many of them make a tree of the table of keys, in which they stand

    def test_verify_goes_on_behind_a_table_that_cannot_be_walked_and_names_no_other_for_it(self):
        self.serve([])
        self.peer.request("put", run_id=self.run, rows=[["x"]] * 60, keys=[self.LONG_KEY + str(i) for i in range(60)])
        self.assertEqual(self.broker.stop(), 0)
        self.broker.start()
        self.client(self.broker).request("line_apply", definition={**LINE, "line": "in-the-log-alone"})
        self.broker.kill()
        lmdb_tree.spoil(self.data, lmdb_tree.leads_to_itself, holding=self.LONG_KEY.encode())
        tool, said = self.offline("--verify")
        told = said.read().splitlines()
        self.assertEqual(tool.wait(20), 3, tool.stderr.read())
        self.assertEqual([line for line in told if "cannot be walked" in line], ["damaged\tDEDUP: records are missing, or too many, or cannot be walked"])
        self.assertIn(" records checked, 1 damaged", told[-1])

    ENDLESS = FELL.replace("fell over its own tree", "does not come back from its own tree")

    def test_a_call_of_lmdbs_that_does_not_come_back_ends_the_broker_be_it_in_a_read_or_in_a_batch(self):
        """Both at once, since each takes more than ten seconds of a processor."""
        reads, writes = brokers = [self.world.broker(name=name) for name in ("reads", "writes")]
        for broker in brokers:
            peer, run = self.start_run(broker)
            peer.socket.setsockopt(zmq.LINGER, 0)
            for i in range(60):
                peer.request("put", run_id=run, rows=[["x" * 500]], **({"keys": [self.LONG_KEY + str(i)]} if broker is writes else {}))
            self.assertEqual(len(self.units(peer)), 60)
            if broker is writes:  # what it has written it does not read from the file until it starts again
                self.assertEqual(broker.stop(), 0)
                lmdb_tree.spoil(os.path.join(broker.data, "data.mdb"), lmdb_tree.has_no_end, holding=self.LONG_KEY.encode())
                peer = self.client(broker.start())
                peer.socket.setsockopt(zmq.LINGER, 0)
                peer.send("put", run_id=run, rows=[["x"]], keys=[self.LONG_KEY + "7"])
            else:
                lmdb_tree.spoil(os.path.join(broker.data, "data.mdb"), lmdb_tree.has_no_end)
                peer.send("output_get", run="r", after_unit=0, all_units=True)
        for broker in brokers:
            with self.subTest(broker.name):
                self.assertEqual(broker.wait_end(240), 70)
                self.assertIn('error event=store_failed file=%s text="%s" then=' % (os.path.join(broker.data, "data.mdb"), self.ENDLESS), broker.log())
