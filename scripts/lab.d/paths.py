# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the lab keeps things, and the one exception that ends a command."""

import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
RUN = "/run/holdfast-lab"


class LabError(Exception):
    """A sentence for the user; the command ends with status 1."""


def lab_id():
    name = os.environ.get("HOLDFAST_LAB", "default")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
        raise LabError(f"HOLDFAST_LAB is '{name}', but must be small letters, "
                       "digits and dashes, at most 31")
    return name


def run_dir():
    """Sockets, console logs and the state of one lab; small."""
    return os.path.join(RUN, lab_id())


def disk_dir():
    """Disk images of one lab; may be large, so not on /run."""
    base = os.environ.get("HOLDFAST_LAB_DISKS", "/var/tmp")
    return os.path.join(base, "holdfast-lab-" + lab_id())


def shm_file():
    """Memory of a guest that is to be saved."""
    return os.path.join("/dev/shm", "holdfast-lab-" + lab_id())


def netns():
    return "holdfast-lab-" + lab_id()


def control_socket():
    return os.path.join(run_dir(), "control")


def cache_dir(*parts):
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(
        os.environ.get("HOME", "/root"), ".cache")
    return os.path.join(base, "holdfast", *parts)
