"""The upgrade, step by step: old only, bridged, re-embedded by demand, the old version dropped.

Every step is a call of the REST API, and is measured by the same questions. The collection keeps
the text of its passages as payload, so what is to be embedded anew comes from the server itself.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from palimpsest.app.demo.client import Client, encoded
from palimpsest.app.demo.corpus import Passage, collect
from palimpsest.app.demo.embedders import Embedder, HashedGrams, LatentSemantics, Vectors
from palimpsest.app.demo.errors import DemoError
from palimpsest.app.demo.example import Answers, choose, to_text
from palimpsest.app.demo.measuring import K, measure
from palimpsest.app.demo.questions import Asked, ask, sample_sentences
from palimpsest.app.demo.serving import serving
from palimpsest.app.demo.table import Step, to_chart, to_table

COLLECTION = "docstrings"
NEW = f"{COLLECTION}@v2"  # the collection as version v2 shows it
DISTANCE = "Cosine"
MIN_PASSAGES, DEFAULT_PASSAGES = 300, 6_000
QUESTIONS = 1_000
PAIRS = 2_000  # sentences that both models embed, for the adapter to learn from
REQUESTS = 1_000  # of users, before points are chosen by demand
SHARES = (0.1, 0.5, 1.0)  # of the points that hold the new version, step by step
BACKFILL = 10_000  # points to embed anew in one answer, at most
WIDTH = 96  # characters
SLIGHT = 0.005  # of the questions: a difference not worth a word

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller may choose.

    Without ``data`` the server keeps its files in a folder that is deleted in the end; without
    ``port`` it listens on a free one. ``leave`` ends the demo after the story.
    """

    data: Path | None = None
    port: int | None = None
    passages: int = DEFAULT_PASSAGES
    leave: bool = False
    block: str = "#"  # of the bars


@dataclass(slots=True)
class Story:
    """One telling: whom it asks, what about, and what it measured so far."""

    client: Client
    say: Say
    passages: Sequence[Passage]
    asked: Asked
    old: Embedder
    new: Embedder
    steps: list[Step] = field(default_factory=list)
    answers: dict[str, Answers] = field(default_factory=dict)  # by the name of a step

    def tell(self) -> None:
        """Take the collection from the old model to the new one.

        Raises:
            DemoError: a call failed, or the collection is there already.
        """
        self._index()
        self._declare()
        self._fit()
        for share in SHARES:
            self._migrate(share)
        self._finish()

    def _index(self) -> None:
        self._narrate(
            f"1. {len(self.passages)} docstrings are indexed with the old model, v1 "
            f"({self.old.name}, {self.old.size} dimensions)."
        )
        space = {"size": self.old.size, "distance": DISTANCE}
        self._call("PUT", "", {"vectors": space})
        payloads = [one._asdict() for one in self.passages]
        rows = self.old.embed([one.text for one in self.passages])
        self.client.upload(COLLECTION, rows, payloads)
        self._measure("v1 alone", COLLECTION, self.old, 0.0)

    def _declare(self) -> None:
        self.say("")
        self._narrate(
            f"2. A new model appears: v2 ({self.new.name}, {self.new.size} dimensions). It is "
            f"declared; whoever asks the collection {COLLECTION} notices nothing."
        )
        body = {"size": self.new.size, "distance": DISTANCE, "model": self.new.name}
        self._call("PUT", "/versions/v2", body)

    def _fit(self) -> None:
        sentences = sample_sentences(self.passages, PAIRS)
        body = {
            "rows": "v1",
            "queries": "v2",
            "pairs": self._pairs(sentences),
            "query_pairs": self._pairs(self.asked.practice),
        }
        start = time.perf_counter()
        fitted = self._call("POST", "/adapters", body)
        report = fitted["report"]
        self._narrate(
            f"   An adapter ({fitted['kind']}) is fitted on {len(sentences)} sentences that both "
            f"models embed, in {time.perf_counter() - start:.1f} s. "
            f"Its report, from pairs held out: verdict {report['verdict']!r}; "
            f"{report['reasons'][0]}."
        )
        self._narrate(
            f"   Queries of v2, sent to the collection {NEW}, now search the rows of v1: "
            "nothing is re-embedded yet."
        )
        self._measure("bridged", NEW, self.new, 0.0)

    def _migrate(self, share: float) -> None:
        number = round(share * len(self.passages))
        if self.steps[-1].name == "bridged":
            self.say("")
            self._narrate(
                "3. Users go on asking. The server counts which points its answers use, and says "
                "what to embed next: what is in demand and served badly by the adapter first. "
                "Rows of both versions rank in one list meanwhile."
            )
        self._be_asked()
        done = self._covered()
        # Asked again and again: an answer may hold fewer than were asked for, and none once all are
        # done.
        while done < number and (chosen := self._backfill(number - done)):
            texts = [point["payload"]["text"] for point in chosen]
            self.client.add_vectors(NEW, [p["id"] for p in chosen], self.new.embed(texts))
            done += len(chosen)
        self._measure(f"{share:.0%} by demand", NEW, self.new, self._coverage())

    def _finish(self) -> None:
        self.say("")
        self._narrate(
            f"4. v2 is activated, so {COLLECTION} means v2 from now on; until v1 is dropped this "
            "can be undone. Then v1 is dropped."
        )
        self._call("POST", "/versions/v2/activate", {})
        self._call("DELETE", "/versions/v1")
        self._measure("v2 alone", COLLECTION, self.new, 1.0)

    def _measure(self, name: str, collection: str, embedder: Embedder, coverage: float) -> None:
        queries = embedder.embed([one.text for one in self.asked.questions])
        quality, self.answers[name] = measure(self.client, collection, queries, self.asked)
        fewer = bool(self.steps) and quality.found < self.steps[-1].quality.found - SLIGHT
        self.steps.append(Step(name, coverage, quality))
        self.say(
            f"   {name + ':':<16} {quality.requests:.0%} of the requests find their docstring "
            f"among the first {K}"
        )
        if fewer:
            self.say(
                "                    (seldom asked questions lose a little: points embedded anew "
                "outrank the others)"
            )

    def _narrate(self, text: str) -> None:
        self.say(fill(text, WIDTH, subsequent_indent="   ", break_on_hyphens=False))

    def _be_asked(self) -> None:
        """Send what users ask: some questions often, most of them seldom."""
        # Seeded by the step: others at each of them, and the same at every telling.
        drawn = np.random.default_rng(len(self.steps)).choice(
            len(self.asked.questions), REQUESTS, p=self.asked.shares
        )
        queries = self.new.embed([self.asked.questions[place].text for place in drawn])
        self.client.search(NEW, queries, K)

    def _backfill(self, limit: int) -> list[dict[str, Any]]:
        query = f"version=v2&limit={min(limit, BACKFILL)}&with_payload=true"
        points: list[dict[str, Any]] = self._call("GET", f"/backfill?{query}")["points"]
        return points

    def _covered(self) -> int:
        return int(self._call("GET", "/backfill/status?version=v2")["covered"])

    def _coverage(self) -> float:
        return self._covered() / len(self.passages)

    def _pairs(self, texts: Sequence[str]) -> dict[str, list[str]]:
        """Return texts in both models, as a body for the adapter."""
        return {"rows": _column(self.old.embed(texts)), "queries": _column(self.new.embed(texts))}

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        return self.client.call(method, f"/collections/{COLLECTION}{path}", body)


def run(options: Options, say: Say) -> None:
    """Tell the story and, unless asked to leave, go on serving until interrupted.

    Raises:
        DemoError: it cannot go on.
        KeyboardInterrupt: interrupted before the end of the story.
    """
    start = time.perf_counter()
    passages = collect(options.passages)
    asked = ask(passages, QUESTIONS)
    old, new = HashedGrams(), LatentSemantics([one.text for one in passages])
    with _folder(options.data) as data, serving(data, options.port) as (server, client):
        _check_absent(client, data)
        say(f"A server runs on {client.url}, its files are in {data}.\n")
        story = Story(client, say, passages, asked, old, new)
        story.tell()
        say(f"\n{to_table(story.steps)}\n\n{to_chart(story.steps, options.block)}\n")
        say(_explanation(asked))
        say(_example(story))
        say(f"The story took {time.perf_counter() - start:.0f} seconds.")
        if not options.leave:
            say(_invitation(client.url))
            _wait(server)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="palimpsest-demo-") as folder:
        yield Path(folder)


def _check_absent(client: Client, data: Path) -> None:
    if client.call("GET", f"/collections/{COLLECTION}/exists")["exists"]:
        raise DemoError(
            f"{data} holds a collection {COLLECTION} already; give another --data, or none for a "
            "temporary one"
        )


def _wait(server: subprocess.Popen[bytes]) -> None:
    try:
        status = server.wait()
    except KeyboardInterrupt:
        return
    raise DemoError(f"the server ended with {status}")


def _explanation(asked: Asked) -> str:
    return (
        f"requests: share of requests whose docstring is among the first {K} answers, shown by "
        f"the bars\nfound@10, nDCG@10: of {len(asked.questions)} questions, asked once each, "
        "however seldom users ask them\nms: per question, in batches\n\n"
        f"The most frequent question:\n  {asked.questions[0].text}\n"
    )


def _example(story: Story) -> str:
    """Return one question's answers before, bridged and after; nothing when none shows them."""
    shown = {name: story.answers[name] for name in ("v1 alone", "bridged", "v2 alone")}
    place = choose(story.asked, *shown.values())
    return "" if place is None else to_text(place, story.asked, story.passages, shown) + "\n"


def _invitation(url: str) -> str:
    place = f"{url}/collections/{COLLECTION}"
    return f"""
The server goes on running. Try, in another terminal:

  curl {place}
  curl {place}/versions
  curl '{place}/points/0'
  curl {place}/points/query -H 'content-type: application/json' \\
    -d '{{"query": 0, "limit": 3, "with_payload": true}}'

or open {url}/docs in a browser. Ctrl-C ends it."""


def _column(vectors: Vectors) -> list[str]:
    return [encoded(vector) for vector in vectors]
