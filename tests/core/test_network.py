"""Tests of the probe for a network. All connections are on the loopback."""

import socket
import time

import pytest

from jaxgan.core import network


@pytest.fixture
def server(monkeypatch):
    """A listening port on the loopback, without proxies in the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def closed(server):
    """A port on the loopback that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    return port


def test_one_reachable_host_is_enough(server, closed):
    assert network.why_unreachable([f"http://127.0.0.1:{server}/a"]) == ""
    assert network.why_unreachable([f"http://127.0.0.1:{closed}/a", f"http://127.0.0.1:{server}/b"]) == ""
    assert network.why_unreachable([]) == ""


def test_a_refused_connection_and_an_unknown_name_are_reported(closed, monkeypatch):
    assert network.why_unreachable([f"http://127.0.0.1:{closed}/a"]) == "127.0.0.1: Connection refused"

    def fail(*address, **_):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", fail)
    assert network.why_unreachable(["https://data.example/a"]) == "data.example: Name or service not known"


def test_a_host_that_does_not_answer_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr(network, "SECONDS", 0.2)
    monkeypatch.setattr(socket, "create_connection", lambda *_: time.sleep(2))
    start = time.perf_counter()
    assert network.why_unreachable(["https://data.example/a"]) == "no answer within 0.2 seconds"
    assert time.perf_counter() - start < 1.5


def test_the_proxy_is_probed_in_place_of_the_hosts_behind_it(server, monkeypatch):
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server}")
    assert network.why_unreachable(["https://data.example/a"]) == ""
    monkeypatch.setenv("no_proxy", "data.example")
    assert network._server("https://data.example/a") == ("data.example", 443)
    assert network._server("ftp://data.example/a") == ("data.example", 21)
