// The hours of a week to paint on: with the mouse by drawing over them, with the keyboard by arrows and space. Days are
// lines in a wide window and columns in a narrow one. The names of days and hours stand for all of them.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../core/view.js";
import { language, t } from "../core/words.js";
import { clock, painted, partOf } from "./hours.js";

const NARROW = matchMedia("(max-width: 639px)");
const DAYS = 7;
const HOURS = 24;
const MONDAY = Date.UTC(2024, 0, 1);

const dayName = (day, weekday) =>
  new Intl.DateTimeFormat(language.value, { weekday, timeZone: "UTC" }).format(MONDAY + day * 86_400_000);
const range = (from, to) => Array.from({ length: Math.abs(to - from) + 1 }, (_, at) => Math.min(from, to) + at);

function useNarrow() {
  const [narrow, setNarrow] = useState(NARROW.matches);
  useEffect(() => {
    const heard = () => setNarrow(NARROW.matches);
    NARROW.addEventListener("change", heard);
    return () => NARROW.removeEventListener("change", heard);
  }, []);
  return narrow;
}

/** `week`: its minutes (hours.js); `onWeek(week)` is called with another one. Place -1 is that of the names. */
export function WeekGrid({ week, onWeek, label, described }) {
  const tall = useNarrow();
  const [at, setAt] = useState([0, 8]); // line and column that Tab reaches
  const moved = useRef(false);
  const drawing = useRef(null); // {from, on, week}: where and with what drawing began
  const table = useRef(null);
  const [lines, columns] = tall ? [HOURS, DAYS] : [DAYS, HOURS];
  const here = [Math.min(at[0], lines - 1), Math.min(at[1], columns - 1)];

  useLayoutEffect(() => {
    if (!moved.current) return; // at once: the next key may come before the next picture
    moved.current = false;
    table.current.querySelector(`[data-at="${here}"]`)?.focus();
  });
  useEffect(() => {
    const end = () => {
      drawing.current = null;
    };
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
    return () => {
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
    };
  }, []);

  const cell = (line, column) => (tall ? [column, line] : [line, column]);
  const cells = ([line, column], [toLine, toColumn] = [line, column]) => {
    const all = (from, to, end) => (from < 0 || to < 0 ? range(0, end - 1) : range(from, to));
    const over = all(column, toColumn, columns);
    return all(line, toLine, lines).flatMap((each) => over.map((other) => cell(each, other)));
  };
  const isOn = (place) => cells(place).every(([day, hour]) => partOf(week, day, hour) === 1);
  const toggle = (place) => onWeek(painted(week, cells(place), !isOn(place)));

  const pressed = (event) => {
    const steps = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key];
    let to = null;
    if (steps) to = [here[0] + steps[0], here[1] + steps[1]];
    else if (event.key === "Home") to = [event.ctrlKey ? 0 : here[0], 0];
    else if (event.key === "End") to = [event.ctrlKey ? lines - 1 : here[0], columns - 1];
    else if (event.key !== " ") return;
    event.preventDefault();
    if (!to) {
      toggle(here);
      return;
    }
    const next = [Math.max(-1, Math.min(lines - 1, to[0])), Math.max(-1, Math.min(columns - 1, to[1]))];
    if (event.shiftKey && steps) onWeek(painted(week, cells(here, next), isOn(here)));
    moved.current = true;
    setAt(next);
  };
  const began = (place) => (event) => {
    setAt(place);
    if (event.pointerType === "touch" || event.button) return; // a finger that moves scrolls; where it taps is a click
    drawing.current = { from: place, on: !isOn(place), week };
    onWeek(painted(week, cells(place), !isOn(place)));
  };
  const drawn = (place) => (event) => {
    const { from, on, week: before } = drawing.current ?? {};
    if (from && event.buttons) onWeek(painted(before, cells(from, place), on));
  };
  const tapped = (place) => (event) => event.pointerType === "touch" && toggle(place);

  const common = (line, column) => ({
    "data-at": `${line},${column}`,
    tabindex: line === here[0] && column === here[1] ? 0 : -1,
    onPointerDown: began([line, column]),
    onPointerOver: drawn([line, column]),
    onClick: tapped([line, column]),
    onFocus: () => setAt([line, column]),
  });
  const dayHead = (day) => [t("settings.whole-day", { day: dayName(day, "long") }), dayName(day, "short")];
  const hourHead = (hour) => [t("settings.whole-hour", { from: clock(hour * 60), to: clock(hour * 60 + 60) }), String(hour)];
  const head = (at, isDay) => (isDay ? dayHead(at) : hourHead(at));

  return html`<table
    ref=${table}
    class=${`week ${tall ? "tall" : ""}`}
    role="grid"
    aria-label=${label}
    aria-describedby=${described}
    aria-multiselectable="true"
    onKeyDown=${pressed}
  >
    <thead>
      <tr>
        <td ...${common(-1, -1)} role="gridcell" aria-label=${t("settings.whole-week")} aria-selected=${isOn([-1, -1]) ? "true" : "false"}></td>
        ${range(0, columns - 1).map((column) => {
          const [long, text] = head(column, tall);
          return html`<th scope="col" aria-label=${long} ...${common(-1, column)}>${text}</th>`;
        })}
      </tr>
    </thead>
    <tbody>
      ${range(0, lines - 1).map((line) => {
        const [long, text] = head(line, !tall);
        return html`<tr>
          <th scope="row" aria-label=${long} ...${common(line, -1)}>${text}</th>
          ${range(0, columns - 1).map((column) => html`<${Hour} place=${cell(line, column)} week=${week} common=${common(line, column)} />`)}
        </tr>`;
      })}
    </tbody>
  </table>`;
}

function Hour({ place: [day, hour], week, common }) {
  const part = partOf(week, day, hour);
  const values = { day: dayName(day, "long"), from: clock(hour * 60), to: clock(hour * 60 + 60) };
  return html`<td
    ...${common}
    role="gridcell"
    class=${part === 1 ? "on" : part ? "part" : ""}
    aria-selected=${part === 1 ? "true" : "false"}
    aria-label=${t(part && part < 1 ? "settings.part-of-hour" : "settings.hour", values)}
  ></td>`;
}
