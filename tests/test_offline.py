"""The guard that keeps tests off the network guards: otherwise the offline tests prove nothing."""

from __future__ import annotations

import socket
import subprocess
import sys

import network_guard
import pytest

ELSEWHERE = ("192.0.2.1", 80)  # an address reserved for documentation: nobody answers there


def test_connections_to_other_machines_are_refused(offline: None) -> None:
    with pytest.raises(network_guard.NetworkBlockedError, match="network is off"):
        socket.create_connection(ELSEWHERE, timeout=1)
    with pytest.raises(network_guard.NetworkBlockedError, match="network is off"):
        socket.getaddrinfo("example.org", 80)


def test_this_machine_can_be_reached(offline: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5).close()


def test_child_processes_are_offline_too(offline_environment: dict[str, str]) -> None:
    code = f"import socket; socket.create_connection({ELSEWHERE!r}, timeout=1)"
    child = subprocess.run(
        [sys.executable, "-c", code], env=offline_environment, capture_output=True, text=True
    )
    assert child.returncode == 1
    assert "network is off" in child.stderr
