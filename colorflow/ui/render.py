"""What the page shows of a desk: every part whole, as HTML. Knows nothing of Gradio.

Buttons carry `data-act` and `data-index`, which listen.js and stage.js send. `page.css` shows and
hides controls by the classes of the part "state".
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from colorflow.batch.task import share_text
from colorflow.color.swatches import MATERIALS, Swatch
from colorflow.photo import Kind
from colorflow.recipe import Hint
from colorflow.ui.coloring import DeskPhoto
from colorflow.ui.desk import Desk
from colorflow.ui.files import FullSize, in_sight
from colorflow.ui.hints import REACHES, Brush

SAMPLE_PHOTOS = Path(__file__).with_name("sample_photos")
EXAMPLES = {"portrait.jpg": "Portrait", "cat.jpg": "Cat", "coffee.jpg": "Coffee"}
"""Photos to try: names of the files, and what they show. They are gray versions of pictures that
scikit-image ships: `astronaut` (NASA, public domain), `chelsea` (Stéfan van der Walt, CC0) and
`coffee` (Rachel Michetti, CC0). The buttons have the colors that the shipped weights give them
(`color_samples` in `git show f9ba7c2:benchmarks/page_pictures.py`)."""
STATUS: dict[str, Any] = {"html_template": '<div role="status">${value}</div>', "js_on_load": None}
"""Options of a `gr.HTML` of status lines, which screen readers read out when they change."""


Updates = dict[Any, Any]
"""What a handler gives: new values by component."""
_MOST_SAID = 5
"""Files with which something is wrong and that are named on the page."""
_CORNERS = ("Upper left", "Upper right", "Lower right", "Lower left")
_ABOUT_KIND = {
    Kind.GRAY: "a gray photo",
    Kind.TINTED: "a toned photo (sepia or the like), colored as if it were gray",
    Kind.COLORED: "its own colors are left out",
}
_ABOUT_BRUSHES: dict[Brush, str] = {
    "moves": "Click a point whose color you know, then choose its color.",
    "adds": "Draw a line over what else gets the color of the point.",
    "takes": "Draw a line over what does not get the color of the point.",
}
"""What the picture is for where points are clicked."""
_UNITS = 1000
"""Of the outlines of things, along a side of the picture."""
_STILL = 'draggable="false"'
_ZOOMS = (
    ("out", "Zoom out", "−"),
    ("fit", "The whole picture", "Fit"),
    ("pixels", "100 %: each pixel of the photo", "100 %"),
    ("in", "Zoom in", "+"),
)
"""Buttons of the large picture: what they do, their names, and what stands on them."""
_ABOUT_PANE = "The picture: + and - zoom, 0 shows all of it, arrow keys move it"
_MAPS = {
    "unsure": "Where it is dark, the photo shows which colors it had; where it is bright, many "
    "colors would suit it.",
    "reference": "Where it is bright, something alike was found, and has given its colors.",
}
"""What dark and bright mean on maps."""
_LEFT_ALONE = (
    "This photo already has colors. If it is the scan of a gray photo, or to see it in other "
    "colors, treat it as gray."
)
_NOTHING_FOUND = (
    "No print was found here, but it seems to lie on a table or a scanner's bed. Mark its corners."
)
_PART_FOUND = "A part of this may be a print. If it is, look at its corners, and cut it out."
"""About photos whose print is to be marked by hand."""
_WELCOME = """
<ol class="welcome">
<li><h2>Put a photo on the desk</h2>A scan, or a picture of the print taken with a phone; sepia is
fine. It may be a whole album, too.</li>
<li><h2>Color it</h2>First comes the average of all colorings that suit the photo, then other kinds
with their shares: the dress may be red in 41 of 100, and blue in the others.</li>
<li><h2>Say what you know</h2>Click the coat and choose its color. Then take the picture home in its
own size, or larger.</li>
</ol>
"""


def render(desk: Desk) -> dict[str, str]:
    """Everything that the page shows of a desk, by the names of its parts."""
    photo = desk.at
    return {
        "state": _state(desk),
        "status": _status(desk),
        "strip": _strip(desk),
        "stage": _stage(desk, photo) if photo else f"{_WELCOME}{_examples()}",
        "gallery": _gallery(photo) if photo else "",
        "restored": _restored(photo) if photo else "",
        "prepare-views": _prepare(desk, photo) if photo else "",
        "points": _points(photo) if photo else "",
        "unsure": _map(photo, "unsure") if photo else "",
        "references": _references(photo) if photo else "",
        "file": _file(desk),
    }


def _state(desk: Desk) -> str:
    """Classes by which page.css shows what can be done."""
    photo, photos = desk.at, desk.photos
    has: dict[str, object] = {
        "album": len(photos) + len(desk.waiting) > 1,
        "colorings": any(one.colorings for one in photos),
        "several-left-alone": sum(one.is_left_alone for one in photos) > 1,
        "unsaved": any(one.is_unsaved for one in photos),
        "photo": photo,
        "coloring": photo and photo.chosen,
        "own-colors": photo and photo.has_colors,
        "left-alone": photo and photo.is_left_alone,
        "repairs": photo and photo.plan.repairs,
        "point": photo and photo.points.target,
        "points": photo and photo.points.hints,
        "references": photo and photo.references,
    }
    return f'<span hidden class="{" ".join(f"has-{name}" for name in has if has[name])}"></span>'


def _status(desk: Desk) -> str:
    said = []
    for kind, wish in desk.wishes.items():
        text, value = wish.said if wish.is_begun else "Waiting for its turn ...", ""
        if wish.progress is not None:
            text, value = f"{text} {wish.progress:.0%}", f' value="{wish.progress:.3f}"'
        bar = f'<progress max="1"{value} aria-hidden="true"></progress>'
        cancel = _button("cancel", "Cancel", kind, aria_label=f"Cancel: {text}")
        said.append(f'<div class="wish">{line(text)}{bar}{cancel}</div>')
    if desk.said:
        said.append(line(desk.said, bad=desk.is_bad))
    said += [line(f"{one.name}: {one.reason}", bad=True) for one in desk.problems[:_MOST_SAID]]
    if (more := len(desk.problems) - _MOST_SAID) > 0:
        said.append(line(f"{more} more; the contact sheet in the zip names all.", bad=True))
    if desk.at and desk.at.is_left_alone and not desk.at.colorings:
        said.append(line(_LEFT_ALONE))
    return "".join(said)


def _strip(desk: Desk) -> str:
    """Small pictures of the photos as buttons."""
    tiles = []
    for one in desk.photos:
        name = one.folder.name  # an index might mean another photo by the time it is pressed
        picture = _image(one.form.photo.thumbnail, one.name, 'loading="lazy"')
        tick = '<span class="tick" role="img" aria-label="colored">✓</span>'
        inside, is_at = f"{picture}{tick if one.colorings else ''}", one is desk.at
        look = _button("look", inside, name, title=one.name, aria_pressed=is_at)
        remove = _button("remove", "×", name, aria_label=f"Take {one.name} away")
        tiles.append(f"<span>{look}{remove if is_at else ''}</span>")
    return _group("Your photos", "strip", tiles)


# the large picture


def _stage(desk: Desk, photo: DeskPhoto) -> str:
    if desk.view == "frame":
        return _frame(desk, photo)
    if desk.view == "places" and photo.plan.repairs:
        return _places(desk, photo)
    form, chosen = photo.shown_form, photo.chosen
    (after, full), *others = in_sight(desk)
    inside, slider = _large(after, full, f"Your photo, {'colored' if chosen else 'as it is'}"), ""
    for before, full in others:
        inside += _large(before, full, "Your photo before", "class=before")
        slider = (
            '<span class="handle"></span><input type="range" min="0" max="100" step="2" '
            'value="50" aria-label="Percent of the photo before">'
        )
    kind = "has its own colors" if photo.is_left_alone else _ABOUT_KIND[form.base.kind]
    said = f"{photo.name}: {form.photo.width} × {form.photo.height} pixels, {kind}."
    below = ""
    if desk.view == "points":
        said = _ABOUT_BRUSHES[desk.brush]
        inside += _outlines(photo) + _marks(photo)
        inside += _overlay(100, 100, "<polyline/>") if desk.draws else ""
        below = _palette(photo)
    asks = desk.view == "photo" and photo.may_be_cut and not photo.colorings
    above = _offer(photo) if asks else ""
    size = form.photo.width, form.photo.height
    return f"{above}{_picture(desk, said, inside, *size, slider)}{below}"


def _offer(photo: DeskPhoto) -> str:
    """What can be done where no print was found for sure."""
    said = _PART_FOUND if photo.prints else _NOTHING_FOUND
    acts = _button("view", "Mark its corners", "frame", class_="primary")
    acts += _button("whole", "Use the whole picture")
    return f'<p class="stage-hint">{said}</p><div class="acts">{acts}</div>'


def _large(preview: Path, full: FullSize, alt: str, more: str = "") -> str:
    """A picture, and where it is in full size if it has been made; stage.js asks for it."""
    address = file_url(full.path) if full.path.exists() else ""
    return _image(preview, alt, f'{_STILL} data-full="{address}" {more}')


def _picture(desk: Desk, said: str, inside: str, width: int, height: int, beside: str = "") -> str:
    """The large picture, and the buttons that show it closer.

    Args:
        desk: the desk.
        said: about it.
        inside: what grows with it.
        width: of the picture.
        height: likewise.
        beside: what stays as it is.
    """
    name, draws = desk.at.folder.name if desk.at else "", "data-draws" if desk.draws else ""
    buttons = "".join(
        f'<button type="button" data-zoom="{act}" aria-label="{label}">{text}</button>'
        for act, label, text in _ZOOMS
    )
    return (
        f'<div class="stage-head"><p class="stage-hint">{html.escape(said)}</p>'
        f'<div role="group" aria-label="Size of the picture" class="zooms">{buttons}'
        '<button type="button" class="full" aria-label="Full screen">'
        '<svg viewBox="0 0 24 24" aria-hidden="true">'
        '<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/></svg></button></div></div>'
        f'<div class="stage-frame"><div class="stage" data-view="{desk.view}" {draws} '
        f'style="--ratio:{width / height:.4f}" data-name="{name} {width} {height}" '
        f'data-width="{width}" data-height="{height}">'
        f'<div class="pane" tabindex="0" role="group" aria-label="{_ABOUT_PANE}">'
        f'<div class="sheet">{inside}</div></div>{beside}</div></div>'
    )


def _overlay(width: int, height: int, shapes: str, more: str = "") -> str:
    """Shapes over a picture whose sides have such lengths; see stage.js."""
    box = f'viewBox="0 0 {width} {height}" preserveAspectRatio="none"'
    return f'<svg {box} aria-hidden="true" {more}>{shapes}</svg>'


def _marks(photo: DeskPhoto) -> str:
    """Buttons at the points, in their colors, and a mark where a new one begins."""
    form, points, marks = photo.shown_form, photo.points, ""
    new = (Hint(*points.new, 0, 0),) if points.new else ()
    for number, hint in enumerate((*points.hints, *new)):
        for place in photo.hints_on(form, (hint,)):
            x = (place.column + 0.5) / form.photo.width
            y = (place.row + 0.5) / form.photo.height
            at = f"left:{100 * x:.3f}%;top:{100 * y:.3f}%"
            if number == len(points.hints):
                marks += f'<span class="mark current" style="{at}"></span>'
                continue
            color = _color_of(photo, hint)
            named = {"class_": "mark current" if number == points.current else "mark"}
            named |= {"aria_label": f"Point {number + 1}: {color.name}"}
            style = f"{at};background:{color.hex}"
            marks += _button("hold", f"{number + 1}", number, style=style, **named)
    return marks


def _outlines(photo: DeskPhoto) -> str:
    """The outlines of things, of which page.css shows that under the pointer."""
    shapes, found = "", photo.things.get(photo.shown_form.photo)
    for outline in found.outlines if found else ():
        lines = (" ".join(f"{x:.0f} {y:.0f}" for x, y in _UNITS * line) for line in outline.lines)
        path = "".join(f"M{line}Z" for line in lines)
        shapes += f'<path d="{path}"><title>{html.escape(outline.name)}</title></path>'
    return _overlay(_UNITS, _UNITS, shapes, 'class="things"') if shapes else ""


def _frame(desk: Desk, photo: DeskPhoto) -> str:
    """The upload with the corners of what is cut out, and what can be done; see stage.js."""
    upload = photo.upload
    width, height = upload.width, upload.height
    said = "Drag the corners to those of the print, and cut it out."
    if photo.prints and not photo.may_be_cut:
        said = "A print was found. Correct its corners if they are wrong, and cut it out."
    if photo.form.plan.frame:
        said = "This is cut out. Other corners can be cut out instead."
        said = f"{said} {desk.said_of_overlap(photo)}"
    inside = _large(*in_sight(desk)[0], "What was uploaded, with the frame")
    shapes = '<path class="outside"/><path class="inside"/>'
    for other in desk.others_of(photo):
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in other.plan.frame or ())
        shapes += path and f'<path class="other" d="M{path}Z"/>'
    inside += _overlay(width, height, shapes)
    fields = ""
    for number, name in enumerate(_CORNERS):
        inside += f'<button type="button" class="corner" aria-label="{name} corner"></button>'
        for axis, most in (("across", width), ("down", height)):
            fields += (
                f'<label>{name}, {axis}<input type="number" min="0" max="{most}" step="any" '
                f'value="{photo.corners[number][axis == "down"]:.1f}"></label>'
            )
    acts = [_button("cut", "Cut out", class_="primary"), _button("whole", "Use the whole scan")]
    acts.append(_button("another", "Add another frame"))
    return (
        f"{_picture(desk, said, inside, width, height)}"
        f'<div class="acts">{"".join(acts)}</div><details><summary>Give the corners in numbers'
        f'</summary><div class="corners" data-photo="{photo.folder.name}">{fields}</div></details>'
    )


def _places(desk: Desk, photo: DeskPhoto) -> str:
    """What is cut out with what is repaired of it."""
    base, said = photo.form.base, "Damage is being looked for ..."
    about = "Your photo; click it to add or take back a place"
    inside = _large(*in_sight(desk)[0], about)
    if photo.places:
        inside += _image(photo.places, "What is repaired", _STILL)
        said = (
            "The colored places are repaired. Click one to leave it as it is; click a crack, or "
            "draw over it, to have it repaired, too."
        )
    inside += _overlay(100, 100, "<polyline/>")
    return _picture(desk, said, inside, base.width, base.height)


# beside it


def _gallery(photo: DeskPhoto) -> str:
    """The photo itself, and its colorings."""
    buttons = []
    for index, one in enumerate([None, *photo.gallery], -1):
        form, picture, said = photo.form, photo.form.photo.preview, "As it is"
        if one:
            form, picture, said = one.form, one.preview, one.caption
        before = "" if form.photo is photo.form.photo else ", the print as it was before"
        inside = f"{_image(picture, '', 'loading=lazy')}<span>{html.escape(said + before)}</span>"
        buttons.append(_button("choose", inside, index, aria_pressed=one is photo.chosen))
    return _group("Its colorings", "gallery", buttons if photo.gallery else [])


def _restored(photo: DeskPhoto) -> str:
    """What was found in the photo, as far as that is known, and done."""
    form, found = photo.form, []
    if form.plan.frame:
        found.append("cut out")
    elif not photo.found:
        found.append("a print may be here; mark its corners" if photo.may_be_cut else "no frame")
    repaired = form.statement.repaired
    if repaired is not None:
        found.append(f"{share_text(repaired)} of it repaired" if repaired else "no damage")
    if form.plan.fades:
        found.append("tones brought back, where they had faded")
    if photo.is_left_alone:
        found.append("it has colors, which stay")
    elif photo.is_colored:
        found.append("colored")
    text = ", ".join(found)
    return line(f"{text[:1].upper()}{text[1:]}.") if found else ""


def _prepare(desk: Desk, photo: DeskPhoto) -> str:
    """What of the print is seen large."""
    views = {"photo": "The result", "frame": "The corners"}
    if photo.plan.repairs:
        views["places"] = "The damage"
    shown = "photo" if desk.view == "points" else desk.view
    buttons = [_button("view", views[one], one, aria_pressed=one == shown) for one in views]
    buttons += [_button("turn", "Turn left", 3), _button("turn", "Turn right", 1)]
    said = ""
    if photo.form.plan.repairs:
        said = line(
            "No damage was found, and nothing is changed; choose Most, or click the places that "
            "you see."
        )
        if repaired := photo.form.statement.repaired:
            said = line(f"{share_text(repaired)} of the photo is repaired.")
    if photo.gallery and not photo.is_colored:
        said += line("Your colorings are of the print as it was before; press Color for new ones.")
    return _group("The print", "acts", buttons) + said


def _points(photo: DeskPhoto) -> str:
    """All points."""
    points, parts = photo.points, ""
    if points.hints:
        rows = "".join(_point(photo, index) for index in range(len(points.hints)))
        parts += f'<h2>Your points</h2><ul class="points">{rows}</ul>'
    if points.held and points.current is not None:
        parts += line(f"Point {points.current + 1}: click its new place, or choose a color.")
    return parts or "<p>Click a point of the photo whose color you know.</p>"


def _palette(photo: DeskPhoto) -> str:
    """Colors for the point that gets the next one, beside the picture in which it was clicked."""
    rows = ""
    if photo.points.target:
        materials, found = photo.swatches[: len(MATERIALS)], photo.swatches[len(MATERIALS) :]
        rows = _swatches("Likely", "Likely colors of this point", found, len(MATERIALS))
        rows += _swatches("It may be", "What it may be", materials, 0)
    return f'<div class="palette">{rows}</div>'


def _swatches(said: str, label: str, swatches: Sequence[Swatch], first: int) -> str:
    parts = [f'<span aria-hidden="true">{said}</span>']
    for index, one in enumerate(swatches, first):
        share = "" if one.share is None else f"<small>{max(1, round(100 * one.share))} %</small>"
        inside = f"{_chip(one)}<span>{one.material or one.name}</span>{share}"
        parts.append(_button("pick", inside, index, class_="swatch"))
    return _group(label, "swatches", parts)


def _point(photo: DeskPhoto, index: int) -> str:
    points, hint = photo.points, photo.points.hints[index]
    color = _color_of(photo, hint)
    reach = next(name for name, reach in REACHES.items() if reach == hint.reach)
    said = "" if hint.reach == "thing" else f"; {reach.lower()}"
    said += "; changed by lines" if hint.adds or hint.takes else ""
    is_current = index == points.current
    place = f"<small>{hint.column:.0f} across, {hint.row:.0f} down{said}</small>"
    inside = f"{_chip(color)}<span>{index + 1}. {color.name}</span>{place}"
    named = {"class_": "point", "title": "Move it, or change its color"}
    hold = _button("hold", inside, index, aria_pressed=is_current and points.held, **named)
    delete = _button("delete", "×", index, aria_label=f"Delete point {index + 1}")
    return f"<li{' class=current' if is_current else ''}>{hold}{delete}</li>"


def _color_of(photo: DeskPhoto, hint: Hint) -> Swatch:
    return Swatch(photo.lightness_at(hint.row, hint.column), hint.a, hint.b)


def _chip(swatch: Swatch) -> str:
    return f'<span class="chip" style="background: {swatch.hex}"></span>'


def _references(photo: DeskPhoto) -> str:
    """The photos whose colors this one gets, and where they had something to say."""
    tiles = []
    for index, one in enumerate(photo.references):
        remove = _button("unrefer", "×", index, aria_label=f"Take {one.name} away")
        tiles.append(f"<span>{_image(one.picture, one.name)}{remove}</span>")
    return _group("Photos in color", "strip", tiles) + _map(photo, "reference")


def _map(photo: DeskPhoto, name: str) -> str:
    """A picture of where the model is unsure, or found the reference's colors."""
    if name not in photo.maps:
        return ""
    return f"{_image(photo.maps[name], 'Your photo', 'class=map')}<p>{_MAPS[name]}</p>"


def _file(desk: Desk) -> str:
    """Links to the last file, which listen.js follows once, and to that of the photo here.

    The last one is hidden if it is of another photo.
    """
    elsewhere = [one.folder for one in desk.photos if one is not desk.at]
    there = [one for one in enumerate(desk.files, 1) if one[1].exists()]  # it goes with its photo
    here = [one for one in there if not any(other in one[1].parents for other in elsewhere)]
    links = ""
    for number, path in dict.fromkeys((*there[-1:], *here[-1:])):
        name, hidden = html.escape(path.name), "" if (number, path) in here else "hidden "
        is_new = number == len(desk.files) > desk.had
        of = f'data-number="{number}"' if is_new else ""
        links += f'<a {hidden}download="{name}" href="{file_url(path)}" {of}>Save {name} again</a>'
    return links


def _examples() -> str:
    """The photos to try as buttons: half in gray, and half in color."""
    buttons = []
    for name, said in EXAMPLES.items():
        data = base64.b64encode((SAMPLE_PHOTOS / "colored" / name).read_bytes()).decode("ascii")
        picture = f'<img src="data:image/jpeg;base64,{data}" alt="Photo to try:">'
        buttons.append(_button("try", f"{picture}<span>{said}</span>", name))
    return f"<h2>Or try one of these</h2>{_group('Photos to try', 'samples', buttons)}"


# HTML


def line(text: str, *, bad: bool = False) -> str:
    """A sentence for the visitor; it may contain a file's name."""
    return f'<p class="{"bad" if bad else "good"}">{html.escape(text)}</p>'


def scripted(name: str) -> dict[str, Any]:
    """Options of a `gr.HTML` with a script of this folder."""
    script = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return {"js_on_load": script, "apply_default_css": False}


def file_url(path: Path) -> str:
    """URL of a file in the page's folder, relative to the page."""
    return f"gradio_api/file={quote(str(path))}"


def _group(label: str, kind: str, things: Sequence[str]) -> str:
    inside = "".join(things)
    return inside and f'<div role="group" aria-label="{label}" class="{kind}">{inside}</div>'


def _image(path: Path, alt: str, more: str = "") -> str:
    return f'<img src="{file_url(path)}" alt="{html.escape(alt)}" {more}>'


def _button(act: str, inside: str, index: object = 0, **attributes: object) -> str:
    """A button that sends its act and index; names of attributes have underscores for hyphens."""
    attributes |= {"data-act": act, "data-index": index}
    said = ""
    for name, value in attributes.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        said += f' {name.rstrip("_").replace("_", "-")}="{html.escape(text)}"'
    return f'<button type="button"{said}>{inside}</button>'
