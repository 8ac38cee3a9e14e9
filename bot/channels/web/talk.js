// The conversation: bubbles and cards, oldest first. It can always be rebuilt from a snapshot.

import { $, h, icon, prose, fileChip, clock, dayName, dayOf, when } from "./dom.js";
import { CardView } from "./card.js";

const NEAR_PX = 140; // this close to the end counts as reading along
const KIND_ICONS = { receipt: "check", problem: "alert", question: "question" };

export class Talk {
  constructor(house) {
    this.house = house;
    this.items = []; // { key, seq, at, element }
    this.cards = new Map(); // card id → CardView in the conversation
    this.others = new Set(); // views elsewhere (the sheet)
    this.list = $("talk");
    this.scroll = $("scroll");
    this.scroll.addEventListener("scroll", () => { if (this.isNear()) $("newer").hidden = true; }, { passive: true });
    $("newer").append(icon("arrow"));
    $("newer").addEventListener("click", () => this.toEnd(true));
  }

  // ── from the server ─────────────────────────────────────────────────────────────────────────────────────────────

  reset(turns, suggestions) {
    const near = this.isNear() || !this.items.length;
    const held = this.list.contains(document.activeElement) ? document.activeElement.closest("[data-card]")?.dataset.card : "";
    const unkept = this.items.filter((item) => ["failed", "sending"].includes(item.element.dataset.fate));
    this.items = [];
    const views = this.cards;
    this.cards = new Map();
    this.list.setAttribute("aria-live", "off"); // not the whole history read aloud at once
    for (const turn of turns) this.items.push(this.item(turn, views));
    this.items.push(...unkept);
    this.suggestions = suggestions;
    this.render();
    if (held) this.cards.get(held)?.element.focus({ preventScroll: true });
    if (near) this.toEnd(false);
    requestAnimationFrame(() => this.list.setAttribute("aria-live", "polite"));
  }

  prepend(turns) {
    const height = this.scroll.scrollHeight;
    const older = turns.filter((turn) => !(turn.card && this.cards.has(turn.card.id))).map((turn) => this.item(turn, new Map()));
    this.items.unshift(...older);
    this.list.setAttribute("aria-live", "off");
    this.render();
    this.scroll.scrollTop += this.scroll.scrollHeight - height;
    requestAnimationFrame(() => this.list.setAttribute("aria-live", "polite"));
  }

  firstSeq() {
    return this.items.find((item) => item.seq !== undefined)?.seq;
  }

  message(at, message) {
    this.put({ at, message, who: "soloist" });
  }

  turn(id, turn) {
    if (!this.items.some((item) => item.key === `e:${id}`)) this.put({ ...turn, event: id });
  }

  card(at, card, fresh) {
    const view = this.cards.get(card.id);
    for (const other of this.others) if (other.card.id === card.id) other.update(card);
    if (!view) return this.put({ at, card, who: "soloist" });
    const newer = card.revision > view.card.revision;
    const near = this.isNear();
    view.update(card);
    if (near) this.toEnd(false);
    if (fresh && newer) this.moveToEnd(`c:${card.id}`, at);
  }

  /** Words typed here. `fate` is "sending", "failed" or "" once they are on disk. */
  mine(frame, at, files) {
    return this.put({ who: "operator", text: frame.text, files, at, event: frame.id, reply: frame.reply_to, fate: "sending" }, true);
  }

  fate(id, fate, text, again) {
    const element = this.items.find((item) => item.key === `e:${id}`)?.element;
    if (!element) return;
    element.dataset.fate = fate;
    const word = element.querySelector(".fate");
    word.replaceChildren(...[text, again ? h("button", { type: "button", class: "link", onclick: again }, "Try again") : null].filter(Boolean));
  }

  // ── drawing ─────────────────────────────────────────────────────────────────────────────────────────────────────

  item(turn, views) {
    const at = turn.at;
    if (turn.card) {
      let view = views.get(turn.card.id);
      if (view) view.update(turn.card);
      else view = new CardView(turn.card, this.house);
      this.cards.set(turn.card.id, view);
      return { key: `c:${turn.card.id}`, seq: turn.seq, at, element: h("div", { class: "turn from-soloist has-card" }, view.element) };
    }
    if (turn.message) {
      return { key: `m:${turn.message.id}`, seq: turn.seq, at, element: this.messageBubble(at, turn.message) };
    }
    return { key: turn.event ? `e:${turn.event}` : `t:${turn.seq}`, seq: turn.seq, at, text: turn.text, element: wordsBubble(turn) };
  }

  messageBubble(at, message) {
    const glyph = KIND_ICONS[message.kind];
    const buttons = message.buttons.map((button) =>
      h("button", { type: "button", class: button.verb === "say" ? "chip" : button.style || "plain", "data-verb": button.verb,
        "data-until": button.until || null, onclick: (event) => this.pressOn(event.currentTarget, button) },
        button.verb === "undo" ? icon("undo") : null, h("span", null, button.label),
        button.until ? h("span", { class: "countdown", "aria-hidden": "true" }) : null));
    return h("div", { class: "turn from-soloist", "data-kind": message.kind, "data-message": message.id },
      h("div", { class: "bubble" },
        glyph ? h("span", { class: "kind" }, icon(glyph)) : null,
        h("div", { class: "words" }, h("span", { class: "unseen" }, "Soloist: "), prose(message.text),
          message.files.length ? h("div", { class: "files" }, message.files.map((file) => fileChip(file, { pictures: true }))) : null)),
      buttons.length ? h("div", { class: "chips" }, buttons) : null,
      h("p", { class: "fate", role: "status" }),
      h("time", { datetime: at, title: when(at) }, clock(at)));
  }

  async pressOn(element, button) {
    if (button.verb === "say") return this.house.say(button.text);
    if (button.confirm && !element.dataset.asked) {
      element.dataset.asked = "true";
      element.closest(".turn").querySelector(".fate").textContent = button.confirm;
      element.querySelector("span").textContent = `Yes: ${button.label}`;
      return;
    }
    element.disabled = true;
    const answer = await this.house.press({ type: "press", handle: button.handle, verb: button.verb });
    const word = element.closest(".turn").querySelector(".fate");
    word.textContent = answer.text;
    if (answer.type === "ack") element.remove();
    else element.disabled = false;
  }

  put(turn, own = false) {
    const item = this.item(turn, new Map());
    const near = this.isNear();
    const standing = this.items.findIndex((one) => one.key === item.key);
    if (standing >= 0) {
      this.items[standing].element.replaceWith(item.element);
      this.items[standing] = item;
      return item;
    }
    const last = this.items[this.items.length - 1];
    if (!this.items.length) this.list.replaceChildren();
    if (!last || dayOf(last.at) !== dayOf(item.at)) this.list.append(daySign(item.at));
    this.items.push(item);
    item.element.classList.add("arriving");
    this.list.append(item.element);
    if (own || near) this.toEnd(true);
    else $("newer").hidden = false;
    return item;
  }

  moveToEnd(key, at) {
    const standing = this.items.findIndex((item) => item.key === key);
    if (standing < 0 || standing === this.items.length - 1) return;
    const [item] = this.items.splice(standing, 1);
    item.at = at;
    const held = document.activeElement;
    const near = this.isNear() || item.element.contains(held);
    this.items.push(item);
    this.render();
    if (item.element.contains(held)) held.focus({ preventScroll: true });
    if (near) this.toEnd(true);
    else $("newer").hidden = false;
  }

  render() {
    const nodes = [];
    let day = "";
    for (const item of this.items) {
      if (dayOf(item.at) !== day) nodes.push(daySign(item.at));
      day = dayOf(item.at);
      nodes.push(item.element);
    }
    this.list.replaceChildren(...(nodes.length ? nodes : [this.welcome()]));
  }

  welcome() {
    return h("section", { class: "welcome" },
      h("img", { src: "/page/icon.svg", alt: "", width: "52", height: "52" }),
      h("h2", null, "What needs doing?"),
      h("p", null, "Say it in your own words. Soloist drafts it and shows you a card with exactly what will happen. "
        + "Nothing leaves the house before you press the button."),
      h("div", { class: "suggestions", role: "group", "aria-label": "Things to try" },
        (this.suggestions || []).map((text) =>
          h("button", { type: "button", class: "suggestion", onclick: () => this.house.say(text) }, h("span", null, text), icon("reply")))));
  }

  /** Bring a card into view; false when it stands further up than what is loaded. */
  reveal(id) {
    const view = this.cards.get(id);
    if (!view) return false;
    view.element.scrollIntoView({ block: "center", behavior: calm() ? "auto" : "smooth" });
    view.element.focus({ preventScroll: true });
    return true;
  }

  isNear() {
    return this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight < NEAR_PX;
  }

  toEnd(smooth) {
    $("newer").hidden = true;
    requestAnimationFrame(() => {
      const last = this.items[this.items.length - 1]?.element;
      // A card taller than the screen is read from its top.
      const tall = last && last.matches(".has-card") && last.offsetHeight > this.scroll.clientHeight - 40;
      const top = tall ? last.getBoundingClientRect().top - this.scroll.getBoundingClientRect().top + this.scroll.scrollTop - 12
        : this.scroll.scrollHeight;
      this.scroll.scrollTo({ top, behavior: smooth && !calm() ? "smooth" : "auto" });
    });
  }
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function daySign(at) {
  return h("p", { class: "day" }, h("span", null, dayName(at)));
}

function wordsBubble(turn) {
  const mine = turn.who !== "soloist";
  const from = mine && turn.who !== "operator" ? turn.who[0].toUpperCase() + turn.who.slice(1) : "";
  return h("div", { class: `turn ${mine ? "from-operator" : "from-soloist"}`, "data-event": turn.event || null, "data-fate": turn.fate || "" },
    turn.reply ? h("p", { class: "reply-to" }, icon("reply"), `on card ${turn.reply}`) : null,
    turn.text ? h("div", { class: "bubble" }, h("div", { class: "words" }, h("span", { class: "unseen" }, mine ? "You: " : "Soloist: "), prose(turn.text))) : null,
    turn.files?.length ? h("div", { class: "files" }, turn.files.map((file) => fileChip(file, { pictures: true }))) : null,
    h("p", { class: "fate", role: "status" }),
    h("time", { datetime: turn.at, title: when(turn.at) }, from ? `${from} · ${clock(turn.at)}` : clock(turn.at)));
}
