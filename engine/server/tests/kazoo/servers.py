"""What kazoo talks to: one server, or an ensemble of three, of either kind.

Ringkeeper, or Debian's ZooKeeper with RINGKEEPER_TARGET=zookeeper. Each server has its own directory and free loopback ports.
"""

import ctypes
import itertools
import os
import pathlib
import signal
import socket
import subprocess
import time

TARGET = os.environ.get("RINGKEEPER_TARGET", "ringkeeper")
REPOSITORY = pathlib.Path(__file__).resolve().parents[4]
BINARY = os.environ.get("RINGKEEPER_BIN", REPOSITORY / "target/debug/ringkeeper")
CLASS_PATH = "/usr/share/java/slf4j-simple.jar:/usr/share/java/zookeeper.jar:/usr/share/java/*"

# The identity that may do everything, and its digest in the server's configuration.
SUPER = "super:admin"
SUPER_DIGEST = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="

# A server is given up for being gone, not for being silent: a busy machine looks like a pause.
STEADY = ["ensemble.silence.min.ms=60000\n", "ensemble.silence.max.ms=60000\n"] if TARGET == "ringkeeper" else []

# No server takes this long to start unless something is broken; events that do not come within it never come.
PATIENCE = 120


LIBC = ctypes.CDLL(None)


def die_with_parent():
    LIBC.prctl(1, signal.SIGKILL)


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
    """One process. It need not serve yet when this returns."""

    def __init__(self, directory, number=None, lines=()):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        config = {
            "dataDir": self.directory / "data",
            "clientPort": self.port,
            "clientPortAddress": "127.0.0.1",
            "tickTime": 2000,
            "initLimit": 10,
            "syncLimit": 5,
            "maxClientCnxns": 0,
            "4lw.commands.whitelist": "*",
            "extendedTypesEnabled": "true",
            "admin.enableServer": "false",
            "DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
        }
        self.config = self.directory / "zoo.cfg"
        self.config.write_text("".join(f"{k}={v}\n" for k, v in config.items()) + "".join(lines))
        if number:
            (self.directory / "data").mkdir()
            (self.directory / "data/myid").write_text(f"{number}\n")
        self.process = None
        self.launch()

    def launch(self):
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

    def wait(self):
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


class Servers:
    """One server or three that are an ensemble. Each client begins at another one than the client before. `more`: further
    lines of configuration for each of several."""

    def __init__(self, directory, count, more=None):
        directories = [pathlib.Path(directory) / str(number) for number in range(1, count + 1)]
        for each in directories:
            each.mkdir()
        lines = [f"server.{n}=127.0.0.1:{free_port()}:{free_port()}\n" for n in range(1, count + 1)]
        if count == 1:
            self.servers = [Server(directories[0])]
        else:
            more = more or [[]] * count
            self.servers = [Server(each, n, lines + STEADY + more[n - 1]) for n, each in enumerate(directories, 1)]
        self.turn = itertools.count()
        for server in self.servers:
            server.wait()

    def __len__(self):
        return len(self.servers)

    def hosts(self):
        """Addresses of all, those of another server first each time."""
        first = next(self.turn) % len(self.servers)
        return ",".join(f"127.0.0.1:{server.port}" for server in self.servers[first:] + self.servers[:first])

    def stop_server_of(self, client):
        """Ends the server at which the client is."""
        port = client._connection._socket.getpeername()[1]
        stopped = next(server for server in self.servers if server.port == port)
        stopped.stop()
        return stopped

    def kill(self):
        for server in self.servers:
            server.kill()
