/** Sends images to the server, a few at a time, and records what becomes of each. */

import { predict } from "./api.js";
import { megabytes } from "./format.js";
import { Cancelled, Problem, ServerLost } from "./problem.js";
import { Queue } from "./queue.js";

const AT_A_TIME = 4;

export class Sender {
  #collection;
  #connection;
  #limits = {};
  #queue = new Queue((id, signal) => this.#send(id, signal), AT_A_TIME);

  /**
   * @param {Collection} collection
   * @param {Connection} connection - told when the server is lost; nothing is sent until it is back.
   */
  constructor(collection, connection) {
    this.#collection = collection;
    this.#connection = connection;
    connection.addEventListener("back", () => this.#queue.resume());
  }

  /** Set what the server accepts, as it says itself. */
  set limits(limits) {
    this.#limits = limits;
  }

  /** Send images. */
  send(ids) {
    this.#queue.add(ids.filter((id) => this.#fits(id)));
  }

  /** Send images again that have no answer. */
  retry(ids) {
    for (const id of ids) this.#collection.reset(id);
    this.send(ids);
  }

  /** Cancel images that have no answer yet. */
  cancel(ids) {
    for (const id of ids) {
      this.#queue.cancel(id);
      this.#fail(id, "cancelled", { code: "cancelled", detail: "Cancelled before there was an answer.", retryable: true });
    }
  }

  #fits(id) {
    const { file } = this.#collection.get(id);
    const most = this.#limits.max_file_bytes;
    if (!most || file.size <= most) return true;
    const detail = `The file has ${megabytes(file.size)}; this server takes at most ${megabytes(most)} a file.`;
    this.#fail(id, "failed", { code: "file_too_large", detail, retryable: false });
    return false;
  }

  async #send(id, signal) {
    const item = this.#collection.get(id);
    if (!item) return;
    const change = (changes) => signal.aborted || this.#collection.change(id, changes);
    change({ state: "sending", sent: 0, note: "" });
    try {
      const { answer, modelId } = await predict(item, {
        signal,
        onProgress: (sent) => change({ sent, note: "", state: sent < 1 ? "sending" : "judging" }),
        onWait: (seconds) => change({ state: "waiting", note: `The server is busy. Again in ${seconds} s.` }),
      });
      change({ state: "done", sent: 1, note: "", answer, modelId, problem: null });
    } catch (error) {
      this.#recordFailure(id, error);
    }
  }

  #recordFailure(id, error) {
    if (error instanceof Cancelled) return;
    if (error instanceof ServerLost) {
      this.#queue.pause();
      this.#collection.change(id, { state: "waiting", sent: 0, note: "Interrupted. Sent again when the server is back." });
      // After the present piece has ended, or it would be its own duplicate.
      queueMicrotask(() => this.#queue.add([id], { first: true }));
      this.#connection.lost();
    } else {
      const retryable = !(error instanceof Problem) || error.isBusy || error.status === 401 || error.status >= 500;
      this.#fail(id, "failed", { code: error.code ?? "error", detail: error.detail ?? error.message, retryable });
    }
  }

  #fail(id, state, problem) {
    this.#collection.change(id, { state, problem, note: "", answer: null });
  }
}
