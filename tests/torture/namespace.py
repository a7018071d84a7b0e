"""A network namespace of this process' own, whose loopback the kernel itself cuts and delays: everything that is started from here on lives in it.

    why_not = namespace.enter()       # "" or why this machine refuses one
    namespace.order("cut up 7711")    # what is sent to this port is dropped, answers still come; "cut down 7711": the other way round
    namespace.order("down")           # the link is gone
    namespace.order("slow")           # a narrow, delayed link that drops what its queue cannot hold
    namespace.order("clear")

Needs root, iproute2, and a kernel with namespaces; netem is not asked for: rules of routing cut, a token bucket delays and drops. TCP stands all of that
out by sending again, or its connection ends: which of the two is up to the length of the fault, as it is between continents.
"""
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
PREF_LOCAL, PREF_CUT = "100", "50"


def run(*argv):
    return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)


def must(*argv):
    done = run(*argv)
    if done.returncode != 0:
        raise OSError(f"{' '.join(argv)}: {done.stderr.strip()}")


def enter():
    """To be called before the first thread and the first socket. Returns why it was not possible, or ""."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        return f"unshare: {os.strerror(ctypes.get_errno())}"
    try:
        must("ip", "link", "set", "lo", "mtu", "1500", "up")  # packets that fit through the token bucket
        # Rules are gone through in order: the table of local addresses must not come first, or nothing else is ever asked.
        must("ip", "rule", "add", "from", "all", "lookup", "local", "pref", PREF_LOCAL)
        must("ip", "rule", "del", "pref", "0")
        for what in ("cut up 1", "slow"):
            order(what)
        order("clear")
    except OSError as e:
        run("ip", "link", "set", "lo", "up")
        return str(e)
    return ""


def order(text):
    what, *rest = text.split()
    if what == "cut":
        way, port = rest
        must("ip", "rule", "add", "ipproto", "tcp", "dport" if way == "up" else "sport", port, "blackhole", "pref", PREF_CUT)
    elif what == "down":
        must("ip", "link", "set", "lo", "down")
    elif what == "slow":
        must("tc", "qdisc", "replace", "dev", "lo", "root", "tbf", "rate", "4mbit", "burst", "64kb", "latency", "150ms")
    elif what == "clear":
        must("ip", "link", "set", "lo", "up")
        while run("ip", "rule", "del", "pref", PREF_CUT).returncode == 0:
            pass
        run("tc", "qdisc", "del", "dev", "lo", "root")
    else:
        raise ValueError(text)
