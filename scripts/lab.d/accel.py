# SPDX-License-Identifier: GPL-2.0-or-later
"""Which accelerator works here: tried, not guessed.

/dev/kvm may exist and even run real-mode code where a guest kernel never gets
anywhere, so the probe boots the guest kernel until it gives up for want of a
root, and expects that within seconds. What was found is kept until the next
boot of the host.
"""

import json
import os
import subprocess

import image
import paths

PROBE_SECONDS = 8


def remembered(what, find):
    """find() once per boot of the host; its answer is kept in the cache."""
    with open("/proc/sys/kernel/random/boot_id") as f:
        boot = f.read().strip()
    memo = paths.cache_dir("lab", "host-" + what)
    try:
        with open(memo) as f:
            seen = json.load(f)
        if seen["boot"] == boot:
            return seen["answer"]
    except (OSError, ValueError, KeyError):
        pass
    answer = find()
    os.makedirs(os.path.dirname(memo), exist_ok=True)
    with open(f"{memo}.{os.getpid()}", "w") as f:
        json.dump({"boot": boot, "answer": answer}, f)
    os.rename(f"{memo}.{os.getpid()}", memo)
    return answer


def try_kvm(kernel_image):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    try:
        out = subprocess.run(
            ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-M", "pc",
             "-m", "128", "-nodefaults", "-display", "none", "-no-reboot",
             "-serial", "stdio", "-kernel", kernel_image,
             "-append", "console=ttyS0 panic=-1"],
            stdin=subprocess.DEVNULL, capture_output=True,
            timeout=PROBE_SECONDS).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"Unable to mount root" in out


def tsc_khz():
    return int(image.run(image.compiled("tsckhz", ["tsckhz.c"]), timeout=10))


def choose(kernel_image, wish="auto"):
    """(name, QEMU arguments, words for the guest's command line)"""
    if wish == "kvm" or (wish == "auto" and remembered(
            "kvm", lambda: try_kvm(kernel_image))):
        return "kvm", ["-accel", "kvm", "-cpu", "host"], ""
    khz = remembered("tsc", tsc_khz)
    return ("tcg", ["-accel", "tcg,thread=multi,tb-size=128", "-cpu", "max"],
            f"tsc=reliable tsc_early_khz={khz} cryptomgr.notests mitigations=off "
            "rcupdate.rcu_cpu_stall_timeout=60")
