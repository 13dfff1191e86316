// What can be done with a share; the list and the window of one share offer the same.

import { contentUrl, post } from "../core/api.js";
import { shares } from "../core/store.js";
import { attempt, say } from "../core/toasts.js";
import { t } from "../core/words.js";
import { confirm } from "../parts/dialog.js";
import { copy } from "../parts/parts.js";
import { sharePaths } from "./work.js";

/** Whether its link is known and its content is there. */
export const ready = (share) => share.available && share.content_id !== "";

/** Show a file in a tab of its own, or store it where a browser would not show it. */
export const openFile = (share) => globalThis.open(contentUrl(share.content_id), "_blank", "noopener");

export const copyPath = (share) => copy(share.path);

/** Share it with somebody else; its content is not read again. */
export const showTo = (share, visibility) =>
  sharePaths([share.path], visibility, () => say(t("library.who-changed", { name: share.name, who: t(`visibility.${visibility}`) })));

/** Ask, then stop sharing these; gives whether that was done. */
export async function takeBack(taken) {
  const [first] = taken;
  const one = taken.length === 1;
  const wanted = await confirm({
    title: one ? t("library.take-back-one", { name: first.name }) : t("library.take-back-many", { n: taken.length }),
    text: t("library.take-back-text"),
    action: t("library.take-back"),
  });
  if (!wanted) return false;
  const targets = taken.map(({ path }) => path);
  const gone = await attempt(() => post("shares/remove", { targets }), t("library.taken-back", { n: taken.length }));
  for (const { path } of gone ?? []) shares.drop(path);
  return gone !== undefined;
}
