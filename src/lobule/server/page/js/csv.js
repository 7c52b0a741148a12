/** Results as CSV, with the column names of Lobule's predictions.csv where they mean the same. */

const LINE_END = "\r\n";

/**
 * Write one row an image.
 *
 * @param {Array<Item>} items
 * @param {{caseOf: (item: Item) => string, subtypes: Array<string>}} known
 * @returns {string}
 */
export function imagesCsv(items, { caseOf, subtypes }) {
  const head = ["image_id", "path", "case_id", "status", "verdict", "reason", "prob_malignant", "logit_malignant", "pred_label", "label_set", "pred_subtype", ...subtypes.map((name) => `prob_${name}`), "novelty", "image_sha256", "width", "height", "model_id", "error_code", "error"];
  const rows = items.map((item) => {
    const answer = item.answer ?? {};
    const before = [item.name, item.path, caseOf(item), item.state === "done" ? "ok" : item.state === "failed" ? "error" : item.state];
    const said = [answer.verdict, answer.reason, answer.prob_malignant, answer.logit_malignant, answer.label, answer.label_set?.join("|"), answer.subtype];
    const after = [answer.novelty, answer.image_sha256, answer.width, answer.height, item.modelId, item.problem?.code, item.problem?.detail];
    return [...before, ...said, ...subtypes.map((name) => answer.prob_subtype?.[name]), ...after];
  });
  return csv([head, ...rows]);
}

/** Write one row a case; `answers` as the server gave them. */
export function casesCsv(answers, { subtypes }) {
  const head = ["case_id", "n_images", "n_refused", "verdict", "reason", "prob_malignant", "pred_label", "label_set", "pred_subtype", ...subtypes.map((name) => `prob_${name}`)];
  const rows = answers.map((answer) => [answer.case_id, answer.n_images, answer.n_refused, answer.verdict, answer.reason, answer.prob_malignant, answer.label, answer.label_set.join("|"), answer.subtype, ...subtypes.map((name) => answer.prob_subtype?.[name])]);
  return csv([head, ...rows]);
}

const csv = (rows) => rows.map((row) => row.map(cell).join(",")).join(LINE_END) + LINE_END;

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  // A file name is whatever a stranger wrote; a spreadsheet must not take it for a formula.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
