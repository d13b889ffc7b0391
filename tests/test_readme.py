"""The README's Python runs as it stands, one block after the other."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

README = Path(__file__).parents[1] / "README.md"


def test_the_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S
    )
    assert len(blocks) == 3
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        exec("\n".join(blocks), {})
    printed = capsys.readouterr().out
    assert "3 GELU" in printed and "layers: ('0.weight',)" in printed
    assert "every line of the proof holds" in printed
    found = re.findall(r"^(.+): (\d+) to (\d+) of 22200 weights", printed, re.M)
    for _, low, high in found:
        assert 21000 < int(low) < int(high) < 22200
    assert [name for name, _, _ in found] == ["paper C", "exact", "survivors"]
    saved = np.load("masks.npz")
    assert sum(int(saved[name].sum()) for name in saved) == 222
