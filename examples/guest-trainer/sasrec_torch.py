"""SASRec in PyTorch (Kang and McAuley 2018), trained by a softmax over sampled items. Needs torch, numpy, pyarrow, onnx and onnxscript.

params: dimensions (64), blocks (2), heads (2), dropout (0.2), maxHistory (50), epochs (20), batch (128), rate (0.001), negatives (512)
"""

import copy

import numpy as np
import onnx
import torch
from torch import nn

from graph import INTERFACE, save_recommender
from job import replace


class SasRec(nn.Module):
    def __init__(self, items, dimensions, blocks, heads, dropout, length):
        super().__init__()
        self.items, self.heads, self.length = items, heads, length
        self.item = nn.Embedding(items + 1, dimensions, padding_idx=items)
        self.place = nn.Embedding(length, dimensions)
        nn.init.normal_(self.item.weight[:items], std=0.02)
        nn.init.normal_(self.place.weight, std=0.02)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "before": nn.LayerNorm(dimensions),
                    "qkv": nn.Linear(dimensions, 3 * dimensions),
                    "out": nn.Linear(dimensions, dimensions),
                    "between": nn.LayerNorm(dimensions),
                    "wide": nn.Linear(dimensions, 4 * dimensions),
                    "narrow": nn.Linear(4 * dimensions, dimensions),
                }
            )
            for _ in range(blocks)
        )
        self.last = nn.LayerNorm(dimensions)

    def forward(self, history):
        """history int64 [b, h], the most recent last, padding on the left -> float32 [b, h, dimensions]."""
        batch, h = history.shape
        # Places are counted from the end, so that a short history stands where it stands in a long one.
        places = torch.arange(self.length, device=history.device)[self.length - h :]
        x = self.dropout(self.item(history) + self.place(places))
        later = torch.ones(self.length, self.length, device=history.device).triu(1)[:h, :h]
        # Not infinity: of a history that is nothing but padding, all would be equally far away and none a number.
        hidden = -1e9 * torch.clamp(later + (history == self.items).float().unsqueeze(1), max=1).unsqueeze(1)
        for block in self.blocks:
            q, k, v = block["qkv"](block["before"](x)).view(batch, h, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            near = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + hidden, dim=-1)
            mixed = (self.dropout(near) @ v).transpose(1, 2).reshape(batch, h, -1)
            x = x + self.dropout(block["out"](mixed))
            x = x + self.dropout(block["narrow"](torch.relu(block["wide"](block["between"](x)))))
        return self.last(x)


class Scores(nn.Module):
    """What the graph computes: history int64 [h] -> a score for each item, float32 [n]."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, history):
        return self.model.item.weight[: self.model.items] @ self.model(history.unsqueeze(0))[0, -1]


def train(job):
    params = {"dimensions": 64, "blocks": 2, "heads": 2, "dropout": 0.2, "maxHistory": 50, "epochs": 20, "batch": 128, "rate": 0.001, "negatives": 512}
    params.update(job.params)
    torch.manual_seed(job.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    length = int(params["maxHistory"])
    rows = sequences(job, length)
    model = SasRec(job.items, params["dimensions"], params["blocks"], params["heads"], params["dropout"], length).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=params["rate"], betas=(0.9, 0.98))
    checkpoint = job.work / "epoch.pt"
    done = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["done"]
    resumed_from, epochs = done, int(params["epochs"])
    for epoch in range(done, epochs):
        # Of the epoch alone: who goes on draws what who went through drew.
        torch.manual_seed(job.seed * 1_000_003 + epoch)
        loss = run_epoch(job, model, optimizer, rows, device, params, epoch)
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "done": epoch + 1}
        replace(checkpoint, lambda file: torch.save(state, file))
        job.progress(epoch + 1, epochs, f"epoch {epoch + 1} of {epochs}, loss {loss:.4f}")
    export(job, model, length)
    return resumed_from


def sequences(job, length):
    """int64 [users, length + 1]: what each had last, the padding n on the left."""
    user, item, _, _ = job.interactions()
    rows = np.full((job.users, length + 1), job.items, dtype=np.int64)
    ends = np.cumsum(np.bincount(user, minlength=job.users))
    for number, end in enumerate(ends):
        start = max(ends[number - 1] if number > 0 else 0, end - length - 1)
        rows[number, length + 1 - (end - start) :] = item[start:end]
    return torch.from_numpy(rows[(rows != job.items).sum(axis=1) > 1])


def run_epoch(job, model, optimizer, rows, device, params, epoch):
    model.train()
    total = batches = 0
    order = torch.randperm(len(rows)).split(int(params["batch"]))
    for number, chosen in enumerate(order):
        row = rows[chosen].to(device)
        history, wanted = row[:, :-1], row[:, 1:]
        asked = history != job.items
        user, wanted = model(history)[asked], wanted[asked]
        others = torch.randint(0, job.items, (int(params["negatives"]),), device=device)
        against = user @ model.item(others).T
        # One that happens to be what is wanted is no other.
        against = against.masked_fill(others.unsqueeze(0) == wanted.unsqueeze(1), -1e9)
        own = (user * model.item(wanted)).sum(dim=1, keepdim=True)
        loss = nn.functional.cross_entropy(torch.cat([own, against], dim=1), torch.zeros(len(user), dtype=torch.long, device=device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, batches = total + loss.item(), batches + 1
        job.progress(epoch, int(params["epochs"]), f"epoch {epoch + 1}, batch {number + 1} of {len(order)}")
    return total / max(1, batches)


def export(job, model, length):
    scores = Scores(copy.deepcopy(model).cpu()).eval()
    path = job.work / "scores.onnx"
    example = torch.arange(3) % job.items
    h = torch.export.Dim("h", min=1, max=length)
    torch.onnx.export(
        scores, (example,), str(path), dynamo=True, opset_version=18, external_data=False,
        input_names=["history"], output_names=["item_scores"], dynamic_shapes={"history": {0: h}},
    )  # fmt: skip
    graph = onnx.load(path).graph
    save_recommender(job.out / "recommend.onnx", graph.node, graph.initializer, "item_scores", job.items)
    job.write_manifest({"interface": INTERFACE, "name": "SASRec in PyTorch", "maxHistory": length})
