"""Servers under measurement, and loadgen, for the programs of this folder."""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "target/release"
CLASS_PATH = os.environ.get(
    "ZOOKEEPER_CLASS_PATH", "/usr/share/java/slf4j-simple.jar:/usr/share/java/zookeeper.jar:/usr/share/java/*"
)


class Servers:
    """Servers in directories of their own that the disk holds (not /tmp, which may be memory): one alone, or an ensemble."""

    def __init__(self, kind, out, count=1, settings=None):
        self.kind, self.out, self.count = kind, out, count
        base = ROOT / "target/bench"
        base.mkdir(parents=True, exist_ok=True)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=kind, dir=base))
        self.ports = [free_port() for _ in range(count)]
        lines = [f"server.{n + 1}=127.0.0.1:{free_port()}:{free_port()}" for n in range(count)] if count > 1 else []
        common = {"tickTime": 2000, "initLimit": 10, "syncLimit": 5, "maxClientCnxns": 0, "4lw.commands.whitelist": "*",
                  "admin.enableServer": "false"} | (settings or {})
        for n, port in enumerate(self.ports):
            (self.dir / f"data{n}").mkdir()
            (self.dir / f"data{n}/myid").write_text(f"{n + 1}\n")
            own = {"dataDir": f"{self.dir}/data{n}", "clientPort": port, "clientPortAddress": "127.0.0.1"}
            (self.dir / f"{n}.cfg").write_text("".join(f"{k}={v}\n" for k, v in (own | common).items()) + "\n".join(lines) + "\n")
        self.start()

    def command(self, n):
        config = str(self.dir / f"{n}.cfg")
        if self.kind == "ringkeeper":
            return [str(BIN / "ringkeeper"), "serve", config]
        return ["java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dzookeeper.admin.enableServer=false", "-cp",
                CLASS_PATH, "org.apache.zookeeper.server.quorum.QuorumPeerMain", config]

    def start(self):
        began = time.monotonic()
        self.processes = [self.launch(n) for n in range(self.count)]
        for n in range(self.count):
            while "Mode:" not in self.word("srvr", n):
                if self.processes[n].poll() is not None:
                    sys.exit(f"{self.kind} did not start: see {self.out / self.kind}.log")
                time.sleep(0.002)
        return time.monotonic() - began

    def launch(self, n):
        log = open(self.out / f"{self.kind}.log", "a")
        return subprocess.Popen(self.command(n), stdout=log, stderr=log)

    def word(self, word, n=0):
        try:
            with socket.create_connection(("127.0.0.1", self.ports[n]), timeout=5) as s:
                s.sendall(word.encode())
                return b"".join(iter(lambda: s.recv(65536), b"")).decode()
        except OSError:
            return ""

    def stop(self, how=signal.SIGTERM):
        for pid in self.running():
            os.kill(pid, how)
        while self.running():
            time.sleep(0.01)
        # What a killed process had open is closed a moment after its command line is gone.
        for process in self.processes:
            process.wait()

    def end(self, pid, how=signal.SIGTERM):
        """One of them."""
        os.kill(pid, how)
        while pid in self.running():
            time.sleep(0.01)

    def running(self):
        """Processes with our configurations, whoever started them: `loadgen failover` starts servers again."""
        for process in self.processes:
            if process:
                process.poll()
        return [int(entry.name) for entry in pathlib.Path("/proc").glob("[0-9]*") if self.is_ours(entry)]

    def is_ours(self, entry):
        try:
            return str(self.dir).encode() + b"/" in (entry / "cmdline").read_bytes()
        except OSError:
            return False

    def addresses(self):
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def pids(self):
        return ",".join(str(process.pid) for process in self.processes)

    def memory(self, field="VmRSS"):
        status = pathlib.Path(f"/proc/{self.processes[0].pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) * 1024

    def remove(self):
        shutil.rmtree(self.dir)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def loadgen(out, name, server, command, *args):
    """Runs loadgen and takes no failure."""
    result, failure = measured(out, name, [command, "-s", server.addresses(), "--server-pid", server.pids(), *args])
    if failure:
        sys.exit(f"loadgen failed: {failure}")
    return result


def measured(out, name, args):
    """Runs loadgen; its result, and what it said if it failed."""
    file = out / f"{name}.json"
    argv = [str(BIN / "loadgen"), args[0], "--json", str(file), "--quiet", *args[1:]]
    done = subprocess.run(argv, capture_output=True, text=True)
    with open(out / "commands.txt", "a") as log:
        log.write("$ " + shlex.join(argv).replace(str(ROOT), ".") + "\n" + done.stdout + done.stderr + "\n")
    failure = done.stdout + done.stderr if done.returncode != 0 else ""
    if not file.exists():
        sys.exit(f"loadgen failed: {failure}")
    return json.loads(file.read_text())["result"], failure
