// Asks this node's API. A request either gives what the API said, or throws an ApiError with a sentence for the user.
// The session is a cookie that no script can read; when it is over, `onSignedOut` is called and the page asks for a key.

const ROOT = "/api/v1/";

export class ApiError extends Error {
  constructor(message, { kind = "", status = 0, position = null } = {}) {
    super(message);
    this.kind = kind;
    this.status = status;
    this.position = position;
  }
}

let onSignedOut = () => {};
export function whenSignedOut(callback) {
  onSignedOut = callback;
}

/** Return the address of a route, with each part of its path and query escaped: url(["transfers", id], { cells: 9 }). */
export function url(path, query = {}) {
  const parts = Array.isArray(path) ? path.map(encodeURIComponent).join("/") : path;
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") said.set(name, value);
  }
  const asked = said.toString();
  return `${ROOT}${parts}${asked ? `?${asked}` : ""}`;
}

/** The address of a file that is here or comes in; a path inside a folder keeps its slashes. */
export function contentUrl(id, path = "", query = {}) {
  return url(["content", id, ...path.split("/").filter(Boolean)], query);
}

export const get = (path, query, options) => asked("GET", path, { query, ...options });
export const post = (path, body, options) => asked("POST", path, { body, ...options });
export const put = (path, body, options) => asked("PUT", path, { body, ...options });
export const patch = (path, body, options) => asked("PATCH", path, { body, ...options });
export const remove = (path, options) => asked("DELETE", path, options);

async function asked(method, path, { query, body, signal } = {}) {
  const answer = await sent(method, path, { query, body, signal, accept: "application/json" });
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

/** Give the objects of an answer that comes in lines, as they come; ends early when `signal` is aborted. */
export async function* lines(path, { query, body, signal, method = body === undefined ? "GET" : "POST" } = {}) {
  const answer = await sent(method, path, { query, body, signal, accept: "application/x-ndjson" });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      for (const part of parts) {
        if (!part.trim()) continue; // a sign of life
        const said = JSON.parse(part);
        if (said.event === "problem") throw new ApiError(said.error, { kind: said.kind });
        yield said;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Send a file as the body of a request, and say how far it is: onProgress(bytes sent). Gives what the API said. */
export function upload(path, file, { query, onProgress = () => {}, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // the one thing that fetch cannot do is to say how much was sent
    request.open("PUT", url(path, query));
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(problemOf(request.status, request.responseText));
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

async function sent(method, path, { query, body, signal, accept }) {
  const headers = { accept };
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(url(path, query), {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
  if (answer.ok) return answer;
  throw problemOf(answer.status, await answer.text());
}

function unreachable() {
  return new ApiError("", { kind: "unreachable" });
}

function problemOf(status, text) {
  let said = {};
  try {
    said = JSON.parse(text);
  } catch {
    // not from the API itself
  }
  const problem = new ApiError(said.error || `HTTP ${status}`, { ...said, status });
  if (status === 401 && said.kind === "TokenError") onSignedOut();
  return problem;
}
