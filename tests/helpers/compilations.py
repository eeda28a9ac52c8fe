"""Record which functions JAX compiles."""

import contextlib
from collections.abc import Iterator
from typing import Any

from jax import monitoring


@contextlib.contextmanager
def recording_compilations() -> Iterator[list[str]]:
    """Yield a list, to which the name of each function is added that JAX compiles, or loads from its cache."""
    names: list[str] = []

    def listen(event: str, duration_secs: float, **kwargs: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(kwargs["fun_name"].removeprefix("jit(").removesuffix(")"))

    monitoring.register_event_duration_secs_listener(listen)
    try:
        yield names
    finally:
        monitoring.unregister_event_duration_listener(listen)
