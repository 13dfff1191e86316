// Light or dark: as the system says, unless the user has chosen.

import { signal } from "./view.js";

const KEPT = "peerage.theme";

export const theme = signal(localStorage.getItem(KEPT) ?? ""); // light, dark, or "" for the system's

export function choose(wanted) {
  theme.value = wanted;
  if (wanted) localStorage.setItem(KEPT, wanted);
  else localStorage.removeItem(KEPT);
  apply();
}

export function apply() {
  if (theme.value) document.documentElement.dataset.theme = theme.value;
  else delete document.documentElement.dataset.theme;
}
