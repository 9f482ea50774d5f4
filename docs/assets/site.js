// Tables that are wider than the screen scroll with the keyboard as well: Zensical wraps them, and nothing in them has focus.
addEventListener("load", () => {
  for (const table of document.querySelectorAll(".md-typeset__scrollwrap")) table.tabIndex = 0;
});
