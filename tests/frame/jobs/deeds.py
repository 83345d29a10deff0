"""What the tests of `apart` have done in a child process.  It imports little, as such modules should."""

import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO


def echo(*values: Any) -> Any:
    return values[0] if len(values) == 1 else values


def about_itself() -> dict[str, Any]:
    return {
        "environment": Path("/proc/self/environ").read_text(),
        "descriptors": [str(Path(f"/proc/self/fd/{number}").readlink()) for number in descriptors()],
        "modules": sorted(sys.modules),
        "folder": str(Path.cwd()),
        "session": os.getsid(0) == os.getpid(),
        "nice": os.nice(0),
        "core": list(resource.getrlimit(resource.RLIMIT_CORE)),
        "memory": list(resource.getrlimit(resource.RLIMIT_AS)),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }


def descriptors() -> list[int]:
    """The numbers of those that are open."""
    found = []
    for number in range(64):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(number)
    return found


def fail(kind: str, message: str) -> None:
    raise {"ValueError": ValueError, "SystemExit": SystemExit, "Interrupt": KeyboardInterrupt}[kind](message)


def hoard() -> None:
    kept = []
    while True:
        kept.append(bytes(1 << 20))


def spin() -> int:
    """Compute without end and without ever giving the interpreter a chance to do anything else."""
    return sum(range(10**15))


def wait() -> None:
    time.sleep(600)


def leave(status: int) -> None:
    os._exit(status)


def die(number: int) -> None:
    os.kill(os.getpid(), number)


def fall_silent() -> None:
    """End nothing, but close everything."""
    os.closerange(0, 64)
    time.sleep(600)


def write_a_file(path: str) -> None:
    Path(path).write_bytes(b"x" * 100_000)


def shout(times: int) -> str:
    for _ in range(times):
        print('{"answer": [["data", 1]]}')
    os.write(1, b'{"error": "no", "message": "such thing"}\n')
    sys.stdout.write("the last word")
    return "calm"


def forge(answer: bytes) -> None:
    """Say what a child says that somebody has taken over."""
    for number in descriptors():
        if number > 2:
            try:
                os.write(number, answer)
            except OSError:
                continue
    os._exit(0)


def unanswerable(kind: str) -> Any:
    return {"set": {1}, "pairs": [(1, 2)], "numbered": {1: 2}, "long": (0,) * 100_000}[kind]


def flood() -> bytes:
    return bytes(1 << 22)


def many_values(count: int) -> list[int]:
    return [0] * count


def tally(stream: BinaryIO, word: str) -> list[Any]:
    """Read all, and chat meanwhile."""
    size = 0
    while chunk := stream.read(100_000):
        size += len(chunk)
        print(word * 1_000)
    return [word, size]


def first(stream: BinaryIO, count: int) -> bytes:
    return stream.read(count)
