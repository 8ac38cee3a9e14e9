// Where the operator types. What is typed is kept over reloads and lost connections.

import { $, h, icon, fileChip, sizeOf } from "./dom.js";

const DRAFT = "soloist.draft";
const COMMANDS_SHOWN = 8;

export class Composer {
  /** @param send (text, files, replyTo) → nothing; called only with something to say. */
  constructor(send) {
    this.send = send;
    this.commands = [];
    this.limits = { text: 20_000, file: 25_000_000 };
    this.said = []; // newest last
    this.recalled = -1;
    this.replyTo = "";
    this.files = []; // { file (as kept), name, problem, source }
    this.box = $("say");
    this.form = $("composer");
    this.list = $("commands");
    this.chosen = 0;
    $("attach").append(icon("clip"));
    $("send").append(icon("arrow"));
    this.box.value = sessionStorage.getItem(DRAFT) || "";
    this.box.addEventListener("input", () => this.typed());
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("blur", () => this.hideCommands());
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    $("attach").addEventListener("click", () => $("files").click());
    $("files").addEventListener("change", (event) => { this.take([...event.target.files]); event.target.value = ""; });
    this.box.addEventListener("paste", (event) => {
      if (event.clipboardData.files.length) { event.preventDefault(); this.take([...event.clipboardData.files]); }
    });
    this.listenForDrops();
    this.fit();
  }

  /** Put words back into the box, in front of what is being typed. */
  putBack(text) {
    this.box.value = [text, this.box.value].filter(Boolean).join("\n");
    this.typed();
    this.box.focus();
  }

  replyOn(card) {
    this.replyTo = card.id;
    $("replying").hidden = false;
    $("replying").replaceChildren(icon("reply"), h("span", null, `What should change on ${card.id}: ${card.title}?`),
      h("button", { type: "button", class: "icon small", "aria-label": "Not a reply", onclick: () => this.replyOff() }, icon("close")));
    this.box.focus();
  }

  replyOff() {
    this.replyTo = "";
    $("replying").hidden = true;
    this.box.focus();
  }

  submit() {
    const text = this.box.value.trim();
    if (this.files.some((one) => !one.file)) return this.hint("A file is still on its way, or could not be kept. Remove it or wait.", true);
    if (!text && !this.files.length) return;
    if (text.length > this.limits.text) {
      return this.hint(`A message can have ${this.limits.text.toLocaleString()} characters; this one has ${text.length.toLocaleString()}. Drop it here as a file.`, true);
    }
    const files = this.files.map((one) => one.file);
    const replyTo = this.replyTo;
    this.box.value = "";
    this.files = [];
    if (replyTo) this.replyOff();
    this.recalled = -1;
    this.drawFiles();
    this.typed();
    this.remember(text);
    this.send(text, files, replyTo);
  }

  remember(text) {
    if (text && this.said[this.said.length - 1] !== text) this.said.push(text);
  }

  typed() {
    try { sessionStorage.setItem(DRAFT, this.box.value); } catch { /* full: the open page still has it */ }
    this.hint("");
    this.fit();
    this.showCommands();
  }

  fit() {
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight}px`;
    $("send").disabled = !this.box.value.trim() && !this.files.length;
  }

  hint(text, problem = false) {
    const hint = $("hint");
    this.hintWords ||= [...hint.childNodes];
    hint.toggleAttribute("data-problem", problem);
    hint.setAttribute("role", problem ? "alert" : "note");
    hint.replaceChildren(...(text ? [text] : this.hintWords));
  }

  // ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────

  key(event) {
    if (event.isComposing) return;
    if (!this.list.hidden && this.keyInList(event)) return event.preventDefault();
    if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.altKey) {
      event.preventDefault();
      return this.submit();
    }
    if (event.key === "Escape" && this.replyTo) return this.replyOff();
    if (event.key === "ArrowUp" && this.mayRecall() && this.said.length) {
      event.preventDefault();
      this.recall(this.recalled < 0 ? this.said.length - 1 : Math.max(0, this.recalled - 1));
    } else if (event.key === "ArrowDown" && this.recalled >= 0) {
      event.preventDefault();
      this.recall(this.recalled + 1);
    } else if (event.key.length === 1) this.recalled = -1;
  }

  mayRecall() {
    return this.box.value === "" || this.recalled >= 0;
  }

  recall(number) {
    this.recalled = number < this.said.length ? number : -1;
    this.box.value = this.recalled < 0 ? "" : this.said[this.recalled];
    this.box.setSelectionRange(this.box.value.length, this.box.value.length);
    this.typed();
    this.hideCommands();
  }

  // ── commands after a slash ──────────────────────────────────────────────────────────────────────────────────────

  matching() {
    const match = /^\/(\S*)$/.exec(this.box.value);
    if (!match) return [];
    return this.commands.filter(([name]) => name.startsWith(match[1].toLowerCase())).slice(0, COMMANDS_SHOWN);
  }

  showCommands() {
    const found = this.matching();
    if (!found.length) return this.hideCommands();
    this.chosen = Math.min(this.chosen, found.length - 1);
    this.list.hidden = false;
    this.box.setAttribute("aria-expanded", "true");
    this.list.replaceChildren(...found.map(([name, help], number) =>
      h("li", { role: "option", id: `command-${number}`, "aria-selected": String(number === this.chosen),
        onpointerdown: (event) => { event.preventDefault(); this.complete(name); } },
        h("b", null, `/${name}`), h("span", null, help))));
    this.box.setAttribute("aria-activedescendant", `command-${this.chosen}`);
  }

  hideCommands() {
    this.list.hidden = true;
    this.chosen = 0;
    this.box.setAttribute("aria-expanded", "false");
    this.box.removeAttribute("aria-activedescendant");
  }

  /** True when the key was for the list. */
  keyInList(event) {
    const found = this.matching();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.chosen = (this.chosen + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length;
      this.showCommands();
      return true;
    }
    if (event.key === "Escape") { this.hideCommands(); return true; }
    const name = found[this.chosen]?.[0];
    if (event.key === "Tab" || (event.key === "Enter" && this.box.value !== `/${name}`)) {
      this.complete(name);
      return true;
    }
    return false;
  }

  complete(name) {
    // No space behind it: Enter sends a command that needs nothing more, and a space goes on.
    this.box.value = `/${name}`;
    this.typed();
    this.hideCommands();
  }

  // ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────

  listenForDrops() {
    let depth = 0;
    const has = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
    addEventListener("dragenter", (event) => { if (has(event)) { depth += 1; $("drop").hidden = false; } });
    addEventListener("dragleave", (event) => { if (has(event)) { depth -= 1; if (depth <= 0) { depth = 0; $("drop").hidden = true; } } });
    addEventListener("dragover", (event) => has(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      if (!has(event)) return;
      event.preventDefault();
      depth = 0;
      $("drop").hidden = true;
      this.take([...event.dataTransfer.files]);
    });
  }

  take(sources) {
    for (const source of sources) {
      const one = { name: source.name, source, file: null, problem: "" };
      this.files.push(one);
      if (source.size > this.limits.file) one.problem = `larger than ${sizeOf(this.limits.file)}`;
      else this.upload(one);
    }
    this.drawFiles();
    this.box.focus();
  }

  async upload(one) {
    one.problem = "";
    this.drawFiles();
    try {
      const answer = await fetch(`/files?name=${encodeURIComponent(one.name)}`, {
        method: "POST", body: one.source, headers: { "Content-Type": one.source.type || "application/octet-stream" } });
      const words = await answer.json();
      if (answer.ok) one.file = words.file;
      else one.problem = words.text;
    } catch {
      one.problem = "No connection.";
    }
    this.drawFiles();
  }

  /** The connection is back: what could not be handed over is tried again. */
  retryFiles() {
    for (const one of this.files) if (!one.file && one.problem) this.upload(one);
  }

  drawFiles() {
    $("attached").hidden = !this.files.length;
    $("attached").replaceChildren(...this.files.map((one) =>
      h("div", { class: "attached-file", "data-problem": Boolean(one.problem) },
        one.file ? fileChip(one.file) : h("span", { class: "file" }, h("span", { class: "file-words" },
          h("span", { class: "file-name", dir: "auto" }, one.name), h("span", { class: "file-size" }, one.problem || "Handing over…"))),
        one.problem ? h("button", { type: "button", class: "link", onclick: () => this.upload(one) }, "Try again") : null,
        h("button", { type: "button", class: "icon small", "aria-label": `Remove ${one.name}`,
          onclick: () => { this.files = this.files.filter((other) => other !== one); this.drawFiles(); } }, icon("close")))));
    this.fit();
  }
}
