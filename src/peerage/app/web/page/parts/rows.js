// A list of any length that draws the lines in sight only; all lines have the same height, which CSS states (--row).
// One line can be reached with Tab; arrows, Page Up and Down, Home and End move from line to line.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../core/view.js";

const BEYOND = 6; // lines drawn above and below those in sight

/**
 * `items`, `keyOf(item)`, `line(item, at)` -> what stands in a line; `onOpen(item)` for Enter; `label` for readers.
 * `lineClass(item)` adds classes. The list is as high as its lines, up to the room that is left in the window.
 */
export function Rows({ items, keyOf, line, label, onOpen, lineClass = () => "", high = 0 }) {
  const box = useRef(null);
  const [room, setRoom] = useState({ top: 0, height: 800, row: 56 });
  const [at, setAt] = useState(0); // the line that Tab reaches
  const moved = useRef(false);

  useLayoutEffect(() => {
    const measure = () => {
      const shown = box.current;
      if (!shown) return;
      const row = parseFloat(getComputedStyle(shown).getPropertyValue("--row")) * 16 || 56;
      setRoom({ top: shown.scrollTop, height: shown.clientHeight, row });
    };
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);

  const first = Math.max(0, Math.floor(room.top / room.row) - BEYOND);
  const last = Math.min(items.length, Math.ceil((room.top + room.height) / room.row) + BEYOND);
  const here = Math.min(at, Math.max(0, items.length - 1));

  useEffect(() => {
    if (!moved.current) return;
    moved.current = false;
    box.current.querySelector(`[data-at="${here}"]`)?.focus({ preventScroll: true });
  });

  const move = (to) => {
    const next = Math.max(0, Math.min(items.length - 1, to));
    const shown = box.current;
    const top = next * room.row;
    if (top < shown.scrollTop) shown.scrollTop = top;
    else if (top + room.row > shown.scrollTop + shown.clientHeight) shown.scrollTop = top + room.row - shown.clientHeight;
    moved.current = true;
    setAt(next);
    setRoom({ ...room, top: shown.scrollTop });
  };

  const pressed = (event) => {
    if (!event.target.matches?.(".line")) return; // a button in a line has keys of its own
    const page = Math.max(1, Math.floor(room.height / room.row) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      event.preventDefault();
      move(here + steps[event.key]);
    } else if (event.key === "Enter" && onOpen && items[here]) {
      event.preventDefault();
      onOpen(items[here]);
    }
  };

  const lines = [];
  for (let number = first; number < last; number += 1) {
    const item = items[number];
    lines.push(html`<div
      key=${keyOf(item)}
      class=${`line ${lineClass(item)}`}
      role="listitem"
      data-at=${number}
      aria-setsize=${items.length}
      aria-posinset=${number + 1}
      tabindex=${number === here ? 0 : -1}
      style=${{ transform: `translateY(${number * room.row}px)` }}
      onFocus=${(event) => event.target === event.currentTarget && setAt(number)}
      onDblClick=${onOpen && (() => onOpen(item))}
    >${line(item, number)}</div>`);
  }
  const height = `calc(var(--row) * ${items.length} + 2px)`;
  return html`<div
    ref=${box}
    class="rows"
    role="list"
    aria-label=${label}
    style=${{ height: high ? `min(${height}, ${high})` : `min(${height}, max(16rem, calc(100dvh - 15rem)))` }}
    onScroll=${(event) => setRoom({ ...room, top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}
    onKeyDown=${pressed}
  ><div class="run" style=${{ height: `calc(var(--row) * ${items.length})` }}>${lines}</div></div>`;
}
