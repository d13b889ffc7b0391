# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How far a trained network can be pruned
#
# Zhang, Zhang, Sun and Liu (2024, arXiv 2306.05857) bound the sparsity of a trained
# network by the geometry of its loss: near a minimum $w^*$ the weights whose loss has
# risen by at most $\varepsilon$ form an ellipsoid, and pruning succeeds if the subspace
# of the survivors through the pruned point $w^k$ meets it. Here that cone in closed
# form beside samples, then a small network from its Hessian to its limits, and last
# the committed tables.

# %%
import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits
from torch import nn

from figures.common import read_tables
from theory import model_spectra
from theory.curvature import Hessian
from theory.ellipsoid_cone import EllipsoidCone
from theory.ledger import CLAIMS
from theory.limit_interval import EstimatedLimits
from theory.networks import Network
from theory.operators import dense
from theory.pruning_limit import paper_dimension, removal_order
from theory.removed_direction import along_removed
from theory.reoptimised import largest_removal, nested_losses
from theory.spectral_dimension import cone_dimension
from theory.spectrum import spectrum

torch.set_num_threads(1)
pd.set_option("display.width", 100)

# %% [markdown]
# ## The cone from a point into an ellipsoid
#
# 300 eigenvalues, three of them 100, the others 0.01; $\varepsilon = 0.01$; a point at
# the distance $R$ in a random direction. The statistical dimension of the cone from it
# into the ellipsoid: sampled, bounded by the theorem, and in paper C's form, which uses
# $R$ alone.

# %%
EPSILON, SIZE = 0.01, 300
rng = np.random.default_rng(0)
eigenvalues = model_spectra.spiked(SIZE)
for radius in (0.5, 1.0, 3.0):
    point = model_spectra.isotropic(SIZE, radius, rng=rng)
    sampled = EllipsoidCone(eigenvalues / (2 * EPSILON), point).dimension(400, rng=rng)
    trace, seen = model_spectra.measures(eigenvalues, point)
    found = cone_dimension(trace, seen, SIZE, radius**2, EPSILON)
    paper = paper_dimension(trace, SIZE, radius**2, EPSILON)
    print(
        f"R = {radius}: sampled {sampled.mean:.2f} +- {sampled.error:.2f}, "
        f"theorem {found.low:.2f} to {found.high:.2f}, paper C's form {paper:.2f}"
    )

# %% [markdown]
# ## A network, its curvature and its limits
#
# 64 pixels, ten hidden units, ten classes, trained with an l1 term; curvature of the
# cross-entropy over all images. The Gauss-Newton matrix has no negative eigenvalues.

# %%
pixels, labels = load_digits(return_X_y=True)
x = torch.tensor(pixels / 16, dtype=torch.float64)
y = torch.tensor(labels)
with torch.random.fork_rng():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 10), nn.ReLU(), nn.Linear(10, 10)).double()
optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(600):
    optimiser.zero_grad()
    value = nn.functional.cross_entropy(model(x), y)
    penalty = sum(p.abs().sum() for p in model.parameters())
    (value + 5e-4 * penalty).backward()
    optimiser.step()
batches = zip(x.split(128), y.split(128), strict=True)
with torch.no_grad():
    parts = [nn.functional.cross_entropy(model(a), b) for a, b in batches]
epsilon = float(torch.stack(parts[:-1]).std(correction=0))  # the last one is smaller
print(f"loss {value.item():.4f}, epsilon (deviation of batch losses) {epsilon:.4f}")

network = Network.of(model)
loss = nn.functional.cross_entropy
curvature = Hessian(network, loss, [(x, y)], names=network.prunable, gauss_newton=True)
weights = curvature.coordinates.pack(network.parameters).numpy()
order = removal_order(weights)

# %% [markdown]
# Random probes and two quadrature rules bracket what the whole spectrum says.

# %%
found = spectrum(
    curvature.product,
    curvature.size,
    probes=5,
    steps=60,
    generator=torch.Generator().manual_seed(0),
)
limits = EstimatedLimits(weights, found, epsilon)
along = along_removed(curvature.product, weights, order, steps=60)
for name, limit in {
    "paper C's form": limits.paper(),
    "exact, random subspace": limits.exact(along),
    "exact, survivors' hyperplane": limits.orthogonal(along),
}.items():
    print(
        f"{name:30s}{limit.low / len(weights):.3f} to {limit.high / len(weights):.3f}"
    )

# %% [markdown]
# What can be measured: the loss of the pruned weights themselves, and the least loss of
# the survivors in the quadratic model, a Schur complement, for all counts at once.

# %%
matrix = dense(curvature).numpy()
ridge = 1e-9 * float(np.linalg.eigvalsh(matrix)[-1])
losses = nested_losses(matrix, weights, order, ridge)
again = largest_removal(losses, epsilon)
theta = dict(network.parameters)
base, once = float(loss(network(theta, x), y)), 0
for count in range(len(weights)):
    pruned = torch.tensor(weights)
    pruned[order[:count].copy()] = 0
    values = curvature.coordinates.unpack(pruned)
    if float(loss(network({**theta, **values}, x), y)) <= base + epsilon:
        once = count
print(f"pruned once {once / len(weights):.3f}, re-optimised {again / len(weights):.3f}")

# %% [markdown]
# ## Every small network, with and without l1
#
# From the committed table: predicted limits and measured readings, in percent of the
# prunable weights, means over seeds.

# %%
rows = read_tables()["c5_threshold_table"]
rows = rows[(rows["stage"] == "final") & (rows["factor"] == 1)]
rows = rows[rows["treatment"].isin(["positive", ""]) | rows["treatment"].isna()]
rows = rows[rows["matrix"] != "gauss-newton"]
percent = (100 * rows["removed"] / rows["prunable"]).rename("percent")
table = pd.concat([rows[["case", "strength", "kind", "reading"]], percent], axis=1)
means = table.pivot_table(
    index=["case", "strength"], columns=["kind", "reading"], values="percent"
)
print(means.round(1).T.to_string())

# %% [markdown]
# ## The claims
#
# Both sides in rational arithmetic or by different routes; then every hypothesis
# dropped.

# %%
for claim in CLAIMS:
    if "2306.05857" in claim.source or claim.label == "statistical-dimension":
        print(claim.label)
        for check in claim.checks:
            print("   ", check.family)
        for control in claim.controls:
            print("    without:", control.dropped)
