// The view "library".

import { html } from "../core/view.js";
import { t } from "../core/words.js";
import { ViewHead } from "../parts/parts.js";

export function Library() {
  return html`<${ViewHead} title=${t("view.library")} />`;
}
