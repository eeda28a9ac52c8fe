"""Tests of the meeting of the processes of a run on several hosts, with threads in place of processes."""

import concurrent.futures
import re
import socket
import threading
import time

import pytest

from jaxgan import parallel
from jaxgan.core.rendezvous import check_place, meet, split_address

SAME = {"the setting z_dim": "1"}


@pytest.fixture
def address():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return f"localhost:{free.getsockname()[1]}"


def outcomes(*calls):
    """Call ``meet`` in threads with these arguments, and return the messages of their errors, or None."""

    def outcome(arguments):
        try:
            return meet(*arguments)
        except (ValueError, OSError) as error:
            return f"{type(error).__name__}: {error}"

    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(outcome, calls))


def test_processes_meet_in_any_order_and_release_the_port(address):
    for order in ((0, 1, 2), (2, 1, 0)):
        assert outcomes(*((address, 3, i, SAME, 10) for i in order)) == [None] * 3
    with socket.create_server(("", split_address(address)[1])):
        pass


def test_a_process_that_starts_later_is_awaited(address):
    thread = threading.Timer(1.0, meet, (address, 2, 0, SAME, 10))
    thread.start()
    meet(address, 2, 1, SAME, 10)
    thread.join()


def test_missing_processes_are_named_in_all_processes(address):
    start = time.monotonic()
    first, second = outcomes((address, 4, 0, SAME, 1), (address, 4, 2, SAME, 1))
    assert first == second
    assert "OSError: Processes 1, 3 of 4 did not connect within 1 s. Start the same command on all hosts" in first
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        (
            [(3, 0, SAME), (3, 1, SAME), (3, 1, SAME)],
            "Two processes have the index 1. Each process needs a `process_id`",
        ),
        ([(2, 0, SAME), (3, 1, SAME)], "`num_processes` is 2 in process 0 and 3 in process 1"),
        (
            [(2, 0, SAME), (2, 1, {"the setting z_dim": "2"})],
            "Process 1 and process 0 differ in the setting z_dim. Start",
        ),
        ([(2, 0, SAME), (2, 1, {})], "Process 1 and process 0 differ in the setting z_dim"),
    ],
)
def test_processes_that_do_not_belong_together_all_raise(calls, message, address):
    for found in outcomes(*((address, *call, 5) for call in calls)):
        assert f"ValueError: {message}" in str(found)


def test_an_unreachable_coordinator_is_reported(address):
    start = time.monotonic()
    (found,) = outcomes((address, 2, 1, SAME, 1))
    assert (
        f"OSError: Process 0 at `coordinator` {address} could not be reached within 1 s: Connection refused." in found
    )
    (found,) = outcomes(("nowhere.invalid:80", 2, 1, SAME, 1))
    assert "nowhere.invalid:80 could not be reached" in found
    assert time.monotonic() - start < 20


def test_a_port_in_use_and_other_programs_are_reported(address):
    port = split_address(address)[1]
    with socket.create_server(("", port)) as server:
        (found,) = outcomes((address, 2, 0, SAME, 1))
        assert f"OSError: Process 0 cannot listen on port {port} of `coordinator`: Address already in use." in found
        thread = threading.Thread(target=lambda: server.accept()[0].sendall(b"SSH-2.0-OpenSSH_9.2\r\n"))
        thread.start()
        (found,) = outcomes((address, 2, 1, SAME, 1))
        thread.join()
        assert f"The program at `coordinator` {address} did not answer like process 0 of this run" in found


def test_other_programs_that_connect_are_ignored(address):
    port = split_address(address)[1]

    def disturb():
        for content in (b"", b"GET / HTTP/1.1\r\n\r\n", b"[" * 100_000 + b"\n", b'{"process": "1"}\n'):
            with socket.create_connection(("localhost", port)) as connection:
                connection.sendall(content)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(meet, address, 2, 0, SAME, 10)
        time.sleep(0.3)
        disturb()
        meet(address, 2, 1, SAME, 10)
        assert first.result() is None


@pytest.mark.parametrize(
    "address", ["", "node", "node:", ":80", "node:0", "node:65536", "node:port", "no de:80", "node:80:"]
)
def test_invalid_addresses_raise(address):
    with pytest.raises(ValueError, match="`coordinator` must be host:port with a port between 1 and 65535"):
        split_address(address)


def test_addresses_have_a_host_and_a_port():
    assert split_address("node1:8476") == ("node1", 8476)
    assert split_address("[::1]:80") == ("::1", 80)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (("node1", 2, 0), "`coordinator` must be host:port"),
        (("node1:80", 0, 0), "`num_processes` must be at least 1, got 0."),
        (("node1:80", 2, 2), "`process_id` must be between 0 and 1, got 2."),
        ((None, None, -1), "`process_id` must be at least 0, got -1."),
    ],
)
def test_a_place_that_does_not_exist_is_refused_before_processes_meet(place, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parallel.initialize(*place)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (("node", 2, 0), "`coordinator` must be host:port"),
        ((None, 0, None), "`num_processes` must be at least 1, got 0"),
        ((None, 2, 2), "`process_id` must be between 0 and 1, got 2"),
        ((None, None, -1), "`process_id` must be at least 0, got -1"),
    ],
)
def test_places_out_of_range_raise(place, message):
    for valid in (("node:80", 2, 1), (None, None, 7), (None, None, None)):
        check_place(*valid)
    with pytest.raises(ValueError, match=message):
        check_place(*place)
