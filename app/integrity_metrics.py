"""What the scrub of each collection read and found, and what was set aside, as series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from palimpsest.index import Integrity

LABELS = ("collection",)


def integrity_series(known: Iterable[tuple[str, Integrity]]) -> Iterator[Metric]:
    """Yield the series of all collections; one that was never scrubbed finished at 0."""
    finished = GaugeMetricFamily(
        "palimpsest_scrub_finished_timestamp_seconds",
        "When all files and rows were last read and compared, since the epoch; 0 for never.",
        labels=LABELS,
    )
    read = CounterMetricFamily(
        "palimpsest_scrub_read_bytes", "Bytes read by the scrub, over restarts.", labels=LABELS
    )
    damaged = GaugeMetricFamily(
        "palimpsest_integrity_damaged",
        "Files, and rows, that the scrub found damaged and that were not made anew.",
        labels=(*LABELS, "kind"),
    )
    met = CounterMetricFamily(
        "palimpsest_integrity_errors",
        "What was found damaged since the opening, made anew or not: files and rows by the scrub, "
        "and what reads met.",
        labels=(*LABELS, "kind"),
    )
    entries = GaugeMetricFamily(
        "palimpsest_lost_found_entries", "Entries of lost+found.", labels=LABELS
    )
    nbytes = GaugeMetricFamily("palimpsest_lost_found_bytes", "Their bytes.", labels=LABELS)
    for name, one in known:
        finished.add_metric([name], one.checked_at or 0)
        read.add_metric([name], one.bytes_read)
        damaged.add_metric([name, "file"], one.damaged_files)
        damaged.add_metric([name, "row"], one.damaged_rows)
        for kind, count in one.met.items():
            met.add_metric([name, kind], count)
        entries.add_metric([name], one.lost_found)
        nbytes.add_metric([name], one.lost_found_bytes)
    yield from (finished, read, damaged, met, entries, nbytes)
