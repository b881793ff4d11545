# SPDX-License-Identifier: GPL-2.0-or-later
"""The supervisor: one process per lab, parent of everything that runs in it.

It owns namespace, disks and guests, answers the commands of scripts/lab on a
unix socket, and takes all down when told to, when it gets a signal, or when the
process that it was told to follow (--owner) ends. If it is killed itself, its
children die with it, and the next `up` or `down` removes what is left.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
import traceback

import net
import paths
import proto
from debian_node import DebianNode
from node import Node
from paths import LabError


class Lab:
    def __init__(self, config):
        self.config = config
        self.id = paths.lab_id()
        self.run_dir, self.disk_dir = paths.run_dir(), paths.disk_dir()
        self.netns = paths.netns()
        self.nodes = {}
        kind = DebianNode if config["image"] == "debian" else Node
        for i in range(config["first"], config["first"] + config["nodes"]):
            node = kind(self, i)
            self.nodes[node.name] = node
        self.network = net.Network(self.netns, list(self.nodes))
        self.down = asyncio.Event()
        self.why_down = "told to"

    @staticmethod
    def log(text):
        print(time.strftime("%H:%M:%S"), text, flush=True)

    def node(self, name):
        if name not in self.nodes:
            raise LabError(f"no node {name}: there are " + " ".join(self.nodes))
        return self.nodes[name]

    def follow(self, pid):
        loop = asyncio.get_running_loop()
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self.why_down = f"its owner {pid} is gone already"
            self.down.set()
            return

        def gone():
            loop.remove_reader(fd)
            self.why_down = f"its owner {pid} ended"
            self.down.set()
        loop.add_reader(fd, gone)

    # ---- life ----

    async def start(self):
        await asyncio.to_thread(self.network.create)
        for node in self.nodes.values():
            os.makedirs(node.images())
        if self.config["image"] == "small":
            await self.make_state_disks()
        await every(n.start() for n in self.nodes.values())

    async def make_state_disks(self):
        state = os.path.join(self.disk_dir, "state.img")
        size = self.config["state_mib"] << 20
        with open(state, "wb") as f:
            f.truncate(size)
        await asyncio.to_thread(net.run, "mke2fs", "-q", "-t", "ext4", "-m", "0",
                                "-E", "lazy_itable_init=0,lazy_journal_init=0",
                                "-L", "holdfast", state)
        if self.config["autostart"]:
            await asyncio.to_thread(net.run, "debugfs", "-w", "-R",
                                    "write /dev/null autostart", state)
        for node in self.nodes.values():
            await asyncio.to_thread(net.run, "cp", "--sparse=always", state,
                                    os.path.join(node.images(), "state.img"))
        os.unlink(state)

    async def stop(self):
        await asyncio.gather(*(n.power_off("none") for n in self.nodes.values()),
                             return_exceptions=True)
        if self.config["logs"]:
            keep_logs(self.run_dir, self.config["logs"])
        clean(self.run_dir, self.disk_dir, self.netns)

    # ---- requests ----

    async def op_status(self, _):
        return self.status()

    def status(self):
        c = self.config
        nodes = [{"name": n.name, "state": n.state, "boots": n.boots,
                  "address": f"10.77.0.{n.index}", "why": n.why,
                  "boot_seconds": n.boot_seconds, "netem": n.netem,
                  "pid": n.qemu.pid if n.qemu else None,
                  "disk_pid": n.nbdkit.pid if n.nbdkit else None,
                  "images": n.images(), "console": n.path("console"),
                  **n.describe()}
                 for n in self.nodes.values()]
        return {"id": self.id, "image": c["image"], "accel": c["accel"],
                "kernel": c["release"],
                "smp": c["smp"], "mem": c["mem"], "netns": self.netns,
                "pid": os.getpid(), "nodes": nodes,
                "blocked": sorted(self.network.blocked)}

    async def op_on(self, r):
        nodes = [self.node(name) for name in r["nodes"]]
        await every(n.start() for n in nodes)
        return {"booted": {n.name: n.boot_seconds for n in nodes}}

    async def op_cut(self, r):
        nodes = [self.node(name) for name in r["nodes"]]
        for node in nodes:
            if node.state == "off":
                raise LabError(f"{node.name} is off")
        for node in nodes:
            node.kill_machine()     # none outlives another one to tell of it
        said = await every(n.power_off(n.keep_words(r["keep"]), r["unit"])
                           for n in nodes)
        return {"said": {n.name: s for n, s in zip(nodes, said)}}

    async def op_reboot(self, r):
        nodes = [self.node(name) for name in r["nodes"]]
        await every(n.reboot(r["within"]) for n in nodes)
        return {"booted": {n.name: n.boot_seconds for n in nodes}}

    async def op_save(self, r):
        return {"said": await self.node(r["node"]).save(r["target"])}

    async def op_pause(self, r):
        await self.node(r["node"]).pause(r["clock"])

    async def op_resume(self, r):
        await self.node(r["node"]).resume()

    async def op_partition(self, r):
        pairs = self.network.pairs(r["a"], r["b"], r["one_way"])
        await asyncio.to_thread(self.network.change, pairs, True)

    async def op_heal(self, r):
        pairs = self.network.pairs(r["a"], r["b"], r["one_way"])
        await asyncio.to_thread(self.network.change, pairs, False)

    async def op_netem(self, r):
        await self.node(r["node"]).set_netem(r["what"], r["value"])

    async def op_disk(self, r):
        return {"said": await self.node(r["node"]).tell_disks(r["line"])}

    async def op_down(self, _):
        self.down.set()

    async def serve(self, reader, writer):
        try:
            line = await asyncio.wait_for(reader.readline(), 30)
            if not line:
                return
            request = json.loads(line)
            if request["op"] == "exec":
                await self.serve_exec(request, reader, writer)
                return
            try:
                answer = await getattr(self, "op_" + request["op"])(request)
                answer = dict(answer or {}, ok=True)
            except LabError as e:
                answer = {"ok": False, "error": str(e)}
            except Exception as e:
                traceback.print_exc()
                answer = {"ok": False, "error": f"{type(e).__name__}: {e}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError, asyncio.TimeoutError):
            pass
        finally:
            writer.close()

    async def serve_exec(self, request, reader, writer):
        try:
            node = self.node(request["node"])
            number = node.open_channel(writer)
        except LabError as e:
            writer.write(json.dumps({"ok": False, "error": str(e)}).encode()
                         + b"\n")
            return
        writer.write(b'{"ok": true}\n')
        buf = bytearray()
        try:
            while True:
                data = await reader.read(262144)
                if not data:
                    break
                buf += data
                for _, kind, body in proto.split(buf):
                    node.to_guest(number, kind, body)
        finally:
            node.close_channel(number)


async def every(coroutines):
    """Wait for all, also when one fails; then raise the first failure."""
    results = await asyncio.gather(*coroutines, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def keep_logs(run_dir, target):
    """Copy consoles and logs out before they are removed."""
    try:
        os.makedirs(target, exist_ok=True)
        for name in os.listdir(run_dir):
            if name.endswith((".console", ".log")):
                shutil.copy(os.path.join(run_dir, name), target)
    except OSError as e:
        Lab.log(f"logs: {e}")


def clean(run_dir, disk_dir, netns):
    """Remove what a lab leaves outside of processes; idempotent."""
    net.destroy(netns)
    shutil.rmtree(disk_dir, ignore_errors=True)
    shutil.rmtree(run_dir, ignore_errors=True)
    if os.path.exists(paths.shm_file()):
        os.unlink(paths.shm_file())
    try:
        os.rmdir(paths.RUN)
    except OSError:
        pass


def report(fd, answer):
    """Tell `lab up`, which waits at the other end, how the start went."""
    try:
        os.write(fd, json.dumps(answer).encode())
        os.close(fd)
    except OSError:
        pass


async def supervise(report_fd):
    with open(os.path.join(paths.run_dir(), "config.json")) as f:
        lab = Lab(json.load(f))
    loop = asyncio.get_running_loop()
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(sig, lab.down.set)
    server = await asyncio.start_unix_server(lab.serve, paths.control_socket())
    starting = asyncio.create_task(lab.start())
    waiting = asyncio.create_task(lab.down.wait())
    if lab.config["owner"]:
        lab.follow(lab.config["owner"])
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    failure = starting.exception() if starting.done() else LabError(
        f"the lab did not start: {lab.why_down}")
    if failure is None:
        report(report_fd, dict(lab.status(), ok=True))
        await waiting
    else:
        starting.cancel()
        if not isinstance(failure, LabError):
            traceback.print_exception(failure)
        lab.why_down = str(failure) or type(failure).__name__
    lab.log(f"going down: {lab.why_down}")
    await lab.stop()
    if failure is not None:
        report(report_fd, {"ok": False, "error": lab.why_down})
    server.close()


def main():
    try:
        asyncio.run(supervise(int(sys.argv[1])))
    except Exception:
        traceback.print_exc()
        sys.exit(1)


if __name__ == "__main__":
    main()
