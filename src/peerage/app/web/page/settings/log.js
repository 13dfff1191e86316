// The last lines of the node's log, the newest first; read when asked for, or from time to time.

import { html, useEffect, useState } from "../core/view.js";
import { get } from "../core/api.js";
import { reason } from "../core/toasts.js";
import { language, t } from "../core/words.js";
import { Badge, Button, Notice } from "../parts/parts.js";

const LINES = 200;
const EVERY = 3000; // milliseconds
const LEVELS = ["debug", "info", "warning", "error"];
const KINDS = { warning: "warn", error: "bad", critical: "bad" };

export function Log() {
  const [level, setLevel] = useState("info");
  const [follow, setFollow] = useState(false);
  const [lines, setLines] = useState(null);
  const [fault, setFault] = useState("");
  const read = async () => {
    try {
      setLines((await get("logs", { level, lines: LINES })).reverse());
      setFault("");
    } catch (error) {
      setFault(reason(error));
    }
  };
  useEffect(() => {
    read();
    if (!follow) return undefined;
    const timer = setInterval(() => document.hidden || read(), EVERY);
    return () => clearInterval(timer);
  }, [level, follow]);
  return html`
    <h3>${t("settings.log-lines")}</h3>
    <div class="row wrap">
      <label class="row"><span>${t("settings.log-from")}</span>
        <select class="input" value=${level} onChange=${(event) => setLevel(event.currentTarget.value)}>
          ${LEVELS.map((each) => html`<option value=${each}>${t(`setting.log.level.${each}`)}</option>`)}
        </select>
      </label>
      <${Button} icon="refresh" act=${read}>${t("settings.log-refresh")}</${Button}>
      <label class="check"><input type="checkbox" checked=${follow} onChange=${(event) => setFollow(event.currentTarget.checked)} />${t("settings.log-follow")}</label>
    </div>
    ${fault && html`<${Notice} kind="bad" icon="warn">${fault}</${Notice}>`}
    ${lines?.length === 0 && html`<p class="quiet">${t("settings.log-empty")}</p>`}
    ${lines?.length > 0 && html`<ol class="list log" tabindex="0" aria-label=${t("settings.log-lines")}>${lines.map((line) => html`<${Entry} line=${line} />`)}</ol>`}
  `;
}

function Entry({ line }) {
  const time = new Date(line.time * 1000);
  const when = time.toLocaleString(language.value, { dateStyle: "short", timeStyle: "medium" });
  return html`<li class="line">
    <span class="small quiet number">${when}</span>
    <span class="level"><${Badge} kind=${KINDS[line.level.toLowerCase()] ?? ""}>${line.level.toLowerCase()}</${Badge}></span>
    <div class="grow small">
      <span class="quiet">${line.logger}</span> ${line.message}
      ${line.trace && html`<details><summary>${t("settings.log-trace")}</summary><pre class="scrolls tiny" tabindex="0">${line.trace}</pre></details>`}
    </div>
  </li>`;
}
