/** A verdict, told three times: by a word, a shape and a colour. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { titleOf } from "./words.js";

/**
 * Show a verdict.
 *
 * @param {string} kind - a verdict, or `failed`.
 * @param {string} [tag] - the element.
 * @returns {HTMLElement}
 */
export const verdictBadge = (kind, tag = "span") => h(`${tag}.verdict`, { "data-kind": kind }, icon(kind), h("span", {}, titleOf(kind)));
