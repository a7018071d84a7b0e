"""Programs under torture: started in a directory of their own (in memory where the machine has such a file system: kill -9 needs no disk), with
or without the shim, and ended with whoever started them, however that ends."""
import ctypes
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402

KINDS = ("none", "write", "fdatasync", "fsync", "msync", "rename", "unlink", "ftruncate", "fallocate", "create", "mkdir", "rmdir")
PAGE_LOST = "a page of the store"  # what sunlined says of one that the disk did not give, or did not take
STORE_FAILED = 70             # sunlined(8): its store failed, which it says
NO_START = (1, STORE_FAILED)  # a start that it refuses
LIBC = ctypes.CDLL(None)


def die_with_parent():
    LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Place:
    def __init__(self, memory=True):
        base = "/dev/shm" if memory and os.access("/dev/shm", os.W_OK) else None
        self.dir = tempfile.mkdtemp(prefix="sunline-t-", dir=base)
        self.children = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in self.children:
            child.end()
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def log(self, most=3000):
        out = ""
        for name in sorted(os.listdir(self.dir)):
            if name.endswith(".log"):
                with open(self.path(name), errors="replace") as f:
                    out += f"--- {name}\n{f.read()[-most:]}"
        return out


def place_of(kind, name):
    """A kind of call on a file: "rename data/identity.new", "write data/outbox-N.log"."""
    return kind + " " + re.sub("[0-9]+", "N", name)


def data_of(place, name):
    return place.path(os.path.join(name + ".disk", "data"))


class Child:
    """A program; start() again after it has ended. The shim sees what happens below `disk`; `data` lies in it, and is made by the program."""

    def __init__(self, place, name, argv):
        self.place, self.name, self.argv, self.process = place, name, argv, None
        self.disk, self.data, self.state_path = place.path(name + ".disk"), data_of(place, name), place.path(name + ".state")
        self.log_path, self.log_from = place.path(name + ".log"), 0  # from there on it has written since its last start
        os.makedirs(self.disk, exist_ok=True)
        place.children.append(self)

    def start(self, at=None, mode="before", only=None, record=None, shim=False, prepare=None, env=None):
        """at: the shim kills it in its at-th call; only: (kind, file, offset or None), of such calls. env: more of the environment."""
        env = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC", **(env or {}))
        if at is not None or record is not None or shim:
            if os.path.exists(self.state_path):
                os.unlink(self.state_path)
            env.update(SHIM_DIR=self.disk, SHIM_STATE=self.state_path, LD_PRELOAD=harness.program("torture/shim.so"))
            env.update({"SHIM_AT": str(at), "SHIM_MODE": mode} if at is not None else {}, **({"SHIM_RECORD": record} if record else {}),
                       **({"SHIM_ONLY": f"{KINDS.index(only[0])}{'' if only[2] is None else f'@{only[2]}'} {only[1]}"} if only else {}))

        def before_exec():
            die_with_parent()
            if prepare:
                prepare()
        with open(self.log_path, "ab") as log:
            self.log_from = log.tell()
            self.process = subprocess.Popen(self.argv, cwd=self.place.dir, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=before_exec)
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def status(self):
        return self.process.returncode

    def said(self):
        """What it has written since its last start."""
        with open(self.log_path, "rb") as f:
            f.seek(self.log_from)
            return f.read().decode(errors="replace")

    def kill(self):
        if self.running():
            self.process.kill()
        self.process.wait()

    end = kill

    def strike(self, clean=()):
        """kill -9. True: it was running until then. False: it had ended by itself, with a status of `clean`; with any other that is an error."""
        self.kill()
        if self.status != -9:
            self.must_be(clean)
        return self.status == -9

    def must_be(self, clean):
        """It ended by itself, and nobody killed it."""
        if self.status not in clean:
            raise AssertionError(f"the {self.name} ended by itself with {self.status}\n{self.place.log()}")

    def stop(self, timeout_s=120):
        """SIGTERM; the exit status."""
        if self.running():
            self.process.terminate()
        return self.process.wait(timeout_s)

    def shim_state(self):
        """(calls begun, calls recorded, kind of the last one)"""
        with open(self.state_path, "rb") as f:
            calls, recorded, kind = struct.unpack("<3Q", f.read(24))
        return calls, recorded, KINDS[kind]

    def last_call(self):
        """What the shim saw last, and where."""
        with open(self.state_path, "rb") as f:
            name = f.read(64)[24:].split(b"\0")[0].decode(errors="replace")
        return place_of(self.shim_state()[2], name)


LOG = ("--set", "wal_bytes=64KiB")  # a log that is filled, settled and begun again many times, and small enough to be copied at each place


class Broker(Child):
    def __init__(self, place, name="broker", *args, ipc=True):
        where = (lambda kind: "ipc://" + place.path(name + "." + kind)) if ipc else (lambda kind: harness.LOOPBACK)
        ends = [x for kind in ("clients", "agents", "events") for x in ("--" + kind, where(kind))]
        super().__init__(place, name, [harness.program("sunlined"), "--data", data_of(place, name), *ends, *LOG, *args])
        self.endpoints = {}

    def failure(self):
        """What it said of an end with 70, since its last start: what failed, or PAGE_LOST; None: no word."""
        told = re.findall(r"event=(store_failed|store_unusable)\b(.*)", self.said())
        if not told:
            return None
        event, rest = told[-1]
        at = re.search(r'\bat=("[^"]*"|\S+)', rest)
        return PAGE_LOST if PAGE_LOST in rest else event + (" at " + at[1].strip('"') if at else "")

    def start(self, timeout_s=120, same_ports=True, **how):
        """Waits until it serves; False: it ended before that."""
        path = os.path.join(self.data, "endpoints")
        if os.path.exists(path):
            os.unlink(path)
        for kind, endpoint in self.endpoints.items() if same_ports else ():
            self.argv[self.argv.index("--" + kind) + 1] = endpoint
        super().start(**how)
        deadline = time.monotonic() + timeout_s
        while True:
            found = harness.read_endpoints(path)
            if found:
                self.endpoints = found
                return True
            if not self.running():
                return False
            if time.monotonic() > deadline:
                raise AssertionError(f"the broker does not serve after {timeout_s} s\n{self.place.log()}")
            time.sleep(0.001)
