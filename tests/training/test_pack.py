"""Reading packs, and folders that are none."""

from __future__ import annotations

import json
import mmap
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from colorflow.errors import PackError
from colorflow.training.pack import (
    ARRAY_SHAPES,
    BYTES_PER_ROW,
    FORMAT,
    VARIANTS,
    Pack,
    bits_apart,
)


def test_array_shapes_and_need_of_disk() -> None:
    assert ARRAY_SHAPES["ab"] == (2, 64, 64)
    assert ARRAY_SHAPES["lightness"] == (1, 128, 128)
    assert ARRAY_SHAPES["features32"] == (40, 32, 32)
    numbers = 128**2 + 2 * 64**2 + 320 * 8**2 + 112 * 16**2 + 40 * 32**2
    assert 2 * numbers == BYTES_PER_ROW


def test_bits_that_differ_are_counted() -> None:
    given = [0, 1, 2**63, 2**64 - 1, 0x5555_5555_5555_5555, 0x0123_4567_89AB_CDEF]
    given += np.random.default_rng(0).integers(0, 2**64, 200, dtype=np.uint64).tolist()
    for other in given[:8]:
        counted = bits_apart(np.array(given, np.uint64), np.uint64(other))
        assert counted.tolist() == [(value ^ other).bit_count() for value in given]


def test_rows_of_a_split(pack_folder: Path) -> None:
    pack = Pack(pack_folder)
    assert len(pack) == 36
    train, dev = pack.rows("train"), pack.rows("dev")
    assert (len(train), len(dev)) == (28, 8)
    assert sorted([*train, *dev]) == list(range(36))
    assert list(train) == sorted(train)
    assert set(pack.photo_of_row[dev]) == {12, 13, 14, 15}


def test_rows_by_variant_and_size(pack_folder: Path) -> None:
    pack = Pack(pack_folder)
    for split, name, count in [("train", "crop", 12), ("train", "whole", 14), ("dev", "crop", 0)]:
        rows = pack.rows(split, variant=name)
        assert len(rows) == count
        assert (pack.variant_of_row[rows] == VARIANTS.index(name)).all()
    assert len(pack.rows("train", larger_than=63)) == 28
    assert len(pack.rows("train", larger_than=64)) == 24
    assert len(pack.rows("train", larger_than=256)) == 0


def test_the_table_of_photos(pack_folder: Path) -> None:
    pack = Pack(pack_folder)
    assert pack.photos.files == [f"photo{index}.jpg" for index in range(18)]
    assert pack.train_chroma.shape == (14,)


@pytest.mark.parametrize("rows", [[3], [9, 2, 30, 4], [5, 5, 1], list(range(36))])
def test_a_batch_keeps_the_given_order(pack_folder: Path, rows: list[int]) -> None:
    ab, condition = Pack(pack_folder).batch(np.array(rows))
    arrays = {name: np.load(pack_folder / f"{name}.npy") for name in ARRAY_SHAPES}
    given = {"ab": ab, "lightness": condition.lightness}
    given |= {f"features{grid}": values for grid, values in condition.features.items()}
    assert given.keys() == arrays.keys()
    for name, values in given.items():
        assert values.dtype == torch.float32
        assert np.array_equal(values.numpy(), arrays[name][rows].astype(np.float32)), name


def test_a_batch_reads_the_wanted_maps_alone(pack_folder: Path) -> None:
    assert Pack(pack_folder).batch(np.array([1]), (16,))[1].features.keys() == {16}


def test_a_pack_that_is_in_part_filled_ends_there(own_pack: Path) -> None:
    info = json.loads((own_pack / "pack.json").read_text())
    (own_pack / "pack.json").write_text(json.dumps(info | {"filled": 10}))
    pack = Pack(own_pack)
    assert len(pack) == 10
    assert max(*pack.rows("train"), *pack.rows("dev")) == 9


# the maps of the arrays


def arrays_of(folder: Path) -> dict[str, np.ndarray]:
    """What a pack reads its batches from."""
    return Pack(folder)._arrays


def test_arrays_are_maps_that_nobody_can_write_to(pack_folder: Path) -> None:
    for array in arrays_of(pack_folder).values():
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells of its maps on Linux")
def test_nothing_is_read_ahead(own_pack: Path) -> None:
    """Rows come in random order: what follows one on disk is read for nothing."""
    arrays = arrays_of(own_pack)
    advice: dict[str, bool] = {}
    name = ""
    for line in Path("/proc/self/smaps").read_text(errors="replace").splitlines():
        if "-" in line.split()[0]:
            name = line.split(maxsplit=5)[-1]
        elif line.startswith("VmFlags:") and name.startswith(str(own_pack)):
            advice[Path(name).stem] = "rr" in line.split()  # random read
    assert advice == dict.fromkeys(arrays, True)


def test_a_system_without_such_advice(pack_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mmap, "MADV_RANDOM", raising=False)
    ab, _ = Pack(pack_folder).batch(np.array([7, 2]), (8,))
    assert np.array_equal(ab.numpy(), np.load(pack_folder / "ab.npy")[[7, 2]].astype(np.float32))
    assert all(isinstance(array, np.memmap) for array in arrays_of(pack_folder).values())


# folders that are none


def error_of(folder: Path) -> str:
    with pytest.raises(PackError) as caught:
        Pack(folder)
    message = str(caught.value)
    assert message.startswith(str(folder))
    return message


def test_no_pack(tmp_path: Path) -> None:
    assert "no training pack here; make one with" in error_of(tmp_path / "none")
    assert "no training pack here" in error_of(tmp_path)
    (tmp_path / "file").touch()
    assert "no training pack here" in error_of(tmp_path / "file")


def test_a_pack_of_another_version(own_pack: Path) -> None:
    info = json.loads((own_pack / "pack.json").read_text())
    (own_pack / "pack.json").write_text(json.dumps(info | {"format": "colorflow-pack-0"}))
    message = error_of(own_pack)
    assert "colorflow-pack-0" in message
    assert FORMAT in message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        '{"format": "x"}',
        f'{{"format": "{FORMAT}"}}',
        "ÿ",
        "[" * 100_000,
    ],
)
def test_pack_json_that_is_none(own_pack: Path, text: str) -> None:
    (own_pack / "pack.json").write_text(text, encoding="latin-1")
    error_of(own_pack)


@pytest.mark.parametrize("name", ["rows", "filled", "seed"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1, 37, 1.5, "36", None, [], True])
def test_numbers_of_pack_json_that_are_none(own_pack: Path, name: str, value: object) -> None:
    info = json.loads((own_pack / "pack.json").read_text())
    (own_pack / "pack.json").write_text(json.dumps(info | {name: value}))
    if (name, value) == ("seed", 37):
        assert Pack(own_pack).info["seed"] == 37
    else:
        assert "again" in error_of(own_pack)


def test_a_pack_of_averaged_maps(own_pack: Path, pack_folder: Path) -> None:
    """Earlier versions could make one, and wrote the side of the finest map into every pack."""
    info = json.loads((own_pack / "pack.json").read_text())
    (own_pack / "pack.json").write_text(json.dumps(info | {"finest_map": 16}))
    assert "averaged" in error_of(own_pack)
    (own_pack / "pack.json").write_text(json.dumps(info | {"finest_map": 32}))
    assert Pack(own_pack).digest == Pack(pack_folder).digest


def test_nothing_filled_yet(own_pack: Path) -> None:
    info = json.loads((own_pack / "pack.json").read_text())
    (own_pack / "pack.json").write_text(json.dumps(info | {"filled": 0}))
    assert "no finished row yet; run data_prep to its end" in error_of(own_pack)


def no_columns(text: str) -> str:
    return text.replace("split", "part")


def another_split(text: str) -> str:
    return text.replace("dev", "test")


def no_number(text: str) -> str:
    return text.replace(",256,", ",large,", 1)


def cut(text: str) -> str:
    return text[: len(text) // 2].rsplit(",", 3)[0]


def no_lines(text: str) -> str:
    return text.splitlines()[0]


def another_file(_: str) -> str:
    return "\0ÿ\r\n" * 50


@pytest.mark.parametrize(
    "change", [no_columns, another_split, no_number, cut, no_lines, another_file]
)
def test_damaged_table(own_pack: Path, change: Callable[[str], str]) -> None:
    path = own_pack / "photos.csv"
    text = change(path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="latin-1")
    assert "damaged" in error_of(own_pack)


@pytest.mark.parametrize("name", ["photos.csv", "rows.npy", "ab.npy", "features16.npy"])
@pytest.mark.parametrize("share", [None, 0.0, 0.001, 0.5])
def test_missing_and_cut_off_files(own_pack: Path, name: str, share: float | None) -> None:
    path = own_pack / name
    if share is None:
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
    assert "damaged" in error_of(own_pack)


def test_rows_of_photos_that_the_table_lacks(own_pack: Path) -> None:
    lines = (own_pack / "photos.csv").read_text().splitlines()
    (own_pack / "photos.csv").write_text("\n".join(lines[:-1]))
    assert "damaged" in error_of(own_pack)


def test_rows_of_another_kind(own_pack: Path) -> None:
    np.save(own_pack / "rows.npy", np.zeros((36, 2)))
    assert "damaged" in error_of(own_pack)


@pytest.mark.parametrize(("name", "value"), [("photo", -1), ("photo", 18), ("variant", 5)])
def test_rows_of_what_there_is_not(own_pack: Path, name: str, value: int) -> None:
    rows = np.load(own_pack / "rows.npy")
    rows[name][20] = value
    np.save(own_pack / "rows.npy", rows)
    assert "damaged" in error_of(own_pack)


@pytest.mark.parametrize("name", ["rows", "ab", "lightness", "features16"])
def test_arrays_of_the_other_byte_order(own_pack: Path, name: str) -> None:
    values = np.load(own_pack / f"{name}.npy")
    np.save(own_pack / f"{name}.npy", values.astype(values.dtype.newbyteorder(">")))
    message = error_of(own_pack)
    assert f"{name}.npy: does not fit pack.json" in message
    assert "again" in message


@pytest.mark.parametrize("name", ["rows", "ab"])
def test_archives_in_place_of_arrays(own_pack: Path, name: str) -> None:
    values = np.load(own_pack / f"{name}.npy")
    with (own_pack / f"{name}.npy").open("wb") as file:
        np.savez(file, values)
    assert "damaged" in error_of(own_pack)


@pytest.mark.parametrize("name", ["ab", "lightness", "features8", "features32"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite(own_pack: Path, name: str, value: float) -> None:
    array = np.lib.format.open_memmap(own_pack / f"{name}.npy", mode="r+")
    array[[17, 30], 0, 3, 5] = value
    array.flush()
    pack = Pack(own_pack)
    with pytest.raises(PackError) as caught:
        pack.batch(np.array([35, 30, 2, 17]))
    assert str(caught.value) == (
        f"{own_pack / name}.npy: row 17 holds numbers that are not finite; make the pack again"
    )
    pack.batch(np.array([16, 18]))


# which pack it is


def changed(own_pack: Path, change: str) -> None:
    if change == "filled":
        info = json.loads((own_pack / "pack.json").read_text())
        (own_pack / "pack.json").write_text(json.dumps(info | {"filled": 30}))
    elif change == "rows":
        rows = np.load(own_pack / "rows.npy")
        np.save(own_pack / "rows.npy", rows[::-1])
    else:
        old, new = {"hash": (f"{3:016x}", f"{99:016x}"), "split": ("dev", "train")}[change]
        text = (own_pack / "photos.csv").read_text()
        (own_pack / "photos.csv").write_text(text.replace(old, new, 1))


def test_a_copy_of_a_pack_is_the_same_pack(pack_folder: Path, own_pack: Path) -> None:
    text = (own_pack / "photos.csv").read_text()
    (own_pack / "photos.csv").write_text(text.replace("photo", "moved/photo"))
    assert Pack(own_pack).digest == Pack(pack_folder).digest


@pytest.mark.parametrize("change", ["filled", "rows", "hash", "split"])
def test_another_pack_has_another_digest(pack_folder: Path, own_pack: Path, change: str) -> None:
    changed(own_pack, change)
    assert Pack(own_pack).digest != Pack(pack_folder).digest


def test_pickled_arrays_are_not_read(own_pack: Path) -> None:
    np.save(own_pack / "ab.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "damaged" in error_of(own_pack)


@pytest.mark.parametrize("name", ["ab", "lightness", "features8"])
def test_arrays_of_another_shape(own_pack: Path, name: str) -> None:
    values = np.load(own_pack / f"{name}.npy")
    for wrong in (values[:-1], values[..., :-1]):
        np.save(own_pack / f"{name}.npy", wrong)
        assert f"{name}.npy: does not fit pack.json" in error_of(own_pack)
