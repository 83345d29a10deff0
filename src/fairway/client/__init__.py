"""A client of the hub's management API, for programs and for the command line.

What can be asked is a value, a `Call` or a `Listing`, made by the functions of `projects`, `artifacts`, `users` and the
others; who asks is a `Hub`, which waits, or an `AsyncHub`, which does not block the event loop:

```python
from fairway.client import projects
from fairway.client.address import Login
from fairway.client.sync import Hub

with Hub("https://hub.example", Login("kim", secret)) as hub:
    hub.ask(projects.create("team"))
    for each in hub.each(projects.listed()):
        ...
```

Fields have the names of the API (which are Harbor's); those that this version does not know are left out.  What goes
wrong is a `ClientError` of `errors`.  Only what may be repeated without harm is: a GET that was answered with 502, 503 or
504.  Redirects are followed on the same hub only, so that a login never reaches another one.
"""
