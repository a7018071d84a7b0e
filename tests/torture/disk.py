"""A disk that a test may fill, with a broker's data on it.

    disk = take(place, "project quota")    # of KINDS; unmounted with its place
    disk.kind, disk.refused                # what it came to be; {kind: why} of what this machine refused before that
    disk.carry(broker)                     # its data lies there
    disk.fill(leave)                       # all but so many bytes are taken. False: this disk has no end
    disk.is_full()                         # less than the broker's reserve is left, and that is our doing
    disk.loses_pages                       # full, it may refuse a page of a file that is mapped (SIGBUS)
    disk.empty()

A kind that is refused (who is not root, a kernel without quotas, a package that is not there) has an ext4 stand in for it, else a tmpfs, else a folder without an end.
"""
import ctypes
import os
import subprocess

DISK_BYTES = 48 << 20
RESERVE_BYTES = 8 << 20      # what a broker here wants to keep free
SHARED_BYTES = 256 << 20     # a file system of which a quota leaves us DISK_BYTES; as a file it is full of holes
PROJECT = 7


class Refused(Exception):
    """This machine does not give us such a disk."""


def must(*argv):
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Refused(f"there is no {argv[0]}") from None
    if done.returncode != 0:
        raise Refused(f"{argv[0]} refuses")  # its words name paths of this one place
    return done.stdout


class Limits(ctypes.Structure):
    """struct if_dqblk of linux/quota.h: of blocks, which are 1 KiB, and of inodes."""
    _fields_ = [(name, ctypes.c_uint64) for name in ("blocks_hard", "blocks_soft", "bytes_now", "inodes_hard", "inodes_soft", "inodes_now", "blocks_time", "inodes_time")] + \
        [("valid", ctypes.c_uint32)]


def limit_project(path, project, size):
    """No package needed for one call: quotactl_fd(2) has the same number on all machines, Q_SETQUOTA of PRJQUOTA."""
    libc, limits = ctypes.CDLL(None, use_errno=True), Limits(blocks_hard=size >> 10, valid=1)  # QIF_BLIMITS
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if libc.syscall(ctypes.c_long(443), ctypes.c_uint(folder), ctypes.c_uint(0x800008 << 8 | 2), ctypes.c_uint(project), ctypes.byref(limits)) != 0:
            raise Refused(f"quotactl: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(folder)


class Folder:
    """Where nothing can be mounted."""
    kind, words = "none", "a folder without an end"
    runner = ()  # in front of a program that works there
    loses_pages = False

    def __init__(self, place):
        self.top = self.path = place.path("disk")
        self.image, self.mounted, self.refused = place.path("disk.img"), False, {}
        os.makedirs(self.top, exist_ok=True)
        place.children.append(self)  # ended with its place, whatever happens

    def make(self):
        pass

    def carry(self, broker):
        broker.data = os.path.join(self.path, "data")
        broker.argv[broker.argv.index("--data") + 1] = broker.data
        broker.argv[:0] = self.runner

    def fill(self, leave):
        return False

    def is_full(self):
        return False

    def empty(self):
        pass

    def format(self, size, *argv):
        with open(self.image, "wb") as f:
            f.truncate(size)
        must(*argv, self.image)

    def mount(self, *argv):
        must("mount", *argv, self.top)
        self.mounted = True

    def end(self):
        if self.mounted:
            self.mounted = False
            subprocess.run(["umount", "-l", self.top], check=False)


class Tmpfs(Folder):
    kind, words = "tmpfs", "a tmpfs"
    loses_pages = True  # of the table of readers, which is long and hollow

    def make(self):
        self.mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs")

    @property
    def ballast(self):
        return os.path.join(self.path, "ballast")

    def left(self):
        told = os.statvfs(self.path)
        return told.f_bavail * told.f_frsize

    def fill(self, leave):
        free = self.left()
        with open(self.ballast, "ab", buffering=0) as f:
            try:
                while free > leave:
                    free -= f.write(bytes(min(free - leave, 1 << 20)))
            except OSError:
                pass  # full: that was the wish
        return True

    def is_full(self):
        return os.path.exists(self.ballast) and self.left() < RESERVE_BYTES

    def empty(self):
        if os.path.exists(self.ballast):
            os.unlink(self.ballast)


class Ext4(Tmpfs):
    """Blocks are promised late, as on a real disk."""
    kind, words = "ext4", "an ext4 in a file"
    loses_pages = False

    def make(self):
        self.format(DISK_BYTES, "mkfs.ext4", "-q", "-m", "0")
        self.mount("-o", "loop", self.image)


class ProjectQuota(Tmpfs):
    """A project's share of an ext4, which statvfs tells of its folder. A write beyond it fails with EDQUOT, though the file system has room."""
    kind, words = "project quota", "a project's quota of an ext4"
    loses_pages = False
    runner = ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource")  # whoever has this capability is not held to quotas

    def make(self):
        self.format(SHARED_BYTES, "mkfs.ext4", "-q", "-m", "0", "-I", "256", "-O", "quota,project", "-E", "quotatype=prjquota")
        self.mount("-o", "loop,prjquota", self.image)
        self.path = os.path.join(self.top, "project")
        os.mkdir(self.path)
        must("chattr", "-p", str(PROJECT), "+P", self.path)
        limit_project(self.path, PROJECT, DISK_BYTES)


class QuotaGroup(Folder):
    """A subvolume's quota group on a btrfs: EDQUOT, for which statvfs does not prepare anybody; and what is overwritten needs room, too. Filled is it by
    a limit that comes down to what is used."""
    kind, words = "quota group", "a quota group of a btrfs"
    GROUP = "0/256"  # of the first subvolume; named, since a limit that is set by way of a full subvolume is one more write that it refuses
    lowered = False
    loses_pages = True

    def make(self):
        self.format(SHARED_BYTES, "mkfs.btrfs", "-q", "-m", "single", "-d", "single")
        self.mount("-t", "btrfs", "-o", "loop", self.image)
        self.path = os.path.join(self.top, "group")
        must("btrfs", "quota", "enable", self.top)
        must("btrfs", "subvolume", "create", self.path)
        must("btrfs", "quota", "rescan", "-w", self.top)
        self.limit(DISK_BYTES)

    def limit(self, size):
        must("btrfs", "qgroup", "limit", str(size), self.GROUP, self.top)

    def fill(self, leave):
        used = must("btrfs", "qgroup", "show", "--raw", "--sync", "-f", self.path).splitlines()[-1].split()[1]
        self.limit(int(used) + leave)
        self.lowered = True
        return True

    def is_full(self):
        return self.lowered

    def empty(self):
        if self.lowered:
            self.limit(DISK_BYTES)
            self.lowered = False


KINDS = {disk.kind: disk for disk in (Tmpfs, Ext4, ProjectQuota, QuotaGroup)}


def take(place, kind):
    refused = {}
    for what in (KINDS[kind], Ext4, Tmpfs, Folder):
        if what.kind in refused:
            continue
        disk = what(place)
        try:
            disk.make()
            break
        except Refused as e:
            disk.end()
            refused[what.kind] = str(e)
    disk.refused = refused
    return disk


def counted(disk):
    """Names under which a storm counts it."""
    return ["disks: " + disk.kind] + [f"disks refused: {kind} ({why}; {disk.kind} instead)" for kind, why in disk.refused.items()]


def told(totals):
    """What became of those counts, in words."""
    had = [disk.words for kind, disk in KINDS.items() if totals.get("disks: " + kind)]
    refused = sorted(name.split(": ", 1)[1] for name in totals if name.startswith("disks refused: "))
    text = "filled were " + ", ".join(had) if had else "no file system of a fixed size was mounted: the limit on the size of files stands in"
    return text + ("; refused here: " + ", ".join(refused) if refused else "")
