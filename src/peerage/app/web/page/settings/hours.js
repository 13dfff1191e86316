// The hours of a schedule: texts such as "mon-fri 08:00-18:00" as the node has them, and the minutes of a week. Pure.

export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY = 1440;
const WEEK = 7 * DAY;

const ENTRY = /^(?:([a-z,\- ]+?)\s+)?(\d{1,2})(?::(\d\d))?\s*-\s*(\d{1,2})(?::(\d\d))?$/;
const EVERY_DAY = ["", "daily", "every day"];

/** Texts -> which minutes of the week they mean, from Monday 00:00; null when one of them means nothing. */
export function minutesOf(texts) {
  const week = new Uint8Array(WEEK);
  for (const text of texts) {
    const found = ENTRY.exec(text.trim().toLowerCase());
    const days = found && daysOf(found[1] ?? "");
    if (!days) return null;
    const begin = minute(found[2], found[3]);
    const end = minute(found[4], found[5]);
    if (begin === null || end === null || begin === end || begin === DAY) return null;
    const length = end > begin ? end - begin : end + DAY - begin;
    for (const day of days) {
      for (let at = 0; at < length; at += 1) week[(day * DAY + begin + at) % WEEK] = 1;
    }
  }
  return week;
}

function minute(hours, minutes) {
  const total = 60 * Number(hours) + Number(minutes ?? 0);
  return total > DAY || Number(minutes ?? 0) > 59 ? null : total;
}

function daysOf(said) {
  if (EVERY_DAY.includes(said.trim())) return [0, 1, 2, 3, 4, 5, 6];
  const days = new Set();
  for (const part of said.split(",")) {
    const ends = part.split("-").map((each) => DAYS.indexOf(each.trim()));
    if (ends.length > 2 || ends.includes(-1)) return null;
    const [first, last] = [ends[0], ends.at(-1)];
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === last) break;
    }
  }
  return [...days];
}

/** The minutes of a week -> the fewest texts that say them, those of the same hours together. */
export function textsOf(week) {
  const byHours = new Map(); // "08:00-18:00" -> days
  for (const [start, length] of runs(week)) {
    for (const [day, begin, end] of length < DAY ? [whole(start, length)] : parts(start, length)) {
      const hours = `${clock(begin)}-${clock(end)}`;
      byHours.set(hours, [...(byHours.get(hours) ?? []), day]);
    }
  }
  return [...byHours].map(([hours, days]) => `${dayText(days)} ${hours}`);
}

/** Runs of minutes as [start, length]; one that goes on from Sunday to Monday is one. */
function runs(week) {
  const first = week.indexOf(0);
  if (first === -1) return [[0, WEEK]];
  const found = [];
  for (let at = 0; at < WEEK; at += 1) {
    const here = (first + at) % WEEK;
    if (!week[here]) continue;
    if (week[(here + WEEK - 1) % WEEK]) found.at(-1)[1] += 1;
    else found.push([here, 1]);
  }
  return found.sort(([one], [other]) => one - other);
}

/** A run of less than a day; its end may be on the next. */
function whole(start, length) {
  const begin = start % DAY;
  const end = (begin + length) % DAY;
  return [Math.floor(start / DAY), begin, end || DAY];
}

/** A longer run, cut where days end. */
function parts(start, length) {
  const found = [];
  for (let at = start; at < start + length; ) {
    const stop = Math.min(start + length, (Math.floor(at / DAY) + 1) * DAY);
    found.push([Math.floor(at / DAY) % 7, at % DAY, stop % DAY || DAY]);
    at = stop;
  }
  return found;
}

/** [0, 1, 2, 5] -> "mon-wed,sat". */
function dayText(days) {
  const sorted = [...new Set(days)].sort((one, other) => one - other);
  const spans = [];
  for (const day of sorted) {
    if (spans.length && spans.at(-1)[1] === day - 1) spans.at(-1)[1] = day;
    else spans.push([day, day]);
  }
  return spans
    .map(([first, last]) => (first === last ? DAYS[first] : last === first + 1 ? `${DAYS[first]},${DAYS[last]}` : `${DAYS[first]}-${DAYS[last]}`))
    .join(",");
}

export const clock = (minutes) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

/** How much of an hour of the week is meant: 0, 1, or something between. */
export function partOf(week, day, hour) {
  const begin = day * DAY + hour * 60;
  let sum = 0;
  for (let at = begin; at < begin + 60; at += 1) sum += week[at];
  return sum / 60;
}

/** A week with some of its hours, given as [day, hour], set or not. */
export function painted(week, cells, on) {
  const next = week.slice();
  for (const [day, hour] of cells) next.fill(on ? 1 : 0, day * DAY + hour * 60, day * DAY + hour * 60 + 60);
  return next;
}
