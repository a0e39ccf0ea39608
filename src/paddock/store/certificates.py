"""Owns the certificate that paddock makes for itself, for HTTPS without an authority; trusts and serves nothing."""

from __future__ import annotations

import ipaddress
import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import HomeUnusable
from paddock.paths import Home, draft_of, write_whole

if TYPE_CHECKING:
    from cryptography import x509

_log = logging.getLogger(__name__)
SELF_SIGNED = "self-signed"
# Browsers refuse those that hold for longer.
_DAYS = 397
_RENEWED_DAYS = 30


def self_signed(home: Home, names: Sequence[str]) -> tuple[Path, Path]:
    """The certificate and its key for these names and loopback, made anew where they do not fit or end soon.

    Raises HomeUnusable.
    """
    cert, key = home.certificate, home.certificate_key
    wanted = list(dict.fromkeys([*names, "localhost", "127.0.0.1", "::1"]))
    try:
        if not (key.exists() and _is_good(cert, key, wanted)):
            was_there = cert.exists()
            _make(cert, key, wanted)
            if was_there:
                _log.warning(
                    "the certificate was made anew, so browsers ask again: "
                    "the old one does not hold now, or not for these names"
                )
    except (OSError, ValueError) as error:
        raise HomeUnusable(f"The certificate {cert.name} cannot be made ({error}). Remove it and its key.") from error
    return cert, key


def fingerprint(home: Home) -> str | None:
    """The SHA-256 fingerprint of the certificate, as browsers show it; None where there is none."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    if not home.certificate.exists():
        return None
    return x509.load_pem_x509_certificate(home.certificate.read_bytes()).fingerprint(hashes.SHA256()).hex(":").upper()


def _is_good(cert: Path, key: Path, wanted: Sequence[str]) -> bool:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if not cert.exists():
        return False
    found = x509.load_pem_x509_certificate(cert.read_bytes())
    # A paddock may have been killed between the two.
    if found.public_key() != load_pem_private_key(key.read_bytes(), None).public_key():
        return False
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    now = datetime.now(UTC)
    # One that was made while the clock was wrong may hold from some day to come.
    holds = found.not_valid_before_utc <= now and found.not_valid_after_utc > now + timedelta(days=_RENEWED_DAYS)
    return holds and {_name(one) for one in wanted} <= set(names)


def _make(cert: Path, key: Path, wanted: Sequence[str]) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "paddock")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([_name(one) for one in wanted]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    data = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    draft = draft_of(key)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(data)
    draft.replace(key)
    write_whole(cert, made.public_bytes(serialization.Encoding.PEM).decode("ascii"))


def _name(text: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
