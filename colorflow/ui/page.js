// Names for screen readers, where Gradio 6.31 has none or a wrong one; groups of radio buttons, through
// which the arrow keys go; and a question before colorings are lost that were not saved.
const CONTROLS = {
    "#picker .input .swatch": "Take this color",
    "#picker .eyedropper": "Take a color from the screen",
    "#picker input[type=text]": "The color as text, such as #4a6fa5",
};
// What dialogs for files show first; HEIC and others by name, since not every system knows them.
const PHOTOS = "image/*,.heic,.heif,.hif,.avif,.jp2";

const set = (element, name, value) => {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
};
const describe = () => {
    for (const [selector, words] of Object.entries(CONTROLS))
        document.querySelectorAll(selector).forEach((one) => set(one, "aria-label", words));
    for (const button of document.querySelectorAll("button.upload-container")) {
        const label = button.closest(".block")?.querySelector("[data-testid=block-label]");
        const words = label?.textContent.trim() ?? "Files";
        set(button, "aria-label", `${words}: choose files, or drop them here`);
    }
    for (const input of document.querySelectorAll(".album input[type=file]"))
        set(input, "accept", `${PHOTOS},.zip`);
    // Gradio names each radio button apart. The arrow keys go through those that share a name.
    for (const radio of document.querySelectorAll("fieldset[id] input[type=radio]"))
        set(radio, "name", radio.closest("fieldset").id);
};
addEventListener("beforeunload", (event) => {
    if (document.querySelector("#state .has-unsaved")) event.preventDefault();
});
new MutationObserver(describe).observe(document.body, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["aria-label", "accept", "name"],
});
describe();
