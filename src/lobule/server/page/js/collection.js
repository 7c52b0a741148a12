/** The images that are on the page, and what is known of each. */

/**
 * @typedef {object} Item
 * @property {number} id
 * @property {File} file
 * @property {string} name - the file's name.
 * @property {string} path - the same with the folders it was dropped in, with slashes.
 * @property {string} url - shows the file.
 * @property {"waiting"|"sending"|"judging"|"done"|"failed"|"cancelled"} state
 * @property {number} sent - share of the file that was sent, 0 to 1.
 * @property {string} note - what it waits for, in words; "" if it is simply its turn that it waits for.
 * @property {object|null} answer - as the server gave it.
 * @property {{code: string, detail: string, retryable: boolean}|null} problem
 * @property {string} modelId - the model that answered.
 * @property {string} byHand - the case that the user put it in; "".
 * @property {boolean} selected
 * @property {boolean} previewable - whether the browser can show it; believed until it fails.
 */

const FRESH = { state: "waiting", sent: 0, note: "", answer: null, problem: null, modelId: "" };

/** Tells of changes by events: `list` (images came or went), `item` (one changed: `event.detail`). */
export class Collection extends EventTarget {
  #items = new Map();
  #next = 1;

  /** All images, in the order in which they came. */
  get items() {
    return [...this.#items.values()];
  }

  get size() {
    return this.#items.size;
  }

  /** Return one image, or undefined if it was removed. */
  get(id) {
    return this.#items.get(id);
  }

  /**
   * Add files, but none that is there already.
   *
   * @param {Array<{file: File, path: string}>} found
   * @returns {Array<Item>} those that are new.
   */
  add(found) {
    const known = new Set(this.items.map(identity));
    const fresh = [];
    for (const { file, path } of found) {
      const item = { ...FRESH, id: this.#next, file, name: file.name, path, url: URL.createObjectURL(file), byHand: "", selected: false, previewable: true };
      if (known.has(identity(item))) {
        URL.revokeObjectURL(item.url);
        continue;
      }
      known.add(identity(item));
      this.#items.set(this.#next++, item);
      fresh.push(item);
    }
    if (fresh.length) this.#tell("list");
    return fresh;
  }

  /** Change one image; nothing happens if it was removed meanwhile. */
  change(id, changes) {
    const item = this.#items.get(id);
    if (!item) return;
    Object.assign(item, changes);
    this.#tell("item", item);
  }

  /** Make images as if they had just been added. */
  reset(id) {
    this.change(id, FRESH);
  }

  /** Take images off the page. */
  remove(ids) {
    for (const id of ids) {
      const item = this.#items.get(id);
      if (item) URL.revokeObjectURL(item.url);
      this.#items.delete(id);
    }
    this.#tell("list");
  }

  /** Select exactly these images. */
  select(ids) {
    const wanted = new Set(ids);
    for (const item of this.items) if (item.selected !== wanted.has(item.id)) this.change(item.id, { selected: wanted.has(item.id) });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

const identity = (item) => `${item.path}|${item.file.size}|${item.file.lastModified}`;

/** Whether nothing will happen to an image any more by itself. */
export const isSettled = (item) => item.state === "done" || item.state === "failed" || item.state === "cancelled";

/** Return how many images are in each verdict, `failed` (no answer) and `pending`. */
export function tally(items) {
  const counts = { malignant: 0, benign: 0, uncertain: 0, "not assessable": 0, failed: 0, pending: 0 };
  for (const item of items) counts[kindOf(item)] += 1;
  return counts;
}

/** Return the verdict of an image, `failed` where there is none, or `pending`. */
export function kindOf(item) {
  if (item.state === "done") return item.answer.verdict;
  return isSettled(item) ? "failed" : "pending";
}
