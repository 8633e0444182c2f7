"""The owner of a key: what the app, the routes of 1.x and the documentation make of it.

The resource API is in the steps that every adapter shares, `tests/vectors/admin.json`.
"""

from typing import Annotated, Any

import pytest
from fastapi import Depends
from guarded_app import ADMIN_SECRET, GuardedApp

from fastapi_simple_security import ApiKey


@pytest.fixture
def owned(guarded: GuardedApp) -> GuardedApp:
    guarded.app.include_router(guarded.security.admin_router, prefix="/auth")

    @guarded.app.get("/owner")
    async def owner(key: Annotated[ApiKey, Depends(guarded.security)]) -> str:
        return key.owner

    return guarded


def ask(owned: GuardedApp, method: str, path: str, **arguments: Any) -> Any:
    answer = owned.client.request(
        method, f"/auth{path}", headers={"secret-key": ADMIN_SECRET}, **arguments
    )
    told = answer.json()
    if isinstance(told, dict) and told.get("key"):
        owned.canaries.add(told["key"])
    return told


def owner_of(owned: GuardedApp, key: str) -> str:
    answer = owned.client.get("/owner", headers={"api-key": key})
    assert answer.status_code == 200
    return str(answer.json())


def test_the_app_learns_the_owner(owned: GuardedApp) -> None:
    for owner in ("acme", "", "<b>Ünï</b> 🔑", "é" * 200):
        made = ask(owned, "POST", "/keys", json={"owner": owner})
        assert (made["owner"], owner_of(owned, made["key"])) == (owner, owner)
    made = ask(owned, "POST", "/keys", json={"owner": "acme"})
    for owner in ("globex", None):
        ask(owned, "PATCH", f"/keys/{made['id']}", json={"owner": owner})
        assert owner_of(owned, made["key"]) == (owner or "")


def test_the_routes_of_1_x_know_no_owner(owned: GuardedApp) -> None:
    key = owned.new("shop")
    assert owner_of(owned, key) == ""
    made = ask(owned, "POST", "/keys", json={"owner": "acme"})
    assert all("owner" not in log for log in owned.logs())
    owned.renew(made["key"])
    assert owner_of(owned, made["key"]) == "acme"


def test_what_is_wrong_is_said_of_the_owner(owned: GuardedApp) -> None:
    for owner in ("é" * 201, "a\n", "a\u202e"):
        for told in (
            ask(owned, "POST", "/keys", json={"owner": owner}),
            ask(owned, "GET", "/keys", params={"owner": owner}),
        ):
            assert (told["status"], told["code"]) == (422, "invalid")
            assert told["detail"].startswith("owner: "), told
    assert ask(owned, "GET", "/keys") == {"keys": [], "next": None}
