"""How long wrong passwords make one wait, and who is counted together."""

import pytest

from fairway.features.accounts.throttle import key, wait_seconds


def test_a_few_failures_are_free_and_then_each_doubles_the_wait_up_to_five_minutes() -> None:
    waits = [wait_seconds(failures) for failures in range(16)]
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert wait_seconds(10**9) == 300


def test_an_address_has_more_free_and_waits_less() -> None:
    waits = [wait_seconds(failures, of_address=True) for failures in (0, 20, 21, 22, 23, 24, 25, 26, 10**9)]
    assert waits == [0, 0, 1, 2, 4, 8, 16, 30, 30]


def test_accounts_and_addresses_count_apart() -> None:
    keys = {key("alice", "192.0.2.7"), key("alice", "192.0.2.8"), key("bob", "192.0.2.7")}
    assert len(keys) == 3


def test_an_ipv6_customer_counts_as_one_whatever_address_they_take() -> None:
    assert key("alice", "2001:db8:1:2::1") == key("alice", "2001:db8:1:2:ffff::9")
    assert key("alice", "2001:db8:1:2::1") != key("alice", "2001:db8:1:3::1")


def test_an_ipv4_address_in_ipv6_clothes_is_itself() -> None:
    assert key("alice", "::ffff:192.0.2.7") == key("alice", "192.0.2.7")
    assert key("alice", "::ffff:192.0.2.7") != key("alice", "::ffff:192.0.2.8")


@pytest.mark.parametrize("client", ["", "unix:", "not an address"])
def test_a_client_without_an_address_still_counts(client: str) -> None:
    assert key("alice", client) != key("bob", client)


def test_what_was_typed_as_a_user_name_cannot_be_read_from_the_key() -> None:
    assert "MyPassw0rd" not in key("MyPassw0rd", "192.0.2.7")
