"""One JSON record a configuration: written atomically, checked when read, never edited.

Everything lives under one folder, `root()`: raw records in records/<experiment>/, which
git ignores, and the tables made from them in results/, which are committed.
"""

import contextlib
import hashlib
import json
import os
import tempfile
import uuid
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Row = dict[str, str | int | float]


@dataclass(frozen=True)
class Record:
    """What one configuration gave: tidy rows, and how they were made."""

    key: str
    config: dict[str, Any]
    rows: list[Row]
    provenance: dict[str, Any]


def root() -> Path:
    """Return the folder of records and results: PRUNING_RESULTS, or this package's."""
    default = Path(__file__).parent
    return Path(os.environ.get("PRUNING_RESULTS") or default).expanduser().resolve()


def record_path(folder: Path, experiment: str, key: str) -> Path:
    """Return where the record of `key` lies under a root folder."""
    return folder / "records" / experiment / f"{key}.json"


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or, whatever happens, as it was before.

    Raises:
        OSError: The file could not be written; the old one, if any, is intact.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own for each writer: two shards may make the same file at once.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def probe(folder: Path) -> None:
    """Check that files can be written in a folder, before hours are spent on them.

    Raises:
        OSError: They cannot; the message says what to do.
    """
    trial = folder / f"probe-{uuid.uuid4().hex}"
    try:
        write_atomic(trial, b"can a file be written here?\n")
        trial.unlink()
    except OSError as error:
        raise OSError(
            f"cannot write in {folder} ({error.strerror or error}); nothing was "
            "computed. Make it writable or free space, or set PRUNING_RESULTS to "
            "another folder (copy results/ there to keep the rows of the tables)"
        ) from error


def save(path: Path, record: Record) -> None:
    """Write a record; if its folder refuses it, keep it in the temporary folder.

    Raises:
        OSError: The record is not at `path`; the message says where it is instead.
    """
    text = json.dumps({**asdict(record), "digest": _digest(record)}, indent=1) + "\n"
    try:
        write_atomic(path, text.encode())
    except OSError as error:
        refuge = Path(tempfile.gettempdir()) / f"{path.parent.name}-{path.name}"
        write_atomic(refuge, text.encode())
        raise OSError(
            f"cannot write {path} ({error.strerror or error}). Nothing is lost: the "
            f"record is in {refuge}; once there is room, copy it to {path}"
        ) from error


def load(path: Path) -> Record | None:
    """Return a record, or None when it is missing or, with a warning, corrupted."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return _parsed(content, path.stem)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        warnings.warn(
            f"{path} is corrupted ({type(error).__name__}: {error}) and counts as "
            "missing: run computes it again unless the committed table has its rows",
            stacklevel=2,
        )
        return None


def _parsed(content: bytes, key: str) -> Record:
    fields = json.loads(content)
    stated = fields.pop("digest")
    record = Record(**fields)
    if stated != _digest(record):
        raise ValueError("its content does not fit its digest")
    if record.key != key:
        raise ValueError(f"it is the record of {record.key}")
    return record


def _digest(record: Record) -> str:
    """Return the checksum of a record, the same before and after a JSON round trip."""
    return hashlib.sha256(json.dumps(asdict(record)).encode()).hexdigest()
