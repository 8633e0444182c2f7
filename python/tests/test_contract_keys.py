"""The contract of the dependency: where a key is read, what is answered, what the route gets."""

from collections.abc import Callable

import pytest
from guarded_app import DENIED, NOT_PRESENTED, REPEATED, GuardedApp

ROUTES = ("/secure", "/secure-sync")


@pytest.mark.parametrize("path", ROUTES)
def test_nothing_sent(guarded: GuardedApp, path: str) -> None:
    answer = guarded.client.get(path)
    assert (answer.status_code, answer.json()) == (403, {"detail": NOT_PRESENTED})
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ROUTES)
def test_empty_counts_as_nothing(guarded: GuardedApp, path: str) -> None:
    answer = guarded.client.get(path, params={"api-key": ""}, headers={"api-key": ""})
    assert (answer.status_code, answer.json()) == (403, {"detail": NOT_PRESENTED})


@pytest.mark.parametrize("path", ROUTES)
def test_nothing_good(guarded: GuardedApp, path: str) -> None:
    answer = guarded.client.get(path, params={"api-key": "x"}, headers={"api-key": "y"})
    assert (answer.status_code, answer.json()) == (403, {"detail": DENIED})


@pytest.mark.parametrize("path", ROUTES)
def test_by_header(guarded: GuardedApp, path: str) -> None:
    key = guarded.new()
    answer = guarded.client.get(path, headers={"api-key": key})
    assert (answer.status_code, answer.json()["key"]) == (200, key)


@pytest.mark.parametrize("path", ROUTES)
def test_by_query(guarded: GuardedApp, path: str) -> None:
    key = guarded.new()
    answer = guarded.client.get(path, params={"api-key": key})
    assert (answer.status_code, answer.json()["key"]) == (200, key)


def test_header_name_in_any_case(guarded: GuardedApp) -> None:
    key = guarded.new()
    assert guarded.client.get("/secure", headers={"Api-KEY": key}).status_code == 200


def test_the_query_comes_first(guarded: GuardedApp) -> None:
    """Of two good keys the one in the query is handed over and counted, the other is not."""
    query, header = guarded.new(), guarded.new()
    answer = guarded.client.get("/secure", params={"api-key": query}, headers={"api-key": header})
    assert answer.json()["key"] == query
    assert guarded.log_of(query)["total_queries"] == 1
    assert guarded.log_of(header)["total_queries"] == 0


@pytest.mark.parametrize("bad", ["new_revoked", "new_expired"])
def test_one_good_key_is_enough(guarded: GuardedApp, bad: str) -> None:
    refused, key = getattr(guarded, bad)(), guarded.new()
    for query, header in ((refused, key), (key, refused)):
        answer = guarded.client.get(
            "/secure", params={"api-key": query}, headers={"api-key": header}
        )
        assert (answer.status_code, answer.json()["key"]) == (200, key)
    assert guarded.log_of(refused)["total_queries"] == 0
    assert guarded.log_of(key)["total_queries"] == 2


def test_repeated(guarded: GuardedApp) -> None:
    key = guarded.new()
    answer = guarded.client.get("/secure", params=[("api-key", key), ("api-key", key)])
    assert (answer.status_code, answer.json()) == (403, {"detail": REPEATED})
    answer = guarded.client.get("/secure", headers=[("api-key", key), ("api-key", key)])
    assert (answer.status_code, answer.json()) == (403, {"detail": REPEATED})
    assert guarded.log_of(key)["total_queries"] == 0


@pytest.mark.parametrize(
    ("header", "template"), [("authorization", "Basic {}"), ("cookie", "api-key={}")]
)
def test_no_other_place_is_read(guarded: GuardedApp, header: str, template: str) -> None:
    answer = guarded.client.get("/secure", headers={header: template.format(guarded.new())})
    assert (answer.status_code, answer.json()) == (403, {"detail": NOT_PRESENTED})


@pytest.mark.parametrize(
    ("header", "template"), [("authorization", "Bearer {}"), ("x-api-key", "{}")]
)
def test_the_places_of_1x_alone_can_be_chosen(
    guard: Callable[..., GuardedApp], header: str, template: str
) -> None:
    guarded = guard(key_headers=("api-key",))
    headers = {header: template.format(guarded.new())}
    answer = guarded.client.get("/secure", headers=headers)
    assert (answer.status_code, answer.json()) == (403, {"detail": NOT_PRESENTED})
    assert guarded.accepts(guarded.new())


def test_the_admin_secret_is_no_key(guarded: GuardedApp) -> None:
    assert not guarded.accepts(guarded.secret)
    assert guarded.client.get("/secure", headers={"secret-key": guarded.secret}).status_code == 403


def test_unsecured_routes_stay_open(guarded: GuardedApp) -> None:
    assert guarded.client.get("/unsecured").status_code == 200


def test_revoked_means_revoked(guarded: GuardedApp) -> None:
    for _ in range(20):
        key = guarded.new()
        assert guarded.accepts(key)
        guarded.revoke(key)
        assert not guarded.accepts(key)


def test_refusals_are_not_counted(guarded: GuardedApp) -> None:
    key = guarded.new()
    assert guarded.accepts(key)
    guarded.revoke(key)
    assert not guarded.accepts(key)
    assert guarded.log_of(key)["total_queries"] == 1


def test_keys_survive_a_restart(guard: Callable[..., GuardedApp]) -> None:
    first = guard()
    key, revoked, expired = first.new("kept"), first.new_revoked(), first.new_expired()
    assert first.accepts(key)
    logs = first.logs()
    first.security.close()

    second = guard()
    assert second.logs() == logs
    assert second.accepts(key)
    assert not second.accepts(revoked)
    assert not second.accepts(expired)


def test_close_is_idempotent_and_the_next_use_opens_again(guarded: GuardedApp) -> None:
    key = guarded.new()
    guarded.security.close()
    guarded.security.close()
    assert guarded.accepts(key)
    guarded.security.open()
    guarded.security.open()
    assert guarded.accepts(key)
    assert guarded.log_of(key)["total_queries"] == 2
