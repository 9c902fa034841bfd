// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps the page up to date and the scan field focused. Without JavaScript, the board works by loading whole pages.
"use strict";

// Pages that cost the database more are polled less often
const EVERY = 1000 * Number(document.getElementById("main").dataset.every);

function field() { return document.getElementById("code"); }

function isTextField(element) { return element instanceof HTMLElement && element.matches("input, select, textarea"); }

// ---- the scan field

// Keys of a scanner go to the scan field, unless another field is being filled in
document.addEventListener("keydown", (event) => {
  const code = field();
  if (!code || event.ctrlKey || event.altKey || event.metaKey) { return; }
  if (event.key === "Escape") {
    code.value = "";
    code.focus();
  } else if (event.key.length === 1 && event.key !== " " && !isTextField(document.activeElement)) {
    code.focus();
  }
});

document.addEventListener("click", (event) => {
  const code = field();
  if (code && !event.target.closest("a, button, input, select, textarea, label, summary, pre") && String(getSelection()) === "") { code.focus(); }
});

// ---- scanning without loading the page, so that codes scanned meanwhile are not lost

const waiting = [];
let busy = false;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-scan]")) { return; }
  event.preventDefault();
  const code = field();
  if (code.value.trim() !== "") { waiting.push(code.value); }
  code.value = "";
  work();
});

async function work() {
  if (busy) { return; }
  busy = true;
  while (waiting.length) {
    const form = document.querySelector("form[data-scan]");
    const body = new URLSearchParams(new FormData(form));
    body.set("code", waiting[0]);
    try {
      const answer = await fetch(form.action, { method: "POST", body, credentials: "same-origin" });
      if (answer.status === 401 || answer.status === 403 || answer.redirected) {
        location.assign(answer.redirected ? answer.url : form.action);
        return;
      }
      if (answer.status >= 500) { throw new Error(String(answer.status)); }
      waiting.shift();
      showScan(new DOMParser().parseFromString(await answer.text(), "text/html"));
      connected(true);
    } catch {
      connected(false);
      await new Promise((resolve) => { setTimeout(resolve, EVERY); });
    }
  }
  busy = false;
}

function showScan(page) {
  const typed = field().value;
  const settings = new Map();
  for (const part of document.querySelectorAll("form[data-scan] fieldset [name]")) {
    settings.set(part.name, part.type === "checkbox" ? part.checked : part.value);
  }
  const focused = document.activeElement === field() ? "" : document.activeElement.name;
  document.getElementById("main").replaceChildren(...page.getElementById("main").childNodes);
  for (const part of document.querySelectorAll("form[data-scan] fieldset [name]")) {
    if (part.type === "checkbox") { part.checked = settings.get(part.name); } else { part.value = settings.get(part.name); }
  }
  field().value = typed;
  const other = focused ? document.querySelector(`form[data-scan] fieldset [name="${CSS.escape(focused)}"]`) : null;
  (other || field()).focus();
}

// ---- live parts of the page

let tag = null;

async function poll() {
  if (document.hidden || busy || !document.querySelector("[data-live]")) { return; }
  const address = location.href;
  try {
    const answer = await fetch(address, { headers: tag ? { "If-None-Match": tag } : {}, credentials: "same-origin", cache: "no-store" });
    if (answer.redirected) { location.reload(); return; }
    connected(answer.status < 500);
    if (answer.status !== 200) { return; }
    tag = answer.headers.get("ETag");
    showLive(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    connected(false);
  }
}

function showLive(page) {
  const before = new Map([...document.querySelectorAll("tr[data-state]")].map((row) => [row.id, row.dataset.state]));
  const focused = document.activeElement?.closest("[data-live] a")?.getAttribute("href");
  document.title = page.title;
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (fresh && fresh.innerHTML !== part.dataset.shown) {
      const open = [...part.querySelectorAll("details")].map((one) => one.open);
      part.dataset.shown = fresh.innerHTML;
      if (fresh.innerHTML === part.innerHTML) { continue; }
      part.replaceChildren(...document.importNode(fresh, true).childNodes);
      part.querySelectorAll("details").forEach((one, i) => { one.open = Boolean(open[i]); });
    }
  }
  for (const row of document.querySelectorAll("tr[data-state]")) {
    if (before.has(row.id) && before.get(row.id) !== row.dataset.state) { row.classList.add("changed"); }
  }
  if (focused) { document.querySelector(`[data-live] a[href="${CSS.escape(focused)}"]`)?.focus(); }
}

function connected(yes) { document.getElementById("connection").hidden = yes; }

async function pollForever() {
  await poll();
  setTimeout(pollForever, EVERY);
}

setTimeout(pollForever, EVERY);
field()?.focus();
addEventListener("pageshow", () => { field()?.focus(); });
