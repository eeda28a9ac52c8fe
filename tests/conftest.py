"""Configure all tests: eight virtual CPU devices, errors for rank promotion, and a temporary folder for data sets."""

import gc
import importlib.metadata
import os
import tempfile
from pathlib import Path

os.environ["JAX_NUM_CPU_DEVICES"] = "8"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
# XLA compiles for most of a test's time. With these flags it compiles six times faster, into slower machine code. It
# compiles in one thread, because pytest starts a process for each core. An unknown flag ends the process. The third flag
# is known in jaxlib 0.10, but no longer in 0.12.
QUICK = "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1"
if importlib.metadata.version("jaxlib").startswith("0.10."):
    QUICK += " --xla_cpu_use_fusion_emitters=false"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK}"

# Tracing creates many objects and little garbage. By default, Python searches for garbage after every 700 new objects,
# which takes a fifth of the time of tracing.
gc.set_threshold(200_000, 20, 20)

# The cache avoids compiling the same program again when a test resumes a run or starts another process. All of pytest's
# processes share it: the first one creates it, and the others inherit the variable. If the variable is set to a folder
# that remains, the tests compile only what has changed since they ran before.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    COMPILED = tempfile.TemporaryDirectory(prefix="jaxgan-compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = COMPILED.name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# TFDS reads this variable once, when it is imported. Processes that tests start inherit it.
DATASETS = tempfile.TemporaryDirectory(prefix="jaxgan-datasets-")
os.environ["TFDS_DATA_DIR"] = DATASETS.name

import jax  # noqa: E402
import pytest  # noqa: E402

assert len(jax.devices()) == 8


@pytest.fixture(autouse=True, scope="session")
def memory_given_back():
    """Disable ``keep_freed_memory``. The tests compile hundreds of programs, and would never release their memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxgan.core.system.keep_freed_memory", lambda: False)
        yield


@pytest.fixture
def test_data() -> Path:
    """Return the folder of real data in the variable JAXGAN_TEST_DATA. Skip the test if the variable is not set."""
    folder = os.environ.get("JAXGAN_TEST_DATA")
    if not folder:
        pytest.skip("The environment variable JAXGAN_TEST_DATA, a folder of real data, is not set.")
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have integration tests, so that no process is left with a long file at the end."""
    long = {item.path for item in items if item.get_closest_marker("integration")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture
def few_measured_steps(monkeypatch):
    """Measure the time of two steps in dry runs instead of up to 64."""
    for name in ("MEASURED_STEPS", "LAZY_STEPS"):
        monkeypatch.setattr(f"jaxgan.training.estimate.{name}", 2)


@pytest.fixture
def few_at_a_time(monkeypatch):
    """Reduce the batch size of Inception. Its batches are padded, which takes most of the time for a few images."""
    monkeypatch.setattr("jaxgan.evaluation.extractors.BATCH_SIZE", 8)
