# SPDX-License-Identifier: GPL-2.0-or-later
"""Harm done on purpose: for each check of the fault tests, what it must see.
What spoils the cluster comes last."""

import bench as bench_module
from bench import DATA, DISK, MOUNT
from cluster import Failure, on
from history import History

PLANTED = {}
SPOILS = ["a copy differs in one byte", "the filesystem is damaged"]


def planted(name, expected):
    """@expected: part of the sentence that the check must say."""
    def add(function):
        PLANTED[name] = (function, expected)
        return function
    return add


@planted("a record is lost", "acknowledged records")
def lost_record(bench, roles):
    bench.load.stop()
    on(roles["primary"], f"dd if=/dev/zero of={bench.records_file()} bs=4096 seek=3 count=1 "
       "conv=notrunc,fsync")


@planted("a block's version is old", "was acknowledged")
def old_version(bench, roles):
    bench.load.stop()
    block = next(iter(bench.history.acked))
    on(roles["primary"], f"dd if=/dev/zero of={MOUNT}/storm bs=4096 seek={block} count=1 "
       "conv=notrunc,fsync")


@planted("a kernel complains", "a kernel complained")
def splat(bench, roles):
    bench.load.stop()
    on(roles["secondary"], "echo 'WARNING: planted by a test' >/dev/kmsg")


@planted("a client ends", "a client saw an error")
def ended_client(bench, roles):
    on(roles["primary"], "killall -9 hfio")
    bench.load.records.wait_end(20)
    bench.undisturbed()


@planted("nothing is acknowledged", "S4: I/O does not go on")
def no_progress(bench, roles):
    bench_module.PROGRESS_S, before = 5, bench_module.PROGRESS_S
    on(roles["primary"], "killall -STOP hfio")
    try:
        bench.goes_on(1, "with its clients stopped")
    finally:
        bench_module.PROGRESS_S = before


@planted("an old client goes on", "still runs")
def old_client(bench, roles):
    del roles
    wait_end, bench_module.Load.wait_end = bench_module.Load.wait_end, \
        lambda load, _: wait_end(load, 5)
    try:
        bench.lost()
        bench.gave_way()
    finally:
        bench_module.Load.wait_end = wait_end


@planted("a copy differs in one byte", "S3: the copies")
def other_byte(bench, roles):
    bench.load.stop()
    on(roles["secondary"], f"printf x | dd of={DATA} bs=1 seek=$((47 << 20)) conv=notrunc,fsync")


@planted("the filesystem is damaged", "S1: the filesystem is damaged")
def damage(bench, roles):
    bench.load.stop()
    # a bitmap of inodes, on both copies; mounting does not read it
    on(roles["primary"], f"""umount {MOUNT}
        at=$(dumpe2fs {DISK} 2>/dev/null | sed -n 's/.*Inode bitmap at \\([0-9]*\\).*/\\1/p' | head -n 1)
        size=$(dumpe2fs -h {DISK} 2>/dev/null | sed -n 's/^Block size: *//p')
        dd if=/dev/urandom of={DISK} bs=$size seek=$at count=1 conv=notrunc,fsync
        mount {DISK} {MOUNT}""")


def provoke(bench, roles, plant):
    try:
        plant(bench, roles)
        return bench.judge(roles)
    except Failure as trouble:
        return [str(trouble)]


def mend(bench):
    """For the next one: nobody runs, and nothing is known of the blocks."""
    for load in [bench.load] + bench.past:
        if load:
            load.stop()
    bench.load, bench.past = None, []
    bench.history = History()
    bench.history.lines_lost = True
