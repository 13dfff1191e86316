// The view "settings".

import { html } from "../core/view.js";
import { t } from "../core/words.js";
import { ViewHead } from "../parts/parts.js";

export function Settings() {
  return html`<${ViewHead} title=${t("view.settings")} />`;
}
