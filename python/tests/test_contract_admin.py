"""The contract of the admin routes: the secret, and making, revoking and renewing keys."""

import re
from datetime import datetime, timedelta, timezone

import pytest
from guarded_app import ADMIN_PATHS, NO_SECRET, PAST_DATE, GuardedApp

RENEWED = "The new expiration date for the API key is "
REACTIVATED = "This API key was revoked and has been reactivated. "
NOT_FOUND = {"detail": "API key not found"}
# Well-formed, and never issued.
UNKNOWN_ID = "0aZ9bY8cX7d"
OLD_UUID = "c1a5d2f0-33aa-4b6c-9d21-7e4f5a6b8c90"


@pytest.mark.parametrize("path", ADMIN_PATHS)
def test_without_the_secret(guarded: GuardedApp, path: str) -> None:
    answer = guarded.client.get(path)
    assert (answer.status_code, answer.json()) == (403, {"detail": NO_SECRET})


@pytest.mark.parametrize("path", ADMIN_PATHS)
def test_with_an_empty_secret(guarded: GuardedApp, path: str) -> None:
    answer = guarded.client.get(path, headers={"secret-key": ""})
    assert (answer.status_code, answer.json()) == (403, {"detail": NO_SECRET})


@pytest.mark.parametrize("path", ADMIN_PATHS)
@pytest.mark.parametrize("wrong", ["x", "TEST_SECRET", "admin-canary", "{}x", "x{}"])
def test_with_a_wrong_secret(guarded: GuardedApp, path: str, wrong: str) -> None:
    answer = guarded.client.get(path, headers={"secret-key": wrong.format(guarded.secret)})
    assert answer.status_code == 403
    assert answer.json()["detail"].startswith("Wrong secret key.")
    assert "FASTAPI_SIMPLE_SECURITY_SECRET" in answer.json()["detail"]


@pytest.mark.parametrize("path", ADMIN_PATHS)
def test_the_secret_is_never_read_from_the_query(guarded: GuardedApp, path: str) -> None:
    joint = "&" if "?" in path else "?"
    answer = guarded.client.get(f"{path}{joint}secret-key={guarded.secret}")
    assert (answer.status_code, answer.json()) == (403, {"detail": NO_SECRET})


def test_a_key_is_no_admin_secret(guarded: GuardedApp) -> None:
    key = guarded.new()
    answer = guarded.client.get("/auth/logs", headers={"secret-key": key, "api-key": key})
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ADMIN_PATHS)
def test_get_is_the_only_method(guarded: GuardedApp, path: str) -> None:
    answer = guarded.client.post(path, headers={"secret-key": guarded.secret})
    assert answer.status_code == 405


def test_new_answers_a_json_string(guarded: GuardedApp) -> None:
    answer = guarded.admin("new")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    key = answer.json()
    guarded.canaries.add(key)
    assert answer.text == f'"{key}"'
    assert re.fullmatch(r"fss_[0-9A-Za-z]{11}_[0-9A-Za-z]{39}", key)


def test_new_keys_differ(guarded: GuardedApp) -> None:
    assert len({guarded.new("same name") for _ in range(20)}) == 20


@pytest.mark.parametrize("truth", ["true", "True", "1", "yes", "on"])
def test_never_expires(guarded: GuardedApp, truth: str) -> None:
    answer = guarded.client.get(
        f"/auth/new?never_expires={truth}", headers={"secret-key": guarded.secret}
    )
    guarded.canaries.add(answer.json())
    row = guarded.log_of(answer.json())
    assert row["never_expire"] is True
    datetime.fromisoformat(row["expiration_date"])


def test_a_name_and_no_name(guarded: GuardedApp) -> None:
    assert guarded.log_of(guarded.new("bob"))["name"] == "bob"
    assert guarded.log_of(guarded.new())["name"] is None


def test_new_keys_expire_in_fifteen_days(guarded: GuardedApp) -> None:
    before = utc_now()
    row = guarded.log_of(guarded.new())
    assert row["never_expire"] is False
    expires = datetime.fromisoformat(row["expiration_date"]) - timedelta(days=15)
    assert before <= expires <= utc_now()


def test_revoke_answers_null_again_and_again(guarded: GuardedApp) -> None:
    key = guarded.new()
    for _ in range(2):
        answer = guarded.revoke(key)
        assert (answer.status_code, answer.text) == (200, "null")
        assert guarded.log_of(key)["is_active"] is False
        assert not guarded.accepts(key)


@pytest.mark.parametrize("action", ["revoke", "renew"])
def test_by_id_or_by_the_whole_key(guarded: GuardedApp, action: str) -> None:
    for by_id in (False, True):
        key = guarded.new_revoked() if action == "renew" else guarded.new()
        handle = guarded.log_of(key)["api_key"] if by_id else key
        assert guarded.admin(action, api_key=handle).status_code == 200
        assert guarded.accepts(key) == (action == "renew")


@pytest.mark.parametrize("action", ["revoke", "renew"])
@pytest.mark.parametrize("unknown", [UNKNOWN_ID, OLD_UUID, "x"])
def test_the_unknown(guarded: GuardedApp, action: str, unknown: str) -> None:
    guarded.new()
    before = guarded.logs()
    answer = guarded.admin(action, api_key=unknown)
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    assert guarded.logs() == before


@pytest.mark.parametrize("action", ["revoke", "renew"])
def test_the_id_with_another_secret_is_unknown(guarded: GuardedApp, action: str) -> None:
    """A whole key is looked up by all of it, not by the id within."""
    key = guarded.new()
    forged = key[:-1] + ("1" if key[-1] == "0" else "0")
    answer = guarded.admin(action, api_key=forged)
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    assert guarded.accepts(key)


@pytest.mark.parametrize("action", ["revoke", "renew"])
def test_no_key_named(guarded: GuardedApp, action: str) -> None:
    answer = guarded.admin(action)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "api-key"]


@pytest.mark.parametrize("date", [None, ""])
def test_renew_without_a_date(guarded: GuardedApp, date: str | None) -> None:
    key = guarded.new()
    guarded.renew(key, PAST_DATE)
    before = utc_now()
    answer = guarded.renew(key, date)
    assert answer.status_code == 200
    assert answer.json().startswith(RENEWED)
    text = answer.json().removeprefix(RENEWED)
    assert guarded.log_of(key)["expiration_date"] == text
    assert before <= datetime.fromisoformat(text) - timedelta(days=15) <= utc_now()
    assert guarded.accepts(key)


def test_renew_with_a_date(guarded: GuardedApp) -> None:
    key = guarded.new()
    answer = guarded.renew(key, "2222-01-01")
    assert (answer.status_code, answer.json()) == (200, RENEWED + "2222-01-01T00:00:00")
    assert guarded.log_of(key)["expiration_date"] == "2222-01-01T00:00:00"


def test_a_date_with_a_zone_is_converted(guarded: GuardedApp) -> None:
    key = guarded.new()
    answer = guarded.renew(key, "2222-01-01T01:00:00+02:00")
    assert answer.json() == RENEWED + "2221-12-31T23:00:00"
    assert guarded.log_of(key)["expiration_date"] == "2221-12-31T23:00:00"
    assert guarded.accepts(key)


def test_renew_reactivates(guarded: GuardedApp) -> None:
    key = guarded.new_revoked()
    answer = guarded.renew(key, "2222-01-01")
    assert answer.json() == REACTIVATED + RENEWED + "2222-01-01T00:00:00"
    assert guarded.accepts(key)
    assert guarded.renew(key, "2222-01-02").json() == RENEWED + "2222-01-02T00:00:00"


def test_a_past_date_expires_the_key(guarded: GuardedApp) -> None:
    key = guarded.new()
    assert guarded.accepts(key)
    answer = guarded.renew(key, PAST_DATE)
    assert (answer.status_code, answer.json()) == (200, RENEWED + "2000-01-01T00:00:00")
    assert not guarded.accepts(key)
    # Expired is not revoked.
    assert guarded.log_of(key)["is_active"] is True


def test_an_expired_key_can_be_renewed(guarded: GuardedApp) -> None:
    key = guarded.new_expired()
    assert not guarded.accepts(key)
    assert guarded.renew(key).json().startswith(RENEWED)
    assert guarded.accepts(key)


def test_never_expire_survives_a_renewal(guarded: GuardedApp) -> None:
    key = guarded.new(never_expires=True)
    guarded.renew(key, PAST_DATE)
    row = guarded.log_of(key)
    assert row["never_expire"] is True
    assert row["expiration_date"] == "2000-01-01T00:00:00"
    assert guarded.accepts(key)


@pytest.mark.parametrize("date", ["2222-22-22", "tomorrow"])
def test_an_unreadable_date(guarded: GuardedApp, date: str) -> None:
    key = guarded.new_revoked()
    before = guarded.logs()
    answer = guarded.renew(key, date)
    assert answer.status_code == 422
    [error] = answer.json()["detail"]
    assert error["loc"] == ["query", "expiration-date"]
    assert error["msg"]
    assert error["type"]
    assert guarded.logs() == before


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/auth/new", 200),
        ("/auth/logs", 200),
        ("/auth/revoke?api-key=" + UNKNOWN_ID, 404),
        ("/auth/renew?api-key=" + UNKNOWN_ID, 404),
    ],
)
def test_admin_answers_are_not_stored(guarded: GuardedApp, path: str, status: int) -> None:
    answer = guarded.client.get(path, headers={"secret-key": guarded.secret})
    assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store")


def test_successful_changes_are_not_stored(guarded: GuardedApp) -> None:
    key = guarded.new()
    for answer in (guarded.renew(key), guarded.renew(key, "2222-01-01"), guarded.revoke(key)):
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("headers", [{}, {"secret-key": "wrong"}])
@pytest.mark.parametrize("path", ADMIN_PATHS)
def test_refusals_are_not_stored(guarded: GuardedApp, path: str, headers: dict[str, str]) -> None:
    answer = guarded.client.get(path, headers=headers)
    assert (answer.status_code, answer.headers["cache-control"]) == (403, "no-store")


def test_answers_of_other_routes_keep_their_headers(guarded: GuardedApp) -> None:
    assert "cache-control" not in guarded.client.get("/unsecured").headers
    assert "cache-control" not in guarded.use(guarded.new()).headers


def utc_now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
