"""Postings against a dict of sets."""

from __future__ import annotations

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from palimpsest.index.payload.postings import MAX_PACKED, Postings, grouped

WORDS = st.sampled_from(("", "a", "ab", "b", "ünï"))
NUMBERS = st.lists(st.integers(0, 3 * MAX_PACKED), max_size=2 * MAX_PACKED, unique=True)
STEPS = st.lists(
    st.tuples(st.sampled_from(("add", "remove", "discard")), WORDS, NUMBERS), max_size=12
)


def written(steps: list[tuple[str, str, list[int]]]) -> tuple[Postings, dict[str, set[int]]]:
    postings, twin = Postings(), dict[str, set[int]]()
    for step, word, numbers in steps:
        if step == "add" and numbers:
            postings.add(word, numbers)
            twin.setdefault(word, set()).update(numbers)
        elif step == "discard":
            postings.discard(BitMap(numbers))
            twin = {each: held - set(numbers) for each, held in twin.items()}
        else:
            for number in numbers:
                postings.remove(word, number)
                twin.get(word, set()).discard(number)
        postings.starting_with("a")  # its order has to follow
    return postings, {word: held for word, held in twin.items() if held}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(STEPS, st.lists(WORDS, min_size=1, max_size=3), st.sets(st.integers(0, 100)))
def test_sets_are_those_of_a_dict(steps: list, words: list[str], allowed: set[int]) -> None:
    postings, twin = written(steps)
    reopened = Postings.from_arrays(postings.to_arrays(), str)
    for each in (postings, reopened):
        assert set(each.values()) == set(twin) and len(each) == len(twin)
        assert {word: set(each.union([word])) for word in twin} == twin
        assert {word: each.count(word) for word in twin} == {w: len(s) for w, s in twin.items()}
        held = [twin.get(word, set()) for word in words]
        assert set(each.union(words)) == set.union(*held)
        assert set(each.intersection(words)) == set.intersection(*held)
        counts = {word: len(numbers & allowed) for word, numbers in twin.items()}
        assert dict(each.counts(BitMap(allowed))) == {w: c for w, c in counts.items() if c}
        assert set(each.starting_with("a")) & set(twin) == {w for w in twin if w.startswith("a")}
    assert reopened.nbytes == postings.nbytes


def test_answers_are_new_sets() -> None:
    postings = Postings()
    postings.add("a", list(range(100)))
    postings.union(["a"]).clear()
    postings.intersection(["a"]).clear()
    assert postings.count("a") == 100


def test_what_is_gone_takes_no_memory() -> None:
    postings = Postings()
    for number in range(1_000):
        postings.add(f"word {number}", [number, 5_000])
    postings.discard(BitMap(range(5_001)))
    assert postings.nbytes == 0 == len(postings)


def test_strings_that_come_and_go_do_not_gather() -> None:
    postings = Postings()
    postings.add("kept", [1])
    for number in range(5_000):
        postings.starting_with("k")
        postings.add(f"k{number}", [number])
        postings.remove(f"k{number}", number)
    assert len(postings.starting_with("k")) < 2_000


def test_strings_that_come_and_go_do_not_gather_between_questions_either() -> None:
    postings = Postings()
    postings.add("kept", [1])
    postings.starting_with("k")
    tracemalloc.start()
    for number in range(20_000):
        postings.add(f"k{number}", [number])
        postings.remove(f"k{number}", number)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 300_000  # 20,000 strings take more than a million bytes
    assert postings.starting_with("k") == ["kept"]


def test_grouping_names_a_number_once_per_value() -> None:
    assert grouped([1, 2], [["a", "b", "a"], ["a"]]) == {"a": [1, 2], "b": [1]}
