# SPDX-License-Identifier: GPL-2.0-or-later
"""A node with a whole Debian: boots, or goes on from a saved state.

Its system disk lies over an image that nodes share, and loses what was not
flushed at a cut as its other disks do. Other than a small node it survives a
reboot: the machine ends, its disks keep all, and it is started again.
"""

import asyncio
import hashlib
import json
import os
import shutil

import proto
from image import kernel_image_of, run
from node import Node
from paths import LabError, shm_file

RESUME_SECONDS = 120
COMMAND_SECONDS = 120
STATE_FILES = ("system.img", "system.map")


class DebianNode(Node):
    def __init__(self, lab, index):
        super().__init__(lab, index)
        # {"variant", "base", "system_bytes", "state": folder or None, "ram", "cpus"}
        self.guest_config = lab.config["guests"][self.name]
        self.saved = self.guest_config["state"]
        self.release = lab.config["release"]
        self.console_at = 0
        self.rebooting = False
        self.back = None        # answers a reboot that was asked for

    # ---- what it is made of ----

    def disks(self):
        sizes = {"system": self.guest_config["system_bytes"]}
        for k in range(1, self.lab.config["disks"] + 1):
            sizes[f"data{k}"] = self.lab.config["disk_bytes"]
        return sizes

    def bases(self):
        return ["base=system:" + self.guest_config["base"]]

    def cold_disks(self):
        # Drives are plugged in after a resume: states suit any number and size.
        return ["system"] if self.saved else super().cold_disks()

    def machine_id(self):
        return hashlib.md5(f"{self.lab.id} {self.name}".encode(),
                           usedforsecurity=False).hexdigest()

    def append(self):
        return (f"{super().append()} hf.id={self.machine_id()} audit=0 "
                "systemd.show_status=0 random.trust_cpu=on")

    def kernel_image(self):
        return kernel_image_of(self.release)

    def accel(self):
        # Compilers are large programs: with little room their translation would
        # be thrown away and made again all the time.
        wide = "512" if self.guest_config["variant"] == "headers" else "128"
        return [w.replace("tb-size=128", "tb-size=" + wide)
                for w in super().accel()]

    def cpus(self):
        return self.guest_config["cpus"]

    def memory(self):
        c, ram = self.lab.config, self.guest_config["ram"]
        if not (self.saved or ram == "save"):
            return super().memory()
        # A state's memory is a file: nodes map it privately and share what they
        # do not write; only one that is to be saved writes to a file of its own.
        path, share = ((shm_file(), "on") if ram == "save" else
                       (os.path.join(self.saved, "ram"), "off"))
        words = ["-object", f"memory-backend-file,id=ram,size={c['mem']}M,"
                 f"mem-path={path},share={share}",
                 "-M", c["machine"] + ",memory-backend=ram", "-m", str(c["mem"])]
        return words + (["-incoming", "defer"] if self.saved else [])

    def describe(self):
        return {"variant": self.guest_config["variant"], "kernel": self.release,
                "cpus": self.cpus()}

    # ---- coming up ----

    async def start(self):
        if self.state == "booting":
            await self._wait_for_boot()
            return
        if self.boots == 0 and self.saved:
            await asyncio.to_thread(self._copy_state)
        try:
            self.console_at = os.path.getsize(self.path("console"))
        except OSError:
            self.console_at = 0
        try:
            await super().start()
        finally:
            self.saved = None       # it is history once the guest has run

    async def _wait_for_boot(self):
        try:
            await asyncio.wait_for(asyncio.shield(self.ready),
                                   self.lab.config["boot_timeout"])
        except asyncio.TimeoutError:
            raise LabError(f"{self.name} did not boot in time") from None
        while self.state == "booting":
            await asyncio.sleep(0.01)       # start() has the last word
        if self.state == "off":
            raise LabError(f"{self.name} ended while booting: {self.why}")

    def _copy_state(self):
        for name in STATE_FILES:
            run("cp", "--sparse=always", "--reflink=auto",
                os.path.join(self.saved, name), self.images())
        if self.guest_config["ram"] == "save":
            run("cp", "--sparse=always", os.path.join(self.saved, "ram"),
                shm_file())

    async def _come_up(self):
        # QEMU tells no events, thus no reason of an end, before a first command.
        await self.qmp.command("query-status")
        if not self.saved:
            await asyncio.shield(self.ready)
            return
        await self.qmp.prepare_migration()
        await self.qmp.command("migrate-incoming", uri="exec:cat "
                               + os.path.join(self.saved, "vmstate"))
        await self.qmp.migration(RESUME_SECONDS)
        names = [n for n in self.disks() if n != "system"]
        for name in names:
            await self.qmp.command("blockdev-add", **self.backend(name))
            await self.qmp.command("device_add", **self.device(name))
        await self.qmp.command("cont")      # it was stopped when it was saved
        await self._become_itself(names)
        self.ready.set_result("resumed")

    async def _become_itself(self, disks):
        if self.index == 0:
            return
        words = ["/usr/lib/holdfast-lab/identity", self.name,
                 f"10.77.0.{self.index}", self.mac(), self.machine_id(), *disks]
        code, out = await self.command(words, COMMAND_SECONDS, os.urandom(64))
        if code:
            raise LabError(f"{self.name}: identity: {out}")

    # ---- reboots ----

    def take_message(self, kind, text):
        if kind == proto.KERNEL:
            self.release = text
            self.lab.log(f"{self.name}: boots {text} from now on")
        else:
            super().take_message(kind, text)

    def panicked(self):
        with open(self.path("console"), "rb") as f:
            f.seek(self.console_at)
            return b"Kernel panic" in f.read()

    async def _lost(self, what, code):
        qmp = self.qmp
        if what == "qemu" and code == 0 and qmp and self.state != "off":
            await qmp.ended()
            if (qmp.shutdown_reason == "guest-reset" and self.state != "off"
                    and not self.panicked()):
                await self._reboot()
                return
        await super()._lost(what, code)

    async def power_off(self, keep, unit=4096):
        said = await super().power_off(keep, unit)
        if not self.rebooting:
            self._say_back(LabError(f"{self.name} is off: {self.why}"))
        return said

    def _say_back(self, failure=None):
        """Answer who asked for a reboot."""
        if self.back and not self.back.done():
            if failure:
                self.back.set_exception(failure)
                self.back.exception()
            else:
                self.back.set_result(None)

    async def _reboot(self):
        """The guest started over: its disks had power all the time."""
        ready, waited = self.ready, self.state == "booting"
        self.why = "rebooted"
        if waited:
            self.ready = None       # who waits for this boot waits for the next
        self.rebooting = True
        try:
            await self.power_off("all")
        finally:
            self.rebooting = False
        failure = None
        try:
            await self.start()
        except LabError as e:
            failure = e
            self.lab.log(f"{self.name}: reboot: {e}")
        if waited and not ready.done():
            if failure:
                ready.set_exception(failure)
                ready.exception()
            else:
                ready.set_result("rebooted")
        self._say_back(failure)

    async def reboot(self, timeout):
        """As an administrator does, and until it is back."""
        if self.state != "on":
            raise LabError(f"{self.name} is {self.state}, not on")
        self.back = back = asyncio.get_running_loop().create_future()
        code, out = await self.command(["systemctl", "reboot"], timeout)
        if code and not back.done():
            raise LabError(f"{self.name}: reboot: {out}")
        try:
            await asyncio.wait_for(back, timeout)
        except asyncio.TimeoutError:
            raise LabError(f"{self.name} was not back within {timeout} s") from None

    # ---- saving ----

    async def save(self, target):
        """Save the guest into a folder; it is off afterwards."""
        code, out = await self.command(["/usr/lib/holdfast-lab/settle"], 600)
        if code:
            raise LabError(f"{self.name}: settle: {out}")
        await self.qmp.command("stop")
        await self.qmp.prepare_migration()
        await self.qmp.command("migrate-set-parameters", max_bandwidth=1 << 40)
        self.qmp.migrated = asyncio.get_running_loop().create_future()
        await self.qmp.command("migrate", uri="exec:cat >"
                               + os.path.join(target, "vmstate"))
        await self.qmp.migration(RESUME_SECONDS)
        await self.power_off("all")
        for name in STATE_FILES:
            await asyncio.to_thread(
                run, "cp", "--sparse=always", "--reflink=auto",
                os.path.join(self.images(), name), target)
        await asyncio.to_thread(run, "cp", "--sparse=always", shm_file(),
                                os.path.join(target, "ram"))
        return out

