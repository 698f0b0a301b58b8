"""Formulas over the tidy payloads: every expression, defaults, and refusals now and then."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from qdrant_client import models

from tests.differential.filters import fields

constants = st.sampled_from([-2.0, -0.5, 0.0, 0.25, 1.0, 3.0, 10.0])
variables = st.sampled_from(["$score", "$score[0]", "$score[1]", "p", "n", "nested.m", "list[0]"])
moments = st.one_of(
    st.builds(
        models.DatetimeExpression, datetime=st.sampled_from(["2024-01-15", "2024-01-15T10:00:00Z"])
    ),
    st.builds(models.DatetimeKeyExpression, datetime_key=st.just("day")),
)
places = st.builds(
    lambda lon: models.GeoDistance(
        geo_distance=models.GeoDistanceParams(origin=models.GeoPoint(lon=lon, lat=52.5), to="home")
    ),
    st.sampled_from([13.4, 13.1]),
)
leaves = st.one_of(constants, variables, variables, fields)


def decay(
    x: st.SearchStrategy[Any], target: st.SearchStrategy[Any], scales: list[float]
) -> st.SearchStrategy[Any]:
    params = st.builds(
        models.DecayParamsExpression,
        x=x,
        target=st.one_of(st.none(), target),
        scale=st.sampled_from([None, *scales]),
        midpoint=st.sampled_from([None, 0.3, 0.9]),
    )
    return st.one_of(
        st.builds(models.LinDecayExpression, lin_decay=params),
        st.builds(models.ExpDecayExpression, exp_decay=params),
        st.builds(models.GaussDecayExpression, gauss_decay=params),
    )


decays = st.one_of(
    decay(variables, constants, [0.5, 4.0]),
    decay(moments, moments, [3_600.0, 86_400.0]),
    decay(places, constants, [5_000.0]),
)


def extend(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return expressions of expressions; roots and logarithms mostly of what is not negative."""
    few = st.lists(inside, min_size=1, max_size=3)
    safe = st.one_of(
        st.builds(models.AbsExpression, abs=inside),
        st.builds(
            lambda one: models.SumExpression(sum=[models.AbsExpression(abs=one), 0.5]), inside
        ),
        st.builds(
            lambda one: models.SumExpression(sum=[models.AbsExpression(abs=one), 1.5]), inside
        ),
    )
    fraction = st.builds(
        models.DivParams,
        left=inside,
        right=inside,
        by_zero_default=st.sampled_from([None, 1.0, -2.0]),
    )
    power = st.builds(models.PowParams, base=st.one_of(safe, inside), exponent=constants)
    return st.one_of(
        st.builds(models.SumExpression, sum=few),
        st.builds(models.SumExpression, sum=few),
        st.builds(models.MultExpression, mult=few),
        st.builds(models.MaxExpression, max=few),
        st.builds(models.MinExpression, min=few),
        st.builds(models.NegExpression, neg=inside),
        safe,
        st.builds(models.DivExpression, div=fraction),
        st.builds(models.SqrtExpression, sqrt=safe),
        st.builds(models.PowExpression, pow=power),
        st.builds(models.ExpExpression, exp=inside),
        st.builds(models.LnExpression, ln=safe),
        st.builds(models.Log10Expression, log10=safe),
        st.builds(models.AcoshExpression, acosh=safe),
        decays,
    )


expressions = st.recursive(leaves, extend, max_leaves=5)
DEFAULTS = {
    "p": 0.5,
    "day": "2024-01-14",
    "home": {"lon": 13.4, "lat": 52.4},
    "nested.m": 1,
    "list[0]": 2,
}
formulas = st.builds(
    models.FormulaQuery,
    formula=expressions,
    defaults=st.sampled_from(
        [DEFAULTS, DEFAULTS, DEFAULTS, {**DEFAULTS, "$score[1]": 0.75}, {"p": 1.5}, None]
    ),
)
