"""Stores that released versions made (tests/fixtures/VERSION, by tests/fixtures/make), and what they said about them."""
import json
import lzma
import os
import tarfile

import harness

FIXTURES = os.path.join(harness.TOP, "tests", "fixtures")
VERSIONS = sorted(name for name in os.listdir(FIXTURES) if os.path.isdir(os.path.join(FIXTURES, name)))
# What a hub has not started stays with it, however long nothing is heard of it.
SETTINGS = ("--set", "grace=20h", "--set", "start_by=30h")


def said(version):
    """{"facts": ..., "store": {"answers": ..., "events": ...}, "backup": ...}"""
    with lzma.open(os.path.join(FIXTURES, version, "answers.json.xz"), "rt") as f:
        return json.load(f)


def unpack(version, name, folder):
    """One of store, backup, agent, as `folder`."""
    parent = os.path.dirname(folder)
    with tarfile.open(os.path.join(FIXTURES, version, "data.tar.xz")) as tar:
        members = [m for m in tar.getmembers() if m.name.split("/")[0] == name]
        for m in members:
            m.name = os.path.basename(folder) + m.name[len(name):]
            tar.extract(m, parent)
    return folder
