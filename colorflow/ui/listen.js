// For a gr.HTML of buttons, `element`: one that is pressed sends its index and act in a select event,
// and keeps the keyboard's focus.
let pressed = null;
element.addEventListener("click", event => {
    const button = event.target.closest("button[data-index]");
    if (!button) return;
    pressed = button.dataset;
    trigger("select", { index: Number(pressed.index), value: pressed.act });
});
watch("value", () => {
    if (!pressed) return;
    const same = `button[data-index="${pressed.index}"][data-act="${pressed.act}"]`;
    element.querySelector(same)?.focus({ preventScroll: true });
    pressed = null;
});
