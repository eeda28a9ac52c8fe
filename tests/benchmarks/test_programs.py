"""Every benchmark can be imported and prints its help, which is created from the signature of its main function."""

import importlib
import pkgutil

import pytest
import tyro

from experiments import benchmarks

MODULES = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "torch_games"]
PROGRAMS = [name for name in MODULES if hasattr(importlib.import_module(f"experiments.benchmarks.{name}"), "main")]


def test_programs_are_found():
    assert {"against_pytorch", "convolution", "forms", "memory", "monitor", "worker"} <= set(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_is_printed(name, capsys):
    main = importlib.import_module(f"experiments.benchmarks.{name}").main
    with pytest.raises(SystemExit) as stopped:
        tyro.cli(main, args=["--help"])
    assert stopped.value.code == 0
    assert "usage" in capsys.readouterr().out.lower()
