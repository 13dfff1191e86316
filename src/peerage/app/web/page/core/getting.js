// Begins downloads, from wherever in the page.

import { post } from "./api.js";
import { askOnce } from "./notify.js";
import { go } from "./route.js";
import { transfers } from "./store.js";
import { attempt, say } from "./toasts.js";
import { t } from "./words.js";

/** What a hit is asked for by: its link; what an old peer has is known by its handle only. */
export const targetOf = (hit) => (hit.unverified ? hit.content_id : hit.link);

/** Download `target`; gives the transfer, or undefined when that could not be. */
export async function download(target, options = {}) {
  askOnce();
  const transfer = await attempt(() => post("transfers", { target, ...options }));
  if (transfer) {
    transfers.put(transfer);
    say(t("getting.began", { name: transfer.name }), "good", { text: t("getting.show"), act: () => go("transfers") });
  }
  return transfer;
}

/** Download several, with one message for all. */
export async function downloadAll(targets) {
  askOnce();
  let begun = 0;
  for (const target of targets) {
    const transfer = await attempt(() => post("transfers", { target }));
    if (transfer) {
      transfers.put(transfer);
      begun += 1;
    }
  }
  if (begun) say(t("getting.several", { n: begun }), "good", { text: t("getting.show"), act: () => go("transfers") });
}
