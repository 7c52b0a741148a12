/** Work that is done a few pieces at a time, can be paused, and cancelled piece by piece. */

export class Queue {
  #waiting = [];
  #running = new Map();
  #paused = false;
  #work;
  #width;

  /**
   * @param {(key: number, signal: AbortSignal) => Promise<void>} work - does one piece; must not throw.
   * @param {number} width - how many are done at a time.
   */
  constructor(work, width) {
    this.#work = work;
    this.#width = width;
  }

  /** Whether anything is waiting or running. */
  get isBusy() {
    return this.#waiting.length + this.#running.size > 0;
  }

  /** Add pieces at the end, or where `first` is set at the front. */
  add(keys, { first = false } = {}) {
    const fresh = keys.filter((key) => !this.#waiting.includes(key));
    this.#waiting = first ? [...fresh, ...this.#waiting] : [...this.#waiting, ...fresh];
    this.#fill();
  }

  /** Cancel a piece, whether it waits or runs. */
  cancel(key) {
    this.#waiting = this.#waiting.filter((other) => other !== key);
    this.#running.get(key)?.abort();
  }

  /** Start no further piece until `resume`. */
  pause() {
    this.#paused = true;
  }

  resume() {
    this.#paused = false;
    this.#fill();
  }

  #fill() {
    while (!this.#paused && this.#running.size < this.#width && this.#waiting.length) this.#start(this.#waiting.shift());
  }

  async #start(key) {
    const controller = new AbortController();
    this.#running.set(key, controller);
    try {
      await this.#work(key, controller.signal);
    } finally {
      this.#running.delete(key);
      this.#fill();
    }
  }
}
