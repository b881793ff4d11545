# SPDX-License-Identifier: GPL-2.0-or-later
"""The disk server alone: what survives a cut, and which faults it makes."""

import errno
import os
import random
import tempfile
import threading
import time

from nbd import Server
from tap import Wrong, equal, test, true

SIZE = 4 << 20
BLOCK = 4096


def blocks(tag, n):
    """n blocks of different content that name themselves."""
    return [(f"{tag}{i:06} " * BLOCK)[:BLOCK].encode() for i in range(n)]


def fresh(plugin, *params, disks=("a",)):
    folder = tempfile.TemporaryDirectory(prefix="holdfast-disk-")
    server = Server(plugin, folder.name, {d: SIZE for d in disks}, *params)
    server.keep = folder        # removed with the server
    return server


@test
def reads(plugin):
    """A disk reads back what was written, flushed or not."""
    with fresh(plugin) as s:
        c = s.connect("a")
        equal(c.size, SIZE, "size")
        model = bytearray(SIZE)
        rng = random.Random(1)
        for step in range(400):
            at = rng.randrange(SIZE // 512) * 512
            length = min(rng.randrange(1, 40) * 512, SIZE - at)
            kind = rng.randrange(5)
            if kind < 2:
                data = rng.randbytes(length)
                c.write(at, data, fua=kind == 1)
                model[at:at + length] = data
            elif kind == 2:
                c.zero(at, length)
                model[at:at + length] = bytes(length)
            elif kind == 3:
                equal(c.read(at, length), model[at:at + length],
                      f"read of step {step}")
            elif step % 7 == 0:
                c.flush()
        equal(c.read(0, SIZE), bytes(model), "whole disk")
        c.flush()
        equal(s.image("a"), bytes(model), "image after a flush")


@test
def unflushed_is_lost(plugin):
    """A cut loses what was not flushed and keeps what was, and FUA writes."""
    with fresh(plugin) as s:
        c = s.connect("a")
        one, two, three = blocks("x", 3)
        c.write(0, one)
        c.flush()
        c.write(BLOCK, two)
        c.write(2 * BLOCK, three, fua=True)
        equal(c.read(BLOCK, BLOCK), two, "before the cut")
        said = s.cut("none")
        equal(said, {"dirty": 8, "kept": 0}, "told")
        equal(s.image("a")[:3 * BLOCK], one + bytes(BLOCK) + three, "image")


@test
def fua_is_precise(plugin):
    """A FUA write of one sector does not make its neighbours durable."""
    with fresh(plugin) as s:
        c = s.connect("a")
        c.write(0, b"o" * BLOCK)
        c.write(512, b"f" * 512, fua=True)
        equal(c.read(0, 1536), b"o" * 512 + b"f" * 512 + b"o" * 512, "read")
        s.cut("none")
        equal(s.image("a")[:BLOCK], bytes(512) + b"f" * 512 + bytes(3072), "image")


@test
def overwritten_is_old(plugin):
    """An unflushed overwrite falls back to the flushed content."""
    with fresh(plugin) as s:
        c = s.connect("a")
        old, new = blocks("o", 8), blocks("n", 8)
        c.write(0, b"".join(old))
        c.flush()
        c.write(0, b"".join(new))
        s.cut("none")
        equal(s.image("a")[:8 * BLOCK], b"".join(old), "image")


def survivors(plugin, seed, unit=BLOCK):
    with fresh(plugin) as s:
        c = s.connect("a")
        written = blocks("k", 256)
        c.write(0, b"".join(written))
        said = s.cut(seed, unit)
        image = s.image("a")
        kept = []
        for i in range(256 * BLOCK // unit):
            part = image[i * unit:(i + 1) * unit]
            if part == b"".join(written)[i * unit:(i + 1) * unit]:
                kept.append(i)
            else:
                equal(part, bytes(unit), f"part {i} that did not survive")
        equal(said, {"dirty": 2048, "kept": len(kept) * unit // 512}, "told")
        return kept


@test
def subset_by_seed(plugin):
    """A seed keeps a strict subset, the same each time, and seeds differ."""
    seen = [survivors(plugin, seed) for seed in (1, 2, 3)]
    for kept in seen:
        true(0 < len(kept) < 256, f"{len(kept)} of 256 blocks survived")
    equal(survivors(plugin, 2), seen[1], "seed 2 again")
    true(seen[0] != seen[1] != seen[2] != seen[0], "two seeds kept the same")


@test
def subset_by_sector(plugin):
    """With a unit of 512 a block of 4 KiB may tear."""
    kept = set(survivors(plugin, 5, 512))
    torn = [b for b in range(256)
            if 0 < len(kept & set(range(b * 8, b * 8 + 8))) < 8]
    true(torn, "no block was torn")


@test
def flush_never_tears(plugin):
    """What was flushed survives every seed, with writes going on beside it."""
    with fresh(plugin) as s:
        c = s.connect("a")
        steady = b"".join(blocks("s", 64))
        c.write(0, steady)
        stop, busy = threading.Event(), threading.Event()
        other = s.connect("a")

        def noise():
            rng = random.Random(3)
            try:
                while not stop.is_set():
                    other.write((64 + rng.randrange(500)) * BLOCK, b"n" * BLOCK)
                    busy.set()
            except (OSError, AssertionError):
                pass            # the cut closed the connection
        thread = threading.Thread(target=noise)
        thread.start()
        true(busy.wait(20), "no noise")
        c.flush()
        try:
            s.cut(9)
        finally:
            stop.set()
            thread.join(30)
        equal(s.image("a")[:64 * BLOCK], steady, "flushed blocks")


@test
def one_cut_for_all(plugin):
    """One cut hits all disks of a node."""
    with fresh(plugin, disks=("a", "b")) as s:
        s.connect("a").write(0, b"a" * BLOCK)
        b = s.connect("b")
        b.write(0, b"b" * BLOCK)
        b.flush()
        equal(s.cut("none"), {"dirty": 8, "kept": 0}, "told")
        equal(s.image("a")[:BLOCK], bytes(BLOCK), "image a")
        equal(s.image("b")[:BLOCK], b"b" * BLOCK, "image b")


@test
def bounded_cache(plugin):
    """The cache is bounded: the oldest blocks are written back early."""
    with fresh(plugin, f"cache={16 * BLOCK}") as s:
        c = s.connect("a")
        data = blocks("c", 64)
        c.write(0, b"".join(data))
        equal(c.read(0, 64 * BLOCK), b"".join(data), "read")
        equal(s.cut("none"), {"dirty": 128, "kept": 0}, "told")
        equal(s.image("a")[:64 * BLOCK], b"".join(data[:48]) + bytes(16 * BLOCK),
              "image")


@test
def early_versions(plugin):
    """With early=100 an overwritten version is on the disk after a cut."""
    with fresh(plugin, "early=100") as s:
        c = s.connect("a")
        c.write(0, b"1" * BLOCK)
        c.write(0, b"2" * BLOCK)
        s.cut("none")
        equal(s.image("a")[:BLOCK], b"1" * BLOCK, "image")


@test
def errors(plugin):
    """Faults: error, read-error, write-error give EIO, and ok ends them."""
    with fresh(plugin) as s:
        c = s.connect("a")
        c.write(0, b"d" * BLOCK)

        def outcome(act):
            try:
                act()
                return 0
            except OSError as e:
                return e.errno
        acts = (lambda: c.read(0, BLOCK), lambda: c.write(0, b"e" * BLOCK),
                c.flush)
        for mode, expected in (("error", (1, 1, 1)), ("read-error", (1, 0, 0)),
                               ("write-error", (0, 1, 1)), ("ok", (0, 0, 0))):
            equal(s.tell(f"fault a {mode}"), "ok", "control")
            seen = tuple(outcome(a) for a in acts)
            equal(seen, tuple(e * errno.EIO for e in expected), mode)


@test
def hang_and_slow(plugin):
    """Faults: a hanging disk goes on after ok, a slow one takes its time."""
    with fresh(plugin) as s:
        c = s.connect("a")
        s.tell("fault a hang")
        c.send(1, 0, BLOCK, b"h" * BLOCK)
        c.sock.settimeout(0.3)
        try:
            c.answer()
        except TimeoutError:
            pass
        else:
            raise Wrong("a hanging disk answered")
        c.sock.settimeout(30)
        s.tell("fault a ok")
        c.answer()
        equal(c.read(0, BLOCK), b"h" * BLOCK, "after the hang")
        s.tell("fault a slow 200")
        begin = time.monotonic()
        c.read(0, BLOCK)
        true(time.monotonic() - begin >= 0.2, "a slow disk was fast")


@test
def cut_while_hanging(plugin):
    """A disk that hangs can be cut."""
    with fresh(plugin) as s:
        c = s.connect("a")
        c.write(BLOCK, b"k" * BLOCK, fua=True)
        s.tell("fault a hang")
        c.send(1, 0, BLOCK, b"h" * BLOCK)
        s.cut("all")
        equal(s.image("a")[:2 * BLOCK], bytes(BLOCK) + b"k" * BLOCK, "image")


@test
def refusals(plugin):
    """Unknown exports and commands are refused and change nothing."""
    with fresh(plugin) as s:
        try:
            s.connect("nosuch")
        except (OSError, ConnectionError):
            pass
        else:
            raise Wrong("an unknown export was opened")
        for line in ("fault a strange", "fault nosuch error", "stat", "cut",
                     "x" * 100):
            true(s.tell(line).startswith("error"), f"'{line}' was obeyed")
        c = s.connect("a")
        c.write(0, b"s" * 512)
        true("dirty=1 " in s.tell("stat a"), "stat is wrong")
        true(os.path.getsize(os.path.join(s.folder, "a.img")) == SIZE, "size")
