"""The web page, made with Gradio.

    server.py     starts the page, and clears up behind it
    storage.py    the folder of uploads and results: what is removed from it when, and how much it
                  may hold
    limits.py     how much is done at the same time: queue and memory; slots.py: handlers that
                  work, and those that wait
    guard.py      middleware: which requests reach Gradio; access.py: open routes, names of the
                  page, and pages of others
    api.py        the API for programs
    page.py       what every tab shares: heading, theme, page.css; page.js names things for screen
                  readers
    session.py    what the server keeps of one visitor: open photos, the job at work, their files
    panes.py      where every tab takes uploads and shows results, before and after, which
                  compare.js does; listen.js listens to buttons in HTML
    saturation.py sliders of a finished coloring's saturation
    controls.py   controls that several tabs have; status.py: their status lines, and work that
                  tells its failures there; runs.py: work that waits for its turn
    colorize.py   the tab that colors photos; colorize_layout.py has its components, prepare.py and
                  prepare.js are the part that cuts out and repairs a print before, album_zip.py
                  makes the zip of several photos, uncertainty_map.py is the part that shows how
                  certain the colors are, enlarge.py the part that downloads and enlarges what is
                  shown, spots.py finds faces and detail to begin with, samples.py has photos to try
    hints.py      the tab where a visitor gives points their colors
    reference.py  the tab that carries the colors of one photo over to another
    quiz.py       the tab with the quiz; quiz_html.py is its HTML, quiz.js its script
    how.py        the tab that shows how it works; player.js plays its pictures

What the tabs work with:

    photos.py         an uploaded photo: its previews, and its colorings in full size
    album.py          photos that come as files or in archives: open ones, and those that wait
    prepared.py       what is wished of a print before it is colored, and what was made of it
    colorings.py      colorings of a photo, made one by one
    hinted_photo.py   a photo that is colored by hints, with marks at its points; points.py: what
                      clicks do to the points, and files of hints; swatches.py: likely colors, those
                      of skin, sky and so on, their names, and lists of them and of the points

Importing this package imports neither Gradio nor torch; `serve` does.
"""

from colorflow.ui.server import serve

__all__ = ["serve"]
