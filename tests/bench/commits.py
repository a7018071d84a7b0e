"""Which commit was measured: figures of two commits are not compared, nor put into one page, unless what they measure is the same in both."""
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
DERIVED = ("budget",)            # made of other parts
PRODUCT = ("Makefile", "proto", "broker", "client", "worker-agent")   # what is measured, and how it is built
BENCH = "tests/bench"
# Of the bench, what starts the parts, puts their rounds together, holds figures against each other, and makes words and tables of them: it may change after a run. All else measures.
TELLS = ("budget.py", "check", "commits.py", "document", "figures.py", "goals.py", "parts.py", "recorded.json", "records.json", "report.py", "report_alone.py", "report_profile.py", "run", "verdict.py", "why.py")
# What measures these parts, and no others: only they are not the same any more if it changes.
MEASURES = {"agents.py": ("workers",), "workers": ("workers",), "bench_workers.c": ("workers",), "events": ("events",), "bench_events.c": ("events",),
            "handovers.py": ("alone",), "schedule.py": ("alone", "profile"), "profiles.py": ("profile",)}


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


def alike(*commits, paths):
    """Whether nothing of these differs between two commits, or one and what is here."""
    if not all(commits) or any(c.endswith("-dirty") for c in commits):
        return False
    done = git("diff", "--quiet", *commits, "--", *paths)
    return done is not None and done.returncode == 0


def same_product(one, other):
    return one == other or alike(one or "", other or "", paths=PRODUCT)


def whole(result):
    """The commit that it is of: the setting's, where parts are of others with the same product. Raises ValueError where they do not belong together, or tell none."""
    found = of(result)
    commit = found.get("setting") or next(iter(found.values()), "")
    if not all(same_product(commit, other) for other in found.values()):
        raise ValueError("it holds parts of several commits between which the product has changed: " + ", ".join(f"{name} {c or 'of none'}" for name, c in found.items()))
    if not commit:
        raise ValueError("it does not tell which commit it is of")
    return commit


def others(result):
    """Part -> its commit, of those that are not of the setting's."""
    found = of(result)
    return {name: c for name, c in found.items() if "setting" in found and c != found["setting"]}


def depends_on(part):
    """What its figures depend on, as git takes paths."""
    apart = [*TELLS, *(file for file, parts in MEASURES.items() if part not in parts)]
    return (*PRODUCT, BENCH, *(f":(exclude){BENCH}/{file}" for file in apart))


def is_here(commit, part):
    """Whether what is here measures that part the same: nothing that its figures depend on has changed since."""
    return alike(commit, paths=depends_on(part))
