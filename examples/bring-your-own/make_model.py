"""Makes a guest model from a CSV file of user,item rows: item-to-item co-occurrence as one ONNX graph.

    python make_model.py purchases.csv my-model/

The folder it writes (recommend.onnx, vocabulary.json, guest.json) is all that Understudy needs; see README.md beside it for
the graph's inputs and outputs. Needs numpy and onnx.
"""

import csv
import json
import pathlib
import sys

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

INTERFACE = "understudy.recommend/1"
MAX_HISTORY = 50


def co_occurrence(rows):
    users = sorted({user for user, _ in rows})
    items = sorted({item for _, item in rows})
    user_index = {user: index for index, user in enumerate(users)}
    item_index = {item: index for index, item in enumerate(items)}
    seen = np.zeros((len(users), len(items)), dtype=np.float32)
    for user, item in rows:
        seen[user_index[user], item_index[item]] = 1
    counts = seen.sum(axis=0)
    similarity = seen.T @ seen / np.sqrt(np.outer(counts, counts))
    np.fill_diagonal(similarity, 0)
    # One more row of zeros: the padding index n adds nothing.
    padded = np.vstack([similarity, np.zeros((1, len(items)), dtype=np.float32)]).astype(np.float32)
    popularity = (counts / counts.sum() * 1e-3).astype(np.float32)
    return items, padded, popularity


def build(similarity, popularity):
    n = popularity.shape[0]
    constants = {
        "similarity": similarity,
        "popularity": popularity,
        "one_row": np.array([1, -1], dtype=np.int64),
        "flat": np.array([-1], dtype=np.int64),
        "banned": np.array([-1e9], dtype=np.float32),
        "padding_score": np.array([0], dtype=np.float32),
        "start": np.array([0], dtype=np.int64),
        "end": np.array([n], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["similarity", "history"], ["rows"], axis=0),
        helper.make_node("Reshape", ["history_weight", "one_row"], ["weights"]),
        helper.make_node("MatMul", ["weights", "rows"], ["summed"]),
        helper.make_node("Reshape", ["summed", "flat"], ["personal"]),
        helper.make_node("Add", ["personal", "popularity"], ["scored"]),
        helper.make_node("Add", ["scored", "scope_bias"], ["in_scope"]),
        # Index n of `exclude` means none: it lands on an extra place that is cut off again.
        helper.make_node("Concat", ["in_scope", "padding_score"], ["widened"], axis=0),
        helper.make_node("Shape", ["exclude"], ["exclude_shape"]),
        helper.make_node("Expand", ["banned", "exclude_shape"], ["bans"]),
        helper.make_node("ScatterElements", ["widened", "exclude", "bans"], ["masked"], axis=0),
        helper.make_node("Slice", ["masked", "start", "end"], ["allowed"]),
        helper.make_node("TopK", ["allowed", "count"], ["scores", "items"], axis=0),
    ]
    graph = helper.make_graph(
        nodes,
        "recommend",
        [
            helper.make_tensor_value_info("history", TensorProto.INT64, ["h"]),
            helper.make_tensor_value_info("history_weight", TensorProto.FLOAT, ["h"]),
            helper.make_tensor_value_info("exclude", TensorProto.INT64, ["e"]),
            helper.make_tensor_value_info("scope_bias", TensorProto.FLOAT, [n]),
            helper.make_tensor_value_info("count", TensorProto.INT64, [1]),
        ],
        [
            helper.make_tensor_value_info("items", TensorProto.INT64, ["k"]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["k"]),
        ],
        initializer=[numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    checker.check_model(model)
    return model


def main(source, target):
    with open(source, newline="", encoding="utf-8") as file:
        rows = [(row["user"], row["item"]) for row in csv.DictReader(file)]
    if not rows:
        sys.exit(f"{source} has no rows")
    items, similarity, popularity = co_occurrence(rows)
    folder = pathlib.Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    save(build(similarity, popularity), folder / "recommend.onnx")
    (folder / "vocabulary.json").write_text(json.dumps(items), encoding="utf-8")
    (folder / "guest.json").write_text(
        json.dumps({"interface": INTERFACE, "name": "co-occurrence from Python", "maxHistory": MAX_HISTORY}), encoding="utf-8"
    )
    print(f"{folder}: {len(items)} items")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
