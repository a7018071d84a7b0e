"""Which commit was measured: figures of two commits are not compared, nor put into one page."""
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
DERIVED = ("budget",)            # made of other parts
# What figures depend on; the recorded ones and the page's words may change after a run.
MEASURED = ("Makefile", "proto", "broker", "client", "worker-agent", "tests/bench", ":(exclude)tests/bench/recorded.json")


def git(*args):
    try:
        return subprocess.run(["git", *args], cwd=TOP, capture_output=True, text=True)
    except OSError:
        return None


def now():
    """The commit that is here, with -dirty if something was changed since; "" where there is no git."""
    done = git("describe", "--always", "--dirty", "--exclude=*", "--abbrev=12")
    return done.stdout.strip() if done else ""


def of(result):
    """Part -> its commit, of all that a run's JSON holds; "" where it tells none."""
    return {name: part.get("commit") or part.get("setting", {}).get("commit") or "" for name, part in result.items() if name not in DERIVED}


def only(result):
    """The one commit of them all. Raises ValueError where there are several, or none."""
    found = of(result)
    if len(set(found.values())) != 1:
        raise ValueError("it holds parts of several commits: " + ", ".join(f"{name} {commit or 'of none'}" for name, commit in found.items()))
    commit = next(iter(found.values()))
    if not commit:
        raise ValueError("it does not tell which commit it is of")
    return commit


def is_here(commit):
    """Whether what is here measures the same: nothing that figures depend on has changed since."""
    if not commit or commit.endswith("-dirty"):
        return False
    done = git("diff", "--quiet", commit, "--", *MEASURED)
    return done is not None and done.returncode == 0
