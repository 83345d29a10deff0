"""Signals that come at the worst moment."""

import subprocess
import sys

HAMMERED = """
import os, signal, threading, time
from fairway.frame.process import Alarm

alarm = Alarm()
heard = 0

def hear(*_):
    global heard
    heard += 1
    alarm.set()

def hammer():
    while True:
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.00002)

signal.signal(signal.SIGUSR1, hear)
threading.Thread(target=hammer, daemon=True).start()
end = time.monotonic() + 2
while time.monotonic() < end:
    alarm.set()
    alarm.wait()
    alarm.clear()
print(heard)
os._exit(0 if heard > 100 else 1)
"""


def test_an_alarm_may_be_set_by_a_signal_at_any_moment() -> None:
    """With a threading.Event in its place this hangs, or dies of a recursion."""
    hammered = subprocess.run([sys.executable, "-c", HAMMERED], timeout=60, check=False, capture_output=True)
    assert hammered.returncode == 0, hammered.stderr[-2000:]


def test_an_alarm_stays_set_until_it_is_cleared() -> None:
    steps = """
from fairway.frame.process import Alarm
import threading
alarm = Alarm()
alarm.set()
alarm.set()
alarm.wait()
alarm.wait()
alarm.clear()
threading.Timer(0.2, lambda: (print("set"), alarm.set())).start()
alarm.wait()
print("woken")
"""
    done = subprocess.run([sys.executable, "-c", steps], timeout=60, check=True, capture_output=True)
    assert done.stdout.split() == [b"set", b"woken"]
