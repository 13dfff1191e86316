// The view "transfers".

import { html } from "../core/view.js";
import { t } from "../core/words.js";
import { ViewHead } from "../parts/parts.js";

export function Transfers() {
  return html`<${ViewHead} title=${t("view.transfers")} />`;
}
