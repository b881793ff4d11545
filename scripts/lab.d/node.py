# SPDX-License-Identifier: GPL-2.0-or-later
"""One node of the lab: its QEMU, its disks, its channels, its faults.

Both processes end with the supervisor (parent death signal). A cut kills QEMU
first and then takes the power from the disks, so that the node itself says
nothing about its end to anybody.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import time

import proto
from paths import LabError
from qmp import Qmp

MIB = 1 << 20


class Node:
    def __init__(self, lab, index):
        self.lab = lab
        self.index = index
        self.name = f"v{index}"
        self.state = "off"
        self.boots = 0
        self.qemu = self.nbdkit = None
        self.guest = self.qmp = self.disk_control = None
        self.channels = {}      # number: writer of the client
        self.next_channel = 1
        self.ready = None
        self.ended = None
        self.why = ""
        self.netem = {}
        self.boot_seconds = None
        self.control_lock = asyncio.Lock()

    def path(self, suffix):
        return os.path.join(self.lab.run_dir, f"{self.name}.{suffix}")

    def last_words(self, *logs):
        """What the logs say about an end: a panic's line, or their last ones."""
        lines = []
        for log in logs or ("qemu.log", "console"):
            try:
                with open(self.path(log), errors="replace") as f:
                    text = f.read().splitlines()
            except OSError:
                continue
            panics = [line for line in text if "Kernel panic" in line]
            lines += panics[-1:] or text[-3:]
        return " / ".join(lines) or "no message"

    def describe(self):
        """What status says of this kind of node alone."""
        return {}

    async def reboot(self, timeout):
        raise LabError(f"{self.name}: only whole Debian guests reboot")

    async def save(self, target):
        raise LabError(f"{self.name}: only whole Debian guests are saved")

    def images(self):
        return os.path.join(self.lab.disk_dir, self.name)

    def disks(self):
        """Disks in the order of the guest's device names: {name: bytes}."""
        sizes = {"state": self.lab.config["state_mib"] * MIB}
        for k in range(1, self.lab.config["disks"] + 1):
            sizes[f"data{k}"] = self.lab.config["disk_bytes"]
            sizes[f"meta{k}"] = self.lab.config["meta_mib"] * MIB
        return sizes

    def bases(self):
        """Words for the disk server on disks that are not empty at first."""
        return []

    # ---- processes ----

    def _spawn(self, cmd, log, fds=(), netns=False):
        full = ["setpriv", "--pdeathsig", "KILL", "--"]
        if netns:
            full += ["nsenter", "--net=/run/netns/" + self.lab.netns, "--"]
        with open(self.path(log), "ab") as out:
            return subprocess.Popen(full + cmd, stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=out, pass_fds=fds)

    async def _start_disks(self):
        os.makedirs(self.images(), exist_ok=True)
        sock = self.path("nbd")
        if os.path.exists(sock):
            os.unlink(sock)
        mine, theirs = socket.socketpair()
        args = [f"disk={n}:{size}" for n, size in self.disks().items()]
        cmd = ["nbdkit", "-f", "-t", "16", "-U", sock, self.lab.config["plugin"],
               "dir=" + self.images(), f"control-fd={theirs.fileno()}",
               f"early={self.lab.config['early']}"] + args + self.bases()
        if self.lab.config.get("record"):
            cmd.append("record=1")
        with theirs:
            self.nbdkit = self._spawn(cmd, "nbdkit.log", (theirs.fileno(),))
        self.disk_control = await asyncio.open_unix_connection(sock=mine)
        line = await asyncio.wait_for(self.disk_control[0].readline(), 30)
        if line != b"ready\n":
            raise LabError(f"{self.name}: the disk server did not start: "
                           + self.last_words("nbdkit.log"))

    def append(self):
        """The kernel's command line."""
        c = self.lab.config
        # no_timer_check: an emulated machine that gets no time for a moment looks
        # as if its timer interrupts were lost, and its boot would end there.
        return (f"console=ttyS0 loglevel=5 panic=-1 oops=panic net.ifnames=0 no_timer_check "
                f"hf.node={self.name} hf.addr=10.77.0.{self.index} "
                f"{c['accel_append']} {c['append']}")

    def kernel_image(self):
        return self.lab.config["kernel_image"]

    def mac(self):
        return f"52:54:00:77:00:{self.index:02x}"

    def accel(self):
        return self.lab.config["accel_args"]

    def cpus(self):
        return self.lab.config["smp"]

    def memory(self):
        """Words for QEMU on machine and memory."""
        c = self.lab.config
        return ["-M", c["machine"], "-m", str(c["mem"])]

    def backend(self, disk):
        return {"driver": "nbd", "node-name": disk, "export": disk,
                "server": {"type": "unix", "path": self.path("nbd")},
                "discard": "unmap"}

    @staticmethod
    def device(disk):
        return {"driver": "virtio-blk-pci", "id": "disk-" + disk, "drive": disk,
                "serial": disk, "write-cache": "on", "werror": "report",
                "rerror": "report"}

    def cold_disks(self):
        """Disks that the machine starts with."""
        return list(self.disks())

    def _qemu_command(self, guest_fd, qmp_fd):
        c = self.lab.config
        cmd = ["qemu-system-x86_64",
               "-name", f"holdfast-{self.lab.id}-{self.name}",
               *self.accel(), *self.memory(), "-smp", str(self.cpus()),
               "-nodefaults", "-no-user-config",
               "-display", "none", "-no-reboot",
               "-kernel", self.kernel_image(), "-initrd", c["initrd"],
               "-append", self.append(),
               "-chardev", f"file,id=con,path={self.path('console')},append=on",
               "-serial", "chardev:con",
               "-chardev", f"socket,id=lab,fd={guest_fd}",
               "-device", "virtio-serial-pci",
               "-device", "virtserialport,chardev=lab,name=holdfast.lab",
               "-chardev", f"socket,id=qmp,fd={qmp_fd}",
               "-mon", "chardev=qmp,mode=control",
               "-netdev", f"tap,id=net,ifname={self.name},script=no,downscript=no",
               "-device", f"virtio-net-pci,netdev=net,romfile=,mac={self.mac()}"]
        for name in self.cold_disks():
            cmd += ["-blockdev", json.dumps(self.backend(name)),
                    "-device", json.dumps(self.device(name))]
        return cmd

    async def start(self):
        if self.state != "off":
            raise LabError(f"{self.name} is {self.state}, not off")
        self.state, self.why = "booting", ""
        self.boots += 1
        begin = time.monotonic()
        loop = asyncio.get_running_loop()
        self.ready, self.ended = loop.create_future(), asyncio.Event()
        try:
            await self._start_disks()
            guest, guest_far = socket.socketpair()
            qmp, qmp_far = socket.socketpair()
            fds = (guest_far.fileno(), qmp_far.fileno())
            with guest_far, qmp_far:
                self.qemu = self._spawn(self._qemu_command(*fds), "qemu.log",
                                        fds, netns=True)
            self._watch(self.qemu, "qemu")
            self._watch(self.nbdkit, "nbdkit")
            self.guest = await asyncio.open_unix_connection(sock=guest)
            self.qmp = Qmp(self.name, *await asyncio.open_unix_connection(sock=qmp))
            self._task = asyncio.create_task(self._read_guest(self.guest[0]))
            await asyncio.wait_for(self._come_up(),
                                   self.lab.config["boot_timeout"])
        except asyncio.TimeoutError:
            await self.power_off("none")
            raise LabError(f"{self.name} did not boot within "
                           f"{self.lab.config['boot_timeout']} s: "
                           + self.last_words()) from None
        except (OSError, LabError):
            await self.power_off("none")
            raise
        self.boot_seconds = round(time.monotonic() - begin, 2)
        self.state = "on"
        if self.netem:
            await self.apply_netem()

    async def _come_up(self):
        await asyncio.shield(self.ready)

    def _watch(self, process, what):
        fd = os.pidfd_open(process.pid)
        loop = asyncio.get_running_loop()

        def gone():
            loop.remove_reader(fd)
            os.close(fd)
            process.wait()
            if process is self.qemu or process is self.nbdkit:
                asyncio.ensure_future(self._lost(what, process.returncode))
        loop.add_reader(fd, gone)

    async def _lost(self, what, code):
        """A process ended that nobody cut: poweroff, panic, or a failure."""
        if self.state == "off":
            return
        self.why = (f"{what} ended with {code}" if what != "qemu" or code
                    else "the guest ended itself")
        self.lab.log(f"{self.name}: {self.why}")
        # The disks still had power: what they held is written back in time.
        await self.power_off("all")

    def kill_machine(self):
        if self.qemu:
            self.qemu.kill()

    def keep_words(self, seed):
        """What the disks are told to keep; nodes lose different parts."""
        return "none" if seed is None else str(seed * 64 + self.index)

    async def power_off(self, keep, unit=4096):
        """Take the power away; returns what the disks say of it."""
        if self.state == "off":
            return ""
        self.state = "off"
        said = ""
        qemu, nbdkit = self.qemu, self.nbdkit
        self.qemu = self.nbdkit = None
        if qemu:
            qemu.kill()
            await asyncio.to_thread(qemu.wait, 30)
        if nbdkit and nbdkit.poll() is None:
            try:
                async with self.control_lock:
                    said = await self._tell_disks(f"cut {keep} {unit}")
            except (OSError, LabError) as e:
                self.lab.log(f"{self.name}: cut of the disks: {e}")
            nbdkit.kill()
            await asyncio.to_thread(nbdkit.wait, 30)
        for pair in (self.guest, self.disk_control):
            if pair:
                pair[1].close()
        if self.qmp:
            self.qmp.writer.close()
        self.guest = self.qmp = self.disk_control = None
        lost = proto.frame(0, proto.LOST, (self.why or "power cut").encode())
        for writer in list(self.channels.values()):
            writer.write(lost)
        self.channels.clear()
        if self.ready and not self.ready.done():
            self.ready.set_exception(LabError(
                f"{self.name} ended while booting ({self.why}): "
                + self.last_words()))
            self.ready.exception()
        self.ended.set()
        return said

    # ---- disks ----

    async def _tell_disks(self, line):
        reader, writer = self.disk_control
        writer.write(line.encode() + b"\n")
        answer = (await asyncio.wait_for(reader.readline(), 60)).decode().strip()
        if not answer.startswith("ok"):
            raise LabError(f"{self.name}: disks: {answer or 'no answer'}")
        return answer[2:].strip()

    async def tell_disks(self, line):
        if self.state == "off":
            raise LabError(f"{self.name} is off")
        async with self.control_lock:
            return await self._tell_disks(line)

    # ---- pause ----

    async def pause(self, clock):
        if self.state != "on":
            raise LabError(f"{self.name} is {self.state}, not on")
        if clock == "runs":
            self.qemu.send_signal(signal.SIGSTOP)
        else:
            await self.qmp.command("stop")
        self.state = "paused" if clock == "runs" else "stopped"

    async def resume(self):
        if self.state == "paused":
            self.qemu.send_signal(signal.SIGCONT)
        elif self.state == "stopped":
            await self.qmp.command("cont")
        else:
            raise LabError(f"{self.name} is {self.state}, not paused")
        self.state = "on"

    # ---- delay and loss ----

    async def apply_netem(self):
        words = []
        if self.netem.get("delay"):
            words += ["delay", f"{self.netem['delay']}ms"]
        if self.netem.get("loss"):
            words += ["loss", f"{self.netem['loss']}%"]
        if words:
            script = ("modprobe sch_netem && tc qdisc replace dev eth0 root "
                      "netem limit 10000 " + " ".join(words))
        else:
            script = "tc qdisc del dev eth0 root 2>/dev/null; true"
        code, out = await self.command(["sh", "-c", script])
        if code:
            raise LabError(f"{self.name}: netem: {out}")

    async def set_netem(self, what, value):
        if self.state != "on":
            raise LabError(f"{self.name} is {self.state}, not on")
        self.netem[what] = value
        await self.apply_netem()

    # ---- channels ----

    async def _read_guest(self, reader):
        buf = bytearray()
        while True:
            try:
                data = await reader.read(262144)
            except OSError:
                return
            if not data:
                return
            buf += data
            for number, kind, body in proto.split(buf):
                if number == 0:
                    self.take_message(kind, body.decode(errors="replace"))
                    continue
                writer = self.channels.get(number)
                if kind == proto.EXIT:
                    self.channels.pop(number, None)
                if writer:
                    writer.write(proto.frame(0, kind, body))

    def take_message(self, kind, text):
        """What the guest says of itself."""
        if kind == proto.READY and not self.ready.done():
            self.ready.set_result(text)

    def open_channel(self, writer):
        if self.state not in ("on", "booting", "paused", "stopped"):
            raise LabError(f"{self.name} is {self.state}")
        number = self.next_channel
        self.next_channel += 1
        self.channels[number] = writer
        return number

    def to_guest(self, number, kind, body):
        if self.guest and (number in self.channels or kind == proto.CLOSE):
            self.guest[1].write(proto.frame(number, kind, body))

    def close_channel(self, number):
        if self.channels.pop(number, None):
            self.to_guest(number, proto.CLOSE, b"")

    async def command(self, argv, timeout=60, stdin=b""):
        """Run a short command for the lab itself: (status, output)."""
        queue = asyncio.Queue()

        class Sink:
            @staticmethod
            def write(data):
                queue.put_nowait(data)

        number = self.open_channel(Sink)
        self.to_guest(number, proto.OPEN, "\0".join(argv).encode() + b"\0")
        if stdin:
            self.to_guest(number, proto.STDIN, stdin)
        self.to_guest(number, proto.STDIN_EOF, b"")
        self.to_guest(number, proto.CREDIT, proto.U32.pack(proto.OUT_WINDOW))
        out = b""
        try:
            while True:
                data = bytearray(await asyncio.wait_for(queue.get(), timeout))
                for _, kind, body in proto.split(data):
                    if kind in (proto.STDOUT, proto.STDERR):
                        out += body
                    elif kind == proto.EXIT:
                        return (proto.U32.unpack(body)[0],
                                out.decode(errors="replace").strip())
                    elif kind == proto.LOST:
                        raise LabError(f"{self.name}: {body.decode()}")
        except asyncio.TimeoutError:
            raise LabError(f"{self.name}: {argv[0]} did not end") from None
        finally:
            self.close_channel(number)
