"""A TCP link with faults, for machines whose kernel has no netem: accepts on a port of its own, joins each connection to the target, and delays, cuts one
way, swallows everything (half-open: both sides believe in it), or breaks the connections off. One thread, one loop; orders come over a pipe.

    link = Proxy(target_port)        # link.port
    link.order("delay 0.05"); link.order("cut up"); link.order("cut down"); link.order("hold"); link.order("break"); link.order("clear")
    link.close()
Bytes that were held back or delayed go on in their order when the fault is over: TCP loses nothing, it is late; what a cut swallowed is gone with its connection,
as after a reset: `clear` breaks such connections off.
"""
import collections
import os
import selectors
import socket
import threading
import time

CHUNK = 65536
HELD_MAX = 1 << 20  # of one direction: then the sender is not read any more, as with a full TCP window


class Flow:
    """One direction of one connection."""

    def __init__(self, source, sink, way):
        self.source, self.sink, self.way = source, sink, way
        self.queue, self.bytes, self.torn = collections.deque(), 0, False  # (due, data)


class Proxy:
    def __init__(self, target_port):
        self.target = target_port
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.order_out, self.order_in = os.pipe()
        self.delay, self.cut, self.held = 0.0, set(), False
        self.flows = {}  # source socket -> Flow
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def order(self, text):
        os.write(self.order_in, (text + "\n").encode())

    def close(self):
        self.order("end")
        self.thread.join(10)
        for fd in (self.order_in, self.order_out):
            os.close(fd)

    # ---- the thread
    def obey(self, order):
        word, _, rest = order.partition(" ")
        if word == "delay":
            self.delay = float(rest)
        elif word == "cut":
            self.cut.add(rest)
        elif word == "hold":
            self.held = True
        elif word == "break":
            self.drop_all()
        elif word == "clear":
            self.delay, self.cut, self.held = 0.0, set(), False
            for flow in [f for f in self.flows.values() if f.torn]:
                self.drop(flow.source)
        return word != "end"

    def accept(self):
        near, _ = self.listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self.target), timeout=1)
        except OSError:
            near.close()
            return
        for s in (near, far):
            s.setblocking(False)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.flows[near], self.flows[far] = Flow(near, far, "up"), Flow(far, near, "down")

    def drop(self, source):
        flow = self.flows.pop(source, None)
        if flow is not None:
            self.flows.pop(flow.sink, None)
            source.close()
            flow.sink.close()

    def drop_all(self):
        for source in list(self.flows):
            self.drop(source)

    def take(self, flow):
        try:
            data = flow.source.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            return self.drop(flow.source)
        if flow.way in self.cut:
            flow.torn = True
        else:
            flow.queue.append((time.monotonic() + self.delay, data))
            flow.bytes += len(data)

    def pass_on(self, flow, now):
        while flow.queue and flow.queue[0][0] <= now and not self.held:
            due, data = flow.queue[0]
            try:
                n = flow.sink.send(data)
            except BlockingIOError:
                return
            except OSError:
                return self.drop(flow.source)
            flow.bytes -= n
            if n < len(data):
                flow.queue[0] = (due, data[n:])
                return
            flow.queue.popleft()

    def run(self):
        while True:
            now = time.monotonic()
            for flow in list(self.flows.values()):
                if flow.source in self.flows:
                    self.pass_on(flow, now)
            waits = [f.queue[0][0] - now for f in self.flows.values() if f.queue and not self.held]
            with selectors.DefaultSelector() as s:
                s.register(self.listener, selectors.EVENT_READ)
                s.register(self.order_out, selectors.EVENT_READ)
                for flow in self.flows.values():
                    if flow.bytes < HELD_MAX:
                        s.register(flow.source, selectors.EVENT_READ, flow)
                for key, _ in s.select(max(0.001, min(waits)) if waits else 0.5):
                    if key.fileobj is self.listener:
                        self.accept()
                    elif key.fileobj == self.order_out:
                        for order in os.read(self.order_out, 4096).decode().split("\n"):
                            if order and not self.obey(order):
                                self.drop_all()
                                self.listener.close()
                                return
                    elif key.fileobj in self.flows:
                        self.take(key.data)
