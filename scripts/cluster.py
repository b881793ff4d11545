# SPDX-License-Identifier: GPL-2.0-or-later
"""A running cluster in the lab, for the demo and the torture run."""

import json
import os
import subprocess
import sys
import threading
import time

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAB = os.path.join(REPO, "scripts", "lab")


class Failure(Exception):
    """What went wrong, in one sentence."""


def lab(*args, timeout=120, check=True, **kw):
    """Run a command of the lab; returns the finished process."""
    try:
        done = subprocess.run([LAB, *map(str, args)], text=True, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    except subprocess.TimeoutExpired:
        raise Failure(f"'lab {' '.join(map(str, args))}' did not end within {timeout} s") from None
    if check and done.returncode:
        raise Failure(f"'lab {' '.join(map(str, args))}' failed: "
                      f"{(done.stderr or done.stdout).strip()}")
    return done


def on(node, command, timeout=120, check=True):
    """Run a shell command on a node; returns what it printed."""
    done = lab("exec", node, "sh", "-c", command, timeout=timeout, check=False)
    if check and done.returncode:
        raise Failure(f"on {node}, '{command}' ended with {done.returncode}: "
                      f"{(done.stderr or done.stdout).strip()}")
    return done.stdout


def say(text):
    print(f"\n--- {text}", flush=True)


def show(node, command, timeout=120, check=True):
    """Run a command on a node as a person would see it."""
    print(f"root@{node}:~# {command}", flush=True)
    done = lab("exec", node, "sh", "-c", command, timeout=timeout, check=False)
    text = (done.stdout + done.stderr).rstrip()
    if text:
        print(text, flush=True)
    if check and done.returncode:
        raise Failure(f"'{command}' on {node} ended with status {done.returncode}")
    return done.stdout


class Writer:
    """A client on a node whose acknowledged record numbers are noted here, on
    the host, as they come: a guest that dies takes none of them along."""

    def __init__(self, node, command):
        self.acked = []             # (number, host's monotonic time)
        self.said = []              # its other lines
        self.command = command
        self.changed = threading.Condition()
        self.ended = False
        self.node = node
        self.process = subprocess.Popen([LAB, "exec", "-t", "0", node, "sh", "-c", "exec " + command],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, bufsize=1)
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self):
        for line in self.process.stdout:
            if line.strip().isdigit():
                with self.changed:
                    self.acked.append((int(line), time.monotonic()))
                    self.changed.notify_all()
            else:
                self.said.append(line.strip())
        self.process.wait()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_count(self, count, timeout):
        """Until so many are acknowledged; the event is the acknowledgement."""
        with self.changed:
            good = self.changed.wait_for(lambda: len(self.acked) >= count or self.ended, timeout)
            if not good or len(self.acked) < count:
                raise Failure(f"{len(self.acked)} records acknowledged, {count} wanted"
                              + (": the writer ended: " + self.error() if self.ended else
                                 f" within {timeout} s"))

    def wait_end(self, timeout):
        """The exit status, or a Failure if it goes on."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.ended, timeout):
                raise Failure(f"the writer still runs after {timeout} s")
        return self.process.returncode

    def error(self):
        return (self.process.stderr.read() or "no message").strip() if self.ended else ""

    def stop(self, signal=9):
        """End the client; what it had acknowledged stays."""
        # the first letter in brackets: the pattern must not find its own shell
        pattern = f"^[{self.command[0]}]{self.command[1:]}"
        on(self.node, f"pkill -{signal} -f '{pattern}'", check=False, timeout=30)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.thread.join(10)

    def last(self):
        with self.changed:
            return max((n for n, _ in self.acked), default=0)


def volume(node, name):
    """`volume info --json` as seen on a node."""
    return json.loads(on(node, f"holdfast volume info {name} --json"))


def wait_volume(node, name, condition, seconds):
    on(node, f"holdfast volume wait {name} {condition} --timeout {seconds}", timeout=seconds + 20)


def build_clients():
    """The agent, and the clients of the tests."""
    subprocess.run(["make", "--no-print-directory", "-s", "-C", os.path.join(REPO, "agent")],
                   check=True, timeout=600)
    subprocess.run(["make", "--no-print-directory", "-s", "-C",
                    os.path.join(REPO, "selftests", "tools")], check=True, timeout=120)


def build(sabotage=None, kernel="6.1"):
    """Agent and module; the lab takes the module from the environment."""
    build_clients()
    command = [os.path.join(REPO, "scripts", "build-module"), "--kernel", kernel]
    if sabotage:
        command += ["--sabotage", sabotage]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600, cwd=REPO)
    if done.returncode:
        raise Failure("the module could not be built")
    os.environ["HOLDFAST_MODULE"] = os.path.join(REPO, done.stdout.strip())


def need_root():
    if os.geteuid():
        sys.exit("This needs root for machines' networks: run it as root or through sudo.")


def build_packages():
    """The packages of build/debs, and the clients of the story."""
    subprocess.run(["make", "--no-print-directory", "-s", "-C", REPO, "deb"], check=True,
                   timeout=900)
    subprocess.run(["make", "--no-print-directory", "-s", "-C",
                    os.path.join(REPO, "selftests", "tools"), "all"], check=True, timeout=120)


def keep_consoles(nodes):
    """What the machines said last, for whoever looks for the fault."""
    for node in nodes:
        done = lab("console", node, check=False)
        with open(os.path.join(REPO, "build", f"demo-{node}.log"), "w", encoding="utf-8") as log:
            log.write(done.stdout)
    print("the machines' consoles are in build/demo-*.log")


def compare_copies(nodes, device, size):
    """Both copies, as the nodes' disks of one name give them."""
    return compare_paths({node: device for node in nodes}, size)


def compare_paths(paths, size):
    """Copies, given as node: device, chunk by chunk: a list of the offsets
    that differ."""
    sums = {}
    threads = []

    def read(node):
        sums[node] = on(node, f"hfio sums --device {paths[node]} --bytes {size}",
                        timeout=300).splitlines()

    for node in paths:
        thread = threading.Thread(target=read, args=(node,))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    if len(sums) != len(paths) or len({len(s) for s in sums.values()}) != 1:
        raise Failure("a copy could not be read to its end")
    first, *others = sums.values()
    if not first:
        raise Failure("nothing was compared")
    return [line.split()[0] for i, line in enumerate(first)
            if any(other[i] != line for other in others)]
