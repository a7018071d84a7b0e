"""Debian starts a peer's service when it installs it. Whatever of them runs beside the measured ones has a share of the same disk and processors."""
import os
import pathlib
import subprocess
import sys
import time

import servers

# Debian's package, which is also its service -> its process, and what stands in its command line.
PROCESSES = {"beanstalkd": ("beanstalkd", ""), "redis-server": ("redis-server", ""), "postgresql": ("postgres", ""), "rabbitmq-server": ("beam.smp", "rabbit"),
             "nats-server": ("nats-server", "")}


def running():
    """Service -> the first of its processes."""
    found = {}
    for p in sorted(pathlib.Path("/proc").glob("[0-9]*"), key=lambda p: int(p.name)):
        try:
            name, line = (p / "comm").read_text().strip(), (p / "cmdline").read_text(errors="replace")
        except OSError:
            continue                       # it has ended meanwhile
        for service, (process, words) in PROCESSES.items():
            if name == process and words in line and servers.runs(int(p.name)):
                found.setdefault(service, int(p.name))
    return found


def stopping(service):
    return ["systemctl", "stop", service] if os.path.isdir("/run/systemd/system") else ["service", service, "stop"]


def clear(installed):
    """Stop those that came with packages which were installed for this run: nobody uses them yet. Any other is somebody's: it is named, and nothing is measured."""
    for service, pid in running().items():
        if service not in installed:
            sys.exit(f"{service} runs here (process {pid}), and would have its share of what is measured. Stop it first (as a service: `{' '.join(stopping(service))}`), or ARGS=--beside-others.")
        print(f"{service}, which its installation has started, is stopped", file=sys.stderr)
        subprocess.run(stopping(service), check=False)
        end = time.monotonic() + 30
        while service in running():
            if time.monotonic() > end:
                sys.exit(f"{service} does not stop: `{' '.join(stopping(service))}`")
            time.sleep(0.1)
