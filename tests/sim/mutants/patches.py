"""Planted bugs and what was found of them: BUILD/reliability/mutants.json. A result is of a patch's text, not of its name."""
import glob
import hashlib
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()[:16]


def here():
    """Name -> digest of each patch that is here."""
    return {os.path.basename(path)[:-6]: digest(path) for path in sorted(glob.glob(os.path.join(HERE, "*.patch")))}


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
    worlds = [int(m[1]) for m in (re.search(r"\((\d+) of", text) for text in results.values()) if m]
    return {"mutants": patches, "hunted": len(results), "caught": len(worlds), "most_worlds": max(worlds, default=0), "worlds": sum(worlds),
            "in_the_first": sum(w == 1 for w in worlds)}
