# SPDX-License-Identifier: GPL-2.0-or-later
"""How labs end: nothing is left, whatever ends them."""

import json
import os
import signal
import subprocess
import time

import paths
from tap import equal, test, true

UP = ("up", "-n", "1", "--no-product")


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


@test
def supervisor_death(lab):
    """If the supervisor is killed nothing runs on, and down cleans up."""
    status = json.loads(lab("status", "--json").stdout)
    pids = [n[k] for n in status["nodes"] for k in ("pid", "disk_pid")]
    true(all(lab.alive(p) for p in pids), "nothing to kill")
    os.kill(status["pid"], signal.SIGKILL)
    wait_for(lambda: not any(lab.alive(p) for p in pids))
    equal([p for p in pids if lab.alive(p)], [], "processes alive")
    equal(lab("exec", "v1", "true").returncode, 255, "exec in a dead lab")
    equal(lab("down").returncode, 0, "down")
    equal(lab.leftovers(), [], "left over")


@test
def down_leaves_nothing(lab):
    """down leaves no process, namespace or file, and may be repeated."""
    done = lab(*UP)
    equal(done.returncode, 0, done.stderr)
    true(len(lab.leftovers()) >= 5, "the check for leftovers sees nothing")
    equal(lab("down").returncode, 0, "down")
    equal(lab.leftovers(), [], "left over")
    equal(lab("down").returncode, 0, "down again")
    equal(lab("status").returncode, 1, "status")


@test
def owner_death(lab):
    """A lab goes down by itself when its owner ends; logs can be kept."""
    owner = subprocess.Popen(["sleep", "300"])
    logs = f"/tmp/{paths.lab_id()}-logs"
    try:
        done = lab(*UP, "--owner", str(owner.pid), "--logs", logs)
        equal(done.returncode, 0, done.stderr)
        owner.kill()
        owner.wait()
        wait_for(lambda: not lab.leftovers())
        equal([f for f in lab.leftovers() if not f.startswith("/tmp")], [],
              "left over")
        true("v1.console" in os.listdir(logs), "no console in the logs")
    finally:
        owner.kill()
        owner.wait()
        subprocess.run(["rm", "-rf", logs], check=True)


@test
def interrupted_up(lab):
    """up that is interrupted leaves nothing, at whatever moment."""
    moments = ((paths.run_dir(), signal.SIGINT),
               (paths.disk_dir() + "/initrd", signal.SIGTERM),
               ("/run/netns/" + paths.netns(), signal.SIGINT),
               (paths.run_dir() + "/v1.console", signal.SIGTERM))
    for path, how in moments:
        p = lab.start(*UP)
        wait_for(lambda: os.path.exists(path) or p.poll() is not None)
        equal(p.poll(), None, f"up before there was {path}")
        p.send_signal(how)
        true(p.wait(60) != 0, f"up succeeded in spite of {how.name}")
        wait_for(lambda: not lab.leftovers())
        equal(lab.leftovers(), [], f"left over after {how.name} at {path}")


@test
def killed_up(lab):
    """up that is killed leaves what the next up removes."""
    p = lab.start(*UP)
    wait_for(lambda: os.path.exists(paths.run_dir()))
    p.kill()
    p.wait()
    lab("down")
    equal(lab.leftovers(), [], "left over after down")
    done = lab(*UP)
    equal(done.returncode, 0, done.stderr)
    equal(lab("exec", "v1", "true").returncode, 0, "exec")
    lab("down")


@test
def failed_boot(lab):
    """up that fails says why in one sentence and leaves nothing."""
    done = lab(*UP, "--append", "init=/nosuch rdinit=/nosuch")
    equal(done.returncode, 1, "status")
    true(done.stderr.startswith("lab: v1 ") and "Kernel panic" in done.stderr
         and done.stderr.count("\n") == 1, done.stderr)
    equal(lab.leftovers(), [], "left over")


@test
def overlay_and_autostart(lab):
    """An overlay is in the guest, and autostart runs its rc at each boot."""
    folder = f"/tmp/{paths.lab_id()}-overlay"
    os.makedirs(folder + "/etc/holdfast")
    try:
        rc = folder + "/etc/holdfast/rc"
        with open(rc, "w") as f:
            f.write("#!/bin/sh\necho boot >>/var/lib/holdfast/boots\nsync\n")
        os.chmod(rc, 0o755)
        done = lab(*UP, "--autostart", "--overlay", folder)
        equal(done.returncode, 0, done.stderr)
        count = ("i=0; while [ $(wc -l </var/lib/holdfast/boots) != {0} ] && "
                 "[ $i -lt 50 ]; do sleep 0.1; i=$((i + 1)); done; "
                 "wc -l </var/lib/holdfast/boots")
        equal(lab("exec", "v1", count.format(1)).stdout.strip(), "1", "boots")
        lab("exec", "v1", "sync")
        lab("cut", "v1")
        equal(lab("on", "v1").returncode, 0, "on")
        equal(lab("exec", "v1", count.format(2)).stdout.strip(), "2", "boots")
    finally:
        lab("down")
        subprocess.run(["rm", "-rf", folder], check=True)


@test
def two_labs(lab):
    """Two labs run side by side, and on the other kernel with two CPUs."""
    other = dict(os.environ, HOLDFAST_LAB=paths.lab_id() + "b")
    try:
        done = lab(*UP)
        equal(done.returncode, 0, done.stderr)
        done = lab(*UP, "--kernel", "6.12", "--smp", "2", env=other)
        equal(done.returncode, 0, done.stderr)
        equal(lab("exec", "v1", "nproc").stdout, "1\n", "first lab")
        equal(lab("exec", "v1", "nproc", env=other).stdout, "2\n", "second lab")
        true(lab("exec", "v1", "uname", "-r", env=other).stdout
             .startswith("6.12."), "kernel of the second lab")
        equal(lab("splat", env=other).returncode, 0, "splat")
        equal(lab("down").returncode, 0, "down")
        equal(lab("exec", "v1", "true", env=other).returncode, 0,
              "second lab after the first went down")
    finally:
        lab("down", env=other)
        lab("down")
    equal(lab.leftovers(), [], "left over")


@test
def bad_words(lab):
    """Bad words are refused with a message, status 1 or 2, and no lab."""
    for words in (("up", "-n", "0"), ("up", "--kernel", "5.0"),
                  ("up", "--disk", "1001"), ("up", "--disk", "0"), ("nosuch",),
                  ("exec",), ("exec", "v1"), ("put", "v1"), ("cut",),
                  (*UP, "--overlay", "/nosuch")):
        done = lab(*words)
        true(done.returncode in (1, 2, 255) and done.stderr, f"{words}")
    equal(lab.leftovers(), [], "left over")
