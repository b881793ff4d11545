# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages and kernels in Debian guests: minutes under emulation."""

import os
import subprocess
import tempfile

from debian_tests import UP
from guest_tests import sh
from tap import equal, test, true

POSTINST = "#!/bin/sh\necho installed in $(hostname) >>/var/lib/lab-test\n"


def make_deb(folder):
    tree = os.path.join(folder, "tree")
    os.makedirs(tree + "/DEBIAN")
    with open(tree + "/DEBIAN/control", "w") as f:
        f.write("Package: lab-test\nVersion: 1\nArchitecture: all\nDepends: lvm2\n"
                "Maintainer: Lab <lab@localhost>\nDescription: test of the lab\n")
    with open(tree + "/DEBIAN/postinst", "w") as f:
        f.write(POSTINST)
    os.chmod(tree + "/DEBIAN/postinst", 0o755)
    subprocess.run(["dpkg-deb", "-b", tree, folder + "/lab-test_1_all.deb"],
                   check=True, stdout=subprocess.DEVNULL)


@test
def packages(lab):
    """Packages are installed once by apt, and are there in every node."""
    with tempfile.TemporaryDirectory() as folder:
        make_deb(folder)
        done = lab(*UP, "-n", "2", "--debs", folder, timeout=3600)
        equal(done.returncode, 0, done.stderr)
    for node in ("v1", "v2"):
        equal(sh(lab, node, "cat /var/lib/lab-test"), "installed in v0\n", node)
        sh(lab, node, "dpkg -s lab-test | grep -q 'ok installed'")
        true("Setting up lab-test" in lab("apt-log", node).stdout, "log of apt")


@test
def kernel_update(lab):
    """A node boots the kernel that was installed in it, and goes back."""
    paths = lab("put-kernel", "v1", "6.12", timeout=300).stdout.split()
    true(paths, "no packages")
    sh(lab, "v1", "apt-get -q -y install " + " ".join(paths), timeout=1200)
    done = lab("reboot", "v1", timeout=900)
    equal(done.returncode, 0, done.stderr)
    true(sh(lab, "v1", "uname -r").startswith("6.12."), "kernel")
    true("6.12." in lab("status").stdout, "status does not tell the kernel")
    # Debian refuses to remove the kernel that runs; without its file it is as
    # if the other one had been chosen at boot.
    sh(lab, "v1", "rm /boot/vmlinuz-6.12* && sync")
    done = lab("reboot", "v1", timeout=900)
    equal(done.returncode, 0, done.stderr)
    true(sh(lab, "v1", "uname -r").startswith("6.1."), "kernel without the new one")
    equal(lab("down").returncode, 0, "down")


@test
def headers(lab):
    """A node with headers builds a module for its kernel, another has none."""
    lab("down")
    done = lab(*UP, "-n", "2", "--with-headers", "v2", timeout=3600)
    equal(done.returncode, 0, done.stderr)
    sh(lab, "v1", "! command -v gcc")
    sh(lab, "v2", "mkdir /tmp/m && cd /tmp/m && echo 'obj-m := hello.o' >Makefile && "
       "printf '#include <linux/module.h>\\nMODULE_LICENSE(\"GPL\");\\n' >hello.c && "
       "make -C /lib/modules/$(uname -r)/build M=$PWD modules && insmod hello.ko",
       timeout=1200)
    equal(lab("down").returncode, 0, "down")
    equal(lab.leftovers(), [], "left over")
