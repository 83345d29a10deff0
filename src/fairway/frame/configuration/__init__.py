"""What administrators choose while the server runs, by Harbor's names.

kinds.py says how a value of each kind is read, declared.py has every key, live.py is what a process knows of the choices,
store.py keeps them, reference.py renders the page of the manual.
"""

from fairway.frame.configuration.kinds import Key
from fairway.frame.configuration.live import Configuration, checked, settled

__all__ = ["Configuration", "Key", "checked", "settled"]
