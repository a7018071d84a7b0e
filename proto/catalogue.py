#!/usr/bin/python3
"""The catalogue's way into the document: reads messages.def, errors.def and limits.h, and writes the tables of PROTOCOL.md
between the marks that stand there. `proto/catalogue.py` rewrites the file; `--check` only says whether it is up to date.
A test calls read_messages() too, and compares with what the Python client read out of the document."""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
WAYS = {"C2B": "client to broker", "B2C": "broker to client", "A2B": "agent to broker", "B2A": "broker to agent",
        "B2X": "broker to client or agent", "B2M": "broker to monitor or client"}


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return f.read()


def read_limits():
    """Every #define of limits.h whose value is arithmetic: name -> int."""
    limits = {}
    for name, value in re.findall(r"^#define (SL_\w+) (.+?)\s*(?:/\*.*)?$", read("limits.h"), re.M):
        value = re.sub(r"(?<=\d)(?:ull|ll)\b", "", value)
        if re.fullmatch(r"[\d\s*()+-]+", value):
            limits[name] = eval(value, {"__builtins__": {}})  # digits and operators only, as matched above
    return limits


def arguments(text):
    """Split the inside of a macro call at its commas; the last argument is a C string."""
    head, what = re.fullmatch(r'(.*?),?\s*"((?:[^"\\]|\\.)*)"\s*', text).groups()
    return [a.strip() for a in head.split(",") if a.strip()] + [what.replace('\\"', '"')]


def read_messages():
    """(items, messages): lists of {name, what, fields: [{key, type, name, required, max, what}]}, messages also number and way."""
    limits, items, messages, current = read_limits(), [], [], None
    text = re.sub(r"/\*.*?\*/", "", read("messages.def"), flags=re.S)
    for line in text.splitlines():
        m = re.match(r"(ITEM|I|MSG|F)\((.*)\)\s*$", line)
        if not m:
            continue
        a = arguments(m.group(2))
        if m.group(1) == "ITEM":
            current = {"name": a[0], "what": a[1], "fields": []}
            items.append(current)
        elif m.group(1) == "MSG":
            current = {"name": a[1], "number": int(a[2]), "way": a[3], "what": a[4], "fields": []}
            messages.append(current)
        else:
            key = int(a.pop(1)) if m.group(1) == "F" else len(current["fields"])
            limit = limits[a[4]] if a[4] in limits else int(a[4])
            current["fields"].append({"key": key, "type": a[1], "name": a[2], "required": a[3] == "R", "max": limit, "what": a[5]})
    return items, messages


def read_errors():
    """[(number, name, retry, text)]"""
    return [(int(n), name, retry, text)
            for name, n, retry, text in re.findall(r'^ERR\((\w+), (\d+), (\w+), "(.*)"\)', read("errors.def"), re.M)]


def sentence(text):
    return text[0].upper() + text[1:] + "."


def type_words(t):
    return "list of " + t[5:] if t.startswith("LIST_") else t


def field_table(fields, first):
    rows = ["| %s | field | type | | limit | meaning |" % first, "|---|---|---|---|---|---|"]
    for f in fields:
        rows.append("| %d | %s | %s | %s | %s | %s |" % (f["key"], f["name"], type_words(f["type"]), "required" if f["required"] else "optional",
                                                      f["max"] or "", f["what"].replace("|", "\\|")))
    return rows


def tables():
    items, messages = read_messages()
    out = {"errors": ["| code | name | retry | meaning |", "|---|---|---|---|"], "items": [], "messages": []}
    out["errors"] += ["| %d | %s | %s | %s |" % e for e in read_errors()]
    for item in items:
        out["items"] += ["### item %s" % item["name"], sentence(item["what"]), ""] + field_table(item["fields"], "place") + [""]
    for m in messages:
        out["messages"] += ["### %s, number %d, %s" % (m["name"], m["number"], m["way"]), sentence(WAYS[m["way"]] + ": " + m["what"]), ""]
        out["messages"] += field_table(m["fields"], "key") + [""] if m["fields"] else ["No fields.", ""]
    return out


def filled(document):
    for name, rows in tables().items():
        mark = re.compile(r"(<!-- made by proto/catalogue.py: %s -->\n).*?(<!-- end -->)" % name, re.S)
        if not mark.search(document):
            sys.exit("PROTOCOL.md has no place for %s" % name)
        document = mark.sub(lambda m: m.group(1) + "\n".join(rows).rstrip("\n") + "\n" + m.group(2), document)
    return document


def main():
    path = os.path.join(HERE, "PROTOCOL.md")
    old = read("PROTOCOL.md")
    new = filled(old)
    if "--check" in sys.argv:
        sys.exit(0 if new == old else "PROTOCOL.md is not what messages.def says: run proto/catalogue.py")
    with open(path, "w", encoding="utf-8") as f:
        f.write(new)


if __name__ == "__main__":
    main()
