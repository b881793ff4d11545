# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of all the lab's kinds, drawn by a seed: same seed, same schedule.

A fault names roles (primary, secondary, witness), which are nodes only when it
strikes; so the schedule does not depend on what the cluster did before.
"""

import random

# kind, weight, roles that it may strike
KINDS = [
    ("cut", 4, ["primary", "secondary", "witness"]),
    ("cut-both", 2, ["primary"]),
    ("pause", 3, ["primary", "secondary"]),
    ("freeze", 1, ["secondary", "witness"]),    # clock stops with the machine
    ("isolate", 2, ["primary", "secondary", "witness"]),
    ("part", 2, ["primary"]),                   # primary and secondary only
    ("part-from", 2, ["primary", "secondary"]),  # one direction only
    ("agent", 2, ["primary", "secondary", "witness"]),
    ("loss", 1, ["primary", "secondary"]),
    ("delay", 1, ["primary", "secondary"]),
]


class Fault:
    def __init__(self, rng):
        kinds = [kind for kind in KINDS for _ in range(kind[1])]
        self.kind, _, roles = rng.choice(kinds)
        self.role = rng.choice(roles)
        self.calm_s = rng.uniform(2, 6)         # load before it strikes
        self.lasts_s = rng.uniform(1, 9)
        self.seed = rng.randrange(1 << 30)      # of what survives a cut
        self.client_dies = rng.random() < 0.2

    def __str__(self):
        return (f"{self.kind} of {self.role} after {self.calm_s:.1f} s for "
                f"{self.lasts_s:.1f} s (seed {self.seed})")


def schedule(seed):
    """Faults without end; two of them may overlap."""
    rng = random.Random(seed)
    while True:
        group = [Fault(rng)]
        if rng.random() < 0.3:
            group.append(Fault(rng))
        yield group


def targets(fault, roles):
    """The nodes that it strikes."""
    if fault.kind == "cut-both":
        return {roles["primary"], roles["secondary"]}
    return {roles[fault.role]}


def strike(fault, roles, lab):
    """Begin it; returns the function that ends it, and the nodes that lose
    their power or stop."""
    node = roles[fault.role]
    others = [n for n in roles.values() if n != node]
    if fault.kind == "cut":
        lab("cut", node, "--keep", fault.seed)
        return lambda: lab("on", node)
    if fault.kind == "cut-both":
        pair = sorted(targets(fault, roles))
        lab("cut", *pair, "--keep", fault.seed)     # at one instant
        return lambda: lab("on", *pair)
    if fault.kind in ("pause", "freeze"):
        lab("pause", node, "--clock", "runs" if fault.kind == "pause" else "stops")
        return lambda: lab("resume", node)
    if fault.kind == "isolate":
        lab("partition", node)
        return lambda: lab("heal")
    if fault.kind == "part":
        lab("partition", node, roles["secondary"])
        return lambda: lab("heal")
    if fault.kind == "part-from":
        lab("partition", "--from", node, "--to", others[fault.seed % len(others)])
        return lambda: lab("heal")
    if fault.kind == "agent":
        lab("exec", node, "sh", "-c", "kill -9 $(pidof holdfastd)", check=False)
        return lambda: lab("exec", node, "sh", "-c", "holdfastd --daemon", check=False)
    if fault.kind == "loss":
        lab("loss", node, 5 + fault.seed % 20)
        return lambda: lab("loss", node, 0)
    lab("delay", node, 20 + fault.seed % 200)
    return lambda: lab("delay", node, 0)
