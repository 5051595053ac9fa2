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
    const again = last.act === act && event.timeStamp - last.at < 400;
    last = { act, at: event.timeStamp };
    if (again && event.detail > 1) return; // keys have no such number
    pressed = button.dataset;
    trigger("select", { index, value: act });
});
watch("value", () => {
    const link = element.querySelector("a[data-number]");
    if (link && link.dataset.number !== file) link.click();
    file = link?.dataset.number;
    if (!pressed) return;
    // or one of its kind, if its photo was taken away
    const alike = [...element.querySelectorAll(`button[data-act="${pressed.act}"]`)];
    const same = alike.find((one) => one.dataset.index === pressed.index) ?? alike[0];
    same?.focus({ preventScroll: true });
    pressed = null;
});
