"""The registry: what there is, found without torch; loaded once, by name or from a folder."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xattn_viz.models import families, registry
from xattn_viz.models.base import Adapter, ModelCard, ModelError, ModelWarning
from xattn_viz.models.registry import Family


def test_cards_need_no_torch() -> None:
    code = (
        "import sys; from xattn_viz.models import registry; names = [c.name for c in registry.cards()]; "
        "assert 'torch' not in sys.modules and 'sentencepiece' not in sys.modules, 'heavy'; print(*names)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"firefox-en-pt", "firefox-pt-en"} <= set(run.stdout.split())


def test_names_are_unique_and_cards_complete() -> None:
    cards = registry.cards()
    assert len({card.name for card in cards}) == len(cards)
    for card in cards:
        assert card.family in registry.families()
        assert card.title
        assert card.licence
        assert card.credit


def test_whatever_lies_beside_the_families_the_cards_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_helper.py").write_text("COUNT = 3")
    (tmp_path / "a_package").mkdir()
    (tmp_path / "a_package" / "__init__.py").write_text("from xattn_viz.models.base import Adapter")
    (tmp_path / "a_broken_one.py").write_text("import a_library_that_nobody_has")
    before = registry.cards()
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    registry.families.cache_clear()
    try:
        with pytest.warns(ModelWarning, match="a_broken_one cannot be used: No module named 'a_library_that"):
            assert registry.cards() == before
    finally:
        registry.families.cache_clear()


def test_a_family_needs_no_more_than_its_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "tiny_family"
    package.mkdir()
    (package / "__init__.py").touch()
    loading = "def load(name, **options):\n    return name, options\n\ndef tiny():\n    return 'tiny'"
    (package / "loading.py").write_text(loading)
    monkeypatch.syspath_prepend(str(tmp_path))
    card = ModelCard("a", "A", "tiny_family", "MIT", "nobody")
    family: Family[Any] = Family("tiny_family", [card])
    assert family.load("a", revision="main") == ("a", {"revision": "main"})
    assert family.example() == "tiny"
    assert family.card_of("a") == card
    assert family.card_of("b") is None
    assert not family.recognises(tmp_path)
    assert not family.downloads("somebody/a")
    monkeypatch.setattr(Family, "needs", {"a_library_that_nobody_has": "It needs a library."})
    with pytest.raises(ModelError, match="It needs a library"):
        family.example()


def test_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model or folder named 'nonsense'.*firefox-en-pt"):
        registry.load("nonsense")
    with pytest.raises(ModelError, match="holds no model of a known family"):
        registry.load(tmp_path)


def test_eight_threads_load_once(make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, family = make_folder(), registry.families()["firefox"]
    calls, load, loaded = [], family.load, list[Adapter]()
    start = threading.Barrier(8)

    def counted(name: str, **options: Any) -> Adapter:
        calls.append(name)
        return load(name, **options)

    def ask() -> None:
        start.wait()
        loaded.append(registry.load(folder))

    monkeypatch.setattr(family, "load", counted)
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len(loaded) == 8
    assert len({id(adapter) for adapter in loaded}) == 1


def test_a_failed_load_is_tried_again(make_folder: Callable[..., Path]) -> None:
    folder = make_folder()
    model = folder / "model.enpt.intgemm.alphas.bin"
    whole = model.read_bytes()
    model.write_bytes(whole[:-5])
    with pytest.raises(ModelError, match=r"model.enpt.intgemm.alphas.bin cannot be used: The file ends within"):
        registry.load(folder)
    model.write_bytes(whole)
    assert registry.load(folder).trace("A cat.").cross.weights.size


@pytest.mark.parametrize(
    ("name", "back"),
    [
        ("firefox-en-pt", "firefox-pt-en"),
        ("firefox-pt-en", "firefox-en-pt"),
        ("Helsinki-NLP/opus-mt-en-fr", None),  # nobody here reads French
        ("facebook/bart-large-cnn", None),  # from English to English there is no way back
        ("whisper-tiny-en", None),
        ("google-t5/t5-small", None),  # it writes several languages
    ],
)
def test_a_model_of_the_opposite_direction_translates_back(name: str, back: str | None) -> None:
    card = next(card for card in registry.cards() if card.name == name)
    assert registry.opposite(card) == back
