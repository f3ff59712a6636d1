"""One sentence for each thing that the hub's client raises."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from xattn_viz.models.base import ModelError


@contextmanager
def in_sentences(name: str, revision: str | None) -> Iterator[None]:
    """Turn what the hub's client raises into one sentence each. The order matters: the first are kinds of the last."""
    try:
        yield
    except GatedRepoError as error:
        raise ModelError(
            f"{name} is gated: accept its terms on its page of the Hugging Face hub, then log in with `hf auth login`."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"There is no public model {name!r} on the hub: check its spelling.") from error
    except RevisionNotFoundError as error:
        raise ModelError(f"{name} has no revision {revision!r} on the hub.") from error
    except HFValidationError as error:
        raise ModelError(f"{name!r} is no name that a model on the hub can have.") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ModelError(f"The disk is full: {name} could not be stored in {constants.HF_HUB_CACHE}.") from error
        raise ModelError(f"{name} could not be fetched: {_reason(error)}.") from error
    except EntryNotFoundError as error:
        raise ModelError(f"{name} lost a file while it was being fetched: try again.") from error
    except Exception as error:
        if not is_of_network(error):
            raise
        raise ModelError(f"{name} could not be fetched: {_reason(error)}.") from error


def is_of_network(error: Exception) -> bool:
    """Whether an error means that the hub was not reached or failed: httpx's own are no OSError."""
    return isinstance(error, OSError) or type(error).__module__.startswith(("httpx", "httpcore"))


def _reason(error: Exception) -> str:
    text = str(error)
    if "Consistency check failed" in text or "peer closed" in text or "incomplete" in text:
        return "the connection was cut; what came in is kept, so trying again goes on from there"
    return "the hub cannot be reached from here; check the network"
