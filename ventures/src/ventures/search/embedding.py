"""Vectors of texts: by the small model inside the package, or by an OpenAI-compatible endpoint."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
"""Shape (texts, dimension), float32, each row of length 1."""


class Embedder(Protocol):
    """`model` names what makes the vectors: those of different models are never compared. dimension: numbers a
    vector.
    """

    model: str
    dimension: int

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """A row for each text. A text without a word the model knows gets a vector too, always the same one.

        Raises: Unavailable where an endpoint does not answer, Invalid where it answers nonsense.
        """
