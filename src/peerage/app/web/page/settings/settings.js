// The view "settings": a long page of sections, with a list of them beside it; `at` in the address names one to go to.

import { html, useEffect, useState } from "../core/view.js";
import { go, route, to } from "../core/route.js";
import { may } from "../core/store.js";
import { t } from "../core/words.js";
import { Icon } from "../parts/icons.js";
import { Notice, ViewHead } from "../parts/parts.js";
import { About } from "./about.js";
import { entries, labelOf, read, trouble } from "./entries.js";
import { InForce } from "./in_force.js";
import { Keys } from "./keys.js";
import { sectionOf, SECTIONS } from "./known.js";
import { Log } from "./log.js";
import { Part, SettingsForm } from "./section.js";
import { ThisPage } from "./this_page.js";

const BODIES = {
  page: () => html`<${ThisPage} />`,
  speed: () => html`<${InForce} /><${SettingsForm} name="speed" />`,
  keys: () => html`<${Keys} />`,
  log: () => html`<${SettingsForm} name="log" /><${Log} />`,
  about: () => html`<${About} />`,
};

export function Settings() {
  const owner = may("administer");
  const shown = SECTIONS.filter((section) => owner || !section.owner);
  const { at } = route.value.query;
  const ready = !owner || entries.value !== null || trouble.value !== "";
  const here = useHere(shown);
  useEffect(() => {
    if (owner) read();
  }, [owner]);
  useEffect(() => {
    const head = ready && at ? document.getElementById(`settings-${at}-head`) : null;
    head?.focus({ preventScroll: true });
    head?.closest("section").scrollIntoView();
  }, [route.value, ready]);
  return html`<div class="settings">
    <${ViewHead} title=${t("view.settings")} />
    <nav class="sections" aria-label=${t("settings.sections")}>
      <ul>
        ${shown.map(
          ({ name, icon }) => html`<li><a href=${to("settings", { at: name })} aria-current=${name === here ? "true" : undefined}><${Icon} name=${icon} />${t(`settings.section.${name}`)}</a></li>`,
        )}
      </ul>
      <select class="input" aria-label=${t("settings.sections")} value=${here} onChange=${(event) => go("settings", { at: event.currentTarget.value })}>
        ${shown.map(({ name }) => html`<option value=${name}>${t(`settings.section.${name}`)}</option>`)}
      </select>
    </nav>
    <div class="stack parts">
      ${owner && html`<${Waiting} />`}
      ${shown.map(({ name, icon }) => html`<${Part} key=${name} name=${name} icon=${icon}>${BODIES[name]?.() ?? html`<${SettingsForm} name=${name} />`}</${Part}>`)}
    </div>
  </div>`;
}

/** What was changed and is used after the next start only. */
function Waiting() {
  if (trouble.value) return html`<${Notice} kind="bad" icon="warn">${t("settings.trouble")} ${trouble.value}</${Notice}>`;
  const waiting = (entries.value ?? []).filter(({ restart }) => restart);
  if (!waiting.length) return null;
  const links = waiting.map(({ name }, at) => html`${at ? ", " : ""}<a href=${to("settings", { at: sectionOf(name) })}>${labelOf(name)}</a>`);
  return html`<${Notice} kind="warn" icon="clock">
    <p>${t("settings.waiting")} ${links}.</p>
    <p class="small">${t("settings.waiting-how")} <code>peerage down</code>, <code>peerage up</code></p>
  </${Notice}>`;
}

/** The section that is read now: the last one whose head is above the middle of the window. */
function useHere(shown) {
  const [here, setHere] = useState(shown[0].name);
  useEffect(() => {
    let waits = false;
    const look = () => {
      waits = false;
      const end = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
      const above = shown.filter(({ name }) => (document.getElementById(`settings-${name}`)?.getBoundingClientRect().top ?? Infinity) < innerHeight / 3);
      const last = end && scrollY > 0 ? shown.at(-1) : above.at(-1);
      setHere((last ?? shown[0]).name);
    };
    const scrolled = () => {
      if (!waits) requestAnimationFrame(look);
      waits = true;
    };
    look();
    addEventListener("scroll", scrolled, { passive: true });
    return () => removeEventListener("scroll", scrolled);
  }, [shown.length]);
  return here;
}
