"""The quiz tab: which picture is the photo as it was taken?"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from colorflow.errors import ColorflowError
from colorflow.quiz.free_play import APART
from colorflow.quiz.game import Game, Outcome, Quiz
from colorflow.quiz.store import GameKind
from colorflow.quiz.strict_test import NEEDED, PRACTICE, TRIALS, StrictTest
from colorflow.quiz.trials import MAX_PICTURES, MIN_PICTURES
from colorflow.ui.limits import ROUND_PIXELS, WORK_QUEUE, UploadSpace, visitor_of
from colorflow.ui.photos import storing
from colorflow.ui.quiz_html import (
    ON_LOAD,
    between,
    free_trial_html,
    intro,
    name_of,
    outcome_html,
    percent,
    score_html,
    strict_trial_html,
    verdict,
)
from colorflow.ui.quiz_photos import OWN_PHOTOS, own_pool, summary_of
from colorflow.ui.quiz_results import results_html
from colorflow.ui.status import line, problem, status_line

PLAY, STRICT = "Free play", "Strict test"

Updates = dict[Any, Any]
"""New values by component."""

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
_FEW = """
<p>Best is to begin with your own photos, above. Otherwise you play with the few that come with this
page, each of which comes once.</p>
"""
_STRICT_INTRO = f"""
<h3>Two pictures, one second each</h3>
<p>The literature measures it this way: {PRACTICE} trials for practice, which tell you whether you
were right, and then {TRIALS} that do not. Take your time to answer, with a click or the keys 1 and
2; the pictures do not come again.</p>
"""
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
        space: where players have their folders; all photos of a player together may have the size
            of the largest upload.
    """

    def __init__(self, quiz: Quiz, space: UploadSpace) -> None:
        self._quiz, self._space = quiz, space
        self.game = gr.State(None, delete_callback=_close)
        gr.HTML(_HEADING, elem_id="quiz-heading")
        with gr.Tabs(elem_id="quiz-pages", overflow_behavior="wrap"):
            with gr.Tab("Play", elem_id="quiz-play-page"):
                self._build_photos()
                self._build_play()
                self._build_controls()
            with gr.Tab("Results", elem_id="quiz-results-page") as self.results_page:
                self.results = gr.HTML("", elem_id="quiz-results")
                self.export = gr.DownloadButton("Answers as CSV", elem_id="quiz-export")
        self._connect()

    def _build_photos(self) -> None:
        """The upload of own photos, which comes first if there are few others."""
        self._intro = _PLAY_INTRO
        if few := len(self._quiz.pool.files) <= APART:
            self._intro += _FEW
        with gr.Column(visible=few, elem_id="quiz-own"):
            self.upload = gr.File(
                label="Your own color photos, or a zip of them",
                file_count="multiple",
                height=140,
                elem_id="quiz-upload",
            )
            self.folder = gr.UploadButton(
                "Choose a whole folder", file_count="directory", elem_id="quiz-folder"
            )
            self.about = status_line(line(OWN_PHOTOS), "quiz-about-own")

    def _build_play(self) -> None:
        with gr.Column(elem_id="quiz-round"):
            self.status = status_line("", "quiz-status")
            self.stage = gr.HTML(
                intro(self._intro, "Start"),
                js_on_load=ON_LOAD,
                apply_default_css=False,
                elem_id="quiz-stage",
            )

    def _build_controls(self) -> None:
        self.score = gr.HTML("", elem_id="quiz-score", apply_default_css=False)
        with gr.Row():
            self.mode = gr.Radio(
                [PLAY, STRICT],
                value=PLAY,
                label="How to play",
                info=f"Free play tells you each time; the strict test has {NEEDED} trials.",
                elem_id="quiz-mode",
            )
            self.k = gr.Radio(
                list(range(MIN_PICTURES, MAX_PICTURES + 1)),
                value=3,
                label="Pictures",
                info="How many to choose from in the next round of free play.",
                elem_id="quiz-k",
            )
        gr.HTML(_PRIVACY, elem_id="quiz-privacy")

    def _connect(self) -> None:
        """Connect events with handlers, none of which is public."""
        shown = [self.game, self.stage, self.score, self.status]
        quietly: dict[str, Any] = {
            "show_progress": "hidden",
            "api_visibility": "private",
            **WORK_QUEUE,
        }
        taking_in: dict[str, Any] = {
            "show_progress_on": self.about,
            "api_visibility": "private",
            **WORK_QUEUE,
        }
        self.stage.next(self.go_on, [self.game, self.mode, self.k], shown, **quietly)
        self.stage.choose(self.choose, [self.game, self.k], shown, **quietly)
        self.mode.input(
            self.change_mode, [self.game, self.mode, self.k], [*shown, self.k], **quietly
        )
        gr.on(
            [self.upload.upload, self.upload.delete, self.upload.clear],
            self.take_in,
            [self.upload, self.game, self.mode, self.k],
            [*shown, self.about, self.k],
            **taking_in,
        )
        self.folder.upload(
            self.take_in,
            [self.folder, self.game, self.mode, self.k],
            [*shown, self.about, self.k],
            **taking_in,
        )
        self.results_page.select(
            self.show_results, [self.game], [self.game, self.results, self.export], **quietly
        )

    def take_in(
        self,
        uploads: list[str] | None,
        game: Game | None,
        mode: str,
        k: int,
        request: gr.Request | None = None,
    ) -> Updates:
        """Play with uploaded photos, or with everybody's once they are removed."""
        try:
            game, own, about = self._game(game, request), None, OWN_PHOTOS
            if uploads:
                with self._space.budget.reserve(self._space.budget.pixels):
                    own, left_out = own_pool(
                        [Path(one) for one in uploads],
                        game.folder / "own",
                        self._space.megabytes,
                        self._space.budget.pixels,
                    )
                    about = summary_of(own, left_out)
            game.play_with(own)
        except (ColorflowError, MemoryError) as error:
            return {self.game: game, self.about: problem(error)}
        started = self.change_mode(game, mode, k, request)
        return {
            self.game: game,
            **started,
            self.about: line(about),
        }

    def go_on(
        self, game: Game | None, mode: str, k: int, request: gr.Request | None = None
    ) -> Updates:
        """Show the trial that waits for an answer, or the next one."""
        try:
            game = self._game(game, request)
            updates = self._strict_trial(game) if mode == STRICT else self._free_trial(game, k)
        except (ColorflowError, MemoryError) as error:
            if game and mode == STRICT:
                game.forget_test()
            return {self.game: game, self.status: problem(error), self.stage: gr.skip()}
        return {self.game: game, **updates}

    def choose(self, game: Game | None, k: int, event: gr.EventData) -> Updates:
        """Take an answer, and show its outcome unless the strict test forbids that."""
        token, chosen = getattr(event, "token", None), getattr(event, "chosen", None)
        outcome = None
        if game and isinstance(token, str) and isinstance(chosen, int):
            outcome = game.answer(token, chosen)
        if game is None or outcome is None:
            text = "That round has been answered, or is gone; go on with the next one."
            return {self.status: line(text, bad=True)}
        try:
            updates = self._after(game, outcome, k)
        except (ColorflowError, MemoryError) as error:
            game.forget_test()
            return {self.status: problem(error)}
        if outcome.problem:
            updates[self.status] = problem(outcome.problem)
        return updates

    def change_mode(
        self, game: Game | None, mode: str, k: int, request: gr.Request | None = None
    ) -> Updates:
        """Change between free play and the strict test; a waiting trial stays."""
        updates: Updates = {self.k: gr.update(interactive=mode == PLAY), self.status: ""}
        if mode == PLAY:
            if game and game.score.answered:
                return {**updates, **self.go_on(game, mode, k)}
            return {**updates, self.stage: intro(self._intro, "Start")}
        try:
            game = self._game(game, request)
        except ColorflowError as error:
            return {**updates, self.status: problem(error)}
        missing = None if game.test else game.missing_for_test()
        text = f'<p class="quiz-lacking">{missing}</p>' if missing else ""
        button = None if missing else "Go on" if game.test else "Start"
        return {**updates, self.game: game, self.stage: intro(_STRICT_INTRO + text, button)}

    def show_results(self, game: Game | None, request: gr.Request | None = None) -> Updates:
        """Show the fooling rates, and offer the answers as a file."""
        try:
            game = self._game(game, request)
            players = self._quiz.store.tallies(self._quiz.colorizer.digest)
            table = Path(tempfile.mkdtemp(dir=game.folder)) / "colorflow-quiz.csv"
            count = self._quiz.store.export(table)
        except (ColorflowError, OSError) as error:
            sentence = error if isinstance(error, ColorflowError) else ColorflowError(str(error))
            return {self.results: problem(sentence), self.export: gr.update(interactive=False)}
        answers = "1 answer" if count == 1 else f"{count} answers"
        return {
            self.game: game,
            self.results: results_html(players, game.tallies, self._quiz.pool.origin),
            self.export: gr.update(
                value=str(table), label=f"Download {answers} as CSV", interactive=count > 0
            ),
        }

    def _game(self, game: Game | None, request: gr.Request | None) -> Game:
        if game:
            return game
        account = request.username if request else None
        with storing():
            root = self._space.budget.disk.folder_at_work(self._space.root)
        return Game(self._quiz, root, visitor_of(request, account))

    def _free_trial(self, game: Game, k: int) -> Updates:
        with self._space.budget.reserve(ROUND_PIXELS):
            trial = game.play(k)
        return {
            self.stage: free_trial_html(trial),
            self.score: self._score(game, k),
            self.status: verdict("Which one is the photo?"),
        }

    def _strict_trial(self, game: Game) -> Updates:
        with self._space.budget.reserve(ROUND_PIXELS):
            trial, test = game.trial(), game.test
        if trial is not None and test is not None:
            return {self.stage: strict_trial_html(trial, test), self.status: ""}
        return {self.stage: self._finished(game), self.status: ""}

    def _after(self, game: Game, outcome: Outcome, k: int) -> Updates:
        if outcome.mode == "test":
            return self._strict_trial(game)
        truth = name_of(outcome, outcome.trial.truth)
        truth = truth[0].lower() + truth[1:]
        text = f"Right, it is {truth}." if outcome.right else f"No, it is {truth}."
        button = "Next"
        if outcome.mode == "practice" and game.test and game.test.number == PRACTICE:
            button = f"Now the {TRIALS} that count"
        return {
            self.stage: outcome_html(outcome, button),
            self.score: self._score(game, k) if outcome.mode == "play" else gr.skip(),
            self.status: verdict(text),
        }

    def _score(self, game: Game, k: int) -> str:
        kind = GameKind("play", k)
        return score_html(game.score, kind, game.tallies.get(kind))

    def _finished(self, game: Game) -> str:
        """The result of a strict test, which is then dropped so that another one can begin."""
        test = game.test
        assert test is not None
        game.forget_test()
        return intro(f"<h3>That was the strict test</h3><p>{_result_of(test)}</p>", None)


def _result_of(test: StrictTest) -> str:
    tally, sentences = test.tally, []
    if tally.fooling_rate is not None and tally.interval is not None:
        sentences.append(
            f"In {tally.wrong} of {tally.answered} trials you took the computer's colors "
            f"for the photo's: {percent(tally.fooling_rate)}, 95 % interval "
            f"{between(tally.interval)}. Guessing gives {percent(0.5)}."
        )
    if tally.answered < TRIALS:
        missed = TRIALS - tally.answered
        sentences.append(f"{missed} answers came too soon or too late to count.")
    return " ".join(sentences)


def _close(game: Game | None) -> None:
    if game is not None:
        game.close()
