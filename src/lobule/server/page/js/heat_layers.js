/** Heat maps that were asked for, kept while they may be wanted again. */

import { heatmap } from "./api.js";

const KEPT = 300;

export class HeatLayers {
  #urls = new Map();

  /**
   * Return a picture of where the model looks.
   *
   * @param {Item} item
   * @param {{task: string, toward: string, form: "overlay"|"layer"}} question
   * @returns {Promise<string>} the address of a PNG; the same one for the same question.
   */
  async of(item, question) {
    const key = `${item.id} ${question.task} ${question.toward} ${question.form}`;
    let asked = this.#urls.get(key);
    if (!asked) {
      asked = heatmap(item, question).then((blob) => URL.createObjectURL(blob));
      this.#urls.set(key, asked);
      asked.catch(() => this.#urls.delete(key));
      this.#trim();
    }
    return asked;
  }

  /** Forget the heat maps of images that are gone. */
  keepOnly(items) {
    const ids = new Set(items.map(({ id }) => String(id)));
    for (const key of this.#urls.keys()) if (!ids.has(key.split(" ")[0])) this.#forget(key);
  }

  #trim() {
    const surplus = [...this.#urls.keys()].slice(0, Math.max(0, this.#urls.size - KEPT));
    for (const key of surplus) this.#forget(key);
  }

  #forget(key) {
    this.#urls.get(key)?.then((url) => URL.revokeObjectURL(url), () => {});
    this.#urls.delete(key);
  }
}
