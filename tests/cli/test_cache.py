"""Where compiled programs are kept."""

import jax
import pytest

from jaxgan.cli import cache
from jaxgan.core import system


@pytest.fixture
def as_before(monkeypatch):
    """The tests' own cache is put back."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_below_the_users_cache_by_processor(as_before, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = cache.enable_compilation_cache()
    assert path == cache.compilation_directory()
    assert path.parent == tmp_path / "jaxgan"
    assert path.is_dir()
    assert jax.config.jax_compilation_cache_dir == str(path)
    monkeypatch.setattr("jaxgan.core.system.cpuinfo", lambda: ["flags : of another"])
    assert cache.compilation_directory() != path


def test_classifiers_are_kept_beside_compiled_programs(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert system.classifier_directory() == tmp_path / "jaxgan" / "classifiers"
    assert system.cache_directory() == tmp_path / "jaxgan"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert system.classifier_directory() == tmp_path / "home" / ".cache" / "jaxgan" / "classifiers"


def test_where_the_user_says(as_before, tmp_path, monkeypatch):
    for said, found in ((str(tmp_path), tmp_path), ("", None)):
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", said)
        before = jax.config.jax_compilation_cache_dir
        assert cache.enable_compilation_cache() == found
        assert jax.config.jax_compilation_cache_dir == before  # JAX has read it itself


def test_where_nothing_can_be_written_nothing_is_kept(as_before, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/jaxgan")
    before = jax.config.jax_compilation_cache_dir
    assert cache.enable_compilation_cache() is None
    assert jax.config.jax_compilation_cache_dir == before
