// How this page is for whoever looks at it, kept by this browser: theme, language, notifications.

import { html, useId, useState } from "../core/view.js";
import { allowNotifications, canNotify, notifying } from "../core/notify.js";
import { choose, theme } from "../core/theme.js";
import { say } from "../core/toasts.js";
import { keepLanguage, keptLanguage, LANGUAGES, t } from "../core/words.js";
import { Segments } from "../parts/parts.js";

export function ThisPage() {
  const [language, setLanguage] = useState(keptLanguage());
  const speak = (wanted) => {
    setLanguage(wanted);
    keepLanguage(wanted);
  };
  const languages = [["", t("settings.automatic")], ...Object.entries(LANGUAGES)];
  const themes = [["", t("settings.theme.system")], ["light", t("settings.theme.light")], ["dark", t("settings.theme.dark")]];
  return html`
    <div class="setting">
      <div class="says"><span class="label">${t("settings.theme")}</span></div>
      <div class="takes"><${Segments} label=${t("settings.theme")} value=${theme.value} options=${themes} onChange=${choose} /></div>
    </div>
    <div class="setting">
      <div class="says"><span class="label">${t("settings.language")}</span></div>
      <div class="takes"><${Segments} label=${t("settings.language")} value=${language} options=${languages} onChange=${speak} /></div>
    </div>
    <${Notifications} />
  `;
}

function Notifications() {
  const id = useId();
  const can = canNotify();
  const change = async (event) => {
    const wanted = event.currentTarget.checked;
    if (!(await allowNotifications(wanted)) && wanted) say(t("settings.notify-refused"), "bad");
  };
  return html`<div class="setting of-switch">
    <div class="says">
      <label for=${id}>${t("settings.notify")}</label>
      <p class="quiet small" id=${`${id}-about`}>${t(can ? "settings.notify-about" : "settings.notify-cannot")}</p>
    </div>
    <div class="takes">
      <input id=${id} type="checkbox" role="switch" class="switch" disabled=${!can} checked=${can && notifying.value} aria-describedby=${`${id}-about`} onChange=${change} />
    </div>
  </div>`;
}
