"""A broker whose events are told as if they had happened earlier: it stands between a client and the broker, and moves the time of each event of a page.
What is published goes past it, from the broker's own endpoint.

    past = Past("ipc:///...", broker.endpoints["clients"], lambda seq, wall_us: wall_us - 5 * HOUR_US)
    past.endpoint, past.asked          # where it listens; each `since` that was asked for
    past.close()
"""
import threading

import msgpack
import zmq

EVENTS_GET, EVENTS = 70, 71
HOUR_US = 3600 * 1000000


class Past:
    def __init__(self, endpoint, broker, when):
        self.endpoint, self.asked, self.ended = endpoint, [], threading.Event()
        self.broker, self.when = broker, when
        self.context = zmq.Context()
        self.front = self.context.socket(zmq.ROUTER)
        self.front.bind(endpoint)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        backs = {}  # who -> his own connection to the broker: his requests have his numbers
        poller = zmq.Poller()
        poller.register(self.front, zmq.POLLIN)
        while not self.ended.is_set():
            ready = dict(poller.poll(50))
            if self.front in ready:
                who, body = self.front.recv_multipart()
                if who not in backs:
                    backs[who] = self.context.socket(zmq.DEALER)
                    backs[who].connect(self.broker)
                    poller.register(backs[who], zmq.POLLIN)
                fields = msgpack.unpackb(body, strict_map_key=False)
                if fields[1] == EVENTS_GET:
                    self.asked.append(fields[4])
                backs[who].send(body)
            for who, back in list(backs.items()):
                if back in ready:
                    self.front.send_multipart([who, self.moved(back.recv())])
        for socket in [self.front, *backs.values()]:
            socket.close(linger=0)

    def moved(self, body):
        fields = msgpack.unpackb(body, strict_map_key=False)
        if fields[1] != EVENTS:
            return body
        fields[6] = [[seq, number, self.when(seq, wall_us), *rest] for seq, number, wall_us, *rest in fields[6]]
        return msgpack.packb(fields)

    def close(self):
        self.ended.set()
        self.thread.join()
        self.context.term()
