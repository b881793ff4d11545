# SPDX-License-Identifier: GPL-2.0-or-later
"""The recorded history of all clients, and what must hold of it.

S1: no acknowledged version of a block is lost, no read is older than what was
    acknowledged or read before it began, nothing is read that was never issued
    (as long as every client's lines came out; blocks tell what they are anyway).
    What was read alone may not have been flushed: forget() where power goes.
S2: no client on an older primary completes an operation that began after a
    newer primary completed one.

Every write of a client is durable (O_DSYNC), so S1 holds for all of them,
whichever machines lost their power.
"""

import threading

TORN = -1


class History:
    def __init__(self, slack_ms=100):
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)   # told of each write
        self.slack_ms = slack_ms    # beside what each clock's reading allows for
        self.acked = {}             # block -> highest acknowledged version
        self.seen = {}              # block -> highest version read since forget()
        self.forgotten = 0          # the last client whose reads were forgotten
        self.issued = {}            # block -> highest version ever issued
        self.first_end = {}         # client number -> host ms of its first completion, its error
        self.lines_lost = False     # a client's last lines did not come out of its machine
        self.writes = self.reads = self.failures = 0
        self.problems = []

    def problem(self, text):
        if len(self.problems) < 20:
            self.problems.append(text)

    def line(self, client, text):
        """One line of a client's output, in the client's order."""
        words = text.split()
        if len(words) < 3 or words[0] not in "iwrx" or not words[1].isdigit():
            return
        try:
            numbers = [int(word) for word in words[1:]]
        except ValueError:
            return                  # cut off in the middle, with its machine
        with self.lock:
            self.entry(client, words[0], numbers)

    def entry(self, client, kind, numbers):
        block, version = numbers[:2]
        if kind == "i":
            self.issued[block] = max(version, self.issued.get(block, 0))
            return
        if len(numbers) < 4:
            return
        begin, end = (client.to_host(ms) for ms in numbers[2:4])
        if kind == "x":
            self.failures += 1
            return
        self.fencing(client, begin, end, f"{kind} of block {block} version {version}")
        if kind == "w":
            self.writes += 1
            self.acked[block] = max(version, self.acked.get(block, 0))
            self.changed.notify_all()
            return
        self.reads += 1
        # A line of an older primary may come late, out of a machine that stood
        # still: whether it may be is S2's question.
        if client.number == max(self.first_end):
            self.check_read(client.number, f"client {client.number} on {client.node}", block,
                            version)

    def fencing(self, client, begin, end, what):
        """S2; client numbers grow with the primaries that they ran on."""
        self.first_end.setdefault(client.number, (end, client.error_ms))
        if not client.clock_known:
            return
        for number, (newer_end, error_ms) in self.first_end.items():
            slack_ms = self.slack_ms + error_ms + client.error_ms
            if number > client.number and begin > newer_end + slack_ms:
                self.problem(f"S2: {what} on {client.node} (client {client.number}) began "
                             f"{begin - newer_end:.0f} ms after client {number} completed one")

    def check_read(self, client_number, who, block, version):
        if version == TORN:
            self.problem(f"S1: {who} read block {block} torn or foreign")
        elif version < self.acked.get(block, 0):
            self.problem(f"S1: {who} read version {version} of block {block}, "
                         f"{self.acked[block]} was acknowledged")
        elif version < self.seen.get(block, 0):
            self.problem(f"S1: {who} read version {version} of block {block}, "
                         f"{self.seen[block]} was read before")
        elif version > self.issued.get(block, 0) and not self.lines_lost:
            self.problem(f"S1: {who} read version {version} of block {block}, "
                         f"only {self.issued.get(block, 0)} was issued")

        if client_number > self.forgotten:
            self.seen[block] = max(version, self.seen.get(block, 0))

    def forget(self, client_number):
        """Power goes where that client ran, or of more than one copy."""
        with self.lock:
            self.forgotten = client_number
            self.seen.clear()

    def check_final(self, lines):
        """`hfio versions` after the last fault."""
        seen = 0
        for text in lines:
            words = text.split()
            if len(words) == 3 and words[0] == "v":
                seen += 1
                self.check_read(0, "the end", int(words[1]), int(words[2]))
        return seen
