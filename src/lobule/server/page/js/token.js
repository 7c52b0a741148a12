/** The access token of a server that asks for one: kept for this tab alone, asked for once. */

import { h } from "./dom.js";

const KEY = "lobule-token";
let asking = null;

/** Return the token of this tab, or null. */
export const knownToken = () => sessionStorage.getItem(KEY);

/**
 * Ask for the token; whoever asks meanwhile waits for the same answer.
 *
 * @param {string|null} refused - the token that was just refused, if any.
 * @returns {Promise<string|null>} null if the user declined.
 */
export function askForToken(refused) {
  const known = knownToken();
  // Several requests are under way at a time: one of them may have brought a new token meanwhile.
  if (!asking && known && known !== refused) return Promise.resolve(known);
  asking ??= dialog(refused).finally(() => (asking = null));
  return asking;
}

function dialog(refused) {
  return new Promise((resolve) => {
    const field = h("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true });
    const box = h(
      "dialog.small",
      { "aria-labelledby": "token-title" },
      h(
        "form",
        { method: "dialog" },
        h("h2", { id: "token-title" }, "This server asks for a token"),
        refused && h("p.alert", { role: "alert" }, "The token was refused. Check it and try again."),
        h("p", {}, "Whoever started it has the token, in the file named with --token-file. It is kept in this tab only, until you close it."),
        h("label", { for: "token" }, "Token"),
        field,
        h("div.actions", {}, h("button.quiet", { value: "", formnovalidate: true }, "Cancel"), h("button.primary", { value: "ok" }, "Use this token")),
      ),
    );
    box.addEventListener("close", () => {
      const token = box.returnValue === "ok" ? field.value.trim() : "";
      if (token) sessionStorage.setItem(KEY, token);
      box.remove();
      resolve(token || null);
    });
    document.body.append(box);
    box.showModal();
    field.focus();
  });
}
