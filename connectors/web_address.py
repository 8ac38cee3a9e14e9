"""Which addresses may be read: public ones. The machine's own network is nobody else's to look into through us.

A name is resolved once, every address it has is checked, and the connection goes to a checked address and to no other:
a name that answers differently the second time (DNS rebinding) gains nothing.

Source: RFC 6890 (special-purpose addresses), RFC 6052 and 3056 (IPv4 inside IPv6).
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable

import httpx

from connectors.base import RefusedError, TryLaterError

PORTS = frozenset({80, 443, 8080, 8443})
URL_MAX = 2_000

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Name and port → its addresses; raises OSError when there are none."""

_HOST = re.compile(rb"[A-Za-z0-9._:-]{1,253}")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


async def look_up(name: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in found))


def public(address: str, *, loopback: bool = False) -> bool:
    """Tell whether an address belongs to the open internet (or, for tests, to this machine alone)."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _inner(found)
    if loopback and found.is_loopback:
        return True
    return all(each.is_global and not each.is_multicast and not each.is_reserved for each in inner)


def _inner(
    found: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The address itself, or the IPv4 address it leads to through a gateway."""
    if isinstance(found, ipaddress.IPv4Address):
        return [found]
    if found in _NAT64:
        return [ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)]
    led = found.ipv4_mapped or found.sixtofour
    if led is not None:
        return [led]
    return [found, *(found.teredo or ())]


def url_of(text: str, *, loopback: bool = False) -> httpx.URL:
    """Return an address to read, if its form allows it.

    Raises:
        RefusedError: Another scheme or port, a password inside, or no address at all.
    """
    try:
        url = httpx.URL(text.strip())
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError):
        raise RefusedError("This is not a web address that can be read.") from None
    if len(text) > URL_MAX or url.scheme not in {"http", "https"} or not _HOST.fullmatch(url.raw_host):
        raise RefusedError("Only web addresses that begin with https:// or http:// can be read.")
    if url.userinfo:
        raise RefusedError("This address holds a login, so it was not read. Leave out what stands before the @.")
    if not loopback and (url.port or 443) not in PORTS:
        raise RefusedError(f"Port {url.port} is no port of a web page, so it was not read.")
    return url


async def checked(url: httpx.URL, resolve: Resolve, *, loopback: bool = False) -> str:
    """Return the one address to connect to.

    Raises:
        RefusedError: The name leads into a private network, even in part.
        TryLaterError: The name is not known now.
    """
    host = url.raw_host.decode("ascii")
    try:
        found = await resolve(host, url.port or (443 if url.scheme == "https" else 80))
    except (OSError, UnicodeError):
        raise TryLaterError(f"{url.host} is not known to the name server. Check the spelling.") from None
    if not found:
        raise TryLaterError(f"{url.host} has no address.")
    if not all(public(each, loopback=loopback) for each in found):
        raise RefusedError(f"{url.host} lies in a private network, so it was not read.")
    return found[0]
