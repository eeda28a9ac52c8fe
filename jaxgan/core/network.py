"""Find out quickly whether the hosts of a download can be reached, before a library retries for minutes."""

import concurrent.futures
import socket
import urllib.request
from collections.abc import Iterable
from urllib.parse import urlsplit

SECONDS = 6.0  # time to wait for a host: enough for three attempts of TCP, the last of them after 3 seconds


def why_unreachable(urls: Iterable[str]) -> str:
    """Return why no host of the addresses can be reached; "" if one can be reached, or if there are no addresses.

    A connection is opened and closed, and nothing is sent. If the environment names a proxy, the proxy is probed in
    place of the hosts behind it.

    Args:
      urls: the addresses of a download.
    """
    servers = {_server(url) for url in urls}
    if not servers:
        return ""
    pool = concurrent.futures.ThreadPoolExecutor(len(servers))
    probes = [pool.submit(_probe, *server) for server in sorted(servers)]
    pool.shutdown(wait=False)  # a look-up of a name cannot be stopped
    reasons = []
    try:
        for probe in concurrent.futures.as_completed(probes, SECONDS):
            reason = probe.result()
            if not reason:
                return ""
            reasons.append(reason)
    except TimeoutError:
        reasons.append(f"no answer within {SECONDS:g} seconds")
    return reasons[0]


def _server(url: str) -> tuple[str, int]:
    """Return the host and the port to connect to for an address: its own, or those of the proxy."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or {"https": 443, "ftp": 21}.get(parts.scheme, 80)


def _probe(host: str, port: int) -> str:
    """Return why a host cannot be reached; "" if it can."""
    try:
        socket.create_connection((host, port), SECONDS).close()
    except OSError as error:
        return f"{host}: {error.strerror or error}"
    return ""
