"""The quiz tab: which picture is the photo as it was taken?"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from colorflow.errors import ColorflowError
from colorflow.photo import KINDS
from colorflow.quiz.game import TRIALS, Game, Outcome, Quiz
from colorflow.quiz.store import Mode
from colorflow.quiz.trials import MAX_PICTURES, MIN_PICTURES, PhotoPool
from colorflow.ui.album import kind_of_archive, unpack_photos
from colorflow.ui.limits import ROUND_PIXELS, UploadSpace, visitor_of
from colorflow.ui.panes import AFTERWARDS, AT_ONCE, IN_TURN, one_at_a_time, script, session_state
from colorflow.ui.photos import link_or_copy, new_folder, storing
from colorflow.ui.quiz_html import (
    LETTERS,
    intro,
    outcome_html,
    results_html,
    score_html,
    test_result,
    trial_html,
    verdict,
)
from colorflow.ui.session import Session
from colorflow.ui.status import FAILURES, Updates, line, problem, status_line

PLAY, TEST = "Free play", "Test"
_MODES: dict[str, Mode] = {PLAY: "play", TEST: "test"}
MOST_PHOTOS = 200

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
<p>Best is to begin with your own photos, above. This page has {} itself, each of which comes once:
few color photos may be passed on with a program.</p>
"""
_NO_TEST = f"""
<p>The test needs {TRIALS} color photos, so that its result means something; with as many of your
own it is offered here.</p>
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


class QuizSession(Session[Any]):
    """A session with a game after the first event."""

    game: Game | None = None

    def close(self) -> None:
        """Delete the game's files."""
        if self.game:
            self.game.close()


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
        self.session = session_state(space, QuizSession)
        gr.HTML(_HEADING, elem_id="quiz-heading")
        with gr.Tabs(elem_id="quiz-pages", overflow_behavior="wrap"):
            with gr.Tab("Play", elem_id="quiz-play-page"):
                self._build_photos()
                self._build_play()
            with gr.Tab("Results", elem_id="quiz-results-page") as self.results_page:
                self.results = gr.HTML("", elem_id="quiz-results")
                self.export = gr.DownloadButton("Answers as CSV", elem_id="quiz-export")
        self._connect()

    def _build_photos(self) -> None:
        """The upload of own photos, which comes first if there are few others."""
        self._intro = _PLAY_INTRO
        if few := len(self._quiz.pool.files) <= TRIALS:
            self._intro += _FEW.format(len(self._quiz.pool.files))
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
            self.about = status_line(line(_OWN_PHOTOS), "quiz-about-own")

    def _build_play(self) -> None:
        with gr.Column(elem_id="quiz-round"):
            self.status = status_line("", "quiz-status")
            self.stage = gr.HTML(
                intro(self._intro, "Start"),
                js_on_load=script("quiz.js"),
                apply_default_css=False,
                elem_id="quiz-stage",
            )
        self.score = gr.HTML("", elem_id="quiz-score", apply_default_css=False)
        enough = len(self._quiz.pool.files) >= TRIALS
        with gr.Row():
            self.mode = gr.Radio(
                list(_MODES),
                value=PLAY,
                label="How to play",
                info=f"Free play tells you each time; the test after {TRIALS} rounds.",
                visible=enough,
                elem_id="quiz-mode",
            )
            self.k = gr.Radio(
                list(range(MIN_PICTURES, MAX_PICTURES + 1)),
                value=3,
                label="Pictures",
                info="How many to choose from in the next round of free play.",
                elem_id="quiz-k",
            )
        self.no_test = gr.HTML(_NO_TEST, visible=not enough, elem_id="quiz-mode-info")
        gr.HTML(_PRIVACY, elem_id="quiz-privacy")

    def _connect(self) -> None:
        """Connect events with handlers, none of which is public."""
        chosen = [self.session, self.mode, self.k]
        shown = [self.session, self.stage, self.score, self.status, self.about]

        def handled(act: Callable[..., Updates], told: gr.HTML) -> Callable[..., Any]:
            return one_at_a_time(self.handled(act, told))

        self.stage.next(handled(self.go_on, self.status), chosen, shown, **AFTERWARDS)
        self.stage.choose(one_at_a_time(self.choose), [self.session], shown, **AFTERWARDS)
        last = {**AFTERWARDS, "trigger_mode": "always_last"}
        self.mode.input(handled(self.change_mode, self.status), chosen, shown, **last)
        self.mode.input(
            lambda mode: gr.update(interactive=mode == PLAY), [self.mode], [self.k], **AT_ONCE
        )
        own = handled(self.take_in, self.about)
        for upload, events in (
            (self.upload, [self.upload.upload, self.upload.delete, self.upload.clear]),
            (self.folder, [self.folder.upload]),
        ):
            offered = [*shown, self.mode, self.k, self.no_test]
            last = {**IN_TURN, "show_progress_on": self.about, "trigger_mode": "always_last"}
            gr.on(events, own, [*chosen, upload], offered, **last)
        self.results_page.select(
            handled(self.show_results, self.results),
            [self.session],
            [self.session, self.results, self.export],
            **AFTERWARDS,
        )

    def handled(self, act: Callable[..., Updates], told: gr.HTML) -> Callable[..., Updates]:
        """Make a handler of a method that gets the visitor's game.

        Args:
            act: the method.
            told: where it is said if that fails.
        """

        def handler(request: gr.Request, session: QuizSession, *values: Any) -> Updates:
            try:
                session.game = session.game or self._new_game(request)
                return {self.session: session, **act(session.game, *values)}
            except FAILURES as error:
                return {self.session: session, told: problem(error)}

        return handler

    def take_in(self, game: Game, mode: str, k: int, uploads: list[str] | None) -> Updates:
        """Play with uploaded photos, or with everybody's once they are removed."""
        own, about = None, _OWN_PHOTOS
        if uploads:
            budget = self._space.budget
            with budget.reading(), budget.reserve(budget.pixels):
                own, about = self._own_photos(game, [Path(one) for one in uploads])
        game.play_with(own)
        enough = len(own.photos if own else self._quiz.pool.files) >= TRIALS
        mode = mode if enough else PLAY
        return {
            **self.change_mode(game, mode, k),
            self.about: line(about),
            self.mode: gr.update(value=mode, visible=enough),
            self.k: gr.update(interactive=mode == PLAY),
            self.no_test: gr.update(visible=not enough),
        }

    def go_on(self, game: Game, mode: str, k: int) -> Updates:
        """Show the trial that waits for an answer, or the next one."""
        return self._trial(game, _MODES[mode], k)

    def choose(self, session: QuizSession, event: gr.EventData) -> Updates:
        """Take an answer, and show its outcome, or in a test the next trial."""
        token, chosen = getattr(event, "token", None), getattr(event, "chosen", None)
        game, outcome = session.game, None
        if game and isinstance(token, str) and isinstance(chosen, int):
            outcome = game.answer(token, chosen)
        if game is None or outcome is None:
            text = "That round has been answered, or is gone; go on with the next one."
            return {self.status: line(text, bad=True)}
        try:
            updates = self._after(game, outcome)
        except FAILURES as error:
            return {self.status: problem(error), self.stage: intro("", "Go on")}
        if outcome.problem:
            updates[self.status] = problem(outcome.problem)
        return updates

    def change_mode(self, game: Game, mode: str, k: int) -> Updates:
        """Go on in the other way to play, where it was left, or say how it goes."""
        if game.tested if mode == TEST else game.score.answered:
            return self.go_on(game, mode, k)
        text, missing = self._intro, None
        if mode == TEST:
            missing = game.missing_for_test()
            text = _TEST_INTRO.format(TRIALS) + (
                f'<p class="quiz-lacking">{missing}</p>' if missing else ""
            )
        return {self.status: "", self.stage: intro(text, None if missing else "Start")}

    def show_results(self, game: Game) -> Updates:
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
        with storing():
            root = self._space.budget.disk.folder_at_work(self._space.root)
        return Game(self._quiz, root, visitor_of(request, request.username))

    def _own_photos(self, game: Game, uploads: Sequence[Path]) -> tuple[PhotoPool, str]:
        """Bring a player's own photos into the game's folder, scan them, and tell of them.

        Of more than there may be, the first are taken, since a whole folder of a family has more.

        Raises:
            ColorflowError: an archive is refused, or none is a color photo.
        """
        folder, room = game.folder / "own", self._space.megabytes * 2**20
        shutil.rmtree(folder, ignore_errors=True)
        files: list[Path] = []
        taken = 0
        with storing():
            for upload in uploads:
                size, inside = upload.stat().st_size, folder / str(taken)
                if size > room or len(files) >= MOST_PHOTOS:
                    break
                folder.mkdir(exist_ok=True)
                if kind_of_archive(upload) == "zip":
                    unpacked = unpack_photos(upload, inside, MOST_PHOTOS - len(files), room)
                    files += [inside / one for one in unpacked.files]
                    size = unpacked.total_bytes
                else:
                    inside.mkdir()
                    link_or_copy(upload, inside / upload.name)
                    files.append(inside / upload.name)
                room -= size
                taken += 1
        pool = PhotoPool(files, "", max_pixels=self._space.budget.pixels)
        pool.scan()
        if not (found := len(pool.photos)):
            raise ColorflowError(
                "None of these files is a photo that can be read and has colors; photos are "
                f"{KINDS} files."
            )
        first = "the first " if taken < len(uploads) else ""
        return pool, f"{found} of {first}{len(files)} files are color photos."

    def _trial(self, game: Game, mode: Mode, k: int) -> Updates:
        with self._space.budget.reserve(ROUND_PIXELS):
            trial = game.trial(mode, k)
        where = f"{game.tested + 1} of {TRIALS}: which one is the photo?"
        return {
            self.stage: trial_html(trial),
            self.score: score_html(game.score),
            self.status: verdict(where if mode == "test" else "Which one is the photo?"),
        }

    def _after(self, game: Game, outcome: Outcome) -> Updates:
        if outcome.test:
            stage, text = intro(test_result(outcome.test, TRIALS), None), ""
        elif outcome.mode == "test":
            return self._trial(game, "test", MIN_PICTURES)
        else:
            stage = outcome_html(outcome)
            answer = "Right, it is" if outcome.right else "No, it is"
            text = verdict(f"{answer} picture {LETTERS[outcome.trial.truth]}.")
        return {self.stage: stage, self.score: score_html(game.score), self.status: text}
