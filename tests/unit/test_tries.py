"""Tests how often passwords may be tried."""

from __future__ import annotations

import pytest

from paddock.api.tries import Tries, network_of
from paddock.errors import TriesSpent

pytestmark = pytest.mark.attack("brute force")


def tried(tries: Tries, name: str, address: str, times: int) -> int:
    """How many of so many wrong passwords were let through."""
    passed = 0
    for _ in range(times):
        try:
            tries.refuse(name, address)
        except TriesSpent:
            continue
        passed += 1
        tries.begun(name, address)
    return passed


def test_a_name_is_tried_five_times_from_one_address() -> None:
    tries = Tries()
    assert tried(tries, "anna", "203.0.113.7", 50) == 5
    assert tried(tries, "ANNA", "203.0.113.7", 5) == 0
    with pytest.raises(TriesSpent) as refused:
        tries.refuse("anna", "203.0.113.7")
    assert 0 < refused.value.retry_after_s <= 16
    # Her owner, elsewhere, is not shut out.
    tries.refuse("anna", "198.51.100.4")


def test_one_address_does_not_try_many_names() -> None:
    tries = Tries()
    assert sum(tried(tries, f"name{number}", "203.0.113.7", 2) for number in range(50)) == 20
    tries.refuse("name1", "198.51.100.4")


def test_many_addresses_do_not_try_one_name_at_will() -> None:
    tries = Tries()
    assert sum(tried(tries, "anna", f"203.0.113.{number}", 1) for number in range(200)) == 60


def test_the_right_password_forgives_what_came_before_it() -> None:
    tries = Tries()
    assert tried(tries, "anna", "203.0.113.7", 4) == 4
    tries.succeeded("Anna", "203.0.113.7")
    assert tried(tries, "anna", "203.0.113.7", 5) == 5


def test_those_who_know_their_passwords_do_not_use_up_the_tries_of_others() -> None:
    tries = Tries()
    for number in range(200):
        tries.refuse(f"name{number}", "203.0.113.7")
        tries.begun(f"name{number}", "203.0.113.7")
        tries.succeeded(f"name{number}", "203.0.113.7")
    assert tried(tries, "anna", "203.0.113.7", 10) == 5


def test_many_tries_at_once_are_no_way_around() -> None:
    tries = Tries()
    for _ in range(5):
        tries.refuse("anna", "203.0.113.7")
        tries.begun("anna", "203.0.113.7")
    # None of the five has come to its end.
    with pytest.raises(TriesSpent):
        tries.refuse("anna", "203.0.113.7")


def test_what_is_remembered_is_bounded() -> None:
    tries = Tries()
    for number in range(30_000):
        tries.begun(f"name{number}", f"address{number}")
    assert tries.held <= 10_003


def test_whoever_has_a_network_of_addresses_has_one() -> None:
    tries = Tries()
    assert sum(tried(tries, "anna", f"2001:db8:1:2::{number:x}", 1) for number in range(100)) == 5
    assert sum(tried(tries, f"name{number}", f"2001:db8:1:2:{number:x}::1", 1) for number in range(100)) == 15
    tries.refuse("anna", "2001:db8:1:3::1")
    assert network_of("::ffff:203.0.113.7") == network_of("203.0.113.7") == "203.0.113.7"
    assert network_of("fe80::1%eth0") == network_of("fe80::2")
    assert network_of("testclient") == "testclient"


def test_strangers_do_not_hold_up_who_signed_in_from_his_address_before() -> None:
    tries = Tries()
    tries.begun("Anna", "198.51.100.4")
    tries.succeeded("Anna", "198.51.100.4")
    assert sum(tried(tries, "anna", f"203.0.113.{number}", 1) for number in range(200)) == 60
    tries.refuse("anna", "198.51.100.4")
    with pytest.raises(TriesSpent):
        tries.refuse("anna", "198.51.100.5")
    assert tried(tries, "anna", "198.51.100.4", 20) == 5
