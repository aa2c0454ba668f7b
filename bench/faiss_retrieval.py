"""faiss's exact scan and inverted lists on the vectors in a folder, one thread, one query at a time: milliseconds of each, and what was found."""

import json
import sys
import time
from pathlib import Path

import faiss
import numpy

folder = Path(sys.argv[1])
settings = json.loads((folder / "settings.json").read_text())
count, rounds, wanted = settings["count"], settings["rounds"], settings["recall"]
faiss.omp_set_num_threads(1)
vectors = numpy.fromfile(folder / "vectors.bin", dtype=numpy.float32).reshape(-1, settings["width"])
queries = numpy.fromfile(folder / "queries.bin", dtype=numpy.float32).reshape(-1, settings["width"])
truth = numpy.fromfile(folder / "truth.bin", dtype=numpy.int32).reshape(len(queries), count)


def measured(index, name, parameters, build_seconds):
    found, milliseconds = [], []
    for _ in range(rounds):
        found, took = [], []
        for query in queries:
            started = time.perf_counter()
            _, items = index.search(query[None, :], count)
            took.append((time.perf_counter() - started) * 1000)
            found.append(items[0])
        milliseconds.append(took)
    recall = float(numpy.mean([len(set(one) & set(best)) / count for one, best in zip(found, truth)]))
    return {
        "name": name,
        "settings": parameters,
        "rounds": milliseconds,
        "recall": recall,
        "bytes": len(faiss.serialize_index(index)),
        "buildSeconds": build_seconds,
    }


started = time.perf_counter()
flat = faiss.IndexFlatIP(settings["width"])
flat.add(vectors)
rows = [measured(flat, "exact", "", time.perf_counter() - started)]
del flat
started = time.perf_counter()
lists = int(4 * len(vectors) ** 0.5)
coarse = faiss.IndexFlatIP(settings["width"])
inverted = faiss.IndexIVFFlat(coarse, settings["width"], lists, faiss.METRIC_INNER_PRODUCT)
inverted.cp.seed = 1
inverted.train(vectors[numpy.random.default_rng(1).choice(len(vectors), min(len(vectors), 64 * lists), replace=False)])
inverted.add(vectors)
build_seconds = time.perf_counter() - started
for probes in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512):
    inverted.nprobe = min(probes, lists)
    _, items = inverted.search(queries, count)
    recall = numpy.mean([len(set(one) & set(best)) / count for one, best in zip(items, truth)])
    if recall >= wanted:
        break
rows.append(measured(inverted, "IVF", f"{lists} lists, {inverted.nprobe} probed", build_seconds))
print(json.dumps({"version": faiss.__version__, "rows": rows}))
