// Building blocks of the page. Text goes in as text nodes only: there is no way here to turn a string into markup.

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  alert: "M12 9v4m0 3.5v.01M10.3 4.3 2.8 17.5A2 2 0 0 0 4.5 20.5h15a2 2 0 0 0 1.7-3L13.7 4.3a2 2 0 0 0-3.4 0Z",
  arrow: "M12 19V5m-6 6 6-6 6 6",
  back: "m14 6-6 6 6 6",
  check: "m5 12.5 4.5 4.5L19 7.5",
  clip: "m20 11.5-8.2 8.2a5 5 0 0 1-7.1-7.1l8.6-8.6a3.4 3.4 0 0 1 4.8 4.8l-8.6 8.6a1.7 1.7 0 0 1-2.4-2.4l7.9-7.9",
  clock: "M12 7v5l3 2m6-2a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
  close: "m7 7 10 10M17 7 7 17",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM15 12a3 3 0 1 1-6 0 3 3 0 0 1 6 0Z",
  file: "M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8l-5-5Zm0 0v5h5",
  question: "M9.2 9.2a2.9 2.9 0 0 1 5.6 1c0 1.9-2.8 2.3-2.8 4.1M12 17.5v.01M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
  reply: "M10 8 5 13l5 5M5 13h9a5 5 0 0 0 5-5V6",
  undo: "M8.5 5 4 9.5 8.5 14M4 9.5h10a5 5 0 0 1 0 10h-4",
};

// Characters that nobody sees, or that turn round what stands beside them. Two different texts must never look the same
// on a card, so these are shown by their number. Emoji and Arabic script need some of them, and keep them there.
const UNSEEN = new RegExp(
  "[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f"
  + "\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufe00-\\ufe0e\\ufeff\\uffa0\\ufff0-\\ufffb"
  + "\\u{110bd}\\u{110cd}\\u{13430}-\\u{13455}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]"
  + "|\\p{Cf}(?<![\\u0600-\\u0605\\u06dd\\u0890\\u0891\\u08e2\\u200c\\u200d])"
  + "|(?<!\\p{Script=Arabic})\\u200c|(?<![\\p{Extended_Pictographic}\\ufe0f\\u{1f3fb}-\\u{1f3ff}])\\u200d"
  + "|(?<!\\p{Extended_Pictographic})\\ufe0f",
  "gu",
);

/** A text with everything unseen made visible. */
function seen(text) {
  if (typeof text !== "string" || text.search(UNSEEN) < 0) return text;
  const parts = [];
  let from = 0;
  for (const { 0: character, index } of text.matchAll(UNSEEN)) {
    const mark = document.createElement("span");
    mark.className = "unseen-mark";
    mark.textContent = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    mark.title = "A character that cannot be seen";
    parts.push(text.slice(from, index), mark);
    from = index + character.length;
  }
  return [...parts, text.slice(from)];
}

/** h("p", {class: "note", onclick: f}, "text", child): an element. Null children are left out. */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true && !name.startsWith("data-") ? "" : value);
  }
  const wanted = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...wanted.flatMap(seen));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

export const $ = (id) => document.getElementById(id);

/** A UUID; randomUUID itself exists only where the connection counts as secure. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

// ── time: the server's clock counts, this machine's time zone shows it ────────────────────────────────────────────

let ahead = 0; // ms the server's clock is ahead of ours

export const setServerTime = (iso) => { ahead = Date.parse(iso) - Date.now(); };
export const serverNow = () => Date.now() + ahead;

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const SHORT = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export const clock = (iso) => CLOCK.format(new Date(iso));
export const dayOf = (iso) => new Date(iso).toDateString();

export function dayName(iso) {
  const day = dayOf(iso);
  const now = serverNow();
  if (day === new Date(now).toDateString()) return "Today";
  if (day === new Date(now - 86_400_000).toDateString()) return "Yesterday";
  return DAY.format(new Date(iso));
}

export const when = (iso) =>
  dayOf(iso) === new Date(serverNow()).toDateString() ? clock(iso) : `${SHORT.format(new Date(iso))}, ${clock(iso)}`;

// ── text and files ────────────────────────────────────────────────────────────────────────────────────────────────

/** Plain text as paragraphs and bullets. Addresses stay text: nothing here can be clicked by mistake. */
export function prose(text) {
  const blocks = [];
  let list = null;
  let lines = [];
  const flush = () => {
    if (lines.length) blocks.push(h("p", { dir: "auto" }, lines.join("\n")));
    lines = [];
  };
  for (const line of text.split("\n")) {
    if (line.startsWith("- ")) {
      flush();
      if (!list) {
        // A short line above a list is its heading: "Done", "Money".
        const above = blocks[blocks.length - 1];
        if (above?.tagName === "P" && above.textContent.length < 48 && !/[.!?]$/.test(above.textContent)) above.classList.add("lead");
        blocks.push((list = h("ul")));
      }
      list.append(h("li", { dir: "auto" }, line.slice(2)));
    } else if (line.trim() === "") {
      flush();
      list = null;
    } else {
      list = null;
      lines.push(line);
    }
  }
  flush();
  return blocks;
}

export function sizeOf(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/** A file as a chip that opens in a new tab, or the picture itself. */
export function fileChip(file, { pictures = false, more = "" } = {}) {
  const type = file.media_type || "application/octet-stream";
  const href = `/file/${encodeURIComponent(file.sha256)}`;
  if (pictures && PICTURES.includes(type)) {
    return h("a", { class: "picture", href, target: "_blank", rel: "noopener" },
      h("img", { src: href, alt: file.name, loading: "lazy" }));
  }
  const kind = type === "application/pdf" ? "PDF" : (file.name.split(".").pop() || "file").slice(0, 4).toUpperCase();
  const opens = type === "application/pdf" ? "opens in a new tab" : "downloads";
  return h("a", { class: "file", href, target: "_blank", rel: "noopener", title: `${file.name}: ${opens}` },
    h("span", { class: "sheet-of-paper", "data-kind": kind, "aria-hidden": "true" }, h("i"), h("i"), h("i"), h("b", null, kind)),
    h("span", { class: "file-words" },
      h("span", { class: "file-name", dir: "auto" }, file.name),
      h("span", { class: "file-size" }, more || `${kind} · ${sizeOf(file.size)}`)));
}
