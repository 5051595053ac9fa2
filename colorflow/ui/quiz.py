"""The quiz tab: which picture is the photo as it was taken?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from colorflow.errors import ColorflowError
from colorflow.photo import KINDS
from colorflow.quiz.game import TRIALS, Game, Outcome, Quiz
from colorflow.quiz.store import Mode
from colorflow.quiz.trials import LARGEST_SIDE, MAX_PICTURES, MIN_PICTURES, PhotoPool
from colorflow.ui.album import kind_of_archive, unpack_photos
from colorflow.ui.limits import WORK_QUEUE, UploadSpace
from colorflow.ui.photos import link_or_copy, new_folder, storing
from colorflow.ui.quiz_html import (
    LETTERS,
    intro,
    outcome_html,
    results_html,
    score_html,
    test_result,
    trial_html,
)
from colorflow.ui.status import FAILURES, Updates, line, problem, status_line
from colorflow.ui.storage import KEEP_SECONDS

PLAY, TEST = "Free play", "Test"
_MODES: dict[str, Mode] = {PLAY: "play", TEST: "test"}
MOST_PHOTOS = 200
_ROUND_PIXELS = (MAX_PICTURES + 1) * LARGEST_SIDE**2
"""Pixels that a round reserves: the photo and its pictures."""
_OPTIONS: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    **WORK_QUEUE,
}

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
        self.game = gr.State(None, time_to_live=KEEP_SECONDS, delete_callback=_close)
        gr.HTML(_HEADING, elem_id="quiz-heading")
        with gr.Column(elem_id="quiz-round"):
            self.status = status_line("", "quiz-status")
            self.stage = gr.HTML(
                intro(_PLAY_INTRO, "Start"),
                js_on_load=Path(__file__).with_name("quiz.js").read_text(encoding="utf-8"),
                apply_default_css=False,
                elem_id="quiz-stage",
            )
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
            self.about = status_line(line(_OWN_PHOTOS), "quiz-about-own")
        with gr.Accordion("Results", open=False, elem_id="quiz-results-part") as self.results_part:
            self.results = gr.HTML("", elem_id="quiz-results")
            self.export = gr.DownloadButton("Answers as CSV", elem_id="quiz-export")
        gr.HTML(_PRIVACY, elem_id="quiz-privacy")
        self._connect()

    def _connect(self) -> None:
        """Connect events with handlers, none of which is public."""
        shown = [self.game, self.stage, self.score, self.status, self.k]
        chosen = [self.game, self.mode, self.k]
        for event, act in (
            (self.stage.next, self.go_on),
            (self.stage.choose, self.choose),
            (self.mode.input, self.change_mode),
        ):
            event(self.handled(act, self.status), chosen, shown, **_OPTIONS)
        own = self.handled(self.take_in, self.about)
        for upload, events in (
            (self.upload, [self.upload.upload, self.upload.delete, self.upload.clear]),
            (self.folder, [self.folder.upload]),
        ):
            outputs = [*shown, self.mode, self.about]
            told = {**_OPTIONS, "show_progress": "full", "show_progress_on": self.about}
            gr.on(events, own, [*chosen, upload], outputs, trigger_mode="always_last", **told)
        self.results_part.expand(
            self.handled(self.show_results, self.results),
            [self.game],
            [self.game, self.results, self.export],
            **_OPTIONS,
        )

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
                game = game or self._new_game(request)
                return {self.game: game, **act(game, event, *values)}
            except FAILURES as error:
                return {self.game: game, told: problem(error)}

        return handler

    def go_on(self, game: Game, _: object, mode: str, k: int) -> Updates:
        """Show the trial that waits for an answer, or the next one."""
        with self._space.budget.reserve(_ROUND_PIXELS):
            trial = game.trial(_MODES[mode], k)
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
        try:
            updates = self._after(game, outcome, k)
        except FAILURES as error:
            return {self.status: problem(error), self.stage: intro("", "Go on")}
        if outcome.problem:
            updates[self.status] = problem(outcome.problem)
        return updates

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
        if uploads:
            budget = self._space.budget
            with budget.reserve(budget.pixels):
                own, about = self._own_photos(game, [Path(one) for one in uploads])
        game.play_with(own)
        return {**self.change_mode(game, None, mode, k), self.about: line(about)}

    def show_results(self, game: Game, _: object) -> Updates:
        """Show the fooling rates, and offer the answers as a file."""
        tallies = self._quiz.store.tallies(self._quiz.colorizer.digest)
        table = new_folder(game.folder, "results-") / "colorflow-quiz.csv"
        count = self._quiz.store.export(table)
        answers = "1 answer" if count == 1 else f"{count} answers"
        return {
            self.results: results_html(tallies, game.player, self._quiz.pool.origin),
            self.export: gr.update(
                value=str(table), label=f"Download {answers} as CSV", interactive=count > 0
            ),
        }

    def _new_game(self, request: gr.Request) -> Game:
        visitor = request.username or (request.client.host if request.client else "")
        return Game(self._quiz, self._space.root, visitor)

    def _own_photos(self, game: Game, uploads: Sequence[Path]) -> tuple[PhotoPool, str]:
        """Bring a player's own photos into the game's folder, scan them, and tell of them.

        Of more than there may be, the first are taken, since a whole folder of a family has more.

        Raises:
            ColorflowError: an archive is refused, or none is a color photo.
        """
        folder = new_folder(game.folder, "own-")
        files: list[Path] = []
        for upload in uploads[:MOST_PHOTOS]:
            inside = new_folder(folder, "")
            if kind_of_archive(upload) == "zip":
                size = self._space.megabytes * 2**20
                unpacked = unpack_photos(upload, inside / "zip", MOST_PHOTOS, size)
                files += [inside / "zip" / one for one in unpacked.files]
            else:
                with storing():
                    link_or_copy(upload, inside / upload.name)
                files.append(inside / upload.name)
        pool = PhotoPool(files[:MOST_PHOTOS], "", max_pixels=self._space.budget.pixels)
        pool.scan()
        if not (found := len(pool.photos)):
            raise ColorflowError(
                "None of these files is a photo that can be read and has colors; photos are "
                f"{KINDS} files."
            )
        first = "the first " if len(pool.files) < max(len(files), len(uploads)) else ""
        return pool, f"{found} of {first}{len(pool.files)} files are color photos."

    def _after(self, game: Game, outcome: Outcome, k: int) -> Updates:
        if outcome.mode == "test" and not outcome.test:
            return self.go_on(game, None, TEST, k)
        answer = "Right, it is" if outcome.right else "No, it is"
        stage = outcome_html(outcome)
        text = line(f"{answer} picture {LETTERS[outcome.trial.truth]}.")
        if outcome.test:
            stage, text = intro(test_result(outcome.test, TRIALS), None), ""
        return {self.stage: stage, self.score: score_html(game.score), self.status: text}


def _close(game: Game | None) -> None:
    """Delete the files of a visitor who has gone."""
    if game:
        game.close()
