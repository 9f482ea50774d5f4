// Keeps the request log on the dashboard up to date. The page works without it.
"use strict";

const INTERVAL = 1000; // milliseconds
const MAX_ROWS = 50;

const log = document.getElementById("log");
const template = document.getElementById("log-row");

if (log && template) {
  const rows = log.querySelector("tbody");
  const empty = document.getElementById("log-empty");
  const state = document.getElementById("log-state");
  const pause = document.getElementById("log-pause");
  let last = Number(log.dataset.last);
  let paused = false;

  const say = (words) => {
    if (state.firstChild.data !== words) {
      state.firstChild.data = words;
    }
  };

  const show = (entry) => {
    const row = template.content.firstElementChild.cloneNode(true);
    const cell = (name) => row.querySelector(`[data-cell=${name}]`);
    cell("time").textContent = new Date(entry.at * 1000).toISOString().slice(11, 19);
    cell("method").textContent = entry.method;
    cell("path").textContent = entry.path;
    cell("status").textContent = entry.status || "reset";
    cell("grant").textContent = entry.grant_type ?? "";
    const [secret, fault] = cell("notes").querySelectorAll(".flag");
    if (entry.fault) {
      fault.textContent = `fault: ${entry.fault}`;
    } else {
      fault.remove();
    }
    if (!entry.secret_in_url) {
      secret.remove();
    }
    rows.prepend(row);
    last = entry.number;
  };

  const poll = async () => {
    if (!paused && !document.hidden) {
      try {
        const response = await fetch(`/_sandbox/log?after=${last}`);
        if (response.status === 401) {
          say("Your session has expired: load this page again. ");
          return;
        }
        const entries = await response.json();
        entries.forEach(show);
        while (rows.childElementCount > MAX_ROWS) {
          rows.lastElementChild.remove();
        }
        empty.hidden = rows.childElementCount > 0;
        log.hidden = !empty.hidden;
        say("New requests appear here by themselves, the newest first. ");
      } catch {
        say("The sandbox does not answer. ");
      }
    }
    setTimeout(poll, INTERVAL);
  };

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Resume" : "Pause";
    if (paused) {
      say("Paused. ");
    }
  });
  poll();
}
