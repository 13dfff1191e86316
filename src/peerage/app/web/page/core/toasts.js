// Short messages in the corner, read out by screen readers: something was done, or could not be.

import { signal } from "./view.js";
import { t } from "./words.js";

const SECONDS = { good: 5, info: 5, bad: 12 };
const MOST = 4;

export const toasts = signal([]);
let last = 0;

export function say(text, kind = "good", action = null) {
  const toast = { id: (last += 1), text, kind, action };
  toasts.value = [...toasts.value.slice(1 - MOST), toast];
  setTimeout(() => dismiss(toast.id), SECONDS[kind] * 1000);
}

export function dismiss(id) {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

/** What went wrong, as a sentence. */
export function reason(error) {
  if (error.kind === "unreachable") return t("problem.unreachable");
  return error.message || String(error);
}

/** Run something that may fail, and say so when it does; gives undefined then. */
export async function attempt(work, done = "") {
  try {
    const result = await work();
    if (done) say(done);
    return result;
  } catch (error) {
    if (error.name !== "AbortError") say(reason(error), "bad");
    return undefined;
  }
}
