#!/usr/bin/python3
"""A monitor in Python, written from proto/PROTOCOL.md and docs/events.md alone: how many units each run has done.

  monitor.py CLIENTS_ENDPOINT EVENTS_ENDPOINT UNITS [STREAM]

Past events come by events_get (message 70) from the client endpoint, new ones as published frames; a frame whose prev_seq is not the last one seen
shows a gap, which events_get closes. Ends when as many units are done as were asked for."""
import sys

import msgpack
import zmq

EVENTS_GET, EVENTS, UNITS_DONE = 70, 71, 16


class Monitor:
    def __init__(self, clients, events, stream):
        self.context, self.clients, self.stream = zmq.Context(), clients, stream
        self.last, self.done, self.request = 0, {}, 0
        self.asking = self.dealer()
        self.listening = self.context.socket(zmq.SUB)
        self.listening.subscribe(stream.encode() + b"\0")
        self.listening.connect(events)

    def dealer(self):
        socket = self.context.socket(zmq.DEALER)
        socket.linger = 0
        socket.connect(self.clients)
        return socket

    def take(self, body):
        """Events of one body; those that were seen are passed over."""
        for seq, kind, _, data, *_ in body[6]:
            if seq <= self.last:
                continue
            self.last = seq
            if kind == UNITS_DONE:
                self.done[data["run"]] = self.done.get(data["run"], 0) + sum(data["units"][1::2])

    def page(self):
        """Everything there is behind the last one seen."""
        more = True
        while more:
            self.request += 1
            self.asking.send(msgpack.packb({0: 1, 1: EVENTS_GET, 2: self.request, 4: self.last + 1, 5: self.stream}))
            while True:
                if not self.asking.poll(2000):  # nobody there: ask again later, on a fresh socket, so that no old answer is in the way
                    self.asking.close()
                    self.asking = self.dealer()
                    return
                body = msgpack.unpackb(self.asking.recv(), strict_map_key=False)
                if body.get(2) == self.request:
                    break
            if body[1] != EVENTS:
                sys.exit("refused: %r" % body)
            self.take(body)
            self.last = max(self.last, body[7] - 1)  # of a stream's page: so far nothing more is in it
            more = body.get(8, False)

    def run(self, wanted):
        self.page()
        while sum(self.done.values()) < wanted:
            if not self.listening.poll(1000):
                self.page()  # in silence, too: the last frames may have been lost
                continue
            _, body = self.listening.recv_multipart()
            body = msgpack.unpackb(body, strict_map_key=False)
            if body[5] > self.last:
                self.page()
            else:
                self.take(body)
        for run, done in sorted(self.done.items()):
            print("run %d: %d done" % (run, done))


if __name__ == "__main__":
    Monitor(sys.argv[1], sys.argv[2], sys.argv[4] if len(sys.argv) > 4 else "all").run(int(sys.argv[3]))
