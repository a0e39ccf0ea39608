"""Tests HTTPS: a certificate that is made here or brought, its cookie, and names that a server goes by."""

from __future__ import annotations

import hashlib
import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509

from paddock.app import running
from paddock.config import load
from paddock.errors import SettingInvalid
from paddock.paths import Home
from paddock.store.certificates import fingerprint, self_signed
from tests.wire.rig import engine_program, scripted_studio
from tests.wire.test_accounts import PASSWORD, SESSION, enrolled

pytestmark = pytest.mark.anyio
SOURCES = Path(__file__).resolve().parents[2] / "src"


def trusting(home: Home) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=home.certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def test_paddock_speaks_https_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="admin")
    asked: dict[str, Any] = {"tls_cert": "self-signed", "require_login": True, "server_names": "studio.example"}
    async with scripted_studio(tmp_path, warm=False, **asked) as rig:
        assert rig.studio.url.startswith("https://127.0.0.1:")
        home = Home(root=tmp_path / "home")
        async with httpx.AsyncClient(base_url=rig.studio.url, verify=trusting(home)) as http:
            assert (await http.get("/health")).status_code == 200
            assert (await http.get("/health", headers={"host": "studio.example"})).status_code == 200
            assert (await http.get("/health", headers={"host": "evil.example"})).status_code == 403
            page = {"sec-fetch-site": "same-origin", "origin": rig.studio.url}
            told = await http.post(SESSION, json={"name": "anna", "password": PASSWORD}, headers=page)
            assert "; secure" in told.headers["set-cookie"].lower()
        pem = home.certificate.read_text("ascii")
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
        assert fingerprint(home) == ":".join(digest[place : place + 2] for place in range(0, 64, 2))
        assert home.certificate.with_suffix(".key").stat().st_mode & 0o077 == 0


def test_a_certificate_is_kept_while_its_names_are_right(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    assert fingerprint(home) is None
    self_signed(home, ["127.0.0.1"])
    first = fingerprint(home)
    self_signed(home, ["127.0.0.1"])
    assert fingerprint(home) == first
    self_signed(home, ["127.0.0.1", "studio.example"])
    assert fingerprint(home) != first


def test_a_certificate_whose_key_was_made_anew_by_a_paddock_that_was_killed_is_made_anew_too(tmp_path: Path) -> None:
    home, other = Home(root=tmp_path), Home(root=tmp_path / "other")
    cert, key = self_signed(home, ["127.0.0.1"])
    other.ensure()
    _, another = self_signed(other, ["127.0.0.1"])
    another.replace(key)
    self_signed(home, ["127.0.0.1"])
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_certificate_that_cannot_be_used_is_told_before_anything_is_served(
    tmp_path: Path, content: str | None
) -> None:
    cert = tmp_path / "cert.pem"
    if content is not None:
        cert.write_text(content)
    settings = load({"port": 0, "tls_cert": str(cert)}, environ={"PADDOCK_HOME": str(tmp_path / "home")})
    with pytest.raises(SettingInvalid, match="tls_cert"):
        async with running(settings, engine_program=engine_program(tmp_path)):
            pass


@pytest.mark.parametrize("ahead_s", [366 * 86400, -20 * 366 * 86400], ids=["ahead", "back"])
def test_a_certificate_that_was_made_by_a_wrong_clock_is_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, ahead_s: int
) -> None:
    home = Home(root=tmp_path)
    path = Path(__file__).resolve().parents[1] / "fakes" / "wrong_clock"
    code = "from paddock.paths import Home; from paddock.store.certificates import self_signed; "
    code += f"self_signed(Home(root=__import__('pathlib').Path({str(tmp_path)!r})), ['127.0.0.1'])"
    environ = {**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{SOURCES}", "CLOCK_AHEAD_S": str(ahead_s)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environ)
    wrong = fingerprint(home)
    cert, _ = self_signed(home, ["127.0.0.1"])
    assert fingerprint(home) != wrong
    assert "made anew" in caplog.text
    found = x509.load_pem_x509_certificate(cert.read_bytes())
    assert found.not_valid_before_utc <= datetime.now(UTC) <= found.not_valid_after_utc
