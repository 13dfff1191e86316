// The view "network".

import { html } from "../core/view.js";
import { t } from "../core/words.js";
import { ViewHead } from "../parts/parts.js";

export function Network() {
  return html`<${ViewHead} title=${t("view.network")} />`;
}
