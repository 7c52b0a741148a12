/** What stands above the results: how far everything is, which verdicts are shown, and how. */

import { fill, h, say, show } from "./dom.js";
import { announce } from "./announce.js";
import { tally } from "./collection.js";
import { count } from "./format.js";
import { GROUPINGS } from "./grouping.js";
import { icon } from "./icons.js";
import { listenForMenu } from "./menu.js";
import { SORTS } from "./order.js";
import { summaryOf, titleOf, VERDICTS } from "./words.js";

const FILTERS = [...VERDICTS, "failed"];

export class Toolbar {
  #parts;
  #root;
  #chips = new Map();
  #planned = false;
  #said = "";

  /**
   * @param {HTMLElement} root - holds the elements that are named in index.html.
   * @param {{collection: Collection, state: ViewState, actions: object}} parts - actions: `cancelAll`, `retryFailed`,
   *   `removeAll`, `download(kind)`, `print`.
   */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    this.#makeChips();
    this.#listen();
    parts.collection.addEventListener("list", () => this.#plan());
    parts.collection.addEventListener("item", () => this.#plan());
    parts.state.addEventListener("change", () => this.#plan());
  }

  #get(name) {
    return this.#root.querySelector(`[data-part="${name}"]`);
  }

  #makeChips() {
    for (const kind of ["all", ...FILTERS]) {
      const number = h("span.count");
      const chip = h("button.chip", { type: "button", "aria-pressed": "false", "data-kind": kind, on: { click: () => this.#parts.state.set({ filter: kind }) } }, kind === "all" ? "All" : [icon(kind), titleOf(kind)], " ", number);
      this.#chips.set(kind, { chip, number });
    }
    fill(this.#get("filters"), [...this.#chips.values()].map(({ chip }) => chip));
  }

  #listen() {
    const { state, actions } = this.#parts;
    for (const name of ["cards", "table"]) this.#get(name).addEventListener("click", () => state.set({ view: name }));
    fill(this.#get("grouping"), Object.entries(GROUPINGS).map(([value, title]) => h("option", { value }, title)));
    fill(this.#get("sort"), Object.entries(SORTS).map(([value, { title }]) => h("option", { value }, title)));
    this.#get("grouping").addEventListener("change", (event) => state.set({ grouping: event.target.value }));
    this.#get("sort").addEventListener("change", (event) => state.sortBy(event.target.value));
    this.#get("direction").addEventListener("click", () => state.set({ descending: !state.descending }));
    this.#get("cancel").addEventListener("click", actions.cancelAll);
    this.#get("retry").addEventListener("click", actions.retryFailed);
    this.#get("clear").addEventListener("click", actions.removeAll);
    listenForMenu(this.#get("download"), this.#get("downloads"));
    for (const button of this.#get("downloads").querySelectorAll("[data-kind]")) button.addEventListener("click", () => actions.download(button.dataset.kind));
    this.#get("print").addEventListener("click", actions.print);
  }

  #plan() {
    if (this.#planned) return;
    this.#planned = true;
    requestAnimationFrame(() => {
      this.#planned = false;
      this.#update();
    });
  }

  #update() {
    const { collection, state } = this.#parts;
    const { items } = collection;
    const counts = tally(items);
    const done = items.length - counts.pending;
    show(this.#root, items.length > 0);
    say(this.#get("headline"), counts.pending ? `${done} of ${count(items.length, "image")} answered` : `${count(items.length, "image")}: ${summaryOf(counts)}`);
    const progress = this.#get("progress");
    progress.max = items.length || 1;
    progress.value = done + items.filter((item) => item.state === "sending").reduce((sum, { sent }) => sum + sent / 2, 0);
    show(progress, counts.pending > 0);
    show(this.#get("cancel"), counts.pending > 0);
    show(this.#get("retry"), !counts.pending && items.some((item) => item.problem?.retryable));
    this.#updateChoices(items.length, counts, state);
    this.#announce(items.length, counts, done);
  }

  #updateChoices(size, counts, state) {
    for (const [kind, { chip, number }] of this.#chips) {
      const own = kind === "all" ? size : counts[kind];
      number.textContent = own;
      chip.setAttribute("aria-pressed", state.filter === kind);
      chip.hidden = kind !== "all" && !own && state.filter !== kind;
    }
    for (const name of ["cards", "table"]) this.#get(name).setAttribute("aria-pressed", state.view === name);
    this.#get("grouping").value = state.grouping;
    this.#get("sort").value = state.sort;
    const direction = this.#get("direction");
    fill(direction, icon(state.descending ? "descending" : "ascending"));
    direction.setAttribute("aria-label", state.descending ? "Falling order. Press for rising." : "Rising order. Press for falling.");
    show(this.#get("downloads").querySelector('[data-kind="cases"]'), state.grouping !== "none");
  }

  #announce(size, counts, done) {
    const text = !size ? "No images." : counts.pending ? `${done} of ${count(size, "image")} answered.` : `${count(size, "image")} answered: ${summaryOf(counts)}.`;
    if (text !== this.#said) announce((this.#said = text));
  }
}
