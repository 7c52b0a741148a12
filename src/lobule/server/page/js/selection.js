/** What can be done with the images that are selected. */

import { h, say, show } from "./dom.js";
import { count } from "./format.js";

const LONGEST_CASE = 100;

export class Selection {
  #root;
  #parts;

  /**
   * @param {HTMLElement} root - the bar.
   * @param {{collection: Collection, state: ViewState, order: () => Array<Item>, remove: (ids: Array<number>) => void}} parts
   */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    const { collection } = parts;
    const on = (name, act) => this.#get(name).addEventListener("click", act);
    on("all", () => collection.select(parts.order().map(({ id }) => id)));
    on("none", () => collection.select([]));
    on("group", () => this.#askForCase());
    on("ungroup", () => this.#assign(""));
    on("remove", () => parts.remove(this.#selected.map(({ id }) => id)));
    for (const event of ["item", "list"]) collection.addEventListener(event, () => this.#update());
    this.#update();
  }

  get #selected() {
    return this.#parts.collection.items.filter(({ selected }) => selected);
  }

  #get(name) {
    return this.#root.querySelector(`[data-part="${name}"]`);
  }

  #update() {
    const selected = this.#selected;
    show(this.#root, selected.length > 0);
    document.body.classList.toggle("selecting", selected.length > 0);
    say(this.#get("count"), `${count(selected.length, "image")} selected`);
    show(this.#get("ungroup"), selected.some(({ byHand }) => byHand));
  }

  #askForCase() {
    const known = [...new Set(this.#parts.collection.items.map(({ byHand }) => byHand).filter(Boolean))];
    const field = h("input", { id: "case-name", list: "case-names", required: true, maxlength: LONGEST_CASE, autocomplete: "off", pattern: ".*\\S.*", title: "At least one character" });
    const box = h(
      "dialog.small",
      { "aria-labelledby": "case-title" },
      h(
        "form",
        { method: "dialog" },
        h("h2", { id: "case-title" }, `Put ${count(this.#selected.length, "image")} into a case`),
        h("p", {}, "The model answers a case by all of its images together; those that it refuses do not count."),
        h("label", { for: "case-name" }, "Name of the case"),
        field,
        h("datalist", { id: "case-names" }, known.map((name) => h("option", { value: name }))),
        h("div.actions", {}, h("button.quiet", { value: "", formnovalidate: true }, "Cancel"), h("button.primary", { value: "ok" }, "Group")),
      ),
    );
    box.addEventListener("close", () => {
      if (box.returnValue === "ok") this.#assign(field.value.trim());
      box.remove();
    });
    document.body.append(box);
    box.showModal();
    field.focus();
  }

  #assign(byHand) {
    const { collection, state } = this.#parts;
    for (const { id } of this.#selected) collection.change(id, { byHand });
    collection.select([]);
    state.set({ grouping: byHand && state.grouping === "none" ? "hand" : state.grouping });
  }
}
