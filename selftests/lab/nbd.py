# SPDX-License-Identifier: GPL-2.0-or-later
"""A small NBD client and the lab's disk server, for testing the latter."""

import os
import socket
import struct
import subprocess

READ, WRITE, DISCONNECT, FLUSH, TRIM, ZEROES = 0, 1, 2, 3, 4, 6
FUA = 1


class Client:
    """One connection to one export; a request at a time."""

    def __init__(self, path, export):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(path)
        magic, option_magic, _ = struct.unpack(">8s8sH", self._take(18))
        assert (magic, option_magic) == (b"NBDMAGIC", b"IHAVEOPT")
        name = export.encode()
        self.sock.sendall(struct.pack(">I", 3) + b"IHAVEOPT"
                          + struct.pack(">II", 1, len(name)) + name)
        self.size, self.flags = struct.unpack(">QH", self._take(10))
        self.cookie = 0

    def _take(self, n):
        data = b""
        while len(data) < n:
            part = self.sock.recv(n - len(data))
            if not part:
                raise ConnectionError("the disk server closed")
            data += part
        return data

    def send(self, kind, at=0, length=0, data=b"", flags=0):
        self.cookie += 1
        self.sock.sendall(struct.pack(">IHHQQI", 0x25609513, flags, kind,
                                      self.cookie, at, length) + data)

    def answer(self, length=0):
        magic, error, cookie = struct.unpack(">IIQ", self._take(16))
        assert magic == 0x67446698 and cookie == self.cookie
        if error:
            raise OSError(error, os.strerror(error))
        return self._take(length)

    def read(self, at, length):
        self.send(READ, at, length)
        return self.answer(length)

    def write(self, at, data, fua=False):
        self.send(WRITE, at, len(data), data, FUA if fua else 0)
        self.answer()

    def zero(self, at, length):
        self.send(ZEROES, at, length)
        self.answer()

    def trim(self, at, length):
        self.send(TRIM, at, length)
        self.answer()

    def flush(self):
        self.send(FLUSH)
        self.answer()


class Server:
    """nbdkit with the powercut plugin, and its control channel."""

    def __init__(self, plugin, folder, disks, *params):
        self.folder = folder
        self.path = os.path.join(folder, "nbd")
        if os.path.exists(self.path):
            os.unlink(self.path)
        mine, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "nbdkit", "-f", "-U", self.path,
                 plugin, "dir=" + folder, f"control-fd={theirs.fileno()}",
                 *[f"disk={n}:{size}" for n, size in disks.items()], *params],
                pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
        mine.settimeout(30)
        self.control = mine.makefile("rw", buffering=1)
        mine.close()
        line = self.control.readline()
        assert line == "ready\n", line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.control.close()

    def connect(self, disk):
        return Client(self.path, disk)

    def tell(self, line):
        self.control.write(line + "\n")
        self.control.flush()
        return self.control.readline().strip()

    def cut(self, what, unit=4096):
        """Cut the power: {"dirty": N, "kept": N} in sectors."""
        said = self.tell(f"cut {what} {unit}")
        assert said.startswith("ok "), said
        self.process.wait(30)
        return {k: int(v) for k, v in (w.split("=") for w in said.split()[1:])}

    def image(self, disk):
        with open(os.path.join(self.folder, disk + ".img"), "rb") as f:
            return f.read()
