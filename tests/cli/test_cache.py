"""The directory of compiled programs."""

import jax
import pytest

from jaxgan.cli import cache
from jaxgan.core import system


@pytest.fixture
def restored_config(monkeypatch):
    """Restore the cache of the tests after a test."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    monkeypatch.delenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_the_directory_is_below_the_users_cache_and_depends_on_the_processor(restored_config, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = cache.enable_compilation_cache()
    assert path == cache.compilation_directory()
    assert path.parent == tmp_path / "jaxgan"
    assert path.is_dir()
    assert jax.config.jax_compilation_cache_dir == str(path)
    monkeypatch.setattr("jaxgan.core.system.cpuinfo", lambda: ["flags : another processor"])
    assert cache.compilation_directory() != path


def test_classifiers_are_stored_beside_compiled_programs(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert system.classifier_directory() == tmp_path / "jaxgan" / "classifiers"
    assert system.cache_directory() == tmp_path / "jaxgan"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert system.classifier_directory() == tmp_path / "home" / ".cache" / "jaxgan" / "classifiers"


def test_an_environment_variable_sets_the_directory(restored_config, tmp_path, monkeypatch):
    for value, directory in ((str(tmp_path), tmp_path), ("", None)):
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", value)
        before = jax.config.jax_compilation_cache_dir
        assert cache.enable_compilation_cache() == directory
        assert jax.config.jax_compilation_cache_dir == before  # JAX reads the variable itself


@pytest.mark.parametrize("directory", [None, "elsewhere"])
def test_programs_that_compile_quickly_are_stored_in_any_directory(restored_config, directory, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if directory:
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / directory))
    cache.enable_compilation_cache()
    assert jax.config.jax_persistent_cache_min_compile_time_secs == cache.MIN_COMPILE_SECONDS
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 7.0)  # as JAX sets it from the user's variable
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "7")
    cache.enable_compilation_cache()
    assert jax.config.jax_persistent_cache_min_compile_time_secs == 7.0


def test_the_cache_is_disabled_if_the_directory_cannot_be_written(restored_config, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/jaxgan")
    before = jax.config.jax_compilation_cache_dir
    assert cache.enable_compilation_cache() is None
    assert jax.config.jax_compilation_cache_dir == before
