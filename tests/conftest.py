"""Settings of all tests: hypothesis profiles, one thread, no global randomness."""

import os
import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import Phase, settings
from jaxtyping import config

torch.set_num_threads(1)

settings.register_profile("dev", max_examples=25, deadline=None)
settings.register_profile("ci", max_examples=200, derandomize=True, deadline=None)
settings.register_profile("nightly", max_examples=5000, print_blob=True, deadline=None)
settings.register_profile(
    "mutation",  # few and always the same: a mutant must not live or die by chance
    max_examples=8,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    deadline=None,
)
if "MUTANT_UNDER_TEST" in os.environ:  # set by mutmut
    default = "mutation"
else:
    default = "ci" if os.environ.get("CI") == "true" else "dev"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", default))


@pytest.fixture(autouse=True)
def global_randomness() -> Iterator[None]:
    """Fail a test that draws from numpy's global state; reset torch's and Python's.

    torch's may move: the constructor of any layer draws from it. So may Python's:
    beartype, the tests' own type checker, samples the items of a list with it.
    """
    python, legacy = random.getstate(), str(np.random.get_state())
    generator = torch.get_rng_state()
    yield
    random.setstate(python)
    torch.set_rng_state(generator)
    assert str(np.random.get_state()) == legacy, "numpy's global state was used"


@pytest.fixture
def unchecked_types() -> Iterator[None]:
    """Let a wrong type through to the code's own error, as it is for users."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
