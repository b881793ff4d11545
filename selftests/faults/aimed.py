# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults that aim at one rule each: what leaves chance out of what would show
that it is broken.  They hold like all others; selftests/faults/broken runs them
with a module that does break it.
"""

from bench import DATA, MOUNT, NOISE_BLOCKS, SIZE
from cases import cut, moment
import cluster
from cluster import Failure, Writer, lab

AIMED = {}


def aimed(name):
    def add(function):
        AIMED[name] = function
        return function
    return add


@aimed("return-quiet")
def return_quiet(bench, rng, roles):
    """R10: much is in flight when the primary loses its power, and nothing is
    written before it is back: only its log says what it alone may hold."""
    primary = roles["primary"]
    Writer(primary, f"hfio overlap --device {MOUNT}/noise --threads 8 "
           f"--blocks {NOISE_BLOCKS} --seconds 3600 --seed 77")
    moment(bench, rng)
    bench.history.forget(bench.clients)
    cut(bench, rng, [primary])
    bench.lost()
    lab("on", primary)
    bench.healthy()
    differ = cluster.compare_copies(roles["copies"], DATA, SIZE)
    if differ:
        raise Failure(f"S3: the copies on {' '.join(roles['copies'])} differ in "
                      f"{len(differ)} MiB, first at {differ[0]}, and nothing is in flight")


@aimed("give-way")
def give_way(bench, rng, roles):
    """R3, R5, R6: the primary is cut off under load until another serves, and
    has acknowledged things; then it hears of that."""
    primary = roles["primary"]
    moment(bench, rng)
    lab("partition", primary)
    bench.lost()
    took = bench.served_on_another(primary)
    bench.tell(f"attached on {bench.load.node} {took:.1f} s later")
    bench.goes_on(60, "on the other copy")
    lab("heal")
    bench.gave_way()
