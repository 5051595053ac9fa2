// Names for screen readers, where Gradio 6.31 has none or a wrong one; groups of radio buttons; one
// repaired button and color picker; and a question before colorings are lost that were not saved.

const PICTURES = {
    "#preview img": ["Your photo"],
    "[id$=enlarge-picture] img": ["Your photo in the chosen colors; click a spot to see its detail"],
    "#open-picture img": ["Your photo; it glows where the model is unsure of its colors"],
    "#hints-picture img": ["Your photo, colored, with marks where you said a color"],
    "#hints-overview img": ["The whole photo, with a frame around what is shown; click another place"],
    "#reference-photo-preview img": ["The photo to be colored"],
    "#reference-reference-preview img": ["The photo whose colors it gets"],
};
const CONTROLS = {
    "#hints-picker .input .swatch": "Take this color",
    "#hints-picker .eyedropper": "Take a color from the screen",
    "#hints-picker input[type=text]": "The color as text, such as #4a6fa5",
    "#all-gray .select-all-checkbox": "Treat all of them as gray",
};
// What dialogs for files show first; HEIC and others by name, since not every system knows them.
const PHOTOS = "image/*,.heic,.heif,.hif,.avif,.jp2";

const set = (element, name, value) => {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
};

const namePictures = () => {
    for (const [selector, words] of Object.entries(PICTURES))
        document.querySelectorAll(selector).forEach((image, i) => {
            if (!image.alt) image.alt = words[i] ?? "";
        });
};

const nameColorings = () => {
    const pictures = "#gallery .thumbnail-item, .enlarge-samples .thumbnail-item";
    for (const item of document.querySelectorAll(pictures)) {
        const caption = item.querySelector(".caption-label")?.textContent.trim();
        if (!caption) continue;
        const name = item.closest("#gallery") ? `Coloring ${caption}` : `Detail: ${caption}`;
        set(item, "aria-label", name);
        set(item, "aria-pressed", String(item.classList.contains("selected")));
        const image = item.querySelector("img");
        if (image) set(image, "alt", name);
    }
};

const nameControls = () => {
    for (const [selector, words] of Object.entries(CONTROLS))
        document.querySelectorAll(selector).forEach((one) => set(one, "aria-label", words));
    for (const button of document.querySelectorAll("button.upload-container")) {
        const label = button.closest(".block")?.querySelector("[data-testid=block-label]");
        const words = label?.textContent.trim() ?? "Files";
        set(button, "aria-label", `${words}: choose files, or drop them here`);
    }
    for (const input of document.querySelectorAll(".photos input[type=file]"))
        set(input, "accept", PHOTOS);
    for (const input of document.querySelectorAll(".album input[type=file]"))
        set(input, "accept", `${PHOTOS},.zip`);
};

// Gradio names each radio button apart. The arrow keys go through those that share a name.
const groupRadios = () => {
    for (const radio of document.querySelectorAll("fieldset[id] input[type=radio]"))
        set(radio, "name", radio.closest("fieldset").id);
};

// A button inside a button: the outer one takes over, and the inner one is no longer reached.
const repairAdding = () => {
    for (const inner of document.querySelectorAll(".icon-button button.upload-container")) {
        const outer = inner.closest(".icon-button");
        set(outer, "aria-label", "Add more files");
        set(outer, "title", "Add more files");
        if (inner.inert) continue;
        inner.inert = true;
        outer.addEventListener("click", (event) => {
            if (event.target !== inner) inner.click();
        });
    }
};

// Gradio places the marker of a color picker when its color changes, but not when it opens.
const placeMarker = () => {
    const text = document.querySelector("#hints-picker .color-picker:not([data-placed]) input");
    if (!text) return;
    text.closest(".color-picker").dataset.placed = "";
    const color = text.value;
    for (const value of [color === "#000000" ? "#ffffff" : "#000000", color]) {
        text.value = value;
        text.dispatchEvent(new Event("change", { bubbles: true }));
    }
};

// What was saved is known by its picture: the coloring that a tab shows, those that are kept, and
// the photos of an album that have colorings.
const SHOWN =
    "#compare .compare img:first-child, #reference-compare .compare img:first-child, " +
    "#hints-picture img";
const saved = new Set();
const save = (selector) =>
    document.querySelectorAll(selector).forEach((image) => {
        if (image.checkVisibility()) saved.add(image.src);
    });
document.addEventListener("saved", ({ detail }) => {
    save(SHOWN);
    save(detail.endsWith(".zip") ? "#strip img, #kept img" : "#strip [aria-pressed=true] img");
});
document.addEventListener("click", ({ target }) => {
    if (target.closest("[id$=enlarge-download]")) save(SHOWN);
    const kept = target.closest("#kept [data-act=save]");
    if (kept) saved.add(kept.parentElement.querySelector("img").src);
});
const isUnsaved = () =>
    [...document.querySelectorAll(`${SHOWN}, #kept img, #strip button:has(.tick) img`)].some(
        (image) => image.src && !saved.has(image.src)
    );
addEventListener("beforeunload", (event) => {
    if (isUnsaved()) event.preventDefault();
});
// Gradio closes its connection when the browser asks, and the server then deletes the visitor's
// photos, even if the visitor stays. Leaving the page closes it anyway.
const { abort } = AbortController.prototype;
AbortController.prototype.abort = function (...reason) {
    if (window.event?.type !== "beforeunload" || !isUnsaved()) abort.apply(this, reason);
};

let due = false;
const describe = () => {
    due = false;
    namePictures();
    nameColorings();
    nameControls();
    repairAdding();
    placeMarker();
};
new MutationObserver(() => {
    groupRadios(); // at once: the next key may come before the next frame
    if (!due) requestAnimationFrame(describe);
    due = true;
}).observe(document.body, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["alt", "aria-label", "accept", "class", "name"],
});
groupRadios();
describe();
