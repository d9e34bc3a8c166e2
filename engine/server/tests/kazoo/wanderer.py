"""A client that goes to the next server of its list before every other thing, about, that a test asks of it.

Which ones is the fall of a seeded coin: a recipe that waits, and begins again whenever its connection was lost meanwhile,
would never wait undisturbed if the same step of it always cost the connection. It goes only while none of its requests is on its way, for nobody could tell what became of one; so each test must get the
same answers as if it had stayed. The session goes along, and so do its ephemeral nodes and its identities; one-shot watches
do not: kazoo gives them up with the connection, as its recipes know. What kazoo does on threads of its own (arming watches
again when it is back, for example) makes it go nowhere, or it would never rest.
"""

import itertools
import random
import socket
import threading
import time

from kazoo.client import KazooClient
from kazoo.protocol.serialization import Auth
from kazoo.protocol.states import KazooState
from servers import PATIENCE

# Threads whose name begins so belong to tests.
TEST_THREAD = "test-"


def is_a_tests_thread():
    thread = threading.current_thread()
    return thread is threading.main_thread() or thread.name.startswith(TEST_THREAD)


seeds = itertools.count(1)


class Wanderer(KazooClient):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.coin = random.Random(next(seeds))
        self.asking = threading.Lock()
        self.asked = []
        self.arrivals = 0
        self.add_listener(self.count_arrival)

    def count_arrival(self, state):
        if state == KazooState.CONNECTED:
            self.arrivals += 1

    def _call(self, request, async_object):
        with self.asking:
            self.asked = [each for each in self.asked if not each.ready()]
            idle = self.connected and not self.asked
            if idle and is_a_tests_thread() and not isinstance(request, Auth) and self.coin.random() < 0.5:
                self.move_on()
            self.asked.append(async_object)
            return super()._call(request, async_object)

    def move_on(self):
        before = self.arrivals
        self._connection._socket.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + PATIENCE
        while self.arrivals == before:
            assert time.monotonic() < deadline, "no server took the session"
            time.sleep(0.001)
