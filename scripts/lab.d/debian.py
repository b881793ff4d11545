# SPDX-License-Identifier: GPL-2.0-or-later
"""Images of whole Debian guests, made by mmdebstrap and kept in the cache.

There are two variants: "plain", and "headers" with compiler, DKMS and kernel
headers. Nothing of the product is in them, but all that its packages depend on.
An image is a raw ext4 file system with neither partitions nor boot loader; the
key of a cached one is all that goes into it but the state of Debian's mirrors.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import time

import image
from cpio import Cpio
from paths import HERE, LabError, cache_dir

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

PACKAGES = """
    systemd-sysv udev dbus kmod iproute2 iputils-ping procps lvm2
    thin-provisioning-tools e2fsprogs xfsprogs sqlite3 fio curl multipath-tools
    bash-completion linux-base init-system-helpers debconf adduser
    libuv1 libjansson4 libmicrohttpd12 libnl-3-200 libnl-genl-3-200 liblz4-1
    libblkid1 libgnutls30 libsqlite3-0 libraft0
""".split()

HEADERS = "gcc gcc-12 make dkms".split()

# What would only cost time here, or is done by the lab.
MASKED = """
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer
    e2scrub_all.timer e2scrub_reap.service fstrim.timer man-db.timer
    systemd-tmpfiles-clean.timer xfs_scrub_all.timer mdmonitor.service
    systemd-timesyncd.service systemd-networkd.service systemd-resolved.service
    systemd-random-seed.service systemd-update-utmp.service
    systemd-update-utmp-runlevel.service systemd-pstore.service
    systemd-user-sessions.service
    systemd-binfmt.service systemd-machine-id-commit.service
    systemd-remount-fs.service systemd-firstboot.service
    systemd-journal-flush.service proc-sys-fs-binfmt_misc.automount
    dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount
    getty.target getty@tty1.service serial-getty@ttyS0.service
    systemd-ask-password-wall.path systemd-ask-password-console.path
    modprobe@drm.service modprobe@fuse.service modprobe@efi_pstore.service
    multipathd.service multipathd.socket multipath-tools-boot.service
""".split()
GENERATORS = """
    systemd-cryptsetup-generator systemd-debug-generator systemd-getty-generator
    systemd-gpt-auto-generator systemd-hibernate-resume-generator
    systemd-integritysetup-generator systemd-rc-local-generator
    systemd-run-generator systemd-system-update-generator
    systemd-veritysetup-generator
""".split()

# Drivers that guest-boot loads, of every kernel that a guest may boot.
BOOT_MODULES = "virtio_pci virtio_blk virtio_net virtio_console".split()

SYSTEM_BYTES = 6 << 30
FORMAT = 2              # raise it when this file makes other images
KEEP_DAYS = 7


def folder(*parts):
    return cache_dir("lab", "debian", *parts)


@contextlib.contextmanager
def locked(name):
    """One process at a time makes an image or a saved state."""
    os.makedirs(folder(), exist_ok=True)
    path = folder(f".{name}.lock")
    while True:
        with open(path, "w") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            try:
                same = os.stat(path).st_ino == os.fstat(f.fileno()).st_ino
            except FileNotFoundError:
                same = False
            if same:            # not one that was tidied away meanwhile
                os.utime(path)
                yield
                return


def digest(*parts):
    h = hashlib.sha256()
    for part in parts:
        h.update(hashlib.sha256(
            part if isinstance(part, bytes) else repr(part).encode()).digest())
    return h.hexdigest()[:16]


def content(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def forget_old(pattern):
    """Drop what nobody used for a week, and what a killed build left."""
    for old in [p for q in (pattern, "temp-*", "boot-*", ".*.lock")
                for p in glob.glob(folder(q))]:
        try:
            limit = 3600 if "/temp-" in old else KEEP_DAYS * 86400
            if time.time() - os.stat(old).st_mtime > limit:
                if os.path.isdir(old):
                    shutil.rmtree(old, ignore_errors=True)
                else:
                    os.unlink(old)
        except OSError:
            pass


# ---- what goes into an image ------------------------------------------------

def guest_files():
    """The lab's part of a guest: {path in the guest: (file here, mode)}. It is
    in the archive that boots the guest, which copies it to the system disk."""
    here = os.path.join(HERE, "debian")
    lib, units = "usr/lib/holdfast-lab", "usr/lib/systemd/system"
    resumed = image.compiled("resumed", ["debian/resumed.c"], "-static")
    return {
        f"{lib}/labd": (image.labd(), 0o755),
        f"{lib}/resumed": (resumed, 0o755),
        f"{lib}/start": (f"{here}/start", 0o755),
        f"{lib}/identity": (f"{here}/identity", 0o755),
        f"{lib}/settle": (f"{here}/settle", 0o755),
        f"{units}/labd.service": (f"{here}/labd.service", 0o644),
        f"{units}/labd-ready.service": (f"{here}/labd-ready.service", 0o644),
        f"{units}/lab.target": (f"{here}/lab.target", 0o644),
        "usr/lib/udev/rules.d/60-lab.rules": (f"{here}/60-lab.rules", 0o644),
        "usr/lib/modprobe.d/lab.conf": (f"{here}/lab-modprobe.conf", 0o644),
        "usr/lib/sysctl.d/60-lab.conf": (f"{here}/60-lab.conf", 0o644)}


def kernel_debs(series, headers):
    root = image.kernel_root(series)
    debs = sorted(glob.glob(os.path.join(root, "debs", "*.deb")))
    if not debs:
        raise LabError(f"packages of the guest kernel {series} are not in the "
                       "cache: run scripts/setup lab")
    return [d for d in debs
            if headers or os.path.basename(d).startswith("linux-image-")]


def hosts():
    lines = ["127.0.0.1 localhost", "10.77.0.254 host"]
    return "\n".join(lines + [f"10.77.0.{i} v{i}" for i in range(1, 17)] + [""])


def image_key(variant):
    debs = [os.path.basename(d) for d in kernel_debs("6.1", variant != "plain")]
    packages = PACKAGES + (HEADERS if variant != "plain" else [])
    return digest(FORMAT, variant, packages, MASKED, GENERATORS, debs,
                  SYSTEM_BYTES, hosts())


# ---- making one --------------------------------------------------------------

def no_initramfs(temp):
    """Kernel packages want some maker of an initramfs to be installed; this one
    says that it is one. The lab boots guests with an archive of its own."""
    tree = os.path.join(temp, "package")
    os.makedirs(os.path.join(tree, "DEBIAN"))
    with open(os.path.join(tree, "DEBIAN/control"), "w") as f:
        f.write("Package: holdfast-lab-no-initramfs\nVersion: 1\n"
                "Architecture: all\nMaintainer: Holdfast <lab@localhost>\n"
                "Provides: linux-initramfs-tool\n"
                "Description: guests of the lab need no initramfs\n")
    deb = os.path.join(temp, "holdfast-lab-no-initramfs.deb")
    image.run("dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, deb)
    return deb


def sources():
    base = f"deb [signed-by={KEYRING}]"
    return "\n".join([f"{base} {MIRROR} {SUITE} main",
                      f"{base} {MIRROR} {SUITE}-updates main",
                      f"{base} {SECURITY} {SUITE}-security main",
                      # Only libraft is in backports alone; their low priority
                      # keeps apt from taking anything else from there.
                      f"{base} {MIRROR} {SUITE}-backports main", ""])


def bootstrap(variant, temp, root):
    debs = kernel_debs("6.1", variant != "plain") + [no_initramfs(temp)]
    packages = PACKAGES + (HEADERS if variant != "plain" else [])
    copies = " ".join(f"'{d}'" for d in debs)
    names = " ".join(f"/tmp/{os.path.basename(d)}" for d in debs)
    log = folder(f"{variant}-image.log")
    cmd = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
           "--include=" + ",".join(packages), "--aptopt=Acquire::Retries \"3\"",
           "--aptopt=APT::Install-Recommends \"false\"",
           "--dpkgopt=force-unsafe-io",
           "--dpkgopt=path-exclude=/usr/share/locale/*",
           "--dpkgopt=path-exclude=/usr/share/doc/*",
           "--dpkgopt=path-exclude=/usr/share/man/*",
           f"--customize-hook=cp {copies} \"$1/tmp/\"",
           "--customize-hook=chroot \"$1\" apt-get -q -y --no-install-recommends "
           f"install {names}",
           "--customize-hook=rm -f \"$1\"/tmp/*.deb",
           SUITE, root, "-"]
    with open(log, "w") as out:
        try:
            subprocess.run(cmd, input=sources(), text=True, stdout=out,
                           stderr=subprocess.STDOUT, check=True, timeout=1800)
        except FileNotFoundError:
            raise LabError("mmdebstrap is missing: run scripts/setup") from None
        except subprocess.TimeoutExpired:
            raise LabError(f"mmdebstrap did not end (log: {log})") from None
        except subprocess.CalledProcessError:
            raise LabError("the Debian image could not be made, is there a "
                           f"network? (log: {log})") from None


def write(root, name, text):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def null(root, name):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink("/dev/null", path)


def furnish(root):
    """Make a node of the lab out of a bare Debian."""
    for unit in MASKED:
        null(root, "etc/systemd/system/" + unit)
    for generator in GENERATORS:
        null(root, "etc/systemd/system-generators/" + generator)
    os.symlink("/usr/lib/systemd/system/lab.target",
               os.path.join(root, "etc/systemd/system/default.target"))
    early = os.path.join(root, "etc/systemd/system/sysinit.target.wants")
    os.makedirs(early, exist_ok=True)
    os.symlink("/usr/lib/systemd/system/labd.service",
               os.path.join(early, "labd.service"))
    write(root, "etc/systemd/journald.conf.d/lab.conf",
          "[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\nRateLimitBurst=0\n")
    # Guests have no way out: apt installs what it is given as files.
    for name in glob.glob(os.path.join(root, "etc/apt/sources.list*")):
        if os.path.isfile(name):
            os.unlink(name)
    for name in glob.glob(os.path.join(root, "var/lib/apt/lists/*_*")):
        os.unlink(name)
    # Left by mmdebstrap; packages under test are installed whole.
    for name in ("etc/dpkg/dpkg.cfg.d/99mmdebstrap",
                 "etc/apt/apt.conf.d/99mmdebstrap"):
        if os.path.exists(os.path.join(root, name)):
            os.unlink(os.path.join(root, name))
    write(root, "etc/apt/apt.conf.d/90lab",
          'APT::Install-Recommends "false";\nAPT::Sandbox::User "root";\n')
    write(root, "etc/hosts", hosts())
    write(root, "etc/hostname", "v0\n")
    write(root, "etc/machine-id", "0" * 31 + "1\n")
    write(root, "etc/fstab", "")
    os.makedirs(os.path.join(root, "var/cache/holdfast-test"))
    if os.path.lexists(os.path.join(root, "etc/resolv.conf")):
        os.unlink(os.path.join(root, "etc/resolv.conf"))


def build(variant, target):
    temp = folder(f"temp-image-{variant}-{os.getpid()}")
    shutil.rmtree(temp, ignore_errors=True)
    os.makedirs(temp)
    root = os.path.join(temp, "root")
    try:
        bootstrap(variant, temp, root)
        furnish(root)
        out = os.path.join(temp, "out")
        os.makedirs(out)
        system = os.path.join(out, "system.img")
        with open(system, "wb") as f:
            f.truncate(SYSTEM_BYTES)
        image.run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-L", "system",
                  "-E", "lazy_itable_init=0,lazy_journal_init=0", "-J",
                  "size=64", "-d", root, system, timeout=900)
        os.rename(out, target)
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def system_image(variant, say):
    """Path of the image of a variant; made when it is not in the cache."""
    key = image_key(variant)
    target = folder(f"image-{variant}-{key}")
    with locked(f"image-{variant}-{key}"):
        if not os.path.exists(target):
            begin = time.monotonic()
            say(f"making the Debian image ({variant})")
            build(variant, target)
            say(f"Debian image ({variant}) made in "
                f"{time.monotonic() - begin:.0f} s")
            forget_old("image-*")
    os.utime(target)
    return os.path.join(target, "system.img"), key


# ---- what boots it -----------------------------------------------------------

def boot_archive(target):
    """The initramfs of the lab, for every series of kernel."""
    archive = Cpio()
    archive.merged_links()
    for name in ("proc", "sys", "dev", "root", "sbin", "bin"):
        archive.directory(name)
    busybox = image.find_tool("/bin/busybox")
    for applet in image.run(busybox, "--list").split():
        archive.symlink("bin/" + applet, "busybox")
    archive.file("bin/busybox", busybox, 0o755)
    archive.file("init", os.path.join(HERE, "debian/guest-boot"), 0o755)
    files = guest_files()
    for name, (source, mode) in files.items():
        # Below a folder of its own: /lab is copied over the root.
        archive.file("lab/" + name, source, mode)
    archive.data("lab/etc/holdfast-lab", digest(sorted(
        (name, content(path)) for name, (path, _) in files.items())).encode())
    for series in image.SERIES:
        release = image.kernel_release(series)
        tree = f"{target}.tree"
        top = os.path.join(image.kernel_root(series), "lib/modules", release)
        for source in image.module_files(series, BOOT_MODULES):
            image.add_module(archive, tree, release,
                             os.path.relpath(source, top), source)
        image.add_depmod(archive, tree, release, image.kernel_root(series))
        shutil.rmtree(tree)
    archive.write(target)
