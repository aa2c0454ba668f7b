"""Item to item: the neighbours of each item by the cosine of who had them. Needs numpy, pyarrow and onnx.

params: neighbours (100), shrink (10), blockItems (1000), maxHistory (50)
"""

import numpy as np
from onnx import helper

from graph import INTERFACE, constant, save_recommender
from job import replace


def train(job):
    neighbours = min(int(job.params.get("neighbours", 100)), job.items)
    shrink = float(job.params.get("shrink", 10))
    block = int(job.params.get("blockItems", 1000))
    user, item, _, _ = job.interactions()
    matrix = Matrix(user, item, job.users, job.items)
    blocks = range(0, job.items, block)
    resumed_from = sum((job.work / f"{start}.npz").exists() for start in blocks)
    parts = []
    for done, start in enumerate(blocks):
        # The file of a block is there as a whole or not at all: who is killed begins with the first that is missing.
        path = job.work / f"{start}.npz"
        if not path.exists():
            best = matrix.best(range(start, min(start + block, job.items)), neighbours, shrink)
            replace(path, lambda file: np.savez(file, ids=best[0], cosines=best[1]))
            job.progress(done + 1, len(blocks), f"items from {start}")
        parts.append(np.load(path))
    write(job, np.vstack([part["ids"] for part in parts]), np.vstack([part["cosines"] for part in parts]), matrix.counts)
    return resumed_from


class Matrix:
    """Who had what, once each, both ways."""

    def __init__(self, user, item, users, items):
        pairs = np.unique(user.astype(np.int64) * items + item)
        user, item = pairs // items, pairs % items
        self.items = items
        self.counts = np.bincount(item, minlength=items).astype(np.float64)
        self.item_of = item
        self.user_at = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=users))])
        by_item = np.argsort(item, kind="stable")
        self.user_of = user[by_item]
        self.item_at = np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int64)

    def best(self, rows, neighbours, shrink):
        """ids int64 [rows, neighbours] and cosines float32; what is missing is the padding n with 0."""
        ids = np.full((len(rows), neighbours), self.items, dtype=np.int64)
        cosines = np.zeros((len(rows), neighbours), dtype=np.float32)
        for place, item in enumerate(rows):
            owners = self.user_of[self.item_at[item] : self.item_at[item + 1]]
            if len(owners) == 0:
                continue
            together = np.bincount(np.concatenate([self.item_of[self.user_at[u] : self.user_at[u + 1]] for u in owners]), minlength=self.items)
            together[item] = 0
            score = together / (np.sqrt(self.counts[item] * np.maximum(self.counts, 1)) + shrink)
            # Of equals the lower number, whatever the machine.
            first = np.lexsort((np.arange(self.items), -score))[:neighbours]
            first = first[score[first] > 0]
            ids[place, : len(first)] = first
            cosines[place, : len(first)] = score[first]
        return ids, cosines


def write(job, ids, cosines, counts):
    n, neighbours = ids.shape
    prior = 1e-6 * counts / max(1, counts.max())
    constants = [
        constant("ids", np.vstack([ids, np.full((1, neighbours), n)]), np.int64),
        constant("cosines", np.vstack([cosines, np.zeros((1, neighbours))]), np.float32),
        constant("prior", prior, np.float32),
        constant("nothing", np.zeros(n + 1), np.float32),
        constant("flat", [-1], np.int64),
        constant("last_axis", [1], np.int64),
        constant("start", [0], np.int64),
        constant("end", [n], np.int64),
    ]
    nodes = [
        helper.make_node("Gather", ["ids", "history"], ["near"], axis=0),
        helper.make_node("Gather", ["cosines", "history"], ["how_near"], axis=0),
        helper.make_node("Unsqueeze", ["history_weight", "last_axis"], ["weights"]),
        helper.make_node("Mul", ["how_near", "weights"], ["votes"]),
        helper.make_node("Reshape", ["near", "flat"], ["voted"]),
        helper.make_node("Reshape", ["votes", "flat"], ["flat_votes"]),
        helper.make_node("ScatterElements", ["nothing", "voted", "flat_votes"], ["counted"], axis=0, reduction="add"),
        helper.make_node("Slice", ["counted", "start", "end"], ["of_items"]),
        helper.make_node("Add", ["of_items", "prior"], ["item_scores"]),
    ]
    save_recommender(job.out / "recommend.onnx", nodes, constants, "item_scores", n)
    job.write_manifest({"interface": INTERFACE, "name": "item to item in numpy", "maxHistory": int(job.params.get("maxHistory", 50))})
