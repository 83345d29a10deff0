"""What a child of `apart` runs: one function, told on its stdin, answered on its stdout.

It is started by its path in a bare interpreter, so that nothing but this file is loaded before the limits hold; where
our packages are, it is told.  Both directions look the same: a line of JSON, and then the bytes it announces.
"""

import ctypes
import json
import math
import os
import resource
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, BinaryIO, Final

BYTES, DATA = "bytes", "data"
ANSWER, ERROR, MEMORY = "answer", "error", "memory"
"""What the line of an answer has: the parts that follow, an exception's type and message, or that memory ran out."""
LONGEST_MESSAGE: Final = 500
LONGEST_LINE: Final = 1 << 16

_PR_SET_PDEATHSIG: Final = 1
_NICE: Final = 10
_OPEN_FILES: Final = 32
_BUFFER: Final = 1 << 18
_REFUSED: Final = (
    "only bytes, or what JSON gives back as it was (no tuples, and str as keys), goes into or out of a child"
)
_OUT_OF_MEMORY: Final = json.dumps({MEMORY: True}).encode() + b"\n"  # made while there is memory


def pack(value: object) -> tuple[str, bytes]:
    """How a value travels, and as what.  Raises TypeError for one that would not arrive as it is."""
    if isinstance(value, bytes):
        return BYTES, value
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        same = json.loads(text) == value
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{_REFUSED}: {error}") from None
    if not same:  # tuples would become lists, and keys strings
        raise TypeError(_REFUSED)
    return DATA, text.encode()


def main() -> None:
    """Do what stdin says, answer, and end without any ado: what the function left behind must not hold it up."""
    answers = open(os.dup(1), "wb")  # noqa: PTH123, SIM115 - a descriptor, open to the end
    os.dup2(2, 1)  # what the function prints is no answer
    sys.stdout = sys.stderr
    told = open(0, "rb", buffering=_BUFFER, closefd=False)  # noqa: SIM115
    try:
        head = json.loads(told.readline())
        _confine(head)
        reply = _reply(head, told)
    except MemoryError:
        reply = [_OUT_OF_MEMORY]
    answers.writelines(reply)
    answers.close()
    os._exit(0)


def _confine(head: Mapping[str, Any]) -> None:
    """Limits that hold from here on, and an end with the parent's, however that comes about."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != head["parent"]:  # it died before the line above
        os._exit(1)
    os.nice(_NICE)
    try:
        with open("/proc/self/oom_score_adj", "w") as mine:  # noqa: PTH123 - pathlib takes as long to load as all this
            mine.write("1000")  # if the machine runs out of memory, this process goes, not the hub
    except OSError:
        pass  # it only would have been better
    seconds = math.ceil(head["seconds"])
    _limit(resource.RLIMIT_AS, head["memory"], head["memory"])
    _limit(resource.RLIMIT_CPU, seconds, seconds + 5)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES)
    for forbidden in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        _limit(forbidden, 0, 0)


def _limit(which: int, soft: int, hard: int) -> None:
    _, given = resource.getrlimit(which)
    if given != resource.RLIM_INFINITY:  # nobody but root may raise it again
        soft, hard = min(soft, given), min(hard, given)
    resource.setrlimit(which, (soft, hard))


def _reply(head: Mapping[str, Any], told: BinaryIO) -> list[bytes]:
    try:
        sys.path[:] = head["path"]
        function = getattr(import_module(head["module"]), head["name"])
        arguments: list[Any] = [told.read(size) for _, size in head["arguments"]]
        for number, (kind, _) in enumerate(head["arguments"]):
            if kind == DATA:
                arguments[number] = json.loads(arguments[number])
        answer = function(told, *arguments) if head["reads"] else function(*arguments)
        parts = [pack(each) for each in (answer if isinstance(answer, tuple) else (answer,))]
        announced = {
            ANSWER: [(kind, len(part)) for kind, part in parts],
            "several": isinstance(answer, tuple),
        }
        line = json.dumps(announced).encode() + b"\n"
        if len(line) > LONGEST_LINE:
            raise TypeError(f"a tuple of {len(parts)} is too long: answer a list, or put the bytes together")
        return [line, *(part for _, part in parts)]
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001 - also SystemExit is how the function ended
        sys.__excepthook__(type(error), error, error.__traceback__)
        told_of = {ERROR: type(error).__name__[:LONGEST_MESSAGE], "message": _words(error)}
        return [json.dumps(told_of).encode() + b"\n"]


def _words(error: BaseException) -> str:
    try:
        return str(error)[:LONGEST_MESSAGE]
    except Exception:  # noqa: BLE001 - an exception that cannot even say what it is
        return ""


if __name__ == "__main__":
    main()
