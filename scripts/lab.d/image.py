# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest images: a cached base of Debian's files, and the product on top.

The base (busybox, tools, the kernel's modules that tests use, labd) is kept
in the cache under the hash of its content. The product's files (agent, module,
overlay) are a second archive made at each `up`; the kernel unpacks one over
the other. Both are uncompressed: under emulation that boots fastest.
"""

import glob
import hashlib
import lzma
import os
import shutil
import stat
import subprocess
import tempfile
import time

from cpio import Cpio
from paths import HERE, REPO, LabError, cache_dir

# Debian's metapackage that names the current kernel of each series.
SERIES = {"6.1": "linux-image-cloud-amd64", "6.12": "linux-image-6.12-cloud-amd64"}
# Small guests start with these; the last is built by scripts/debug-kernel.
KERNELS = [*SERIES, "debug"]

MODULES = """
    virtio_pci virtio_blk virtio_net virtio_console crc32c_intel crc32c_generic
    libcrc32c loop null_blk brd configfs dm_mod dm_flakey dm_snapshot dm_delay
    dm_log_writes dm_thin_pool scsi_debug sd_mod sch_netem sch_ingress sch_tbf
    sch_prio cls_u32 cls_matchall act_gact act_mirred tls lz4 lz4_compress ext4 xfs
    nvme_tcp nvmet_tcp nvme_loop
""".split()

# Real tools where busybox's applet will not do, or has none.
TOOLS = ["/sbin/mke2fs", "/sbin/e2fsck", "/sbin/dumpe2fs", "/sbin/tune2fs",
         "/sbin/resize2fs", "/sbin/mkfs.xfs", "/sbin/tc", "/sbin/ip", "/sbin/dmsetup",
         "/sbin/blkid", "/sbin/wipefs", "/bin/kmod", "/bin/dash", "/bin/ss",
         "/bin/mountpoint", "/bin/lsblk", "/usr/bin/flock", "/usr/bin/pgrep"]
# dash is the shell: busybox's prefers its own applets to any file in PATH.
LINKS = {"bin/sh": "dash", "bin/pkill": "pgrep", "sbin/mkfs.ext4": "mke2fs", "sbin/mkfs.ext3": "mke2fs",
         "sbin/fsck.ext4": "e2fsck"}
LINKS.update({f"sbin/{n}": "../bin/kmod" for n in (
    "modprobe", "insmod", "rmmod", "depmod", "lsmod", "modinfo")})

# Programs of the product, wherever their build put them.
PRODUCT = {"holdfastd": "sbin/holdfastd", "holdfast": "bin/holdfast",
           "holdfast-setup": "sbin/holdfast-setup"}
PRODUCT_DIRS = ["agent/build", "agent"]
TEST_TOOLS = ["hfio", "hfnl", "hfgarbage"]      # selftests/tools

RC = """#!/bin/sh
# Started at boot when /var/lib/holdfast/autostart exists.
modprobe holdfast && exec holdfastd --daemon
"""


def run(*cmd, **kw):
    kw.setdefault("timeout", 300)
    try:
        return subprocess.run(cmd, check=True, capture_output=True, text=True,
                              **kw).stdout
    except FileNotFoundError:
        raise LabError(f"{cmd[0]} is missing: run scripts/setup") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{cmd[0]} did not end in time") from None
    except subprocess.CalledProcessError as e:
        lines = (e.stderr or e.stdout).strip().splitlines() or ["no message"]
        raise LabError(f"{cmd[0]} failed: {lines[-1]}") from None


# ---- kernels --------------------------------------------------------------

def kernel_root(series):
    """The unpacked Debian packages of a series, as fetched by scripts/setup,
    or what scripts/debug-kernel made in the same shape."""
    if series not in KERNELS:
        raise LabError(f"no kernel series {series}: there are "
                       + ", ".join(KERNELS))
    root = cache_dir("kernels", series)
    if not os.path.exists(os.path.join(root, "release")):
        maker = "debug-kernel" if series == "debug" else "setup"
        raise LabError(f"the guest kernel {series} is not in the cache: "
                       f"run scripts/{maker}")
    return os.path.realpath(root)


def kernel_release(series):
    with open(os.path.join(kernel_root(series), "release")) as f:
        return f.read().strip()


def kernel_image(series):
    return os.path.join(kernel_root(series), "boot",
                        "vmlinuz-" + kernel_release(series))


def kernel_image_of(release):
    for series in SERIES:
        if kernel_release(series) == release:
            return kernel_image(series)
    raise LabError(f"kernel {release} is not in the cache: there are "
                   + " and ".join(kernel_release(s) for s in SERIES))


def kernel_build(series):
    """The folder for make -C … M=…, headers of exactly the guest's kernel."""
    return os.path.join(kernel_root(series), "usr/src",
                        "linux-headers-" + kernel_release(series))


# ---- compiled parts -------------------------------------------------------

def compiled(name, sources, *flags):
    """A small C program of the lab, built once per content."""
    digest = hashlib.sha256(repr(flags).encode())
    for source in sources:
        with open(os.path.join(HERE, source), "rb") as f:
            digest.update(f.read())
    path = cache_dir("lab", f"{name}-{digest.hexdigest()[:16]}")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temp = f"{path}.{os.getpid()}"
        run("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", temp,
            *[os.path.join(HERE, s) for s in sources if s.endswith(".c")], *flags)
        os.rename(temp, path)
    return path


def labd():
    return compiled("labd", ["labd.c", "labd.h"], "-static")


def powercut():
    return compiled("powercut.so",
                    ["powercut.c", "powercut_cache.c", "powercut_cache.h",
                     "powercut_log.c", "powercut_log.h"],
                    "-shared", "-fPIC", "-pthread")


# ---- files of the host ----------------------------------------------------

def libraries(binary):
    """What the dynamic loader would load: {path in the guest: file here}."""
    with open(binary, "rb") as f:
        if f.read(4) != b"\x7fELF":
            return {}
    found = {}
    try:
        out = run("ldd", binary, timeout=30)
    except LabError:
        return {}
    for line in out.splitlines():
        for word in line.split():
            if word.startswith("/"):
                found[word] = os.path.realpath(word)
        if "not found" in line:
            raise LabError(f"{binary} needs {line.split()[0]}, which is not "
                           "installed: run scripts/setup")
    return found


def find_tool(path):
    for prefix in ("", "/usr"):
        if os.path.exists(prefix + path):
            return os.path.realpath(prefix + path)
    raise LabError(f"{path} is missing: run scripts/setup")


def module_files(series, names):
    """Module files with all they depend on, in the order of loading."""
    root, release = kernel_root(series), kernel_release(series)
    files = []
    for name in names:
        try:
            out = run("modprobe", "-d", root, "-S", release, "--show-depends",
                      name, timeout=30)
        except LabError:
            continue        # built in under another name, or not in this series
        for line in out.splitlines():
            words = line.split()
            if words[0] == "insmod" and words[1] not in files:
                files.append(words[1])
    return files


def add_module(archive, tree, release, name_in_tree, source):
    """Put a module in the archive and in a tree on disk that depmod reads."""
    if source.endswith(".xz"):
        with lzma.open(source) as f:
            content = f.read()
        name_in_tree = name_in_tree[:-3]
    else:
        with open(source, "rb") as f:
            content = f.read()
    inside = f"lib/modules/{release}/{name_in_tree}"
    archive.data(inside, content)
    path = os.path.join(tree, inside)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content)


def add_depmod(archive, tree, release, root):
    folder = os.path.join(tree, "lib/modules", release)
    os.makedirs(folder, exist_ok=True)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        source = os.path.join(root, "lib/modules", release, name)
        if os.path.exists(source):
            shutil.copy(source, folder)
    run("depmod", "-b", tree, release, timeout=60)
    for path in glob.glob(os.path.join(folder, "modules.*")):
        archive.file(f"lib/modules/{release}/{os.path.basename(path)}", path)


# ---- the base -------------------------------------------------------------

def base_inputs(series):
    """Every file that goes into the base: {path in the guest: file here}."""
    files = {"bin/busybox": find_tool("/bin/busybox"), "sbin/labd": labd(),
             "init": os.path.join(HERE, "guest-init")}
    for tool in TOOLS:
        files[tool] = find_tool(tool)
        files.update(libraries(files[tool]))
    fio = cache_dir("lab", "fio")
    if os.path.exists(fio):
        files["usr/bin/fio"] = fio
    return files


def base(series):
    """Path of the base archive and of its module tree, made when needed."""
    files = base_inputs(series)
    digest = hashlib.sha256()
    for source in [os.path.join(HERE, "image.py"), os.path.join(HERE, "cpio.py")]:
        with open(source, "rb") as f:
            digest.update(f.read())
    digest.update(kernel_release(series).encode())
    for name in sorted(files):
        with open(files[name], "rb") as f:
            digest.update(name.encode() + hashlib.sha256(f.read()).digest())
    folder = cache_dir("lab", "base-" + digest.hexdigest()[:16])
    if not os.path.exists(folder):
        temp = f"{folder}.{os.getpid()}"
        os.makedirs(temp)
        build_base(series, files, temp)
        try:
            os.rename(temp, folder)
        except OSError:         # another lab was faster
            shutil.rmtree(temp)
        forget_old(os.path.dirname(folder))
    os.utime(folder)
    return os.path.join(folder, "base.cpio"), os.path.join(folder, "tree")


def forget_old(folder):
    """Drop bases of earlier contents, which nobody used for a week."""
    for old in glob.glob(os.path.join(folder, "base-*")):
        try:
            if time.time() - os.stat(old).st_mtime > 7 * 86400:
                shutil.rmtree(old, ignore_errors=True)
        except OSError:
            pass


def build_base(series, files, folder):
    archive = Cpio()
    release, root = kernel_release(series), kernel_root(series)
    archive.merged_links()
    for name in ("proc", "sys", "dev", "run", "tmp", "mnt", "root", "var/lib",
                 "etc/holdfast", "sbin", "bin", "lib64", "usr/local/bin"):
        archive.directory(name)
    # A real tool takes the place of busybox's applet wherever that would be.
    real = {os.path.basename(name) for name in [*files, *LINKS]}
    for applet in run(files["bin/busybox"], "--list").split():
        if applet not in real:
            archive.symlink("bin/" + applet, "busybox")
    for name, source in files.items():
        archive.file(name, source, 0o755)
    for name, target in LINKS.items():
        archive.symlink(name, target)
    archive.data("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    archive.data("etc/group", b"root:x:0:\ndisk:x:6:\n")
    archive.data("etc/nsswitch.conf", b"hosts: files\npasswd: files\n")
    archive.symlink("etc/mtab", "/proc/self/mounts")
    hosts = ["127.0.0.1 localhost", "10.77.0.254 host"]
    hosts += [f"10.77.0.{i} v{i}" for i in range(1, 17)]
    archive.data("etc/hosts", "\n".join(hosts + [""]).encode())
    tree = os.path.join(folder, "tree")
    top = os.path.join(root, "lib/modules", release)
    for source in module_files(series, MODULES):
        add_module(archive, tree, release, os.path.relpath(source, top), source)
    add_depmod(archive, tree, release, root)
    archive.write(os.path.join(folder, "base.cpio"))


# ---- the product ----------------------------------------------------------

def find_module(series):
    """holdfast.ko for exactly this kernel: $HOLDFAST_MODULE or the build's."""
    release = kernel_release(series)
    given = os.environ.get("HOLDFAST_MODULE")
    places = [given] if given else [
        os.path.join(REPO, p) for p in (
            f"build/{release}/holdfast.ko", f"build/{release}/kernel/holdfast.ko",
            f"build/{series}/holdfast.ko", f"build/{series}/kernel/holdfast.ko",
            f"build/kernel-{series}/holdfast.ko", "kernel/holdfast.ko",
            "holdfast.ko")]
    for path in places:
        if os.path.exists(path):
            magic = run("/sbin/modinfo", "-F", "vermagic", path).split()
            if magic and magic[0] == release:
                return path
    where = places[0] + (" and others" if places[1:] else "")
    raise LabError(f"there is no holdfast.ko for kernel {release} (looked in "
                   f"{where}): build it first, or use --no-product")


def add_product(archive, series, tree):
    root, release = kernel_root(series), kernel_release(series)
    for program, name in PRODUCT.items():
        paths = [os.path.join(REPO, d, program) for d in PRODUCT_DIRS]
        for path in [p for p in paths if os.path.isfile(p)][:1]:
            archive.file(name, path, 0o755)
            for lib, real in libraries(path).items():
                archive.file(lib, real, 0o755)
    for tool in TEST_TOOLS:
        path = os.path.join(REPO, "build", tool)
        if os.path.isfile(path):
            archive.file("bin/" + tool, path, 0o755)
    if "usr/bin/holdfast" in archive.entries:
        archive.symlink("usr/bin/cio", "holdfast")
    module = find_module(series)
    add_module(archive, tree, release, "extra/holdfast.ko", module)
    top = os.path.join(root, "lib/modules", release)
    needs = run("/sbin/modinfo", "-F", "depends", module).strip()
    for source in module_files(series, [n for n in needs.split(",") if n]):
        name = os.path.relpath(source, top)
        plain = name[:-3] if name.endswith(".xz") else name
        if not os.path.exists(os.path.join(tree, "lib/modules", release, plain)):
            add_module(archive, tree, release, name, source)
    add_depmod(archive, tree, release, root)


def product(series, base_tree, target, overlay=None, with_product=True):
    """Write the second archive to target."""
    archive = Cpio()
    archive.data("etc/holdfast/rc", RC.encode(), 0o755)
    if with_product:
        with tempfile.TemporaryDirectory(dir=os.path.dirname(target)) as temp:
            tree = os.path.join(temp, "tree")
            shutil.copytree(base_tree, tree)
            add_product(archive, series, tree)
    if overlay:
        if not os.path.isdir(overlay):
            raise LabError(f"--overlay {overlay}: not a folder")
        archive.tree("", overlay)
    archive.write(target)


def initrd(series, target, overlay=None, with_product=True):
    """One file for QEMU's -initrd: the base with the product behind it."""
    first, tree = base(series)
    product(series, tree, target + ".product", overlay, with_product)
    with open(target, "wb") as out:
        for part in (first, target + ".product"):
            with open(part, "rb") as f:
                shutil.copyfileobj(f, out)
    os.unlink(target + ".product")
    os.chmod(target, stat.S_IRUSR | stat.S_IWUSR)
