/** The list of results, as cards or as a table, divided by case where the user wants that. */

import { arrange, h } from "./dom.js";
import { Card } from "./card.js";
import { CaseHeader } from "./case_header.js";
import { groupsOf } from "./grouping.js";
import { shown } from "./order.js";
import { Table } from "./table.js";

export class Results {
  #parts;
  #cards = new Map();
  #groups = new Map();
  #table;
  #planned = false;

  /**
   * @param {HTMLElement} element - holds the list.
   * @param {{collection: Collection, state: ViewState, cases: CaseAnswers, actions: object}} parts
   */
  constructor(element, parts) {
    this.element = element;
    this.#parts = parts;
    this.#table = new Table(parts.state, parts.actions);
    parts.collection.addEventListener("list", () => this.#plan());
    parts.collection.addEventListener("item", ({ detail: item }) => this.#changed(item));
    parts.state.addEventListener("change", () => this.#plan());
    parts.cases.addEventListener("case", () => this.#plan());
  }

  /** The images as they are shown, in order. */
  get order() {
    const { collection, state } = this.#parts;
    const items = shown(collection.items, state);
    return state.grouping === "none" || state.view === "table" ? items : groupsOf(items, state.grouping).flatMap((group) => group.items);
  }

  /** Show what the model's description says, now that it is known. */
  refresh() {
    for (const card of this.#cards.values()) card.update();
  }

  #changed(item) {
    this.#cards.get(item.id)?.update();
    this.#table.update(item);
    this.#plan();
  }

  /** Lay everything out before the next frame, once for all that happens until then. */
  #plan() {
    if (this.#planned) return;
    this.#planned = true;
    requestAnimationFrame(() => {
      this.#planned = false;
      this.#layOut();
    });
  }

  #layOut() {
    const { collection, state, cases } = this.#parts;
    cases.update(collection.items, state.grouping);
    for (const id of this.#cards.keys()) if (!collection.get(id)) this.#cards.delete(id);
    const items = shown(collection.items, state);
    const all = groupsOf(collection.items, state.grouping);
    const groups = groupsOf(items, state.grouping).map((group) => ({ ...group, size: all.find(({ caseId }) => caseId === group.caseId).items.length }));
    for (const caseId of this.#groups.keys()) if (!groups.some((group) => group.caseId === caseId)) this.#groups.delete(caseId);
    const withHeads = state.grouping !== "none";
    const asTable = state.view === "table";
    const sections = groups.filter(({ caseId }) => !asTable || (withHeads && caseId)).map((group) => this.#section(group, withHeads, asTable));
    if (asTable) this.#table.show(items);
    arrange(this.element, [...sections, ...(asTable ? [this.#table.element] : [])]);
    this.element.classList.toggle("as-table", asTable);
  }

  #section({ caseId, items, size }, withHead, asTable) {
    const group = this.#groups.get(caseId) ?? this.#newGroup(caseId);
    group.head.update(size, this.#parts.cases.of(caseId));
    group.head.element.hidden = !withHead;
    group.list.hidden = asTable;
    arrange(group.list, asTable ? [] : items.map((item) => this.#card(item).element));
    return group.element;
  }

  #newGroup(caseId) {
    const head = new CaseHeader(caseId, () => this.#parts.cases.retry(caseId));
    const list = h("ul.cards", { "aria-label": caseId ? `Images of case ${caseId}` : "Images" });
    const group = { head, list, element: h("section.group", {}, head.element, list) };
    this.#groups.set(caseId, group);
    return group;
  }

  #card(item) {
    if (!this.#cards.has(item.id)) this.#cards.set(item.id, new Card(item, this.#parts.actions));
    return this.#cards.get(item.id);
  }
}
