"""Memory that is freed and asked for again, in a process of its own, since the setting is a process's."""

import subprocess
import sys

import pytest
from helpers import programs

PROGRAM = """
import resource, sys
import numpy as np
from jaxgan.training import memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.full(1 << 26, 1, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
sys.platform = "darwin"
assert not memory.keep()
sys.platform = "linux"
given_back = (faults(), faults())[1]
if not memory.keep():
    print("none")
else:
    kept = (faults(), faults())[1]
    print(given_back, kept)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's alone")
def test_what_is_freed_is_kept():
    """64 MiB are 16,384 pages, or 32 large ones; elsewhere than on Linux nothing is done."""
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout.split()
    if told == ["none"]:
        pytest.skip("this C library has no such settings")
    given_back, kept = map(int, told)
    assert given_back >= 32 and kept < 8


def test_every_verb_of_a_program_keeps_it(capsys, monkeypatch):
    asked = []
    monkeypatch.setattr("jaxgan.core.system.keep", lambda: asked.append(1))
    assert programs.run(capsys, "--help")[0] == 0 and asked == [1]
