// What somebody sees whom the node does not know: how to get in.

import { html, useState } from "../core/view.js";
import { post } from "../core/api.js";
import { reason } from "../core/toasts.js";
import { t } from "../core/words.js";
import { Icon } from "../parts/icons.js";
import { Button, Field } from "../parts/parts.js";

export function Entrance({ onEntered }) {
  const [secret, setSecret] = useState("");
  const [fault, setFault] = useState("");
  const enter = async (event) => {
    event.preventDefault();
    try {
      await post("login", { secret: secret.trim() });
      onEntered();
    } catch (error) {
      setFault(error.status === 401 ? t("entrance.wrong") : reason(error));
    }
  };
  const input = (id, described) => html`<input
    id=${id}
    class="input"
    type="password"
    autocomplete="current-password"
    maxlength="200"
    required
    autofocus
    aria-invalid=${fault ? "true" : undefined}
    aria-describedby=${described}
    value=${secret}
    onInput=${(event) => setSecret(event.currentTarget.value)}
  />`;
  return html`<main class="entrance"><div class="stack">
    <div class="row"><span class="entrance-sign"><${Icon} name="peers" /></span><h1>${t("entrance.title")}</h1></div>
    <p>${t("entrance.text")}</p>
    <p><code>peerage ui</code></p>
    <form class="card stack" onSubmit=${enter}>
      <${Field} label=${t("entrance.secret")} fault=${fault} input=${input} />
      <${Button} kind="main" type="submit" disabled=${!secret.trim()}>${t("entrance.enter")}</${Button}>
    </form>
  </div></main>`;
}
