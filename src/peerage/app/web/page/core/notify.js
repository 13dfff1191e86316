// Desktop notifications: that a download has ended, that a saved search has found something. Asked for once, when the
// first download begins; shown only while nobody looks at the page.

import { signal } from "./view.js";
import { onChange } from "./live.js";
import { transfers, wishes } from "./store.js";
import { t } from "./words.js";

const KEPT = "peerage.notify"; // "on", "off", or nothing: not asked yet

export const notifying = signal(localStorage.getItem(KEPT) === "on");
export const canNotify = () => "Notification" in globalThis && Notification.permission !== "denied";

export async function allowNotifications(wanted) {
  const on = wanted && canNotify() && (await Notification.requestPermission()) === "granted";
  localStorage.setItem(KEPT, on ? "on" : "off");
  notifying.value = on;
  return on;
}

/** Ask, unless the user was asked before; call it from a click. */
export function askOnce() {
  if (localStorage.getItem(KEPT) === null && canNotify()) allowNotifications(true);
}

function show(title, body, tag) {
  if (!notifying.value || !document.hidden) return;
  const shown = new Notification(title, { body, tag });
  shown.onclick = () => {
    focus();
    shown.close();
  };
}

onChange((event) => {
  if (event.event === "transfer") {
    const before = transfers.items.get(event.transfer.content_id)?.state;
    const { state, name, content_id: id, error } = event.transfer;
    if (before === undefined || before === state) return;
    if (state === "done") show(t("notify.done"), name, id);
    if (state === "failed") show(t("notify.failed", { name }), error, id);
  } else if (event.event === "wish") {
    const before = wishes.items.get(event.wish.id);
    if (before && event.wish.new > before.new) show(t("notify.found"), event.wish.text, `wish-${event.wish.id}`);
  }
});
