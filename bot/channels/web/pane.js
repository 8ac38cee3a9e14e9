// The right side: the single pane (what waits, what is stuck, money, next), the tasks, and one task's timeline.

import { $, h, icon, when, clock, dayName, dayOf } from "./dom.js";
import { stateWord } from "./card.js";

const SECTIONS = [
  ["stuck", "Stuck", "Nothing is stuck."],
  ["money", "Money", ""],
  ["budget", "Limits", ""],
  ["next", "Next", "Nothing is planned."],
];

let shownHome = "";

export function drawOverview(home, openCard) {
  const words = JSON.stringify(home);
  if (words === shownHome) return; // nothing moves under the reader's hand for nothing
  shownHome = words;
  const held = document.activeElement?.dataset.waiting;
  const parts = [];
  if (home.paused.length) {
    parts.push(h("section", { class: "paused", role: "status" }, icon("alert"), h("div", null, home.paused.map((text) => h("p", null, text)))));
  }
  parts.push(h("section", { class: "group" }, h("h2", null, "Waiting for you"),
    home.waiting.length
      ? h("ul", { class: "waiting" }, home.waiting.map((card) => waitingLine(card, openCard)))
      : h("p", { class: "nothing" }, icon("check"), "Nothing waits for you.")));
  for (const [key, title, nothing] of SECTIONS) {
    if (!home[key].length && !nothing) continue;
    parts.push(h("section", { class: "group", "data-section": key }, h("h2", null, title),
      home[key].length
        ? h("ul", { class: "notes" }, home[key].map((text) => h("li", { dir: "auto" }, key === "stuck" ? h("span", null, text) : noteLine(text))))
        : h("p", { class: "nothing" }, nothing)));
  }
  $("overview").replaceChildren(...parts);
  if (held) $("overview").querySelector(`[data-waiting="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
  const count = home.waiting.length;
  $("waiting-count").textContent = count;
  $("waiting-count").hidden = !count;
  document.title = count ? `(${count}) Soloist` : "Soloist";
}

function waitingLine(card, openCard) {
  const amount = card.rows.find((row) => row.role === "amount");
  const whom = card.rows.find((row) => row.role === "recipients");
  return h("li", null, h("button", { type: "button", class: "waiting-card", "data-waiting": card.id, "data-kind": card.kind, "data-state": card.state,
    onclick: () => openCard(card) },
    h("span", { class: "waiting-title", dir: "auto" }, card.title),
    amount ? h("span", { class: "waiting-amount" }, amount.value) : null,
    h("span", { class: "waiting-more", dir: "auto" },
      [card.state !== "pending" || card.kind !== "approval" ? stateWord(card) : "", whom?.value.split("\n")[0]].filter(Boolean).join(" · ") || card.id)));
}

/** "Unpaid: 1,428.00 EUR in 1 invoice" reads better with the label apart. */
function noteLine(text) {
  const match = /^([^:\n]{1,28}): (.+)$/s.exec(text) || /^([^:\d\n]{1,28}?) (-?\d[\d.,]* [A-Z]{3}\b.*)$/s.exec(text);
  return match ? [h("span", { class: "note-label" }, match[1]), h("span", { class: "note-value" }, match[2])] : h("span", null, text);
}

// ── tasks ─────────────────────────────────────────────────────────────────────────────────────────────────────────

let shownTasks = { task: "", title: "", words: "" };

/** Something has happened: show it in the tasks or the timeline, when they are in view and have changed. */
export function refreshTasks() {
  if ($("tasks").hidden || !shownTasks.words) return;
  if (shownTasks.task) drawTimeline(shownTasks.task, shownTasks.title, { again: true });
  else drawTasks({ again: true });
}

/** True when this is what stands there already. */
function standsAlready(task, title, answer, again) {
  const words = JSON.stringify(answer);
  const same = again && (words === shownTasks.words || answer.problem || task !== shownTasks.task);
  if (!same) shownTasks = { task, title, words };
  return same;
}

export async function drawTasks({ again = false } = {}) {
  const answer = await fetched("/tasks");
  if (standsAlready("", "", answer, again)) return;
  if (answer.problem) return showInTasks(h("h2", null, "Tasks"), h("p", { class: "nothing", role: "status" }, answer.problem));
  showInTasks(h("section", { class: "group" }, h("h2", null, "Tasks"),
    answer.tasks.length
      ? h("ul", { class: "tasks" }, answer.tasks.map((task) =>
        h("li", null, h("button", { type: "button", "data-task": task.id, "data-state": task.state, onclick: () => drawTimeline(task.id, task.title) },
          h("span", { class: "task-title", dir: "auto" }, task.title),
          h("span", { class: "task-more" }, h("span", { class: "task-state" }, task.state), ` · ${when(task.at)} · ${task.id}`)))))
      : h("p", { class: "nothing" }, "No task yet. What you ask for shows up here, step by step.")));
}

export async function drawTimeline(id, title = "", { again = false } = {}) {
  const answer = await fetched(`/timeline/${encodeURIComponent(id)}`);
  if (standsAlready(id, title, answer, again)) return;
  const back = h("button", { type: "button", class: "quiet back", onclick: () => drawTasks() }, icon("back"), "All tasks");
  if (answer.problem) return showInTasks(back, h("p", { class: "nothing", role: "status" }, answer.problem));
  let day = "";
  const rows = answer.lines.flatMap((line) => {
    const sign = dayOf(line.at) === day ? [] : [h("li", { class: "timeline-day" }, dayName(line.at))];
    day = dayOf(line.at);
    return [...sign, h("li", null,
      h("time", { datetime: line.at }, clock(line.at)),
      h("div", null,
        h("p", { class: "what", dir: "auto" }, line.what, " ", h("span", { class: "by" }, line.who)),
        line.detail ? detail(line.detail) : null))];
  });
  showInTasks(back, h("section", { class: "group" }, h("h2", { tabindex: "-1" }, title || `Task ${id}`), h("ol", { class: "timeline" }, rows)));
  if (!again) $("tasks").querySelector("h2").focus({ preventScroll: true });
}

function detail(text) {
  if (text.length < 160 && !text.includes("\n")) return h("p", { class: "detail", dir: "auto" }, text);
  return h("details", { class: "detail" }, h("summary", null, text.split("\n")[0].slice(0, 90) + " …"), h("pre", { dir: "auto" }, text));
}

function showInTasks(...nodes) {
  $("tasks").replaceChildren(...nodes);
}

export async function fetched(path) {
  try {
    const answer = await fetch(path);
    const words = await answer.json();
    return answer.ok ? words : { problem: words.text };
  } catch {
    return { problem: "The connection is lost. This comes back with it." };
  }
}
