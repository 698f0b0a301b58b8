"""Payload keys of all of Unicode, so few of them within one example that they often meet.

``keys`` draws from a handful that is drawn once for each example: payloads, paths and indexes that
are drawn apart share it. Keys hold no double quote, which no path can name.
"""

from __future__ import annotations

from hypothesis import strategies as st

# What has gone wrong or might: scripts, marks, signs beyond 16 bits, keys that are one another's
# normal form, empty ones, what JSON escapes, what paths give a meaning to.
KNOWN = (
    "цвет", "色", "ค่าสี", "रंग", "لون", "צבע", "χρώμα", "색", "màu", "😀", "👩‍👩‍👧", "𝔠", "𐍈",
    "é", "e\u0301", "Å", "A\u030a", "\u212b", "ﬁ", "fi", "ß", "ı", "\u0301",
    "", " ", "\x00", "\x7f", "\u0080", "\u00a0", "\u2028", "\ufeff", "\uffff", "\U0010ffff",
    "\\", "\\u0446", "/", "'", "a.b", "a[0]", "[]", ".", "a b", "x\ty", "k" * 300, "ж" * 300,
)  # fmt: skip

_texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters='"'), max_size=5)
_handful = st.shared(
    st.tuples(*[st.sampled_from(KNOWN) | _texts] * 3), key="the keys of one example"
)


def keys(*others: str) -> st.SearchStrategy[str]:
    """Return a strategy of the example's keys and of the given ones."""
    return _handful.flatmap(lambda some: st.sampled_from((*others, *some)))


one_key = _handful.map(lambda some: some[0])  # always the same one within an example


def quoted(key: str) -> str:
    """Return the path of one key, in quotes, which every reader of paths understands."""
    return f'"{key}"'
