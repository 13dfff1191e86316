// The view "home".

import { html } from "../core/view.js";
import { t } from "../core/words.js";
import { ViewHead } from "../parts/parts.js";

export function Home() {
  return html`<${ViewHead} title=${t("view.home")} />`;
}
