// Which speed limits hold just now, by the settings and the schedule.

import { html, useEffect, useState } from "../core/view.js";
import { get } from "../core/api.js";
import { speed } from "../core/format.js";
import { t } from "../core/words.js";
import { Icon } from "../parts/icons.js";
import { entries } from "./entries.js";

const EVERY = 30_000; // milliseconds

export function InForce() {
  const [limits, setLimits] = useState(null);
  const saved = entries.value; // another one after each change
  useEffect(() => {
    const read = () => get("limits").then(setLimits, () => {}); // that the node does not answer is said elsewhere
    read();
    const timer = setInterval(() => document.hidden || read(), EVERY);
    return () => clearInterval(timer);
  }, [saved]);
  if (!limits) return html`<p class="in-force"> </p>`;
  const { now_down: down = limits.down, now_up: up = limits.up, scheduled = false } = limits;
  const said = (rate) => (rate ? speed(rate) : t("settings.no-limit"));
  return html`<p class="row wrap in-force">
    <span class="quiet">${t(scheduled ? "settings.in-force-slow" : "settings.in-force")}</span>
    <span class="row"><${Icon} name="down" /><span class="spoken">${t("frame.down")}</span>${said(down)}</span>
    <span class="row"><${Icon} name="up" /><span class="spoken">${t("frame.up")}</span>${said(up)}</span>
  </p>`;
}
