"""Which words of a record are worth a place in the table, and which word of a query is looked up.

Only rare words are: a posting list for "the" helps nobody and fills its nodes (Li et al. 2003 put a query over several
common words at half a gigabyte). How rare a word is in the world nobody knows; `Rarity` guesses from what this node
shares itself and from what words look like. Invariant: what is returned are folded search words. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from math import log2
from typing import Final

from peerage.catalogue.query import Query, Words
from peerage.catalogue.record import FIELD_GAP, Record
from peerage.catalogue.text import stands_alone

RarityOf = Callable[[str], float]
"""From 0, in every other name, to 1."""

_LONGEST: Final = 40  # characters: longer words are not typed but made by programs
_COUNTED: Final = 50_000  # words that are counted; others keep the guess from their looks
_COMMON: Final = (
    "a an and are as at by de der die das el en et for from i il in is it la le les los my no of on or s t the to"
    " un und with you your album audio book cd copy disc disk doc final film full hd live movie music new part photo"
    " picture remix song track video vol aac avi bmp doc docx epub exe flac gif htm html iso jpeg jpg m4a mkv mobi mov"
    " mp3 mp4 mpeg mpg odt ogg opus pdf png ppt rar tar txt wav webm wma wmv xls zip 1080p 2160p 720p x264 x265"
)
_EVERYWHERE: Final = frozenset(_COMMON.split())


class Rarity:
    """A guess at how rare words are, which learns from the records of this node."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __call__(self, word: str) -> float:
        """Return 0 for a word that is of no use, up to 1 for one that was seen nowhere."""
        looks = _looks(word)
        return looks / (1 + log2(1 + self._counts.get(word, 0))) if looks else 0.0

    def learn(self, words: Iterable[str]) -> None:
        """Count the words of one more record."""
        for word in set(words):
            if word in self._counts or len(self._counts) < _COUNTED:
                self._counts[word] += 1

    def forget(self, words: Iterable[str]) -> None:
        """Count those of one record less."""
        for word in set(words):
            if self._counts.get(word, 0) > 1:
                self._counts[word] -= 1
            else:
                self._counts.pop(word, None)


def _looks(word: str) -> float:
    """Guess from the word alone: short words and numbers are common."""
    if word in _EVERYWHERE or not 0 < len(word) <= _LONGEST:
        return 0.0
    if stands_alone(word):
        return 0.3
    if word.isdigit():
        return 0.1 if len(word) < 4 else 0.3
    return min(1.0, 0.25 + 0.125 * len(word)) if len(word) > 1 else 0.05


def words_to_post(record: Record, rarity: RarityOf, count: int) -> list[str]:
    """Return the `count` rarest words of a record; of equal ones those that come first, the name's before others."""
    words = [word for word in dict.fromkeys(record.words()) if word != FIELD_GAP]
    rated = sorted((-rarity(word), place) for place, word in enumerate(words) if rarity(word) > 0)
    return [words[place] for _, place in rated[:count]]


def words_to_ask(query: Query, rarity: RarityOf, count: int) -> list[str]:
    """Return the words of which every answer to the query has at least one, the rarest first; none if there is none.

    For `one two` that is either word, and up to `count` are returned, each of which would do. For `one OR two` both are
    needed; such a group is used only when no part of the query is simpler.
    """
    single = [group.terms[0] for group in query.wanted if len(group.terms) == 1]
    words = {word for term in single for word in _whole_words(term)}
    rated = sorted((-rarity(word), word) for word in words)
    if rated:
        return [word for _, word in rated[:count]]
    groups = [[_rarest(term, rarity) for term in group.terms] for group in query.wanted]
    usable = sorted((group for group in groups if all(group)), key=len)
    return list(dict.fromkeys(usable[0])) if usable else []


def _whole_words(term: object) -> tuple[str, ...]:
    if not isinstance(term, Words):
        return ()
    return term.words[:-1] if term.prefix else term.words


def _rarest(term: object, rarity: RarityOf) -> str:
    return max(_whole_words(term), key=lambda word: (rarity(word), word), default="")
