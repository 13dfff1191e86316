// What is being shared just now: paths whose content is read, and files that are sent to the node. It goes on while the
// user looks at other views, and ends when the page is closed.

import { computed, signal } from "../core/view.js";
import { ApiError, lines, upload } from "../core/api.js";
import { refresh } from "../core/store.js";
import { reason, say } from "../core/toasts.js";
import { t } from "../core/words.js";
import { copyLink } from "../parts/parts.js";

const UPLOADS_AT_ONCE = 2;
const READS_AT_ONCE = 1; // the node reads with all its processors as it is
const KEPT_ENDED = 200;

/** Work as {id, kind, name, path, state, done, of, files, filesDone, skipped, error}; a new object with each change. */
export const work = signal([]);
export const running = computed(() => work.value.filter(({ state }) => state === "running" || state === "waiting"));

const controls = new Map(); // by id: what ends it
let last = 0;

const nameOf = (path) => path.split("/").filter(Boolean).pop() ?? path;

function begin(kind, { name, path = "", of = 0 }) {
  last += 1;
  controls.set(last, new AbortController());
  return { id: last, kind, name, path, of, state: "waiting", done: 0, files: 0, filesDone: 0, skipped: [], error: "" };
}

function change(id, values) {
  work.value = work.value.map((each) => (each.id === id ? { ...each, ...values } : each));
}

/** Take ended work off the list. */
export function dismiss(id) {
  work.value = work.value.filter((each) => each.id !== id);
}

export function dismissEnded() {
  work.value = running.value;
}

/** Stop what goes on or waits. */
export function stop(id) {
  controls.get(id)?.abort();
  change(id, { state: "stopped" });
}

/** Share paths; those that are shared already are from now on for whom `visibility` says. */
export function sharePaths(paths, visibility, done = saySo) {
  const begun = paths.map((path) => begin("hash", { name: nameOf(path), path }));
  return runAll(begun, READS_AT_ONCE, (piece, signal) => share(piece, visibility, signal), done);
}

/** Send files of this device to the node, which keeps and shares them. */
export function sendFiles(files, visibility) {
  const begun = files.map(({ name, size }) => begin("upload", { name, of: size }));
  const fileOf = new Map(begun.map(({ id }, at) => [id, files[at]]));
  return runAll(begun, UPLOADS_AT_ONCE, async ({ id }, signal) => {
    const file = fileOf.get(id);
    const onProgress = (done) => change(id, { done: Math.min(done, file.size) });
    return { share: await upload(["dropped", file.name], file, { query: { visibility }, onProgress, signal }), skipped: [] };
  });
}

/** Say what is shared now; of one thing the link is at hand. */
function saySo(shared) {
  const [{ name, link }] = shared;
  if (shared.length > 1) say(t("library.shared", { n: shared.length }));
  else say(t("library.shared-one", { name }), "good", link ? { text: t("link.copy"), act: () => copyLink(link) } : null);
}

/** Do all of it, a few at once; `doOne(piece, signal)` gives {share, skipped}, or throws; `done(shares)` is told. */
async function runAll(pieces, atOnce, doOne, done = saySo) {
  work.value = [...work.value.slice(-KEPT_ENDED), ...pieces];
  const waiting = [...pieces];
  const shared = [];
  const worker = async () => {
    for (let piece = waiting.shift(); piece; piece = waiting.shift()) {
      const share = await runOne(piece, doOne);
      if (share) shared.push(share);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (!shared.length) return;
  done(shared);
  refresh("shares").catch(() => {}); // events told of them already, unless the connection was lost meanwhile
}

async function runOne(piece, doOne) {
  const { id } = piece;
  const { signal } = controls.get(id);
  try {
    if (signal.aborted) return null;
    change(id, { state: "running" });
    const { share, skipped } = await doOne(piece, signal);
    if (skipped.length) change(id, { state: "done", skipped });
    else dismiss(id);
    return share;
  } catch (error) {
    change(id, error.name === "AbortError" ? { state: "stopped" } : { state: "failed", error: reason(error) });
    return null;
  } finally {
    controls.delete(id);
  }
}

async function share({ id, path }, visibility, signal) {
  for await (const event of lines("shares", { body: { paths: [path], visibility }, signal })) {
    if (event.event === "progress") {
      change(id, { done: event.bytes_done, of: event.bytes, files: event.files, filesDone: event.files_done });
    } else if (event.event === "failed") {
      throw new ApiError(event.error);
    } else if (event.event === "shared") {
      return event;
    }
  }
  throw new ApiError(t("library.broke-off"));
}

// what is not done is lost with the page, so a browser asks before it closes it
addEventListener("beforeunload", (event) => {
  if (running.value.length) event.preventDefault();
});
