// A button that opens a list of things to do; arrows move in it, Escape and a click elsewhere close it.

import { html, useId, useLayoutEffect, useRef, useState } from "../core/view.js";
import { Icon } from "./icons.js";

/** `items`: {icon, text, act, danger, disabled} or "-" for a line; null and false are left out. */
export function Menu({ label, icon = "more", items, text = "", kind = "plain" }) {
  const [open, setOpen] = useState(false);
  const button = useRef(null);
  const list = useRef(null);
  const id = useId();
  useLayoutEffect(() => {
    if (!open) return;
    list.current.showPopover();
    place(list.current, button.current);
    list.current.querySelector("button:not(:disabled)")?.focus();
  }, [open]);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const toggled = (event) => event.newState === "closed" && setOpen(false);
  const pressed = (event) => {
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      close();
      return;
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const choices = [...list.current.querySelectorAll("button:not(:disabled)")];
    const at = choices.indexOf(document.activeElement);
    choices[(at + step + choices.length) % choices.length]?.focus();
  };
  const chosen = (item) => () => {
    close();
    item.act();
  };
  return html`<span class="menu">
    <button
      ref=${button}
      type="button"
      class=${`button ${kind} ${text ? "" : "icon"}`}
      aria-label=${text ? undefined : label}
      aria-haspopup="menu"
      aria-expanded=${open ? "true" : "false"}
      aria-controls=${open ? id : undefined}
      onClick=${() => setOpen(!open)}
    ><${Icon} name=${icon} />${text}</button>
    ${open &&
    html`<div ref=${list} id=${id} class="menu-list" role="menu" aria-label=${label} popover="auto" onToggle=${toggled} onKeyDown=${pressed}>
      ${items.filter(Boolean).map((item) =>
        item === "-"
          ? html`<hr />`
          : html`<button
              type="button"
              role="menuitem"
              tabindex="-1"
              class=${item.danger ? "danger" : ""}
              disabled=${item.disabled}
              onClick=${chosen(item)}
            >${item.icon && html`<${Icon} name=${item.icon} />`}${item.text}</button>`,
      )}
    </div>`}
  </span>`;
}

/** Put a list under a button, or above it where there is more room, and within the window. */
function place(list, button) {
  const at = button.getBoundingClientRect();
  const { width, height } = list.getBoundingClientRect();
  const below = innerHeight - at.bottom;
  const top = below >= height + 8 || below > at.top ? at.bottom + 4 : at.top - height - 4;
  list.style.top = `${Math.max(8, Math.min(top, innerHeight - height - 8))}px`;
  list.style.left = `${Math.max(8, Math.min(at.right - width, innerWidth - width - 8))}px`;
}
