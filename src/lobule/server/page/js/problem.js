/** What can go wrong between the page and the server, each as an error of its own. */

/** The server answered with a problem; `detail` is its sentence, `code` its short name. */
export class Problem extends Error {
  /**
   * @param {object} document - application/problem+json, or what is known of it.
   * @param {number|null} retryAfter - seconds after which the server wants to be asked again.
   */
  constructor(document, retryAfter = null) {
    super(document.detail || document.title || `The server answered ${document.status}.`);
    this.name = "Problem";
    this.status = document.status ?? 0;
    this.code = document.code ?? `http_${this.status}`;
    this.detail = this.message;
    this.errors = Array.isArray(document.errors) ? document.errors : [];
    this.retryAfter = retryAfter;
  }

  /** Whether the server asks to be asked again later: its queue is full, or one asked too often. */
  get isBusy() {
    return this.status === 503 || this.status === 429;
  }
}

/** The server cannot be reached, or stopped answering. */
export class ServerLost extends Error {
  constructor() {
    super("The server does not answer. It may have been stopped.");
    this.name = "ServerLost";
    this.code = "server_lost";
  }
}

/** The user cancelled. */
export class Cancelled extends Error {
  constructor() {
    super("Cancelled.");
    this.name = "Cancelled";
    this.code = "cancelled";
  }
}
