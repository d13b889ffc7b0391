"""Figure a3: what its caption says of the units that its axes leave out."""

from test_figures import TABLES

from figures import a3_neuron_conservation


def test_units_outside_the_axes_are_counted() -> None:
    rows = TABLES["a3_neuron_conservation"]
    own = rows[(rows["images"] == "digits") & (rows["seed"] == 0)]
    own = own[(own["score"] == "snip") & (own["epochs"] == 20)]
    unit = own["score_in"].abs().mean()
    outside = sum(
        not (1e-3 <= into / unit <= 30 and 1e-3 <= out / unit <= 30)
        for into, out in zip(own["score_in"], own["score_out"], strict=True)
    )
    assert outside > (own["score_in"] == 0).sum() > 0
    text = a3_neuron_conservation.caption(TABLES)
    assert f"SNIP, small VGG trained {outside} of {len(own)}" in text
    assert "synflow," not in text  # all of its units are drawn
