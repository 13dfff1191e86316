"""Text from anywhere: cut into search words that compare equal across accents, case and scripts, or made safe to show.

Invariant: a record and a query pass through the same `search_words`, so what the database finds and what
`Query.matches` says are the same. A search word never holds a space, a quote or a control character. Names that become
*paths* are the business of content/manifest.py, not of this module.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

# What a reader cannot see, or what reorders the rest of the line: C0 and C1 controls, zero-width and direction marks,
# line separators, interlinear marks, lone surrogates and language tags. The joiners U+200C and U+200D stay: Persian,
# Indic scripts and emoji need them.
_UNSHOWABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_REPLACEMENT: Final = "\ufffd"

# Marks that readers leave out when they type: Latin, Greek and Cyrillic accents, Hebrew points, Arabic vowels. Marks of
# other scripts carry vowels and stay.
_ACCENTS: Final = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
# Letters that Unicode does not take apart although their users type the plain one.
_PLAIN_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "\u0131": "i", "æ": "ae", "œ": "oe"}
)
# Scripts written without spaces (and Hangul, whose particles stick to the word): each character is a word of its own,
# and a run of them in a query is a phrase.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
_ASCII_WORD: Final = re.compile("[a-z0-9]+")
_ASCII_WORD_OR_END: Final = re.compile("[a-z0-9]+|\0")


def fold(text: str) -> str:
    """Return the text without case, accents and compatibility forms (NFKC of the stripped NFKD)."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    plain = _ACCENTS.sub("", apart).translate(_PLAIN_LETTERS)
    return unicodedata.normalize("NFC", plain)


def search_words(text: str) -> list[str]:
    """Cut a text into folded search words, in order; punctuation only separates."""
    folded = fold(text)
    if folded.isascii():
        return _ASCII_WORD.findall(folded)
    spaced = "".join(_spaced(character) for character in folded)
    return spaced.split()


def words_of_all(texts: Iterable[str], gap: str) -> list[str]:
    """Cut several showable texts into search words, with `gap` between two texts; one pass where all is ASCII."""
    joined = "\0".join(texts)
    if joined.isascii():
        return [gap if word == "\0" else word for word in _ASCII_WORD_OR_END.findall(joined.lower())]
    words: list[str] = []
    for text in joined.split("\0"):
        words += search_words(text)
        words.append(gap)
    return words[:-1]


def _spaced(character: str) -> str:
    """Return the character as it counts in a word, with spaces round it where it is a word of its own."""
    category = unicodedata.category(character)
    if category == "So" and character >= "\u2600" and character != _REPLACEMENT:
        return f" {character} "  # pictures are words: people search for them, too
    if category[0] not in "LNM":
        return " "
    return f" {character} " if _UNSPACED.match(character) else character


def stands_alone(word: str) -> bool:
    """Whether a search word is one character of a script without spaces, and so a whole word by itself."""
    return _UNSPACED.match(word) is not None


def is_showable(text: str) -> bool:
    """Whether the text holds nothing that hides or reorders what is shown."""
    return _UNSHOWABLE.search(text) is None


def showable(text: str, max_bytes: int) -> str:
    """Make any text safe to show: unshowable characters become U+FFFD, and it is cut to `max_bytes` of UTF-8."""
    clean = _UNSHOWABLE.sub(_REPLACEMENT, text)
    return clean.encode()[:max_bytes].decode(errors="ignore")
