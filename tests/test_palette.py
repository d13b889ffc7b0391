"""The palette's colours stay apart for every kind of colour vision."""

import itertools

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.typing import NDArray

from figures import common

# Machado, Oliveira, Fernandes, "A physiologically-based model for simulation of color
# vision deficiency", 2009: the matrices of severity 1, for linear RGB.
DEFICIENCY = {
    "none": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# sRGB to CIE XYZ with white D65 (IEC 61966-2-1), rows divided by the white point.
XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
XYZ = XYZ / XYZ.sum(axis=1, keepdims=True)


def seen(colour: str, deficiency: str) -> NDArray[np.float64]:
    """CIE L*a*b* of a colour as seen with a deficiency."""
    srgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(DEFICIENCY[deficiency] @ linear, 0, 1)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def nearest(colours: list[str], deficiency: str) -> float:
    pairs = itertools.combinations([seen(c, deficiency) for c in colours], 2)
    return min(float(np.linalg.norm(a - b)) for a, b in pairs)


@pytest.mark.parametrize("deficiency", DEFICIENCY)
def test_colours_stay_apart(deficiency: str) -> None:
    with plt.style.context(common.STYLE, after_reset=True):
        cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()
    # The least difference that is seen at all is 2.3 (Mahy et al. 1994); 10 is ours.
    # Markers serve whoever sees no colour.
    assert nearest([*cycle["color"], "white"], deficiency) >= 10
    assert len(set(cycle["marker"])) == len(cycle["marker"]) == len(cycle["color"])


def test_colours_too_close_are_seen() -> None:
    tableau = [f"C{i}" for i in range(10)]  # matplotlib's own default cycle
    assert nearest(tableau, "none") >= 10 > nearest(tableau, "deuteranopia")
    np.testing.assert_allclose(seen("white", "none"), [100, 0, 0], atol=1e-4)
