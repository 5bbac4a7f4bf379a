"""Parameters are known by name, of the right kind and within bounds, or refused by name with what they may be."""

from types import SimpleNamespace

import pytest

from tdml_assets.engines.bounds import require_bounds, require_known

BOUNDS = {"depth": (1, 15), "rate": (0.01, 1.0), "k": (2, 50)}
GOOD = {"depth": 3, "rate": 0.5, "k": 4}


@pytest.mark.parametrize("changed", [{}, {"depth": 1}, {"depth": 15}, {"rate": 1}, {"k": None}, {"k": 50}])
def test_values_within_bounds_pass_and_so_do_the_words_instead(changed):
    require_bounds(SimpleNamespace(**GOOD | changed), BOUNDS, {"k": None})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"depth": 0}, "parameter depth is 0: it must be a whole number from 1 to 15$"),
        ({"depth": 3.0}, "depth is 3.0: it must be a whole number"),
        ({"depth": True}, "depth is True"),
        ({"rate": float("nan")}, "parameter rate is nan: it must be a number from 0.01 to 1.0, or 'auto'$"),
        ({"rate": "0.5"}, "rate is '0.5'"),
        ({"rate": None}, "rate is None"),
        ({"depth": 16, "rate": 2}, "depth is 16"),
    ],
)
def test_the_first_value_that_cannot_be_is_refused_by_name(changed, message):
    with pytest.raises(ValueError, match=message):
        require_bounds(SimpleNamespace(**GOOD | changed), BOUNDS, {"rate": "auto"})


def test_a_name_that_is_not_a_parameter_is_refused_with_those_that_are():
    require_known({"rate": 1}, ["depth", "rate"], "trees")
    with pytest.raises(ValueError, match=r"^trees has no parameter \['a', 'b'\]: it has \['depth', 'rate'\]$"):
        require_known({"b": 1, "rate": 1, "a": 1}, ["depth", "rate"], "trees")
