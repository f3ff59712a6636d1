"""Checkpoints of transformers, on the hub or in a folder: opened, with one sentence for whatever goes wrong.

Weights are read from safetensors. A `.bin` of PyTorch is a pickle: it is taken only with the caller's consent, and then
as data only (`weights_only`). Code that lies in a checkpoint is never run.

No library is shown the folder. They would follow whatever its files name: an index of weights, another file for the
vocabulary, an adapter, a module of code. They are given tensors, read from the files whose digest is taken, and a copy
of the small files without such names.

transformers makes a tokenizer without a vocabulary of nothing at all, to which every text is a row of unknown tokens:
where the files are not there that a tokenizer is read from, a sentence says so.
"""

from __future__ import annotations

import hashlib
import json
import math
import pickle
import re
import tempfile
import threading
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer, GenerationConfig, TokenizersBackend
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES, tokenizer_class_from_name
from transformers.utils import logging

from xattn_viz.core.records import quoted
from xattn_viz.models.base import ModelError, NeedsConsent, OnProgress
from xattn_viz.models.folder import Folder, configuration, find_folder
from xattn_viz.models.generation import sift
from xattn_viz.models.hub.fetching import INDEX_ENDING, SMALL_ENDINGS, Form, expected, fetch, weights
from xattn_viz.models.resources import check_free

# The names that a configuration gives to the part that writes.
_WRITERS = ("decoder", "generator", "text_config")
# What settings may name to be opened or called. transformers finds the files that it needs by its own names for them.
# In the map of special tokens only tokens have a place; transformers takes all of it for settings of a tokenizer.
_LEFT_OUT = {
    "config.json": re.compile(r"transformers_weights|auto_map"),
    "tokenizer_config.json": re.compile(r".*_(files?|spm|path)|vocab|merges|init_inputs|auto_map|tokenizer_object"),
    "special_tokens_map.json": re.compile(r"(?!.*_tokens?$).*", re.DOTALL),
}
# The file of a whole tokenizer.
_WHOLE = "tokenizer.json"
# What tokenizers may have besides their vocabulary.
_OPTIONAL = {"tokenizer_file", "tokenizer_config_file", "target_vocab_file", "normalizer_file"}
# What other vocabularies lie in.
_VOCABULARIES = (".model", ".spm", ".tokenizer", ".codes")


_BARS = threading.Lock()


@contextmanager
def without_bars() -> Iterator[None]:
    """While the block runs, transformers draws no progress bars on stderr, where the command line says its sentences.

    What it would tell of takes less than a second: the weights are in memory by then. One at a time, since the switch
    is the process's and has to be found again as it was.
    """
    with _BARS:
        was_on = logging.is_progress_bar_enabled()
        if was_on:
            logging.disable_progress_bar()
        try:
            yield
        finally:
            if was_on:
                logging.enable_progress_bar()


@dataclass(frozen=True)
class Checkpoint:
    """A folder with the files of a model: what people call it, the form and the names of its weights, in order.

    `commit` is that of the hub, None for a folder of one's own; `notes` are for people.
    """

    name: str
    folder: Folder
    form: Form
    files: tuple[str, ...]
    commit: str | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def find(
        cls,
        name_or_folder: str | Folder,
        forms: Sequence[Form] = ("safetensors", "pickle"),
        *,
        packaged: Mapping[str, Path] | None = None,
        allow_pickle: bool = False,
        revision: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Checkpoint:
        """The files of a folder, or of a model on the hub, downloaded where they are not there yet.

        `packaged` are the folders of models that come with the package, by their names. `forms` are those of weights
        that the caller can read, the one it likes best first. Raises ModelError where they cannot be had, there are no
        weights, only a `.bin` without consent, or more than the memory holds.
        """
        if isinstance(name_or_folder, str) and (own := (packaged or {}).get(name_or_folder)) is not None:
            shipped = Folder(own, links_anywhere=True)
            return cls(name_or_folder, shipped, *_weights(shipped, name_or_folder, forms, allow_pickle=False)).checked()
        folder, commit, notes = find_folder(name_or_folder), None, tuple[str, ...]()
        if folder is None:
            fetched = fetch(str(name_or_folder), revision, forms, allow_pickle=allow_pickle, on_progress=on_progress)
            folder, commit, notes = Folder(fetched.folder), fetched.commit, fetched.notes
        name = str(folder) if commit is None else str(name_or_folder)
        return cls(name, folder, *_weights(folder, name, forms, allow_pickle), commit, notes).checked()

    def checked(self) -> Checkpoint:
        """The same. Raises ModelError where its weights are no files, or more than the free memory holds."""
        size = sum(self.folder.file(name).stat().st_size for name in self.files)
        check_free(size, f"Loading {self.name}", "close other programs, or choose a smaller model", ModelError)
        return self

    @contextmanager
    def copied(self) -> Iterator[Path]:
        """A folder of its small files for a library to read while the block runs, without names of other files."""
        with tempfile.TemporaryDirectory(prefix="xattn-viz-") as place:
            for name in self.folder.names():
                if name.endswith(SMALL_ENDINGS) and not name.endswith(INDEX_ENDING):
                    to = Path(place, name)
                    to.parent.mkdir(exist_ok=True)
                    to.write_bytes(_without_names_of_files(to.name, self.folder.read(name)))
            yield Path(place)

    def config(self) -> Any:
        """The configuration, as transformers reads it."""
        try:
            with self.copied() as folder:
                return AutoConfig.from_pretrained(folder, trust_remote_code=False)
        except ModelError:
            raise
        except Exception as error:  # beside the usual ones, the hub's client has errors of its own for wrong types
            raise ModelError(
                f"{self.name} cannot be loaded: its config.json is damaged or of an unknown kind."
            ) from error

    def model(
        self,
        network: Any,
        config: Any,
        attention: str | dict[str, str],
        *,
        dtype: torch.dtype | str = "auto",
    ) -> Any:
        """The model with its weights, on the best device there is, by its class in the library.

        `attention` is one implementation or one for each part; `dtype` what to compute in, as stored unless said.
        """
        try:
            state, generation = self.state(), self._generation(config)[0]
            with without_bars():
                model, report = network.from_pretrained(
                    None,
                    config=config,
                    state_dict=state,
                    dtype=dtype,
                    attn_implementation=attention,
                    generation_config=generation,
                    trust_remote_code=False,
                    output_loading_info=True,
                )
        except ModelError:
            raise
        except Exception as error:  # torch and transformers each raise their own
            if isinstance(error, MemoryError | torch.OutOfMemoryError) or _is_of_memory(str(error).lower()):
                raise ModelError(f"{self.name} does not fit into this machine's memory.") from error
            raise ModelError(
                f"{self.name} cannot be loaded: its weights are damaged or do not fit ({line(error)})."
            ) from error
        if missing := sorted(report["missing_keys"]):
            raise ModelError(f"{self.name} lacks {len(missing)} of its parameters, such as {missing[0]!r}.")
        return model.eval().requires_grad_(False).to(device())

    def state(self, part: str = "") -> dict[str, Tensor]:
        """The tensors of its weights by name, in memory of their own; of the folder `part` of a pipeline only.

        A file of weights that is written over later changes nothing here. Raises ModelError where one is damaged.
        """
        state: dict[str, Tensor] = {}
        for name in self.files:
            if name.rpartition("/")[0] == part:
                state |= self._tensors(name)
        return state

    def names(self) -> set[str]:
        """The names of the tensors of its weights, without reading these; of a pickle, and of what is damaged, none."""
        found: set[str] = set()
        for name in self.files if self.form == "safetensors" else ():
            try:
                with safe_open(self.folder.file(name), "pt") as file:
                    found |= set(file.keys())
            except (OSError, SafetensorError):  # whoever reads it says so
                continue
        return found

    def fill(self, model: Any, needed: Callable[[str], bool] = lambda name: True) -> None:
        """Read its weights into a model of a class of ours: all of the parameters whose names are `needed`.

        Raises ModelError where they are damaged or do not fit.
        """
        try:
            missing, unexpected = model.load_state_dict(self.state(), strict=False)
        except ModelError:
            raise
        except Exception as error:  # safetensors and torch each raise their own
            raise ModelError(f"{self.name} cannot be loaded: its weights are damaged ({line(error)}).") from error
        own = {name for name, _ in model.named_parameters()}
        if wrong := sorted({name for name in missing if name in own and needed(name)} | set(unexpected)):
            raise ModelError(f"{self.name} cannot be loaded: its weights do not fit, such as {wrong[0]!r}.")

    def tokenizer(self, part: str = "") -> Any:
        """Its tokenizer, as transformers reads it; of a pipeline the one in the folder `part`.

        Raises ModelError where it cannot be read, and where the library would make one without a vocabulary.
        """
        try:
            with self.copied() as folder, warnings.catch_warnings():
                # Marian's tokenizer recommends a package whose result it never uses.
                warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
                made = AutoTokenizer.from_pretrained(folder / part, trust_remote_code=False)
        except ModelError:
            raise
        except Exception as error:  # tokenizers raise bare Exceptions on damaged files
            raise self.no_tokenizer(error, part) from error
        # The general class is made of one file or not at all.
        if type(made) is not TokenizersBackend and (what := missing_files(type(made), self._beside(part))):
            raise self._without_files(what)
        return made

    def no_tokenizer(self, error: Exception, part: str = "") -> ModelError:
        """The error to raise where its tokenizer could not be made."""
        if wanted := package_asked_for(error):
            return ModelError(
                f"{self.name} cannot be loaded: its tokenizer needs the package {wanted}: pip install {wanted}."
            )
        names = self._beside(part)
        before = f"{part}/" if part else ""
        settings, config = (
            configuration(self.folder, f"{before}{file}") for file in ("tokenizer_config.json", "config.json")
        )
        if (made_by := tokenizer_class(settings, config)) is None and "tokenizer.json" not in names:
            return self._without_files(
                "its tokenizer is read from tokenizer.json, which is not there, and no tokenizer_config.json says the "
                "tokenizer_class of another kind"
            )
        if made_by is not None and (what := missing_files(made_by, names)):
            return self._without_files(what)
        return ModelError(
            f"{self.name} cannot be loaded: its tokenizer is damaged ({line(error)}). Fetch its files anew from where "
            "the model comes from."
        )

    def _beside(self, part: str) -> list[str]:
        """The names of the files in its folder, or in the folder `part` of a pipeline."""
        found = (name.rpartition("/") for name in self.folder.names())
        return [name for folder, _, name in found if folder == part]

    def _without_files(self, what: str) -> ModelError:
        return ModelError(
            f"{self.name} cannot be loaded: {what}. Copy the tokenizer's files there from where the model comes from."
        )

    def digest(self) -> str:
        """The sha256 over those of the files of the weights."""
        return hashlib.sha256(b"".join(self.folder.sha256(name) for name in self.files)).hexdigest()

    def told(self, config: Any) -> tuple[str, ...]:
        """Its notes for people, and which of its own generation settings a model of this configuration sets aside."""
        return (*self.notes, *self._generation(config)[1])

    def _generation(self, config: Any) -> tuple[GenerationConfig, tuple[str, ...]]:
        """How it wants to be decoded, as far as that is followed, and a note of what is not.

        As its own file says, or its configuration where there is none.
        """
        text = config.get_text_config(decoder=True)
        vocabulary = max(getattr(text, "vocab_size", 0) or math.inf, getattr(text, "decoder_vocab_size", 0) or 0)
        file = "generation_config.json" if self.folder.has("generation_config.json") else "config.json"
        try:
            said = {name: value for name, value in self.folder.json(file).items() if value is not None}
        except (OSError, ValueError, AttributeError) as error:
            raise ModelError(f"{self.name} cannot be loaded: its {file} is damaged.") from error
        if is_config := file == "config.json":  # some say it of the part that writes
            inner = [said[name] for name in _WRITERS if isinstance(said.get(name), dict)]
            said = {**(inner[0] if inner else {}), **said}
        kept, notes = sift(said, vocabulary)
        return GenerationConfig(_from_model_config=is_config, **kept), notes

    def _tensors(self, name: str) -> dict[str, Tensor]:
        path = self.folder.file(name)
        try:
            if self.form == "pickle":
                found = torch.load(path, map_location="cpu", weights_only=True)
            else:
                found = load_file(path)  # which lies in the file still
        except (pickle.UnpicklingError, AttributeError, ImportError) as error:
            raise ModelError(
                f"{self.name} cannot be loaded: its weights are damaged or do not fit ({name} holds more than numbers, "
                "and nothing else of it is read: ask for its weights in safetensors)."
            ) from error
        except Exception as error:  # safetensors, pickle and torch each raise their own
            part = name.rpartition("/")[0]
            what = f"{part} is damaged or does" if part else "weights are damaged or do"
            raise ModelError(f"{self.name} cannot be loaded: its {what} not fit ({name}: {line(error)}).") from error
        if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
            raise ModelError(f"{self.name} cannot be loaded: {name} holds other things than tensors by name.")
        return {str(key): tensor if self.form == "pickle" else tensor.clone() for key, tensor in found.items()}


def device() -> torch.device:
    """The best device there is: CUDA, Apple's MPS, or the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def line(error: Exception) -> str:
    """The first line of what an error of a library says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def _weights(folder: Folder, name: str, forms: Sequence[Form], allow_pickle: bool) -> tuple[Form, tuple[str, ...]]:
    found = weights((path for path in folder.names() if "/" not in path), forms)
    if found is None:
        raise ModelError(f"{name} has no weights that can be read: neither {expected(forms)}.")
    form, files = found
    if form == "pickle" and not allow_pickle:
        raise NeedsConsent(
            f"{name} has its weights only in PyTorch's older format ({files[0]}): allow it with allow_pickle=True if "
            "you trust where it comes from. It is then read as data, and no code in it is run."
        )
    _check_parts(folder, name, files)
    return form, tuple(files)


def _check_parts(folder: Folder, name: str, files: Sequence[str]) -> None:
    """Raise ModelError where weights in parts lack one, or the index beside them names what is no part of them.

    The index itself is not needed: each part says what it holds.
    """
    numbers = [re.fullmatch(r"(.*)-(\d+)-of-(\d+)(\..*)", file) for file in files]
    if (first := numbers[0]) is None:
        return
    count = min(int(first[3]), len(files) + 1)  # a name can claim any number
    wanted = [f"{first[1]}-{i:0{len(first[2])}}-of-{first[3]}{first[4]}" for i in range(1, count + 1)]
    if absent := sorted(set(wanted) - set(files)):
        raise ModelError(f"{name} cannot be loaded: of its weights {absent[0]} is missing.")
    if extra := sorted(set(files) - set(wanted)):
        raise ModelError(f"{name} cannot be loaded: {extra[0]} is no part of the weights beside it.")
    index = f"{first[1]}{first[4]}{INDEX_ENDING}"
    if not folder.has(index):
        return
    try:
        named = {str(file) for file in folder.json(index)["weight_map"].values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{name} cannot be loaded: its {index} is damaged.") from error
    if foreign := sorted(named - set(files)):
        raise ModelError(
            f"{name} cannot be loaded: its {index} names {quoted(foreign[0])}, which is no part of its weights."
        )


def _without_names_of_files(name: str, data: bytes) -> bytes:
    """A small file as a library may read it: settings lose what names files to be opened."""
    if name not in _LEFT_OUT:
        return data
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return data  # the library says that it is damaged
    if not isinstance(said, dict):
        return data
    return json.dumps({key: value for key, value in said.items() if not _LEFT_OUT[name].fullmatch(key)}).encode()


def _is_of_memory(said: str) -> bool:
    return "memory" in said and "alloc" in said


def tokenizer_class(settings: Mapping[str, Any], config: Mapping[str, Any]) -> Any | None:
    """The class of a tokenizer by what its tokenizer_config.json and the config.json beside it say; None if nothing."""
    names = (settings.get("tokenizer_class"), config.get("tokenizer_class"))
    parts = config["encoder"] if isinstance(config.get("encoder"), dict) else {}  # two models put together
    kind = parts.get("model_type", config.get("model_type"))
    by_kind = TOKENIZER_MAPPING_NAMES.get(kind) if isinstance(kind, str) else None
    for name in (*names, by_kind):
        if isinstance(name, str) and (found := tokenizer_class_from_name(name)) is not None:
            return found
    return None


def missing_files(made_by: Any, names: Collection[str]) -> str | None:
    """What to say of a tokenizer of a class whose vocabulary is not among the files `names`; None where it is.

    >>> from transformers import T5Tokenizer
    >>> lacking(T5Tokenizer, ["spiece.model"])
    >>> lacking(T5Tokenizer, ["vocab.json"])
    'its tokenizer (T5Tokenizer) is read from tokenizer.json or from spiece.model, and neither is there'
    """
    files = getattr(made_by, "vocab_files_names", None) or {}
    needed = [file for key, file in files.items() if key not in _OPTIONAL]
    is_fast = issubclass(made_by, TokenizersBackend)
    missing = [file for file in needed if file not in names]
    if (is_fast and _WHOLE in names) or (needed and not missing) or not files:
        return None
    where = " or from ".join([*([_WHOLE] if is_fast else []), *([_listed(needed)] if needed else [])])
    if is_fast and len(missing) == len(needed):
        what = "neither is there" if needed else "it is not there"
    else:
        what = f"{_listed(missing)} {'is' if len(missing) == 1 else 'are'} not there"
    others = [name for name in sorted(names) if name.endswith(_VOCABULARIES) and name not in needed]
    more = (
        f" ({_listed(others)} would be read where tokenizer_config.json says the tokenizer_class that it belongs to)"
        if others
        else ""
    )
    return f"its tokenizer ({made_by.__name__}) is read from {where}, and {what}{more}"


def package_asked_for(error: Exception) -> str | None:
    """The package that a library asks for in an error, if it does."""
    if not isinstance(error, ImportError):
        return None
    asked = re.search(r"pip install ([\w-]+)|install (\w+) to use|requires the (\w+) library", str(error))
    return next(filter(None, asked.groups()), None) if asked else error.name


def _listed(files: list[str]) -> str:
    return files[0] if len(files) == 1 else f"{', '.join(files[:-1])} and {files[-1]}"
