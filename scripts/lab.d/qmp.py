# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's control channel: commands with their answers, and its events."""

import asyncio
import json

from paths import LabError


class Qmp:
    """Lives as long as one QEMU; what it says is read at all times."""

    def __init__(self, name, reader, writer):
        self.name = name
        self.writer = writer
        self.answers = asyncio.Queue()
        self.lock = asyncio.Lock()
        self.greeted = False
        self.shutdown_reason = ""
        self.migrated = asyncio.get_running_loop().create_future()
        self.done = asyncio.create_task(self._read(reader))

    async def _read(self, reader):
        try:
            while line := await reader.readline():
                message = json.loads(line)
                if "event" in message:
                    self._take_event(message["event"], message.get("data", {}))
                elif "QMP" not in message:
                    self.answers.put_nowait(message)
        except (OSError, ValueError):
            pass
        self.answers.put_nowait(None)
        if not self.migrated.done():
            self.migrated.cancel()

    def _take_event(self, event, data):
        if event == "SHUTDOWN":
            self.shutdown_reason = data.get("reason", "")
        elif event == "MIGRATION" and data["status"] in ("completed", "failed"):
            if not self.migrated.done():
                self.migrated.set_result(data["status"])

    async def _one(self, name, arguments, timeout):
        self.writer.write(json.dumps({"execute": name, "arguments": arguments})
                          .encode() + b"\n")
        try:
            answer = await asyncio.wait_for(self.answers.get(), timeout)
        except asyncio.TimeoutError:
            answer = None
        if answer is None:
            raise LabError(f"{self.name}: QEMU does not answer to {name}")
        if "error" in answer:
            raise LabError(f"{self.name}: {name}: {answer['error']['desc']}")
        return answer["return"]

    async def command(self, name, timeout=30, **arguments):
        async with self.lock:
            if not self.greeted:
                await self._one("qmp_capabilities", {}, timeout)
                self.greeted = True
            return await self._one(name, {k.replace("_", "-"): v for k, v in
                                          arguments.items()}, timeout)

    async def prepare_migration(self):
        """RAM is in a file of its own, so that only the devices' state moves."""
        await self.command("migrate-set-capabilities", capabilities=[
            {"capability": "x-ignore-shared", "state": True},
            {"capability": "events", "state": True}])

    async def migration(self, timeout):
        """Wait for the end of one that was started."""
        try:
            status = await asyncio.wait_for(asyncio.shield(self.migrated), timeout)
        except (asyncio.TimeoutError, asyncio.CancelledError):
            status = "not ended in time"
        if status != "completed":
            raise LabError(f"{self.name}: save or resume of the guest {status}")

    async def ended(self):
        """All that QEMU said before it ended has been taken."""
        try:
            await asyncio.wait_for(asyncio.shield(self.done), 5)
        except asyncio.TimeoutError:
            pass
