"""The demo's passages, questions, embedders and measures, without a server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from palimpsest.app.demo.corpus import MAX_LENGTH, MIN_LENGTH, Passage, collect, cut
from palimpsest.app.demo.embedders import HashedGrams, LatentSemantics
from palimpsest.app.demo.errors import DemoError
from palimpsest.app.demo.example import choose, to_text
from palimpsest.app.demo.measuring import Quality, quality
from palimpsest.app.demo.questions import (
    Asked,
    Question,
    ask,
    content_words,
    make_questions,
    sample_sentences,
)
from palimpsest.app.demo.serving import environment
from palimpsest.app.demo.table import Step, to_chart, to_table

SOURCE = '''
"""A module that is documented well enough to be found."""

import sys
sys.exit("imported")


class Box:
    """A box that keeps things until they are asked for."""

    def open(self):
        """Open the box and return the things that were kept in it."""

    def close(self):
        """Close."""


if True:

    def twin():
        """A box that keeps things until they are asked for."""
'''


@pytest.fixture(scope="module")
def standard() -> list[Passage]:
    return collect(100_000)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text(SOURCE)
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "test_box.py").write_text(SOURCE.replace("box", "test"))
    return tmp_path


def test_passages_have_qualified_names_and_no_duplicates(library: Path) -> None:
    assert collect(10, library=library) == [
        Passage("package", "A module that is documented well enough to be found."),
        Passage("package.Box", "A box that keeps things until they are asked for."),
        Passage("package.Box.open", "Open the box and return the things that were kept in it."),
    ]


def test_a_limit_draws_the_same_passages_in_order(library: Path) -> None:
    drawn = collect(2, library=library)
    assert len(drawn) == 2
    assert drawn == collect(2, library=library)
    assert [one for one in collect(10, library=library) if one in drawn] == drawn


def test_no_sources_are_an_error_that_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="sources"):
        collect(10, library=tmp_path)


def test_the_standard_library_gives_a_few_thousand_passages(standard: list[Passage]) -> None:
    assert 3_000 < len(standard) < 30_000
    assert all(MIN_LENGTH <= len(one.text) <= MAX_LENGTH for one in standard)
    assert any(one.name == "json.dumps" for one in standard)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("one\n  two", "one two"), ("one two three", "one two"), ("abcdefghijkl", "abcdefghi")],
)
def test_texts_are_cut_between_words(text: str, expected: str) -> None:
    assert cut(text, 9) == expected


def test_questions_are_content_words_that_only_one_passage_begins_with() -> None:
    passages = [
        Passage("a", "Return the number of open files. More about it."),
        Passage("b", "Close all sockets that the given server opened."),
        Passage("c", "Close all sockets that the server opened; and wait."),
        Passage("d", "Too short. Although more words follow in the second sentence."),
        Passage("e", "Parse a date, a time and an offset."),
    ]
    made = make_questions(passages)
    assert [question.answer for question in made] == [0, 4]
    assert "return number open files" in made[0].text
    assert "parse date time offset" in made[1].text


def test_content_words_leave_out_function_words_and_case() -> None:
    assert content_words("Return the Number of 3 open_files.") == [
        "return",
        "number",
        "open",
        "files",
    ]


def test_questions_are_asked_by_their_popularity_and_practice_is_apart(
    standard: list[Passage],
) -> None:
    asked = ask(standard, 300)
    assert len(asked.questions) == len(asked.shares) == 300
    assert asked.shares.sum() == pytest.approx(1)
    assert (np.diff(asked.shares) < 0).all()
    assert not {one.text for one in asked.questions} & set(asked.practice)


def test_too_few_questions_are_an_error() -> None:
    with pytest.raises(DemoError, match="questions"):
        ask([Passage("a", "Return the number of open files.")], 10)


def test_sentences_are_different_and_long_enough() -> None:
    passages = [Passage("a", "One sentence that is long enough. Short. " * 2)]
    assert sample_sentences(passages, 10) == ["One sentence that is long enough."]


def test_hashed_grams_equal_a_plain_count() -> None:
    row = HashedGrams(1 << 20).embed(["Ab, abc!"])[0]
    # of " ab abc ": " a", "ab" and " ab" twice; once 3 others of 2 letters, 4 of 3, 5 of 4
    assert np.sort(row[row > 0] ** 2 * 24) == pytest.approx([1.0] * 12 + [4.0] * 3, rel=1e-5)


def test_hashed_grams_are_the_same_in_another_run() -> None:
    code = """if True:
        from palimpsest.app.demo.embedders import HashedGrams

        print(HashedGrams().embed(["json"]).sum())"""
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert other.strip() == str(HashedGrams().embed(["json"]).sum())


TEXTS = [
    "Open a file for reading and return it.",
    "Close the file that was opened for reading.",
    "Parse a date and a time into an object.",
    "Format a date or a time as a text.",
    "Send bytes over a socket.",
    "Receive bytes from a socket.",
]


def test_latent_semantics_find_words_that_occur_together() -> None:
    model = LatentSemantics(TEXTS, size=3)
    scores = model.embed(["date"]) @ model.embed(TEXTS).T
    assert set(np.argsort(-scores[0])[:2]) == {2, 3}


def test_both_embedders_return_unit_vectors_for_any_text() -> None:
    for model in (HashedGrams(16), LatentSemantics(TEXTS, size=3)):
        vectors = model.embed([*TEXTS, "", "unheard"])
        assert vectors.shape == (len(TEXTS) + 2, model.size)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_missing_scikit_learn_names_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(DemoError, match=r"pip install 'palimpsest\[demo\]'"):
        LatentSemantics(TEXTS)


def test_too_little_text_to_learn_from_is_an_error() -> None:
    with pytest.raises(DemoError, match="too few"):
        LatentSemantics(["file socket", "file socket"])


def test_quality_counts_first_ranks_and_popular_questions_more() -> None:
    asked = Asked(
        [Question("a", 7), Question("b", 8), Question("c", 9)], np.array([0.5, 0.3, 0.2]), []
    )
    answers = [[7, 1], [1, 2, 8], [1, 2]]
    assert quality(answers, asked, 1.5) == pytest.approx((2 / 3, (1 + 1 / 2) / 3, 0.8, 1.5))


def test_the_eleventh_answer_does_not_count() -> None:
    asked = Asked([Question("a", 10)], np.ones(1), [])
    assert quality([list(range(11))], asked, 1.0).found == 0


def test_table_and_chart_show_each_step() -> None:
    steps = [
        Step("old", 0.0, Quality(0.5, 0.25, 0.5, 1.0)),
        Step("newer", 1.0, Quality(0.75, 0.5, 1.0, 2.0)),
    ]
    assert to_table(steps).splitlines()[2:] == [
        "old             0%     0.500     0.500    0.250  1.0",
        "newer         100%     1.000     0.750    0.500  2.0",
    ]
    assert to_chart(steps).splitlines() == [
        f"old    {'#' * 20} 0.50",
        f"newer  {'#' * 40} 1.00",
    ]


def test_the_example_is_a_question_that_each_step_answers_better() -> None:
    passages = [Passage(name, "") for name in "abcdef"]
    asked = Asked([Question("first?", 0), Question("second?", 1)], np.array([0.6, 0.4]), [])
    before, bridged, after = [[0, 2], [2, 3, 4]], [[0, 1], [5, 1, 2]], [[0, 1], [1, 5]]
    place = choose(asked, before, bridged, after)
    assert place == 1
    steps = {"old": before, "bridged": bridged, "new": after}
    assert to_text(place, asked, passages, steps).splitlines()[1:] == [
        "  second?  (right: b)",
        "  old      c, d, e",
        "  bridged  f, b, c",
        "  new      b, f",
    ]
    assert choose(asked, after, bridged, after) is None


def test_the_server_of_the_demo_takes_no_settings_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("API_KEY", "TLS_CERT", "DATA", "MISSPELT", "SIMD"):
        monkeypatch.setenv(f"PALIMPSEST_{name}", "x")
    kept = [name for name in environment() if name.startswith("PALIMPSEST_")]
    assert kept == ["PALIMPSEST_SIMD"]
    assert "PATH" in environment()
