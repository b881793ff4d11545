# SPDX-License-Identifier: GPL-2.0-or-later
"""The client's side: requests to the supervisor, and exec, put, get.

exec is on the path of every test step, so this file imports little.
"""

import json
import os
import select
import signal
import socket
import sys
import time

import proto
from paths import LabError, control_socket, lab_id

LOST_STATUS = 255
TIMEOUT_STATUS = 124


def connect():
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(control_socket())
    except OSError:
        raise LabError(f"lab {lab_id()} is not up") from None
    return sock


def read_line(sock):
    line = b""
    while not line.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte:
            raise LabError("the lab went down")
        line += byte
    answer = json.loads(line)
    if not answer["ok"]:
        raise LabError(answer["error"])
    return answer


def request(op, timeout=300, **fields):
    with connect() as sock:
        sock.settimeout(timeout)
        try:
            sock.sendall(json.dumps(dict(fields, op=op)).encode() + b"\n")
            return read_line(sock)
        except TimeoutError:
            raise LabError(f"{op}: no answer within {timeout} s") from None
        except OSError as e:
            raise LabError(f"{op}: {e.strerror}") from None


class Session:
    """One command in a guest, its streams joined to files of ours."""

    def __init__(self, node, argv, stdin=None, stdout=1, stderr=2):
        self.sock = connect()
        self.sock.sendall(json.dumps({"op": "exec", "node": node}).encode()
                          + b"\n")
        read_line(self.sock)
        self.stdin, self.out = stdin, {proto.STDOUT: stdout,
                                       proto.STDERR: stderr}
        self.window = 0
        words = b"\0".join(os.fsencode(a) for a in argv) + b"\0"
        if len(words) > 60000:
            raise LabError("the command is too long")
        self.sock.sendall(proto.frame(0, proto.OPEN, words) + proto.frame(
            0, proto.CREDIT, proto.U32.pack(proto.OUT_WINDOW)))
        if stdin is None:
            self.send(proto.STDIN_EOF)

    def send(self, kind, body=b""):
        self.sock.sendall(proto.frame(0, kind, body))

    def feed(self):
        data = os.read(self.stdin, min(proto.DATA_MAX, self.window))
        if data:
            self.window -= len(data)
            self.send(proto.STDIN, data)
        else:
            self.stdin = None
            self.send(proto.STDIN_EOF)

    def run(self, timeout):
        """Until the command ends: its status. timeout 0 waits for ever."""
        end = time.monotonic() + timeout if timeout else None
        warned = False
        buf = bytearray()
        while True:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                if warned:
                    return TIMEOUT_STATUS
                warned, end = True, time.monotonic() + 3
                self.send(proto.CLOSE)      # TERM, then KILL, by labd
                continue
            inputs = [self.sock]
            if self.stdin is not None and self.window:
                inputs.append(self.stdin)
            ready = select.select(inputs, [], [], left)[0]
            if self.stdin is not None and self.stdin in ready:
                self.feed()
            if self.sock not in ready:
                continue
            data = self.sock.recv(262144)
            if not data:
                raise LabError("the lab went down")
            buf += data
            for _, kind, body in proto.split(buf):
                status = self.take(kind, body)
                if status is not None:
                    return TIMEOUT_STATUS if warned else status

    def take(self, kind, body):
        if kind in self.out:
            view = memoryview(body)
            while view:
                view = view[os.write(self.out[kind], view):]
            self.send(proto.CREDIT, proto.U32.pack(len(body)))
        elif kind == proto.CREDIT:
            self.window += proto.U32.unpack(body)[0]
        elif kind == proto.EXIT:
            return proto.U32.unpack(body)[0]
        elif kind == proto.LOST:
            print(f"lab: the node is gone: {body.decode()}", file=sys.stderr)
            return LOST_STATUS
        return None


def default_timeout():
    return float(os.environ.get("HOLDFAST_EXEC_TIMEOUT", "600"))


def command_exec(args):
    """exec [-i] [-t SECONDS] NODE CMD…"""
    timeout, stdin = default_timeout(), None
    while args and args[0].startswith("-"):
        option = args.pop(0)
        if option == "-i":
            stdin = 0
        elif option == "-t" and args:
            timeout = float(args.pop(0))
        elif option == "--":
            break
        else:
            raise LabError("usage: lab exec [-i] [-t SECONDS] NODE CMD...")
    if len(args) < 2:
        raise LabError("usage: lab exec [-i] [-t SECONDS] NODE CMD...")
    node, argv = args[0], args[1:]
    if len(argv) == 1:
        argv = ["sh", "-c", argv[0]]
    session = Session(node, argv, stdin)
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda n, _: sys.exit(128 + n))
    return session.run(timeout)


def command_put(args):
    """put NODE SRC DST: mode kept, DST replaced at once or not at all."""
    if len(args) != 3:
        raise LabError("usage: lab put NODE SRC DST")
    node, src, dst = args
    try:
        fd = os.open(src, os.O_RDONLY)
    except OSError as e:
        raise LabError(f"{src}: {e.strerror}") from None
    if dst.endswith("/"):
        dst += os.path.basename(src)
    mode = os.fstat(fd).st_mode & 0o777
    script = ('mkdir -p "${1%/*}/" && cat >"$1.put" && chmod "$2" "$1.put" && '
              'mv -f "$1.put" "$1" || { rm -f "$1.put"; exit 1; }')
    return Session(node, ["sh", "-c", script, "put", dst, oct(mode)[2:]],
                   fd).run(default_timeout())


def command_get(args):
    """get NODE SRC DST: DST "-" is our standard output."""
    if len(args) != 3:
        raise LabError("usage: lab get NODE SRC DST")
    node, src, dst = args
    if dst == "-":
        return Session(node, ["cat", src]).run(default_timeout())
    if os.path.isdir(dst):
        dst = os.path.join(dst, os.path.basename(src))
    temp = f"{dst}.get{os.getpid()}"
    try:
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        status = Session(node, ["cat", src], None, fd).run(default_timeout())
        os.close(fd)
        if status == 0:
            os.rename(temp, dst)
        return status
    except OSError as e:
        raise LabError(f"{temp}: {e.strerror}") from None
    finally:
        if os.path.exists(temp):
            os.unlink(temp)
