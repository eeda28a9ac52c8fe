"""Let the processes of a run on several hosts meet, before JAX connects them.

JAX waits five minutes for a missing process, and then aborts with a message of its C++ code. Process 0 therefore first
waits for the others on the port of the coordinator. It compares their number, their indices and their settings, and
tells all of them the result. A message is one line of JSON.
"""

import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Collection, Mapping
from typing import Any

from jaxgan.core.json_files import JsonError, parse_json

MEETING_SECONDS = 45.0  # time for which a process waits for the others
_RETRY_SECONDS = 0.5  # time between two attempts to connect
_MESSAGE_SECONDS = 5.0  # time for which process 0 waits for the message of a process that has connected
_MAX_MESSAGE = 2**16  # maximum size of a message in bytes
_FORM = {"process": int, "processes": int, "same": {str: str}}  # the message of a process to process 0
_ANSWER = {"problem": str, "is_missing": bool}  # the answer; the problem is empty if all processes have met


def split_address(address: str) -> tuple[str, int]:
    """Return the host and the port of an address such as ``node1:8476`` or ``[::1]:8476``.

    Args:
      address: the address.

    Raises:
      ValueError: if the address has no host or no port, or if the port is not between 1 and 65535.
    """
    found = re.fullmatch(r"\[?([^\s\[\]]+)\]?:([0-9]{1,5})", address)
    if found is None or not 1 <= int(found[2]) <= 65535:
        raise ValueError(
            f"`coordinator` must be host:port with a port between 1 and 65535, such as node1:8476, got {address!r}."
        )
    return found[1], int(found[2])


def check_place(address: str | None, processes: int | None, process: int | None) -> None:
    """Check the address of process 0, the number of processes and the index of this process.

    Args:
      address: the address of process 0, ``host:port``; None if JAX detects it.
      processes: the number of processes; None if it is not known.
      process: the index of this process; None if it is not known.

    Raises:
      ValueError: if the address is not valid, or a number is out of its range.
    """
    if address is not None:
        split_address(address)
    if processes is not None and processes < 1:
        raise ValueError(f"`num_processes` must be at least 1, got {processes}.")
    if process is not None and not 0 <= process < (processes or process + 1):
        allowed = "at least 0" if processes is None else f"between 0 and {processes - 1}"
        raise ValueError(f"`process_id` must be {allowed}, got {process}.")


def meet(address: str, processes: int, process: int, same: Mapping[str, str], seconds: float = MEETING_SECONDS) -> None:
    """Wait until all processes of a run have met.

    Args:
      address: the address of process 0, ``host:port``.
      processes: the number of processes.
      process: the index of this process.
      same: a dictionary from names to values that must be equal in all processes.
      seconds: maximum time to wait.

    Raises:
      ValueError: if the processes do not belong together. All processes raise the same error.
      OSError: if a process is missing or cannot be reached.
    """
    host, port = split_address(address)
    message = {"process": process, "processes": processes, "same": dict(same)}
    if process == 0:
        _host_meeting(port, message, seconds)
    else:
        _join_meeting(host, port, message, seconds)


def _host_meeting(port: int, own: Mapping[str, Any], seconds: float) -> None:
    """Wait for the other processes, compare them with this process, and tell them the result."""
    end = time.monotonic() + seconds
    members: list[int] = []
    connections: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        try:
            dual = socket.has_dualstack_ipv6()
            family = socket.AF_INET6 if dual else socket.AF_INET
            server = stack.enter_context(socket.create_server(("", port), family=family, dualstack_ipv6=dual))
        except OSError as error:
            raise OSError(
                f"Process 0 cannot listen on port {port} of `coordinator`: {os.strerror(error.errno or 0)}. Choose "
                "another port, or end the program that uses it."
            ) from None
        problem = ""
        while not problem and len(members) < own["processes"] - 1:
            server.settimeout(max(end - time.monotonic(), 0.01))
            try:
                connection = stack.enter_context(server.accept()[0])
            except TimeoutError:
                missing = [str(i) for i in range(1, own["processes"]) if i not in members]
                problem = (
                    f"{'Process' if len(missing) == 1 else 'Processes'} {', '.join(missing)} of {own['processes']} did "
                    f"not connect within {seconds:.0f} s. Start the same command on all hosts with their own "
                    "`process_id`."
                )
                _tell_all(connections, problem, is_missing=True)
                raise OSError(problem) from None
            other = _receive(connection, _MESSAGE_SECONDS, _FORM)
            if other is not None:  # None: another program connected, for example to look for open ports
                problem = _compare(own, other, members)
                members.append(other["process"])
                connections.append(connection)
        _tell_all(connections, problem)
    if problem:
        raise ValueError(problem)


def _compare(own: Mapping[str, Any], other: Mapping[str, Any], members: Collection[int]) -> str:
    """Return a sentence about the difference between two processes, or an empty string."""
    process, processes = other["process"], own["processes"]
    if other["processes"] != processes:
        return f"`num_processes` is {processes} in process 0 and {other['processes']} in process {process}."
    if process in (0, *members):
        return f"Two processes have the index {process}. Each process needs a `process_id` of its own."
    for name in own["same"]:
        if own["same"][name] != other["same"].get(name):
            return f"Process {process} and process 0 differ in {name}. Start the same command on all hosts."
    return ""


def _tell_all(connections: Collection[socket.socket], problem: str, is_missing: bool = False) -> None:
    for connection in connections:
        _send(connection, {"problem": problem, "is_missing": is_missing})
    for connection in connections:
        # The other process closes the connection first, so that the port is free for JAX immediately.
        with contextlib.suppress(OSError):
            connection.settimeout(_MESSAGE_SECONDS)
            connection.recv(1)


def _join_meeting(host: str, port: int, own: Mapping[str, Any], seconds: float) -> None:
    """Connect to process 0, and wait for its result."""
    end = time.monotonic() + seconds
    with _connect(host, port, end, seconds) as connection:
        _send(connection, own)
        answer = _receive(connection, max(end - time.monotonic(), 1) + _MESSAGE_SECONDS, _ANSWER)
    if answer is None:
        raise OSError(
            f"The program at `coordinator` {host}:{port} did not answer like process 0 of this run. Check the address, "
            "and whether process 0 has ended."
        )
    if answer["problem"]:
        raise (OSError if answer["is_missing"] else ValueError)(answer["problem"])


def _connect(host: str, port: int, end: float, seconds: float) -> socket.socket:
    """Connect to an address, and try again until the time ``end``."""
    while True:
        try:
            return socket.create_connection((host, port), timeout=max(min(end - time.monotonic(), 5), 0.1))
        except OSError as error:
            reason = error.strerror or str(error)
            unknown = isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME
        if unknown or time.monotonic() + _RETRY_SECONDS > end:
            raise OSError(
                f"Process 0 at `coordinator` {host}:{port} could not be reached within {seconds:.0f} s: {reason}. "
                "Check the address, the port and the firewall, and start process 0."
            )
        time.sleep(_RETRY_SECONDS)


def _send(connection: socket.socket, message: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the other process has ended
        connection.sendall(json.dumps(message).encode() + b"\n")


def _receive(connection: socket.socket, seconds: float, form: Any) -> Any:
    """Return the next message, or None if none of this form arrives in time."""
    content, end = b"", time.monotonic() + seconds
    try:
        while not content.endswith(b"\n") and len(content) < _MAX_MESSAGE and time.monotonic() < end:
            connection.settimeout(max(end - time.monotonic(), 0.01))
            received = connection.recv(_MAX_MESSAGE)
            if not received:
                return None
            content += received
        return parse_json(content, "The message", form)
    except (OSError, JsonError):
        return None
