# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab with real guests, without anything of the product in them."""

import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import tempfile
import time

from tap import Wrong, equal, test, true


def sh(lab, node, script, status=0, timeout=60):
    done = lab("exec", "-t", str(timeout), node, "sh", "-c", script)
    equal(done.returncode, status, f"'{script}' on {node}: {done.stderr.strip()}")
    return done.stdout


def seconds_up(lab, node):
    return float(sh(lab, node, "cat /proc/uptime").split()[0])


def reaches(lab, src, dst):
    return lab("exec", src, "ping", "-c", "1", "-W", "1", dst).returncode == 0


def fill(lab, node, at, n, tag, how):
    """Write n blocks that name themselves; returns the whole content."""
    data = b"".join((f"{tag}{i:06} " * 4096)[:4096].encode() for i in range(n))
    with tempfile.NamedTemporaryFile() as f:
        f.write(data)
        f.flush()
        equal(lab("put", node, f.name, "/tmp/fill").returncode, 0, "put")
    sh(lab, node, f"dd if=/tmp/fill of=/dev/lab/data1 bs=4096 seek={at} {how}")
    return data


def content(lab, node, at, n):
    with tempfile.NamedTemporaryFile() as f:
        sh(lab, node, f"dd if=/dev/lab/data1 bs=4096 skip={at} count={n} "
           "iflag=direct of=/tmp/content")
        equal(lab("get", node, "/tmp/content", f.name).returncode, 0, "get")
        with open(f.name, "rb") as g:
            return g.read()


@test
def comes_up(lab):
    """Two nodes come up, without the product."""
    done = lab("up", "-n", "2", "--no-product", "--owner", str(os.getpid()))
    equal(done.returncode, 0, done.stderr)


@test
def says_what_it_is(lab):
    """Status tells accelerator, kernel and nodes."""
    s = json.loads(lab("status", "--json").stdout)
    true(s["accel"] in ("kvm", "tcg"), f"accel is {s['accel']}")
    equal([n["state"] for n in s["nodes"]], ["on", "on"], "states")
    equal(sh(lab, "v1", "uname -r").strip(), s["kernel"], "kernel")
    true(lab("up", "-n", "1", "--no-product").returncode == 1,
         "a second up of the same lab was not refused")


@test
def passes_status_and_streams(lab):
    """exec passes status, output, errors, input and words as they are."""
    done = lab("exec", "v1", "sh", "-c", "echo out; echo err >&2; exit 41")
    equal((done.returncode, done.stdout, done.stderr), (41, "out\n", "err\n"),
          "exec")
    equal(lab("exec", "v1", "printf", "%s|", "a b", "", "*", "$x").stdout,
          "a b||*|$x|", "words")
    equal(lab("exec", "v1", "nosuchcommand").returncode, 127, "unknown command")
    equal(lab("exec", "v1", "sh", "-c", "kill -9 $$").returncode, 137, "signal")
    equal(lab("exec", "-i", "v1", "md5sum", input="x" * 300000).stdout.split()[0],
          hashlib.md5(b"x" * 300000).hexdigest(), "input")
    equal(lab("exec", "v7", "true").returncode, 255, "unknown node")


@test
def long_output(lab):
    """exec carries megabytes, and a reader that stops holds up nobody else."""
    slow = lab.start("exec", "v1", "seq", "1", "600000")
    try:
        begun = os.read(slow.stdout.fileno(), 2).decode()
        equal(sh(lab, "v1", "echo here"), "here\n", "other command")
        out = begun + slow.communicate(timeout=60)[0]
    finally:
        slow.kill()
        slow.wait()
    equal(hashlib.md5(out.encode()).hexdigest(),
          hashlib.md5("".join(f"{i}\n" for i in range(1, 600001)).encode())
          .hexdigest(), "output")


@test
def many_at_once(lab):
    """Many commands run on one node at once."""
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        out = list(pool.map(lambda i: sh(lab, "v1", f"sleep 2; echo {i}"),
                            range(12)))
    equal(out, [f"{i}\n" for i in range(12)], "outputs")
    took = time.monotonic() - begin
    true(took < 15, f"twelve sleeps of 2 s took {took:.1f} s: one by one?")


@test
def stream_while_running(lab):
    """Output comes while the command runs."""
    p = lab.start("exec", "v1", "sh", "-c", "echo first; read x; echo $x", "-")
    try:
        equal(p.stdout.readline(), "first\n", "first line")
    finally:
        p.kill()
        p.wait()


@test
def timeout_ends_command(lab):
    """A timeout ends the command in the guest, also one that ignores TERM."""
    done = lab("exec", "-t", "1", "v1", "sh", "-c",
               "trap '' TERM; echo $$ >/tmp/pid; while :; do sleep 0.1; done")
    equal(done.returncode, 124, "status")
    sh(lab, "v1", "p=$(cat /tmp/pid); i=0; while [ -e /proc/$p ] && [ $i -lt 60 ];"
       " do sleep 0.1; i=$((i + 1)); done; [ ! -e /proc/$p ]")


@test
def client_death_ends_command(lab):
    """A client that is killed takes its command along."""
    p = lab.start("exec", "v1", "sh", "-c", "echo $$; exec sleep 100")
    pid = p.stdout.readline().strip()
    p.kill()
    p.wait()
    sh(lab, "v1", f"i=0; while [ -e /proc/{pid} ] && [ $i -lt 60 ]; "
       f"do sleep 0.1; i=$((i + 1)); done; [ ! -e /proc/{pid} ]")


@test
def background_process(lab):
    """exec ends with its command, not with what that left running."""
    begin = time.monotonic()
    equal(sh(lab, "v1", "sleep 50 & echo $!").strip().isdigit(), True, "output")
    true(time.monotonic() - begin < 20, "exec waited for a background process")


@test
def put_and_get(lab):
    """put and get carry files with their content and mode."""
    with tempfile.TemporaryDirectory() as folder:
        src, back = os.path.join(folder, "src"), os.path.join(folder, "back")
        with open(src, "wb") as f:
            f.write(os.urandom(3000001))
        os.chmod(src, 0o751)
        equal(lab("put", "v2", src, "/root/new/x").returncode, 0, "put")
        equal(sh(lab, "v2", "stat -c %a /root/new/x").strip(), "751", "mode")
        equal(lab("get", "v2", "/root/new/x", back).returncode, 0, "get")
        with open(src, "rb") as a, open(back, "rb") as b:
            true(a.read() == b.read(), "content differs")
        true(lab("get", "v2", "/nosuch", back + "2").returncode != 0, "get of none")
        true(not os.path.exists(back + "2"), "a failed get left a file")
        true(lab("put", "v2", src, "/proc/x/y").returncode != 0, "put to nowhere")


@test
def guest_is_equipped(lab):
    """Guests have their disks, tools and the modules that tests use."""
    sh(lab, "v1", "for d in state data1 meta1; do [ -b /dev/lab/$d ] || exit 1; done")
    equal(sh(lab, "v1", "cat /sys/block/vdb/queue/write_cache").strip(),
          "write back", "write cache")
    equal(sh(lab, "v1", "blockdev --getsize64 /dev/lab/data1; "
             "blockdev --getsize64 /dev/lab/meta1").split(),
          [str((1 << 30) + (16 << 20)), str(16 << 20)], "sizes")
    sh(lab, "v1", "mountpoint -q /var/lib/holdfast && touch /var/lib/holdfast/x")
    sh(lab, "v1", "modprobe -a null_blk dm_mod dm_flakey brd sch_netem loop && "
       "tc -V && mkfs.ext4 -V && dmsetup version && fio --version && blkid -V")


@test
def ping(lab):
    """Nodes reach each other by name, and the host."""
    for src, dst in (("v1", "v2"), ("v2", "v1"), ("v1", "host")):
        true(reaches(lab, src, dst), f"{src} does not reach {dst}")


@test
def partition(lab):
    """A partition cuts both ways, and heals, with exec going on."""
    equal(lab("partition", "v1", "v2").returncode, 0, "partition")
    true(not reaches(lab, "v1", "v2"), "v1 reaches v2")
    true(not reaches(lab, "v2", "v1"), "v2 reaches v1")
    true(reaches(lab, "v1", "host"), "v1 does not reach the host")
    lab("heal", "v1", "v2")
    true(reaches(lab, "v1", "v2"), "v1 does not reach v2 after heal")
    lab("partition", "v2")
    true(not reaches(lab, "v2", "v1"), "v2 reaches v1")
    true(not reaches(lab, "v2", "host"), "v2 reaches the host")
    true(reaches(lab, "v1", "host"), "v1 does not reach the host")
    lab("heal")
    true(reaches(lab, "v2", "v1"), "v2 does not reach v1 after heal")


def received(lab, node):
    return int(sh(lab, node, "cat /sys/class/net/eth0/statistics/rx_packets"))


@test
def one_way(lab):
    """A partition of one direction lets the other one pass."""
    mac = sh(lab, "v2", "cat /sys/class/net/eth0/address").strip()
    sh(lab, "v1", f"ip neigh replace 10.77.0.2 lladdr {mac} dev eth0 nud permanent")
    lab("partition", "--from", "v2", "--to", "v1")
    before = received(lab, "v2")
    true(not reaches(lab, "v1", "v2"), "an answer came back")
    true(received(lab, "v2") > before, "the open direction carried nothing")
    lab("heal")
    lab("partition", "--from", "v1", "--to", "v2")
    before = received(lab, "v2")
    true(not reaches(lab, "v1", "v2"), "a cut direction carried a ping")
    equal(received(lab, "v2") - before, 0, "packets through the cut direction")
    lab("heal")
    true(reaches(lab, "v1", "v2"), "no way after heal")
    sh(lab, "v1", "ip neigh flush all")


@test
def delay_and_loss(lab):
    """Delay and loss are seen by the other node, and end."""
    def times():
        out = sh(lab, "v1", "ping -c 3 v2")
        return float(re.search(r"= ([\d.]+)/", out)[1])
    true(lab("delay", "v1", "100").returncode == 0, "delay")
    slow = times()
    lab("delay", "v1", "0")
    fast = times()
    true(slow >= 100, f"round trip of {slow} ms with a delay of 100")
    true(fast < slow - 50, f"round trip of {fast} ms after the delay")
    lab("loss", "v1", "100")
    true(not reaches(lab, "v1", "v2"), "all is lost, yet it came")
    lab("loss", "v1", "0")
    true(reaches(lab, "v1", "v2"), "nothing is lost, yet it did not come")


def lag(lab, node):
    """How far the guest's clock is behind the host's, but for a constant."""
    samples = []
    for _ in range(5):
        before = time.monotonic()
        up = seconds_up(lab, node)
        after = time.monotonic()
        samples.append((after - before, (before + after) / 2 - up))
    return min(samples)[1]


@test
def pause_with_clock(lab):
    """Pause with a running clock: the guest finds that time has passed."""
    before = lag(lab, "v1")
    equal(lab("pause", "v1").returncode, 0, "pause")
    waiting = lab.start("exec", "v1", "echo", "awake")
    try:
        waiting.communicate(timeout=3)
        raise Wrong("a paused node answered")
    except subprocess.TimeoutExpired:
        pass
    equal(lab.state("v1"), "paused", "state")
    equal(lab("resume", "v1").returncode, 0, "resume")
    equal(waiting.communicate(timeout=30)[0], "awake\n", "waiting command")
    gained = lag(lab, "v1") - before
    true(abs(gained) < 1, f"the clock stood still for {gained:.1f} s")


@test
def pause_without_clock(lab):
    """Pause with a stopped clock: the guest knows nothing of it."""
    before = lag(lab, "v1")
    equal(lab("pause", "v1", "--clock", "stops").returncode, 0, "pause")
    time.sleep(3)
    equal(lab("resume", "v2").returncode, 1, "resume of a running node")
    equal(lab("resume", "v1").returncode, 0, "resume")
    gained = lag(lab, "v1") - before
    true(gained > 2.5, f"the clock stood still for {gained:.1f} s only")


@test
def cut_loses_unflushed(lab):
    """A cut loses unflushed writes and keeps flushed ones, end to end."""
    kept = fill(lab, "v2", 0, 64, "kept", "oflag=direct conv=fsync")
    fill(lab, "v2", 64, 64, "lost", "oflag=direct")
    sh(lab, "v2", "echo safe >/var/lib/holdfast/f && sync; echo never >/tmp/f")
    running = lab.start("exec", "v2", "sh", "-c", "echo up; sleep 100")
    equal(running.stdout.readline(), "up\n", "running command")
    equal(lab("cut", "v2").returncode, 0, "cut")
    equal(running.wait(20), 255, "status of a command on a node that was cut")
    equal(lab("exec", "v2", "true").returncode, 255, "exec on a node that is off")
    equal(lab("on", "v2").returncode, 0, "on")
    equal(content(lab, "v2", 0, 64), kept, "flushed blocks")
    equal(content(lab, "v2", 64, 64), bytes(64 * 4096), "unflushed blocks")
    equal(sh(lab, "v2", "cat /var/lib/holdfast/f"), "safe\n", "file")
    sh(lab, "v2", "[ ! -e /tmp/f ]")
    true(reaches(lab, "v1", "v2"), "v2 is not reached after its return")


@test
def cut_keeps_subset(lab):
    """A cut with a seed keeps a strict subset of the unflushed writes."""
    data = fill(lab, "v2", 256, 64, "some", "oflag=direct")
    said = lab("cut", "v2", "--keep", "7").stdout
    dirty, kept = map(int, re.search(r"dirty=(\d+) kept=(\d+)", said).groups())
    equal(lab("on", "v2").returncode, 0, "on")
    seen = content(lab, "v2", 256, 64)
    alive = [i for i in range(0, len(seen), 4096)
             if seen[i:i + 4096] == data[i:i + 4096]]
    true(0 < len(alive) < 64, f"{len(alive)} of 64 blocks survived")
    true(dirty >= 512 and kept >= len(alive) * 8, said)


@test
def cut_all_at_once(lab):
    """All nodes can be cut at once, and each loses another part."""
    for node in ("v1", "v2"):
        fill(lab, node, 1024, 64, "both", "oflag=direct")
    equal(lab("cut", "v1", "v2", "--keep", "3").returncode, 0, "cut")
    equal([lab.state(n) for n in ("v1", "v2")], ["off", "off"], "states")
    equal(lab("on", "v1", "v2").returncode, 0, "on")
    kept = [content(lab, node, 1024, 64) for node in ("v1", "v2")]
    true(kept[0] != kept[1], "both nodes kept the same")
    true(all(k.strip(b"\0") for k in kept), "a node kept nothing")


@test
def crash_is_seen(lab):
    """A panic ends the guest, splat finds it, and the disks keep all."""
    equal(lab("splat").returncode, 0, "splat before")
    data = fill(lab, "v2", 512, 4, "crash", "oflag=direct")
    lab("exec", "-t", "20", "v2", "sh", "-c", "echo c >/proc/sysrq-trigger")
    end = time.monotonic() + 20
    while lab.state("v2") != "off" and time.monotonic() < end:
        time.sleep(0.1)
    equal(lab.state("v2"), "off", "state after a panic")
    equal(lab("splat").returncode, 1, "splat after")
    true("panic" in lab("console", "v2").stdout, "console lacks the panic")
    equal(lab("on", "v2").returncode, 0, "on")
    equal(content(lab, "v2", 512, 4), data, "blocks after a crash with power on")


@test
def disk_faults(lab):
    """A disk of a node can be made to fail, and works again after."""
    read = "dd if=/dev/lab/data1 of=/dev/null bs=4096 count=1 iflag=direct"
    lab("disk", "v1", "data1", "error")
    true(lab("exec", "v1", "sh", "-c", read).returncode == 1, "read with errors")
    lab("disk", "v1", "data1", "ok")
    sh(lab, "v1", read)
    equal(lab("disk", "v1", "data9", "error").returncode, 1, "unknown disk")
