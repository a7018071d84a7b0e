"""An independent speaker of Sunline's protocol, for tests: pyzmq, msgpack and the tables of proto/PROTOCOL.md, nothing of the C code.
What it knows of messages it reads from the document, so that the document is tested with every use.

    client = Client(endpoint)
    run = client.request("run_start", line="pairs", name="monday")   # reply as a dict by field names; refused: SunlineError
    agent = Agent(endpoint, hub="nairobi")
    agent.hello(); agent.roster([{"name": "r1", "kind": 1, "capacity": 4, "skills": []}]); agent.credit({"r1": 4})
    for a in agent.assignments(3): agent.submit([agent.result(a, ["yes"])])
    monitor = Monitor(endpoint, "run/monday")

Nothing sleeps for a fixed time: all waiting is a poll with a deadline. Not safe for threads, like its sockets.
"""
import hashlib
import math
import os
import re
import time

import msgpack
import zmq

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto", "PROTOCOL.md")
VERSION = 1
BODY_BYTES_MAX = 262144
DEPTH_MAX = 16
PAIRS_MAX = 1024
KEYS_MAX = 64
TEXT_BYTES_MAX = 512
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


# ---------------------------------------------------------------- the catalogue, out of the document
class Field:
    def __init__(self, key, name, kind, required, limit):
        self.key, self.name, self.kind, self.required, self.limit = key, name, kind, required, limit
        self.item = kind[len("list of "):] if kind.startswith("list of ") else None


class Shape:
    """A message (number and way are set) or an item."""

    def __init__(self, name, number=None, way=None):
        self.name, self.number, self.way, self.fields = name, number, way, []

    def field(self, name):
        for f in self.fields:
            if f.name == name:
                return f
        raise KeyError("%s has no field %s" % (self.name, name))


class Catalogue:
    def __init__(self, path=DOCUMENT):
        self.messages, self.items, self.by_number, self.errors, self.retry = {}, {}, {}, {}, {}
        shape = None
        with open(path, encoding="utf-8") as document:
            for line in document:
                heading = re.match(r"#+ ", line)
                message = re.match(r"### (\w+), number (\d+), (\w+)$", line)
                item = re.match(r"### item (\w+)$", line)
                field = re.match(r"\| (\d+) \| (\w+) \| ([\w ]+) \| (required|optional) \| (\d*) \|", line)
                error = re.match(r"\| (\d+) \| ([A-Z_]+) \| (OK|NOW|LATER|NEVER) \|", line)
                if message:
                    shape = Shape(message.group(1), int(message.group(2)), message.group(3))
                    self.messages[shape.name] = self.by_number[shape.number] = shape
                elif item:
                    shape = self.items[item.group(1)] = Shape(item.group(1))
                elif heading:
                    shape = None
                elif field and shape:
                    key, name, kind, required, limit = field.groups()
                    shape.fields.append(Field(int(key), name, kind.strip(), required == "required", int(limit or 0)))
                elif error:
                    self.errors[int(error.group(1))] = error.group(2)
                    self.retry[error.group(2)] = error.group(3)


CATALOGUE = Catalogue()
WAYS = {"C2B": {"C2B"}, "B2C": {"B2C"}, "A2B": {"A2B"}, "B2A": {"B2A"}, "B2X": {"B2C", "B2A"}, "B2M": {"B2M", "B2C"}}


class SunlineError(Exception):
    """The broker's refusal of a request."""

    def __init__(self, reply):
        self.code = CATALOGUE.errors.get(reply["code"], str(reply["code"]))
        self.retry, self.after_ms = reply["retry"], reply.get("after_ms")
        self.text, self.place, self.problems = reply["text"], reply.get("place"), reply.get("problems", [])
        super().__init__("%s at %s: %s" % (self.code, self.place, self.text))


class Refused(Exception):
    """A body that this side refuses. place is None where msgpack itself found the bytes bad."""

    def __init__(self, code, place=None):
        self.code, self.place = code, place
        super().__init__("%s at %s" % (code, place))


# ---------------------------------------------------------------- decoding
class Pairs(list):
    """A map as it came, so that keys that stand twice are seen."""


class Ext:
    def __init__(self, code, data):
        self.code, self.data = code, data


def unpack(data):
    try:
        return msgpack.unpackb(data, raw=False, unicode_errors="surrogateescape", strict_map_key=False, object_pairs_hook=Pairs, ext_hook=Ext)
    except Exception as e:  # msgpack has many ways to say no, and a value left over is one of them
        raise Refused("MALFORMED") from e


def utf8(text):
    return not any(0xD800 <= ord(c) < 0xE000 for c in text)


def packed_size(value):
    return len(msgpack.packb(plain(value), strict_types=False))


def plain(value):
    """Pairs become dicts; what plain Python people expect."""
    if isinstance(value, Pairs):
        return {k: plain(v) for k, v in value}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def too_deep(value, depth):
    if isinstance(value, list):
        if depth <= 0:
            return True
        inner = (v for _, v in value) if isinstance(value, Pairs) else value
        return any(too_deep(v, depth - 1) for v in inner)
    return False


def check_raw(value, place):
    if isinstance(value, Ext) or isinstance(value, float) and not math.isfinite(value):
        raise Refused("MALFORMED", place)
    if isinstance(value, str) and not utf8(value):
        raise Refused("MALFORMED", place)
    if isinstance(value, Pairs):
        keys = [(type(k), k) for k, _ in value]
        if len(keys) > PAIRS_MAX:
            raise Refused("TOO_MANY", place)
        if any(not (t is str or t is int and k >= 0) for t, k in keys):
            raise Refused("MALFORMED", place)
        if len(set(keys)) < len(keys):
            raise Refused("DUPLICATE_KEY", place)
        for k, v in value:
            check_raw(k, place)
            check_raw(v, place)
    elif isinstance(value, list):
        for v in value:
            check_raw(v, place)


def is_list(value):
    return isinstance(value, list) and not isinstance(value, Pairs)


def is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def need(good, code, place):
    if not good:
        raise Refused(code, place)


def decode_text(f, value, place):
    need(isinstance(value, str), "BAD_TYPE", place)
    size = len(value.encode("utf-8", "surrogateescape"))
    if f.kind == "NAME":
        need(NAME.fullmatch(value), "BAD_NAME", place)
    need(not f.limit or size <= f.limit, "TOO_BIG", place)
    need(utf8(value), "MALFORMED", place)
    return value


def decode_element(f, value, place):
    if f.kind == "U64S":
        need(is_int(value) and value >= 0, "BAD_TYPE", place)
    elif f.kind == "STRS":
        decode_text(Field(0, "", "STR", True, TEXT_BYTES_MAX), value, place)
    elif f.kind == "RAWS":
        check_raw(value, place)
    else:
        need(is_list(value), "BAD_TYPE", place)
        return decode_item(CATALOGUE.items[f.item], value, place)
    return plain(value)


def decode_value(f, value, place):
    if f.kind == "RAW":
        check_raw(value, place)
        need(not f.limit or packed_size(value) <= f.limit, "TOO_BIG", place)
        return plain(value)
    if f.kind in ("STR", "NAME"):
        return decode_text(f, value, place)
    if f.kind == "U64":
        need(is_int(value) and value >= 0, "BAD_TYPE", place)
        need(not f.limit or value <= f.limit, "BAD_VALUE", place)
    elif f.kind == "I64":
        need(is_int(value), "BAD_TYPE", place)
        need(value < 2 ** 63, "BAD_VALUE", place)
    elif f.kind == "BOOL":
        need(isinstance(value, bool), "BAD_TYPE", place)
    elif f.kind == "BIN":
        need(isinstance(value, bytes), "BAD_TYPE", place)
        need(not f.limit or len(value) <= f.limit, "TOO_BIG", place)
    else:
        need(is_list(value), "BAD_TYPE", place)
        need(not f.limit or len(value) <= f.limit, "TOO_MANY", place)
        return [decode_element(f, v, "%s[%d]" % (place, i)) for i, v in enumerate(value)]
    return value


def decode_fields(shape, values, place):
    """values: key or position -> value. Optional fields that are absent or nil are not in the answer."""
    out = {}
    for f in shape.fields:
        here = "%s.%s" % (place, f.name)
        if f.key not in values:
            need(not f.required, "MISSING_FIELD", here)
        elif values[f.key] is not None or f.required:
            out[f.name] = decode_value(f, values[f.key], here)
    return out


def decode_item(shape, values, place):
    return decode_fields(shape, dict(enumerate(values)), place)


def decode(data, ways):
    """Body -> (message name, request id, fields). ways: a set of directions that are taken."""
    need(len(data) <= BODY_BYTES_MAX, "TOO_BIG", "body")
    body = unpack(data)
    need(isinstance(body, Pairs), "MALFORMED", "body")
    need(not too_deep(body, DEPTH_MAX), "MALFORMED", None)
    values = {}
    for i, (key, value) in enumerate(body):
        need(is_int(key) and key >= 0, "BAD_TYPE", "[%d]" % i)
        need(key < KEYS_MAX, "BAD_VALUE", "[%d]" % key)
        need(key not in values, "DUPLICATE_KEY", "[%d]" % key)
        values[key] = value
    for key, name in ((0, "version"), (1, "type")):
        need(key in values, "MISSING_FIELD", name)
        need(is_int(values[key]) and values[key] >= 0, "BAD_TYPE", name)
        need(key != 0 or values[0] == VERSION, "BAD_VERSION", name)
    request_id = values.get(2, 0)
    need(is_int(request_id) and request_id >= 0, "BAD_TYPE", "id")
    shape = CATALOGUE.by_number.get(values[1])
    need(shape and WAYS[shape.way] & ways, "UNKNOWN_MESSAGE", "type")
    return shape.name, request_id, decode_fields(shape, values, shape.name)


# ---------------------------------------------------------------- encoding: no checks, tests want to send nonsense too
def encode_value(f, value):
    if f.item and value is not None:
        return [encode_item(CATALOGUE.items[f.item], v) for v in value]
    return value


def encode_item(shape, value):
    if not isinstance(value, dict):
        return value  # positions, as they are
    for name in value:
        shape.field(name)
    out = [encode_value(f, value.get(f.name)) for f in shape.fields]
    while out and out[-1] is None and not shape.fields[len(out) - 1].required:
        out.pop()
    return out


def encode(name, request_id=0, /, **fields):
    shape = CATALOGUE.messages[name]
    body = {0: VERSION, 1: shape.number}
    if request_id:
        body[2] = request_id
    for field_name in fields:
        shape.field(field_name)
    for f in shape.fields:
        if fields.get(f.name) is not None or f.name in fields and f.required:
            body[f.key] = encode_value(f, fields[f.name])
    return msgpack.packb(body, use_bin_type=True)


# ---------------------------------------------------------------- peers
class Timeout(AssertionError):
    pass


class Peer:
    """A DEALER that numbers its requests and keeps what nobody has asked for yet."""
    takes = set()

    def __init__(self, endpoint, context=None):
        self.endpoint = endpoint
        self.socket = (context or zmq.Context.instance()).socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 1000)
        self.socket.connect(endpoint)
        self.last_id = 0
        self.replies = {}  # request id -> (name, fields)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, *frames):
        self.socket.send_multipart(list(frames))

    def send(self, name, /, **fields):
        """Send, do not wait. Returns the request id."""
        self.last_id += 1
        self.socket.send(encode(name, self.last_id, **fields))
        return self.last_id

    def unasked(self, name, request_id, fields):
        """A message that is no reply: agents have them."""
        raise AssertionError("%s came without being asked for" % name)

    def is_reply(self, name, request_id):
        return request_id != 0

    def pump(self, timeout_s):
        """Take in one message, if there is one within the time. True if so."""
        if not self.socket.poll(max(0, int(timeout_s * 1000))):
            return False
        frames = self.socket.recv_multipart()
        assert len(frames) == 1, "a message of %d frames" % len(frames)
        name, request_id, fields = decode(frames[0], self.takes)
        if self.is_reply(name, request_id):
            self.replies[request_id] = (name, fields)
        else:
            self.unasked(name, request_id, fields)
        return True

    def until(self, condition, timeout_s, what):
        deadline = time.monotonic() + timeout_s
        while True:
            value = condition()
            if value:
                return value
            if not self.pump(deadline - time.monotonic()) and time.monotonic() >= deadline:
                raise Timeout("waited %s s for %s" % (timeout_s, what))

    def reply(self, request_id, timeout_s=10):
        """The reply to a request as (name, fields); a refusal raises SunlineError."""
        self.until(lambda: request_id in self.replies, timeout_s, "the reply to request %d" % request_id)
        name, fields = self.replies.pop(request_id)
        if name == "error":
            raise SunlineError(fields)
        return name, fields

    def request(self, name, /, timeout_s=10, **fields):
        """Send, wait; returns the reply's fields by name."""
        return self.reply(self.send(name, **fields), timeout_s)[1]


class Client(Peer):
    """A producer or an operator."""
    takes = {"B2C"}

    def pages(self, name, /, rows="rows", cursor=None, key=None, **fields):
        """Every row of a listing that goes by `more`: cursor is the request's field, key the row's."""
        while True:
            page = self.request(name, **fields)
            yield from page[rows]
            if not page.get("more"):
                return
            fields[cursor] = page[rows][-1][key]


class Agent(Peer):
    """A hub's agent. It keeps what it was pushed (self.pushed) and told (self.recalled, self.controls)."""
    takes = {"B2A"}

    def __init__(self, endpoint, hub, incarnation=None, data_id=None, zone="Africa/Nairobi", context=None):
        super().__init__(endpoint, context)
        self.hub, self.zone = hub, zone
        self.incarnation = incarnation or time.time_ns()
        self.data_id = data_id or os.urandom(16)
        self.session, self.welcome, self.digest = 0, None, bytes(32)
        self.workers = {}     # name -> number
        self.totals = {}      # number -> credit granted in this session
        self.pushed = []      # assignments nobody has taken out yet, each with its push under "push"
        self.recalled = []    # (assignment, code)
        self.controls = []
        self.last_push = 0

    def is_reply(self, name, request_id):
        return request_id != 0 and name not in ("push", "recall", "control")

    def unasked(self, name, request_id, fields):
        if name == "push":
            if fields["session"] != self.session:
                return  # of a session that is over
            assert fields["push_no"] == self.last_push + 1, "push %d after %d" % (fields["push_no"], self.last_push)
            self.last_push = fields["push_no"]
            for a in fields["assignments"]:
                self.pushed.append(dict(a, push=fields))
        elif name == "recall":
            self.recalled += [(a, fields["code"]) for a in fields["assignments"]]
            gone = set(fields["assignments"])
            self.pushed = [a for a in self.pushed if a["assignment"] not in gone]
        elif name == "control":
            self.controls.append(fields["order"])
        else:
            super().unasked(name, request_id, fields)

    def hello(self, held=(), takeover=None, timeout_s=10, **more):
        fields = {"hub": self.hub, "incarnation": self.incarnation, "data_id": self.data_id, "takeover": takeover, "zone": self.zone,
                  "roster_digest": self.digest, "held": list(held), "wall_us": time.time_ns() // 1000, **more}
        # pushes of the new session may come right behind the welcome: know it before they are looked at
        request_id = self.send("hello", **fields)
        self.last_push, self.totals, self.session = 0, {}, 0
        name, welcome = self.reply(request_id, timeout_s)
        assert name == "welcome", name
        self.welcome, self.session = welcome, welcome["session"]
        return welcome

    def pump(self, timeout_s):
        took = super().pump(timeout_s)
        if took and self.session == 0:
            for name, fields in self.replies.values():
                if name == "welcome":
                    self.session = fields["session"]
        return took

    def roster(self, workers, timeout_s=10):
        """workers: dicts of item worker_def. Sends them in one frame; returns name -> number."""
        self.digest = hashlib.sha256(msgpack.packb([sorted(w.items()) for w in workers])).digest()
        done = self.request("roster", timeout_s, session=self.session, digest=self.digest, workers=workers, last=True)
        self.workers = dict(zip((w["name"] for w in workers), done["workers"]))
        return self.workers

    def shifts(self, shifts, overtime_us=0, timeout_s=10):
        """shifts: name -> list of (beginning, end) in microseconds of UTC. All that the hub has, in one frame."""
        rows = [{"name": name, "zone": self.zone, "text": "", "overtime_us": overtime_us, "times": [t for span in times for t in span]}
                for name, times in sorted(shifts.items())]
        digest = hashlib.sha256(msgpack.packb([sorted(r.items()) for r in rows])).digest()
        until = time.time_ns() // 1000 + 8 * 86400 * 1000000
        self.request("shifts", timeout_s, session=self.session, digest=digest, shifts=rows, until_wall_us=until, last=True)

    def number(self, worker):
        return self.workers[worker] if isinstance(worker, str) else worker

    def more_credit(self, grants):
        """{worker name or number: how many more} as a list of cumulative totals."""
        out = []
        for worker, more in grants.items():
            n = self.number(worker)
            self.totals[n] = self.totals.get(n, 0) + more
            out.append({"worker": n, "total": self.totals[n]})
        return out

    def credit(self, grants):
        """Not answered. Returns the request id: reply(id) raises the refusal, if one comes."""
        return self.send("credit", session=self.session, grants=self.more_credit(grants))

    def sign_off(self, workers):
        return self.send("credit", session=self.session, sign_off=[self.number(w) for w in workers])

    def assignments(self, count=1, timeout_s=10):
        """Wait until `count` assignments are here, and take them out."""
        self.until(lambda: len(self.pushed) >= count, timeout_s, "%d assignments" % count)
        taken, self.pushed = self.pushed[:count], self.pushed[count:]
        return taken

    @staticmethod
    def result(assignment, values, **more):
        return {"assignment": assignment["assignment"], "worker": assignment["worker"], "values": values, **more}

    @staticmethod
    def act(what, assignment, **more):
        acts = ["start", "touch", "release", "decline", "fail", "bury"]
        return {"act": acts.index(what), "assignment": assignment["assignment"], "worker": assignment["worker"], **more}

    def submit(self, results, grants=None, timeout_s=10):
        """Returns {"ok": n, "outcomes": [...]} with codes by name."""
        return self.outcomes(self.request("submit", timeout_s, session=self.session, results=results, grants=self.more_credit(grants or {}) or None))

    def acts(self, acts, grants=None, timeout_s=10):
        return self.outcomes(self.request("acts", timeout_s, session=self.session, acts=acts, grants=self.more_credit(grants or {}) or None))

    @staticmethod
    def outcomes(reply):
        named = [dict(o, code=CATALOGUE.errors[o["code"]]) for o in reply.get("outcomes", [])]
        return {"ok": reply["ok"], "outcomes": named}

    def start(self, assignment, timeout_s=10):
        """Outcome's code name of one start."""
        return self.acts([self.act("start", assignment)], timeout_s=timeout_s)["outcomes"][0]["code"]

    def heartbeat(self, held=0, timeout_s=10):
        return self.request("heartbeat", timeout_s, session=self.session, last_push=self.last_push, held=held, wall_us=time.time_ns() // 1000)

    def form(self, station_id, timeout_s=10):
        return self.request("form_get", timeout_s, station_id=station_id)

    def bye(self, timeout_s=10):
        self.request("bye", timeout_s, session=self.session)
        self.session = 0


class Monitor:
    """A subscriber. topic: a stream's name ("all", "run/monday"), or a prefix with whole=False ("run/")."""

    def __init__(self, endpoint, topic="all", whole=True, context=None):
        self.socket = (context or zmq.Context.instance()).socket(zmq.SUB)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode() + (b"\0" if whole else b""))
        self.socket.connect(endpoint)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def frame(self, timeout_s=10):
        """The next published frame as (stream, fields of `events`)."""
        if not self.socket.poll(max(0, int(timeout_s * 1000))):
            raise Timeout("waited %s s for an event" % timeout_s)
        topic, body = self.socket.recv_multipart()
        name, _, fields = decode(body, {"B2M"})
        assert name == "events", name
        assert topic == fields["stream"].encode() + b"\0", topic
        return fields["stream"], fields
