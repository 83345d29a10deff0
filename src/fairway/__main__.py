"""`python -m fairway` is the command `fairway`."""

from fairway.cli import app

app()
