# SPDX-License-Identifier: GPL-2.0-or-later
"""One cluster of three machines that every case of the fault tests strikes.

A volume with ext4 on it carries three clients, wherever it is attached:
records that are committed one by one (fdatasync), a storm of versioned blocks
(O_DSYNC) whose history is judged by S1 and S2, and overlapping direct writes
that are never flushed, so that at any moment something is in flight.  What was
acknowledged is noted on the host.
"""

import json
import os
import re
import time

import cluster
from cluster import Failure, Writer, lab, on
from history import History
from storm import Storm

NODES = ["v1", "v2", "v3"]
DATA = "/dev/vdb"
BACKING = DATA + ":/dev/vdc"
DISK = "/dev/vd1"
MOUNT = "/mnt/f"
VOLUME = "faults"
SIZE = 48 << 20
STORM_BLOCKS = 256
NOISE_BLOCKS = 1024
SERVE_S = 90            # S4, after the last fault heals; the machines are emulated
PROGRESS_S = 45         # a hold of the primary, until the lost copy is dropped, is in it


class Load:
    """The three clients on one node."""

    def __init__(self, bench, node):
        self.bench, self.node = bench, node
        bench.clients += 1
        self.number = bench.clients
        self.file = bench.records_file()
        self.storm = Storm(bench.history, self.number, node, bench.seed * 100 + self.number,
                           f"{MOUNT}/storm", STORM_BLOCKS, 2, 4000)
        self.records = Writer(node, f"hfio append --file {self.file} --interval-us 2000")
        self.noise = Writer(node, f"hfio overlap --device {MOUNT}/noise --threads 3 "
                            f"--blocks {NOISE_BLOCKS} --seconds 3600 --seed {self.number}")
        self.broken = False     # an end with an error is in order

    def complaints(self):
        """Clients that ended by themselves, with what they said."""
        said = []
        for name, client in (("records", self.records), ("noise", self.noise)):
            if client.ended:
                said.append(f"{name} on {self.node}: status {client.process.returncode}: "
                            f"{client.error()}")
        if not self.storm.alive():
            said.append(f"storm on {self.node}: status {self.storm.process.returncode}: "
                        f"{self.storm.complaint}")
        return said

    def progress(self, count, seconds):
        """So many records more, and a version of some block."""
        writes, had = self.bench.history.writes, len(self.records.acked)
        self.records.wait_count(had + count, seconds)
        end = time.monotonic() + seconds
        with self.bench.history.changed:
            if not self.bench.history.changed.wait_for(
                    lambda: self.bench.history.writes > writes or not self.storm.alive(),
                    end - time.monotonic()) or not self.storm.alive():
                raise Failure(f"no version was acknowledged within {seconds} s: "
                              + "; ".join(self.complaints()))

    def wait_end(self, seconds):
        """All three end by themselves, because of an error."""
        end = time.monotonic() + seconds
        for client in (self.records, self.noise):
            if client.wait_end(max(0.1, end - time.monotonic())) == 0:
                raise Failure(f"a client on {self.node} ended without an error")
        self.storm.thread.join(max(0.1, end - time.monotonic()))
        if self.storm.alive():
            raise Failure(f"the storm on {self.node} still runs after {seconds} s")

    def stop(self):
        on(self.node, "killall -q -9 hfio", check=False, timeout=30)
        for client in (self.records, self.noise):
            client.thread.join(20)
            if not client.ended:
                client.process.kill()
                client.thread.join(10)
        self.storm.end()


class Bench:
    def __init__(self, copies, seed, tell):
        self.copies, self.seed, self.tell = copies, seed, tell
        self.history = History()
        self.clients = 0
        self.case = 0
        self.load = None
        self.past = []          # clients of this case on nodes that served before
        self.acked = 0
        self.splats = set()

    # ---- up ------------------------------------------------------------

    def up(self, kernel):
        lab("up", "-n", len(NODES), "--autostart", "--kernel", kernel, "--owner", os.getpid(),
            timeout=240)
        token = on("v1", f"holdfast init --backing {BACKING}").split()[-1]
        on("v2", f"holdfast join {token} --backing {BACKING}")
        token = on("v1", "holdfast token").split()[-1]
        on("v3", f"holdfast join {token} --backing {BACKING}")
        # the checks name the nodes of the copies: none is made anew elsewhere
        on("v1", "holdfast set rebuild-delay 1h")
        on("v1", f"holdfast volume create {VOLUME} --size {SIZE} --copies {self.copies}")
        on("v1", f"holdfast volume attach {VOLUME} --node v1")
        on("v1", f"mkfs.ext4 -q -E nodiscard,lazy_itable_init=0 {DISK}", timeout=240)
        self.mount("v1")
        for name, blocks in (("storm", STORM_BLOCKS), ("noise", NOISE_BLOCKS)):
            on("v1", f"dd if=/dev/zero of={MOUNT}/{name} bs=4096 count={blocks} conv=fsync")

    def mount(self, node):
        """What a deposed disk left there is in the way; its journal is played back."""
        on(node, f"mkdir -p {MOUNT}; while mountpoint -q {MOUNT}; do umount -l {MOUNT} || exit; done")
        done = lab("exec", node, "fsck.ext4", "-p", DISK, check=False)
        if done.returncode not in (0, 1):
            raise Failure(f"S1: the filesystem is damaged: {done.stdout.strip()} "
                          f"{done.stderr.strip()}")
        on(node, f"mount {DISK} {MOUNT}")

    # ---- who is what ---------------------------------------------------

    def ask(self, command):
        """JSON from any node that answers."""
        for node in NODES:
            try:
                return json.loads(on(node, f"holdfast {command} --json", timeout=15))
            except (Failure, ValueError):
                continue
        raise Failure(f"no node answers 'holdfast {command}'")

    def roles(self, rng):
        """Nodes by role; which of several copies is the secondary is drawn."""
        info = self.ask(f"volume info {VOLUME}")
        primary = info.get("attached_on")
        if not primary:
            raise Failure("the volume is not attached")
        nodes = [slot["node"] for slot in info["slots"]]
        others = sorted(n for n in nodes if n != primary)
        secondary = rng.choice(others)
        rest = [n for n in NODES if n not in (primary, secondary)]
        leader = next((n["name"] for n in self.ask("node ls")["nodes"] if n["role"] == "sds"),
                      None)
        if not leader:
            raise Failure("no node leads the cluster")
        return {"primary": primary, "secondary": secondary, "third": rest[0], "leader": leader,
                "copies": [primary] + others}

    def records_file(self):
        return f"{MOUNT}/records-{self.case}"

    # ---- the load ------------------------------------------------------

    def begin(self, node):
        self.load = Load(self, node)
        self.load.progress(1, PROGRESS_S)

    def goes_on(self, count, why):
        """The same clients, undisturbed, are acknowledged more (S4)."""
        try:
            self.load.progress(count, PROGRESS_S)
        except Failure as trouble:
            raise Failure(f"S4: I/O does not go on {why}: {trouble}") from None
        self.undisturbed()

    def undisturbed(self):
        said = self.load.complaints()
        if said:
            raise Failure("a client saw an error: " + "; ".join(said))

    def lost(self):
        """The clients' machine lost its power, or gives way."""
        if self.load:
            self.load.broken = True
            self.past.append(self.load)
            self.load = None

    def served_on_another(self, node, seconds=60):
        """The volume is attached elsewhere, and new clients work there; the
        seconds that it took until it was attached."""
        begin = time.monotonic()
        while time.monotonic() < begin + seconds:
            for other in NODES:
                if other == node:
                    continue
                done = lab("exec", other, "holdfast", "volume", "wait", VOLUME, "--attached",
                           "--node", other, "--timeout", 2, check=False)
                if done.returncode == 0:
                    took = time.monotonic() - begin
                    self.mount(other)
                    self.begin(other)
                    return took
        raise Failure(f"S4: not served on another node within {seconds} s")

    def healthy(self):
        """Served, and all copies are in sync again (S4)."""
        begin, why = time.monotonic(), ""
        for condition in ("--attached", "--healthy"):
            left = max(1, int(begin + SERVE_S - time.monotonic()))
            # a node that was just powered on may need a moment to find the others
            done = lab("exec", NODES[0], "holdfast", "volume", "wait", VOLUME, condition,
                       "--timeout", left, timeout=left + 30, check=False)
            if done.returncode:
                why = (done.stderr or done.stdout).strip()
                raise Failure(f"S4: not served and healthy {SERVE_S} s after the last fault: {why}")

    def heal(self, rng):
        """After the last fault: served, healthy, I/O goes on (S4)."""
        lab("heal")
        self.healthy()
        roles = self.roles(rng)
        if self.load and roles["primary"] != self.load.node:
            self.lost()
        if not self.load:
            self.gave_way()
            self.mount(roles["primary"])
            self.begin(roles["primary"])
        self.goes_on(20, "after the last fault healed")
        return roles

    def gave_way(self):
        """R6: clients of an older primary end by themselves, with an error."""
        for load in self.past:
            load.wait_end(60)

    # ---- the judgement -------------------------------------------------

    def judge(self, roles):
        """With all quiet: a list of sentences, what is wrong.  The clients are
        stopped, and the filesystem is mounted again when it ends."""
        problems = []
        primary = roles["primary"]
        loads = self.past + [self.load]
        self.load.stop()
        acked = max(load.records.last() for load in loads)
        self.acked += acked
        on(primary, f"umount {MOUNT}")
        differ = cluster.compare_copies(roles["copies"], DATA, SIZE)
        if differ:
            problems.append(f"S3: the copies on {' '.join(roles['copies'])} differ in "
                            f"{len(differ)} MiB, first at {differ[0]}")
        done = lab("exec", primary, "fsck.ext4", "-fn", DISK, check=False)
        if done.returncode:
            problems.append("S1: the filesystem is damaged: "
                            + " / ".join(done.stdout.strip().splitlines()[:5]))
        on(primary, f"mount {DISK} {MOUNT}")
        # Mounted anew, nothing comes from the page cache.
        done = lab("exec", primary, "hfio", "verify", "--file", self.records_file(), "--acked",
                   acked, check=False)
        if done.returncode:
            problems.append(f"S1: of {acked} acknowledged records: {done.stdout.strip()}: "
                            f"{done.stderr.strip()}")
        lines = on(primary, f"hfio versions --device {MOUNT}/storm --blocks {STORM_BLOCKS}")
        if self.history.check_final(lines.splitlines()) != STORM_BLOCKS:
            problems.append("S1: not every block of the storm can be read")
        problems += self.history.problems + self.new_splats()
        self.history.problems = []
        on(primary, f"rm {MOUNT}/records-*")
        self.load, self.past, self.case = None, [], self.case + 1
        return problems

    def new_splats(self):
        lines = set(lab("splat", check=False).stdout.splitlines())
        new = sorted(lines - self.splats)
        self.splats |= lines
        return ["a kernel complained: " + line for line in new[:5]]

    # ---- what a case does to machines ----------------------------------

    def agent(self, node, signal):
        on(node, f"kill -{signal} $(pidof holdfastd)")

    def agent_start(self, node):
        on(node, "holdfastd --daemon")

    def wait_agent_silent(self, node):
        """Until the others have noticed."""
        end = time.monotonic() + 30
        asked = next(n for n in NODES if n != node)
        while time.monotonic() < end:
            text = on(asked, f"holdfast node info {node} --json", check=False, timeout=20)
            if re.search(r'"agent": *"silent"', text):
                return
        raise Failure(f"{asked} does not notice within 30 s that the agent of {node} is silent")

    def down(self):
        lab("down", check=False)
