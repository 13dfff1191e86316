// The view "search".

import { html } from "../core/view.js";
import { t } from "../core/words.js";
import { ViewHead } from "../parts/parts.js";

export function Search() {
  return html`<${ViewHead} title=${t("view.search")} />`;
}
