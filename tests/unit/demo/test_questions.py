"""The demo's questions."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.app.demo.corpus import Passage
from palimpsest.app.demo.errors import DemoError
from palimpsest.app.demo.questions import (
    ask,
    content_words,
    make_questions,
    sample_sentences,
)


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
