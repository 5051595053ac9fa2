"""The web page, made with Gradio.

    server.py     starts the page, and clears up behind it
    page.py       what every tab shares: heading, theme, page.css
    colourise.py  the tab that colours one photo
    status.py     lines that say how things stand
    session.py    one visitor's photo and colourings, as files; knows nothing of Gradio

Importing this package imports neither Gradio nor torch; `serve` does.
"""

from colorflow.ui.server import serve

__all__ = ["serve"]
