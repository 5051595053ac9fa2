// For a gr.HTML of buttons, `element`: one that is pressed sends its index and act in a select event,
// and keeps the keyboard's focus. A new file among what is shown is saved at once.
let pressed = null;
let last = {};
let file = null;
element.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-act]");
    if (!button) return;
    // A double click is one: the second would meet the button that comes into the place of this one.
    const { index, act } = button.dataset;
    const again = last.index === index && last.act === act && event.timeStamp - last.at < 400;
    last = { index, act, at: event.timeStamp };
    if (again && event.detail > 1) return; // keys have no such number
    pressed = button.dataset;
    trigger("select", { index, value: act });
});
watch("value", () => {
    const link = element.querySelector("a[data-number]");
    if (link && link.dataset.number !== file) link.click();
    file = link?.dataset.number;
    if (!pressed) return;
    const same = `button[data-index="${pressed.index}"][data-act="${pressed.act}"]`;
    element.querySelector(same)?.focus({ preventScroll: true });
    pressed = null;
});
