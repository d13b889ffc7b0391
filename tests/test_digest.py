"""What changes the address of a result, and what does not."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from experiments.digest import code_digest, config_digest

FILES = {
    "theory/__init__.py": '"""Theory."""\nfrom theory import constants\n',
    "theory/constants.py": "PI = 3\n",
    "theory/scores.py": "from .masks import cut\n",
    "theory/masks.py": "def cut():\n    return 1\n",
    "theory/unused.py": "X = 1\n",
    "experiments/__init__.py": "",
    "experiments/data.py": "def digits():\n    import theory.lazy\n    return 1\n",
    "theory/lazy.py": "Y = 1\n",
    "experiments/toy.py": (
        "import math, torch\n"
        "from theory import scores\n"
        "from experiments import data as d\n"
        "from theory.missing import nothing\n"
        "GRID = {'default': (1,)}\n"
        "def run(config):\n"
        "    return [{'x': d.digits() + 2}]\n"
    ),
}

Digest = Callable[[], str]


@pytest.fixture
def digest(tmp_path: Path) -> Digest:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return lambda: code_digest("experiments.toy", tmp_path)


def rewrite(tmp_path: Path, name: str, text: str) -> None:
    assert (tmp_path / name).read_text() != text
    (tmp_path / name).write_text(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("theory/masks.py", "# note\ndef cut( ):\n  'Doc.'\n\n  return (1)  # one\n"),
        ("theory/__init__.py", "from theory import constants\n"),
        ("theory/unused.py", "X = 2\n"),
        ("experiments/__init__.py", '"""Only a docstring."""\n'),
        ("experiments/toy.py", FILES["experiments/toy.py"].replace("(1,)", "(1, 2)")),
        (
            "experiments/toy.py",
            FILES["experiments/toy.py"].replace("GRID =", "GRID: dict ="),
        ),
    ],
)
def test_what_does_not_count(
    tmp_path: Path, digest: Digest, name: str, text: str
) -> None:
    before = digest()
    rewrite(tmp_path, name, text)
    assert digest() == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("theory/masks.py", "def cut():\n    return 2\n"),
        ("theory/masks.py", "def cut():\n    return 1.0\n"),
        ("theory/masks.py", "def cut():\n    return None\n"),
        ("theory/constants.py", "PI = 4\n"),
        ("theory/lazy.py", "Y = 2\n"),
        ("experiments/__init__.py", "import theory.unused\n"),
        ("experiments/toy.py", FILES["experiments/toy.py"].replace("+ 2", "+ 3")),
        ("experiments/toy.py", FILES["experiments/toy.py"].replace("'x'", "'y'")),
    ],
)
def test_what_counts(tmp_path: Path, digest: Digest, name: str, text: str) -> None:
    before = digest()
    rewrite(tmp_path, name, text)
    assert digest() != before


def test_a_module_that_appears_counts(tmp_path: Path, digest: Digest) -> None:
    before = digest()
    (tmp_path / "theory" / "missing.py").write_text("nothing = 0\n")
    assert digest() != before


def package(tmp_path: Path, **modules: str) -> str:
    """Write the modules of a package `theory` and return the digest of theory.a."""
    (tmp_path / "theory").mkdir(exist_ok=True)
    for name, text in modules.items():
        (tmp_path / "theory" / f"{name}.py").write_text(text)
    return code_digest("theory.a", tmp_path)


def test_the_package_of_the_experiment_itself_counts(tmp_path: Path) -> None:
    before = package(tmp_path, a="X = 1\n", __init__="Y = 1\n")
    assert package(tmp_path, __init__="Y = 2\n") != before


def test_a_grid_that_is_imported_is_code(tmp_path: Path) -> None:
    before = package(tmp_path, a="from theory.b import GRID\n", b="GRID = 1\n")
    assert package(tmp_path, b="GRID = 2\n") != before


def test_code_that_moves_between_modules_is_other_code(tmp_path: Path) -> None:
    before = package(
        tmp_path, a="import theory.b, theory.c\n", b="X = 1\n", c="Y = 2\n"
    )
    assert package(tmp_path, b="Y = 2\n", c="X = 1\n") != before


def test_a_syntax_tree_has_the_same_text_for_every_python_version(
    tmp_path: Path, digest: Digest
) -> None:
    # The literal was computed with Python 3.11; a newer one must agree, or every
    # committed row would look stale there.
    rewrite(tmp_path, "theory/masks.py", EVERY_SYNTAX)
    assert digest() == "3753306d"


EVERY_SYNTAX = """
import math
class A(B, metaclass=C):
    x: int = -1
    @property
    def f(self, a, /, b=2, *c, d=None, **e) -> "A":
        y = [i async for i in z if i] if a else {**b, "k": u"\\u00e9", 1: 2j}
        with open(f"{a!r:>{b}} {{}}" "tail") as file, b"\\xff":
            raise ValueError(...) from None
        for i, *j in a[1:2, ..., None]:
            global g
            del j
        else:
            return lambda *, q=1: (yield)
        match a:
            case {"k": [1, *_], **rest} | A(x=None) if (w := b):
                pass
        try:
            assert a <= b < 1e400, not c
        except* (A, B) as error:
            a @= b if c and d or e else ~f
"""


@dataclass(frozen=True)
class Config:
    """Fields of every allowed kind."""

    size: int | float = 1
    widths: tuple[float, ...] = (0.1, float("nan"))
    name: str = "é"


@dataclass(frozen=True)
class Other:
    """The same fields under another name."""

    size: int | float = 1
    widths: tuple[float, ...] = (0.1, float("nan"))
    name: str = "é"


def test_configurations_have_their_own_addresses() -> None:
    configs = [Config(), Config(1.0), Config(2), Config(name="e"), Other()]
    assert len({config_digest(config) for config in configs}) == len(configs)
    assert config_digest(Config()) == config_digest(Config(1, (0.1, float("nan"))))


def test_a_field_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="must be a dataclass whose fields are"):
        config_digest(Config(widths={0.1}))  # type: ignore[arg-type]
