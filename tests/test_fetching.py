"""Downloads are verified, and what cannot be downloaded says what to do.

The server is on this machine's loopback address and serves archives made here.
"""

import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import tiny_archives

from experiments import data, fetching
from experiments.vision import torchvision


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the loopback address that serves it."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{served.server_port}/"
        served.shutdown()
        thread.join()


def test_fetching_mnist_verifies_what_arrives(
    server: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    tiny_archives.write_mnist(folder, monkeypatch)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [address + "MNIST/raw/"])
    fetching.fetch("mnist", tmp_path / "mine")
    assert len(data.load("mnist", root=tmp_path / "mine").test.labels) == 20
    (folder / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"other")
    fetching.fetch("mnist", tmp_path / "mine")  # all there: nothing is downloaded
    with pytest.raises(RuntimeError, match="corrupted"):
        fetching.fetch("mnist", tmp_path / "new")


def test_fetching_tiny_imagenet_verifies_and_unpacks(
    server: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    tiny_archives.write_tiny_imagenet(tmp_path / "made", monkeypatch)
    archive = folder / "tiny-imagenet-200.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted((tmp_path / "made").rglob("*")):
            packed.write(file, file.relative_to(tmp_path / "made"))
    url = address + archive.name
    monkeypatch.setattr(fetching, "TINY_IMAGENET", (url, "0" * 32))
    with pytest.raises(RuntimeError, match="corrupted"):
        fetching.fetch("tiny-imagenet", tmp_path / "bad")
    monkeypatch.setattr(
        fetching, "TINY_IMAGENET", (url, tiny_archives.checksum(archive))
    )
    fetching.fetch("tiny-imagenet", tmp_path / "mine")
    assert data.load("tiny-imagenet", root=tmp_path / "mine").classes == 2


def test_what_no_command_fetches_says_what_to_do_by_hand(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"lossy copy.* git clone") as caught:
        data.load("cifar10-jpeg", root=tmp_path)
    assert "Fetch it with" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="lossy copy"):
        fetching.fetch("cifar10-jpeg", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"devkit.* licence"):
        fetching.fetch("imagenet", tmp_path)


def test_command_line_fetches_or_says_why_not(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "experiments.data", "fetch", "digits"]
    repository = Path(__file__).parents[1]
    run = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "digits is ready\n")
    with pytest.raises(SystemExit, match=r"^fetch cifar10-jpeg failed: data set"):
        fetching.command("fetch", "cifar10-jpeg", root=tmp_path)
