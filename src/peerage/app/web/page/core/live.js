// The one connection over which changes come. It is closed while nobody looks at the page for a while: a browser has
// only six connections to a node, and a page in the background should cost nothing.

import { get } from "./api.js";
import { connection, EVENTS, load, status, take } from "./store.js";

const REST_AFTER = 60_000; // milliseconds hidden
const LOST_AFTER = 2500; // milliseconds without a connection, which a busy node may need to accept one again
const KINDS = "transfers,peers,shares,wishes,notices,statistics";

let source = null;
let resting = 0;
let losing = 0;
const listeners = new Set();

/** Call `callback(event, before)` for every change, until the function that comes back is called. */
export function onChange(callback) {
  listeners.add(callback);
  return () => listeners.delete(callback);
}

export function start() {
  if (source !== null) return;
  source = new EventSource(`/api/v1/events?kinds=${KINDS}`);
  source.addEventListener("began", reload);
  source.addEventListener("reload", reload);
  source.addEventListener("open", () => {
    found();
  });
  source.addEventListener("error", () => {
    losing ||= setTimeout(lost, LOST_AFTER);
    if (source?.readyState === EventSource.CLOSED) again();
  });
  for (const name of EVENTS) {
    source.addEventListener(name, (said) => {
      const event = JSON.parse(said.data);
      event.event = name;
      for (const listener of listeners) listener(event);
      take(event);
    });
  }
}

function lost() {
  losing = 0;
  if (connection.value !== "signed-out") connection.value = "lost";
}

function found() {
  clearTimeout(losing);
  losing = 0;
  connection.value = "live";
}

export function stop() {
  source?.close();
  source = null;
}

async function reload() {
  const before = status.value?.version;
  try {
    await load();
    found();
    if (before && before !== status.value.version) location.reload(); // the node was updated, and the page with it
  } catch {
    lost();
  }
}

/** A browser gives up after an answer that is no stream: from a node that just starts, or one that knows us no more. */
function again() {
  stop();
  setTimeout(async () => {
    if (document.hidden || connection.value === "signed-out") return;
    await get("me").then(start, (error) => error.status === 401 || again());
  }, 2000);
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(resting);
  if (document.hidden) resting = setTimeout(stop, REST_AFTER);
  else if (connection.value !== "signed-out") start();
});
