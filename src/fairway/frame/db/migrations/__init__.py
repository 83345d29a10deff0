"""The schema's history.  `HEAD` is the revision this code was written for."""

HEAD = "0022"
