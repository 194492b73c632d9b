"""Texts that are nearly the same: MinHash signatures, and a table of bands to find them by.

Sources: Broder, "On the Resemblance and Containment of Documents", SEQUENCES 1997; Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", chapter 3; the hash functions are of Dietzfelbinger et al., "A Reliable Randomized
Algorithm for the Closest-Pair Problem", 1997.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from adaptation.lab.scratch.collecting import Text
from retrieval.analysis import normalize

_BANDS, _ROWS = 32, 4
"""Signatures of 128 values, of which a pair of texts shares a band of four nearly always where it is alike to 0.6."""
_WORDS, _CHARACTERS = 5, 8
_AT_ONCE = 4096
_WORD = re.compile(r"\w+")
Signature = npt.NDArray[np.uint64]


def without_near_duplicates(texts: Sequence[Text], *, alike: float, seed: int = 0) -> list[Text]:
    """Return the texts of which none is nearly the same as one before it.

    Args:
        texts: in order; the first of those that are alike stays.
        alike: share of common shingles, estimated, from which on two texts are nearly the same.
        seed: of the hash functions.
    """
    draw = np.random.default_rng(seed)
    factors = draw.integers(0, 1 << 63, _BANDS * _ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    offsets = draw.integers(0, 1 << 63, _BANDS * _ROWS, dtype=np.uint64)
    kept: list[Text] = []
    signatures: list[Signature] = []
    places: dict[tuple[int, bytes], list[int]] = {}
    for text in texts:
        signature = _signature(text, factors, offsets)
        bands = [(band, signature[band * _ROWS : (band + 1) * _ROWS].tobytes()) for band in range(_BANDS)]
        near = {place for band in bands for place in places.get(band, ())}
        if any(float(np.mean(signature == signatures[place])) >= alike for place in near):
            continue
        for band in bands:
            places.setdefault(band, []).append(len(kept))
        kept.append(text)
        signatures.append(signature)
    return kept


def _signature(text: Text, factors: Signature, offsets: Signature) -> Signature:
    """Return the least value of each hash function over the shingles of a text."""
    hashes = np.fromiter(_shingles(text), dtype=np.uint64)
    least: Any = np.full(len(factors), np.iinfo(np.uint64).max, dtype=np.uint64)
    for start in range(0, len(hashes), _AT_ONCE):
        part = hashes[start : start + _AT_ONCE, None]
        # Multiply-shift: unsigned numbers of 64 bits run over, and their upper half is the hash.
        values = (part * factors[None, :] + offsets[None, :]) >> np.uint64(32)
        least = np.minimum(least, values.min(axis=0))
    return np.asarray(least, dtype=np.uint64)


def _shingles(text: Text) -> Iterator[int]:
    """Yield a number for each run of words; of Japanese, which has no spaces, for each run of characters."""
    plain = normalize(text.text)
    if text.language == "ja":
        units, run = [character for character in plain if not character.isspace()], _CHARACTERS
    else:
        units, run = _WORD.findall(plain), _WORDS
    for start in range(max(1, len(units) - run + 1)):
        said = "\0".join(units[start : start + run]).encode("utf-8", "surrogatepass")
        yield int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "little")
