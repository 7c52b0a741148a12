/** Asks the server for the answer of each case, once all of its images have settled, and again when they change. */

import { answerCase } from "./api.js";
import { isSettled } from "./collection.js";
import { count, megabytes } from "./format.js";
import { groupsOf } from "./grouping.js";
import { Cancelled, ServerLost } from "./problem.js";
import { Queue } from "./queue.js";

/**
 * @typedef {object} CaseState
 * @property {"waiting"|"asking"|"done"|"failed"} state
 * @property {string} caseId
 * @property {Array<Item>} items - that have an answer of their own.
 * @property {object|null} answer - as the server gave it.
 * @property {string} note - why there is none, or none yet.
 */

/** Tells of changes by the event `case` (`event.detail`: a CaseState). */
export class CaseAnswers extends EventTarget {
  #known = new Map();
  #connection;
  #limits = {};
  #queue = new Queue((key, signal) => this.#ask(key, signal), 1);

  /** @param {Connection} connection - told when the server is lost. */
  constructor(connection) {
    super();
    this.#connection = connection;
    connection.addEventListener("back", () => this.#queue.resume());
  }

  set limits(limits) {
    this.#limits = limits;
  }

  /**
   * See to it that every case has its answer or is about to get it.
   *
   * @param {Array<Item>} items
   * @param {string} rule - how they are grouped.
   */
  update(items, rule) {
    const wanted = new Map();
    for (const group of groupsOf(items, rule)) {
      const members = group.items.filter((item) => item.state === "done");
      if (group.caseId && members.length && group.items.every(isSettled)) {
        wanted.set(keyOf(group.caseId, members), { caseId: group.caseId, items: members });
      }
    }
    for (const key of this.#known.keys()) if (!wanted.has(key)) this.#forget(key);
    for (const [key, group] of wanted) if (!this.#known.has(key)) this.#begin(key, group);
  }

  /** Return what is known of a case, or undefined while its images are not settled. */
  of(caseId) {
    return [...this.#known.values()].find((state) => state.caseId === caseId);
  }

  /** All answers there are. */
  get answers() {
    return [...this.#known.values()].filter((state) => state.state === "done").map((state) => state.answer);
  }

  /** Ask again for a case that failed. */
  retry(caseId) {
    const entry = [...this.#known].find(([, state]) => state.caseId === caseId);
    if (entry) this.#begin(entry[0], entry[1]);
  }

  #begin(key, { caseId, items }) {
    const state = { state: "waiting", caseId, items, answer: null, note: "" };
    this.#known.set(key, state);
    const reason = this.#tooLarge(items);
    if (reason) return this.#change(state, { state: "failed", note: reason });
    this.#change(state, {});
    return this.#queue.add([key]);
  }

  #forget(key) {
    this.#known.delete(key);
    this.#queue.cancel(key);
  }

  #tooLarge(items) {
    const { max_files: files, max_request_bytes: most } = this.#limits;
    const bytes = items.reduce((sum, { file }) => sum + file.size, 0);
    if ((!files || items.length <= files) && (!most || bytes <= most)) return "";
    const limit = [files && count(files, "image"), most && megabytes(most)].filter(Boolean).join(" and ");
    return `${count(items.length, "image")}, ${megabytes(bytes)}: this server answers for at most ${limit} together.`;
  }

  async #ask(key, signal) {
    const state = this.#known.get(key);
    if (!state) return;
    this.#change(state, { state: "asking", note: "" });
    try {
      const onWait = (seconds) => this.#change(state, { note: `The server is busy. Again in ${seconds} s.` });
      const answer = await answerCase(state.caseId, state.items, { signal, onWait });
      this.#change(state, { state: "done", answer, note: "" });
    } catch (error) {
      if (error instanceof Cancelled) return;
      if (error instanceof ServerLost) {
        this.#queue.pause();
        queueMicrotask(() => this.#queue.add([key], { first: true }));
        this.#change(state, { state: "waiting", note: "Interrupted. Asked again when the server is back." });
        this.#connection.lost();
      } else this.#change(state, { state: "failed", note: error.message });
    }
  }

  #change(state, changes) {
    Object.assign(state, changes);
    this.dispatchEvent(new CustomEvent("case", { detail: state }));
  }
}

const keyOf = (caseId, items) => JSON.stringify([caseId, ...items.map((item) => item.id).sort((one, other) => one - other)]);
