# SPDX-License-Identifier: GPL-2.0-or-later
"""The faults, one function each.  A seed decides the moment, the victim where
there is a choice, how long it lasts, what unflushed data survives, and in which
order machines return.  Each case says by the bench's calls what has to hold
while the fault lasts; what has to hold after it is the same for all.
"""

import time

from bench import NODES
from cluster import lab

FAULTS = {}


def fault(name):
    def add(function):
        FAULTS[name] = function
        return function
    return add


def moment(bench, rng):
    """A while of load: counted in records, so that it always is one."""
    bench.goes_on(rng.randrange(1, 80), "before the fault")


# ---- agents: the module goes on without them -------------------------------

def lose_agent(bench, rng, nodes):
    """Killed or stopped; I/O is not disturbed, however long it lasts."""
    moment(bench, rng)
    signal = rng.choice(["KILL", "STOP"])
    bench.tell(f"{signal} to the agent of {' '.join(nodes)}")
    for node in nodes:
        bench.agent(node, signal)
    if rng.random() < 0.5 and len(nodes) < len(NODES):
        bench.wait_agent_silent(nodes[0])
        bench.tell("the others have noticed")
    bench.goes_on(rng.randrange(5, 60), "without the agent")
    rng.shuffle(nodes)
    for node in nodes:
        if signal == "STOP":
            bench.agent(node, "CONT")
        else:
            bench.agent_start(node)
            if rng.random() < 0.3:      # and once more, while it finds its way back
                bench.tell(f"the agent of {node} is killed again")
                bench.agent(node, "KILL")
                bench.agent_start(node)
    bench.undisturbed()


@fault("agent-primary")
def agent_primary(bench, rng, roles):
    lose_agent(bench, rng, [roles["primary"]])


@fault("agent-secondary")
def agent_secondary(bench, rng, roles):
    lose_agent(bench, rng, [roles["secondary"]])


@fault("agent-leader")
def agent_leader(bench, rng, roles):
    lose_agent(bench, rng, [roles["leader"]])


@fault("agent-all")
def agent_all(bench, rng, roles):
    del roles
    lose_agent(bench, rng, list(NODES))


# ---- power -----------------------------------------------------------------

def cut(bench, rng, nodes):
    keep, unit = rng.randrange(1 << 30), rng.choice([512, 4096])
    said = lab("cut", *nodes, "--keep", keep, "--unit", unit).stdout.strip()
    bench.tell(said.replace("\n", "; ") + f" (seed {keep}, unit {unit})")


@fault("cut-secondary")
def cut_secondary(bench, rng, roles):
    moment(bench, rng)
    cut(bench, rng, [roles["secondary"]])
    if rng.random() < 0.6:
        bench.goes_on(rng.randrange(10, 60), "without the secondary")
    lab("on", roles["secondary"])


@fault("cut-primary")
def cut_primary(bench, rng, roles):
    primary = roles["primary"]
    moment(bench, rng)
    bench.history.forget(bench.clients)
    cut(bench, rng, [primary])
    bench.lost()
    if rng.random() < 0.6:
        took = bench.served_on_another(primary)
        bench.tell(f"attached on {bench.load.node} {took:.1f} s later")
        bench.goes_on(rng.randrange(10, 60), "on the other copy")
    lab("on", primary)


@fault("all")
def everything(bench, rng, roles):
    del roles
    moment(bench, rng)
    bench.history.forget(bench.clients)
    cut(bench, rng, NODES)
    bench.lost()
    order = rng.sample(NODES, len(NODES))
    if rng.random() < 0.5:
        lab("on", *order)
        return
    bench.tell("powered on one after the other: " + " ".join(order))
    for node in order:
        lab("on", node)


# ---- links -----------------------------------------------------------------

def lose_packets(bench, rng, pairs, what):
    """Of each (from, to); short, or until I/O goes on without that copy."""
    moment(bench, rng)
    for src, dst in pairs:
        lab("partition", "--from", src, "--to", dst)
    if rng.random() < 0.5:
        lasts = rng.uniform(0.2, 3)
        bench.tell(f"{what}, for {lasts:.1f} s")
        time.sleep(lasts)
    else:
        bench.tell(f"{what}, until I/O goes on")
        bench.goes_on(rng.randrange(5, 40), "without the link")
    lab("heal")
    bench.undisturbed()


@fault("link")
def link_both(bench, rng, roles):
    p, s = roles["primary"], roles["secondary"]
    lose_packets(bench, rng, [(p, s), (s, p)], f"{p} and {s} lose each other")


@fault("link-out")
def link_out(bench, rng, roles):
    p, s = roles["primary"], roles["secondary"]
    lose_packets(bench, rng, [(p, s)], f"what {p} sends to {s} is lost")


@fault("link-in")
def link_in(bench, rng, roles):
    p, s = roles["primary"], roles["secondary"]
    lose_packets(bench, rng, [(s, p)], f"what {s} sends to {p} is lost")


@fault("agents-way")
def agents_way(bench, rng, roles):
    """One direction between a copy's node and the one that has none: no link is
    there, agents alone talk."""
    pair = [rng.choice(roles["copies"]), roles["third"]]
    rng.shuffle(pair)
    lose_packets(bench, rng, [tuple(pair)], f"what {pair[0]}'s agent tells {pair[1]} is lost")


def one_way(bench, rng, roles, mute):
    """All that a node sends, or all that it should hear, is lost.  A primary
    may give way or hold; any other node must not disturb the clients."""
    node = rng.choice(sorted({roles["primary"], roles["secondary"], roles["third"]}))
    others = [n for n in NODES if n != node]
    pairs = [(node, n) if mute else (n, node) for n in others]
    what = f"{node} is not heard" if mute else f"{node} hears nobody"
    if node != roles["primary"]:
        lose_packets(bench, rng, pairs, what)
        return
    moment(bench, rng)
    for src, dst in pairs:
        lab("partition", "--from", src, "--to", dst)
    lasts = rng.uniform(0.5, 9)
    bench.tell(f"{what}, the primary, for {lasts:.1f} s")
    time.sleep(lasts)
    lab("heal")
    if bench.load.complaints():
        bench.lost()


@fault("mute")
def mute_node(bench, rng, roles):
    one_way(bench, rng, roles, mute=True)


@fault("deaf")
def deaf_node(bench, rng, roles):
    one_way(bench, rng, roles, mute=False)
