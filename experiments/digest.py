"""Content addresses: what a configuration is, and what the code is that runs it.

The code digest covers the experiment's module and everything local it imports,
transitively and by static analysis of the import statements; modules that are only
named in strings (`importlib.import_module`) are not seen. Comments, docstrings and
formatting do not count, nor does the `GRID` of the experiment itself, so that adding a
configuration orphans no result.
"""

import ast
import functools
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

LOCAL = ("theory", "experiments")
"""The packages whose source counts; all others are pinned by requirements.lock."""


def key(config: Any, run: Callable[..., Any]) -> str:
    """Return "<8 hex of the configuration>-<8 hex of the code>"."""
    module = sys.modules[run.__module__]
    if module.__file__ is None:
        raise ValueError(f"{run!r} must be defined in a file, not interactively")
    checkout = Path(module.__file__).resolve().parents[module.__name__.count(".")]
    return f"{config_digest(config)}-{code_digest(module.__name__, checkout)}"


def config_digest(config: Any) -> str:
    """Return 8 hex digits of the class name and the fields of a dataclass instance.

    Raises:
        TypeError: A field is not a string, a number, a bool or a tuple of these.
    """
    name = type(config).__qualname__
    try:
        text = name + json.dumps(asdict(config), sort_keys=True)
    except TypeError as error:
        raise TypeError(
            f"{config!r} must be a dataclass whose fields are str, int, float, bool or "
            f"tuples of these ({error})"
        ) from error
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def code_digest(module: str, checkout: Path) -> str:
    """Return 8 hex digits of the code of `module` and of all it imports from LOCAL."""
    skeletons: dict[str, str] = {}
    waiting = _prefixes(module)
    while waiting:
        name = waiting.pop()
        path = None if name in skeletons else _source(name, checkout)
        if path is not None:
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            source = path.read_text(encoding="utf-8")
            skeletons[name], imports = _parsed(source, package, name == module)
            waiting |= imports
    text = "\n".join(f"{name} {skeletons[name]}" for name in sorted(skeletons))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _source(name: str, checkout: Path) -> Path | None:
    """Return the file of a local module, None for attributes and other packages."""
    parts = name.split(".")
    if parts[0] not in LOCAL:
        return None
    base = checkout.joinpath(*parts)
    paths = (base / "__init__.py", base.with_name(f"{base.name}.py"))
    return next((path for path in paths if path.is_file()), None)


# Keyed on the source text itself, so an edited file is always parsed again.
@functools.cache
def _parsed(source: str, package: str, drop_grid: bool) -> tuple[str, frozenset[str]]:
    """Return the code without what does not count, and the names it may import."""
    tree = ast.parse(source)
    imports = frozenset(_imports(tree, package))
    if drop_grid:
        tree.body = [statement for statement in tree.body if not _is_grid(statement)]
    return _skeleton(tree), imports


def _is_grid(statement: ast.stmt) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id="GRID")]):
            return True
        case ast.AnnAssign(target=ast.Name(id="GRID")):
            return True
    return False


def _is_docstring(node: object) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _skeleton(node: object) -> str:
    """Return a text of the syntax tree that is the same for every Python version.

    `ast.dump` is not: new versions add fields (`type_params`) and omit empty ones.
    Empty fields are therefore left out here, whatever the version.
    """
    match node:
        case ast.AST():
            fields = [
                f"{name}={text}"
                for name, value in ast.iter_fields(node)
                if name != "kind" and (text := _skeleton(value))
            ]
            return f"{type(node).__name__}({', '.join(fields)})"
        case list():
            kept = [_skeleton(item) for item in node if not _is_docstring(item)]
            return f"[{', '.join(kept)}]" if kept else ""
        case None:
            return ""
    return ascii(node)


def _imports(tree: ast.AST, package: str) -> set[str]:
    """Return the dotted names that importing could load, their parents included."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    found |= _prefixes(alias.name)
            case ast.ImportFrom():
                parts = package.split(".")
                parts = parts[: len(parts) + 1 - node.level] if node.level else []
                base = ".".join([*parts, *filter(None, [node.module])])
                for alias in node.names:
                    found |= _prefixes(f"{base}.{alias.name}")
    return found


def _prefixes(name: str) -> set[str]:
    """Return a.b.c, a.b and a for a.b.c: importing a module runs its parents too."""
    parts = name.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
