/** The endpoints of the server, as functions. Waits politely where the server is busy; asks for a token where one is needed. */

import { Cancelled, Problem } from "./problem.js";
import { askForToken, knownToken } from "./token.js";
import { send } from "./transport.js";

const ATTEMPTS = 8;
const LONGEST_WAIT = 30;

/** Return what the server says of its model. */
export const model = () => authorised({ method: "GET", path: "v1/model" });

/** Whether the server lives. */
export async function isAlive() {
  try {
    await send({ method: "GET", path: "healthz", as: "blob", seconds: 5 });
    return true;
  } catch (error) {
    return error instanceof Problem;
  }
}

/**
 * Ask what the model says of one image.
 *
 * @param {{file: File, name: string}} image
 * @param {object} options - `signal`, `onProgress(share)`, `onWait(seconds)`: see `patiently`.
 * @returns {Promise<object>} `{answer, modelId}`.
 * @throws {Problem|ServerLost|Cancelled}
 */
export async function predict(image, options) {
  const body = formOf([image]);
  try {
    const said = await patiently({ method: "POST", path: "v1/predictions", body }, options);
    const [answer] = said.predictions;
    if (answer.status === "error") throw new Problem({ ...answer.error, status: 422 });
    return { answer, modelId: said.model_id };
  } catch (error) {
    // Where no file could be answered the reasons stand in a list, of one.
    if (error instanceof Problem && error.errors.length) throw new Problem({ ...error.errors[0], status: error.status });
    throw error;
  }
}

/**
 * Ask what the images of a case say together.
 *
 * @param {string} caseId
 * @param {Array<{file: File, name: string}>} images
 * @param {object} options - as for `predict`.
 * @returns {Promise<object>} the case.
 */
export async function answerCase(caseId, images, options) {
  const body = formOf(images);
  body.append("case_id", caseId);
  return (await patiently({ method: "POST", path: "v1/cases", body }, options)).case;
}

/**
 * Ask where a model looks.
 *
 * @param {{file: File, name: string}} image
 * @param {{task: string, toward: string, form: "overlay"|"layer"}} question
 * @param {object} [options] - as for `predict`.
 * @returns {Promise<Blob>} a PNG.
 */
export function heatmap({ file, name }, question, options = {}) {
  const body = new FormData();
  body.append("file", file, name);
  return patiently({ method: "POST", path: `v1/heatmaps?${new URLSearchParams(question)}`, body, as: "blob" }, options);
}

function formOf(images) {
  const body = new FormData();
  for (const { file, name } of images) body.append("files", file, name);
  return body;
}

/**
 * Send, and where the server is busy wait as long as it asks, then longer and longer, and send again.
 *
 * @param {object} request - as for `send`.
 * @param {object} options
 * @param {AbortSignal} [options.signal]
 * @param {(share: number) => void} [options.onProgress]
 * @param {(seconds: number) => void} [options.onWait] - told when it waits.
 */
async function patiently(request, { signal, onProgress, onWait } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await authorised({ ...request, signal, onProgress });
    } catch (error) {
      if (!(error instanceof Problem && error.isBusy) || attempt === ATTEMPTS) throw error;
      // A random part, so that the requests of many pages do not come back together.
      const seconds = Math.min(LONGEST_WAIT, Math.max(error.retryAfter ?? 1, 2 ** (attempt - 2))) * (1 + Math.random() / 2);
      onWait?.(Math.ceil(seconds));
      await pause(seconds, signal);
    }
  }
}

async function authorised(request) {
  for (;;) {
    const token = knownToken();
    try {
      return await send({ ...request, token });
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      if (!(await askForToken(token))) throw error;
    }
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(new Cancelled())), { once: true });
  });
}
