"""Which pictures are shown, how a round is made of them, and what an answer comes to."""

from __future__ import annotations

import csv
import re
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorflow.color.full_resolution import lightness_of
from colorflow.color.grid import to_grid
from colorflow.errors import EvaluationError, PhotoError
from colorflow.photo import read_photo
from colorflow.quiz import deck as deck_module
from colorflow.quiz import game as game_module
from colorflow.quiz import rounds as rounds_module
from colorflow.quiz.deck import Deck, open_deck, packaged_photos
from colorflow.quiz.fooling import Answers
from colorflow.quiz.game import NEEDED, PRACTICE, TRIALS, Game, Quiz, open_quiz
from colorflow.quiz.pictures import shown
from colorflow.quiz.rounds import MARGIN, SIZE, Candidates, Round, RoundMaker, make_round
from colorflow.quiz.store import COLUMNS, AnswerStore, Kind
from tests.quiz.album import Painter, save_album


def whole_deck(folder: Path | None) -> Deck:
    deck = open_deck(folder)
    deck_complete(deck)
    return deck


def deck_complete(deck: Deck) -> None:
    assert deck._complete.wait(60)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many photos as a strict test needs. Read them only."""
    folder = tmp_path_factory.mktemp("album")
    save_album(folder, NEEDED)
    return folder


@pytest.fixture
def few(tmp_path: Path) -> Path:
    folder = tmp_path / "few"
    save_album(folder, 4)
    return folder


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[[Path], Game]]:
    """Makes games of one quiz a folder."""
    quizzes: dict[Path, Quiz] = {}

    def make(folder: Path) -> Game:
        if folder not in quizzes:
            quizzes[folder] = open_quiz(Painter(12), folder, tmp_path / "quiz.sqlite")
            deck_complete(quizzes[folder].deck)
        return Game(quizzes[folder], tmp_path)

    yield make
    for quiz in quizzes.values():
        quiz.maker.close()


def wrong(round_: Round) -> int:
    return (round_.truth + 1) % round_.k


def kept(tmp_path: Path) -> list[dict[str, str]]:
    table = tmp_path / "kept.csv"
    AnswerStore(tmp_path / "quiz.sqlite").export(table)
    with open(table, newline="") as file:
        return list(csv.DictReader(file))


# the deck


def test_packages_bring_photos_with_squares_of_the_elongated_ones() -> None:
    files = packaged_photos()
    assert all("gradio" in path.parts for path in files[:3])
    pictures = whole_deck(None).pictures
    assert len({picture.path for picture in pictures}) == len(files), "one has no colours"
    assert len({picture.name for picture in pictures}) == len(pictures) > len(files)
    for picture in pictures:
        height, width = picture.read().pixels.shape[:2]
        assert (height == width) or picture.square is None
        assert picture.name.startswith(picture.photo)


def test_squares_are_the_ends_of_the_photo(tmp_path: Path) -> None:
    Image.fromarray(data.coffee()[:100, :240]).save(tmp_path / "wide.png")
    Image.fromarray(data.coffee()[:240, :100]).save(tmp_path / "high.png")
    deck = Deck([tmp_path / "wide.png", tmp_path / "high.png"], "", with_squares=True)
    deck_complete(deck)
    found = {(one.path.stem, one.square): one.read().pixels for one in deck.pictures}
    coffee = data.coffee()
    assert len(found) == 6
    assert np.array_equal(found["wide", None], coffee[:100, :240])
    assert np.array_equal(found["wide", 0], coffee[:100, :100])
    assert np.array_equal(found["wide", 1], coffee[:100, 140:240])
    assert np.array_equal(found["high", 1], coffee[140:240, :100])


def test_files_that_cannot_be_shown_are_left_out(few: Path) -> None:
    (few / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    Image.fromarray(data.camera()[:64, :64]).save(few / "grey.png")
    Image.open(few / "000.png").save(few / "the same.tif")
    deck = whole_deck(few)
    assert sorted(one.path.name for one in deck.pictures) == [f"00{i}.png" for i in range(4)]
    assert {one.square for one in deck.pictures} == {None}


def test_large_photos_are_made_smaller(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deck_module, "LARGEST_SIDE", 32)
    picture = whole_deck(few).pictures[0]
    pixels = picture.read().pixels
    assert pixels.shape == (24, 32, 3)
    blocks = read_photo(picture.path).pixels.reshape(24, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(pixels - blocks).max() <= 1


def test_folders_without_photos_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvaluationError, match=r"empty: holds no photo .*--photos"):
        open_deck(tmp_path / "empty")
    with pytest.raises(PhotoError, match="no such file or folder"):
        open_deck(tmp_path / "missing")


# rounds


def candidates(folder: Path, painter: Painter, n: int = 4) -> Candidates:
    maker = RoundMaker(painter)
    try:
        return maker.ask_for(whole_deck(folder).pictures[0], n).result()
    finally:
        maker.close()


def pictures_of(round_: Round) -> list[np.ndarray]:
    """The pictures on a sheet, without their margins."""
    sheet = np.asarray(Image.open(round_.sheet))
    step = round_.height + 2 * MARGIN
    assert sheet.shape == (round_.k * step, round_.width, 3)
    return [sheet[i * step + MARGIN : (i + 1) * step - MARGIN] for i in range(round_.k)]


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_a_sheet_holds_the_truth_at_its_place_among_draws(
    few: Path, tmp_path: Path, k: int
) -> None:
    painter = Painter(12)
    of = candidates(few, painter)
    assert painter.calls == [(4, 1.0, of.seed)]
    photo = of.picture.read()
    truth = shown(lightness_of(photo.pixels), to_grid(photo.pixels), SIZE)
    for _ in range(4):
        round_ = make_round(of, k, tmp_path)
        pictures = pictures_of(round_)
        assert np.array_equal(pictures[round_.truth], truth)
        others = [one for i, one in enumerate(pictures) if i != round_.truth]
        assert all(np.array_equal(a, b) for a, b in zip(others, of.drawn, strict=False))
        assert not any(np.array_equal(one, truth) for one in others)


def test_margins_repeat_the_edge(few: Path, tmp_path: Path) -> None:
    round_ = make_round(candidates(few, Painter(12)), 3, tmp_path)
    sheet = np.asarray(Image.open(round_.sheet))
    for place, picture in enumerate(pictures_of(round_)):
        top = place * (round_.height + 2 * MARGIN)
        bottom = top + round_.height + MARGIN
        assert (sheet[top : top + MARGIN] == picture[0]).all()
        assert (sheet[bottom : bottom + MARGIN] == picture[-1]).all()


def test_every_place_is_as_likely(few: Path, tmp_path: Path) -> None:
    """Of 120 rounds of 3, some 40 a place, with a std of 5."""
    of = candidates(few, Painter(12))
    places = Counter(make_round(of, 3, tmp_path).truth for _ in range(120))
    assert sorted(places) == [0, 1, 2]
    assert min(places.values()) > 14


def test_where_draws_look_like_the_truth_no_byte_tells_it(few: Path, tmp_path: Path) -> None:
    """The same sheet whatever the place; names and tokens are random and never come again."""
    of = candidates(few, Painter(0))
    rounds = [make_round(of, 3, tmp_path) for _ in range(12)]
    assert len({round_.truth for round_ in rounds}) > 1
    assert len({round_.sheet.read_bytes() for round_ in rounds}) == 1
    names = {round_.sheet.name for round_ in rounds} | {round_.token for round_ in rounds}
    assert len(names) == 24
    assert all(re.fullmatch(r"[0-9a-f]{32}(\.png)?", name) for name in names)
    assert "truth" not in repr(rounds[0])
    kinds, at, content = [], 8, rounds[0].sheet.read_bytes()
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        kinds.append(kind)
        at += length + 12
    assert set(kinds) == {b"IHDR", b"sRGB", b"IDAT", b"IEND"}


def test_names_are_random_alone(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same random numbers the same names, wherever the truth stands."""
    of = candidates(few, Painter(12))
    monkeypatch.setattr(rounds_module.secrets, "token_hex", lambda n: "ab" * n)
    names = set()
    for place in range(3):
        monkeypatch.setattr(rounds_module.secrets, "randbelow", lambda _, place=place: place)
        round_ = make_round(of, 3, tmp_path)
        assert round_.truth == place
        names.add((round_.token, round_.sheet))
    assert len(names) == 1


@pytest.mark.parametrize("k", [1, 4])
def test_rounds_of_impossible_size_are_refused(few: Path, tmp_path: Path, k: int) -> None:
    with pytest.raises(ValueError, match="k: expected 2 to 3"):
        make_round(candidates(few, Painter(12), n=2), k, tmp_path)


# free play


def test_an_answer_counts_once_and_is_kept(
    play: Callable[[Path], Game], few: Path, tmp_path: Path
) -> None:
    game = play(few)
    first = game.play(3)
    assert game.play(5) is first, "it waits for its answer"
    assert game.answer("another", first.truth) is None
    assert game.answer(first.token, 3) is None, "no such picture"
    assert game.answer(first.token, -1) is None
    outcome = game.answer(first.token, first.truth)
    assert outcome is not None
    assert outcome.right
    assert outcome.problem is None
    for chosen in range(3):
        assert game.answer(first.token, chosen) is None
    second = game.play(2)
    assert game.answer(first.token, first.truth) is None
    outcome = game.answer(second.token, wrong(second))
    assert outcome is not None
    assert not outcome.right
    assert (game.score.rounds, game.score.right, game.score.streak, game.score.best) == (2, 1, 0, 1)
    rows = kept(tmp_path)
    assert [tuple(row) for row in rows] == [COLUMNS] * 2
    for row, round_, chosen in zip(
        rows, (first, second), (first.truth, wrong(second)), strict=True
    ):
        assert row["player"] == game.player
        assert row["picture"] == round_.picture.name
        assert (row["weights"], row["mode"], row["temperature"]) == ("painter", "play", "1.0")
        numbers = [int(row[name]) for name in ("seed", "k", "truth", "chosen")]
        assert numbers == [round_.seed, round_.k, round_.truth, chosen]
        assert 0 <= int(row["milliseconds"]) < 600_000
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", row["time"])


def test_many_answers_at_the_same_time_count_once(
    play: Callable[[Path], Game], few: Path, tmp_path: Path
) -> None:
    game = play(few)
    round_ = game.play(2)
    gate = threading.Barrier(8)

    def answer(_: int) -> bool:
        gate.wait()
        return game.answer(round_.token, round_.truth) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(answer, range(8))) == 1
    assert (game.score.rounds, game.score.right) == (1, 1)
    assert len(kept(tmp_path)) == 1


def test_photos_take_turns_and_the_first_answer_to_each_counts(
    play: Callable[[Path], Game], few: Path, tmp_path: Path
) -> None:
    game = play(few)
    photos = []
    for number in range(12):
        round_ = game.play(3)
        photos.append(round_.picture.photo)
        game.answer(round_.token, wrong(round_) if number < 3 else round_.truth)
    for start in (0, 4, 8):
        assert len(set(photos[start : start + 4])) == 4
    assert all(a != b for a, b in pairwise(photos))
    assert game.tallies == {Kind("play", 3): Answers(3, 4)}
    found = AnswerStore(tmp_path / "quiz.sqlite").tallies("painter")
    assert found == {Kind("play", 3): {game.player: Answers(3, 4)}}
    assert (game.score.rounds, game.score.right, game.score.best) == (12, 9, 9)


def test_no_round_is_drawn_before_it_is_asked_for(tmp_path: Path, few: Path) -> None:
    """Such rounds would take memory and time, however many players come and go."""
    painter = Painter(12)
    quiz = open_quiz(painter, few, tmp_path / "quiz.sqlite")
    deck_complete(quiz.deck)
    for player in range(1, 4):
        Game(quiz, tmp_path).play(3)
        assert quiz.maker._thread.submit(len, painter.calls).result() == player
    quiz.maker.close()


def test_two_players_know_nothing_of_each_other(play: Callable[[Path], Game], few: Path) -> None:
    ada, bob = play(few), play(few)
    assert ada.player != bob.player
    round_ = ada.play(2)
    assert bob.answer(round_.token, round_.truth) is None
    assert bob.play(2).token != round_.token
    assert ada.answer(round_.token, round_.truth) is not None
    assert (ada.score.rounds, bob.score.rounds) == (1, 0)


def test_old_sheets_and_at_last_all_files_go(play: Callable[[Path], Game], few: Path) -> None:
    game = play(few)
    for _ in range(3):
        round_ = game.play(2)
        assert list(game.folder.glob("*.png")) == [round_.sheet]
        game.answer(round_.token, 0)
        assert round_.sheet.exists(), "the outcome shows it still"
    game.close()
    assert not game.folder.exists()


def test_photos_that_went_away_are_passed_over(play: Callable[[Path], Game], few: Path) -> None:
    game = play(few)
    first = game.play(2)
    game.answer(first.token, 0)
    for path in few.iterdir():
        if path != first.picture.path:
            path.unlink()
    again = game.play(2)
    assert again.picture == first.picture
    first.picture.path.unlink()
    game.answer(again.token, 0)
    with pytest.raises(EvaluationError, match="none of its photos any more"):
        game.play(2)


def test_grey_photos_alone_are_one_sentence(play: Callable[[Path], Game], tmp_path: Path) -> None:
    (tmp_path / "grey").mkdir()
    Image.fromarray(data.camera()[:64, :64]).save(tmp_path / "grey" / "grey.png")
    game = play(tmp_path / "grey")
    with pytest.raises(EvaluationError, match="There is no photo to play with"):
        game.play(2)


def test_answers_that_cannot_be_kept_count_in_the_game(
    play: Callable[[Path], Game], few: Path, tmp_path: Path
) -> None:
    game = play(few)
    round_ = game.play(2)
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"quiz.sqlite{suffix}").unlink(missing_ok=True)
    (tmp_path / "quiz.sqlite").mkdir()
    outcome = game.answer(round_.token, round_.truth)
    assert outcome is not None
    assert "quiz.sqlite" in str(outcome.problem)
    assert game.score.right == 1


def test_no_place_for_answers_is_told_at_the_start(few: Path, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="--quiz-db"):
        open_quiz(Painter(12), few, tmp_path)


# the strict test


def take(game: Game, wrong_ones: set[int]) -> list[Round]:
    """Take the whole test; wrong answers in the given trials, counted from 0."""
    rounds: list[Round] = []
    while (round_ := game.trial()) is not None:
        assert game.trial() is round_
        chosen = wrong(round_) if len(rounds) in wrong_ones else round_.truth
        outcome = game.answer(round_.token, chosen)
        assert outcome is not None
        assert outcome.mode == ("practice" if len(rounds) < PRACTICE else "test")
        rounds.append(round_)
    return rounds


def test_ten_to_practise_and_forty_that_count(
    play: Callable[[Path], Game], album: Path, tmp_path: Path
) -> None:
    game = play(album)
    rounds = take(game, {0, 3, 9, 10, 20, 49})
    assert len({round_.picture.photo for round_ in rounds}) == len(rounds) == 50
    assert {round_.k for round_ in rounds} == {2}
    assert game.test is not None
    assert game.test.finished
    assert game.test.answers == Answers(3, 40)
    assert game.trial() is None
    assert game.tallies == {Kind("test", 2): Answers(3, TRIALS)}
    modes = Counter(row["mode"] for row in kept(tmp_path))
    assert modes == {"practice": 10, "test": 40}
    assert AnswerStore(tmp_path / "quiz.sqlite").tallies("painter") == {
        Kind("test", 2): {game.player: Answers(3, 40)}
    }
    assert game.score.rounds == 0, "that is of free play"
    game.forget_test()
    with pytest.raises(EvaluationError, match=r"you have seen 50, so 40 are lacking"):
        game.trial()


def test_known_photos_are_for_practice(play: Callable[[Path], Game], album: Path) -> None:
    game = play(album)
    known = set()
    for _ in range(PRACTICE):
        round_ = game.play(2)
        known.add(round_.picture.photo)
        game.answer(round_.token, 0)
    assert game.lacking() is None
    game.trial()
    assert game.test is not None
    assert {one.photo for one in game.test.pictures[:PRACTICE]} == known
    assert len({one.photo for one in game.test.pictures}) == NEEDED
    game.forget_test()
    assert game.lacking() is None, "one of the known ones was shown again"
    game.answer(game.play(2).token, 0)
    assert game.lacking() == (
        "The strict test needs 40 photos that you have not seen yet. Of the 50 here you have seen "
        "11, so 1 are lacking."
    )


def test_a_running_test_is_not_among_the_results(
    play: Callable[[Path], Game], album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(game_module, "PRACTICE", 0)
    game = play(album)
    round_ = game.trial()
    assert round_ is not None
    game.answer(round_.token, wrong(round_))
    assert game.tallies == {Kind("test", 2): Answers(1, 1)}
    assert game.settled_tallies == {}
    game.forget_test()
    assert game.settled_tallies == game.tallies


def test_too_few_photos_are_counted(play: Callable[[Path], Game], few: Path) -> None:
    game = play(few)
    assert game.lacking() == (
        "The strict test needs 50 distinct colour photos. Here are 4, so 46 are lacking. "
        "Start the page with --photos and a folder that holds enough."
    )
    with pytest.raises(EvaluationError, match="46 are lacking"):
        game.trial()
    assert game.test is None
