"""A server for kazoo to talk to: Ringkeeper, or Debian's ZooKeeper with RINGKEEPER_TARGET=zookeeper.

Every test gets a directory of its own in the tree of one server; tests that stop servers start their own.
"""

import ctypes
import itertools
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest
from kazoo.client import KazooClient

TARGET = os.environ.get("RINGKEEPER_TARGET", "ringkeeper")
REPOSITORY = pathlib.Path(__file__).resolve().parents[4]
BINARY = os.environ.get("RINGKEEPER_BIN", REPOSITORY / "target/debug/ringkeeper")
CLASS_PATH = "/usr/share/java/slf4j-simple.jar:/usr/share/java/zookeeper.jar:/usr/share/java/*"

# The identity that may do everything, and its digest in the server's configuration.
SUPER = "super:admin"
SUPER_DIGEST = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="

# No server takes this long to start unless something is broken; events that do not come within it never come.
PATIENCE = 120


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


places = itertools.count(os.getpid() * 7919)


def free_port():
    """A port that nothing listens on, below those that the system gives to outgoing connections."""
    while True:
        port = 10_000 + next(places) % 22_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Server:
    """A server in its own directory on a free loopback port."""

    def __init__(self, directory, **settings):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.hosts = f"127.0.0.1:{self.port}"
        config = {
            "dataDir": self.directory / "data",
            "clientPort": self.port,
            "clientPortAddress": "127.0.0.1",
            "tickTime": 2000,
            "maxClientCnxns": 0,
            "4lw.commands.whitelist": "*",
            "extendedTypesEnabled": "true",
            "admin.enableServer": "false",
            "DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
            **settings,
        }
        self.config = self.directory / "zoo.cfg"
        self.config.write_text("".join(f"{k}={v}\n" for k, v in config.items()))
        self.process = None
        self.start()

    def start(self):
        if TARGET == "zookeeper":
            command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", CLASS_PATH]
            command += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]
            command += ["org.apache.zookeeper.server.quorum.QuorumPeerMain", str(self.config)]
        else:
            command = [str(BINARY), "serve", str(self.config)]
        with open(self.directory / "output", "ab") as output:
            self.process = subprocess.Popen(
                command, cwd=self.directory, stdout=output, stderr=output, preexec_fn=die_with_parent
            )
        deadline = time.monotonic() + PATIENCE
        while "Mode: " not in self.word("srvr"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                text = (self.directory / "output").read_text(errors="replace")
                raise RuntimeError(f"{TARGET} did not start:\n{text[-4000:]}")
            time.sleep(0.01)

    def word(self, word):
        """The answer to a four-letter word; empty while nothing listens. ZooKeeper never answers one that comes too early."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(word.encode())
                chunks = iter(lambda: connection.recv(65536), b"")
                return b"".join(chunks).decode()
        except OSError:
            return ""

    def stop(self):
        """Ends it as an operator would."""
        self.process.terminate()
        self.process.wait(PATIENCE)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


@pytest.fixture
def own_server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def connect():
    """Makes connected clients that are closed when the test ends."""
    clients = []

    def make(server, chroot="", **arguments):
        client = KazooClient(hosts=server.hosts + chroot, timeout=arguments.pop("timeout", 10), **arguments)
        clients.append(client)
        client.start(timeout=PATIENCE)
        return client

    yield make
    for client in clients:
        client.stop()
        client.close()


numbers = itertools.count()


@pytest.fixture
def root(server, connect):
    """A directory that no other test uses."""
    path = f"/kazoo-{next(numbers)}"
    connect(server).ensure_path(path)
    return path


@pytest.fixture
def zk(server, connect, root):
    """A client for which that directory is the root."""
    return connect(server, root)


@pytest.fixture
def another(server, connect, root):
    """Makes further clients with the same root."""
    return lambda **arguments: connect(server, root, **arguments)
