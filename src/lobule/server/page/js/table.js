/** The images as a table that can be sorted by its headings. */

import { arrange, fill, h, unseen } from "./dom.js";
import { kindOf } from "./collection.js";
import { probability, readable } from "./format.js";
import { caseOf } from "./grouping.js";
import { icon } from "./icons.js";
import { ofSubtype } from "./order.js";
import { isBroken, picture, placeholder } from "./picture.js";
import { verdictBadge } from "./verdict.js";
import { labelSetOf, reasonOf } from "./words.js";

const COLUMNS = [
  { title: "Image", sort: "name" },
  { title: "Verdict", sort: "verdict" },
  { title: "P(malignant)", sort: "probability", number: true },
  { title: "Labels that fit" },
  { title: "Subtype", sort: "subtype" },
  { title: "P(subtype)", sort: "subtypeProbability", number: true },
  { title: "Novelty", sort: "novelty", number: true, hint: "How unlike the training images; refused above 1" },
  { title: "Case", sort: "case", grouped: true },
  { title: "Why" },
];

const CLASSES = ["number", null, null, "number", "number", "case-id", "why"];

export class Table {
  #state;
  #actions;
  #rows = new Map();
  #heads = [];
  #body = h("tbody");

  /**
   * @param {ViewState} state
   * @param {object} actions - as for `Card`.
   */
  constructor(state, actions) {
    this.#state = state;
    this.#actions = actions;
    const heads = COLUMNS.map((column) => this.#heading(column));
    const caption = h("caption", {}, unseen("Images and what the model says of them. The headings sort."));
    const table = h("table.images", {}, caption, h("thead", {}, h("tr", {}, h("td", {}, unseen("Selection")), heads)), this.#body);
    this.element = h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Table of images" }, table);
  }

  /** Show these images in this order. */
  show(items) {
    const grouped = this.#state.grouping !== "none";
    for (const { column, cell, mark } of this.#heads) {
      const sorted = column.sort === this.#state.sort;
      cell.hidden = Boolean(column.grouped) && !grouped;
      if (sorted) cell.setAttribute("aria-sort", this.#state.descending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
      if (mark) fill(mark, icon(sorted ? (this.#state.descending ? "descending" : "ascending") : "sort"));
    }
    const ids = new Set(items.map(({ id }) => id));
    for (const id of this.#rows.keys()) if (!ids.has(id)) this.#rows.delete(id);
    arrange(this.#body, items.map((item) => this.#row(item)));
  }

  /** Show what is known of one image now. */
  update(item) {
    if (this.#rows.has(item.id)) this.#row(item);
  }

  #heading(column) {
    const mark = column.sort ? h("span.mark") : null;
    const title = column.sort ? h("button", { type: "button", title: column.hint, on: { click: () => this.#state.sortBy(column.sort) } }, column.title, mark) : column.title;
    const cell = h("th", { scope: "col", class: column.number ? "number" : null }, title);
    this.#heads.push({ column, cell, mark });
    return cell;
  }

  #row(item) {
    const row = this.#rows.get(item.id) ?? this.#empty(item);
    row.element.dataset.kind = kindOf(item);
    row.pick.checked = item.selected;
    row.open.disabled = item.state !== "done";
    if (!item.previewable || isBroken(item)) fill(row.small, placeholder(item));
    fill(row.verdict, this.#verdict(item));
    const { answer } = item;
    const refused = answer?.verdict === "not assessable";
    const texts = [
      answer && !refused ? probability(answer.prob_malignant) : "",
      answer && !refused ? labelSetOf(answer) : "",
      answer?.subtype && !refused ? readable(answer.subtype) : "",
      ofSubtype(answer) !== null && !refused ? probability(ofSubtype(answer)) : "",
      typeof answer?.novelty === "number" ? answer.novelty.toFixed(2) : "",
      caseOf(item, this.#state.grouping),
      answer ? reasonOf(answer) : (item.problem?.detail ?? ""),
    ];
    texts.forEach((text, place) => (row.cells[place].textContent = text));
    row.cells[5].hidden = this.#state.grouping === "none";
    return row.element;
  }

  #empty(item) {
    const pick = h("input", { type: "checkbox", "aria-label": `Select ${item.name}`, on: { change: () => this.#actions.select(item, pick.checked) } });
    const open = h("button.link", { type: "button", title: item.path, on: { click: () => this.#actions.open(item) } }, item.name);
    const verdict = h("td");
    const cells = CLASSES.map((name) => h("td", { class: name }));
    const small = picture(item, () => this.#actions.unshowable(item));
    const head = h("th", { scope: "row" }, h("div", {}, small, open));
    const element = h("tr", { "data-id": item.id }, h("td.tick", {}, pick), head, verdict, cells);
    const row = { element, pick, small, open, verdict, cells };
    this.#rows.set(item.id, row);
    return row;
  }

  #verdict(item) {
    const kind = kindOf(item);
    if (kind !== "pending") return verdictBadge(kind);
    return h("span.quiet", {}, { waiting: "Waiting", sending: `Sending, ${Math.round(item.sent * 100)} %`, judging: "Being judged" }[item.state]);
  }
}
