"""Training steps of SASRec in PyTorch, of the shape in the first argument (JSON): on a CPU, one thread, processor milliseconds of each step; on `device: "cuda"`
milliseconds of each until its loss is known."""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional

shape = json.loads(sys.argv[1])
items, users, length, width = shape["items"], shape["users"], shape["length"], shape["width"]
heads, blocks, dropout, negatives = shape["heads"], shape["blocks"], shape["dropout"], shape["negatives"]
device = shape.get("device", "cpu")
clock = time.process_time if device == "cpu" else time.perf_counter
torch.set_num_threads(1)
torch.manual_seed(1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.before_attention, self.before_inner = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.attended = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, stream):
        parts = self.attention(self.before_attention(stream)).view(users, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts, is_causal=True).transpose(1, 2).reshape(users, length, width)
        stream = stream + self.dropout(self.attended(mixed))
        return stream + self.dropout(self.outer(torch.relu(self.inner(self.before_inner(stream)))))


class SasRec(nn.Module):
    def __init__(self):
        super().__init__()
        # Where few rows of many are touched, only those are changed, as in what it is compared with.
        self.items = nn.Embedding(items + 1, width, sparse=negatives > 0)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.Sequential(*[Block() for _ in range(blocks)])
        self.dropout, self.last = nn.Dropout(dropout), nn.LayerNorm(width)

    def forward(self, history):
        return self.last(self.blocks(self.dropout(width**0.5 * self.items(history) + self.positions.weight)))


model = SasRec().to(device)
dense = [parameter for name, parameter in model.named_parameters() if negatives == 0 or not name.startswith("items.")]
optimizers = [torch.optim.Adam(dense, lr=0.002, betas=(0.9, 0.98))]
if negatives > 0:
    optimizers.append(torch.optim.SparseAdam(list(model.items.parameters()), lr=0.002, betas=(0.9, 0.98)))
times = []
for step in range(shape["steps"]):
    history = (items * torch.rand(users, length) ** 2).long().to(device)
    targets = (items * torch.rand(users * length) ** 2).long().to(device)
    started = clock()
    for optimizer in optimizers:
        optimizer.zero_grad()
    out = model(history).reshape(users * length, width)
    if negatives == 0:
        loss = functional.cross_entropy(out @ model.items.weight[:items].T, targets)
    else:
        others = torch.randint(0, items, (negatives,), device=device)
        wanted = (out * model.items(targets)).sum(1, keepdim=True)
        loss = functional.cross_entropy(torch.cat([wanted, out @ model.items(others).T], 1), torch.zeros(users * length, dtype=torch.long, device=device))
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    loss.item()
    times.append(1000 * (clock() - started))
print(json.dumps({"version": torch.__version__, "milliseconds": times}))
