"""A family holds its histograms as they were when they were added, as the library would."""

from __future__ import annotations

from palimpsest.app.exemplars import Exemplary
from palimpsest.app.histograms import Histograms
from palimpsest.index import Tally


def test_samples_are_those_of_the_library() -> None:
    tally = Exemplary((0.1, 1.0))
    for value in (0.05, 0.5, 9.0):
        tally.add(value)
    tally.note(0.5, "c")
    family = Histograms("h", "Of two.", labels=("who",))
    family.add(("x",), Tally((0.1, 1.0)))  # another of the family, before it
    family.add(("y",), tally)
    tally.add(0.2)  # later
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for sample in family.samples
        if sample.labels["who"] == "y"
    }
    assert told == {
        ("h_bucket", "y", "0.1"): 1,
        ("h_bucket", "y", "1.0"): 2,
        ("h_bucket", "y", "+Inf"): 3,
        ("h_count", "y"): 3,
        ("h_sum", "y"): 9.55,
    }
    examples = [(s.labels["who"], s.labels["le"]) for s in family.samples if s.exemplar is not None]
    assert examples == [("y", "1.0")]


def test_a_family_without_histograms_has_no_samples() -> None:
    assert Histograms("h", "None.", labels=("who",)).samples == []
