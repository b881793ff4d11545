# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of scripts/lab other than exec, put and get."""

import argparse
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time

import accel
import image
import paths
import supervise
from client import request
from paths import LabError

MIN_FREE = 2 << 30

SPLAT = re.compile(
    r"BUG:|BUG [\w-]+ \(|WARNING: |Oops|general protection|Kernel panic|Call Trace"
    r"|INFO: task .* blocked|possible (circular|recursive) locking"
    r"|inconsistent lock state|suspicious RCU usage|rcu: INFO|KASAN|UBSAN"
    r"|soft lockup|hard LOCKUP|Bad page|refcount_t:|DEBUG_LOCKS_WARN_ON"
    r"|scheduling while atomic|sleeping function called|unregister_netdevice:"
    r"|list_(add|del) corruption|kernel BUG|still has locks held|new suspected memory leaks"
    r"|ODEBUG:|MAX_LOCK\w+ too low|workqueue lockup")


def size(text):
    match = re.fullmatch(r"(\d+)([KMGT]?)(i?B)?", text, re.I)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size like 1G or 64M")
    value = int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[
        match[2].upper()]
    if not value or value % 4096:
        raise argparse.ArgumentTypeError(f"{text} is not a multiple of 4 KiB")
    return value


# ---- up and down ----------------------------------------------------------

def started(pid):
    """When a process started, in ticks: with its pid this names it for good."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    if fields[0] in "ZX":
        raise ProcessLookupError(pid)
    return fields[19]


def write_pid(pid):
    path = os.path.join(paths.run_dir(), "pid")
    with open(path + ".new", "w") as f:
        f.write(f"{pid} {started(pid)}")
    os.rename(path + ".new", path)


def keeper():
    """The process that keeps this lab, if it lives: supervisor or `lab up`."""
    try:
        with open(os.path.join(paths.run_dir(), "pid")) as f:
            pid, since = f.read().split()
        return int(pid) if started(pid) == since else None
    except (OSError, ValueError):
        return None


def check_host(config):
    for tool in ("qemu-system-x86_64", "nbdkit", "nft", "ip", "nsenter",
                 "setpriv", "mke2fs", "debugfs", "modprobe", "depmod", "gcc"):
        if not shutil.which(tool):
            raise LabError(f"{tool} is missing: run scripts/setup")
    base = os.path.dirname(paths.disk_dir())
    free = shutil.disk_usage(base).free
    if free < MIN_FREE:
        raise LabError(f"{base} has {free >> 20} MiB free, but disk images need "
                       f"{MIN_FREE >> 20} MiB")
    with open("/proc/meminfo") as f:
        available = int(re.search(r"MemAvailable: *(\d+)", f.read())[1]) >> 10
    need = config["nodes"] * (config["mem"] + 64)
    if available < need:
        raise LabError(f"{available} MiB of memory are available, but "
                       f"{config['nodes']} nodes need {need}")


def claim():
    """Make the run directory ours, or refuse."""
    pid = keeper()
    if pid:
        raise LabError(f"lab {paths.lab_id()} is up already (process {pid})")
    try:
        age = time.time() - os.stat(paths.run_dir()).st_mtime
        fresh = age < 5 and not os.path.exists(
            os.path.join(paths.run_dir(), "pid"))
    except OSError:
        fresh = False
    if not fresh:
        supervise.clean(paths.run_dir(), paths.disk_dir(), paths.netns())
    try:
        os.makedirs(paths.RUN, mode=0o755, exist_ok=True)
        os.mkdir(paths.run_dir(), 0o700)
        write_pid(os.getpid())
        os.mkdir(paths.disk_dir(), 0o700)
    except FileExistsError as e:
        raise LabError(f"lab {paths.lab_id()} is being started by somebody "
                       f"else, or {e.filename} is in the way") from None
    except OSError as e:
        raise LabError(f"{e.filename}: {e.strerror}") from None


def debug_words(series):
    """For a kernel that is slow because it checks: every report, no false alarm."""
    if series != "debug":
        return ""
    return ("kasan_multi_shot workqueue.watchdog_thresh=120 "
            "rcupdate.rcu_cpu_stall_timeout=180 hf.hung=300 ")


def up_config(args):
    series = args.kernel
    debian = args.image == "debian"
    large = debian or series == "debug"
    kernel = image.kernel_image(series)
    name, accel_args, append = accel.choose(kernel, args.accel)
    return {
        "image": args.image, "nodes": args.nodes, "first": 1,
        "kernel_image": kernel, "release": image.kernel_release(series),
        "smp": args.smp, "mem": args.mem or (512 if large else 256),
        "disks": args.disks, "disk_bytes": args.disk or (
            4 << 30 if debian else (1 << 30) + (16 << 20)),
        "meta_mib": args.meta_mib, "state_mib": 64, "early": args.early,
        "record": args.record,
        "accel": name, "accel_args": accel_args, "accel_append": append,
        "machine": "pc", "append": debug_words(series) + args.append,
        "plugin": image.powercut(),
        "boot_timeout": args.boot_timeout or (900 if large else 120),
        "owner": args.owner, "autostart": args.autostart,
        "logs": args.logs and os.path.abspath(args.logs)}


def bring_up(config, prepare=None):
    """Claim the lab's name, start it, and return its status."""
    check_host(config)
    claim()
    try:
        if prepare:
            prepare()
        with open(os.path.join(paths.run_dir(), "config.json"), "w") as f:
            json.dump(config, f, indent=1)
        answer = start_supervisor(config["boot_timeout"] + 60)
    except BaseException:
        if keeper() in (None, os.getpid()):
            supervise.clean(paths.run_dir(), paths.disk_dir(), paths.netns())
        raise
    if not answer.get("ok"):
        raise LabError(answer.get("error", "the lab did not start"))
    return answer


def check_words(args):
    small = [w for w in ("no_product", "autostart", "overlay")
             if getattr(args, w)]
    debian = [w for w in ("with_headers", "debs", "cold") if getattr(args, w)]
    for word in debian if args.image == "small" else small:
        if word != "no_product":
            raise LabError(f"--{word.replace('_', '-')} is not for --image "
                           f"{args.image}")
    if args.image == "debian" and args.kernel != "6.1":
        raise LabError("Debian guests start with kernel 6.1; another one is "
                       "installed in them (lab put-kernel)")


def command_up(args):
    check_words(args)
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda n, _: sys.exit(128 + n))
    config = up_config(args)

    def make_initrd():
        config["initrd"] = os.path.join(paths.disk_dir(), "initrd")
        image.initrd(args.kernel, config["initrd"], args.overlay,
                     not args.no_product)

    if args.image == "debian":
        import saved
        if keeper():
            raise LabError(f"lab {paths.lab_id()} is up already")
        saved.configure(config, args, bring_up, lambda: take_down(60),
                        lambda text: print(f"lab: {text}", file=sys.stderr,
                                           flush=True))
    answer = bring_up(config, make_initrd if args.image == "small" else None)
    if args.json:
        print(json.dumps(answer))
    elif not args.quiet:
        print_status(answer)
    return 0


def start_supervisor(timeout):
    """Start it in a session of its own and wait for its report."""
    read_fd, write_fd = os.pipe()
    with open(os.path.join(paths.run_dir(), "supervisor.log"), "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", os.path.join(paths.HERE, "..", "lab"),
             "supervise", str(write_fd)], stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, pass_fds=(write_fd,), start_new_session=True, cwd="/")
    os.close(write_fd)
    try:
        write_pid(process.pid)
        end, text = time.monotonic() + timeout, b""
        while True:
            left = max(0, end - time.monotonic())
            if not select.select([read_fd], [], [], left)[0]:
                raise LabError("the lab did not start in time")
            data = os.read(read_fd, 65536)
            text += data
            if not data:
                return json.loads(text or b"{}")
    except BaseException:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
    finally:
        os.close(read_fd)


def command_down(args):
    take_down(args.timeout)
    return 0


def take_down(timeout):
    pid = keeper()
    if pid:
        fd = os.pidfd_open(pid)
        signal.pidfd_send_signal(fd, signal.SIGTERM)
        if not select.select([fd], [], [], timeout)[0]:
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            select.select([fd], [], [], 10)
        os.close(fd)
    supervise.clean(paths.run_dir(), paths.disk_dir(), paths.netns())


# ---- what is shown --------------------------------------------------------

def print_status(s):
    print(f"lab {s['id']}: {len(s['nodes'])} nodes, {s['accel']}, kernel "
          f"{s['kernel']}, {s['smp']} CPU, {s['mem']} MiB, namespace {s['netns']}")
    for n in s["nodes"]:
        extra = [f"{k} {v}" for k, v in n["netem"].items() if v]
        extra += [n[k] for k in ("variant", "why") if n.get(k)]
        if n.get("cpus", s["smp"]) != s["smp"]:
            extra.append(f"{n['cpus']} CPUs")
        if n.get("kernel", s["kernel"]) != s["kernel"]:
            extra.append("kernel " + n["kernel"])
        print(f"{n['name']:4} {n['state']:8} {n['address']:12} "
              f"booted {n['boots']} times, last in {n['boot_seconds']} s"
              + "".join(", " + e for e in extra))
    for src, dst in s["blocked"]:
        print(f"blocked: {src} -> {dst}")


def command_status(args):
    answer = request("status")
    if args.json:
        print(json.dumps(answer))
    else:
        print_status(answer)
    return 0


def command_console(args):
    path = os.path.join(paths.run_dir(), args.node + ".console")
    if not os.path.exists(path):
        raise LabError(f"no console of {args.node}")
    cmd = ["tail", "-n", "+1"] + (["-F"] if args.follow else []) + [path]
    os.execvp("tail", cmd)


def command_splat(args):
    found = 0
    try:
        names = sorted(os.listdir(paths.run_dir()))
    except OSError:
        raise LabError(f"lab {paths.lab_id()} is not up") from None
    for name in names:
        if not name.endswith(".console"):
            continue
        with open(os.path.join(paths.run_dir(), name), errors="replace") as f:
            for line in f:
                if SPLAT.search(line) and not (args.allow and
                                               re.search(args.allow, line)):
                    found += 1
                    print(f"{name[:-8]}: {line.rstrip()}")
    return 1 if found else 0


def command_apt_log(args):
    """What apt said when it installed the packages of --debs."""
    try:
        with open(os.path.join(paths.run_dir(), "config.json")) as f:
            guests = json.load(f)["guests"]
    except (OSError, KeyError):
        raise LabError(f"lab {paths.lab_id()} has no Debian guests") from None
    if args.node not in guests:
        raise LabError(f"no node {args.node}")
    try:
        with open(os.path.join(guests[args.node]["state"] or "", "apt.log"),
                  errors="replace") as f:
            shutil.copyfileobj(f, sys.stdout)
    except OSError:
        raise LabError(f"nothing was installed in {args.node}") from None
    return 0


def command_put_kernel(args):
    """Packages of a kernel for `apt install`, which a guest cannot fetch."""
    import client
    import debian
    folder = f"/var/cache/holdfast-test/linux-{args.kernel}/"
    for deb in debian.kernel_debs(args.kernel, args.headers):
        status = client.command_put([args.node, deb, folder])
        if status:
            return status
        print(folder + os.path.basename(deb))
    return 0


# ---- requests -------------------------------------------------------------

def command_on(args):
    for name, seconds in request("on", 1800, nodes=args.nodes)["booted"].items():
        print(f"{name} booted in {seconds} s")
    return 0


def command_reboot(args):
    booted = request("reboot", args.timeout + 30, nodes=args.nodes,
                     within=args.timeout)["booted"]
    for name, seconds in booted.items():
        print(f"{name} booted in {seconds} s")
    return 0


def command_cut(args):
    answer = request("cut", nodes=args.nodes, unit=args.unit, keep=args.keep)
    for name, said in answer["said"].items():
        print(f"{name} cut: {said}")
    return 0


def command_pause(args):
    request("pause", node=args.node, clock=args.clock)
    return 0


def command_resume(args):
    request("resume", node=args.node)
    return 0


def command_partition(args):
    one_way = args.src is not None or args.dst is not None
    if one_way and (args.a or args.src is None):
        raise LabError(f"usage: lab {args.command} [A [B] | --from A [--to B]]")
    request(args.command, a=args.src or args.a, b=args.dst or args.b,
            one_way=one_way)
    return 0


def command_netem(args):
    request("netem", node=args.node, what=args.command, value=args.value)
    return 0


def command_disk(args):
    if args.fault == "slow" and args.ms is None:
        raise LabError("usage: lab disk NODE DISK slow MS")
    line = (f"stat {args.disk}" if args.fault == "stat" else
            f"fault {args.disk} {args.fault} {args.ms or 0}")
    said = request("disk", node=args.node, line=line)["said"]
    if said:
        print(said)
    return 0


def command_kdir(args):
    print(image.kernel_build(args.kernel))
    return 0


def command_release(args):
    print(image.kernel_release(args.kernel))
    return 0


# ---- the words ------------------------------------------------------------

def parser():
    top = argparse.ArgumentParser(
        prog="lab", description="Nodes to try Holdfast on: small virtual "
        "machines with power cuts, partitions and other faults.")
    sub = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, function, text, *names):
        p = sub.add_parser(name, help=text, description=text)
        p.set_defaults(function=function)
        for n in names:
            p.add_argument(n)
        return p

    p = add("up", command_up, "start a lab")
    p.add_argument("-n", "--nodes", type=int, default=3, choices=range(1, 17),
                   metavar="N")
    p.add_argument("--kernel", default="6.1", choices=image.KERNELS)
    p.add_argument("--smp", type=int, default=1, metavar="N")
    p.add_argument("--image", default="small", choices=["small", "debian"],
                   help="a small guest with the product (default), or a whole "
                   "Debian")
    p.add_argument("--mem", type=int, metavar="MIB",
                   help="default 256, with --image debian or "
                   "--kernel debug 512")
    p.add_argument("--disk", type=size, metavar="SIZE", help="of each data "
                   "disk (default 1040M, with --image debian 4G)")
    p.add_argument("--disks", type=int, default=1, choices=range(0, 9),
                   metavar="K", help="pairs of data and metadata disk; with "
                   "--image debian data disks")
    p.add_argument("--with-headers", metavar="NODE,...", help="nodes with "
                   "compiler, DKMS, kernel headers and 2 CPUs (--image debian)")
    p.add_argument("--debs", metavar="DIR", help="packages that apt has "
                   "installed in the guests (--image debian)")
    p.add_argument("--cold", action="store_true",
                   help="boot instead of going on from a saved state")
    p.add_argument("--meta-mib", type=int, default=16, metavar="MIB")
    p.add_argument("--record", action="store_true",
                   help="keep every write and flush of every disk in NAME.log beside its image")
    p.add_argument("--early", type=int, default=0, metavar="PERCENT",
                   help="blocks written again that the disk writes back early")
    p.add_argument("--accel", default="auto", choices=["auto", "kvm", "tcg"])
    p.add_argument("--append", default="", help="words for the kernel")
    p.add_argument("--overlay", metavar="DIR", help="files for all guests")
    p.add_argument("--no-product", action="store_true",
                   help="without module and agent")
    p.add_argument("--autostart", action="store_true",
                   help="nodes run /etc/holdfast/rc at boot")
    p.add_argument("--owner", type=int, metavar="PID",
                   help="go down when this process ends")
    p.add_argument("--logs", metavar="DIR", help="where logs are kept at the end")
    p.add_argument("--boot-timeout", type=float, metavar="SECONDS", default=float(
        os.environ.get("HOLDFAST_BOOT_TIMEOUT", "0")),
        help="default 120, with --image debian or --kernel debug 900")
    p.add_argument("--json", action="store_true")
    p.add_argument("-q", "--quiet", action="store_true")
    p = add("down", command_down, "end the lab; nothing is left of it")
    p.add_argument("--timeout", type=float, default=60)
    p = add("status", command_status, "what runs, and which faults are set")
    p.add_argument("--json", action="store_true")
    p = add("on", command_on, "power nodes on and wait for them")
    p.add_argument("nodes", nargs="+", metavar="NODE")
    p = add("reboot", command_reboot, "reboot Debian guests as an administrator "
            "does, and wait for them")
    p.add_argument("nodes", nargs="+", metavar="NODE")
    p.add_argument("--timeout", type=float, default=900, metavar="SECONDS")
    p = add("cut", command_cut, "cut the power of nodes, all at once: unflushed "
            "writes are lost")
    p.add_argument("nodes", nargs="+", metavar="NODE")
    p.add_argument("--keep", metavar="SEED", type=int,
                   help="a random part of the unflushed writes survives")
    p.add_argument("--unit", type=int, default=4096, choices=[512, 4096],
                   help="size of what survives whole")
    p = add("pause", command_pause, "stop a node's machine", "node")
    p.add_argument("--clock", choices=["runs", "stops"], default="runs")
    add("resume", command_resume, "let a paused node go on", "node")
    for name, text in (("partition", "lose packets between nodes"),
                       ("heal", "end partitions: all, of a node, of a pair")):
        p = add(name, command_partition, text)
        p.add_argument("a", nargs="?")
        p.add_argument("b", nargs="?")
        p.add_argument("--from", dest="src", metavar="A")
        p.add_argument("--to", dest="dst", metavar="B")
    for name, unit in (("delay", "MS"), ("loss", "PCT")):
        p = add(name, command_netem, f"{name} of all that a node sends", "node")
        p.add_argument("value", type=float, metavar=unit)
    p = add("disk", command_disk, "make a disk of a node fail", "node", "disk")
    p.add_argument("fault", choices=["ok", "error", "read-error", "write-error",
                                     "hang", "slow", "stat"])
    p.add_argument("ms", nargs="?", type=int)
    p = add("console", command_console, "print a node's console", "node")
    p.add_argument("-f", "--follow", action="store_true")
    add("apt-log", command_apt_log, "what apt said when it installed the "
        "packages of --debs", "node")
    p = add("put-kernel", command_put_kernel, "copy the packages of a kernel "
            "into a Debian guest, and print their paths", "node")
    p.add_argument("kernel", choices=list(image.SERIES))
    p.add_argument("--headers", action="store_true", help="those of its "
                   "headers too")
    p = add("splat", command_splat, "kernel trouble on any console; status 1 "
            "if there is any")
    p.add_argument("--allow", metavar="REGEX", help="lines that are expected")
    for name, function, text in (
            ("kdir", command_kdir, "folder to build the module against"),
            ("release", command_release, "release of the guest kernel")):
        p = add(name, function, text)
        p.add_argument("kernel", nargs="?", default="6.1",
                       choices=image.KERNELS)
    for name, text, more in (
            ("exec", "run a command: [-i] [-t SECONDS] NODE CMD...",
             "The words are passed as they are; a single word is a script for sh. "
             "Streams and status pass; input only with -i. Status 124: it did not "
             "end in time (default $HOLDFAST_EXEC_TIMEOUT or 600 s, 0 is never); "
             "255: the node went away, or the lab could not run it."),
            ("put", "copy a file into a node: NODE SRC DST",
             "The mode is kept; DST is replaced whole or not at all."),
            ("get", "copy a file out of a node: NODE SRC DST",
             "DST may be a folder, or - for standard output.")):
        sub.add_parser(name, help=text, description=f"{text} -- {more}",
                       usage=f"lab {name} {text.split(': ')[1]}")
    return top


def main(argv):
    args = parser().parse_args(argv)
    return args.function(args)
