/** Whether the server is there. Once it was lost, it is looked for less and less often until it is back. */

const FIRST_WAIT = 1;
const LONGEST_WAIT = 20;

/** Tells of changes by the events `lost`, `trying` (with the seconds until the next try as detail) and `back`. */
export class Connection extends EventTarget {
  #isAlive;
  #lost = false;
  #timer = 0;
  #wait = FIRST_WAIT;

  /** @param {() => Promise<boolean>} isAlive - asks the server. */
  constructor(isAlive) {
    super();
    this.#isAlive = isAlive;
  }

  get isLost() {
    return this.#lost;
  }

  /** Say that the server did not answer. */
  lost() {
    if (this.#lost) return;
    this.#lost = true;
    this.#wait = FIRST_WAIT;
    this.#tell("lost");
    this.#plan();
  }

  /** Look for the server now. */
  async tryNow() {
    clearTimeout(this.#timer);
    if (!this.#lost) return;
    if (await this.#isAlive()) {
      this.#lost = false;
      clearTimeout(this.#timer);
      this.#tell("back");
    } else {
      this.#wait = Math.min(LONGEST_WAIT, this.#wait * 2);
      this.#plan();
    }
  }

  #plan() {
    clearTimeout(this.#timer);
    this.#tell("trying", this.#wait);
    this.#timer = setTimeout(() => this.tryNow(), this.#wait * 1000);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
