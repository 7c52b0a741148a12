/** Light, dark, or as the system is. */

const KEY = "lobule-theme";
const NAMES = { system: "System", light: "Light", dark: "Dark" };

/**
 * Let a button go through the three.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} label - in the button, says which is chosen.
 */
export function listenForTheme(button, label) {
  const set = (theme) => {
    document.documentElement.dataset.theme = theme;
    label.textContent = NAMES[theme];
    button.setAttribute("aria-label", `Colours: ${NAMES[theme].toLowerCase()}. Press for the next.`);
  };
  set(document.documentElement.dataset.theme in NAMES ? document.documentElement.dataset.theme : "system");
  button.addEventListener("click", () => {
    const order = Object.keys(NAMES);
    const next = order[(order.indexOf(document.documentElement.dataset.theme) + 1) % order.length];
    localStorage.setItem(KEY, next);
    set(next);
  });
}
