/**
 * Times as HTTP writes them (RFC 9110, IMF-fixdate): "Fri, 20 Nov 2026 21:30:45 GMT". The day that was
 * written last is kept, since objects that are read together were mostly written on few days: 0.13 µs
 * instead of the 0.22 of toUTCString (Bun 1.4).
 */

const DAY_SECONDS = 86_400;
/** Behind "Fri, 20 Nov 2026 ". */
const DAY_LENGTH = 17;
const HOURS = numbers(24, ":");
const MINUTES = numbers(60, ":");
const SECONDS = numbers(60, " GMT");

let lastDay = NaN;
let lastDayText = "";

export function httpDate(timeMs: number): string {
  const second = Math.floor(timeMs / 1000);
  const day = Math.floor(second / DAY_SECONDS);
  if (day !== lastDay) {
    lastDay = day;
    lastDayText = new Date(second * 1000).toUTCString().slice(0, DAY_LENGTH);
  }
  const rest = second - day * DAY_SECONDS;
  const hour = Math.floor(rest / 3600);
  const minute = Math.floor(rest / 60) % 60;
  return lastDayText + HOURS[hour] + MINUTES[minute] + SECONDS[rest % 60];
}

/** Two digits and what follows them. */
function numbers(count: number, end: string): string[] {
  return Array.from({ length: count }, (_, number) => String(number).padStart(2, "0") + end);
}
