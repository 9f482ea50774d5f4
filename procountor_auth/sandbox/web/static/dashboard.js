// Keeps the request log on the dashboard up to date. The page also works without this script.
"use strict";

const INTERVAL = 1000; // milliseconds
const MAX_ROWS = 50;

const log = document.getElementById("log");

if (log) {
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

  // The server writes the rows, here as on the page itself.
  const show = (html) => {
    const news = new DOMParser().parseFromString(html, "text/html").getElementById("log");
    const newest = Number(news.dataset.last);
    if (newest < last) {
      // Another sandbox has started at this address: its requests are counted from 1 again.
      log.replaceChildren();
      last = 0;
      return;
    }
    log.prepend(...news.children);
    last = newest;
    while (log.childElementCount > MAX_ROWS) {
      log.lastElementChild.remove();
    }
    empty.hidden = log.childElementCount > 0;
    log.hidden = !empty.hidden;
  };

  const poll = async () => {
    if (!paused && !document.hidden) {
      try {
        const response = await fetch(`/_sandbox/dashboard/log?after=${last}&${log.dataset.filter}`);
        if (response.status === 401) {
          say("Your session has expired. Reload this page. ");
          return;
        }
        show(await response.text());
        say("New requests appear here automatically, the newest first. ");
      } catch {
        say("The sandbox does not respond. ");
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
