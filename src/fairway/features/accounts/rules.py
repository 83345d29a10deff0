"""Which user names, passwords and groups are acceptable."""

import re

from fairway.core.oci.errors import BadRequest
from fairway.features.accounts.model import HTTP, LDAP, OIDC

MIN_PASSWORD = 8
MAX_PASSWORD = 128
MAX_USERNAME = 255
MAX_TEXT = 255
MAX_COMMENT = 30

# Harbor's `,"~#%$` and the colon, which Basic authentication cannot carry in a user name.
_FORBIDDEN_IN_USERNAME = frozenset(',"~#%$:')

_FORBIDDEN_IN_REALNAME = _FORBIDDEN_IN_USERNAME - {":"}

_PASSWORD_NEEDS = (
    (re.compile(r"[A-Z]"), "an upper-case letter"),
    (re.compile(r"[a-z]"), "a lower-case letter"),
    (re.compile(r"[0-9]"), "a digit"),
)

# They satisfy the rules, and they are the first an attacker tries.
_KNOWN_DEFAULTS = frozenset(
    {"harbor12345", "fairway12345", "password1", "password123", "changeme1", "welcome1"}
)


def is_username(text: str) -> bool:
    """Whether an account may have this name: printable, no space around it, none of `,"~#%$:`."""
    return (
        0 < len(text) <= MAX_USERNAME
        and text.isprintable()
        and text == text.strip()
        and _FORBIDDEN_IN_USERNAME.isdisjoint(text)
    )


def check_username(text: str) -> None:
    """Raise BadRequest when no account may have this name."""
    if not is_username(text):
        raise BadRequest(
            f"a user name has 1 to {MAX_USERNAME} printable characters, none of {''.join(sorted(_FORBIDDEN_IN_USERNAME))} "
            "and no space at either end"
        )


_EMAIL = re.compile(r"[^\s@,;<>\"]{1,64}@[^\s@,;<>\"]{1,189}")


def check_profile(email: str, realname: str, comment: str) -> None:
    """Raise BadRequest for what an account cannot say about its person; each of them may be empty."""
    if email and not (email.isprintable() and _EMAIL.fullmatch(email)):
        raise BadRequest("this is no e-mail address; write one such as name@example.com")
    if (
        len(realname) > MAX_TEXT
        or not realname.isprintable()
        or not _FORBIDDEN_IN_REALNAME.isdisjoint(realname)
    ):
        raise BadRequest(f'a real name has up to {MAX_TEXT} printable characters, none of ,"~#%$')
    if len(comment) > MAX_COMMENT or not comment.isprintable():
        raise BadRequest(f"a comment has up to {MAX_COMMENT} printable characters")


def check_password(password: str) -> None:
    """Raise BadRequest, which says what is missing and never repeats the password."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise BadRequest(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    if missing := [words for pattern, words in _PASSWORD_NEEDS if not pattern.search(password)]:
        raise BadRequest(f"the password needs {' and '.join(missing)}")
    if password.lower() in _KNOWN_DEFAULTS:
        raise BadRequest("this password is a well-known default; choose another one")


MAX_DN = 512


def dn_of(text: str) -> str:
    """A name in a directory as it is kept and compared: whatever the case."""
    return text.strip().lower()


def check_group_name(name: str) -> None:
    """Raise BadRequest when no group may have this name."""
    if not 0 < len(name) <= MAX_TEXT or not name.isprintable() or name != name.strip():
        raise BadRequest(
            f"a group's name has 1 to {MAX_TEXT} printable characters and no space at either end"
        )


def check_group(name: str, kind: int, dn: str) -> None:
    """Raise BadRequest when there can be no such group."""
    check_group_name(name)
    if kind not in (LDAP, HTTP, OIDC):
        raise BadRequest("group_type is 1 (LDAP), 2 (HTTP) or 3 (OIDC)")
    if kind == LDAP and not (0 < len(dn) <= MAX_DN and dn.isprintable() and "=" in dn):
        raise BadRequest("an LDAP group needs ldap_group_dn, such as cn=devs,ou=groups,dc=example,dc=com")
    if kind != LDAP and dn:
        raise BadRequest("only an LDAP group (group_type 1) has an ldap_group_dn")


def person(user: int, username: str, *, how: str = 'say who: {"username": "alice"}') -> int | str:
    """Who is meant, by id if there is one; raises BadRequest, which says `how`, for nobody."""
    if 0 < user < 2**63:
        return user
    if user or not username or len(username) > MAX_USERNAME or not username.isprintable():
        raise BadRequest(how)
    return username


_SCOPE = re.compile(r"/project/([1-9][0-9]{0,17})", re.ASCII)


def project_of_scope(scope: str) -> int | None:
    """The id in a scope such as `/project/1`; None for any other scope, in which nobody holds anything."""
    found = _SCOPE.fullmatch(scope)
    return int(found[1]) if found else None


def resource_in(scope: str, resource: str, relative: bool) -> str:
    """How a resource of a project is named to those who ask for its scope: `/project/1/member`, or relative to it `member`.

    The project itself is `/project/1`, or `.`.
    """
    if relative:
        return "." if resource == "project" else resource
    return scope if resource == "project" else f"{scope}/{resource}"
