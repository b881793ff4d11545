# SPDX-License-Identifier: GPL-2.0-or-later
"""One client that writes versioned blocks; its history is kept on the host."""

import subprocess
import threading
import time

from cluster import LAB, on

ASKED = 3           # times that a machine is asked for its clock


def clock(node):
    """How far a machine's boot clock is from ours, and how well we know, in ms."""
    best = None
    for _ in range(ASKED):
        sent = time.monotonic()
        uptime = float(on(node, "cat /proc/uptime", timeout=20).split()[0])
        took = time.monotonic() - sent
        if best is None or took < best[1]:
            best = ((sent + took / 2) * 1000 - uptime * 1000, took)
    return best[0], best[1] / 2 * 1000


class Storm:
    """One storm on one node, until it or its machine ends."""

    def __init__(self, history, number, node, seed, device, blocks, threads, interval_us):
        self.number, self.node, self.history = number, node, history
        self.clock_known = True
        self.offset_ms, self.error_ms = clock(node)
        self.complaint = ""
        command = (f"exec hfio storm --device {device} --blocks {blocks} --threads {threads} "
                   f"--seconds 3600 --seed {seed} --interval-us {interval_us}")
        self.process = subprocess.Popen([LAB, "exec", "-t", "0", node, "sh", "-c", command],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()
        self.errors = threading.Thread(target=self.follow_errors, daemon=True)
        self.errors.start()

    def to_host(self, guest_ms):
        return guest_ms + self.offset_ms

    def follow(self):
        for line in self.process.stdout:
            self.history.line(self, line)
        # 255: the machine's power went, and with it what was not told yet.
        if self.process.wait() in (255, -15):
            self.history.lines_lost = True

    def follow_errors(self):
        for line in self.process.stderr:
            self.complaint = line.strip()
            if "reads as version" in line:
                self.history.problem(f"S1: on {self.node}: {line.strip()}")

    def alive(self):
        return self.process.poll() is None

    def end(self):
        on(self.node, "killall -q -9 hfio", check=False, timeout=20)
        # All that it had told comes before its end.
        self.thread.join(20)
        if self.alive():
            self.process.terminate()
            self.thread.join(10)
