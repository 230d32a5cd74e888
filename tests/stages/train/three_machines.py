"""A Ray cluster of three machines on this one: each a network namespace with an address of its own and a /tmp of its
own, joined by a bridge; and a way to an S3 store, which all of them reach.

`with cluster(folder, store) as machines:` starts the head, which has no CPUs for training; `machines.add("one")`
another. Needs root and iproute2.
"""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path

import pytest

from tasks.stages.train.machines import notice
from tests import object_store, other_clock
from tests.patience import wait_until
from tests.stages.train.ray_head import LEAN
from tests.tiny_project import ROOT

HUB, HEAD = "hub", "head"
RELAY = """
import asyncio, ctypes, os, socket, sys
host, port, outside, to = sys.argv[1:]
listening = socket.create_server((host, int(port)))
ctypes.CDLL(None, use_errno=True).setns(os.open(outside, os.O_RDONLY), 0)
async def pipe(source, target):
    try:
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    target.close()
async def met(reader, writer):
    onward = await asyncio.open_connection("127.0.0.1", int(to))
    await asyncio.gather(pipe(reader, onward[1]), pipe(onward[0], writer))
async def main():
    server = await asyncio.start_server(met, sock=listening)
    print("relays", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
"""The store listens on the loopback outside of all these machines. A relay listens inside and connects from outside."""
PORT, STORE = 6379, 18085
NOTICED = {"RAY_health_check_period_ms": "500", "RAY_health_check_timeout_ms": "3000",
           "RAY_health_check_failure_threshold": "5", "RAY_health_check_initial_delay_ms": "500"}  # fmt: skip
"""How soon the head takes a machine that does not answer for lost: 15 s, longer than busy cores take to answer."""
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef0123456789abcdef"}


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


class Machines:
    def __init__(self, folder: Path, store: str) -> None:
        """`store`: URL of an S3 store on loopback."""
        self.folder, self._store = folder, store
        self.name = f"hm{os.getpid()}"
        self.net = f"10.{os.getpid() // 250 % 250}.{os.getpid() % 250}"
        self.address = f"{self.net}.2:{PORT}"
        self._count = 1
        self.addresses: dict[str, str] = {}
        self._processes: dict[str, list[subprocess.Popen[bytes]]] = {}

    def namespace(self, machine: str) -> str:
        return f"{self.name}-{machine}"

    def start(self) -> None:
        """Start the network bridge, the route to the object store, and Ray's head."""
        hub = self.namespace(HUB)
        run("ip", "netns", "add", hub)
        run("ip", "-n", hub, "link", "set", "lo", "up")
        run("ip", "-n", hub, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", hub, "addr", "add", f"{self.net}.1/24", "dev", "br0")
        run("ip", "-n", hub, "link", "set", "br0", "up")
        self.start_store()
        self.add(HEAD)

    def start_store(self) -> None:
        """Open the network route from the machines to the object store."""
        outside, port = f"/proc/{os.getpid()}/ns/net", self._store.rpartition(":")[2]
        (self.folder / "relay.log").unlink(missing_ok=True)
        relay = [sys.executable, "-c", RELAY, f"{self.net}.1", str(STORE), outside, port]
        self.spawn(HUB, relay, {}, "relay.log")
        self.wait_for("relay.log", "relays")

    def bucket(self, name: str) -> None:
        """Make a bucket."""
        with pytest.MonkeyPatch.context() as patch:
            object_store.in_bucket(self._store, name, patch)

    def stop_store(self) -> None:
        self.kill(HUB)

    @property
    def keys(self) -> dict[str, str]:
        """The variables that point at the store."""
        return object_store.settings(f"http://{self.net}.1:{STORE}")

    def add(self, machine: str, cpus: int = 1, ahead: int = 0, older: str | None = None) -> None:
        """A machine that joins the cluster, its clock so many seconds ahead; the head is the first. `older`: a library
        of which it has version 0.1."""
        self._count += 1
        place, hub, cable = self.namespace(machine), self.namespace(HUB), f"v{self._count}"
        run("ip", "netns", "add", place)
        self.hosts(place).mkdir(parents=True, exist_ok=True)
        (self.hosts(place) / "hosts").write_text(
            f"127.0.0.1 localhost\n{self.net}.{self._count} {socket.gethostname()}\n"
        )
        run("ip", "-n", hub, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", place)
        run("ip", "-n", hub, "link", "set", cable, "master", "br0", "up")
        run("ip", "-n", place, "addr", "add", f"{self.net}.{self._count}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            run("ip", "-n", place, "link", "set", device, "up")
        self.addresses[machine] = f"{self.net}.{self._count}"
        first = machine == HEAD
        as_head = ["--head", f"--port={PORT}", "--num-cpus=0", "--include-dashboard=false", "--no-monitor",
                   f"--temp-dir={self.session}"]  # fmt: skip
        join = as_head if first else [f"--address={self.address}", f"--num-cpus={cpus}"]
        ray = [Path(sys.executable).with_name("ray"), "start", "--block", f"--node-ip-address={self.net}.{self._count}",
               "--object-store-memory=100000000", "--include-log-monitor=false", *join]  # fmt: skip
        own = f"{own_tmp()} && {with_older(older)}" if older else own_tmp()
        command = ray if first else ["unshare", "-m", "sh", "-c", f'{own} && exec "$@"', "sh", *ray]
        given = self.keys | {"HALLMARK_TRAINING_CACHE": f"/tmp/cache-{machine}"} | other_clock.ahead(ahead)
        self.spawn(machine, command, given, f"{machine}.log")
        self.wait_for(f"{machine}.log", "Ray runtime started")

    def hosts(self, place: str) -> Path:
        """What a machine knows its own name by, which gloo asks for; all of them have the name of this one."""
        return Path("/etc/netns", place)

    @property
    def session(self) -> Path:
        return Path(f"/tmp/{self.name}")

    def environment(self) -> dict[str, str]:
        """Of a process on a machine: no Ray settings of this one."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "AWS_"))}
        return clean | TOKEN | NOTICED | LEAN | {"RAY_USAGE_STATS_ENABLED": "0", "HOME": str(self.folder)}

    def spawn(self, machine: str, command: list[object], more: dict[str, str], log: str) -> "subprocess.Popen[bytes]":
        """Start a process on a machine, which ends with it."""
        inside = ["ip", "netns", "exec", self.namespace(machine), *(str(part) for part in command)]
        with (self.folder / log).open("a") as file:
            process = subprocess.Popen(
                inside, env=self.environment() | more, stdout=file, stderr=file, start_new_session=True
            )
        self._processes.setdefault(machine, []).append(process)
        return process

    def wait_for(self, log: str, words: str) -> None:
        wait_until(lambda: words in (self.folder / log).read_text(), f"{log} to say {words!r}", seconds=120)

    def drain(self, machine: str) -> "subprocess.Popen[bytes]":
        """Give notice that it is taken away, as its pod does in the end."""
        given = [sys.executable, "-m", notice.__name__, "120"]
        return self.spawn(
            machine, given, {"RAY_ADDRESS": self.address, "PYTHONPATH": str(ROOT)}, f"{machine}-notice.log"
        )

    def cut_off(self, machine: str) -> None:
        """Nothing reaches it, and it reaches nothing: not even word that a connection has ended."""
        run("ip", "-n", self.namespace(machine), "link", "set", "eth0", "down")

    def kill(self, machine: str) -> None:
        """Every process of it."""
        pids = subprocess.run(["ip", "netns", "pids", self.namespace(machine)], capture_output=True, text=True)
        for pid in map(int, pids.stdout.split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._processes.pop(machine, []):
            process.kill()  # the relay is in another namespace
            wait_until(lambda process=process: process.poll() is not None, f"{process.args} to end")

    def remove(self, machine: str) -> None:
        self.kill(machine)
        subprocess.run(["ip", "netns", "del", self.namespace(machine)], capture_output=True)
        shutil.rmtree(self.hosts(self.namespace(machine)), ignore_errors=True)


def own_tmp() -> str:
    """Shell commands for a /tmp of a machine's own, in which a checkout that lies below /tmp still shows."""
    if not ROOT.is_relative_to("/tmp"):
        return "mount -t tmpfs tmpfs /tmp"
    here = shlex.quote(f"/mnt/{ROOT.relative_to('/tmp')}")
    return (
        f"mount -t tmpfs tmpfs /mnt && mkdir -p {here} && mount --bind {shlex.quote(str(ROOT))} {here} "
        "&& mount --move /mnt /tmp"
    )


def with_older(library: str) -> str:
    """Shell commands after which a machine with a /tmp of its own has version 0.1 of it, as far as one can see."""
    told = next(file for file in metadata.distribution(library).files or [] if file.name == "METADATA")
    says = f"Metadata-Version: 2.1\\nName: {library}\\nVersion: 0.1\\n"
    return f"printf '{says}' > /tmp/older && mount --bind /tmp/older {shlex.quote(str(told.locate()))}"


@contextmanager
def cluster(folder: Path, store: str) -> Iterator[Machines]:
    """A head without workers, until the block ends; skips the test where there can be none.

    `store`: URL of an S3 store on loopback (tests/object_store.py)."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("three machines on one need root and iproute2")
    made = subprocess.run(["ip", "netns", "add", f"hm{os.getpid()}-probe"], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"network namespaces cannot be made here: {made.stderr.strip()}")
    run("ip", "netns", "del", f"hm{os.getpid()}-probe")
    machines = Machines(folder, store)
    try:
        machines.start()
        yield machines
    finally:
        for place in subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.split():
            if place.startswith(f"{machines.name}-"):
                machines.remove(place.removeprefix(f"{machines.name}-"))
        shutil.rmtree(machines.session, ignore_errors=True)
