/**
 * A plot as SVG: curves with a band around them, marks, and a name at the end of each curve.
 *
 *   1.0 ┤            ───────── ours          y rises evenly, x by doublings
 *       │     ╭──○──○─────○─── strategy 3
 *   0.8 ┤  ╭──╯
 *       └──┬─────┬─────┬─────┬►
 *         128   512  2,048
 *
 * Nothing but arithmetic and text: the same curves give the same bytes.
 */

/** A point of a curve; low and high make its band. */
export interface Point {
  readonly x: number;
  readonly y: number;
  readonly low: number;
  readonly high: number;
}

/** One curve in one colour. */
export interface Curve {
  readonly name: string;
  readonly colour: string;
  readonly width: number;
  readonly points: readonly Point[];
  /** Single readings beside it. */
  readonly marks: readonly (readonly [x: number, y: number])[];
  /** Words at points of the curve. */
  readonly notes: readonly { readonly x: number; readonly y: number; readonly text: string }[];
}

export interface Plot {
  readonly title: string;
  readonly subtitle: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** What curves, bands and marks are. */
  readonly legend: { readonly curve: string; readonly band: string; readonly mark: string };
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
  readonly curves: readonly Curve[];
}

const WIDTH = 960;
const HEIGHT = 580;
const LEFT = 74;
const RIGHT = 776;
const TOP = 92;
const BOTTOM = 506;
const LABEL_GAP = 19;
const INK = "#1f2933";
const PALE_INK = "#66727f";
const GRID = "#e6e9ed";
const FONT = "font-family=\"Inter, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif\"";

/** The plot as a document. */
export function plotToSvg(plot: Plot): string {
  const place = new Place(plot);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" ${FONT}>`,
    `<title>${plot.title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(LEFT, 36, plot.title, `font-size="19" font-weight="600" fill="${INK}"`),
    text(LEFT, 60, plot.subtitle, `font-size="13.5" fill="${PALE_INK}"`),
    ...axes(plot, place),
    ...plot.curves.map((curve) => band(curve, place)),
    ...plot.curves.map((curve) => line(curve, place)),
    ...plot.curves.flatMap((curve) => marks(curve, place)),
    ...plot.curves.flatMap((curve) => notes(curve, place)),
    ...names(plot.curves, place),
    ...legend(plot),
    "</svg>",
    "",
  ].join("\n");
}

/** Where values lie on the sheet. */
class Place {
  readonly #xLow: number;
  readonly #xSpan: number;
  readonly #yLow: number;
  readonly #ySpan: number;

  constructor({ xTicks, yTicks }: Plot) {
    this.#xLow = Math.log2(xTicks[0]);
    this.#xSpan = Math.log2(xTicks[xTicks.length - 1]) - this.#xLow;
    this.#yLow = yTicks[0];
    this.#ySpan = yTicks[yTicks.length - 1] - this.#yLow;
  }

  x(value: number): number {
    return round(LEFT + ((Math.log2(value) - this.#xLow) / this.#xSpan) * (RIGHT - LEFT));
  }

  y(value: number): number {
    return round(BOTTOM - ((value - this.#yLow) / this.#ySpan) * (BOTTOM - TOP));
  }
}

function axes({ xTicks, yTicks, xLabel, yLabel }: Plot, place: Place): string[] {
  const tick = `font-size="12.5" fill="${PALE_INK}"`;
  const label = `font-size="13.5" fill="${INK}"`;
  const middle = (TOP + BOTTOM) / 2;
  const turned = `text-anchor="middle" transform="rotate(-90 22 ${middle})"`;
  return [
    ...yTicks.flatMap((value) => [
      stroke(LEFT, place.y(value), RIGHT, place.y(value), GRID),
      text(LEFT - 10, place.y(value) + 4, value.toFixed(2), `${tick} text-anchor="end"`),
    ]),
    ...xTicks.flatMap((value) => [
      stroke(place.x(value), BOTTOM, place.x(value), BOTTOM + 5, PALE_INK),
      text(place.x(value), BOTTOM + 21, thousands(value), `${tick} text-anchor="middle"`),
    ]),
    stroke(LEFT, BOTTOM, RIGHT, BOTTOM, PALE_INK),
    text((LEFT + RIGHT) / 2, BOTTOM + 48, xLabel, `${label} text-anchor="middle"`),
    text(22, middle, yLabel, `${label} ${turned}`),
  ];
}

function band({ colour, points }: Curve, place: Place): string {
  const there = points.map(({ x, high }) => `${place.x(x)},${place.y(high)}`);
  const back = points.map(({ x, low }) => `${place.x(x)},${place.y(low)}`).reverse();
  return `<polygon points="${[...there, ...back].join(" ")}" fill="${colour}" fill-opacity="0.13"/>`;
}

function line({ colour, width, points }: Curve, place: Place): string {
  const path = points.map(({ x, y }) => `${place.x(x)},${place.y(y)}`).join(" ");
  const style = `fill="none" stroke="${colour}" stroke-width="${width}" stroke-linejoin="round"`;
  return `<polyline points="${path}" ${style} stroke-linecap="round"/>`;
}

function marks({ colour, marks: readings }: Curve, place: Place): string[] {
  return readings.map(([x, y]) => mark(place.x(x), place.y(y), colour));
}

function notes({ colour, notes: words }: Curve, place: Place): string[] {
  return words.flatMap(({ x, y, text: note }) => [
    `<circle cx="${place.x(x)}" cy="${place.y(y)}" r="4.2" fill="${colour}"/>`,
    text(
      place.x(x),
      place.y(y) - 11,
      note,
      `font-size="12.5" font-weight="600" text-anchor="middle" fill="${colour}"`,
    ),
  ]);
}

/** Names at the ends of the curves, kept apart from each other. */
function names(curves: readonly Curve[], place: Place): string[] {
  const ends = curves.map((curve) => ({ curve, y: place.y(curve.points.at(-1)?.y ?? 0) }));
  ends.sort((left, right) => left.y - right.y);
  let lowest = 0;
  return ends.map(({ curve, y }) => {
    lowest = Math.max(y + 4, lowest + LABEL_GAP);
    const weight = curve.width > 2 ? 600 : 400;
    const style = `font-size="13.5" font-weight="${weight}" fill="${curve.colour}"`;
    return text(RIGHT + 14, lowest, curve.name, style);
  });
}

function legend({ legend: words }: Plot): string[] {
  const style = `font-size="12.5" fill="${PALE_INK}"`;
  const top = BOTTOM - 66;
  const left = RIGHT - 330;
  const middle = left + 14;
  return [
    `<line x1="${left}" y1="${top}" x2="${left + 28}" y2="${top}" ` +
      `stroke="${PALE_INK}" stroke-width="2"/>`,
    text(left + 40, top + 4, words.curve, style),
    `<rect x="${left}" y="${top + 16}" width="28" height="12" ` +
      `fill="${PALE_INK}" fill-opacity="0.18"/>`,
    text(left + 40, top + 26, words.band, style),
    mark(middle, top + 44, PALE_INK),
    text(left + 40, top + 48, words.mark, style),
  ];
}

function mark(x: number, y: number, colour: string): string {
  return `<circle cx="${x}" cy="${y}" r="5" fill="#ffffff" stroke="${colour}" stroke-width="2"/>`;
}

function stroke(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}"/>`;
}

function text(x: number, y: number, words: string, style: string): string {
  return `<text x="${x}" y="${y}" ${style}>${words}</text>`;
}

/** 32768 as "32,768". */
function thousands(value: number): string {
  return value.toLocaleString("en-US");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
