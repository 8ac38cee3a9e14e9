// One approval card. It is rendered from what the server sent and from nothing else; a press changes nothing here
// until the server says what became of it.

import { h, icon, fileChip, serverNow, when } from "./dom.js";

const LONG_LINES = 14; // a body longer than this starts folded
const LONG_CHARS = 1100;
const STAKE_MAX = 3; // recipients named once more beside the button
const SETTLING_MS = 5000; // after an answer, the new state is due; only then may a button be pressed again

const STATES = {
  pending: "Waiting for you",
  approved: "Approved",
  denied: "Rejected",
  expired: "Expired",
  cancelled: "Cancelled",
  superseded: "Replaced",
  snoozed: "Put aside",
  shadow: "Shadow: nothing runs",
};
const KINDS = { unknown: "Outcome unknown", stuck: "Stuck" };
const FINAL = ["approved", "denied", "expired", "cancelled", "superseded"];
// What makes something happen outside; a shadow card must not have one, whoever made the card.
const EXECUTES = ["approve", "like", "again", "arrived", "drop", "edit"];

// Several of these stand under one label.
const GROUPED = ["recipients", "attachments", "lines"];

const drafts = new Map(); // card id → { field: value }: edits that were begun, over re-rendering

export class CardView {
  /** @param house { press(frame) → promise of the answer, say(text), reply(card), timeline(task), forget(id), online() } */
  constructor(card, house) {
    this.house = house;
    this.panel = "";
    this.unfolded = false;
    this.pressing = null; // { id, verb }
    this.word = null; // { text, tone }
    this.element = h("article", { class: "card", tabindex: "-1", "data-card": card.id });
    this.show(card);
  }

  /** Show a newer state. What is older than what stands here is left alone. */
  update(card) {
    if (card.revision < this.card.revision) return;
    const same = card.revision === this.card.revision;
    if (same && FINAL.includes(this.card.state) && !FINAL.includes(card.state)) return;
    if (JSON.stringify(card) === JSON.stringify(this.card)) return; // an open form stays as it is
    const settled = this.card.state !== card.state;
    this.pressing = null;
    if (settled || !same) {
      if (this.panel === "edit") this.word = { text: "This card changed while you were editing.", tone: "warn" };
      this.panel = "";
      if (settled && this.word?.tone !== "warn") this.word = null;
    }
    if (!same) drafts.delete(card.id);
    this.show(card);
  }

  show(card) {
    this.card = card;
    const held = this.element.contains(document.activeElement) ? document.activeElement.dataset.key || "card" : "";
    const shadow = card.kind === "shadow" || card.state === "shadow";
    const open = ["pending", "snoozed"].includes(card.state);
    this.element.setAttribute("data-state", card.state);
    this.element.setAttribute("data-kind", shadow ? "shadow" : card.kind);
    this.element.setAttribute("data-revision", card.revision);
    this.element.setAttribute("aria-label", `Card ${card.id}: ${card.title}. ${stateWord(card)}.`);
    const settled = FINAL.includes(card.state) && !shadow;
    const brief = settled && !this.opened;
    this.element.setAttribute("data-brief", String(brief));
    this.element.replaceChildren(
      ...(brief ? [this.head(card, shadow), stake(card), this.ending(card, shadow, open), this.more()] : [
        this.head(card, shadow),
        shadow && h("p", { class: "shadow-word" }, icon("eye"), "Shadow: this shows what would have been done. Nothing here runs."),
        warnings(card),
        changes(card),
        facts(card),
        this.body(card),
        files(card),
        note(card),
        why(card),
        this.ending(card, shadow, open),
        footer(card),
        settled && this.more(),
      ]).filter(Boolean),
    );
    if (held) (this.element.querySelector(`[data-key="${CSS.escape(held)}"]`) || this.element).focus({ preventScroll: true });
    tickCountdowns(this.element);
    if (held && brief) this.element.scrollIntoView({ block: "nearest" });
  }

  head(card, shadow) {
    const task = card.id.split(".")[0];
    const state = stateWord(card);
    return h("header", { class: "card-head" },
      h("h3", { dir: "auto" }, card.title),
      h("span", { class: "state" }, shadow ? icon("eye") : stateIcon(card), state),
      h("button", { type: "button", class: "card-id", "data-key": "timeline", title: "How this came about",
        "aria-label": `Card ${card.id}, revision ${card.revision}: show its timeline`, onclick: () => this.house.timeline(task) },
        card.id, card.revision > 1 ? h("span", { class: "revision" }, `rev. ${card.revision}`) : null));
  }

  /** A settled card is brief, so that the conversation stays readable; everything that was on it is one press away. */
  more() {
    return h("button", { type: "button", class: "link more", "data-key": "more", "aria-expanded": String(Boolean(this.opened)),
      onclick: () => { this.opened = !this.opened; this.show(this.card); } },
      this.opened ? "Show less" : "Show everything that was on it");
  }

  body(card) {
    if (!card.body) return null;
    const lines = card.body.split("\n").length;
    const long = lines > LONG_LINES || card.body.length > LONG_CHARS;
    const folded = long && !this.unfolded;
    const text = h("div", { class: "body-text", dir: "auto", "data-folded": folded, tabindex: folded ? null : "-1" }, card.body);
    return h("section", { class: "body", "aria-label": "Text that goes out" },
      text,
      long && h("button", { type: "button", class: "link", "data-key": "fold", "aria-expanded": String(!folded),
        onclick: () => { this.unfolded = !this.unfolded; this.show(this.card); } },
        folded ? `Show all of it (${lines} lines)` : "Show less"));
  }

  ending(card, shadow, open) {
    const buttons = card.buttons.filter((button) => !(shadow && EXECUTES.includes(button.verb)));
    const busy = this.pressing !== null;
    const parts = [];
    if (card.outcome) {
      parts.push(h("p", { class: "outcome", dir: "auto" }, stateIcon(card), h("span", null, card.outcome)));
    }
    parts.push(h("p", { class: "word", role: "status", "data-tone": this.word?.tone || "", hidden: !this.word },
      this.word?.text || "",
      busy && !this.house.online() && this.pressing.id
        ? h("button", { type: "button", class: "link", onclick: () => this.house.forget(this.pressing.id) }, "Don’t send")
        : null));
    const panel = this.panel && open ? this.openPanel(card) : null;
    const small = panel && this.panel !== "edit"; // stays in reach like the buttons do
    if (open && !shadow && card.kind === "approval" && (small || (!panel && buttons.length))) parts.push(stake(card));
    if (panel) parts.push(panel);
    else if (buttons.length || (open && !shadow)) {
      parts.push(h("div", { class: "buttons", "aria-busy": String(busy) },
        buttons.map((button) => this.button(button, busy)),
        open && !shadow && card.kind === "approval" && this.house.reply
          ? h("button", { type: "button", class: "quiet", "data-key": "reply", disabled: busy, onclick: () => this.house.reply(card),
            title: "Say in words what should change" }, icon("reply"), "Ask for changes")
          : null));
    }
    return h("div", { class: "ending", "data-sticks": open && (!panel || small) }, parts);
  }

  button(button, busy) {
    const opens = ["edit", "reject", "snooze"].includes(button.verb) || button.confirm ? button : null;
    const pressed = busy && this.pressing.verb === button.verb;
    const element = h("button", {
      type: "button", class: button.style || "plain", "data-verb": button.verb, "data-key": `verb-${button.handle}-${button.verb}`,
      "data-until": button.until || null, disabled: busy, "data-pressed": pressed,
      onclick: () => {
        if (button.until && Date.parse(button.until) <= serverNow()) return;
        if (opens && !(button.verb === "edit" && !this.card.fields.length)) this.open(button);
        else if (button.verb === "say") this.house.say(button.text);
        else this.press(button, {});
      },
    }, button.verb === "undo" ? icon("undo") : null, h("span", null, button.label),
      button.until ? h("span", { class: "countdown", "aria-hidden": "true" }) : null);
    return element;
  }

  // ── panels: confirm, edit, reject, snooze ───────────────────────────────────────────────────────────────────────

  open(button) {
    this.panel = ["edit", "reject", "snooze"].includes(button.verb) ? button.verb : "confirm";
    this.panelButton = button;
    this.word = null;
    this.show(this.card);
    this.element.querySelector(".panel [data-first]")?.focus({ preventScroll: true });
    // On a wide screen a small panel sticks where the buttons were, and is in view already.
    const panel = this.element.querySelector(".panel");
    if (getComputedStyle(panel.parentElement).position !== "sticky") panel.scrollIntoView({ block: "nearest" });
  }

  close() {
    const key = `verb-${this.panelButton.handle}-${this.panelButton.verb}`;
    this.panel = "";
    this.show(this.card);
    this.element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }

  openPanel(card) {
    // The button as it is in the card now: a re-rendered card may carry another handle.
    const button = card.buttons.find((one) => one.verb === this.panelButton.verb) || this.panelButton;
    const back = h("button", { type: "button", class: "quiet", "data-key": "back", onclick: () => this.close() }, "Back");
    const make = { edit: editPanel, reject: rejectPanel, snooze: snoozePanel, confirm: confirmPanel }[this.panel];
    const panel = make(card, button, (extra) => this.press(button, extra), back);
    panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
    return panel;
  }

  async press(button, extra) {
    const frame = { type: "press", handle: button.handle, verb: button.verb, ...extra };
    const answer = this.house.press(frame);
    this.pressing = { id: frame.id, verb: button.verb };
    this.panel = "";
    this.word = this.house.online() ? null : { text: "Goes out when the connection is back.", tone: "wait" };
    this.show(this.card);
    this.element.focus({ preventScroll: true });
    const mine = this.pressing;
    const { type, text } = await answer;
    if (type === "ack") {
      if (this.pressing !== mine) return; // the card has moved on already
      this.word = text ? { text, tone: "" } : null;
      this.show(this.card);
      setTimeout(() => { if (this.pressing === mine) { this.pressing = null; this.show(this.card); } }, SETTLING_MS);
      return;
    }
    this.pressing = null;
    this.word = { text, tone: type === "forgotten" ? "" : "problem" };
    if (frame.edits) drafts.set(this.card.id, frame.edits);
    this.show(this.card);
  }
}

// ── the parts of a card ───────────────────────────────────────────────────────────────────────────────────────────

export function stateWord(card) {
  if (card.state === "pending" && KINDS[card.kind]) return KINDS[card.kind];
  return STATES[card.state] || card.state;
}

function stateIcon(card) {
  if (card.state === "pending") return icon({ unknown: "question", stuck: "alert" }[card.kind] || "clock");
  return icon({ approved: "check", denied: "close", expired: "clock", snoozed: "clock" }[card.state] || "close");
}

function warnings(card) {
  if (!card.warnings.length) return null;
  return h("ul", { class: "warnings", "aria-label": "Warnings" },
    card.warnings.map((text) => h("li", { dir: "auto" }, icon("alert"), h("span", null, text))));
}

function changes(card) {
  if (!card.changes.length) return null;
  return h("section", { class: "changes" }, h("h4", null, "What changed"),
    h("ul", null, card.changes.map((text) => h("li", { dir: "auto" }, text))));
}

/** The facts, in the order of reading. Neighbours of one kind under one label are one fact with several values. */
function facts(card) {
  if (!card.rows.length) return null;
  const groups = [];
  for (const row of card.rows) {
    const last = groups[groups.length - 1];
    if (last && last[0].role === row.role && (row.label === "" || (row.label === last[0].label && GROUPED.includes(row.role)))) last.push(row);
    else groups.push([row]);
  }
  return h("dl", { class: "facts" }, groups.map((rows) =>
    h("div", { class: "fact", "data-role": rows[0].role, "data-vital": rows[0].vital },
      h("dt", null, rows[0].label),
      rows[0].role === "lines" ? h("dd", null, lineItems(rows)) : rows.map((row) => h("dd", { dir: "auto" }, valueOf(row, card))))));
}

function valueOf(row, card) {
  const mark = row.mark ? h("span", { class: "mark" }, row.mark) : null;
  const file = row.role === "attachments" ? attached(row, card) : null;
  if (file) return [fileChip(file, { more: row.value.slice(file.name.length).trim() }), mark && " ", mark];
  return [h("span", { class: "value" }, row.value), mark && " ", mark];
}

/** The file that a row names: by name and the beginning of its digest. */
function attached(row, card) {
  return card.files.find((file) => row.value.startsWith(file.name) && row.value.includes(file.sha256.slice(0, 12)));
}

/** Line items as a table: columns parted by tabs, or as in "Advice: 3 × 400.00 = 1200.00", or whole. */
function lineItems(rows) {
  const items = rows.flatMap((row) => row.value.split("\n")).filter((line) => line.trim()).map((line) => {
    if (line.includes("\t")) return line.split("\t");
    const parts = /^(.+): (?:(.+ × .+) = )?(-?[\d.,' ]*\d(?: ?[A-Z]{3}| ?[€$£])?)$/.exec(line);
    return parts ? [parts[1], ...(parts[2] ? [parts[2]] : []), parts[3]] : [line];
  });
  const width = Math.max(...items.map((item) => item.length));
  return h("table", { class: "lines" }, h("tbody", null, items.map((item) =>
    h("tr", { class: /^total\b/i.test(item[0]) ? "sum" : null }, item.map((cell, column) =>
      h("td", { colspan: column === 0 && item.length < width ? width - item.length + 1 : null,
        class: column > 0 ? "number" : null, dir: "auto" }, cell))))));
}

function files(card) {
  const left = card.files.filter((file) => !card.rows.some((row) => row.role === "attachments" && attached(row, card) === file));
  if (!left.length) return null;
  return h("section", { class: "files", "aria-label": "Attachments" }, left.map((file) => fileChip(file)));
}

/** What is at stake, once more beside the button: a tall card must not be approved without it in view. */
function stake(card) {
  const of = (role) => card.rows.filter((row) => row.vital && row.role === role);
  const whom = of("recipients").flatMap((row) => row.value.split("\n").filter(Boolean)
    .map((one) => ({ one, mark: row.mark })));
  const parts = of("amount").map((row) => h("b", null, row.value));
  if (whom.length > STAKE_MAX) parts.push(h("span", null, `to ${whom.length} recipients, all listed above`));
  else parts.push(...whom.map(({ one, mark }, number) =>
    h("span", { dir: "auto" }, number ? "" : "to ", one, mark ? [" ", h("span", { class: "mark" }, mark)] : null)));
  if (card.files.length) parts.push(h("span", null, `with ${card.files.map((file) => file.name).join(", ")}`));
  return parts.length ? h("p", { class: "stake", "aria-label": "At stake" }, parts) : null;
}

function note(card) {
  if (!card.note) return null;
  return h("figure", { class: "note" },
    h("figcaption", null, "The agent’s words"),
    h("blockquote", { dir: "auto" }, card.note));
}

function why(card) {
  if (!card.reasons.length && !card.sources.length) return null;
  const sure = card.confidence_pct ? ` · ${card.confidence_pct} % sure` : "";
  return h("details", { class: "why" }, h("summary", { "data-key": "why" }, `Why this${sure}`),
    card.reasons.length ? h("ul", null, card.reasons.map((text) => h("li", { dir: "auto" }, text))) : null,
    card.sources.length ? h("h4", null, "It rests on") : null,
    card.sources.length ? h("ul", { class: "sources" }, card.sources.map((text) => h("li", { dir: "auto" }, text))) : null);
}

function footer(card) {
  if (!card.footer.length) return null;
  return h("footer", { class: "card-foot" }, card.footer.map((text) => h("p", { dir: "auto" }, text)));
}

// ── panels ────────────────────────────────────────────────────────────────────────────────────────────────────────

function confirmPanel(card, button, press, back) {
  return h("div", { class: "panel", role: "group", "aria-label": button.label },
    h("p", null, button.confirm),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: button.style || "primary", "data-first": true, "data-confirm": true,
        onclick: () => press({}) }, button.label), back));
}

function editPanel(card, button, press, back) {
  const draft = drafts.get(card.id) || {};
  const inputs = card.fields.map((field, number) => {
    const id = `edit-${card.id}-${number}`;
    const long = field.long || field.value.includes("\n");
    const input = h(long ? "textarea" : "input", { id, name: field.name, "data-key": `field-${field.name}`, "data-first": number === 0, dir: "auto",
      value: draft[field.name] ?? field.value, rows: long ? Math.min(14, Math.max(4, field.value.split("\n").length + 1)) : null,
      oninput: () => {
        drafts.set(card.id, changed());
        save.disabled = !Object.keys(changed()).length;
      } });
    return { field, input, row: h("div", { class: "edit-row" }, h("label", { for: id }, field.label), input) };
  });
  const changed = () => Object.fromEntries(
    inputs.filter(({ field, input }) => input.value !== field.value).map(({ field, input }) => [field.name, input.value]));
  const save = h("button", { type: "submit", class: "primary", "data-key": "save" }, "Save as a new draft");
  save.disabled = !Object.keys(changed()).length;
  return h("form", { class: "panel edit", "aria-label": `Edit ${card.title}`,
    onsubmit: (event) => { event.preventDefault(); press({ edits: changed() }); } },
    inputs.map(({ row }) => row),
    h("div", { class: "buttons" }, save, back),
    h("p", { class: "small" }, "Saving sends nothing: you get the changed card to approve."));
}

function rejectPanel(card, button, press, back) {
  const own = h("input", { type: "text", id: `reason-${card.id}`, maxlength: "2000", dir: "auto", placeholder: "In your own words" });
  return h("form", { class: "panel", "aria-label": "Why not?",
    onsubmit: (event) => { event.preventDefault(); press({ reason: own.value.trim() }); } },
    h("p", { class: "panel-head" }, "Why not?"),
    h("div", { class: "chips" },
      card.reject_reasons.map((reason, number) =>
        h("button", { type: "button", class: "chip", "data-first": number === 0, "data-reason": reason, onclick: () => press({ reason }) }, reason))),
    h("label", { class: "unseen", for: own.id }, "Another reason"),
    h("div", { class: "own" }, own, h("button", { type: "submit", class: "danger", "data-first": !card.reject_reasons.length }, "Reject"), back));
}

function snoozePanel(card, button, press, back) {
  const now = new Date(serverNow());
  const at = (days, hour) => new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour);
  const choices = [["In an hour", new Date(now.getTime() + 3_600_000)]];
  if (now.getHours() < 17) choices.push(["This evening", at(0, 18)]);
  choices.push(["Tomorrow morning", at(1, 9)]);
  choices.push(["Monday morning", at((8 - now.getDay()) % 7 || 7, 9)]);
  return h("div", { class: "panel", role: "group", "aria-label": "Put aside until" },
    h("p", { class: "panel-head" }, "Put aside until"),
    h("div", { class: "chips" },
      choices.map(([label, until], number) =>
        h("button", { type: "button", class: "chip", "data-first": number === 0, onclick: () => press({ until: until.toISOString() }) },
          label, h("span", { class: "faint" }, ` ${when(until.toISOString())}`))),
      back));
}

// ── undo windows ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Count down every button that stands only until a time, and take it away when that has come. */
export function tickCountdowns(root) {
  for (const button of root.querySelectorAll("button[data-until]")) {
    const left = Math.ceil((Date.parse(button.dataset.until) - serverNow()) / 1000);
    button.hidden = left <= 0;
    const shown = left >= 3600 ? `${Math.floor(left / 3600)} h ${Math.floor((left % 3600) / 60)} min`
      : `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    button.querySelector(".countdown").textContent = shown;
  }
}
