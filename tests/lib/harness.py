"""Real programs for integration tests: a broker, agents and the command line, in a directory of their own.

    class Some(harness.Case):
        def test_a_csv_comes_out_again(self):
            broker = self.world.broker()              # up: its endpoints are known
            self.world.agent("nairobi", HUB_YAML)     # {agents} in the text is the broker's endpoint
            self.world.sunline("line", "apply", "x.yml")
            self.world.wait(lambda: ..., 10, "the run to be done")

Nothing here waits for a fixed time. Everything started is ended, by its process id, when the test ends, however it ends; a program that
ended by itself with a status nobody asked about fails the test, and its log is printed.
Programs come from $SUNLINE_BUILD (default: build). Endpoints are loopback ports that the system chooses; DATA/endpoints tells them.
"""
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("SUNLINE_BUILD", os.path.join(TOP, "build")))
PYTHON = "/usr/bin/python3"
LOOPBACK = "tcp://127.0.0.1:*"


def program(name):
    return os.path.join(BUILD, name)


def cpu_s(pid):
    """What all threads of a process have had of the processor, in the kernel too."""
    with open("/proc/%d/stat" % pid, encoding="utf-8") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait(condition, timeout_s, what):
    """Polls until condition() is true and returns what it returned; AssertionError "waited N s for WHAT" at the deadline."""
    deadline = time.monotonic() + timeout_s
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {timeout_s} s for {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


class Ended(AssertionError):
    """A program that should be running is not."""


class Daemon:
    """A program that runs on. Its log (stderr and stdout) grows in self.log_path over restarts."""

    def __init__(self, world, name, argv, env=None):
        self.world, self.name, self.argv, self.env = world, name, argv, env
        self.log_path = os.path.join(world.dir, name + ".log")
        self.child = None
        self.expected_end = False

    def start(self):
        assert self.child is None or self.child.poll() is not None, f"{self.name} is running"
        self.expected_end = False
        self.log_from = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(self.argv, cwd=self.world.dir, env=self.world.env(self.env), stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log)
        return self

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child is not None and self.child.poll() is None

    def log(self, all_starts=False):
        """What it has logged since its last start (or ever)."""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            if not all_starts:
                f.seek(self.log_from)
            return f.read()

    def wait_log(self, pattern, timeout_s=30):
        """Waits until the log of this start matches; returns the match."""
        def look():
            match = re.search(pattern, self.log())
            if not match and not self.running():
                raise Ended(f"{self.name} ended with {self.child.returncode} before it logged {pattern!r}:\n{self.log()}")
            return match
        return wait(look, timeout_s, lambda: f"{self.name} to log {pattern!r}; it logged:\n{self.log()}")

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        """SIGKILL, as a crash: nothing is tidied up."""
        self.expected_end = True
        if self.running():
            self.child.kill()
        self.child.wait()

    def stop(self, timeout_s=20):
        """SIGTERM; returns the exit status. One that does not end in time is killed and fails."""
        self.expected_end = True
        if self.running():
            self.child.terminate()
            # A stopped (SIGSTOP) process takes the signal when it goes on.
            self.child.send_signal(signal.SIGCONT)
        return self.wait_end(timeout_s)

    def wait_end(self, timeout_s=20):
        """Waits until it ends by itself; returns the exit status."""
        self.expected_end = True
        try:
            return self.child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.name} did not end within {timeout_s} s:\n{self.log()}") from None

    def rss_bytes(self):
        """Private and shared anonymous memory: without the pages of mapped files, which are the page cache's."""
        with open(f"/proc/{self.pid}/status") as f:
            return int(re.search(r"^RssAnon:\s+(\d+) kB", f.read(), re.M)[1]) * 1024

    def forget_peak(self):
        """The peak of its memory begins anew; returns what it has now."""
        with open(f"/proc/{self.pid}/clear_refs", "w") as f:
            f.write("5")
        return self.peak_bytes()

    def peak_bytes(self):
        """The most memory that it ever had, with the pages of mapped files."""
        with open(f"/proc/{self.pid}/status") as f:
            return int(re.search(r"^VmHWM:\s+(\d+) kB", f.read(), re.M)[1]) * 1024


class Broker(Daemon):
    """sunlined. self.endpoints: {"clients": ..., "agents": ..., "events": ...}"""

    def __init__(self, world, name="broker", config=None, args=()):
        self.data = os.path.join(world.dir, name + ".data")
        argv = [program("sunlined"), "--data", self.data, "--clients", LOOPBACK, "--agents", LOOPBACK, "--events", LOOPBACK, *args]
        if config is not None:
            argv += ["--config", world.write(name + ".yml", config)]
        super().__init__(world, name, argv)
        self.endpoints = {}

    def start(self, same_ports=True):
        """Starts it and waits until it serves. A restart keeps its ports, so that peers find it again."""
        if self.endpoints and same_ports:
            for kind, endpoint in self.endpoints.items():
                self.argv[self.argv.index("--" + kind) + 1] = endpoint
        path = os.path.join(self.data, "endpoints")
        if os.path.exists(path):
            os.unlink(path)  # left by a killed one
        super().start()

        def look():
            if not self.running():
                raise Ended(f"{self.name} ended with {self.child.returncode}:\n{self.log()}")
            return read_endpoints(path)
        self.endpoints = wait(look, 20, lambda: f"{path}; the log says:\n{self.log()}")
        return self


def read_endpoints(path):
    """The three endpoints, or None while the file is not complete: lines of a name and an endpoint, any of ": =" between them."""
    try:
        with open(path) as f:
            found = dict(re.findall(r"^\s*(clients|agents|events)\s*[:=]?\s*((?:tcp|ipc)://\S+)\s*$", f.read(), re.M))
    except FileNotFoundError:
        return None
    return found if len(found) == 3 else None


class Result:
    """What a command printed and how it ended."""

    def __init__(self, argv, done):
        self.argv, self.status = argv, done.returncode
        self.out, self.err = done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)

    def json_lines(self):
        return [json.loads(line) for line in self.out.splitlines() if line.strip()]

    def __repr__(self):
        return f"{' '.join(self.argv)}\nexit {self.status}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class World:
    """A directory, what runs in it, and the command line."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="sunline-test-")
        self.daemons = []
        self.main_broker = None

    def env(self, more=None):
        env = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC", HOME=self.dir, **(more or {}))
        if self.main_broker is not None and self.main_broker.endpoints:
            env.setdefault("SUNLINE_BROKER", self.main_broker.endpoints["clients"])
        return env

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, content, mode=0o644):
        """Writes a file of this world; returns its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(path, mode)
        return path

    def broker(self, name="broker", config=None, args=(), start=True):
        broker = Broker(self, name, config, args)
        self.daemons.append(broker)
        if self.main_broker is None:
            self.main_broker = broker
        return broker.start() if start else broker

    def agent(self, name, hub_yaml, args=(), start=True):
        """A sunline-agent with this hub file; {agents}, {dir}, {data} and {build} in it are filled in."""
        fill = {"agents": self.main_broker.endpoints["agents"], "dir": self.dir, "data": self.path(name + ".data"), "build": BUILD}
        text = re.sub(r"\{(agents|dir|data|build)\}", lambda m: fill[m[1]], hub_yaml)
        agent = Daemon(self, name, [program("sunline-agent"), "--config", self.write(name + ".yml", text), *args])
        agent.data = fill["data"]
        self.daemons.append(agent)
        return agent.start() if start else agent

    def sunline(self, *args, status=0, input=None, timeout_s=60, env=None):
        """Runs the command line; fails unless it exits with `status` (None: any)."""
        argv = [program("sunline"), *map(str, args)]
        done = subprocess.run(argv, cwd=self.dir, env=self.env(env), input=input, capture_output=True, timeout=timeout_s, text=True,
                              encoding="utf-8", stdin=subprocess.DEVNULL if input is None else None)
        result = Result(argv, done)
        if status is not None and result.status != status:
            logs = "".join(f"\n--- log of {d.name}\n{d.log(True)[-4000:]}" for d in self.daemons if os.path.exists(d.log_path))
            raise AssertionError(f"expected exit {status}: {result!r}{logs}")
        return result

    def spawn(self, *args, name="sunline"):
        """Starts the command line and returns at once: a Daemon."""
        daemon = Daemon(self, name, [program("sunline"), *map(str, args)])
        daemon.expected_end = True
        self.daemons.append(daemon)
        daemon.start()
        daemon.expected_end = True
        return daemon

    wait = staticmethod(wait)

    def close(self):
        """Ends what runs. Returns what went wrong: [text, ...]."""
        wrong = []
        for d in reversed(self.daemons):
            if d.child is None:
                continue
            if not d.running() and not d.expected_end:
                wrong.append(f"{d.name} ended by itself with {d.child.returncode}:\n{d.log(True)[-8000:]}")
            elif d.running() and not d.expected_end:
                try:
                    status = d.stop()
                    if status != 0:
                        wrong.append(f"{d.name} ended with {status} after SIGTERM:\n{d.log(True)[-8000:]}")
                except AssertionError as e:
                    wrong.append(str(e))
            else:
                d.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
        return wrong


class Case(unittest.TestCase):
    """A test with a world of its own, cleaned up at its end."""

    maxDiff = 4000

    def setUp(self):
        self.world = World()
        self.addCleanup(self._close)

    def _close(self):
        failed_already = not self._outcome.success
        if failed_already:
            for d in self.world.daemons:
                if os.path.exists(d.log_path):
                    print(f"--- log of {d.name}\n{d.log(True)[-8000:]}")
        wrong = self.world.close()
        if wrong:
            self.fail("\n".join(wrong))


def adopt_orphans():
    """Makes this process the parent of whatever its descendants leave behind, so that children_left() can find it."""
    if ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0) != 0:  # PR_SET_CHILD_SUBREAPER
        raise OSError(ctypes.get_errno(), "prctl")


def children_left():
    """Living children of this process, orphans it adopted included: [(pid, command line)]. Reaps those that have ended."""
    left = []
    with open(f"/proc/self/task/{os.getpid()}/children") as f:
        pids = [int(p) for p in f.read().split()]
    for pid in pids:
        try:
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    left.append((pid, f.read().replace(b"\0", b" ").decode(errors="replace").strip()))
        except (ChildProcessError, FileNotFoundError):
            pass
    return left
