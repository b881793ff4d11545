# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's network: one namespace, one bridge, one tap for each node.

Partitions are an nftables set of (from, to) taps, dropped where the bridge
forwards. That cuts each direction of each pair alone, at once, for connections
that exist already, without the guests' help and with links that stay up, as a
switch does that loses packets. Taps with offloads carry several times what a
user-space switch would under emulation. Bridge VLANs could do the same but
many kernels are built without them; nftables is in every Debian kernel.
Delay and loss are netem inside the guest (node.py), since hosts may lack it.
"""

import itertools

from image import run
from paths import LabError

HOST = "10.77.0.254"
BRIDGE = "br0"

RULES = f"""
table bridge lab {{
	set blocked {{ type ifname . ifname; }}
	set from_host {{ type ifname; }}
	set to_host {{ type ifname; }}
	chain between {{
		type filter hook forward priority 0; policy accept;
		meta iifname . meta oifname @blocked drop
	}}
	chain inward {{
		type filter hook input priority 0; policy accept;
		meta iifname @to_host drop
	}}
	chain outward {{
		type filter hook output priority 0; policy accept;
		meta oifname @from_host drop
	}}
}}
"""


class Network:
    def __init__(self, name, nodes):
        self.name = name
        self.nodes = nodes
        self.blocked = set()        # (from, to); "host" is a name too

    def create(self):
        run("ip", "netns", "add", self.name, timeout=20)
        lines = ["link set lo up",
                 f"link add {BRIDGE} type bridge stp_state 0 forward_delay 0 "
                 "mcast_snooping 0",
                 f"addr add {HOST}/24 dev {BRIDGE}",
                 f"link set {BRIDGE} up"]
        for node in self.nodes:
            lines += [f"tuntap add {node} mode tap vnet_hdr",
                      f"link set {node} master {BRIDGE} up"]
        self._inside("ip", "-batch", "-", text="\n".join(lines) + "\n")
        try:
            self._inside("nft", "-f", "-", text=RULES)
        except LabError as e:
            raise LabError("this kernel cannot filter on a bridge with "
                           f"nftables: {e}") from None

    def _inside(self, *cmd, text=None):
        return run("nsenter", "--net=/run/netns/" + self.name, *cmd,
                   input=text, timeout=20)

    def change(self, pairs, block):
        """Block or open (from, to) pairs, all in one transaction."""
        lines = []
        for src, dst in sorted(set(pairs)):
            if ((src, dst) in self.blocked) == block or src == dst:
                continue
            verb = "add" if block else "delete"
            if src == "host":
                lines.append(f'{verb} element bridge lab from_host {{ "{dst}" }}')
            elif dst == "host":
                lines.append(f'{verb} element bridge lab to_host {{ "{src}" }}')
            else:
                lines.append(f'{verb} element bridge lab blocked '
                             f'{{ "{src}" . "{dst}" }}')
            (self.blocked.add if block else self.blocked.discard)((src, dst))
        if lines:
            self._inside("nft", "-f", "-", text="\n".join(lines) + "\n")

    def pairs(self, a=None, b=None, one_way=False):
        """The pairs meant by a command: of all, of one node, of two."""
        everyone = list(self.nodes) + ["host"]
        for name in (a, b):
            if name is not None and name not in everyone:
                raise LabError(f"no node {name}")
        if a is None:
            return list(itertools.permutations(everyone, 2))
        if b is not None and a == b:
            raise LabError("a node cannot be cut off from itself")
        others = [b] if b else [n for n in everyone if n != a]
        pairs = [(a, n) for n in others]
        return pairs if one_way else pairs + [(n, a) for n in others]


def destroy(name):
    """Remove the namespace and with it bridge, taps and rules; idempotent."""
    try:
        run("ip", "netns", "del", name, timeout=20)
    except LabError as e:
        if "No such file" not in str(e):
            raise
