/** The part of Markdown that model cards are written in, as elements. Nothing in a card can become markup or a script. */

import { h } from "./dom.js";

const INLINE = /`([^`]+)`|\*\*(.+?)\*\*|\*([^*]+)\*|\[([^\]]+)\]\(([^)\s]+)\)|(https?:\/\/[^\s<>)]+)|\\([\\`*_[\]#|<>&])|&(amp|lt|gt);/g;
const ENTITIES = { amp: "&", lt: "<", gt: ">" };
const RULES = [
  { starts: /^```/, make: code },
  { starts: /^#{1,6}\s/, make: heading },
  { starts: /^\s*\|.*\|\s*$/, make: table },
  { starts: /^>\s?/, make: quote },
  { starts: /^\s*[-*]\s+/, make: list },
  { starts: /^\s*\d+\.\s+/, make: list },
];

/**
 * Turn Markdown into elements.
 *
 * @param {string} text
 * @param {number} top - the level of a heading that is `#` in the text.
 * @returns {Array<HTMLElement>}
 */
export function markdown(text, top = 3) {
  const lines = text.replace(/\r\n?/g, "\n").replace(/^---\n[\s\S]*?\n---\n/, "").split("\n");
  const blocks = [];
  while (lines.length) {
    if (!lines[0].trim()) {
      lines.shift();
      continue;
    }
    const rule = RULES.find(({ starts }) => starts.test(lines[0]));
    blocks.push(rule ? rule.make(lines, top, rule.starts) : paragraph(lines));
  }
  return blocks;
}

/** Return the lines under a heading of a card, as Markdown; "" if there is no such heading. */
export function sectionOf(text, title) {
  const after = text.split(new RegExp(`^## ${title}\\s*$`, "m"))[1] ?? "";
  return after.split(/^## /m)[0].trim();
}

function inline(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    parts.push(text.slice(end, match.index));
    parts.push(piece(match));
    end = match.index + match[0].length;
  }
  return [...parts, text.slice(end)];
}

function piece([all, literal, strong, emphasis, label, target, address, escaped, entity]) {
  if (literal) return h("code", {}, literal);
  if (strong) return h("strong", {}, inline(strong));
  if (emphasis) return h("em", {}, inline(emphasis));
  if (label) return link(label, target);
  if (address) return link(address, address);
  return escaped ?? ENTITIES[entity] ?? all;
}

function link(label, target) {
  // Whatever is no plain web address (javascript:, data:) stays text.
  if (!/^https?:\/\//.test(target)) return label;
  return h("a", { href: target, rel: "noopener noreferrer", target: "_blank" }, label);
}

function take(lines, belongs) {
  const taken = [];
  while (lines.length && belongs(lines[0])) taken.push(lines.shift());
  return taken;
}

function code(lines) {
  lines.shift();
  const inside = take(lines, (line) => !line.startsWith("```"));
  lines.shift();
  return h("pre", { tabindex: "0" }, h("code", {}, inside.join("\n")));
}

function heading(lines, top) {
  const [, marks, text] = /^(#+)\s+(.*)$/.exec(lines.shift());
  return h(`h${Math.min(6, marks.length + top - 1)}`, {}, inline(text));
}

function table(lines) {
  const rows = take(lines, (line) => /^\s*\|/.test(line)).map((line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim()));
  const right = (rows[1] ?? []).map((cell) => cell.endsWith(":"));
  const cells = (row, tag) => row.map((cell, column) => h(tag, { class: right[column] ? "number" : null, scope: tag === "th" ? "col" : null }, inline(cell)));
  const body = rows.slice(2).map((row) => h("tr", {}, cells(row, "td")));
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Table" }, h("table", {}, h("thead", {}, h("tr", {}, cells(rows[0], "th"))), h("tbody", {}, body)));
}

function quote(lines) {
  const inside = take(lines, (line) => line.startsWith(">")).map((line) => line.replace(/^>\s?/, ""));
  return h("blockquote", {}, h("p", {}, inline(inside.join(" "))));
}

function list(lines, _, starts) {
  const items = [];
  while (lines.length && (starts.test(lines[0]) || (items.length && /^\s{2,}\S/.test(lines[0])))) {
    const line = lines.shift();
    if (starts.test(line)) items.push(line.replace(starts, ""));
    else items[items.length - 1] += ` ${line.trim()}`;
  }
  return h(starts.source.includes("\\d") ? "ol" : "ul", {}, items.map((item) => h("li", {}, inline(item))));
}

function paragraph(lines) {
  const text = [lines.shift(), ...take(lines, (line) => line.trim() && !RULES.some(({ starts }) => starts.test(line)))];
  return h("p", {}, inline(text.join(" ")));
}
