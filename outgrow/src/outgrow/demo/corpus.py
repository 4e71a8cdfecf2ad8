"""A seeded corpus of passages and a brute-force search in it that costs real processor time."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_CPU_SECONDS = 0.005
TARGET_CPU_SECONDS = 0.008  # of the quickest search seen, so that a machine that speeds up later stays above the least
WORDS_A_PASSAGE = 12
BITS_A_WORD = 6
SIGNATURE_WORDS = 4  # 64-bit words of a signature
MOST_PASSAGES = 6_000_000  # 350 MB with their words; met only where a core does a billion passages a second
SYLLABLES = ("ba", "de", "fi", "go", "ku", "la", "mo", "ne", "pi", "ra", "so", "tu", "ve")


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Passages by the numbers of their words, and the superimposed code of each.

    Attributes:
        vocabulary: the words.
        passages: shape (n, WORDS_A_PASSAGE), indices into ``vocabulary``.
        signatures: shape (n, SIGNATURE_WORDS), bitwise or of the codes of a passage's words
            (superimposed coding: Roberts, Proc. IEEE 67(12), 1979).
    """

    vocabulary: tuple[str, ...]
    passages: NDArray[np.uint16]
    signatures: NDArray[np.uint64]

    def search(self, query: str, count: int = 10) -> list[tuple[int, float, str]]:
        """The ``count`` passages that share most of the query's code: (number, share from 0 to 1, text), best first."""
        wanted = np.bitwise_or.reduce([word_code(word) for word in query.lower().split()] or [word_code("")])
        shared = np.bitwise_count(self.signatures & wanted).sum(axis=1, dtype=np.uint16)
        best = np.argpartition(shared, -count)[-count:]
        best = best[np.lexsort((best, -shared[best].astype(np.int64)))]
        bits = int(np.bitwise_count(wanted).sum())
        return [(int(i), int(shared[i]) / bits, self.text(int(i))) for i in best]

    def text(self, number: int) -> str:
        """A passage in words."""
        return " ".join(self.vocabulary[word] for word in self.passages[number])


def word_code(word: str) -> NDArray[np.uint64]:
    """The code of one word: ``BITS_A_WORD`` (or fewer, where two fall together) of 256 bits, chosen by its hash."""
    code = np.zeros(SIGNATURE_WORDS, dtype=np.uint64)
    for byte in hashlib.blake2b(word.encode(), digest_size=BITS_A_WORD).digest():
        code[byte // 64] |= np.uint64(1 << (byte % 64))
    return code


def build_corpus(size: int, seed: int) -> Corpus:
    """``size`` passages of words drawn like those of a language (few often, most seldom)."""
    random = np.random.default_rng(seed)
    vocabulary = tuple(a + b + c for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES)
    drawn = random.zipf(1.3, size=(size, WORDS_A_PASSAGE)) - 1
    passages = (drawn % len(vocabulary)).astype(np.uint16)
    codes = np.array([word_code(word) for word in vocabulary])
    signatures = np.zeros((size, SIGNATURE_WORDS), dtype=np.uint64)
    for column in passages.T:
        signatures |= codes[column]
    return Corpus(vocabulary, passages, signatures)


def search_cpu_seconds(corpus: Corpus, rounds: int = 7) -> float:
    """Processor time of the quickest of ``rounds`` searches, on this thread."""
    quickest = float("inf")
    for number in range(rounds):
        started = time.thread_time()
        corpus.search(corpus.text(number))
        quickest = min(quickest, time.thread_time() - started)
    return quickest


def calibrated_corpus(seed: int, target_seconds: float = TARGET_CPU_SECONDS) -> Corpus:
    """A corpus so large that one search costs at least ``target_seconds`` of processor time on this machine."""
    size = 100_000
    corpus = build_corpus(size, seed)
    for _ in range(6):
        cost = search_cpu_seconds(corpus)
        if cost >= target_seconds or size == MOST_PASSAGES:
            break
        size = min(int(size * max(1.1, 1.08 * target_seconds / cost)), MOST_PASSAGES)
        corpus = build_corpus(size, seed)
    return corpus
