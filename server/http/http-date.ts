/**
 * Times as HTTP writes them (RFC 9110, IMF-fixdate): "Fri, 20 Nov 2026 21:30:45 GMT". Neighbouring
 * answers mostly fall into one second, so the last one that was written is kept.
 */

let lastSecond = -1;
let lastText = "";

export function httpDate(timeMs: number): string {
  const second = Math.floor(timeMs / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastText = new Date(second * 1000).toUTCString();
  }
  return lastText;
}
