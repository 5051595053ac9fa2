"""Decodes fax data, one bit per pixel; a row that is not complete is an error.

libtiff and imagecodecs accept data that ends early: of 610 cuts of a Group 4 strip imagecodecs
2026.3 accepts 592 and fills the missing rows with white. libtiff leaves in them what the memory
held before.

Reference: ITU-T T.4 (Group 3) and T.6 (Group 4); TIFF 6.0 sections 10 and 11.
"""

from __future__ import annotations

import functools

import numpy as np

RLE, GROUP_3, GROUP_4 = 2, 3, 4
"""Values of the TIFF tag Compression."""
_TWO_DIMENSIONAL = 1
"""Bit of T4Options: a row may be coded by how it differs from the row above."""

_WHITE = (
    "00110101 000111 0111 1000 1011 1100 1110 1111 10011 10100 00111 01000 001000 000011 110100 "
    "110101 101010 101011 0100111 0001100 0001000 0010111 0000011 0000100 0101000 0101011 0010011 "
    "0100100 0011000 00000010 00000011 00011010 00011011 00010010 00010011 00010100 00010101 "
    "00010110 00010111 00101000 00101001 00101010 00101011 00101100 00101101 00000100 00000101 "
    "00001010 00001011 01010010 01010011 01010100 01010101 00100100 00100101 01011000 01011001 "
    "01011010 01011011 01001010 01001011 00110010 00110011 00110100 "
    "11011 10010 010111 0110111 00110110 00110111 01100100 01100101 01101000 01100111 011001100 "
    "011001101 011010010 011010011 011010100 011010101 011010110 011010111 011011000 011011001 "
    "011011010 011011011 010011000 010011001 010011010 011000 010011011 "
)
_BLACK = (
    "0000110111 010 11 10 011 0011 0010 00011 000101 000100 0000100 0000101 0000111 00000100 "
    "00000111 000011000 0000010111 0000011000 0000001000 00001100111 00001101000 00001101100 "
    "00000110111 00000101000 00000010111 00000011000 000011001010 000011001011 000011001100 "
    "000011001101 000001101000 000001101001 000001101010 000001101011 000011010010 000011010011 "
    "000011010100 000011010101 000011010110 000011010111 000001101100 000001101101 000011011010 "
    "000011011011 000001010100 000001010101 000001010110 000001010111 000001100100 000001100101 "
    "000001010010 000001010011 000000100100 000000110111 000000111000 000000100111 000000101000 "
    "000001011000 000001011001 000000101011 000000101100 000001011010 000001100110 000001100111 "
    "0000001111 000011001000 000011001001 000001011011 000000110011 000000110100 000000110101 "
    "0000001101100 0000001101101 0000001001010 0000001001011 0000001001100 0000001001101 "
    "0000001110010 0000001110011 0000001110100 0000001110101 0000001110110 0000001110111 "
    "0000001010010 0000001010011 0000001010100 0000001010101 0000001011010 0000001011011 "
    "0000001100100 0000001100101 "
)
_LONG = (
    "00000001000 00000001100 00000001101 000000010010 000000010011 000000010100 000000010101 "
    "000000010110 000000010111 000000011100 000000011101 000000011110 000000011111"
)
_RUNS = (*range(64), *range(64, 2561, 64))
"""Run lengths of the codes above, in their order; another code follows those from 64 on."""
_PASS, _HORIZONTAL = 10, 11
_MODES = "1 011 000011 0000011 010 000010 0000010 0001 001"
_SHIFTS = (0, 1, 2, 3, -1, -2, -3, _PASS, _HORIZONTAL)
"""Pixels by which a change lies right of the one in the row above, or another mode, per code."""
_WINDOW = 13
"""Bits of the longest code; zeros behind the end of the data are not a code."""
_END_OF_LINE_ZEROS = 11
"""Zeros of an end of line; no code has as many."""

_Table = list[tuple[int, int]]


def fax_rows(data: bytes, width: int, height: int, compression: int, options: int) -> np.ndarray:
    """Decode one strip or tile.

    Args:
        data: its bytes, the first bit the highest.
        width: of a row, in pixels.
        height: rows that the data must hold.
        compression: `RLE`, `GROUP_3` or `GROUP_4`.
        options: TIFF's T4Options, for Group 3.

    Returns:
        uint8 (height, width / 8 rounded up), eight pixels a byte; a 1 is black.

    Raises:
        OSError: the data ends early or is damaged.
    """
    bits = _Bits(data)
    rows = bytearray()
    above = [width] * 3
    for _ in range(height):
        if compression == RLE:
            bits.align()
        if compression == GROUP_4 or (compression == GROUP_3 and _is_difference(bits, options)):
            changes = _row_of_differences(bits, above, width)
        else:
            changes = _row_of_runs(bits, width)
        rows += _packed(changes, width).tobytes()
        above = [*changes, width, width, width]
    bits.check_end()
    return np.frombuffer(rows, np.uint8).reshape(height, -1)


class _Bits:
    """A stream of bits that is read code by code."""

    def __init__(self, data: bytes) -> None:
        self._data = data + bytes(8)
        self._end = 8 * len(data)
        self._position = 0

    def read(self, table: _Table) -> int:
        """Read the next code and return its meaning."""
        first, data = self._position >> 3, self._data
        three = data[first] << 16 | data[first + 1] << 8 | data[first + 2]
        meaning, length = table[three >> (11 - (self._position & 7)) & 0x1FFF]
        if not length:
            raise OSError("its fax data ends too early or is damaged")
        self._position += length
        return meaning

    def read_bit(self) -> int:
        """Read the next bit; 0 behind the end."""
        bit = self._data[self._position >> 3] >> (7 - (self._position & 7)) & 1
        self._position += 1
        return bit

    def skip_end_of_line(self) -> bool:
        """Skip an end of line, if there is one; returns whether there was."""
        start = self._position
        while self._position < self._end:
            if self.read_bit():
                break
        if self._position - start > _END_OF_LINE_ZEROS:
            return True
        self._position = start
        return False

    def align(self) -> None:
        """Move to the next whole byte."""
        self._position = -(-self._position // 8) * 8

    def check_end(self) -> None:
        """Raise OSError if more was read than there is."""
        if self._position > self._end:
            raise OSError("its fax data ends too early")


def _is_difference(bits: _Bits, options: int) -> bool:
    """Move to a row of Group 3; returns whether it is coded as a difference from the row above."""
    marked = bits.skip_end_of_line()
    return bool(options & _TWO_DIMENSIONAL) and marked and not bits.read_bit()


def _row_of_runs(bits: _Bits, width: int) -> list[int]:
    """Read a row of runs: the columns where the color changes, white first."""
    changes: list[int] = []
    at = 0
    while at < width:
        at += _run(bits, len(changes) & 1)
        changes.append(at)
    return _within(changes, width)


def _row_of_differences(bits: _Bits, above: list[int], width: int) -> list[int]:
    """Read a row of differences: the columns where the color changes, white first.

    Args:
        bits: the stream.
        above: the columns of the row above, followed by three times the width.
        width: of a row.
    """
    changes: list[int] = []
    at, near = -1, 0
    while at < width:
        while near and above[near - 1] > at:
            near -= 1
        while above[near] <= at or (near ^ len(changes)) & 1:
            near += 1
        mode = bits.read(_modes())
        if mode == _PASS:
            at = above[near + 1]
        elif mode == _HORIZONTAL:
            for _ in range(2):
                at = max(at, 0) + _run(bits, len(changes) & 1)
                changes.append(at)
        elif above[near] + mode > at:
            at = above[near] + mode
            changes.append(at)
        else:
            raise OSError("its fax data is damaged")
    return _within(changes, width)


def _within(changes: list[int], width: int) -> list[int]:
    if changes and changes[-1] > width:
        raise OSError("its fax data is damaged")
    return changes


def _run(bits: _Bits, color: int) -> int:
    """Read the length of a run of one color; runs of 64 and more have several codes."""
    table, total = _runs()[color], 0
    while (length := bits.read(table)) >= _RUNS[64]:
        total += length
    return total + length


def _packed(changes: list[int], width: int) -> np.ndarray:
    lengths = np.diff(np.array([0, *changes, width]))
    return np.packbits(np.repeat(np.arange(len(lengths), dtype=np.uint8) & 1, lengths))


@functools.cache
def _runs() -> tuple[_Table, _Table]:
    """Tables of white and of black runs."""
    return _table(_WHITE + _LONG, _RUNS), _table(_BLACK + _LONG, _RUNS)


@functools.cache
def _modes() -> _Table:
    return _table(_MODES, _SHIFTS)


def _table(codes: str, meanings: tuple[int, ...]) -> _Table:
    """Meaning and length of the code at the start of each window; length 0 where there is none."""
    table = [(0, 0)] * (1 << _WINDOW)
    for code, meaning in zip(codes.split(), meanings, strict=True):
        free = _WINDOW - len(code)
        first = int(code, 2) << free
        table[first : first + (1 << free)] = [(meaning, len(code))] * (1 << free)
    return table
