"""Fairway: an OCI artifact registry.

`fairway.core` knows images, stores and the wire, and is usable as a library on its own; `fairway.frame` is the
plumbing (settings, database, web); `fairway.features` holds one folder per feature. Imports go down only:
cli → app | worker → boot → features → frame → core.
"""

__version__ = "0.1.0"
