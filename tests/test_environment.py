"""One list of dependencies, one lock, one conda file, one Makefile: held together."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCK_TEXT = (ROOT / "requirements.lock").read_text("utf-8")
LOCK = [Requirement(line) for line in LOCK_TEXT.splitlines()]
README = (ROOT / "README.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
GROUPS: dict[str, list[str]] = PROJECT["dependency-groups"]
# `cluster` is for those who bring a cluster; nothing here needs it.
LOCKED = {
    "dependencies": PROJECT["project"]["dependencies"],
    **{name: group for name, group in GROUPS.items() if name != "cluster"},
}


def python_versions() -> dict[str, str]:
    """The Python version that each file names."""
    patterns = {
        "environment.yml": r"- python=(\S+)",
        "Makefile": r"sys\.version_info < \((\d+, \d+)\)",
        "README.md": r"Python (\d\.\d+) or newer",
    }
    tools = PROJECT["tool"]
    found = {
        "requires-python": PROJECT["project"]["requires-python"].removeprefix(">="),
        "ruff": re.sub(r"py(\d)(\d+)", r"\1.\2", tools["ruff"]["target-version"]),
        "mypy": tools["mypy"]["python_version"],
    }
    for name, pattern in patterns.items():
        text = (ROOT / name).read_text("utf-8")
        found[name] = ",".join(sorted(set(re.findall(pattern, text))))
    return {name: version.replace(", ", ".") for name, version in found.items()}


def test_python_version_is_the_same_everywhere() -> None:
    assert set(python_versions().values()) == {"3.11"}, python_versions()


@pytest.mark.parametrize("group", LOCKED)
def test_lock_satisfies_the_list(group: str) -> None:
    for wanted in map(Requirement, LOCKED[group]):
        pins = [p for p in LOCK if canonicalize_name(p.name) == wanted.name.lower()]
        assert pins, f"{wanted} is not in requirements.lock: run `make lock`"
        for pin in pins:
            (specifier,) = pin.specifier
            assert wanted.specifier.contains(specifier.version), f"{pin}: {wanted}"


def test_lock_has_exact_pins_and_serves_every_platform() -> None:
    for pin in LOCK:
        (specifier,) = pin.specifier
        assert specifier.operator == "==", pin
        assert not pin.url and "+" not in specifier.version, pin
        assert not re.match(r"(nvidia|cuda|triton)(-|$)", pin.name), pin
    assert not re.search(r"--hash|://|^-", LOCK_TEXT, re.MULTILINE)


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize(
    ("system", "platform"), [("Linux", "linux"), ("Darwin", "darwin")]
)
def test_lock_pins_each_package_once(python: str, system: str, platform: str) -> None:
    names = [
        canonicalize_name(pin.name)
        for pin in LOCK
        if pin.marker is None
        or pin.marker.evaluate(
            {
                "python_version": python,
                "python_full_version": f"{python}.0",
                "platform_system": system,
                "sys_platform": platform,
            }
        )
    ]
    assert len(names) == len(set(names))
    assert {"numpy", "torch", "matplotlib"} <= set(names)


def test_conda_brings_the_interpreter_only() -> None:
    text = (ROOT / "environment.yml").read_text("utf-8")
    _, dependencies = text.split("dependencies:\n")
    lines = [line.strip().removeprefix("- ") for line in dependencies.splitlines()]
    assert lines == ["python=3.11", "pip", "make", "pip:", "-r requirements.lock"]
    assert f"name: {PROJECT['project']['name']}\n" in text


def test_readme_gives_a_reason_for_every_dependency() -> None:
    groups = [PROJECT["project"]["dependencies"], *GROUPS.values()]
    for name in (Requirement(line).name for group in groups for line in group):
        row = re.search(rf"^\| .*`{re.escape(name)}`.* \| (.*) \|$", README, re.M)
        assert row and len(row[1].split()) >= 3, f"README has no reason for {name}"


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE))


def test_make_prints_every_target() -> None:
    printed = make(ROOT, {}).stdout.splitlines()
    assert {line.split()[0] for line in printed} == targets()
    assert all(len(line.split()) > 3 and len(line) < 88 for line in printed)
    (phony,) = re.findall(r"^\.PHONY:((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert set(phony.replace("\\", "").split()) == targets()


def test_ci_and_readme_name_targets_that_exist() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    (loop,) = re.findall(r"for target in (.*); do", script)
    order = [*loop.split(), *re.findall(r"^make ([a-z]+)$", script, re.MULTILINE)]
    assert order == "lint typecheck test figures notebooks verify paper".split()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE))
    assert {*order, *named} <= targets()


def test_readme_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_versions_and_licence_agree() -> None:
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    project = PROJECT["project"]
    assert f"\nversion: {project['version']}\n" in citation
    assert f"\nlicense: {project['license']}\n" in citation
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")[:100]


# --- the installation, with a python3 that only pretends ---

INSTALLED = 'mkdir -p .venv/bin; cp "$0" .venv/bin/python; exit 0'
FAKE = """\
#!/bin/sh
case "$*" in
  *version_info*) exit {old} ;;
  --version) echo "Python 3.9.1" ;;
  *ensurepip*) exit {bare} ;;
  *"-m venv"*) echo venv >>log; {venv} ;;
  *"-m pip"*) echo pip >>log; exit {pip} ;;
esac
"""


def make(folder: Path, env: dict[str, str], *words: str) -> CompletedProcess[str]:
    command = [shutil.which("make") or "make", *words]
    # The flags of a make that runs these tests are not for this one.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        command, cwd=folder, env=kept | env, capture_output=True, text=True, check=False
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the Makefile and lock, and a `bin` for what PATH shall have."""
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "touch", "mkdir", "cp", "rm"):
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


def install(clone: Path, **fields: int | str) -> CompletedProcess[str]:
    values = {"old": 0, "bare": 0, "venv": INSTALLED, "pip": 0, **fields}
    python = clone / "bin" / "python3"
    python.write_text(FAKE.format(**values))
    python.chmod(0o755)
    return make(clone, {"PATH": str(clone / "bin")}, ".venv/complete")


def complaint(result: CompletedProcess[str]) -> str:
    """The one line that make printed besides its own closing line."""
    assert result.returncode
    (line,) = [x for x in result.stderr.splitlines() if "***" not in x]
    return str(line)


def test_missing_python_is_said_in_one_line(clone: Path) -> None:
    result = make(clone, {"PATH": str(clone / "bin")}, "test")
    assert complaint(result) == "make: python3 is missing: install Python >= 3.11"


def test_old_python_is_said_in_one_line(clone: Path) -> None:
    line = complaint(install(clone, old=1))
    assert line == "make: Python 3.9.1 is too old: install Python >= 3.11"


def test_missing_venv_is_said_in_one_line(clone: Path) -> None:
    assert "install them (Debian: apt-get" in complaint(install(clone, bare=1))
    assert not (clone / ".venv").exists()


def test_failed_or_killed_installation_does_not_count(clone: Path) -> None:
    assert "make resumes it" in complaint(install(clone, pip=1))
    assert (clone / ".venv" / "bin" / "python").exists()
    assert install(clone, venv="kill -9 $PPID").returncode
    assert not (clone / ".venv" / "complete").exists()
    assert install(clone).returncode == 0
    assert (clone / "log").read_text() == "venv\npip\nvenv\nvenv\npip\n"


def test_installation_happens_once_and_again_when_stale(clone: Path) -> None:
    for _ in range(2):
        assert install(clone).returncode == 0
    assert (clone / "log").read_text() == "venv\npip\n"
    later = (clone / ".venv" / "complete").stat().st_mtime + 10
    os.utime(clone / "requirements.lock", (later, later))
    assert install(clone).returncode == 0
    assert (clone / "log").read_text() == "venv\npip\n" * 2


def test_own_environment_is_left_alone(clone: Path) -> None:
    result = make(clone, {}, "-n", "test", "PYTHON=mine")
    assert result.stdout == "mine -m pytest -n auto\n"
    assert "venv" in make(clone, {}, "-n", "test").stdout
