/** A button that opens a short list of things to do. */

/**
 * Let a button open and close a list.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} list - buttons; any of them closes it.
 */
export function listenForMenu(button, list) {
  const set = (open) => {
    list.hidden = !open;
    button.setAttribute("aria-expanded", open);
  };
  set(false);
  button.addEventListener("click", () => set(list.hidden));
  list.addEventListener("click", (event) => event.target.closest("button") && (set(false), button.focus()));
  list.parentElement.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || list.hidden) return;
    event.stopPropagation();
    set(false);
    button.focus();
  });
  document.addEventListener("pointerdown", (event) => list.parentElement.contains(event.target) || set(false));
  list.parentElement.addEventListener("focusout", (event) => event.relatedTarget && !list.parentElement.contains(event.relatedTarget) && set(false));
}
