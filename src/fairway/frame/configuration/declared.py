"""Every key there is, with its meaning, default and bounds.  Names, kinds and most defaults are Harbor's.

What is not built yet has its keys all the same, because clients read and write the whole map; each says that nothing heeds
it (`works=False`), and how people log in can only be chosen as far as it can be had.
"""

from collections.abc import Mapping
from typing import Any, Final

from fairway.frame.configuration.kinds import (
    PAGE,
    Key,
    choice,
    days,
    endpoint,
    flag,
    matching,
    number,
    secret,
    size,
    text,
)

EVERYONE: Final = "everyone"
_MOST_BYTES: Final = 1024 * 2**40
_MINUTES_OF_A_YEAR: Final = 366 * 24 * 60

# -- what the server does

READ_ONLY: Final = flag(
    "read_only",
    False,
    "Nothing may be pushed, changed or deleted, except this configuration. Pulls and logins go on; no stored byte is "
    "removed and background jobs wait. `FAIRWAY_READ_ONLY` sets it for good.",
)
BANNER: Final = text(
    "banner_message",
    "",
    "Shown to everybody who opens the server in a browser, logged in or not.",
    longest=8192,
    lines=True,
)
PROJECT_CREATION: Final = choice(
    "project_creation_restriction",
    EVERYONE,
    "adminonly",
    doc="Who may create projects: everyone who is logged in, or system administrators only.",
)
QUOTAS: Final = flag(
    "quota_per_project_enable",
    True,
    "Whether a new project gets `storage_per_project` as its limit. Off, it gets none unless its administrator asks for one; "
    "limits that are there go on to hold.",
)
STORAGE: Final = size(
    "storage_per_project",
    -1,
    _MOST_BYTES,
    "What a new project may store, in bytes, when no limit is asked for.",
)
NOTIFICATIONS: Final = flag(
    "notification_enable",
    True,
    "Whether anybody is told of pushes and deletions. What happens while it is off is never told.",
)
SESSION: Final = number(
    "session_timeout",
    60,
    1,
    _MINUTES_OF_A_YEAR,
    "Minutes after which an idle session in a browser ends.",
)
SCANNER_PULLS: Final = flag(
    "scanner_skip_update_pulltime",
    False,
    "Whether pulls by a scanner leave the time of an artifact's last pull alone.",
    works=False,
)

# -- people, tokens, robots

SELF_REGISTRATION: Final = flag(
    "self_registration",
    False,
    "Whether people may make accounts of their own, without logging in.",
)
TOKEN_MINUTES: Final = number(
    "token_expiration",
    30,
    1,
    24 * 60,
    "Life of an access token in minutes. A token that may pull goes on pulling until its life is over, whatever becomes "
    "of its user's rights.",
)
ROBOT_DAYS: Final = number(
    "robot_token_duration",
    30,
    1,
    36_600,
    "Days that a new robot account lives when its maker does not say.",
    works=False,
)
ROBOT_PREFIX: Final = matching(
    "robot_name_prefix",
    "robot$",
    r"[!-.0-9;-~]{1,64}",
    "1 to 64 characters of ASCII without blanks, ':' and '/'",
    "What the login names of robot accounts begin with. Changing it renames all of them at once.",
)
PERSONAL_TOKEN_DAYS: Final = days(
    "personal_token_max_days",
    365,
    36_600,
    "Days that a new personal access token may live at most, and a CLI secret does; -1 lets them live for ever. Those that "
    "are there keep their end.",
)
AUTH_MODE: Final = choice(
    "auth_mode", "db_auth", doc="Where people's passwords are checked: in this server's own database."
)
PRIMARY_AUTH_MODE: Final = flag(
    "primary_auth_mode",
    False,
    "Whether the login page offers the other way to log in first; there is no other way yet.",
    only=False,
)

# -- the audit log

FORWARD: Final = endpoint(
    "audit_log_forward_endpoint",
    "Where every new line of the audit log is sent as syslog (RFC 5424). It must answer when it is chosen (of UDP only the name is looked up), and unless "
    "its address is a public one, in `FAIRWAY_EGRESS_ALLOW_NETWORKS`.",
)
SKIP_DATABASE: Final = flag(
    "skip_audit_log_database",
    False,
    "Whether new lines are only forwarded and not kept here. Needs `audit_log_forward_endpoint`.",
)
EVENTS_OFF: Final = matching(
    "disabled_audit_log_event_types",
    "",
    r"([a-z_]{1,64}(, ?[a-z_]{1,64}){0,63})?",
    "a list of kinds such as create_artifact,delete_tag, separated by commas, or nothing",
    "Which events leave no line in the audit log: a list of the names that `GET /auditlog-exts/events` has.",
)

# -- ways to log in that are not there yet


def _text(name: str, doc: str, default: str = "", *, lines: bool = False) -> Key[str]:
    longest = PAGE if lines else 1024
    return text(name, default, doc, longest=longest, lines=lines, works=False)


def _flag(name: str, default: bool, doc: str) -> Key[bool]:
    return flag(name, default, doc, works=False)


def _number(name: str, default: int, low: int, high: int, doc: str) -> Key[int]:
    return number(name, default, low, high, doc, works=False)


_LDAP = (
    _text("ldap_url", "URL of the LDAP server."),
    _text("ldap_search_dn", "Who searches."),
    secret("ldap_search_password", "Password of who searches."),
    _text("ldap_base_dn", "Where people are searched for."),
    _text("ldap_filter", "Which entries are people."),
    _text("ldap_uid", "The attribute that is the user name.", "cn"),
    _number("ldap_scope", 2, 0, 2, "How deep: 0 base, 1 one level, 2 the whole tree."),
    _number("ldap_timeout", 5, 1, 600, "Seconds to wait for the server."),
    _flag("ldap_verify_cert", True, "Whether the server's certificate is checked."),
    _text("ldap_group_base_dn", "Where groups are searched for."),
    _text("ldap_group_search_filter", "Which entries are groups."),
    _number("ldap_group_search_scope", 2, 0, 2, "How deep groups are searched for."),
    _text("ldap_group_attribute_name", "The attribute that is a group's name."),
    _text("ldap_group_admin_dn", "The group whose members administer the server."),
    _text("ldap_group_membership_attribute", "The attribute that says which groups one is in.", "memberof"),
    _flag("ldap_group_attach_parallel", False, "Whether groups are looked up side by side."),
)
_OIDC = (
    _text("oidc_name", "Name of the provider, for people."),
    _text("oidc_endpoint", "URL of the provider."),
    _text("oidc_client_id", "Our id there."),
    secret("oidc_client_secret", "Our secret there."),
    _text("oidc_scope", "Scopes to ask for."),
    _flag("oidc_verify_cert", True, "Whether the provider's certificate is checked."),
    _flag("oidc_auto_onboard", False, "Whether the first login makes the account at once."),
    _text("oidc_user_claim", "The claim that is the user name."),
    _text("oidc_groups_claim", "The claim that has the groups."),
    _text("oidc_group_filter", "A regular expression: which groups count."),
    _text("oidc_admin_group", "The group whose members administer the server."),
    _text("oidc_extra_redirect_parms", "More parameters of the redirect, as JSON.", "{}"),
    _flag("oidc_logout", False, "Whether logging out ends the session at the provider, too."),
)
_UAA = (
    _text("uaa_endpoint", "URL of the UAA server."),
    _text("uaa_client_id", "Our id there."),
    secret("uaa_client_secret", "Our secret there."),
    _flag("uaa_verify_cert", False, "Whether its certificate is checked."),
)
_PROXY = (
    _text("http_authproxy_endpoint", "URL to log in at."),
    _text("http_authproxy_tokenreview_endpoint", "URL to have tokens checked at."),
    _text("http_authproxy_admin_groups", "Groups whose members administer the server."),
    _text("http_authproxy_admin_usernames", "People who administer the server."),
    _flag("http_authproxy_verify_cert", True, "Whether its certificate is checked."),
    _flag("http_authproxy_skip_search", False, "Whether people are taken without searching for them."),
    _text("http_authproxy_server_certificate", "Its certificate, in PEM.", lines=True),
)

SECTIONS: Final[Mapping[str, tuple[Key[Any], ...]]] = {
    "The server": (
        READ_ONLY,
        BANNER,
        PROJECT_CREATION,
        QUOTAS,
        STORAGE,
        NOTIFICATIONS,
        SCANNER_PULLS,
        SESSION,
    ),
    "People and tokens": (
        AUTH_MODE,
        PRIMARY_AUTH_MODE,
        SELF_REGISTRATION,
        TOKEN_MINUTES,
        ROBOT_DAYS,
        ROBOT_PREFIX,
        PERSONAL_TOKEN_DAYS,
    ),
    "The audit log": (FORWARD, SKIP_DATABASE, EVENTS_OFF),
    "LDAP": _LDAP,
    "OpenID Connect": _OIDC,
    "UAA": _UAA,
    "An authentication proxy": _PROXY,
}
KEYS: Final[Mapping[str, Key[Any]]] = {key.name: key for keys in SECTIONS.values() for key in keys}
"""Every key by its name."""
