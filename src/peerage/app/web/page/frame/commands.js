// What the command box can do besides searching; each is shown to whoever may do it.

import { post } from "../core/api.js";
import { go, VIEWS } from "../core/route.js";
import { may, transfers } from "../core/store.js";
import { choose } from "../core/theme.js";
import { attempt } from "../core/toasts.js";
import { keepLanguage, LANGUAGES, language, t } from "../core/words.js";

/** The commands as {icon, text, act}. */
export function commands() {
  return [
    ...VIEWS.map((view) => ({ icon: view, text: t("command.go", { view: t(`view.${view}`) }), act: () => go(view) })),
    may("share") && { icon: "plus", text: t("command.share"), act: () => go("library", { add: "1" }) },
    may("download") && { icon: "link", text: t("command.link"), act: () => go("transfers", { add: "1" }) },
    may("download") && { icon: "pause", text: t("command.pause-all"), act: () => each(["running", "finding", "queued", "checking"], "pause") },
    may("download") && { icon: "play", text: t("command.resume-all"), act: () => each(["paused"], "resume") },
    may("administer") && { icon: "friend", text: t("command.friend"), act: () => go("network", { connect: "1" }) },
    may("administer") && { icon: "speed", text: t("command.limits"), act: () => go("settings", { at: "speed" }) },
    { icon: "doctor", text: t("command.doctor"), act: () => go("home", { at: "doctor" }) },
    { icon: "sun", text: t("command.light"), act: () => choose("light") },
    { icon: "moon", text: t("command.dark"), act: () => choose("dark") },
    { icon: "settings", text: t("command.system-theme"), act: () => choose("") },
    ...Object.entries(LANGUAGES)
      .filter(([code]) => code !== language.value)
      .map(([code, name]) => ({ icon: "language", text: name, act: () => keepLanguage(code) })),
    { icon: "leave", text: t("command.leave"), act: leave },
  ].filter(Boolean);
}

async function each(states, what) {
  const meant = [...transfers.items.values()].filter((transfer) => states.includes(transfer.state));
  await attempt(async () => {
    for (const transfer of meant) await post(["transfers", transfer.content_id, what]);
  }, t("command.all-done", { n: meant.length }));
}

export async function leave() {
  await attempt(() => post("leave"));
  location.assign("/");
}
