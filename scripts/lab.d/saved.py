# SPDX-License-Identifier: GPL-2.0-or-later
"""Saved states of Debian guests: booted once, gone on from in seconds.

A state is a folder in the cache with the guest's memory ("ram"), the state of
its machine ("vmstate"), what its system disk holds over the image, and, when
packages were installed in it, what apt said. Making one takes a lab of its own
with a single node v0, which is taken down in any case.

Packages of DKMS are installed first, in a state of their own: the compiler takes
minutes in an emulated guest, and what it makes depends on them alone.
"""

import contextlib
import glob
import io
import os
import shutil
import subprocess
import tarfile
import time

import accel
import debian
import image
import paths
from client import Session, command_put, request
from paths import LabError

FORMAT = 1
COMPILER_CPUS = 2       # of guests that compile
APT_SECONDS = 3600
APT = ("export DEBIAN_FRONTEND=noninteractive; cd /var/cache/holdfast-test/debs && "
       "apt-get -q -y -o Dpkg::Use-Pty=0 install {names}")


@contextlib.contextmanager
def own_lab(name):
    """What is called inside acts on another lab."""
    before = os.environ.get("HOLDFAST_LAB")
    os.environ["HOLDFAST_LAB"] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ["HOLDFAST_LAB"]
        else:
            os.environ["HOLDFAST_LAB"] = before


def boot_archive():
    """The archive that boots guests, by its content: (path, key)."""
    os.makedirs(debian.folder(), exist_ok=True)
    temp = debian.folder(f"boot.{os.getpid()}")
    try:
        debian.boot_archive(temp)
        key = debian.content(temp)[:16]
        path = debian.folder(f"boot-{key}")
        os.rename(temp, path)
        debian.forget_old("failed-*")
    finally:
        if os.path.exists(temp):
            os.unlink(temp)
    return path, key


class Maker:
    """Makes guests of one `lab up` ready to start: images, then states."""

    def __init__(self, config, up, down, say):
        self.config, self.up, self.down, self.say = config, up, down, say
        self.initrd, self.boot_key = boot_archive()
        self.machine = [config[k] for k in (
            "accel_args", "accel_append", "machine", "mem", "append", "release")]
        self.machine.append(image.run("qemu-system-x86_64", "--version"))

    def cpus(self, variant):
        least = COMPILER_CPUS if variant == "headers" else 1
        return max(self.config["smp"], least)

    def guest(self, variant, state, ram="share"):
        base, _ = debian.system_image(variant, self.say)
        return {"variant": variant, "base": base, "state": state, "ram": ram,
                "cpus": self.cpus(variant),
                "system_bytes": os.path.getsize(base)}

    def ready(self, variant, debs):
        """Description of a guest that starts from a state, made if needed."""
        _, image_key = debian.system_image(variant, self.say)
        key = debian.digest(FORMAT, image_key, self.boot_key, self.machine,
                            self.cpus(variant))
        state = self.state(variant, key, None, [])
        chosen = choose(debs, variant, self.config["release"])
        built = [d for d in chosen if is_dkms(d)]
        if built:
            key = debian.digest(key, [what_dkms_sees(d) for d in built], APT)
            state = self.state(variant, key, state, built, built)
        chosen = [d for d in chosen if d not in built]
        if chosen:
            key = debian.digest(key, [
                (os.path.basename(d), debian.content(d), d in chosen)
                for d in debs], APT)
            state = self.state(variant, key, state, debs, chosen)
        return self.guest(variant, state)

    def state(self, variant, key, parent, debs, chosen=()):
        target = debian.folder(f"state-{variant}-{key}")
        with debian.locked(f"state-{variant}-{key}"):
            if not os.path.exists(target):
                begin = time.monotonic()
                what = ("booted" if not chosen else "a module is built"
                        if is_dkms(chosen[0]) else "packages are installed")
                self.say(f"saving a guest ({variant}, {what})")
                self.make(variant, key, target, parent, debs, chosen)
                self.say(f"guest saved in {time.monotonic() - begin:.0f} s")
                debian.forget_old("state-*")
        os.utime(target)
        return target

    def make(self, variant, key, target, parent, debs, chosen):
        temp = debian.folder(f"temp-state-{variant}-{os.getpid()}")
        shutil.rmtree(temp, ignore_errors=True)
        os.makedirs(temp)
        config = dict(self.config, nodes=1, first=0, disks=0, owner=os.getpid(),
                      logs=temp, guests={"v0": self.guest(variant, parent,
                                                          "save")})
        try:
            with own_lab(f"save-{os.getpid()}"):
                try:
                    self.up(config)
                    if chosen:
                        log = os.path.join(temp, "apt.log")
                        if os.path.exists(os.path.join(parent, "apt.log")):
                            shutil.copy(os.path.join(parent, "apt.log"), log)
                        install(debs, chosen, log)
                    said = request("save", 900, node="v0", target=temp)["said"]
                    if said:
                        self.say("failed in the guest: " + said)
                finally:
                    self.down()
            os.rename(temp, target)
        except BaseException:
            keep = debian.folder("failed-" + variant)
            shutil.rmtree(keep, ignore_errors=True)
            for big in ("ram", "vmstate", "system.img", "system.map"):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(temp, big))
            with contextlib.suppress(OSError):
                os.rename(temp, keep)
            raise
        finally:
            shutil.rmtree(temp, ignore_errors=True)


def find_debs(folder):
    debs = sorted(glob.glob(os.path.join(folder, "*.deb")))
    if not debs:
        raise LabError(f"--debs {folder}: no .deb is there")
    return debs


def is_dkms(deb):
    return os.path.basename(deb).split("_")[0].endswith("-dkms")


def what_dkms_sees(deb):
    """Key of a package by what can make a difference to the module that is
    built: all but its documents, and the sums and sizes of its files."""
    seen = []
    for part in ("--ctrl-tarfile", "--fsys-tarfile"):
        tar = subprocess.run(["dpkg-deb", part, deb], check=True,
                             stdout=subprocess.PIPE).stdout
        with tarfile.open(fileobj=io.BytesIO(tar)) as files:
            for one in files:
                text = files.extractfile(one).read() if one.isfile() else b""
                if one.name == "./control":
                    text = b"".join(line for line in text.splitlines(True)
                                    if not line.startswith(b"Installed-Size:"))
                if (one.name != "./md5sums" and not one.isdir() and
                        not one.name.startswith("./usr/share/doc/")):
                    seen.append((part, one.name, one.mode, one.linkname, text))
    return debian.digest(sorted(seen))


def choose(debs, variant, release):
    """Those that a guest installs: DKMS where headers are, else the module that
    was built for its kernel; the other files lie there for tests to take."""
    chosen = []
    for deb in debs:
        name = os.path.basename(deb).split("_")[0]
        if is_dkms(deb):
            wanted = variant == "headers"
        elif "-modules-" in name:
            wanted = variant != "headers" and name.endswith("-" + release)
        else:
            wanted = not name.endswith(("-dbgsym", "-dbg"))
        if wanted:
            chosen.append(deb)
    return chosen


def install(debs, chosen, log):
    """apt install of .deb files in v0 of this lab."""
    for deb in debs:
        if command_put(["v0", deb, "/var/cache/holdfast-test/debs/"]):
            raise LabError(f"{deb} could not be copied into the guest")
    names = " ".join(f"./{os.path.basename(d)}" for d in chosen)
    with open(log, "ab") as f:
        status = Session("v0", ["sh", "-c", APT.format(names=names)], None,
                         f.fileno(), f.fileno()).run(APT_SECONDS)
    if status:
        with open(log, errors="replace") as f:
            lines = f.read().strip().splitlines()[-5:]
        raise LabError(f"apt install in the guest ended with {status}: "
                       + " / ".join(lines)
                       + f" (log: {debian.folder('failed-*', 'apt.log')})")


def configure(config, args, up, down, say):
    """Complete the configuration of a lab of Debian guests."""
    debs = find_debs(args.debs) if args.debs else []
    headers = args.with_headers.split(",") if args.with_headers else []
    names = [f"v{i}" for i in range(1, args.nodes + 1)]
    for name in headers:
        if name not in names:
            raise LabError(f"--with-headers {name}: there is no such node")
    maker = Maker(config, up, down, say)
    config["initrd"] = maker.initrd
    variants = {n: "headers" if n in headers else "plain" for n in names}
    guests = {v: maker.guest(v, None) if args.cold else maker.ready(v, debs)
              for v in sorted(set(variants.values()))}
    config["guests"] = {n: guests[v] for n, v in variants.items()}
