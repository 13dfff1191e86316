// A section of the settings: a heading, its settings with one button to save them, and what else belongs to it.

import { html, useId } from "../core/view.js";
import { size } from "../core/format.js";
import { knows, t } from "../core/words.js";
import { Badge, Button } from "../parts/parts.js";
import { Icon } from "../parts/icons.js";
import { cannotBe, entries, faultOf, isChanged, labelOf, put, same, save, trouble, undo, valueOf } from "./entries.js";
import { Input } from "./inputs.js";
import { kindOf, settingsOf } from "./known.js";

/** The frame of a section, whatever is in it. */
export function Part({ name, icon, children }) {
  const about = `settings.about.${name}`;
  return html`<section class="card stack part" id=${`settings-${name}`} aria-labelledby=${`settings-${name}-head`}>
    <div>
      <h2 id=${`settings-${name}-head`} tabindex="-1" class="row"><${Icon} name=${icon} />${t(`settings.section.${name}`)}</h2>
      ${knows(about) && html`<p class="quiet">${t(about)}</p>`}
    </div>
    ${children}
  </section>`;
}

/** The settings of a section as a form; `onSaved` is called after they were saved. */
export function SettingsForm({ name, onSaved = () => {} }) {
  if (entries.value === null) return html`<p class="quiet">${trouble.value || t("loading")}</p>`;
  const shown = settingsOf(name, entries.value);
  const names = shown.map((entry) => entry.name);
  const changed = shown.some(isChanged);
  const wrong = names.some(cannotBe);
  const saving = async () => {
    if (!changed) return;
    if (await save(name, names)) onSaved();
    else document.querySelector(`#settings-${name} [aria-invalid="true"]`)?.focus();
  };
  const submitted = (event) => {
    event.preventDefault();
    saving();
  };
  return html`<form class="stack" onSubmit=${submitted} noValidate>
    ${shown.map((entry) => html`<${Setting} key=${entry.name} entry=${entry} />`)}
    ${faultOf(name) && html`<p class="fault" role="alert">${faultOf(name)}</p>`}
    <div class="row wrap saves">
      <${Button} kind="main" type="submit" disabled=${!changed || wrong} label=${t("save")}>${t("save")}</${Button}>
      <${Button} kind="plain" disabled=${!changed} act=${() => undo(name, names)}>${t("settings.undo")}</${Button}>
      ${changed && html`<span class="quiet small">${t("settings.unsaved")}</span>`}
    </div>
  </form>`;
}

function Setting({ entry }) {
  const id = useId();
  const { name } = entry;
  const value = valueOf(entry);
  const fault = faultOf(name);
  const label = labelOf(name);
  const kind = kindOf(entry);
  const about = knows(`setting.${name}.about`) ? t(`setting.${name}.about`) : "";
  const described = [`${id}-about`, fault && `${id}-fault`].filter(Boolean).join(" ") || undefined;
  const onValue = (next, wrong = "") => put(entry, next, wrong);
  const wide = kind === "hours";
  return html`<div class=${`setting of-${kind}`} id=${`setting-${name}`}>
    <div class="says">
      ${wide ? html`<span class="label">${label}</span>` : html`<label for=${id}>${label}</label>`}
      ${entry.restart && html`<${Badge} kind="warn">${t("settings.waits")}</${Badge}>`}
      <p class="quiet small" id=${`${id}-about`}>${about} ${!entry.at_once && t("settings.next-start")}</p>
    </div>
    <div class="takes">
      <${Input} entry=${entry} id=${id} value=${value} label=${label} described=${described} invalid=${fault !== ""} onValue=${onValue} />
      ${fault && html`<p class="fault" id=${`${id}-fault`} role="alert">${fault}</p>`}
    </div>
    ${!same(value, entry.default) && html`<span class="reset"><${Button} kind="plain" icon="refresh" label=${t("settings.reset", { name: label, value: inWords(entry) })} act=${() => onValue(entry.default)} /></span>`}
  </div>`;
}

/** The default of a setting as people read it. */
function inWords(entry) {
  const { name, default: usual } = entry;
  const kind = kindOf(entry);
  if (kind === "switch") return t(usual ? "settings.on" : "settings.off");
  if (kind === "choice") return t(`setting.${name}.${usual}`);
  if (kind === "rate") return usual ? `${size(usual)}/s` : t("settings.no-limit");
  return [usual].flat().join(", ") || t("settings.nothing");
}
