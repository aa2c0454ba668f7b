"""The peer of `npm run bench -- data`: the same steps over the same file with polars, each timed. Prints JSON.

Usage: polars_data.py FOLDER OUT, where FOLDER has generated.parquet and next/generated.parquet
"""

import json
import os
import resource
import sys
import time

os.environ.setdefault("POLARS_MAX_THREADS", "2")

import polars as pl  # noqa: E402

KINDS = ["impression", "view", "click", "skip", "dwell", "add-to-cart", "purchase", "return", "rating"]
SAME = ["kind", "user_id", "session_id", "item_id", "at_ms", "quantity", "unit_price_minor"]
ID = r"^[^\p{Cc}\p{Z}]([^\p{Cc}]*[^\p{Cc}\p{Z}])?$"
LATEST_MS = 253_402_214_399_999


def cell(name):
    text = pl.col(name).str.strip_chars()
    return pl.when(text != "").then(text)


def malformed(name):
    return pl.col(name).is_not_null() & (~pl.col(name).str.contains(ID) | (pl.col(name).str.len_chars() > 128))


def outside(name, least, most):
    return pl.col(name).is_not_null() & ~pl.col(name).is_between(least, most)


RULES = [
    ("missing-item", pl.col("item_id").is_null()),
    ("malformed-item", malformed("item_id")),
    ("missing-session", pl.col("session_id").is_null()),
    ("malformed-session", malformed("session_id")),
    ("malformed-user", malformed("user_id")),
    ("missing-event-id", pl.col("event_id").is_null()),
    ("malformed-event-id", malformed("event_id")),
    ("unknown-kind", pl.col("kind").is_null() | ~pl.col("kind").is_in(KINDS)),
    ("missing-time", pl.col("at_ms").is_null()),
    ("time-out-of-range", pl.col("at_ms").is_not_null() & ((pl.col("at_ms") < 0) | (pl.col("at_ms") > LATEST_MS))),
    ("bad-quantity", outside("quantity", 1, 1_000_000)),
    ("bad-price", outside("unit_price_minor", 0, 1_000_000_000)),
]


def ingest(source, folder, now_ms):
    """Map, judge, tell repeats, put aside, and write one file a day in the order of time and id."""
    rows = (
        pl.scan_parquet(source)
        .with_row_index("raw_line", offset=1)
        .with_columns(
            cell("event_id"), cell("user_id"), cell("session_id"), cell("item_id"), cell("kind").str.to_lowercase(),
            (pl.col("price") * 100).round(0).cast(pl.Int64).alias("unit_price_minor"),
        )
    )
    reason = pl.lit(None, dtype=pl.String)
    future = ("in-the-future", pl.col("at_ms") > now_ms + 86_400_000)
    for name, broken in reversed([*RULES, future]):
        reason = pl.when(broken).then(pl.lit(name)).otherwise(reason)
    judged = rows.with_columns(reason.alias("fate")).collect()
    sound = judged.filter(pl.col("fate").is_null())
    several = sound.filter(pl.col("event_id").is_duplicated()).sort("raw_line")
    first = several.unique("event_id", keep="first", maintain_order=True)
    later = several.join(first.select("raw_line"), on="raw_line", how="anti").join(first, on="event_id", suffix="_first")
    same = pl.all_horizontal(*[pl.col(name).eq_missing(pl.col(f"{name}_first")) for name in SAME])
    fates = later.select("raw_line", pl.when(same).then(pl.lit("duplicate")).otherwise(pl.lit("event-id-conflict")).alias("fate"))
    # A visitor's minute with more than 120 events.
    unit = pl.coalesce("u:" + pl.col("user_id"), "s:" + pl.col("session_id"))
    accepted = sound.join(fates, on="raw_line", how="anti")
    minutes = accepted.filter(pl.col("kind") != "purchase").group_by(unit.alias("unit"), pl.col("at_ms") // 60_000).len()
    busy = minutes.filter(pl.col("len") > 120).height
    aside = pl.concat([
        judged.filter(pl.col("fate").is_not_null()),
        sound.drop("fate").join(fates.filter(pl.col("fate") != "duplicate"), on="raw_line"),
    ])
    aside.write_parquet(os.path.join(folder, "quarantine.parquet"))
    read, put_aside = judged.height, aside.height
    del judged, sound, several, first, later, aside
    accepted.group_by("item_id").agg(pl.col("at_ms").min().alias("from_ms"), pl.col("at_ms").max().alias("until_ms"), pl.col("unit_price_minor").last())
    day = pl.from_epoch("at_ms", time_unit="ms").dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/London").dt.date()
    accepted = accepted.select(
        day.alias("day"), "event_id", "kind", "user_id", "session_id", "item_id", "at_ms", "quantity", "unit_price_minor"
    ).sort("at_ms", "event_id")
    days = []
    for (of,), part in accepted.partition_by("day", as_dict=True, maintain_order=True).items():
        path = os.path.join(folder, f"{of}.parquet")
        part.drop("day").write_parquet(path, compression="zstd", compression_level=3, row_group_size=122_880)
        with open(path, "rb") as written:
            os.fsync(written.fileno())
        days.append(str(of))
    counts = {"input": read, "accepted": accepted.height, "aside": put_aside, "duplicates": fates.filter(pl.col("fate") == "duplicate").height, "busy": busy}
    return counts, sorted(days)


def sessionize(folder, gap_ms):
    """Sessions end where a unit is silent for longer than the gap."""
    unit = pl.coalesce("u:" + pl.col("user_id"), "s:" + pl.col("session_id"))
    events = pl.scan_parquet(os.path.join(folder, "2*.parquet")).select(unit.alias("unit"), "at_ms", "event_id")
    ordered = events.sort("unit", "at_ms", "event_id")
    begins = (pl.col("unit") != pl.col("unit").shift(1)) | (pl.col("at_ms") - pl.col("at_ms").shift(1) > gap_ms)
    numbered = ordered.with_columns(begins.fill_null(True).cum_sum().alias("session"))
    sessions = numbered.group_by("session", maintain_order=True).agg(
        pl.col("unit").first(), pl.col("event_id").first(), pl.col("at_ms").min().alias("from_ms"), pl.col("at_ms").max().alias("to_ms"), pl.len().alias("events")
    )
    return sessions.collect().height


def split(folder, days, train_days, test_days):
    """The last days are the test part; of the train part what says that somebody wanted something, as unit and item numbers in order."""
    train = days[-train_days - test_days : -test_days]
    unit = pl.coalesce("u:" + pl.col("user_id"), "s:" + pl.col("session_id"))
    files = [os.path.join(folder, f"{day}.parquet") for day in train]
    told = pl.scan_parquet(files).filter(pl.col("kind").is_in(["purchase", "add-to-cart"])).select(unit.alias("unit"), "item_id", "kind", "at_ms", "event_id").collect()
    units = told.select(pl.col("unit").unique().sort()).with_row_index("u")
    items = told.select(pl.col("item_id").unique().sort()).with_row_index("i")
    rows = told.join(units, on="unit").join(items, on="item_id").sort("u", "at_ms", "i", "event_id").select("u", "i", "kind", "at_ms")
    return rows.height


def main():
    source, folder = sys.argv[1:3]
    os.makedirs(folder)
    seconds, cpu = {}, {}

    def timed(name, work):
        started, before = time.perf_counter(), time.process_time()
        result = work()
        seconds[name], cpu[name] = time.perf_counter() - started, time.process_time() - before
        return result

    now_ms = 1_775_001_600_000
    counts, days = timed("ingest", lambda: ingest(os.path.join(source, "generated.parquet"), folder, now_ms))
    sessions = timed("sessionize", lambda: sessionize(folder, 1_800_000))
    interactions = timed("split", lambda: split(folder, days, 28, 7))
    # The next day comes in; which days the window is of is then a list.
    timed("rotate", lambda: ingest(os.path.join(source, "next", "generated.parquet"), folder, now_ms))
    print(json.dumps({
        "version": pl.__version__, "seconds": seconds, "cpuSeconds": cpu, "counts": counts, "sessions": sessions, "interactions": interactions,
        "maxMemoryMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


main()
