"""Every test sees eight virtual CPU devices, raises on rank promotion, and finds datasets in a folder of its own."""

import gc
import importlib.metadata
import os
import tempfile
from pathlib import Path

os.environ["JAX_NUM_CPU_DEVICES"] = "8"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
# Most of a test's time is XLA's: machine code that is slower, and made in a sixth of the time. Flags that an XLA does
# not know end the process, and jax 0.12's does not know the third.
QUICK = "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=4"
if importlib.metadata.version("jaxlib").startswith("0.10."):
    QUICK += " --xla_cpu_use_fusion_emitters=false"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK}"

# Tracing makes many objects and little garbage, through which Python looks after every 700: a fifth of tracing's time.
gc.set_threshold(200_000, 20, 20)

# A run that is resumed, or made anew in a process of its own, is the same program: compiled once.
COMPILED = tempfile.TemporaryDirectory(prefix="jaxgan-compiled-")
os.environ["JAX_COMPILATION_CACHE_DIR"] = COMPILED.name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# TFDS reads this once, when it is imported; processes that tests start inherit it.
DATASETS = tempfile.TemporaryDirectory(prefix="jaxgan-datasets-")
os.environ["TFDS_DATA_DIR"] = DATASETS.name

import jax  # noqa: E402
import pytest  # noqa: E402

assert len(jax.devices()) == 8


@pytest.fixture(autouse=True, scope="session")
def memory_given_back():
    """The tests' process makes hundreds of programs, and has one allocator: what each needed would be kept for good."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxgan.core.system.keep_freed_memory", lambda: False)
        yield


@pytest.fixture
def test_data() -> Path:
    """Real data beside the project, where JAXGAN_TEST_DATA says; the test skips where it does not."""
    folder = os.environ.get("JAXGAN_TEST_DATA")
    if not folder:
        pytest.skip("JAXGAN_TEST_DATA names no folder of real data")
    return Path(folder)


@pytest.fixture
def few_at_a_time(monkeypatch):
    """Inception's batches are filled up, which for a few images would take most of the time."""
    monkeypatch.setattr("jaxgan.evaluation.extractors.BATCH_SIZE", 8)
