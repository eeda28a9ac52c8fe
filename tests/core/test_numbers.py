"""Tests of the checks of numbers that can be tracers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.core.gradients import check_clip
from jaxgan.core.numbers import check_above, check_at_least, is_traced, refuse_traced


def test_tracers_are_not_compared():
    def check(value):
        assert is_traced(value)
        check_at_least("weight", value, 0)
        check_above("weight", value, 0)
        for refuse in (lambda: refuse_traced("weight", value), lambda: check_clip(value)):
            with pytest.raises(TypeError, match="must be a Python number, got a traced value"):
                refuse()
        return value

    jax.vmap(check)(jnp.ones(2))
    assert not is_traced(jnp.ones(())) and not is_traced(1.0)


@pytest.mark.parametrize("value", [-1.0, np.nan, jnp.float32(-1)])
def test_numbers_below_their_limit_are_refused(value):
    with pytest.raises(ValueError, match=r"`weight` must be at least 0, got (-1.0|nan)\. Use 0\.$"):
        check_at_least("weight", value, 0, "Use 0.")
    with pytest.raises(ValueError, match=r"`weight` must be above 0, got (-1.0|nan)\.$"):
        check_above("weight", value, 0)
    check_at_least("weight", 0, 0)
    check_above("weight", 0.1, 0)
