"""Who may ask: the one place that every request passes, whatever it asks for.

Owns the hosts a client may name (against DNS rebinding), which pages may change anything, the tokens, and
whether HTTP is read-only. A route is guarded in each respect unless its declaration says otherwise.
"""

import hmac
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..config import Address, Settings, UnixAddress
from ..errors import ConfigError
from .declared import Route
from .exchange import Exchange
from .problems import Problem

__all__ = ["Safety", "read_tokens"]

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ANY = ("0.0.0.0", "::", "")
_LEAST = 16
_FOREIGN = (b"cross-site", b"same-site")


class Safety:
    """settings: as they are now. tokens: one of them has to be shown; none is asked for if it is empty."""

    def __init__(self, settings: Callable[[], Settings], tokens: Sequence[bytes]) -> None:
        self.tokens = tokens
        self._settings = settings

    def check(self, route: Route | None, exchange: Exchange) -> None:
        """Raises `Problem`. route: None if there is none, and what is not there is guarded, too."""
        settings = self._settings()
        if route is None or route.hosts:
            self._check_host(settings, exchange)
        if self.tokens and (route is None or route.token):
            self._check_token(exchange)
        if route is None or route.changes:
            self._check_origin(settings, exchange)
            if settings.http_read_only and route is not None:
                raise Problem(403, "http_read_only is true: nothing is changed over HTTP")

    def _check_host(self, settings: Settings, exchange: Exchange) -> None:
        told = exchange.headers.get(b"host", b"").decode("latin-1").lower()
        if not told:
            raise Problem(400, "expected a header Host")
        host = _without_port(told)
        if host not in (settings.http_hosts or _hosts(settings.http_addresses)):
            raise Problem(421, f"the host {told!r} is none of http_hosts")

    def _check_token(self, exchange: Exchange) -> None:
        scheme, _, shown = exchange.headers.get(b"authorization", b"").partition(b" ")
        # All are compared, so that the time it takes tells nothing.
        fits = [hmac.compare_digest(shown.strip(), token) for token in self.tokens]
        bearer = scheme.lower() == b"bearer" and bool(shown.strip())
        if not (bearer and any(fits)):
            missing = "a token is needed: Authorization: Bearer TOKEN"
            why = "the server does not know this token" if bearer else missing
            raise Problem(401, why, ((b"www-authenticate", b"Bearer"),))

    def _check_origin(self, settings: Settings, exchange: Exchange) -> None:
        headers = exchange.headers
        origin = headers.get(b"origin")
        if origin is not None:
            text = origin.decode("latin-1").lower()
            _, _, host = text.partition("://")
            if text in settings.http_origins:
                return
            if host and host == headers.get(b"host", b"").decode("latin-1").lower():
                return
            raise Problem(403, f"the origin {text!r} is none of http_origins")
        if headers.get(b"sec-fetch-site") in _FOREIGN:
            raise Problem(403, "a page from elsewhere may not ask for this")


def read_tokens(path: Path | None) -> tuple[bytes, ...]:
    """Raises `ConfigError` for a file that cannot be read or used."""
    if path is None:
        return ()
    try:
        lines = [line.strip() for line in path.read_bytes().splitlines()]
    except OSError as error:
        raise ConfigError(f"http_token_file: {path}: cannot be read: {error.strerror}") from None
    tokens = tuple(line for line in lines if line and not line.startswith(b"#"))
    if not tokens:
        raise ConfigError(f"http_token_file: {path}: expected a token in a line of its own")
    for token in tokens:
        if len(token) < _LEAST or not all(0x21 <= byte <= 0x7E for byte in token):
            number = lines.index(token) + 1
            raise ConfigError(
                f"http_token_file: {path}:{number}: expected at least {_LEAST} letters, digits or "
                "signs without a blank"
            )
    return tokens


def _hosts(addresses: Iterable[Address | UnixAddress]) -> set[str]:
    bound = {each.host.lower() for each in addresses if isinstance(each, Address)} - set(_ANY)
    return {*_LOOPBACK, *(f"[{host}]" if ":" in host else host for host in bound)}


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isdigit() or not port) else host
