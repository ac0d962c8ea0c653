"""Spans of raw text and the pieces that are scored with them, for any tokenizer.

Spans are cut from the raw text, so they are the same for every tokenizer: runs of characters
other than white space, in pieces of at most `longest` characters. A token belongs to the span in
which its first character that is not white space stands; a token of white space only belongs to
the next span. So each token belongs to one span and each byte to one span, and sums over all spans
are sums over the same bytes. Where a token reaches into the next span, it has been paid for in its
own, and is context for the next.
"""

import re
from dataclasses import dataclass

from model.text.tokenizer import UNK, Tokenizer

BITS_PER_BYTE = 8
"""What <unk> costs for each byte that it stands for: as if it were spelt out, uncompressed."""


@dataclass(kw_only=True)
class Span:
    """A stretch of raw text. `tokens` are the ids that belong to it, possibly none."""

    text: str
    tokens: list[int]
    unknown_bytes: int
    unknown_characters: int

    @property
    def bytes(self) -> int:
        return len(self.text.encode())


def cut(line: str, longest: int) -> list[tuple[int, int]]:
    """[begin, end) of each span of a line."""
    spans = []
    for word in re.finditer(r"\S+", line):
        begin, end = word.span()
        spans += [(start, min(start + longest, end)) for start in range(begin, end, longest)]
    return spans


def limited(lines: list[str], longest: int, most_bytes: int) -> tuple[list[str], int]:
    """The lines' beginning with at most `most_bytes` bytes of spans, and how many these are."""
    taken: list[str] = []
    used = 0
    for line in lines:
        whole = 0
        for begin, end in cut(line, longest):
            size = len(line[begin:end].encode())
            if used + size > most_bytes:
                if whole:
                    taken.append(line[:whole])
                return taken, used
            used += size
            whole = end
        taken.append(line)
    return taken, used


def spans_of_line(line: str, tokenizer: Tokenizer, longest: int) -> list[Span]:
    """The line's spans with their tokens; empty for a line of white space."""
    bounds = cut(line, longest)
    spans = [
        Span(text=line[begin:end], tokens=[], unknown_bytes=0, unknown_characters=0)
        for begin, end in bounds
    ]
    index = 0
    for token, begin, end in tokenizer.align(line) if spans else []:
        part = line[begin:end]
        first = begin + len(part) - len(part.lstrip())
        while index + 1 < len(bounds) and first >= bounds[index][1]:
            index += 1
        spans[index].tokens.append(token)
        if token == UNK:
            # What a token stands for may be cut by a span's end: then it is paid for here.
            characters = "".join(part.split())
            spans[index].unknown_characters += len(characters)
            spans[index].unknown_bytes += len(characters.encode())
    return spans


def sequences(spans: list[Span], longest: int) -> list[list[Span]]:
    """A document's spans in sequences of at most `longest` tokens; a span is not divided.

    A span of more tokens than that (one character may be normalised to eighteen) is divided.
    """
    result: list[list[Span]] = []
    room = 0
    for span in spans:
        for part in _divided(span, longest):
            if len(part.tokens) > room or not result:
                result.append([])
                room = longest
            result[-1].append(part)
            room -= len(part.tokens)
    return result


def _divided(span: Span, longest: int) -> list[Span]:
    if len(span.tokens) <= longest:
        return [span]
    rest = [
        Span(text="", tokens=span.tokens[i : i + longest], unknown_bytes=0, unknown_characters=0)
        for i in range(longest, len(span.tokens), longest)
    ]
    span.tokens = span.tokens[:longest]
    return [span, *rest]
