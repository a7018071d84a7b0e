"""Servers of the bench: our broker and its peers, each on loopback, with data in a directory of its own below `base`, on ports that the system
chose, ended by process id. A server is a context manager; `with` starts it on fresh data and removes the data at its end."""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time


DEEP = (1_000_000, 5_000_000, 20_000_000)


class Missing(Exception):
    """A peer that cannot be installed or started, with the reason."""


class NotFilled(Missing):
    """It runs, but does not take so many tasks in the time that it is given."""


def free_ports(n):
    """n free TCP ports in a row would be luck; n free ones are enough. They are held until all are known."""
    held = [socket.socket() for _ in range(n)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def find(program, *more):
    """The path of a program, also in the places that Debian's packages use."""
    for where in (shutil.which(program), "/usr/sbin/" + program, *more):
        if where and os.access(where, os.X_OK):
            return str(where)
    raise Missing(f"there is no {program}")


def runs(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Server:
    name, mode, client, variant, durable = "", "", "", "", True
    user = None                # whom it must run as, if we are root
    up_seconds = 300           # a deep queue is read again after a crash
    depths = (1_000_000,)      # how much is queued before it, unless it is said otherwise

    def __init__(self, build, base):
        self.build, self.base = pathlib.Path(build), pathlib.Path(base)
        self.process = self.directory = None
        self.port = 0

    # what each server says of itself
    @staticmethod
    def frames(window):
        """Tasks in one request, where it knows such requests: each number is measured, and the better one counts. The first stands where one is enough."""
        return [1]

    def prepare(self):
        """Before its first start, in the fresh directory."""

    def command(self):
        raise NotImplementedError

    def environment(self):
        return None

    def is_up(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0 and s.getsockname() != s.getpeername()  # a free port may by chance be given to the very socket that asks for it

    def where(self):
        return ""

    def store_bytes(self):
        return sum(f.stat().st_blocks * 512 for f in self.directory.rglob("*") if f.is_file() and f.name != "log")

    # its life
    def run(self, command, env=None, **more):
        """Popen, as the user it needs, output to its log."""
        if self.user and os.geteuid() == 0:
            more["user"], more["group"], more["extra_groups"] = self.user, pwd.getpwnam(self.user).pw_gid, []
        with open(self.directory / "log", "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env, cwd=self.directory, **more)

    def start(self):
        if self.directory is None:
            self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"bench-{self.name}-", dir=self.base))
            if self.user and os.geteuid() == 0:
                try:
                    shutil.chown(self.directory, self.user)
                except LookupError as e:
                    raise Missing(f"there is no user {self.user}") from e
            self.port = free_ports(1)[0]
            self.prepare()
        self.since = time.monotonic()
        self.process = self.run(self.command(), self.environment())
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() - self.since > self.up_seconds:
                tail = (self.directory / "log").read_text(errors="replace")[-400:]
                self.stop()
                raise Missing(f"{self.name} did not come up: {tail.strip()}")
            time.sleep(0.002)
        self.up_s = time.monotonic() - self.since

    def family(self):
        """Its process and all that it started."""
        unseen, all_ = [self.process.pid], []
        while unseen:
            pid = unseen.pop()
            all_.append(pid)
            try:
                unseen += map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            except OSError:
                pass
        return all_

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        pids = self.family()
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in pids[1:]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        end = time.monotonic() + 10
        while any(map(runs, pids[1:])) and time.monotonic() < end:  # PostgreSQL does not start again beside one of its children
            time.sleep(0.002)
        self.process = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None
        os.sync()              # what its files leave to be written is not the next server's burden


class Sunline(Server):
    name, client, mode = "sunline", "bench_life", "as shipped"
    depths = DEEP

    @staticmethod
    def frames(window):
        return [max(1, window // 4)]

    def command(self):
        loopback = "tcp://127.0.0.1:*"
        return [str(self.build / "sunlined"), "--data", str(self.directory), "--clients", loopback, "--agents", loopback, "--events", loopback]

    def start(self):
        if self.directory is not None:
            (self.directory / "endpoints").unlink(missing_ok=True)
        super().start()

    def where(self):
        return str(self.directory / "endpoints")

    def is_up(self):
        try:
            return "events=" in (self.directory / "endpoints").read_text()
        except OSError:
            return False


class Beanstalkd(Server):
    name, client, mode = "beanstalkd", "peers/beanstalkd", "binlog, sync each (-f0)"
    flags = ("-f0",)

    def command(self):
        binlog = ["-b", str(self.directory), *self.flags] if self.flags else []
        return [find("beanstalkd"), "-l", "127.0.0.1", "-p", str(self.port), *binlog]


class BeanstalkdMemory(Beanstalkd):
    mode, flags, durable = "in memory", (), False


class Redis(Server):
    name, client, mode = "redis", "peers/redis", "Streams, appendfsync always"
    fsync = "always"
    depths = DEEP

    def command(self):
        return [find("redis-server"), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory), "--appendonly", "yes",
                "--appendfsync", self.fsync, "--save", "", "--daemonize", "no"]


class RedisEverySecond(Redis):
    mode, fsync, durable = "Streams, appendfsync everysec", "everysec", False


class Postgres(Server):
    name, client, mode, user = "postgresql", "peers/postgres", "SKIP LOCKED, batches", "postgres"
    commit = "on"
    depths = DEEP

    @staticmethod
    def frames(window):
        """A whole window, whose commit the producer waits for before it makes the next; or a quarter of it, four under way."""
        return [window] if window < 4 else [window, window // 4]

    def program(self, name):
        return find(name, *sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True))

    def prepare(self):
        made = self.run([self.program("initdb"), "-D", str(self.directory / "data"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"])
        if made.wait() != 0:
            raise Missing("initdb failed: " + (self.directory / "log").read_text(errors="replace")[-400:])

    def command(self):
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.directory), "synchronous_commit": self.commit,
                    "shared_buffers": "1GB", "max_wal_size": "8GB"}
        return [self.program("postgres"), "-D", str(self.directory / "data"), "-p", str(self.port),
                *(x for k, v in settings.items() for x in ("-c", f"{k}={v}"))]

    def where(self):
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres sslmode=disable"

    def stop(self, how=signal.SIGINT):
        super().stop(how)      # its "fast" stop; SIGTERM would wait for clients


class PostgresAsync(Postgres):
    mode, commit, durable = "SKIP LOCKED, synchronous_commit off", "off", False


class Rabbit(Server):
    name, client, mode, variant, user = "rabbitmq", "peers/rabbitmq", "quorum queue, one node", "quorum", "rabbitmq"

    def prepare(self):
        self.dist, self.epmd = free_ports(2)
        (self.directory / "rabbit.conf").write_text(
            f"loopback_users.guest = true\nlisteners.tcp.local = 127.0.0.1:{self.port}\nvm_memory_high_watermark.relative = 0.7\n")
        (self.directory / "plugins").write_text("")

    def command(self):
        where = [str(p) for p in pathlib.Path("/usr/lib/rabbitmq").glob("**/sbin/rabbitmq-server")]
        return [find("/usr/lib/rabbitmq/bin/rabbitmq-server", *where)]

    def environment(self):
        d = str(self.directory)
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": d, "LANG": "C.UTF-8", "RABBITMQ_NODENAME": "bench@localhost",
                "RABBITMQ_CONFIG_FILE": d + "/rabbit.conf", "RABBITMQ_MNESIA_BASE": d + "/mnesia", "RABBITMQ_LOG_BASE": d + "/logs",
                "RABBITMQ_ENABLED_PLUGINS_FILE": d + "/plugins", "RABBITMQ_DIST_PORT": str(self.dist), "ERL_EPMD_ADDRESS": "127.0.0.1",
                "ERL_EPMD_PORT": str(self.epmd)}

    def stop(self, how=signal.SIGTERM):
        super().stop(how)
        for p in pathlib.Path("/proc").glob("[0-9]*"):  # Erlang's port mapper detaches itself: it is the one with our port in its environment
            try:
                ours = f"ERL_EPMD_PORT={self.epmd}".encode() in (p / "environ").read_bytes().split(b"\0")
                if ours and (p / "comm").read_text().strip() == "epmd":
                    os.kill(int(p.name), signal.SIGTERM)
            except (OSError, AttributeError):
                pass


class RabbitTransient(Rabbit):
    mode, variant, durable = "transient", "transient", False


class Nats(Server):
    name, client, mode, durable = "nats", "peers/nats", "JetStream, default", False

    def prepare(self):
        (self.directory / "conf").write_text(
            f'listen: "127.0.0.1:{self.port}"\nmax_pending: 1GB\njetstream {{ store_dir: "{self.directory}/js", max_file_store: 40GB }}\n')

    def command(self):
        return [find("nats-server"), "-c", str(self.directory / "conf")]


DURABLE = [Beanstalkd, Redis, Postgres, Rabbit]
RELAXED = [RedisEverySecond, PostgresAsync, Nats, RabbitTransient, BeanstalkdMemory]
