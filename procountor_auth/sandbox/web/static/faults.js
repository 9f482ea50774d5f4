// Keeps the faults on the dashboard up to date, and sets them without leaving the page. It also works without this script.
"use strict";

{
  const INTERVAL = 1000; // milliseconds
  const DASHBOARD = "/_sandbox/";
  const bar = document.getElementById("active-faults");
  const list = document.getElementById("active-list");
  const over = document.getElementById("faults-over");
  // The switches that the page shows, always in the same order.
  const switchesOf = (element) => JSON.stringify(JSON.parse(element.dataset.switches));
  let known = switchesOf(bar);

  const isUntouched = (field) => {
    if (field.type === "checkbox") {
      return field.checked === field.defaultChecked;
    }
    if (field.options) {
      const chosen = [...field.options].findIndex((option) => option.defaultSelected);
      return field.selectedIndex === Math.max(chosen, 0);
    }
    return field.value === field.defaultValue;
  };

  // Takes a section from a newer version of the page; the focus stays where it is.
  const replace = (page, id) => {
    const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    const open = old.querySelector("details")?.open;
    old.replaceChildren(...fresh.childNodes);
    if (open) {
      old.querySelector("details").open = true;
    }
    if (focused) {
      document.getElementById(focused)?.focus({ preventScroll: true });
    }
  };

  const show = async (response, { byUser }) => {
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById("active-faults");
    if (!fresh) {
      location.reload(); // the session has expired, and the page asks for the token
      return;
    }
    known = switchesOf(fresh);
    replace(page, "faults");
    const hadFocus = bar.contains(document.activeElement);
    const wasActive = list.childElementCount > 0;
    list.replaceChildren(...page.getElementById("active-list").childNodes);
    list.hidden = fresh.hidden;
    if (!fresh.hidden || byUser) {
      over.hidden = true;
      bar.hidden = fresh.hidden;
    } else if (wasActive) {
      over.hidden = false;
    }
    if (bar.hidden && hadFocus) {
      document.getElementById("quick-clear").focus({ preventScroll: true });
    }
    // Keep what the user is typing, and the errors beside it.
    const fields = [...document.querySelectorAll("#switches input, #switches select")];
    if (fields.every((field) => isUntouched(field) && !field.hasAttribute("aria-invalid"))) {
      replace(page, "switches");
    }
  };

  const look = async () => {
    const response = await fetch(`${DASHBOARD}faults`);
    if (response.ok && JSON.stringify(await response.json()) !== known) {
      await show(await fetch(DASHBOARD), { byUser: false });
    }
  };

  const poll = async () => {
    if (!document.hidden) {
      try {
        await look();
      } catch {
        // The request log says that the sandbox does not respond.
      }
    }
    setTimeout(poll, INTERVAL);
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!("inPlace" in form.dataset)) {
      return;
    }
    event.preventDefault();
    const { name, value } = event.submitter;
    try {
      await show(await fetch(form.action, { method: "POST", body: new URLSearchParams({ [name]: value }) }), {
        byUser: true,
      });
    } catch {
      // The same.
    }
  });
  poll();
}
