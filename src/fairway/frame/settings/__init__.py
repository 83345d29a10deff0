"""What the operator may choose: `Settings`, and the error that says what is wrong with a choice.

declared.py holds every setting and reads the sources, kinds.py says how a value of each kind is read, reference.py
renders the page of the manual.
"""

from fairway.frame.settings.declared import Settings, SettingsInvalid

__all__ = ["Settings", "SettingsInvalid"]
