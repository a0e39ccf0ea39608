"""Owns the errors about who asks: who is not let in, and who may not do what; `errors/__init__.py` draws their tree."""

from __future__ import annotations

from paddock.errors.base import PaddockError, shown


class PageForbidden(PaddockError):
    """The Host or Origin header is not one of this server's own."""


class KeyRefused(PaddockError):
    """A key or a sign-in is asked for here, and none came, or one that is unknown, expired or revoked."""


class SignInRefused(KeyRefused):
    """No account has that name and password, or it is disabled. Which of these is not told."""

    def __init__(self) -> None:
        super().__init__("This name and password let nobody in. An admin can make a link to choose a new password.")


class LinkSpent(PaddockError):
    """The link by which a password is chosen is unknown, older than an hour, or was used."""

    def __init__(self) -> None:
        super().__init__(
            "This link is unknown, too old, or was used already. Ask an admin for a new one, or type "
            "`paddock users link NAME` at the machine of paddock."
        )


class NotPermitted(PaddockError):
    """Whoever asked is let in, but may not do that. `deed` is what, `how` it is done by those who may."""

    def __init__(self, deed: str, how: str) -> None:
        super().__init__(f"{deed} is not open to you. {how}")


class TooBusy(PaddockError):
    """More work is waiting than is accepted. `retry_after_s` says when to ask again."""

    def __init__(self, message: str, *, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QuotaSpent(TooBusy):
    """A key has asked as often, or used as many tokens, as it may for now."""


class TriesSpent(TooBusy):
    """Too many wrong passwords came for this name, or from this address."""


class KeyUnknown(PaddockError):
    """No key has that id."""


class AccountUnknown(PaddockError):
    """No account has that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no account {shown(name)}. `paddock users list` shows them.")
