# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What was wrong or fragile in the published evidence
#
# The authors of SynFlow (Tanaka et al. 2020, arXiv 2006.05467) published the numbers
# behind their figures, as did those of paper B. What follows of these two touches no
# theorem: these are slips in the experiments, found in those numbers or in the
# authors' scripts, each beside what this package measures. The last points, of paper C,
# whose results are not available to us as numbers, are from runs of this package. The
# sentences of the paper's section come from `figures/evidence.py`; here are the tables
# behind them.

# %%
import pandas as pd

from figures import evidence
from figures.common import read_tables

pd.set_option("display.width", 100)
tables = read_tables()
fig1 = tables["published/fig1_fig6_accuracy"].query("figure == 'fig1'")

# %% [markdown]
# ## The best of all test epochs
#
# Figures 1 and 6 draw the largest test accuracy of any epoch: a choice made on the test
# set. In points above the last epoch:

# %%
lift = fig1["top1_max_over_epochs_percent"] - fig1["top1_final_percent"]
print(lift.groupby(fig1["method"]).agg(["mean", "max"]).round(2).to_string())

# %% [markdown]
# The same for our runs, with an epoch chosen on held-out images beside it:

# %%
ours = tables["a1_layer_collapse"].query("dataset == 'digits' and path == 1")
points = 100 * ours[["best_test_accuracy", "validated_accuracy"]].sub(
    ours["final_accuracy"], axis=0
)
print(points.groupby(ours["method"]).mean().round(2).to_string())

# %% [markdown]
# ## Critical compressions set by hand
#
# log10 of the largest listed compression at which no layer is empty, for each run; and
# where the published curves end.

# %%
whole = fig1.query("layers_fully_pruned == 0")
found = whole.pivot_table(
    index="method", columns="replicate", values="compression_log10", aggfunc="max"
)
found["mean"] = found.mean(axis=1).round(3)
drawn = fig1.query("drawn_in_figure == 1").groupby("method")["compression_log10"].max()
print(found.assign(drawn=drawn).to_string())

# %% [markdown]
# ## Iterative magnitude pruning that was never rewound
#
# Test accuracy, in per cent, before the last training and with nothing pruned. A
# network at its initial values would be at chance, 10.

# %%
imp = tables["published/fig5a_imp_accuracy"].query("compression_log10 == 0")
print(
    imp[["prune_train_iterations", "top1_before_training_percent"]].to_string(
        index=False
    )
)

# %% [markdown]
# Ours, both ways, in per cent: means over seeds of the final accuracy.

# %%
own = tables["a5a_imp_iterations"].query("dataset == 'digits'")
final = 100 * own.pivot_table(
    index="compression_log10", columns=["iterations", "rewind"], values="final_accuracy"
)
print(final.round(1).to_string())

# %% [markdown]
# ## GraSP's sign
#
# Published sums of scores over hidden units are negative. Ours, of $\theta^T Hg$ over
# layers at initialisation, are positive (after training they need not be). So very
# probably the lowest of $-\theta^T Hg$ were removed where GraSP removes the highest.
# What that does to a small network, in points of final accuracy:

# %%
summary = tables["published/fig3_summary"].query("method == 'grasp'")
print(summary[["state", "in_sum", "out_sum"]].to_string(index=False))
layers = tables["a4_layer_size"].query("score == 'grasp'")
positive = (layers["total"] > 0).groupby([layers["architecture"], layers["epochs"]])
print(positive.agg(positive="sum", layers="size").to_string())
mine = tables["a1_layer_collapse"].query("dataset == 'digits'")
signs = 100 * mine.pivot_table(
    index="compression_log10", columns="method", values="final_accuracy"
)
change = signs["grasp-reversed"] - signs["grasp"]
print(change.rename("reversed minus right").round(1).to_string())

# %% [markdown]
# ## Ties
#
# `score > threshold` drops all of a tie. GraSP at compression 2, figure 2:

# %%
layers = tables["published/fig2_layer_fraction"]
tied = layers.query("method == 'grasp' and compression_log2 == 1")
print(f"asked for {int(tied['layer_size'].sum()) // 2:,}")
print(f"kept      {int(tied['weights_remaining'].sum()):,}")

# %% [markdown]
# ## SynFlow collapsed once
#
# The published runs at $10^6$; and ours of VGG-16 at the largest compression possible,
# with the first line of the proof that fails.

# %%
column = ["replicate", "remaining_weights", "layers_fully_pruned"]
largest = fig1.query("method == 'synflow' and compression_log10 == 6")
print(largest[column].to_string(index=False))

# %%
ends = tables["a11_maximal_compression"].groupby("key", sort=False).tail(1)
runs = ends.query("kind != 'precision'").fillna({"failed_line": "none"})
print(
    runs.groupby(["kind", "iterations", "double", "failed_line"])["left"]
    .agg(runs="size", fewest_left="min", most_left="max")
    .to_string()
)

# %% [markdown]
# ## One initialisation
#
# Figure 7 again from the weights that its script draws, and from others.

# %%
cell = "schedule == 'linear' and iterations == 100 and compression_log10 == 3"
theirs = tables["published/fig7_prune_size_ratio"]
theirs = theirs.rename(columns={"pruning_iterations": "iterations"}).query(cell)
print("published", theirs["max_prune_size_over_cut_size"].item())
same = tables["a12_authors_weights"].query(cell)
print(same[["double", "ratio", "at", "left"]].to_string(index=False))
others = tables["a7_schedule"].query("architecture == 'vgg19-imagenet'").query(cell)
print(others["ratio"].describe().round(4).to_string())

# %% [markdown]
# ## All points, as in the paper

# %%
for point in evidence.evidence(tables).split(r"\item ")[1:]:
    print("-", point.strip())
