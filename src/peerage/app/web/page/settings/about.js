// What this node is, and how to stop it.

import { html } from "../core/view.js";
import { post } from "../core/api.js";
import { ago, date } from "../core/format.js";
import { may, status } from "../core/store.js";
import { attempt, say } from "../core/toasts.js";
import { t } from "../core/words.js";
import { Icon } from "../parts/icons.js";
import { confirm } from "../parts/dialog.js";
import { Button, copy } from "../parts/parts.js";
import { read } from "./entries.js";

export function About() {
  const now = status.value;
  if (!now) return html`<p class="quiet">${t("loading")}</p>`;
  return html`
    <dl class="facts">
      <dt>${t("settings.version")}</dt><dd>${now.version}</dd>
      <dt>${t("settings.peer-id")}</dt>
      <dd class="row"><code class="small">${now.peer_id}</code><${Button} kind="plain" icon="copy" label=${t("settings.copy-id")} act=${() => copy(now.peer_id)} /></dd>
      <dt>${t("settings.network")}</dt><dd>${now.network}${now.private ? ` (${t("settings.private")})` : ""}</dd>
      <dt>${t("settings.listens")}</dt><dd>${now.listen || t("settings.nowhere")}</dd>
      <dt>${t("settings.here")}</dt><dd>${now.api}${now.remote ? `, ${now.remote}` : ""}</dd>
      <dt>${t("settings.home")}</dt><dd><code class="small">${now.home}</code></dd>
      <dt>${t("settings.started")}</dt><dd title=${date(now.started)}>${ago(now.started)}</dd>
    </dl>
    <div class="row wrap">
      <a class="button" href="/api/v1/openapi.json" target="_blank" rel="noopener"><${Icon} name="open" />${t("settings.openapi")}</a>
      ${may("administer") && html`<${Button} icon="refresh" title=${t("settings.reload-about")} act=${reload}>${t("settings.reload")}</${Button}>`}
      ${may("administer") && html`<${Button} kind="danger" icon="stop" act=${stop}>${t("settings.stop")}</${Button}>`}
    </div>
  `;
}

async function reload() {
  const said = await attempt(() => post("settings/reload"));
  if (said) say(t("settings.reloaded", { n: said.changed.length + said.restart.length }));
  await read();
}

async function stop() {
  const wanted = await confirm({ title: t("settings.stop-sure"), text: t("settings.stop-text"), action: t("settings.stop") });
  if (wanted) await attempt(() => post("down"), t("settings.stopped"));
}
