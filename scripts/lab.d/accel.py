# SPDX-License-Identifier: GPL-2.0-or-later
"""Which accelerator works here: tried, not guessed.

/dev/kvm may exist and even run real-mode code where a guest kernel never gets
anywhere, so the probe boots the guest kernel until it gives up for want of a
root, and expects that within seconds. The answer is kept until the next boot
of the host.
"""

import os
import subprocess

import paths

PROBE_SECONDS = 8


def kvm_works(kernel_image):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/sys/kernel/random/boot_id") as f:
        key = f"{f.read().strip()} {os.path.basename(kernel_image)}"
    memo = paths.cache_dir("lab", "kvm-probe")
    try:
        with open(memo) as f:
            seen, answer = f.read().rsplit(" ", 1)
        if seen == key:
            return answer == "yes"
    except (OSError, ValueError):
        pass
    try:
        out = subprocess.run(
            ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-M", "pc",
             "-m", "128", "-nodefaults", "-display", "none", "-no-reboot",
             "-serial", "stdio", "-kernel", kernel_image,
             "-append", "console=ttyS0 panic=-1"],
            stdin=subprocess.DEVNULL, capture_output=True,
            timeout=PROBE_SECONDS).stdout
        works = b"Unable to mount root" in out
    except (OSError, subprocess.TimeoutExpired):
        works = False
    os.makedirs(os.path.dirname(memo), exist_ok=True)
    with open(memo, "w") as f:
        f.write(f"{key} {'yes' if works else 'no'}")
    return works


def choose(kernel_image, wish="auto"):
    """(name, QEMU arguments, words for the guest's command line)"""
    if wish == "kvm" or (wish == "auto" and kvm_works(kernel_image)):
        return "kvm", ["-accel", "kvm", "-cpu", "host"], ""
    return ("tcg", ["-accel", "tcg,thread=multi,tb-size=128", "-cpu", "max"],
            "rcupdate.rcu_cpu_stall_timeout=60")
