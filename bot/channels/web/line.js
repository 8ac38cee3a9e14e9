// The line to the server. What goes out is kept until it is answered, over lost connections and reloads.

import { uuid } from "./dom.js";

const KEPT = "soloist.outbox";
const RETRY_MS = [300, 700, 1500, 3000, 6000, 10_000];
const SILENCE_MS = 50_000; // the server speaks every 20 s; twice that and more is a dead line
const REFUSALS_BEFORE_ASKING = 2; // then look whether this browser is still signed in

export class Line {
  /** @param heard called with each frame; answers also go to the promise that `send` returned.
   *  @param changed called with "open", "lost" or "locked". */
  constructor(heard, changed) {
    this.heard = heard;
    this.changed = changed;
    this.tries = 0;
    this.state = "connecting";
    this.outbox = new Map(); // id → { frame, sent, settle }
    this.lastHeard = Date.now();
    for (const frame of readKept()) this.outbox.set(frame.id, { frame, sent: true, settle: null });
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
    setInterval(() => this.state === "open" && Date.now() - this.lastHeard > SILENCE_MS && this.socket.close(), 5000);
  }

  /** What was typed before a reload and never answered: it is sent again, and should be shown. */
  unanswered() {
    return [...this.outbox.values()].map((item) => item.frame);
  }

  connect() {
    clearTimeout(this.timer);
    this.socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket`);
    const socket = this.socket;
    socket.onopen = () => {
      this.tries = 0;
      this.lastHeard = Date.now();
      this.set("open");
      // First what was never answered, then the request for everything: the snapshot then holds what we just sent.
      for (const item of this.outbox.values()) this.put(item);
      socket.send(JSON.stringify({ type: "hello" }));
    };
    socket.onmessage = (event) => {
      this.lastHeard = Date.now();
      const frame = JSON.parse(event.data);
      if (["ack", "refused", "not_written", "error"].includes(frame.type)) this.answered(frame);
      this.heard(frame);
    };
    socket.onclose = () => socket === this.socket && this.lost();
  }

  /** Send a frame with an id of its own; resolves with the answer. The same frame given again keeps its id. */
  send(frame) {
    if (!frame.id) frame.id = uuid();
    return new Promise((settle) => {
      const item = { frame, sent: false, settle };
      this.outbox.set(frame.id, item);
      this.keep();
      if (this.state === "open") this.put(item);
    });
  }

  ask(type) {
    if (this.state === "open") this.socket.send(JSON.stringify({ type }));
  }

  /** Take back what has certainly not left yet; false when it may have. */
  forget(id) {
    const item = this.outbox.get(id);
    if (!item || item.sent) return false;
    this.outbox.delete(id);
    this.keep();
    item.settle?.({ type: "forgotten", id, text: "Not sent." });
    return true;
  }

  retryNow() {
    if (this.state === "lost" && this.socket.readyState === WebSocket.CLOSED) this.connect();
  }

  put(item) {
    item.sent = true;
    this.socket.send(JSON.stringify(item.frame));
  }

  answered(frame) {
    const item = this.outbox.get(frame.id);
    if (!item) return;
    this.outbox.delete(frame.id);
    this.keep();
    item.settle?.(frame);
  }

  async lost() {
    this.set("lost");
    const wait = RETRY_MS[Math.min(this.tries, RETRY_MS.length - 1)];
    this.tries += 1;
    if (this.tries > REFUSALS_BEFORE_ASKING && (await isLocked())) return this.set("locked");
    this.timer = setTimeout(() => this.connect(), wait * (0.75 + Math.random() / 2));
  }

  set(state) {
    if (state === this.state) return;
    this.state = state;
    this.changed(state);
  }

  keep() {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify([...this.outbox.values()].map((item) => item.frame)));
    } catch {
      // Storage is full or switched off: a reload would forget, the open page does not.
    }
  }
}

function readKept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) || "[]");
  } catch {
    return [];
  }
}

async function isLocked() {
  try {
    return (await fetch("/tasks")).status === 401;
  } catch {
    return false;
  }
}
