# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole Debian guests of the lab, without anything of the product in them."""

import json
import os
import signal
import time

import paths
from guest_tests import reaches, sh
from tap import equal, test, true

UP = ("up", "--image", "debian", "--owner", str(os.getpid()))


def status(lab, node):
    nodes = json.loads(lab("status", "--json").stdout)["nodes"]
    return {n["name"]: n for n in nodes}[node]


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)


@test
def comes_up(lab):
    """Two Debian nodes come up with the disks that were asked for."""
    done = lab(*UP, "-n", "2", "--disks", "2", "--disk", "1G", timeout=1800)
    equal(done.returncode, 0, done.stderr)
    for node in ("v1", "v2"):
        equal(sh(lab, node, "cat /sys/block/vd[bc]/size").split(),
              ["2097152"] * 2, "sizes")
        equal(sh(lab, node, "cat /sys/block/vd[abc]/serial"),
              "systemdata1data2", "serials")
        sh(lab, node, "cmp -n 67108864 /dev/lab/data2 /dev/zero")


@test
def nodes_differ(lab):
    """Nodes of one saved state are themselves, and their clocks are right."""
    def seen(script):
        return [sh(lab, n, script).strip() for n in ("v1", "v2")]
    equal(seen("hostname; cat /etc/hostname"), ["v1\nv1", "v2\nv2"], "names")
    for what in ("cat /etc/machine-id", "head -c 16 /dev/urandom | od -An -tx1",
                 "cat /sys/class/net/eth0/address"):
        one, other = seen(what)
        true(one and one != other, f"{what}: both {one}")
    for node in ("v1", "v2"):
        before = time.time()
        now = float(sh(lab, node, "date +%s.%N"))
        true(before - 2 < now < time.time() + 2,
             f"the clock of {node} is off by {now - before:.1f} s")
    true(reaches(lab, "v1", "v2"), "v1 does not reach v2")


@test
def is_a_debian(lab):
    """systemd is content, and LVM makes and activates a thin pool."""
    equal(sh(lab, "v1", "systemctl is-system-running"), "running\n", "systemd")
    sh(lab, "v1", "pvcreate -q /dev/lab/data1 && vgcreate -q t /dev/lab/data1 &&"
       "lvcreate -q -T -L 512M t/pool && lvcreate -q -T -V 2G -n thin t/pool && "
       "mkfs.ext4 -q /dev/t/thin && mount /dev/t/thin /mnt && echo x >/mnt/f && "
       "umount /mnt && vgchange -q -an t && vgchange -q -ay t && "
       "udevadm wait --timeout=30 /dev/t/thin", timeout=120)


@test
def cut_loses_unflushed(lab):
    """A cut loses what was not flushed, also of the system disk."""
    sh(lab, "v1", "echo kept >/root/kept && sync && "
       "dd if=/dev/zero of=/dev/lab/data2 bs=4096 count=16 oflag=direct && "
       "head -c 65536 /dev/urandom >/root/noise && "
       "dd if=/root/noise of=/dev/lab/data2 bs=4096 oflag=direct && "
       "dd if=/root/noise of=/dev/lab/data2 bs=4096 seek=64 oflag=direct "
       "conv=fsync && dd if=/root/noise of=/dev/lab/data2 bs=4096 seek=128 "
       "oflag=direct && echo lost >/root/lost")
    equal(lab("cut", "v1").returncode, 0, "cut")
    done = lab("on", "v1", timeout=900)
    equal(done.returncode, 0, done.stderr)
    equal(sh(lab, "v1", "hostname; cat /root/kept"), "v1\nkept\n", "after the cut")
    sh(lab, "v1", "[ ! -e /root/lost ]")
    sh(lab, "v1", "dd if=/dev/lab/data2 bs=4096 skip=128 count=16 | "
       "cmp -n 65536 - /dev/zero")
    sh(lab, "v1", "! dd if=/dev/lab/data2 bs=4096 skip=64 count=16 | "
       "cmp -s -n 65536 - /dev/zero")
    sh(lab, "v1", "udevadm wait --timeout=30 /dev/t/thin && "
       "mount /dev/t/thin /mnt && cat /mnt/f && umount /mnt")
    true(reaches(lab, "v2", "v1"), "v1 is not reached after its return")
    equal(lab("splat").returncode, 0, "splat")


@test
def reboots(lab):
    """A reboot is one: the node is back by itself, and its disks lost nothing."""
    sh(lab, "v2", "echo here >/root/f")
    done = lab("reboot", "v2", timeout=900)
    equal(done.returncode, 0, done.stderr)
    equal(sh(lab, "v2", "cat /root/f; hostname"), "here\nv2\n", "file and name")
    equal((status(lab, "v2")["state"], status(lab, "v2")["boots"]), ("on", 2),
          "state and boots")
    sh(lab, "v2", "systemctl reboot")
    wait_for(lambda: status(lab, "v2")["boots"] == 3, 120)
    equal((status(lab, "v2")["boots"], status(lab, "v2")["state"]),
          (3, "booting"), "boots and state after a reboot of its own")
    done = lab("on", "v2", timeout=900)
    equal((done.returncode, status(lab, "v2")["state"]), (0, "on"), done.stderr)
    true(float(sh(lab, "v2", "cat /proc/uptime").split()[0]) < 300, "uptime")


@test
def ends(lab):
    """A panic or a poweroff ends a node; it is not taken for a reboot."""
    lab("exec", "-t", "60", "v1", "systemctl", "poweroff")
    wait_for(lambda: status(lab, "v1")["state"] == "off", 120)
    lab("exec", "-t", "20", "v2", "sh", "-c", "echo c >/proc/sysrq-trigger")
    wait_for(lambda: status(lab, "v2")["state"] == "off", 60)
    equal([(status(lab, n)["state"], status(lab, n)["boots"])
           for n in ("v1", "v2")], [("off", 2), ("off", 3)], "states and boots")
    equal(lab("splat").returncode, 1, "splat after a panic")
    equal(lab("down").returncode, 0, "down")
    equal(lab.leftovers(), [], "left over")


@test
def interrupted_save(lab):
    """up that is interrupted while it saves a guest leaves nothing."""
    process = lab.start(*UP, "-n", "1", "--mem", "440")
    shm = f"/dev/shm/holdfast-lab-save-{process.pid}"
    wait_for(lambda: os.path.exists(shm) or process.poll() is not None, 120)
    equal(process.poll(), None, "up before it saves a guest")
    process.send_signal(signal.SIGTERM)
    true(process.wait(90) != 0, "up succeeded")
    own = os.environ["HOLDFAST_LAB"]
    for name in (f"save-{process.pid}", own):
        os.environ["HOLDFAST_LAB"] = name
        try:
            wait_for(lambda: not lab.leftovers(), 30)
            equal(lab.leftovers(), [], f"left over of {name}")
        finally:
            os.environ["HOLDFAST_LAB"] = own
    temps = [n for n in os.listdir(paths.cache_dir("lab", "debian"))
             if n.startswith("temp-") and n.endswith(f"-{process.pid}")]
    equal(temps, [], "left over in the cache")


@test
def bad_words(lab):
    """Words that do not fit the image are refused."""
    for words in (("up", "--debs", "/nosuch"), (*UP, "--autostart"),
                  (*UP, "--kernel", "6.12"), (*UP, "--debs", "/nosuch"),
                  (*UP, "-n", "1", "--with-headers", "v2")):
        done = lab(*words)
        true(done.returncode == 1 and done.stderr.startswith("lab: "), f"{words}")
    equal(lab.leftovers(), [], "left over")
