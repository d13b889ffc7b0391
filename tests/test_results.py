"""The committed tables: made by the committed code, each row with its provenance."""

import json

import pytest

from experiments import catalogue, store, tables
from experiments.digest import key

RESULTS = store.root() / "results"


@pytest.mark.parametrize("name", catalogue.experiment_names())
def test_every_default_row_is_held_by_the_committed_table(name: str) -> None:
    """Fails after a change of theory/ or experiments/: run `make figures`, commit."""
    (experiment,) = catalogue.load([name])
    table = tables.read(name, store.root())
    missing = [
        config
        for config in experiment.profile("default")
        if key(config, experiment.run) not in table
    ]
    assert not missing


@pytest.mark.parametrize("name", catalogue.experiment_names())
def test_every_row_has_provenance(name: str) -> None:
    provenance = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    assert set(provenance) == set(tables.read(name, store.root()))
    for made in provenance.values():
        assert made["commit"] and made["threads"] == 1 and made["wall_seconds"] > 0
