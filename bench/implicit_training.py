"""implicit's weighted ALS on the matrix in a folder: the seconds of each sweep, and the factors after each of the sweeps that are named."""

import json
import sys
import time
from pathlib import Path

import implicit
import numpy
import scipy.sparse
import threadpoolctl
from implicit.cpu._als import least_squares_cg

folder = Path(sys.argv[1])
settings = json.loads((folder / "settings.json").read_text())
threads = settings["threads"]
threadpoolctl.threadpool_limits(1, "blas")

indptr = numpy.fromfile(folder / "indptr.bin", dtype=numpy.uint32).astype(numpy.int32)
columns = numpy.fromfile(folder / "columns.bin", dtype=numpy.uint32).astype(numpy.int32)
values = numpy.full(len(columns), settings["confidence"], dtype=numpy.float32)
by_user = scipy.sparse.csr_matrix((values, columns, indptr), shape=(settings["users"], settings["items"]))
by_item = by_user.T.tocsr()
items = numpy.fromfile(folder / "items.bin", dtype=numpy.float32).reshape(settings["items"], settings["factors"])
users = numpy.zeros((settings["users"], settings["factors"]), dtype=numpy.float32)

seconds = []
for sweep in range(settings["sweeps"]):
    started = time.perf_counter()
    least_squares_cg(by_user, users, items, settings["regularization"], num_threads=threads, cg_steps=settings["steps"])
    least_squares_cg(by_item, items, users, settings["regularization"], num_threads=threads, cg_steps=settings["steps"])
    seconds.append(time.perf_counter() - started)
    users.tofile(folder / f"peer-users-{sweep}.bin")
    items.tofile(folder / f"peer-items-{sweep}.bin")
print(json.dumps({"version": implicit.__version__, "seconds": seconds}))
