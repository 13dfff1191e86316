// The one box of Ctrl-K: words are searched for, links are downloaded, addresses are connected to, and the rest are
// commands by the names that the views use.

import { html, signal, useLayoutEffect, useRef, useState } from "../core/view.js";
import { go } from "../core/route.js";
import { t } from "../core/words.js";
import { Icon } from "../parts/icons.js";
import { commands } from "./commands.js";

const open = signal(false);
const MOST = 9;

export function openCommand() {
  open.value = true;
}

export const CommandBox = () => (open.value ? html`<${Box} />` : null);

function Box() {
  const dialog = useRef(null);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  useLayoutEffect(() => {
    dialog.current.showModal(); // at once: whoever types on at once types into it
  }, []);
  const close = () => {
    dialog.current?.close();
    open.value = false;
  };
  const found = choices(text.trim()).slice(0, MOST);
  const here = Math.min(at, found.length - 1);
  const run = (choice) => {
    close();
    choice?.act();
  };
  const pressed = (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") run(found[here]);
    else if (event.key === "ArrowDown") setAt((here + 1) % found.length);
    else if (event.key === "ArrowUp") setAt((here - 1 + found.length) % found.length);
    else return;
    event.preventDefault();
  };
  const typed = (event) => {
    setText(event.currentTarget.value);
    setAt(0);
  };
  return html`<dialog
    ref=${dialog}
    class="command"
    aria-label=${t("command.label")}
    onClose=${close}
    onMouseDown=${(event) => event.target === dialog.current && close()}
  >
    <input
      type="text"
      role="combobox"
      aria-label=${t("command.label")}
      aria-expanded="true"
      aria-controls="command-list"
      aria-activedescendant=${`command-${here}`}
      autocomplete="off"
      spellcheck=${false}
      maxlength="8000"
      placeholder=${t("command.hint")}
      value=${text}
      onInput=${typed}
      onKeyDown=${pressed}
    />
    <ul id="command-list" role="listbox" aria-label=${t("command.choices")}>
      ${found.map(
        (choice, number) => html`<li
          id=${`command-${number}`}
          role="option"
          aria-selected=${number === here ? "true" : "false"}
          onMouseMove=${() => number !== here && setAt(number)}
          onClick=${() => run(choice)}
        ><${Icon} name=${choice.icon} /><span class="cut">${choice.text}</span>${choice.hint && html`<span class="quiet small">${choice.hint}</span>`}</li>`,
      )}
    </ul>
  </dialog>`;
}

/** What a text could mean, the likeliest first. */
function choices(text) {
  const said = text.toLowerCase();
  const named = commands().filter((command) => said.split(/\s+/).every((word) => command.text.toLowerCase().includes(word)));
  if (!text) return named;
  if (/^peerage:/i.test(text)) {
    return [{ icon: "down", text: t("command.get", { link: text }), act: () => go("transfers", { add: text }) }];
  }
  if (/^([a-z2-7]{52}@)?[\w.-]+:\d{1,5}$|^([a-z2-7]{52}@)?\[[0-9a-f:.]+\]:\d{1,5}$/i.test(text)) {
    named.unshift({ icon: "network", text: t("command.connect", { address: text }), act: () => go("network", { connect: text }) });
  }
  const search = { icon: "search", text: t("command.search", { text }), act: () => go("search", { q: text }) };
  return named.length && named[0].text.toLowerCase().startsWith(said) ? [...named, search] : [search, ...named];
}
