// For a gr.HTML of buttons, `element`: one that is pressed sends its index and act in a select event,
// and keeps the keyboard's focus.
let pressed = null;
let last = {};
element.addEventListener("click", event => {
    const button = event.target.closest("button[data-index]");
    if (!button) return;
    // A double click is one: the second would meet the button that comes into the place of this one.
    const { index, act } = button.dataset;
    const again = last.index === index && last.act === act && event.timeStamp - last.at < 500;
    last = { index, act, at: event.timeStamp };
    if (again) return;
    pressed = button.dataset;
    trigger("select", { index: Number(pressed.index), value: pressed.act });
});
watch("value", () => {
    if (!pressed) return;
    const same = `button[data-index="${pressed.index}"][data-act="${pressed.act}"]`;
    element.querySelector(same)?.focus({ preventScroll: true });
    pressed = null;
});
