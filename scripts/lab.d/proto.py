# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames between a client, the supervisor and labd in a guest (see labd.c).

A client opens the control socket and sends one line of JSON. For all requests
but "exec" the answer is one line of JSON too. For "exec" a line is answered
and frames follow, with whatever channel number; the supervisor gives its own.
"""

import struct

OPEN, STDIN, STDIN_EOF, SIGNAL, CREDIT, CLOSE = 1, 2, 3, 4, 5, 6
READY, STDOUT, STDERR, EXIT, KERNEL = 16, 17, 18, 19, 20

# From the supervisor to a client only: the node ended, payload says how.
LOST = 32

HEAD = struct.Struct("<IBBH")
U32 = struct.Struct("<I")
DATA_MAX = 16384
OUT_WINDOW = 262144


def frame(channel, kind, data=b""):
    return HEAD.pack(channel, kind, 0, len(data)) + data


def split(buf):
    """Take whole frames off the front of a bytearray: (channel, kind, data)."""
    off = 0
    while len(buf) - off >= HEAD.size:
        channel, kind, _, size = HEAD.unpack_from(buf, off)
        end = off + HEAD.size + size
        if len(buf) < end:
            break
        yield channel, kind, bytes(buf[off + HEAD.size:end])
        off = end
    del buf[:off]
