"""The quiz tab: which picture is the photo as it was taken?

Nothing that is shown before the answer depends on the position of the true picture: `Trial.truth`
is read only from an `Outcome`.
"""

from __future__ import annotations

import html
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from colorflow.errors import ColorflowError
from colorflow.photo import KINDS
from colorflow.photo.find import is_photo
from colorflow.quiz.game import TRIALS, Game, Outcome, Quiz, Score
from colorflow.quiz.statistics import Interval, Tally, bootstrap_interval, total
from colorflow.quiz.store import Mode
from colorflow.quiz.trials import LARGEST_SIDE, MARGIN, MAX_PICTURES, MIN_PICTURES, PhotoPool, Trial
from colorflow.ui.limits import KEEP_SECONDS, WORK_QUEUE, UploadSpace
from colorflow.ui.owners import visitor_of
from colorflow.ui.photos import (
    FAILURES,
    kind_of_archive,
    link_or_copy,
    new_folder,
    opened,
    sentence,
    unpack_photos,
)
from colorflow.ui.render import STATUS, Updates, file_url, line, scripted

PLAY, TEST = "Free play", "Test"
_MODES: dict[str, Mode] = {PLAY: "play", TEST: "test"}
MOST_PHOTOS = 200
_ROUND_PIXELS = (MAX_PICTURES + 1) * LARGEST_SIDE**2
"""Pixels that a round reserves: the photo and its pictures."""
_OPTIONS: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", **WORK_QUEUE}

LETTERS = "ABCDE"
"""Names and keys of pictures."""

_ABOUT = (
    "Fooled means that a coloring was taken for the photo as it was taken. Your first answer to "
    "each photo counts, in free play and in the test; a test that was not finished, answers within "
    "half a second or after ten minutes, and colorings of other weights do not. Visitors who share "
    "a network address count as one. Colorings that nobody can tell from the truth come close to "
    "what guessing gives. The interval is Wilson's for one player; for several it is a bootstrap "
    "over players and their answers."
)
_HEADING = """
<h2>Which one is the truth?</h2>
<p>One of the pictures is the photo as it was taken. The others were gray, and the computer made up
their colors. Can you tell which is which?</p>
"""
_PLAY_INTRO = """
<h3>Choose the picture that you think is the photo</h3>
<p>Click or tap a picture, or press the key of the letter on it. Then you see which one is the
photo.</p>
"""
_TEST_INTRO = """
<h3>{} times two pictures</h3>
<p>Each is of a photo that you have not seen here. Take your time; you are told at the end how often
you took the computer's colors for the photo's.</p>
"""
_OWN_PHOTOS = (
    f"Play with your own color photos: a folder, a zip or single files, {MOST_PHOTOS} at most. "
    "Your answers to them are not kept."
)
_PRIVACY = """
<p>Answers are stored on the computer that runs this page, under a random name for your network
address that does not lead back to it.</p>
"""


def _closed(game: Game | None) -> None:
    """Delete the files of a visitor who has gone."""
    if game:
        game.close()


class QuizTab:
    """Components and handlers of the quiz tab, made inside a `gr.Blocks`.

    Handlers return new values by component, and work without a server. What identifies the true
    picture stays in `Game`, in the server's memory.

    Args:
        quiz: shared by all players.
        space: where players have their folders; a zip may have the size of the largest upload.
    """

    def __init__(self, quiz: Quiz, space: UploadSpace) -> None:
        self._quiz, self._space = quiz, space
        self.game = gr.State(None, time_to_live=KEEP_SECONDS, delete_callback=_closed)
        gr.HTML(_HEADING, elem_id="quiz-heading")
        with gr.Column(elem_id="quiz-round"):
            self.status = gr.HTML("", elem_id="quiz-status", **STATUS)
            start = intro(_PLAY_INTRO, "Start")
            self.stage = gr.HTML(start, elem_id="quiz-stage", **scripted("quiz.js"))
        self.score = gr.HTML("", elem_id="quiz-score", apply_default_css=False)
        with gr.Row():
            self.mode = gr.Radio(
                list(_MODES),
                value=PLAY,
                label="How to play",
                info=f"Free play tells you each time; the test after {TRIALS} rounds.",
                elem_id="quiz-mode",
            )
            self.k = gr.Radio(
                list(range(MIN_PICTURES, MAX_PICTURES + 1)),
                value=3,
                label="Pictures",
                info="How many to choose from in the next round of free play.",
                elem_id="quiz-k",
            )
        with gr.Accordion("Your own photos", open=False, elem_id="quiz-own"):
            self.upload = gr.File(
                label="Your own color photos, or a zip of them",
                file_count="multiple",
                height=140,
                elem_id="quiz-upload",
            )
            self.folder = gr.UploadButton(
                "Choose a whole folder", file_count="directory", elem_id="quiz-folder"
            )
            self.about = gr.HTML(line(_OWN_PHOTOS), elem_id="quiz-about-own", **STATUS)
        with gr.Accordion("Results", open=False, elem_id="quiz-results-part") as self.results_part:
            self.results = gr.HTML("", elem_id="quiz-results")
        gr.HTML(_PRIVACY, elem_id="quiz-privacy")
        self._connect()

    def _connect(self) -> None:
        """Connect events with handlers, none of which is public."""
        shown = [self.game, self.stage, self.score, self.status, self.k]
        chosen = [self.game, self.mode, self.k]
        rounds = {**_OPTIONS, "trigger_mode": "multiple"}
        for event, act in (
            (self.stage.next, self.go_on),
            (self.stage.choose, self.choose),
            (self.mode.input, self.change_mode),
        ):
            event(self.handled(act, self.status), chosen, shown, **rounds)
        own = self.handled(self.take_in, self.about)
        told = {**_OPTIONS, "show_progress": "full", "show_progress_on": self.about}
        for event, upload in (
            (self.upload.upload, self.upload),
            (self.upload.delete, self.upload),
            (self.upload.clear, self.upload),
            (self.folder.upload, self.folder),
        ):
            event(own, [*chosen, upload], [*shown, self.about], trigger_mode="always_last", **told)
        results = self.handled(self.show_results, self.results)
        self.results_part.expand(results, [self.game], [self.game, self.results], **_OPTIONS)

    def handled(self, act: Callable[..., Updates], told: gr.HTML) -> Callable[..., Updates]:
        """Make a handler of a method that gets the visitor's game and the event.

        Args:
            act: the method.
            told: where it is said if that fails.
        """

        def handler(
            request: gr.Request, event: gr.EventData, game: Game | None, *values: Any
        ) -> Updates:
            try:
                visitor = request.username or (request.client.host if request.client else "")
                if game is None:
                    game = Game(self._quiz, self._space.root, visitor)
                    self._space.owners.give(game.folder, visitor_of(request))
                return {self.game: game, **act(game, event, *values)}
            except FAILURES as error:
                return {self.game: game, told: line(sentence(error), bad=True)}

        return handler

    def go_on(self, game: Game, _: object, mode: str, k: int) -> Updates:
        """Show the trial that waits for an answer, or the next one."""
        try:
            with self._space.budget.reserve(_ROUND_PIXELS):
                trial = game.trial(_MODES[mode], k)
        except FAILURES as error:
            return {self.status: line(sentence(error), bad=True), self.stage: intro("", "Go on")}
        where = f"{game.tested + 1} of {TRIALS}: which one is the photo?"
        return {
            self.stage: trial_html(trial),
            self.score: score_html(game.score),
            self.status: line(where if mode == TEST else "Which one is the photo?"),
        }

    def choose(self, game: Game, event: gr.EventData, mode: str, k: int) -> Updates:
        """Take an answer, and show its outcome, or in a test the next trial."""
        token, chosen = getattr(event, "token", None), getattr(event, "chosen", None)
        outcome = None
        if isinstance(token, str) and isinstance(chosen, int):
            outcome = game.answer(token, chosen)
        if outcome is None:
            text = "That round has been answered, or is gone; go on with the next one."
            return {self.status: line(text, bad=True)}
        if outcome.mode == "test" and not outcome.test:
            return self.go_on(game, None, TEST, k)
        answer = "Right, it is" if outcome.right else "No, it is"
        stage, text = outcome_html(outcome), f"{answer} picture {LETTERS[outcome.trial.truth]}."
        status = line(text)
        if outcome.test:
            stage, status = intro(test_result(outcome.test, TRIALS), None), ""
        if outcome.problem:
            status = line(sentence(outcome.problem), bad=True)
        return {self.stage: stage, self.score: score_html(game.score), self.status: status}

    def change_mode(self, game: Game, _: object, mode: str, k: int) -> Updates:
        """Go on in the other way to play, where it was left, or say how it goes."""
        is_test = mode == TEST
        chosen = {self.k: gr.update(interactive=not is_test)}
        if game.tested if is_test else game.score.answered:
            return {**chosen, **self.go_on(game, None, mode, k)}
        text = _TEST_INTRO.format(TRIALS) if is_test else _PLAY_INTRO
        if missing := game.missing_for_test() if is_test else None:
            text += f'<p class="quiz-lacking">{missing}</p>'
        return {**chosen, self.status: "", self.stage: intro(text, None if missing else "Start")}

    def take_in(
        self, game: Game, _: object, mode: str, k: int, uploads: list[str] | None
    ) -> Updates:
        """Play with uploaded photos, or with everybody's once they are removed."""
        own, about = None, _OWN_PHOTOS
        before = list(game.folder.glob("own-*"))
        if uploads:
            own, about = self._own_photos(game, [Path(one) for one in uploads])
        game.play_with(own)
        for folder in before:
            shutil.rmtree(folder, ignore_errors=True)
        return {**self.change_mode(game, None, mode, k), self.about: line(about)}

    def show_results(self, game: Game, _: object) -> Updates:
        """Show the fooling rates."""
        tallies = self._quiz.store.tallies(self._quiz.colorizer.digest)
        return {self.results: results_html(tallies, game.player, self._quiz.pool.origin)}

    def _own_photos(self, game: Game, uploads: Sequence[Path]) -> tuple[PhotoPool, str]:
        """Bring a player's own photos into the game's folder, scan them, and tell of them.

        Of more than there may be, the first are taken, since a whole folder of a family has more.

        Raises:
            ColorflowError: an archive is refused, the disk is full, or none is a color photo.
        """
        folder, files = new_folder(game.folder, "own-"), list[Path]()
        for upload in uploads:
            if len(files) >= MOST_PHOTOS:
                break
            if kind_of_archive(upload) == "zip":
                inside, unpacked = unpack_photos(upload, folder, MOST_PHOTOS, self._space)
                files += [inside / one for one in sorted(unpacked.files) if is_photo(one)]
            else:
                files.append(new_folder(folder, "photo-") / upload.name)
                link_or_copy(upload, files[-1])
        pool = PhotoPool(files[:MOST_PHOTOS], "")
        pool.scan(partial(opened, budget=self._space.budget))
        if not (found := len(pool.photos)):
            raise ColorflowError(
                "None of these files is a photo that can be read and has colors; photos are "
                f"{KINDS} files."
            )
        first = "the first " if len(pool.files) == MOST_PHOTOS else ""
        return pool, f"{found} of {first}{len(pool.files)} files are color photos."


# HTML


def intro(text: str, button: str | None) -> str:
    """What comes before the first picture, with a button unless there is nothing to start."""
    start = _next_button(button) if button else ""
    return f'<div class="quiz-card">{text}{start}</div>'


def trial_html(trial: Trial) -> str:
    """A trial: pictures to choose from."""
    choices = "".join(
        f'<button type="button" class="quiz-choice" data-choice="{index}" '
        f'data-key="{LETTERS[index]}">{_picture(trial, index, f"Picture {LETTERS[index]}")}'
        "</button>"
        for index in range(trial.k)
    )
    label = f"{trial.k} pictures, one of which is the photo as it was taken"
    return _grid(
        trial,
        choices,
        f'data-token="{trial.token}" data-focus tabindex="-1" role="group" aria-label="{label}"',
    )


def outcome_html(outcome: Outcome) -> str:
    """The same pictures, and which one is true."""
    trial = outcome.trial
    figures = []
    for index, letter in enumerate(LETTERS[: trial.k]):
        true, chosen = index == trial.truth, index == outcome.chosen
        origin = "the photo as it was taken" if true else "colored by the computer"
        kind = "true" if true else "false" if chosen else "other"
        mark = '<span aria-hidden="true">✓</span> ' if true else ""
        figures.append(
            f'<figure class="quiz-choice {kind}">'
            f"{_picture(trial, index, f'Picture {letter}, {origin}')}"
            f'<figcaption class="quiz-caption">{mark}{letter}: {origin}'
            f"{'; your choice' if chosen else ''}</figcaption></figure>"
        )
    return _grid(trial, "".join(figures), "") + _next_button("Next")


def score_html(score: Score) -> str:
    """The score of a game; nothing before the first answer."""
    if not score.answered:
        return ""
    return (
        f'<p class="quiz-score"><strong>{score.right} of {score.answered} right</strong>; guessing '
        f"gives {score.guessed:.1f}. Right in a row: {score.streak}, at best {score.best}.</p>"
    )


def test_result(tally: Tally, trials: int) -> str:
    """How often a player was fooled in a test of so many trials."""
    sentences = []
    if tally.answered:
        sentences.append(
            f"In {tally.wrong} of {tally.answered} trials you took the computer's colors for the "
            f"photo's: {_percent(tally.fooling_rate)}, 95 % interval {_between(tally.interval)}. "
            "Guessing gives 50 %."
        )
    if missed := trials - tally.answered:
        sentences.append(f"{missed} answers came too soon or too late to count.")
    return f"<h3>That was the test</h3><p>{' '.join(sentences)}</p>"


def results_html(tallies: Mapping[int, Mapping[str, Tally]], own: str, origin: str) -> str:
    """Fooling rates as a table.

    Args:
        tallies: of all players, by number of pictures and player.
        own: the player who sees the results.
        origin: a sentence on where the photos are from.
    """
    if not tallies:
        return '<div class="quiz-card"><p>Nobody has played yet.</p></div>'
    body = ""
    for k, players in sorted(tallies.items()):
        judges = list(players.values())
        everybody = judges[0].interval if len(judges) == 1 else bootstrap_interval(judges)
        shown = [(f"All ({len(judges)})", total(judges), everybody)]
        if mine := players.get(own):
            shown.insert(0, ("You", mine, mine.interval))
        for who, tally, interval in shown:
            fooled = f"{tally.wrong} of {tally.answered} ({_percent(tally.fooling_rate)})"
            cells = (who, fooled, _between(interval), _percent(1 - 1 / k))
            body += f'<tr><th scope="row">{k}</th><td>{"</td><td>".join(cells)}</td></tr>'
    names = ("Pictures", "Player", "Fooled", "95 % interval", "Guessing")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f'<p class="quiz-about">{html.escape(f"{_ABOUT} {origin}")}</p>'
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _between(interval: Interval) -> str:
    """An interval such as 12 to 65 %."""
    return f"{100 * interval.low:.0f} to {_percent(interval.high)}"


def _grid(trial: Trial, inside: str, attributes: str) -> str:
    ratio = f"--ratio:{trial.width / trial.height:.4f}"
    return f'<div class="quiz-grid of{trial.k}" style="{ratio}" {attributes}>{inside}</div>'


def _picture(trial: Trial, index: int, alt: str) -> str:
    """One picture of the sheet, with its key in the corner; the others are outside of the frame."""
    step = trial.height + 2 * MARGIN
    position = 100 * (index * step + MARGIN) / (trial.k * step - trial.height)
    return (
        f'<span class="quiz-picture"><img src="{file_url(trial.sheet)}" alt="{html.escape(alt)}" '
        f'draggable="false" style="object-position:0 {position:.4f}%">'
        f'<kbd aria-hidden="true">{LETTERS[index]}</kbd></span>'
    )


def _next_button(text: str) -> str:
    return (
        f'<p class="quiz-next"><button type="button" data-next data-focus>'
        f"{html.escape(text)}</button></p>"
    )
