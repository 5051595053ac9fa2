"""Which results are made."""

from __future__ import annotations

import pytest

from colorflow.enlarge.draws import MEAN, Draw, draws
from colorflow.limits import DETAIL_TEMPERATURE


def test_the_mean_comes_first_and_samples_after_it() -> None:
    assert draws(1, None, 7) == [MEAN]
    first, *samples = draws(3, None, 7)
    assert first == MEAN
    assert MEAN.temperature == 0
    assert samples == [Draw("s8", DETAIL_TEMPERATURE, 8), Draw("s9", DETAIL_TEMPERATURE, 9)]
    assert DETAIL_TEMPERATURE > 0


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_temperature_is_that_of_all(temperature: float) -> None:
    assert draws(2, temperature, 0) == [Draw("s0", temperature, 0), Draw("s1", temperature, 1)]


def test_a_seed_below_0_is_refused_even_where_it_does_not_count() -> None:
    with pytest.raises(ValueError, match="seed: expected a whole number from 0 to 4294967295"):
        draws(1, None, -1)
