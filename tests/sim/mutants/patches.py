"""Planted bugs and what was found of them: BUILD/reliability/mutants.json. A result is of a patch's text, not of its name.

What a result tells: "seed 5001 (2 of 60): broken; seed 5003 (4 of 60): fifo, lost": what found it first, and, if that was not how it must be found, the first that was. Or
"seed 5001 (2 of 60): broken; no verdict by 14 worlds", "not found by 60 worlds": it was not found as it must be.
"""
import glob
import hashlib
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
NO_VERDICTS = {"broken": "a check of the simulator's own", "crash": "an assertion or a crash", "stands still": "a world that came to no end"}


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()[:16]


def here():
    """Name -> digest of each patch that is here."""
    return {os.path.basename(path)[:-6]: digest(path) for path in sorted(glob.glob(os.path.join(HERE, "*.patch")))}


def found_by(head):
    """What a patch's head says that it is found by in the checker's place, with the reason; None: the checker itself must find it."""
    found = re.search(r"^Found by: (.+)$", head, re.M)
    return found and found[1]


def instead(head):
    """The same as what a world finds: of NO_VERDICTS."""
    by = found_by(head)
    if not by:
        return None
    for kind, said in NO_VERDICTS.items():
        if by.startswith(said + " ("):
            return kind
    raise ValueError(f"a head says Found by: {by}, and that is none of " + "; ".join(NO_VERDICTS.values()))


def worlds_with(head):
    """What a patch's head says that a world must have to be one of its worlds, in the words of sunline-sim --plan."""
    found = re.search(r"^Worlds: (.+)$", head, re.M)
    return found[1].split(", ") if found else []


def verdicts(found):
    """Those of the checker in what a world found."""
    return [x for x in found.split(", ") if x not in NO_VERDICTS]


def parts(result):
    """Each world that a result tells of: which of how many it was, and what it found."""
    return [(int(m[1]), m[2]) for m in re.finditer(r"\((\d+) of \d+\): ([\w ,]+)", result)]


def missed(result):
    """It was not found as it must be."""
    return re.search(r"(?:no verdict|not [\w ]+) by \d+ worlds$", result) is not None


def has_verdict(result):
    return any(verdicts(found) for _, found in parts(result))


def without_verdict(results):
    """Name -> what found it, of those that were found by no verdict of the checker."""
    return {name: parts(text)[-1][1] for name, text in sorted(results.items()) if parts(text) and not missed(text) and not has_verdict(text)}


def of_these(told, patches):
    """Of what a file tells, what is of one of these patches as it is. One that changed since, or is gone, is another bug; so is one of which the file does not tell what it was."""
    was = told.get("patches", {})
    names = [name for name in patches if name in told["mutants"] and was.get(name) == patches[name]]
    out = dict(told, **{key: {name: told[key][name] for name in names} for key in ("mutants", "commits")}, patches={name: was[name] for name in names})
    # How long each took is not told: a share.
    out["seconds"] = round(told["seconds"] * len(names) / max(len(told["mutants"]), 1), 1)
    out["what"] = sums(out["mutants"], len(patches))
    return out


def sums(results, patches):
    first = [parts(text)[0][0] for text in results.values() if parts(text) and not missed(text)]
    return {"mutants": patches, "hunted": len(results), "caught": len(first), "by_verdict": sum(map(has_verdict, results.values())), "most_worlds": max(first, default=0),
            "worlds": sum(first), "in_the_first": sum(w == 1 for w in first)}
