// Shows the buttons that copy the text of a field. Without this script, the text can still be selected.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  const state = document.querySelector(`[data-copied="${button.dataset.copy}"]`);
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(field.value);
      state.textContent = "Copied.";
    } catch {
      // Plain HTTP to another machine, or a browser that does not allow it.
      field.focus();
      field.select();
      state.textContent = "The browser did not allow it. The text is selected: press Ctrl+C or ⌘C.";
    }
  });
}
