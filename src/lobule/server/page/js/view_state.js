/** How the user wants to look at the images: as cards or a table, which, in which order, and grouped how. */

const START = { view: "cards", filter: "all", sort: "added", descending: false, grouping: "none" };

/** Tells of every change by the event `change`. */
export class ViewState extends EventTarget {
  #values = { ...START };

  get view() {
    return this.#values.view;
  }

  get filter() {
    return this.#values.filter;
  }

  get sort() {
    return this.#values.sort;
  }

  get descending() {
    return this.#values.descending;
  }

  get grouping() {
    return this.#values.grouping;
  }

  /** Change some of the values. */
  set(changes) {
    Object.assign(this.#values, changes);
    this.dispatchEvent(new CustomEvent("change"));
  }

  /** Sort by a key; by the same key again: the other way round. */
  sortBy(key) {
    this.set({ sort: key, descending: this.sort === key ? !this.descending : FALLING.has(key) });
  }
}

/** What is most interesting where it is largest. */
const FALLING = new Set(["probability", "novelty", "subtypeProbability"]);
