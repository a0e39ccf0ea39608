"""Tests people who sign in: the first one, passwords and links, what a session may, and whose chats are whose."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from paddock.api.keys import KeyList, NewKey
from paddock.api.session import LinkFor, Places, Who
from paddock.api.users import AuditPage, User, UserLink, UserList, UserRemoved
from paddock.paths import Home
from paddock.store.accounts import Accounts
from paddock.store.audit import Audit
from paddock.store.db import Database
from tests.fakes.gguf_files import MODEL, gguf
from tests.wire.chatting import CHATS
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Rig, scripted_studio

pytestmark = pytest.mark.anyio
SESSION, LINK, USERS = "/api/session", "/api/session/link", "/api/users"
PASSWORD = "correct horse battery"
Json = dict[str, Any]


def home_in(folder: Path) -> tuple[Database, Home]:
    home = Home(root=folder / "home")
    home.ensure()
    return Database("", home), home


async def enrolled(folder: Path, **roles: Any) -> None:
    """Accounts of these names and roles, all with the one password."""
    database, home = home_in(folder)
    accounts = Accounts(database, home)

    def work() -> None:
        for name, role in roles.items():
            accounts.create(name, role)
            accounts.set_password(name, PASSWORD)

    await anyio.to_thread.run_sync(work)
    await database.close()


@asynccontextmanager
async def page_of(rig: Rig, name: str | None = None) -> AsyncGenerator[httpx.AsyncClient]:
    """A browser on paddock's page, signed in: it keeps cookies, and says where its requests come from."""
    headers = {"sec-fetch-site": "same-origin", "origin": rig.studio.url}
    async with httpx.AsyncClient(base_url=rig.studio.url, headers=headers, timeout=HANG_GUARD_S) as http:
        if name is not None:
            answer = await http.post(SESSION, json={"name": name, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
        yield http


async def test_the_first_admin_comes_in_by_the_link_of_the_terminal_once(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig, page_of(rig) as http:
        assert rig.studio.link is not None
        token = rig.studio.link.rpartition("#")[2]
        assert (await http.get(CHATS)).status_code == 401
        whose = await http.post(LINK, json={"token": token})
        assert LinkFor.model_validate(whose.json()).name == "admin"
        weak = await http.post(LINK, json={"token": token, "password": "password12"})
        assert (weak.status_code, "password12" in weak.text) == (400, False)
        assert (await http.post(LINK, json={"token": token, "password": PASSWORD})).status_code == 200
        who = Who.model_validate((await http.get(SESSION)).json())
        assert (who.account, who.role, who.asks, "manage" in who.rights) == ("admin", "admin", True, True)
        assert (await http.get(CHATS)).status_code == 200
        again = await http.post(LINK, json={"token": token, "password": PASSWORD})
        assert (again.status_code, again.json()["error"]["code"]) == (410, "link_spent")
    # There is somebody who can sign in now: no more link is printed.
    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig:
        assert rig.studio.link is None


@pytest.mark.parametrize("is_key_required", [False, True])
async def test_the_first_link_is_printed_wherever_people_are_to_sign_in(tmp_path: Path, is_key_required: bool) -> None:
    asked: Json = {"require_login": True, "require_key": is_key_required}
    async with scripted_studio(tmp_path, warm=False, **asked) as rig, page_of(rig) as http:
        assert rig.studio.link is not None
        token = rig.studio.link.rpartition("#")[2]
        assert (await http.post(LINK, json={"token": token, "password": PASSWORD})).status_code == 200
        assert (await http.get(USERS)).status_code == 200


@pytest.mark.attack("pages of elsewhere")
async def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="admin")
    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig, page_of(rig) as http:
        answer = await http.post(SESSION, json={"name": "Anna", "password": PASSWORD})
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "path=/" in cookie
        assert answer.headers["cache-control"] == "no-store"
        text = http.cookies["paddock-session"]
        assert text not in answer.text
        database = (tmp_path / "home" / "paddock.db").read_bytes()
        wal = tmp_path / "home" / "paddock.db-wal"
        assert text.encode() not in database + (wal.read_bytes() if wal.exists() else b"")
        assert PASSWORD.encode() not in database
        out = await http.delete(SESSION)
        assert Who.model_validate(out.json()).account is None
        assert (await http.get(CHATS, headers={"cookie": f"paddock-session={text}"})).status_code == 401


@pytest.mark.attack("pages of elsewhere")
@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("GET", {"sec-fetch-site": "none"}, 200),
        ("GET", {"sec-fetch-site": "same-site"}, 403),
        ("GET", {"sec-fetch-site": "cross-site"}, 403),
        ("POST", {}, 401),
        ("POST", {"sec-fetch-site": "none"}, 401),
        ("POST", {"sec-fetch-site": "same-site"}, 403),
        ("POST", {"origin": "http://127.0.0.1:1"}, 403),
        ("POST", {"origin": "null"}, 403),
        ("POST", {"origin": "https://app.example"}, 401),
        ("POST", {"sec-fetch-site": "same-origin"}, 201),
        ("DELETE", {}, 401),
    ],
)
async def test_a_session_counts_for_paddocks_own_page_alone(
    tmp_path: Path, method: str, headers: dict[str, str], status: int
) -> None:
    await enrolled(tmp_path, anna="admin")
    asked: Json = {"require_login": True, "allowed_origins": "https://app.example"}
    async with scripted_studio(tmp_path, warm=False, **asked) as rig:
        async with page_of(rig, "anna") as page:
            cookie = f"paddock-session={page.cookies['paddock-session']}"
        path = f"{CHATS}/nothing-1" if method == "DELETE" else CHATS
        body = b"{}" if method == "POST" else None
        answer = await rig.http.request(method, path, headers={"cookie": cookie, **headers}, content=body)
        assert answer.status_code == status, answer.text


async def test_who_signs_in_where_nobody_need_is_who_he_is_through_a_proxy_too(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="admin", ben="user")
    async with scripted_studio(tmp_path, warm=False) as rig, page_of(rig) as http, page_of(rig) as bens:
        http.headers["x-forwarded-for"] = bens.headers["x-forwarded-for"] = "203.0.113.7"
        stranger = await http.get(USERS)
        assert (stranger.status_code, "an admin who is signed in" in stranger.text) == (403, True)
        promised = Who.model_validate((await http.post(SESSION, json={"name": "anna", "password": PASSWORD})).json())
        who = Who.model_validate((await http.get(SESSION)).json())
        assert (who.account, who.role, who.rights, who.asks) == ("anna", "admin", promised.rights, False)
        assert (await http.get(USERS)).status_code == 200
        assert (await http.post("/api/keys", json={"name": "k"})).status_code == 201
        # A page of elsewhere does not act by it.
        elsewhere = {"cookie": f"paddock-session={http.cookies['paddock-session']}", "x-forwarded-for": "203.0.113.7"}
        assert (await rig.http.post("/api/keys", json={"name": "k"}, headers=elsewhere)).status_code == 403
        assert (await bens.post(SESSION, json={"name": "ben", "password": PASSWORD})).status_code == 200
        assert (await bens.get(USERS)).status_code == 403
        out = Who.model_validate((await http.delete(SESSION)).json())
        assert out == Who.model_validate((await http.get(SESSION)).json())
        assert (await http.get(USERS)).status_code == 403


@pytest.mark.attack("brute force")
async def test_a_wrong_password_an_unknown_name_and_a_disabled_account_look_alike(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="admin", ben="user")
    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig, page_of(rig, "anna") as anna:
        disabled = await anna.patch(f"{USERS}/ben", json={"disabled": True})
        assert User.model_validate(disabled.json()).disabled
        async with page_of(rig) as http:
            answers = [
                await http.post(SESSION, json={"name": "anna", "password": "wrong horse battery"}),
                await http.post(SESSION, json={"name": "nobody", "password": PASSWORD}),
                await http.post(SESSION, json={"name": "ben", "password": PASSWORD}),
            ]
        said = {answer.json()["error"]["message"] for answer in answers}
        assert [answer.status_code for answer in answers] == [401] * 3
        assert len(said) == 1
        assert all("set-cookie" not in answer.headers for answer in answers)


@pytest.mark.attack("brute force")
async def test_passwords_are_not_guessed_and_nobody_is_locked_out_by_strangers(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="admin")
    asked: Json = {"require_login": True, "trusted_proxies": "127.0.0.1"}
    async with scripted_studio(tmp_path, warm=False, **asked) as rig, page_of(rig) as http:

        async def tried(password: str, address: str) -> httpx.Response:
            said = {"x-forwarded-for": address, "x-forwarded-proto": "http"}
            return await http.post(SESSION, json={"name": "anna", "password": password}, headers=said)

        told = [(await tried(f"wrong horse {number}", "203.0.113.7")).status_code for number in range(6)]
        assert told == [401] * 5 + [429]
        waits = await tried(PASSWORD, "203.0.113.7")
        assert (waits.status_code, waits.json()["error"]["code"]) == (429, "tries_spent")
        assert 0 < int(waits.headers["retry-after"]) <= 15
        assert (await tried(PASSWORD, "198.51.100.4")).status_code == 200
        deeds = [one.deed for one in await noted(tmp_path)]
        assert deeds.count("sign-in refused") == 5


async def noted(folder: Path) -> list[Any]:
    database, _ = home_in(folder)
    found = await anyio.to_thread.run_sync(lambda: Audit(database).latest(limit=100))
    await database.close()
    return found


async def test_an_admin_makes_changes_and_removes_accounts_and_it_is_written_down(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="admin")
    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig, page_of(rig, "anna") as anna:
        made = await anna.post(USERS, json={"name": "Ben"})
        assert made.status_code == 201
        ben = UserLink.model_validate(made.json())
        assert (ben.name, ben.role, ben.has_password) == ("ben", "user", False)
        token = ben.link.rpartition("#")[2]
        renewed = UserLink.model_validate((await anna.post(f"{USERS}/ben/link")).json())
        async with page_of(rig) as page:
            # The newest link alone is good.
            assert (await page.post(LINK, json={"token": token})).status_code == 410
            token = renewed.link.rpartition("#")[2]
            assert (await page.post(LINK, json={"token": token, "password": PASSWORD})).status_code == 200
            assert (await page.get(USERS)).status_code == 403
            assert (await page.get("/api/settings")).status_code == 403
            assert (await page.post(CHAT, json={"messages": [USER]})).status_code == 200
            assert (await anna.patch(f"{USERS}/ben", json={"role": "admin"})).json()["role"] == "admin"
            with anyio.fail_after(HANG_GUARD_S):
                while (await page.get(USERS)).status_code != 200:
                    await anyio.sleep(0.1)
            UserList.model_validate((await page.get(USERS)).json())
            gone = await anna.delete(f"{USERS}/ben")
            assert UserRemoved.model_validate(gone.json()).deleted
            with anyio.fail_after(HANG_GUARD_S):
                while (await page.get(USERS)).status_code != 401:
                    await anyio.sleep(0.1)
        last = await anna.delete(f"{USERS}/anna")
        assert (last.status_code, "last admin" in last.text) == (409, True)
        assert (await anna.post(USERS, json={"name": "a/../b"})).status_code == 400
        assert (await anna.post(USERS, json={"name": "anna"})).status_code == 409
        assert (await anna.patch(f"{USERS}/nobody", json={"role": "user"})).status_code == 404
        page_one = AuditPage.model_validate((await anna.get("/api/audit?limit=3")).json())
        assert [entry.deed for entry in page_one.data] == ["account removed", "account changed", "signed in"]
        assert (page_one.has_more, page_one.data[0].who, page_one.data[0].address) == (True, "anna", "127.0.0.1")
        before = page_one.data[-1].id
        older = AuditPage.model_validate((await anna.get(f"/api/audit?before={before}")).json())
        assert all(entry.id < before for entry in older.data)


async def test_what_holds_for_everybody_is_written_down_when_it_is_changed(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="admin")
    models = tmp_path / "home" / "models"
    models.mkdir(parents=True, exist_ok=True)
    (models / "other.gguf").write_bytes(gguf(MODEL))
    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig, page_of(rig, "anna") as anna:
        for method, path, body in (
            ("PUT", "/api/models/other/settings", {"temperature": 0.5}),
            ("PUT", "/api/aliases/gpt-x", {"model": "other"}),
            ("DELETE", "/api/aliases/gpt-x", None),
            ("DELETE", "/api/models/other", None),
            ("DELETE", "/api/requests", None),
        ):
            assert (await anna.request(method, path, json=body)).status_code == 200, path
        entries = AuditPage.model_validate((await anna.get("/api/audit?limit=5")).json()).data
    assert [(entry.who, entry.deed, entry.about) for entry in reversed(entries)] == [
        ("anna", "model's settings changed", "other: temperature"),
        ("anna", "other name given", "gpt-x for other"),
        ("anna", "other name taken away", "gpt-x"),
        ("anna", "model removed", "other"),
        ("anna", "recordings removed", "0"),
    ]


async def test_a_password_is_changed_by_who_knows_it_and_other_places_are_signed_out(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="admin")
    async with (
        scripted_studio(tmp_path, warm=False, require_login=True) as rig,
        page_of(rig, "anna") as here,
        page_of(rig, "anna") as there,
    ):
        places = Places.model_validate((await here.get(f"{SESSION}/places")).json()).data
        assert [place.is_this for place in places] == [False, True]
        assert places[0].address == "127.0.0.1"
        wrong = await here.put(f"{SESSION}/password", json={"password": "wrong horse battery", "new": "x" * 12})
        assert wrong.status_code == 401
        new = "another horse entirely"
        changed = await here.put(f"{SESSION}/password", json={"password": PASSWORD, "new": new})
        assert changed.status_code == 200
        assert (await here.get(CHATS)).status_code == 200
        with anyio.fail_after(HANG_GUARD_S):
            while (await there.get(CHATS)).status_code != 401:
                await anyio.sleep(0.1)
        assert (await there.post(SESSION, json={"name": "anna", "password": new})).status_code == 200
        elsewhere = next(
            one["id"] for one in (await here.get(f"{SESSION}/places")).json()["data"] if not one["is_this"]
        )
        left = Places.model_validate((await here.delete(f"{SESSION}/places/{elsewhere}")).json()).data
        assert [place.is_this for place in left] == [True]


async def test_the_keys_of_an_account_are_its_own_and_may_no_more_than_it(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="admin", ben="user")
    async with (
        scripted_studio(tmp_path, warm=False, require_login=True) as rig,
        page_of(rig, "anna") as anna,
        page_of(rig, "ben") as ben,
    ):
        mine = NewKey.model_validate((await ben.post("/api/keys", json={"may": ["ask", "chats"]})).json())
        for beyond in ({"may": ["manage"]}, {"may": ["delete"]}, {"record": True}):
            assert (await ben.post("/api/keys", json=beyond)).status_code == 403
        hers = NewKey.model_validate((await anna.post("/api/keys", json={"may": ["manage", "ask"]})).json())
        assert [key.id for key in KeyList.model_validate((await ben.get("/api/keys")).json()).data] == [mine.id]
        assert {key.id for key in KeyList.model_validate((await anna.get("/api/keys")).json()).data} == {
            mine.id,
            hers.id,
        }
        assert (await ben.delete(f"/api/keys/{hers.id}")).status_code == 404
        shown = {"authorization": f"Bearer {mine.key}"}
        assert (await rig.post({"messages": [USER]}, CHAT, shown)).status_code == 200
        chat = (await ben.post(CHATS, json={"title": "of Ben"})).json()["id"]
        assert (await rig.http.get(f"{CHATS}/{chat}", headers=shown)).status_code == 200
        # Whoever is shut out is shut out with every key.
        await anna.patch(f"{USERS}/ben", json={"disabled": True})
        with anyio.fail_after(HANG_GUARD_S):
            while (await rig.post({"messages": [USER]}, CHAT, shown)).status_code != 401:
                await anyio.sleep(0.1)


async def test_what_is_signed_in_is_told_as_it_is_described(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        who = Who.model_validate((await rig.http.get(SESSION)).json())
        assert (who.name, who.account, who.asks, "manage" in who.rights) == ("local", None, False, True)
        assert (await rig.http.get(f"{SESSION}/places")).status_code == 403
        refused = await rig.http.post(SESSION, json={"name": "anna", "password": PASSWORD, "more": 1})
        assert refused.status_code == 422
        described = (await rig.http.get("/openapi.json")).json()
        assert "/api/users/{name}/link" in described["paths"]
        assert json.dumps(described).count("Whose password a link is for") == 1


async def test_signing_out_where_nobody_is_asked_leaves_whoever_sits_there(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig, page_of(rig) as http:
        before = (await http.get(SESSION)).json()
        assert (before["name"], before["asks"]) == ("local", False)
        assert (await http.delete(SESSION)).json() == before
