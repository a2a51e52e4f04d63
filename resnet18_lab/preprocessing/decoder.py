"""A decoding process: ``python -m resnet18_lab.preprocessing.decoder``, pictures in on stdin, crops out on stdout.

It is ended by the system when a picture takes more CPU time than it may, and holds no more memory than it was granted:
both are limits of the kernel, which no code in a library can overlook. It ends when its stdin ends, so none outlives
its parent. Messages are JSON and bytes, never pickles: what a hostile picture may have taken over is not obeyed.
"""

import contextlib
import json
import os
import signal
import struct
import sys
from pathlib import Path
from typing import IO, Any, BinaryIO

from resnet18_lab.base.errors import CodedError
from resnet18_lab.base.networks import Preprocessing
from resnet18_lab.preprocessing.cost import foretold
from resnet18_lab.preprocessing.decode import structure_of
from resnet18_lab.preprocessing.prepare import prepare
from resnet18_lab.preprocessing.refusals import image_error
from resnet18_lab.preprocessing.source import Limits
from resnet18_lab.preprocessing.structure import too_costly

_HEAD = struct.Struct(">II")  # bytes of the JSON, bytes after it
_LONGEST_REASON = 300
SPARE_MEMORY = 24_000_000
"""Bytes that may be used beyond what was granted: colour conversion, the crop, fragments of the heap."""


def send(pipe: IO[bytes], head: dict[str, Any], body: bytes = b"") -> None:
    """Write one message."""
    text = json.dumps(head).encode()
    pipe.write(_HEAD.pack(len(text), len(body)) + text)
    pipe.write(body)
    pipe.flush()


def receive(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """The next message; EOFError when the other side has ended."""
    text, body = _HEAD.unpack(_exactly(pipe, _HEAD.size))
    return json.loads(_exactly(pipe, text)), _exactly(pipe, body)


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError
    return data


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more; the first message has the limits, the draft and the preprocessing."""
    with contextlib.suppress(EOFError):
        settings, _ = receive(requests)
        decoder = _Decoder(requests, answers, settings)
        send(answers, {"ready": True})
        while True:
            head, body = decoder.answer(*receive(requests))
            send(answers, head, body)


class _Decoder:
    def __init__(self, requests: BinaryIO, answers: BinaryIO, settings: dict[str, Any]) -> None:
        self._requests, self._answers = requests, answers
        self._limits, self._draft_for = Limits(**settings["limits"]), settings["draft_for"]
        self._crop, self._preprocessing = settings["crop"], Preprocessing.from_json(settings["preprocessing"])
        self._idle = _memory()

    def answer(self, request: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Facts and crop of the picture, or its error; of a dear one that may not be decoded now, nothing."""
        self._limit(request)
        try:
            told = structure_of(body, self._limits)
            cost = foretold(told, self._draft_for)
            if cost.seconds > request["cheap"] or cost.memory > request["memory"]:
                send(self._answers, {"dear": {"memory": cost.memory, "seconds": cost.seconds}})
                request, _ = receive(self._requests)
                if not request["go"]:
                    return {}, b""
                self._limit(request)
            ready = prepare(told, limits=self._limits, draft_for=self._draft_for, preprocessing=self._preprocessing)
        except EOFError:
            raise
        except Exception as error:  # a picture must not end the process but by its cost
            return {"error": _as_text(error, request["memory"])}, b""
        finally:
            _set_timer(0)
        facts = {name: value for name, value in vars(ready).items() if name != "crop"}
        return facts, self._handed_over(ready.crop.tobytes())

    def _handed_over(self, crop: bytes) -> bytes:
        """The crop, or nothing once it is written into the memory that is shared with the parent."""
        if self._crop is None or os.pwrite(self._crop, crop, 0) < len(crop):
            return crop
        return b""

    def _limit(self, request: dict[str, Any]) -> None:
        """Hold this process to the CPU time and the memory of a request."""
        _set_timer(request["seconds"])
        if self._idle:
            import resource

            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            wanted = self._idle + request["memory"] + SPARE_MEMORY
            resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard < 0 else min(wanted, hard), hard))


def _as_text(error: Exception, memory: int) -> list[str]:
    """Code and messages of an error."""
    if not isinstance(error, CodedError):
        told: CodedError = image_error("internal_error", reason=f"{type(error).__name__}: {error}"[:_LONGEST_REASON])
    elif error.code == "out_of_memory":
        told = too_costly(f"more than {memory // 1_000_000} MB of memory")
    else:
        told = error
    return [told.code, told.message, told.message_zh]


def _set_timer(seconds: float) -> None:
    """End this process when it has used that much CPU time: the signal's default action, taken by the kernel."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _memory() -> int:
    """Bytes of private memory of this process, as the kernel counts them for its limit; 0 where it does not say."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData:"))
    except (OSError, StopIteration):
        return 0


def main() -> None:
    """Serve stdin and stdout; other prints are sent to stderr, so that they cannot damage the answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this process in order
    answers = os.fdopen(os.dup(1), "wb", buffering=1 << 18)
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, answers)
    os._exit(0)  # the parent may be gone: nothing is left to flush


if __name__ == "__main__":
    main()
