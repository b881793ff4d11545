# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes initramfs archives (cpio "newc"), reproducibly and without root."""

import os
import stat


MERGED = ("bin", "sbin", "lib", "lib64")


def canonical(name):
    """Name inside the archive: no slashes around, /bin and so on in /usr."""
    name = os.path.normpath(name).strip("/")
    if name.split("/")[0] in MERGED:
        name = "usr/" + name
    return name


class Cpio:
    """Collects entries; parents are made as needed; the last of a name wins.

    The tree is usr-merged, as Debian's. A folder written over a link of the
    base archive would replace it, so all names are brought below usr/ here.
    """

    def __init__(self):
        self.entries = {}

    def merged_links(self):
        for name in MERGED:
            self.entries[name] = (stat.S_IFLNK | 0o777, b"usr/" + name.encode())

    def _parents(self, name):
        parent = os.path.dirname(name)
        if parent and parent not in self.entries:
            self.directory(parent)

    def directory(self, name, mode=0o755):
        name = canonical(name)
        self._parents(name)
        self.entries[name] = (stat.S_IFDIR | mode, b"")

    def symlink(self, name, target):
        name = canonical(name)
        self._parents(name)
        self.entries[name] = (stat.S_IFLNK | 0o777, target.encode())

    def data(self, name, content, mode=0o644):
        name = canonical(name)
        self._parents(name)
        self.entries[name] = (stat.S_IFREG | mode, content)

    def file(self, name, source, mode=None):
        if mode is None:
            mode = stat.S_IMODE(os.stat(source).st_mode)
        with open(source, "rb") as f:
            self.data(name, f.read(), mode)

    def tree(self, name, source):
        """Everything below a directory of the host."""
        for folder, dirs, files in os.walk(source):
            dirs.sort()
            rel = os.path.relpath(folder, source)
            into = name if rel == "." else os.path.join(name, rel)
            for entry in sorted(dirs + files):
                path = os.path.join(folder, entry)
                if os.path.islink(path):
                    self.symlink(os.path.join(into, entry), os.readlink(path))
                elif os.path.isdir(path):
                    self.directory(os.path.join(into, entry),
                                   stat.S_IMODE(os.stat(path).st_mode))
                else:
                    self.file(os.path.join(into, entry), path)

    def write(self, path):
        temp = f"{path}.{os.getpid()}"
        with open(temp, "wb") as f:
            for ino, name in enumerate(sorted(self.entries), 1):
                mode, content = self.entries[name]
                self._entry(f, ino, name, mode, content)
            self._entry(f, 0, "TRAILER!!!", 0, b"")
            f.write(b"\0" * (-f.tell() % 512))
        os.rename(temp, path)

    @staticmethod
    def _entry(f, ino, name, mode, content):
        name = name.encode() + b"\0"
        fields = (ino, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        head = b"070701" + b"".join(b"%08X" % v for v in fields) + name
        f.write(head + b"\0" * (-len(head) % 4))
        f.write(content + b"\0" * (-len(content) % 4))
