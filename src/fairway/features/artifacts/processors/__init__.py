"""What an artifact of some kind says about itself: its type, its attributes, its pages (additions) and its icon.

`kind.py` is the interface and what holds for kinds nobody knows, `table.py` the list of kinds, and there is a file per
kind.  Nothing here does I/O: facts.py brings the bytes.  Packages add kinds by the entry point group `fairway.processors`.
"""
