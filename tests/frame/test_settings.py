"""Settings: where they come from, what is refused, and that nothing secret is ever shown."""

import dataclasses
import ipaddress
from pathlib import Path

import pytest

from fairway.frame.settings import Settings, SettingsInvalid
from fairway.frame.settings.reference import reference

ROOT = Path(__file__).parents[2]
CANARY = "cAnArY-4f9a1c77e2b84d0f-9b1e6a53c2d7"


def file_with(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "fairway.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(env: dict[str, str]) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        Settings.load(env)
    return str(caught.value)


# Where values come from


def test_the_command_line_beats_the_environment_which_beats_the_file_which_beats_the_default(
    tmp_path: Path,
) -> None:
    file = file_with(tmp_path, "workers = 2\nlease_seconds = 61\ntrash_seconds = 62\n")
    env = {"FAIRWAY_WORKERS": "3", "FAIRWAY_LEASE_SECONDS": "63"}
    settings = Settings.load(env, file, workers=4)
    assert (settings.workers, settings.lease_seconds, settings.trash_seconds) == (4, 63, 62)
    assert settings.gc_grace_seconds == 7200


def test_an_empty_variable_or_an_option_not_given_is_no_choice() -> None:
    assert Settings.load({"FAIRWAY_WORKERS": ""}, workers=None).workers == 1


def test_other_programs_variables_are_none_of_our_business() -> None:
    assert Settings.load({"PATH": "/bin", "WORKERS": "9"}).workers == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FAIRWAY_PORT", "tcp://10.0.0.1:80"),
        ("FAIRWAY_SERVICE_HOST", "10.0.0.1"),
        ("FAIRWAY_SERVICE_PORT", "80"),
        ("FAIRWAY_SERVICE_PORT_HTTP", "80"),
        ("FAIRWAY_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("FAIRWAY_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("FAIRWAY_CRASHPOINT_FILE", "/tmp/plan"),
        ("FAIRWAY_HUB", "https://hub.example"),
        ("FAIRWAY_USERNAME", "kim"),
        ("FAIRWAY_PASSWORD", "s3cret"),
    ],
)
def test_what_kubernetes_clients_and_the_tests_put_into_the_environment_is_ignored(
    variable: str, value: str
) -> None:
    Settings.load({variable: value})


def test_defaults_that_depend_on_the_data_folder_follow_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "a b")
    assert settings.database_url == f"sqlite:///{tmp_path}/a b/fairway.db"
    assert settings.storage_path == tmp_path / "a b" / "storage"
    assert settings.keys_dir == tmp_path / "a b" / "keys"


def test_folders_and_files_stay_where_they_are_when_the_working_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.load({"FAIRWAY_DATABASE_URL": "sqlite:///here.db"}, data_dir="data", keys_dir=".")
    assert settings.data_dir == tmp_path / "data"
    assert settings.keys_dir == tmp_path
    assert settings.database_url == f"sqlite:///{tmp_path}/here.db"


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().workers = 2  # type: ignore[misc]


# What they may be


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("localhost:8080", "127.0.0.1", 8080),
        ("[::1]:443", "::1", 443),
        ("[::]:8080", "::", 8080),
    ],
)
def test_the_listening_address_has_a_host_and_a_port(listen: str, host: str, port: int) -> None:
    settings = Settings.load({"FAIRWAY_LISTEN": listen})
    assert (settings.host, settings.port) == (host, port)


def test_lists_are_arrays_in_the_file_and_separated_by_commas_or_blanks_elsewhere(tmp_path: Path) -> None:
    expected = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
    file = file_with(tmp_path, 'trusted_proxies = ["10.0.0.0/8", "fd00::/8"]')
    assert Settings.load({}, file).trusted_proxies == expected
    assert Settings.load({"FAIRWAY_TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8"}).trusted_proxies == expected
    assert Settings.load({"FAIRWAY_TRUSTED_PROXIES": "10.0.0.0/8 fd00::/8"}).trusted_proxies == expected


@pytest.mark.parametrize("word", ["true", "yes", "ON", "1"])
def test_yes_can_be_said_in_several_ways(word: str) -> None:
    assert Settings.load({"FAIRWAY_CREATE_PROJECT_ON_PUSH": word}).create_project_on_push is True


def test_the_external_url_has_no_slash_at_its_end() -> None:
    assert Settings(external_url="https://r.example.com:8443/").external_url == "https://r.example.com:8443"


@pytest.mark.parametrize(
    "url", ["", "http://proxy.example:3128", "https://who:p%40ss:w@10.0.0.1:80", "http://who@[::1]:8080"]
)
def test_a_proxy_has_a_port_and_perhaps_a_login(url: str) -> None:
    assert Settings(egress_proxy=url).egress_proxy == url


MISTAKES = [
    ("FAIRWAY_WORKERS", "many", "a whole number from 1 to 256"),
    ("FAIRWAY_WORKERS", "0", "a whole number from 1 to 256"),
    ("FAIRWAY_WORKERS", "1.5", "a whole number"),
    ("FAIRWAY_WORKERS", "٣", "a whole number"),
    ("FAIRWAY_TOKEN_SECONDS", "3601", "a whole number from 60 to 3600"),
    ("FAIRWAY_TRASH_SECONDS", "59", "a whole number from 60"),
    ("FAIRWAY_TRASH_SECONDS", "9" * 5000, "a whole number from 60"),
    ("FAIRWAY_LISTEN", "8080", "an IP address and a port"),
    ("FAIRWAY_LISTEN", "example.com:80", "an IP address and a port"),
    ("FAIRWAY_LISTEN", "::1:80", "an IP address and a port"),
    ("FAIRWAY_LISTEN", "127.0.0.1:0", "an IP address and a port"),
    ("FAIRWAY_LISTEN", "127.0.0.1:65536", "an IP address and a port"),
    ("FAIRWAY_CREATE_PROJECT_ON_PUSH", "perhaps", "true or false"),
    ("FAIRWAY_LOG_LEVEL", "loud", "debug, info, warning, error"),
    ("FAIRWAY_TRUSTED_PROXIES", "10.0.0.1/8", "'10.0.0.1/8' is not one"),
    ("FAIRWAY_EXTERNAL_URL", "registry.example.com", "https://host"),
    ("FAIRWAY_EXTERNAL_URL", "https://example.com/path", "nothing after it"),
    ("FAIRWAY_EXTERNAL_URL", "https://example.com:port", "https://host"),
    ("FAIRWAY_EXTERNAL_URL", "https://example.com/\r\nX-Evil: 1", "one line"),
    ("FAIRWAY_DATABASE_URL", "mysql://db/fairway", "postgresql://"),
    ("FAIRWAY_DATABASE_URL", "postgresql://db", "postgresql://user:password@host:5432/name"),
    ("FAIRWAY_DATABASE_URL", "sqlite:///", "sqlite:///path"),
    ("FAIRWAY_DATABASE_URL", "sqlite:///:memory:", "sqlite:///path"),
    ("FAIRWAY_STORAGE_URL", "s3://bucket", "file:///absolute/folder, the only scheme supported so far"),
    ("FAIRWAY_STORAGE_URL", "file://relative", "file:///absolute/folder"),
    ("FAIRWAY_EGRESS_ALLOW_NETWORKS", "10.0.0.1-10.0.0.9", "'10.0.0.1-10.0.0.9' is not one"),
    ("FAIRWAY_EGRESS_PROXY", "proxy.example.com:3128", "http://host:port"),
    ("FAIRWAY_EGRESS_PROXY", "socks5://proxy.example.com:3128", "http://host:port"),
    ("FAIRWAY_EGRESS_PROXY", "http://proxy.example.com", "http://host:port"),
    ("FAIRWAY_EGRESS_PROXY", "http://proxy.example.com:3128/path", "nothing after it"),
    ("FAIRWAY_EGRESS_PROXY", "http://proxy.example.com:99999", "http://host:port"),
    ("FAIRWAY_EGRESS_CA_FILE", "a\nb", "one line of text"),
]


@pytest.mark.parametrize(("variable", "value", "expected"), MISTAKES)
def test_a_mistake_names_the_setting_the_value_and_what_is_expected(
    variable: str, value: str, expected: str
) -> None:
    message = refusal({variable: value})
    assert message.startswith(f"{variable} is ")
    assert expected in message
    assert len(message) < 400


def test_a_misspelt_setting_is_an_error_and_not_ignored() -> None:
    assert "FAIRWAY_TRASH_SECOND: there is no such setting. Did you mean trash_seconds?" in refusal(
        {"FAIRWAY_TRASH_SECOND": "60"}
    )


def test_all_mistakes_are_told_at_once_with_where_they_were_made(tmp_path: Path) -> None:
    file = file_with(tmp_path, "workers = 0\n[table]\n")
    with pytest.raises(SettingsInvalid) as caught:
        Settings.load({"FAIRWAY_LISTEN": "x"}, file, lease_seconds=1)
    lines = str(caught.value).splitlines()
    assert [line.split(" is ")[0].split(":")[0] for line in lines] == [
        f"workers in {file}",
        f"table in {file}",
        "FAIRWAY_LISTEN",
        "--lease-seconds",
    ]


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"nowhere.toml cannot be read: No such file"):
        Settings.load({}, tmp_path / "nowhere.toml")
    with pytest.raises(SettingsInvalid, match=r"fairway.toml is not valid TOML"):
        Settings.load({}, file_with(tmp_path, "workers: 2"))
    (tmp_path / "fairway.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsInvalid, match="is not valid TOML"):
        Settings.load({}, tmp_path / "fairway.toml")


def test_settings_made_by_hand_are_checked_too() -> None:
    with pytest.raises(SettingsInvalid, match="workers is '0'"):
        Settings(workers=0)


# Secrets, T21 and T69 of the security cases


@pytest.mark.parametrize(
    "password",
    [
        "Harbor12345",
        "admin",
        "password",
        "Password1!",
        "changeme",
        "change-me",
        "12345678",
        "short",
        "aaaaaaaaaaaa",
        "fairway123",
        "P@ssw0rd",
        "Administrator",
        "x" * 129,
        "with\nnewline",
    ],
)
def test_a_default_or_guessable_admin_password_is_refused(password: str) -> None:
    message = refusal({"FAIRWAY_ADMIN_PASSWORD": password})
    assert message.startswith("FAIRWAY_ADMIN_PASSWORD has a value that is refused; it must be ")
    assert f"'{password}'" not in message


@pytest.mark.parametrize("password", ["correct horse", "Tr0ub4dor&3", " blanks matter ", "pässwörter"])
def test_a_password_of_ones_own_is_taken_as_it_is(password: str) -> None:
    assert Settings.load({"FAIRWAY_ADMIN_PASSWORD": password}).admin_password == password


@pytest.mark.parametrize("key", ["not-a-secure-key", "0" * 64, "short" * 3])
@pytest.mark.parametrize("name", ["SECRET_KEY", "PREVIOUS_SECRET_KEYS", "METRICS_TOKEN"])
def test_a_short_or_monotonous_key_is_refused(name: str, key: str) -> None:
    message = refusal({f"FAIRWAY_{name}": key})
    assert "at least 32 random characters" in message
    assert key not in message


SECRETS = {
    "FAIRWAY_ADMIN_PASSWORD": CANARY,
    "FAIRWAY_SECRET_KEY": CANARY,
    "FAIRWAY_PREVIOUS_SECRET_KEYS": f"{CANARY},{CANARY}",
    "FAIRWAY_METRICS_TOKEN": CANARY,
    "FAIRWAY_DATABASE_URL": f"postgresql://fairway:{CANARY}@db.internal/fairway?password={CANARY}",
    "FAIRWAY_EGRESS_PROXY": f"http://fairway:{CANARY}@proxy.internal:3128",
}


def test_settings_can_be_shown_without_their_secrets() -> None:
    shown = repr(Settings.load(SECRETS))
    assert CANARY not in shown
    assert "postgresql://***@db.internal/fairway" in shown


@pytest.mark.parametrize("variable", SECRETS)
def test_a_mistake_in_a_setting_does_not_show_the_secret_in_it(variable: str) -> None:
    broken = SECRETS[variable].replace("//", "/")[:120] + "\x00"
    assert CANARY not in refusal({variable: broken})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@db.example/fairway?sslmode=verify-full",
        "postgres://u:p@db.example:5432/fairway",
        "postgresql://u:p@one:5432,two:5432/fairway?target_session_attrs=read-write",
        "postgresql://u@/fairway?host=/run/postgresql",
        "postgresql://u:p@[::1]:5432/fairway",
    ],
)
def test_a_postgresql_url_is_what_libpq_takes(url: str) -> None:
    settings = Settings.load({"FAIRWAY_DATABASE_URL": url})
    assert settings.database_url == "postgresql://" + url.partition("://")[2]


@pytest.mark.parametrize(
    "url", [f"mysql://u:{CANARY}@h/d", f"u:{CANARY}@h/d", f"postgresql://u:{CANARY}@/d", f"{CANARY}@h"]
)
def test_a_broken_database_url_does_not_show_its_password(url: str) -> None:
    assert CANARY not in refusal({"FAIRWAY_DATABASE_URL": url})


# The manual


def test_the_manual_lists_exactly_the_settings_there_are() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    command = "python -m fairway.frame.settings.reference > docs/reference/settings.md"
    assert page == reference(), f"the page is out of date; run: {command}"


def test_what_is_settled_is_an_object_in_text_in_a_table_or_in_a_file(tmp_path: Path) -> None:
    file, table = tmp_path / "settled.json", tmp_path / "fairway.toml"
    file.write_text('{"read_only": true}', encoding="utf-8")
    table.write_text("[config_overwrite_json]\nread_only = true\n", encoding="utf-8")
    for env, source in (
        ({"FAIRWAY_CONFIG_OVERWRITE_JSON": ' {"read_only": true}'}, None),
        ({"FAIRWAY_CONFIG_OVERWRITE_JSON": str(file)}, None),
        ({"CONFIG_OVERWRITE_JSON": '{"read_only": true}'}, None),
        ({"CONFIG_OVERWRITE_JSON": "{}", "FAIRWAY_CONFIG_OVERWRITE_JSON": str(file)}, None),
        ({"CONFIG_OVERWRITE_JSON": ""}, table),
    ):
        settings = Settings.load(env, source)
        assert settings.config_overwrite_json == {"read_only": True}
        assert "read_only': True" not in repr(settings)
    assert Settings.load({}).config_overwrite_json == {}
    for broken in ("{", "[1]", "null", "[]", str(tmp_path), str(tmp_path / "gone.json"), '{"a": geheim}'):
        with pytest.raises(SettingsInvalid, match="an object such as") as refused:
            Settings.load({"CONFIG_OVERWRITE_JSON": broken})
        assert str(refused.value).startswith("CONFIG_OVERWRITE_JSON has a value that is refused")
        assert "geheim" not in str(refused.value)


def test_every_setting_is_explained_in_a_sentence() -> None:
    for field in dataclasses.fields(Settings):
        assert field.metadata["doc"].endswith("."), field.name
        assert f"| `{field.name}` | `FAIRWAY_{field.name.upper()}` |" in reference()
