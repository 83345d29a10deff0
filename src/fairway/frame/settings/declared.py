"""Every setting of the hub: its name, meaning, unit, default and check, declared once.

`Settings.load` reads them at start from, strongest first: the command line, the environment (`FAIRWAY_<NAME>`), the
file `fairway.toml`, the defaults.  Nothing else in the package reads the environment, and a `Settings` never changes.
A setting that is misspelt or does not make sense stops the process with a message that names it and says what it must
be; the values of secrets, and passwords inside URLs, are never shown.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from fairway.core.oci.errors import FairwayError
from fairway.frame.settings import kinds

PREFIX = "FAIRWAY_"
UNSET = Path()
"""The default of a folder that depends on another setting, and of a file that need not be there."""

_DAY = 86_400
_YEAR = 366 * _DAY

# Variables with our prefix that are not settings: the crash points' and the test suite's, what the commands that ask a hub
# take for a login, and what Kubernetes puts into every container of a namespace that has a Service called "fairway" or "fairway-…".
_NOT_SETTINGS = re.compile(
    r"FAIRWAY_((CRASHPOINT_FILE|HUB|USERNAME|PASSWORD)=.*|TEST_\w+=.*|(\w+_)?(SERVICE_HOST=.*|SERVICE_PORT(_\w+)?=[0-9]+"
    r"|PORT=(tcp|udp|sctp)://.*|PORT_[0-9]+_(TCP|UDP|SCTP)(_\w+)?=.*))",
    re.DOTALL,
)

_HARBORS = {"CONFIG_OVERWRITE_JSON": "config_overwrite_json"}
"""What Harbor calls a setting; ours wins."""


class SettingsInvalid(FairwayError):
    """A setting is unknown, malformed or unsafe.  The message has a line per mistake."""

    code = "SETTINGS_INVALID"


def _about(
    kind: kinds.Kind, doc: str, *, section: str = "", unit: str = "", shown: str = "", secret: bool = False
) -> dict[str, Any]:
    """What is known of a setting besides name, type and default.  `section` opens a section of the manual's page;
    `shown` is a default that depends on others, in words; the value of a `secret` is never shown."""
    return {"kind": kind, "doc": doc, "section": section, "unit": unit, "shown": shown, "secret": secret}


@dataclass(frozen=True, repr=False)
class Settings:
    """What the operator chose.  Values are checked and complete: defaults that depend on others are filled in."""

    # A setting reads as a paragraph; the formatter would make a column of it.
    # fmt: off
    data_dir: Path = field(default=Path("data"), metadata=_about(
        kinds.path,
        "Folder for everything Fairway keeps, unless another setting puts it elsewhere.",
        section="Places", shown="./data",
    ))
    database_url: str = field(default="", metadata=_about(
        kinds.database_url,
        "The database: `sqlite:///path` or `postgresql://user:password@host:port/name`.",
        shown="sqlite:///<data_dir>/fairway.db",
    ))
    storage_url: str = field(default="", metadata=_about(
        kinds.storage_url,
        "Where the bytes of images are kept: `file:///folder`. The folder must be on one file system.",
        shown="file://<data_dir>/storage",
    ))
    storage_reserve_bytes: int = field(default=128 * 2**20, metadata=_about(
        kinds.whole(0, 2**50),
        "Room kept free where the bytes of images are: with less than that, new uploads are refused while those "
        "under way go on. 0: uploads go on until the disk is full.",
        unit="bytes",
    ))
    require_durable: bool = field(default=False, metadata=_about(
        kinds.flag,
        "Whether to refuse to start where a power cut could take what was acknowledged: PostgreSQL with `fsync`, "
        "`full_page_writes` or `synchronous_commit` off, files in memory or on a file system mounted without "
        "barriers. Otherwise a warning is logged.",
    ))
    keys_dir: Path = field(default=UNSET, metadata=_about(
        kinds.path,
        "Folder of the generated keys. Replicas must share it, with the same files in it; it may be "
        "read-only once they exist.",
        shown="<data_dir>/keys",
    ))

    listen: str = field(default="127.0.0.1:8080", metadata=_about(
        kinds.address,
        "IP address and port to serve on. `0.0.0.0:8080` means all IPv4 addresses, `[::]:8080` all "
        "addresses.",
        section="Network",
    ))
    external_url: str = field(default="", metadata=_about(
        kinds.base_url,
        "The URL clients use, such as `https://registry.example.com`. Links and token realms are built from "
        "it. Unset: taken from the `Host` header, but only on loopback or behind a trusted proxy; else the "
        "address in `listen`.",
    ))
    trusted_proxies: tuple[kinds.Network, ...] = field(default=(), metadata=_about(
        kinds.networks,
        "Networks of reverse proxies whose `X-Forwarded-*` headers are believed. Unset: none are.",
    ))
    idle_seconds: int = field(default=75, metadata=_about(
        kinds.whole(1, 3600),
        "A connection that says nothing for so long, before a request or between two, is closed. It must be "
        "longer than what a load balancer in front of it takes for idle.",
        unit="seconds",
    ))
    slow_reader_seconds: int = field(default=60, metadata=_about(
        kinds.whole(1, 3600),
        "A client that for so long takes less than `slow_reader_rate` of what waits for it is disconnected.",
        unit="seconds",
    ))
    slow_reader_rate: int = field(default=1024, metadata=_about(
        kinds.whole(0, 2**20),
        "What a client must take on average of what it asked for. 0: as slowly as it likes.",
        unit="bytes per second",
    ))

    egress_allow_networks: tuple[kinds.Network, ...] = field(default=(), metadata=_about(
        kinds.networks,
        "Networks that the hub may send requests to although they are not public, on any port. Unset: none, which "
        "also keeps users from reaching services beside the hub through it.",
        section="Outgoing requests",
    ))
    egress_ca_file: Path = field(default=UNSET, metadata=_about(
        kinds.file,
        "File with certificates of authorities (PEM) that are trusted besides the system's, for registries with a "
        "certificate of your own.",
    ))
    egress_proxy: str = field(default="", metadata=_about(
        kinds.proxy_url,
        "HTTP proxy for all outgoing requests, such as `http://proxy.example.com:3128`, with `user:password@` if it "
        "asks for that. It must refuse private networks itself: which address a name leads to, only the proxy sees. "
        "Unset: none, whatever other variables say.",
    ))
    notification_endpoints: tuple[dict[str, Any], ...] = field(default=(), metadata=_about(
        kinds.tables,
        "Who is told of every push and deletion in the docker registry's notification format: a list of objects with "
        "`name` and `url`, and if wanted `headers` (an object), `timeout` and `backoff` (seconds), `verify` (its "
        "certificate), `ignore_actions` and `ignore_media_types` (lists).",
        shown="nobody", secret=True,
    ))

    admin_password: str = field(default="", metadata=_about(
        kinds.password,
        "Password of the first administrator, used only when the database is new. Unset: one is generated "
        "and printed once. Well-known defaults are refused.",
        section="Secrets", secret=True,
    ))
    secret_key: str = field(default="", metadata=_about(
        kinds.secret,
        "Key that seals the secrets kept in the database (32 random characters or more). Unset: generated "
        "as `secret-0001.key` in `keys_dir`. Replicas must have the same.",
        secret=True,
    ))
    previous_secret_keys: tuple[str, ...] = field(default=(), metadata=_about(
        kinds.secrets,
        "Former values of `secret_key`: they still open what they sealed, and seal nothing new.",
        secret=True,
    ))
    metrics_token: str = field(default="", metadata=_about(
        kinds.secret,
        "Bearer token with which Prometheus may read `/metrics` (32 random characters or more). Unset: "
        "only programs on the same machine may.",
        secret=True,
    ))

    token_seconds: int = field(default=300, metadata=_about(
        kinds.whole(60, 3600),
        "Life of an access token; clients fetch a new one by themselves. Pushes and deletions ask for the "
        "user's rights every time, but a token that may pull goes on pulling until its life is over.",
        section="Tokens", unit="seconds",
    ))
    refresh_token_seconds: int = field(default=30 * _DAY, metadata=_about(
        kinds.whole(60, _YEAR),
        "Life of a refresh token, which `docker login` keeps instead of the password.",
        unit="seconds",
    ))
    session_seconds: int = field(default=12 * 3600, metadata=_about(
        kinds.whole(60, _YEAR),
        "A session in a browser ends after so long however much it is used; `session_timeout` of the "
        "[configuration](configuration.md) says after how many minutes without use.",
        unit="seconds",
    ))

    create_project_on_push: bool = field(default=False, metadata=_about(
        kinds.flag,
        "Whether a push to a project that does not exist creates it, if the user may create projects.",
        section="Pushing",
    ))
    read_only: bool = field(default=False, metadata=_about(
        kinds.flag,
        "Whether nothing may be pushed, changed or deleted, by anybody. Pulls and logins go on, and so does the "
        "counting of pulls; no stored byte is removed, and background jobs wait.",
    ))
    config_overwrite_json: dict[str, Any] = field(default_factory=dict, metadata=_about(
        kinds.overwrites,
        "Keys of the [configuration](configuration.md) that are settled here and that nobody can change while the server "
        "runs: an object such as `{\"project_creation_restriction\": \"adminonly\"}`, or the path of a file that holds one. "
        "Harbor's `CONFIG_OVERWRITE_JSON` is read as well.",
        shown="nothing", secret=True,
    ))
    delete_enabled: bool = field(default=True, metadata=_about(
        kinds.flag,
        "Whether manifests, tags, blobs and projects may be deleted by those who have the right to.",
    ))
    max_manifest_bytes: int = field(default=4 * 2**20, metadata=_about(
        kinds.whole(65_536, 64 * 2**20),
        "Largest manifest accepted. Other registries refuse more than 4 MiB.",
        unit="bytes",
    ))
    uploads_per_user: int = field(default=1000, metadata=_about(
        kinds.whole(1, 1_000_000),
        "How many unfinished uploads one user may have at a time.",
    ))
    upload_expiry_seconds: int = field(default=7 * _DAY, metadata=_about(
        kinds.whole(600, _YEAR),
        "An upload that nobody continued for so long is thrown away.",
        unit="seconds",
    ))

    lease_seconds: int = field(default=3600, metadata=_about(
        kinds.whole(5, 30 * _DAY),
        "For so long after a client was told that a blob exists, garbage collection leaves it alone.",
        section="Cleaning up", unit="seconds",
    ))
    gc_grace_seconds: int = field(default=7200, metadata=_about(
        kinds.whole(0, _YEAR),
        "Content that nothing refers to is kept for so long before garbage collection considers it.",
        unit="seconds",
    ))
    gc_enabled: bool = field(default=True, metadata=_about(
        kinds.flag,
        "Whether garbage collection may run at all. Off, it refuses to: nothing that was pushed goes away, whatever "
        "a schedule or an administrator asks for.",
    ))
    undo_seconds: int = field(default=_DAY, metadata=_about(
        kinds.whole(0, _YEAR),
        "A deleted manifest can be had back, with its tags, for so long; what it needs stays, and counts against the "
        "quota. 0: it is gone at once.",
        unit="seconds",
    ))
    trash_seconds: int = field(default=3600, metadata=_about(
        kinds.whole(60, _YEAR),
        "The bytes of deleted content are kept for so long: a download that began earlier may still read "
        "them.",
        unit="seconds",
    ))

    workers: int = field(default=1, metadata=_about(
        kinds.whole(1, 256),
        "Web worker processes. One serves thousands of requests a second.",
        section="Processes",
    ))
    job_slots: int = field(default=10, metadata=_about(
        kinds.whole(1, 100),
        "How many background tasks a background process runs at a time.",
    ))
    shutdown_seconds: int = field(default=30, metadata=_about(
        kinds.whole(1, 3600),
        "After SIGTERM, running requests get so long to finish.",
        unit="seconds",
    ))
    database_pool: int = field(default=10, metadata=_about(
        kinds.whole(1, 500),
        "PostgreSQL connections of each process.",
    ))
    token_database_pool: int = field(default=4, metadata=_about(
        kinds.whole(1, 500),
        "PostgreSQL connections of each process set aside for logins and tokens, so that pushes cannot "
        "starve them.",
    ))
    statement_timeout_ms: int = field(default=5000, metadata=_about(
        kinds.whole(100, 600_000),
        "A PostgreSQL statement that takes longer is cancelled, and on SQLite the reading of a filtered or sorted list.",
        unit="milliseconds",
    ))
    log_level: str = field(default="info", metadata=_about(
        kinds.one_of("debug", "info", "warning", "error"),
        "The least important events that are logged: `debug`, `info`, `warning` or `error`.",
    ))
    log_format: str = field(default="auto", metadata=_about(
        kinds.one_of("auto", "json", "text"),
        "`json` (a JSON object per line), `text` (for people), or `auto`: text on a terminal, else JSON.",
    ))
    # fmt: on

    @classmethod
    def load(cls, env: Mapping[str, str], file: Path | None = None, **overrides: object) -> Self:
        """Read all sources.  `overrides` come from the command line; None there means "not given", and so does an
        empty environment variable.  Raises SettingsInvalid with every mistake found, one per line."""
        known = {f.name: f for f in fields(cls)}
        values: dict[str, Any] = {}
        mistakes: list[str] = []
        for name, label, raw in _sources(env, file, overrides):
            if name not in known:
                mistakes.append(f"{label}: there is no such setting.{_suggestion(name, known)}")
                continue
            try:
                values[name] = known[name].metadata["kind"](raw)
            except ValueError as problem:
                mistakes.append(_mistake(known[name], label, raw, problem))
        if mistakes:
            raise SettingsInvalid("\n".join(mistakes))
        return cls(**values)

    def __post_init__(self) -> None:
        for f in fields(self):
            raw = getattr(self, f.name)
            if raw is UNSET:
                continue
            try:
                object.__setattr__(self, f.name, f.metadata["kind"](raw))
            except ValueError as problem:
                raise SettingsInvalid(_mistake(f, f.name, raw, problem)) from None
        if self.database_url.startswith("sqlite:///"):
            file = Path(self.database_url.removeprefix("sqlite:///")).expanduser().absolute()
            object.__setattr__(self, "database_url", f"sqlite:///{file}")
        dependent = {
            "database_url": f"sqlite:///{self.data_dir / 'fairway.db'}",
            "storage_url": (self.data_dir / "storage").as_uri(),
            "keys_dir": self.data_dir / "keys",
        }
        for name, value in dependent.items():
            if getattr(self, name) in ("", UNSET):
                object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{f.name}={_shown(f, getattr(self, f.name))}' for f in fields(self))})"

    @property
    def host(self) -> str:
        """The IP address of `listen`, without brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port of `listen`."""
        return int(self.listen.rpartition(":")[2])

    @property
    def storage_path(self) -> Path:
        """The folder `storage_url` names."""
        return Path(unquote(urlsplit(self.storage_url).path))


def _sources(
    env: Mapping[str, str], file: Path | None, overrides: Mapping[str, object]
) -> Iterator[tuple[str, str, object]]:
    """All given values, weakest source first, as (setting, what to call it in a message, raw value)."""
    for name, value in (_file_values(file) if file else {}).items():
        yield name, f"{name} in {file}", value
    for variable, name in _HARBORS.items():
        if text := env.get(variable):
            yield name, variable, text
    for variable, text in env.items():
        if variable.startswith(PREFIX) and text and not _NOT_SETTINGS.fullmatch(f"{variable}={text}"):
            yield variable.removeprefix(PREFIX).lower(), variable, text
    for name, given in overrides.items():
        if given is not None:
            yield name, f"--{name.replace('_', '-')}", given


def _file_values(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        raise SettingsInvalid(f"The settings file {file} cannot be read: {problem.strerror}.") from None
    except ValueError as problem:
        raise SettingsInvalid(f"The settings file {file} is not valid TOML: {problem}.") from None


def _mistake(f: Field[Any], label: str, raw: object, problem: ValueError) -> str:
    value = "has a value that is refused" if f.metadata["secret"] else f"is {kinds.without_login(raw)!r}"
    return f"{label} {value}; it must be {problem}."


def _suggestion(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else " docs/reference/settings.md lists them all."


def _shown(f: Field[Any], value: object) -> str:
    if f.metadata["secret"]:
        return "<hidden>" if value else "''"
    return repr(kinds.without_login(value) if isinstance(value, str) else value)
