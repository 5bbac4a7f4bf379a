"""Installs the project's locked requirements into a virtual environment, and says how far it is.

``python tools/install.py VENV LOCK [--project]``: makes the environment where it is missing, installs what the lock names, checked
against its hashes, and with ``--project`` this project itself. Started by the Makefile; needs nothing but Python.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

_EVERY_SECONDS = 5.0
#: Packages that bring their own tests, some 80 MB that nothing imports.
_WITH_TESTS = (
    "matplotlib",
    "mpl_toolkits",
    "networkx",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "statsmodels",
)
_PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps", "--no-compile")


def packages_in(lock: Path) -> int:
    """Number of packages that a lock names."""
    return len(re.findall(r"^[\w.-]+(?:\[.*\])?==", lock.read_text(encoding="utf-8"), re.MULTILINE))


def megabytes(folder: Path) -> float:
    """Size of all files below a folder, in MB."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def how_far(log: str, count: int, unpacked: int) -> str:
    """What pip is doing, from what it has printed and the number of packages that are there by now."""
    if "Installing collected packages" in log:
        return f"{min(unpacked, count)} of {count} packages unpacked"
    return f"{len(re.findall('^Collecting ', log, re.MULTILINE))} of {count} packages fetched"


def run_pip(environment: Path, arguments: list[str], count: int) -> None:
    """Run ``pip install`` and print a line every few seconds; ends the program with pip's last lines if it fails."""
    target = next((environment / "lib").glob("python*/site-packages"))
    before = len(list(target.glob("*.dist-info")))
    command = [str(environment / "bin" / "python"), *_PIP, *arguments]
    started = said = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pip.log"
        with path.open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        while process.poll() is None:
            time.sleep(0.2)
            now = time.monotonic()
            if now - said >= _EVERY_SECONDS:
                said = now
                unpacked = len(list(target.glob("*.dist-info"))) - before
                text = path.read_text(encoding="utf-8", errors="replace")
                print(f"  {now - started:4.0f} s  {how_far(text, count, unpacked)}", flush=True)
        if process.returncode:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            wanted = [line for line in lines if not line.startswith("Collecting ")][-15:]
            raise SystemExit("\n".join([*wanted, f"pip ended with code {process.returncode}: see above"]))


def finish(environment: Path) -> None:
    """Take away what nothing imports, and compile the rest on all cores: pip would do that on one."""
    target = next((environment / "lib").glob("python*/site-packages"))
    for name in _WITH_TESTS:
        for folder in sorted((target / name).rglob("tests")):
            shutil.rmtree(folder, ignore_errors=True)
    compiler = [str(environment / "bin" / "python"), "-m", "compileall", "-q", "-j", "0", str(target)]
    # Templates of other packages that are no valid Python are no fault of the installation.
    subprocess.run(compiler, stdout=subprocess.DEVNULL, check=False)


def main() -> int:
    """Install, in steps that are said."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("environment", type=Path)
    parser.add_argument("lock", type=Path)
    parser.add_argument("--disk", default="", help="what to say of the disk it takes")
    parser.add_argument("--project", action="store_true", help="install the project itself too")
    chosen = parser.parse_args()
    if sys.version_info < (3, 11):
        raise SystemExit("Python 3.11 or newer is needed: set PYTHON=/path/to/python3")
    started, count = time.monotonic(), packages_in(chosen.lock)
    said = (
        f"installing {count} packages of {chosen.lock.name} into {chosen.environment}: some minutes, once{chosen.disk}"
    )
    print(said, flush=True)
    if not (chosen.environment / "bin" / "python").exists():
        venv.create(chosen.environment, with_pip=True)
    run_pip(chosen.environment, ["--require-hashes", "--only-binary", ":all:", "-r", str(chosen.lock)], count)
    if chosen.project:
        run_pip(chosen.environment, ["--no-build-isolation", "--editable", "."], 1)
    print(f"  {time.monotonic() - started:4.0f} s  compiling", flush=True)
    finish(chosen.environment)
    print(
        f"installed in {time.monotonic() - started:.0f} s; {chosen.environment} holds {megabytes(chosen.environment):.0f} MB"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
