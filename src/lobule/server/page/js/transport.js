/** One request to the server. XMLHttpRequest, because fetch does not tell how much was sent. */

import { Cancelled, Problem, ServerLost } from "./problem.js";

/**
 * Send a request.
 *
 * @param {object} request
 * @param {string} request.method - GET or POST.
 * @param {string} request.path - relative to the page, so that it may live under any prefix.
 * @param {FormData} [request.body]
 * @param {"json"|"blob"} [request.as] - what is expected.
 * @param {string|null} [request.token] - sent as a bearer token.
 * @param {number} [request.seconds] - a server that is silent for so long counts as lost.
 * @param {AbortSignal} [request.signal] - cancels.
 * @param {(share: number) => void} [request.onProgress] - told the share that was sent, 0 to 1.
 * @returns {Promise<*>} the JSON document, or the blob.
 * @throws {Problem|ServerLost|Cancelled}
 */
export function send({ method, path, body = null, as = "json", token = null, seconds = 120, signal, onProgress }) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new Cancelled());
    const request = new XMLHttpRequest();
    request.open(method, new URL(path, document.baseURI));
    request.responseType = "blob";
    request.timeout = seconds * 1000;
    request.setRequestHeader("Accept", as === "json" ? "application/json, application/problem+json" : "image/png, application/problem+json");
    if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
    if (onProgress) request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    const abort = () => request.abort();
    signal?.addEventListener("abort", abort, { once: true });
    request.onabort = () => reject(new Cancelled());
    request.onerror = () => reject(new ServerLost());
    request.ontimeout = () => reject(new ServerLost());
    request.onload = () => settle(request, as).then(resolve, reject);
    request.onloadend = () => signal?.removeEventListener("abort", abort);
    request.send(body);
  });
}

async function settle(request, as) {
  if (request.status >= 200 && request.status < 300) {
    return as === "json" ? JSON.parse(await request.response.text()) : request.response;
  }
  throw new Problem({ ...(await documentOf(request)), status: request.status }, secondsOf(request));
}

async function documentOf(request) {
  try {
    return JSON.parse(await request.response.text());
  } catch {
    return { detail: `The server answered ${request.status} ${request.statusText}`.trim() + "." };
  }
}

function secondsOf(request) {
  const seconds = Number.parseFloat(request.getResponseHeader("Retry-After") ?? "");
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}
