"""A job's folder as a trainer sees it. README.md beside this file has the contract."""

import json
import pathlib
import re
import shutil
import threading

CONTRACT = "understudy.train/1"


class Cancelled(Exception):
    """Nobody wants the model any more."""


class Job:
    def __init__(self, checkpoints, order):
        if order.get("contract") != CONTRACT:
            raise ValueError(f"The order is of {order.get('contract')}, and this worker knows {CONTRACT}")
        # A name and no path: the order comes from elsewhere.
        if not re.fullmatch(r"[0-9a-f]+~job\.[0-9a-f]+", order["folder"]):
            raise ValueError(f"{order['folder']} is no name of a job's folder")
        self.folder = pathlib.Path(checkpoints) / order["folder"]
        self.name = order["folder"]
        self.work = self.folder / "work"
        self.out = self.folder / "out"
        self.document = json.loads((self.folder / "job.json").read_text(encoding="utf-8"))
        self.params = self.document["params"]
        self.seed = self.document["seed"]
        self.items = self.document["counts"]["items"]
        self.users = self.document["counts"]["users"]
        self.said = {"done": 0, "total": 1, "note": "reading the job"}
        self._cancelled = threading.Event()
        self._then = []
        # What an attempt that died had begun to write is no result.
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()

    def interactions(self):
        """user, item (int32), weight (float32), at_ms (int64) as numpy arrays, by user and time."""
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(self.folder / "interactions.parquet")
        return tuple(table.column(name).to_numpy() for name in ("user", "item", "weight", "at_ms"))

    def vocabulary(self):
        """Item ids; the place of an id is its number."""
        return json.loads((self.folder / "vocabulary.json").read_text(encoding="utf-8"))

    def catalog(self):
        """By number: {title, category, brand, priceMinor} of each item, as far as they are known; None where nothing is."""
        return json.loads((self.folder / "catalog.json").read_text(encoding="utf-8"))

    def progress(self, done, total, note):
        """Tells Temporal how far it is, with the next heartbeat. Call it often: here a cancellation is heard."""
        self.said = {"done": done, "total": total, "note": note}
        if self._cancelled.is_set():
            raise Cancelled(note)

    def when_cancelled(self, then):
        """`then()` is called from another thread: for work that cannot stop to call `progress`."""
        self._then.append(then)

    def cancel(self):
        if not self._cancelled.is_set():
            self._cancelled.set()
            for then in self._then:
                then()

    def write_manifest(self, manifest):
        (self.out / "guest.json").write_text(json.dumps(manifest), encoding="utf-8")


def replace(path, write):
    """Writes a file as a whole: whoever dies in the middle leaves the one of before."""
    beside = path.with_name(path.name + ".new")
    with open(beside, "wb") as file:
        write(file)
    beside.replace(path)
