// The console: joins the line, the conversation, the pane and the composer.

import { $, h, icon, serverNow, setServerTime } from "./dom.js";
import { Line } from "./line.js";
import { CardView, tickCountdowns } from "./card.js";
import { Talk } from "./talk.js";
import { Composer } from "./composer.js";
import { drawOverview, drawTasks, drawTimeline, fetched, refreshTasks } from "./pane.js";

const WORKING_MS = 30_000; // after that nobody should be told that something is about to come
const SLOW_MS = 600; // an answer usually takes a few ms; only a slow one is worth a word

const LINE_WORDS = {
  open: "Connected",
  connecting: "Connecting…",
  lost: "Connection lost. What you type is kept and goes out when it is back.",
  locked: "Signed out. Open the link that Soloist printed when it started.",
};

let everOpen = false;
let working = 0;
let arrivals = 0; // messages and cards so far: an answer may overtake the word that the question is on disk

const house = {
  say: (text) => sendWords(text, [], ""),
  press: (frame) => line.send(frame),
  forget: (id) => line.forget(id),
  online: () => line.state === "open",
  reply: (card) => { closeSheet(); view("chat"); composer.replyOn(card); },
  timeline: (task) => { closeSheet(); view("tasks"); drawTimeline(task); },
};
const talk = new Talk(house);
const composer = new Composer(sendWords);
const line = new Line(heard, lineChanged);

function heard(frame) {
  const handler = {
    snapshot: () => {
      setServerTime(frame.now);
      composer.commands = frame.commands;
      composer.limits = { text: frame.text_max, file: frame.file_bytes_max };
      composer.said = [];
      frame.turns.filter((turn) => turn.who === "operator").forEach((turn) => composer.remember(turn.text));
      talk.reset(frame.turns, frame.suggestions);
      $("earlier").hidden = !frame.has_more;
      drawOverview(frame.home, openCard);
      document.body.dataset.ready = "";
    },
    home: () => { drawOverview(frame.home, openCard); refreshTasks(); },
    message: () => { rest(); talk.message(frame.at, frame.message); },
    card: () => { rest(); talk.card(frame.at, frame.card, frame.fresh); },
    turn: () => talk.turn(frame.id, frame.turn),
    error: () => frame.id || composer.hint(frame.text, true),
  }[frame.type];
  handler?.();
}

function lineChanged(state) {
  const sign = $("line");
  sign.dataset.state = state;
  sign.textContent = state === "open" && everOpen ? "Connected again" : LINE_WORDS[state];
  if (state === "open") {
    everOpen = true;
    composer.retryFiles();
  }
}

// ── saying ────────────────────────────────────────────────────────────────────────────────────────────────────────

function sendWords(text, files, replyTo) {
  view("chat");
  deliver({ type: "say", text, files, reply_to: replyTo || "" });
}

async function deliver(frame) {
  const before = arrivals;
  const answer = line.send(frame);
  talk.mine(frame, new Date(serverNow()).toISOString(), frame.files);
  if (line.state === "open") setTimeout(() => line.outbox.has(frame.id) && talk.fate(frame.id, "sending", "Sending…"), SLOW_MS);
  else talk.fate(frame.id, "sending", "Goes out when the connection is back");
  const { type, text } = await answer;
  if (type === "ack") {
    talk.fate(frame.id, "", "");
    if (arrivals === before) work();
  } else {
    // The same frame, with the same id: if the first one did arrive after all, it is still one message.
    talk.fate(frame.id, "failed", text, type === "not_written" ? () => deliver(frame) : null);
  }
}

function work() {
  $("working").hidden = false;
  clearTimeout(working);
  working = setTimeout(rest, WORKING_MS);
  if (talk.isNear()) talk.toEnd(true);
}

function rest() {
  arrivals += 1;
  clearTimeout(working);
  $("working").hidden = true;
}

// ── views ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const wide = matchMedia("(min-width: 62rem)");

function view(name) {
  // On a wide screen the conversation always shows; its button exists on narrow ones only.
  const shown = name === "chat" && wide.matches ? document.body.dataset.pane || "overview" : name;
  document.body.dataset.view = name === "chat" ? "chat" : shown;
  if (shown !== "chat") document.body.dataset.pane = shown;
  const inPane = document.body.dataset.pane || "overview";
  $("overview").hidden = inPane !== "overview";
  $("tasks").hidden = inPane !== "tasks";
  for (const button of document.querySelectorAll(".views button")) {
    const current = wide.matches ? button.dataset.view === inPane : button.dataset.view === document.body.dataset.view;
    button.setAttribute("aria-pressed", String(current));
  }
}

function openCard(card) {
  view("chat");
  if (talk.reveal(card.id)) return;
  const shown = new CardView(card, house);
  talk.others.add(shown);
  $("sheet").replaceChildren(
    h("button", { type: "button", class: "icon close-sheet", "aria-label": "Close", onclick: closeSheet }, icon("close")), shown.element);
  $("sheet").addEventListener("close", () => talk.others.delete(shown), { once: true });
  $("sheet").showModal();
}

function closeSheet() {
  if ($("sheet").open) $("sheet").close();
}

for (const button of document.querySelectorAll(".views button")) {
  button.addEventListener("click", () => {
    view(button.dataset.view);
    if (button.dataset.view === "tasks") drawTasks();
    if (button.dataset.view === "overview") line.ask("home");
  });
}
wide.addEventListener("change", () => view(document.body.dataset.view));
$("sheet").addEventListener("click", (event) => event.target === $("sheet") && closeSheet());

$("earlier").addEventListener("click", async () => {
  const before = talk.firstSeq();
  if (before === undefined) return;
  const answer = await fetched(`/history?before=${before}`);
  if (answer.problem) return composer.hint(answer.problem, true);
  talk.prepend(answer.turns);
  $("earlier").hidden = !answer.has_more;
});

document.addEventListener("visibilitychange", () => document.hidden || line.ask("home"));
addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    view("chat");
    composer.box.focus();
  }
});
setInterval(() => tickCountdowns(document), 500);

view("chat");
// Typed before a reload and not answered: sent again under its old id; the snapshot after that holds it.
for (const frame of line.unanswered()) if (frame.type === "say") deliver(frame);
line.connect();
if (wide.matches) composer.box.focus();
