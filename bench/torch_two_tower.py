"""Training steps of two towers in PyTorch, of the shape in the first argument (JSON): milliseconds of each until its loss is known. A user's vector is made of
decayed means of the item vectors before it; its target stands against the other targets of the batch and items drawn uniformly, each for as many as it was
expected to be."""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional

shape = json.loads(sys.argv[1])
items, users, length, width = shape["items"], shape["users"], shape["length"], shape["width"]
hidden, dropout, negatives = shape["hidden"], shape["dropout"], shape["negatives"]
device = shape.get("device", "cpu")
torch.manual_seed(1)


class UserTower(nn.Module):
    def __init__(self):
        super().__init__()
        wide = len(shape["decays"]) * width
        # A sum over what stands before and at each place, the further back the less.
        back = (torch.arange(length)[:, None] - torch.arange(length)[None, :]).clamp(min=0)
        shares = torch.stack([torch.tril(decay**back.float()) for decay in shape["decays"]])
        self.register_buffer("shares", shares / shares.sum(2, keepdim=True))
        self.start = nn.Parameter(torch.zeros(1, 1, width).uniform_(-0.03, 0.03))
        self.means, self.user = nn.LayerNorm(wide), nn.LayerNorm(width)
        self.direct, self.inner, self.outer = nn.Linear(wide, width), nn.Linear(wide, hidden), nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors):
        read = torch.cat([self.start.expand(users, 1, width), vectors[:, :-1]], 1)
        means = torch.einsum("dij,ujw->uidw", self.shares, read).reshape(users * length, -1)
        means = self.dropout(self.means(means))
        return self.user(self.direct(means) + self.dropout(self.outer(torch.relu(self.inner(means)))))


table = nn.Embedding(items, width, sparse=True).to(device)
tower = UserTower().to(device)
optimizers = [
    torch.optim.Adam(tower.parameters(), lr=0.002, betas=(0.9, 0.98)),
    torch.optim.SparseAdam(list(table.parameters()), lr=0.002, betas=(0.9, 0.98)),
]
rows = users * length
owner = torch.arange(rows, device=device) // length
times = []
for step in range(shape["steps"]):
    history = (items * torch.rand(users, length) ** 2).long().to(device)
    started = time.perf_counter()
    for optimizer in optimizers:
        optimizer.zero_grad()
    others = torch.randint(0, items, (negatives,), device=device)
    candidates = torch.cat([history.reshape(-1), others])
    vectors = table(candidates)
    user = tower(vectors[:rows].reshape(users, length, width))
    # The share that an item is of all targets: here as it is drawn, the root of a uniform number.
    share = (((candidates + 1) / items).sqrt() - (candidates / items).sqrt()).clamp(min=1e-12)
    scores = user @ vectors.T - torch.log((rows - length) * share + negatives / items)
    # Nothing of the own sequence is a negative, nor is the target.
    own = functional.pad(owner[:, None] == owner[None, :], (0, negatives))
    same = candidates[None, :] == history.reshape(-1)[:, None]
    target = (user * vectors[:rows]).sum(1, keepdim=True)
    logits = torch.cat([target, scores.masked_fill(own | same, float("-inf"))], 1)
    loss = functional.cross_entropy(logits, torch.zeros(rows, dtype=torch.long, device=device))
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    loss.item()
    times.append(1000 * (time.perf_counter() - started))
print(json.dumps({"version": torch.__version__, "milliseconds": times}))
