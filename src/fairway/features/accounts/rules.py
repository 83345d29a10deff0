"""Which user names, passwords and groups are acceptable."""

import re
from collections.abc import Sequence
from datetime import datetime

from fairway.core.oci.errors import BadRequest
from fairway.features.accounts import secret
from fairway.features.accounts.model import HTTP, LDAP, OIDC
from fairway.frame.access.scopes import Word, words_of

MIN_PASSWORD = 8
MAX_PASSWORD = 128
MAX_USERNAME = 255
MAX_TEXT = 255
MAX_COMMENT = 30
MAX_DAYS = 36_600
USUAL_DAYS = 90
FOR_EVER = -1
FIRST_YEAR = 1970

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
    if secret.looks_like_one(password):
        raise BadRequest(
            "this looks like a personal access token, and would be taken for one; choose another password"
        )


MAX_DESCRIPTION = 1024
MAX_PROJECTS = 50
DAY = 86_400_000_000
_NO_CONTROL = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*")


def check_token(name: str, description: str, projects: int) -> None:
    """Raise BadRequest when no token can be called and described like this, or be about so many projects."""
    if not 0 < len(name) <= MAX_TEXT or not name.isprintable() or name != name.strip():
        raise BadRequest(
            f"a token's name has 1 to {MAX_TEXT} printable characters and no space at either end"
        )
    if len(description) > MAX_DESCRIPTION or not _NO_CONTROL.fullmatch(description):
        raise BadRequest(
            f"a description has up to {MAX_DESCRIPTION} characters, none of them a control character"
        )
    if projects > MAX_PROJECTS:
        raise BadRequest(f"a token is about up to {MAX_PROJECTS} projects, or about all")


def words(access: Sequence[str]) -> frozenset[Word]:
    """What a token is good for; raises BadRequest."""
    known = ", ".join(Word)
    try:
        found = words_of(access)
    except ValueError:
        raise BadRequest(f"access is a list of some of {known}") from None
    if not found or len(access) > len(Word):
        raise BadRequest(f"say what the token is good for: access is a list of some of {known}")
    if Word.ALL in found and len(found) > 1:
        raise BadRequest("access is all, or a list of narrower words")
    return found


def lifetime(duration: int | None, until: str, now: int, most: int) -> int | None:
    """How long a token lives from `now`, in µs; None for ever.  `most` days, or FOR_EVER, may be asked for; raises
    BadRequest."""
    if duration is not None and until:
        raise BadRequest("say how long it lives once: duration in days, or expires_at")
    if until:
        asked: int | None = _moment(until) - now
    elif duration is None:
        asked = (USUAL_DAYS if most == FOR_EVER else min(USUAL_DAYS, most)) * DAY
    else:
        asked = None if duration == FOR_EVER else duration * DAY
    if asked is None and most == FOR_EVER:
        return None
    longest = MAX_DAYS if most == FOR_EVER else most
    if asked is None or not 0 < asked <= longest * DAY:
        raise BadRequest(
            f"a token lives for 1 to {longest} days from now here"
            + (", or with duration -1 for ever" if most == FOR_EVER else "")
        )
    return asked


def _moment(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not found.year > FIRST_YEAR:
        raise BadRequest("expires_at is a time with its zone, such as 2030-01-31T08:00:00Z")
    return int(found.timestamp()) * 1_000_000


def check_cli_secret(text: str) -> None:
    """Raise BadRequest, which says what is missing and never repeats the secret."""
    if not MIN_PASSWORD <= len(text) <= MAX_PASSWORD:
        raise BadRequest(f"a secret has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    if missing := [what for pattern, what in _PASSWORD_NEEDS if not pattern.search(text)]:
        raise BadRequest(f"the secret needs {' and '.join(missing)}")
    if text.lower() in _KNOWN_DEFAULTS or secret.looks_like_one(text):
        raise BadRequest("this secret is a well-known default, or looks like a token; choose another one")


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
