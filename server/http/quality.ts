/** Headers that name what is wanted with qualities, as in `gzip;q=0.5, br` (RFC 9110, 12.4.2). */

/** Names in lower case with their qualities, 0 to 1, in the order given; one that is malformed is 0. */
export function readQualities(header: string): [name: string, quality: number][] {
  return header.split(",").map((range) => {
    const [name, ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    return [name, qualityOf(parameters)];
  });
}

function qualityOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    if (!parameter.startsWith("q=")) continue;
    const quality = Number(parameter.slice(2));
    return quality >= 0 && quality <= 1 ? quality : 0;
  }
  return 1;
}
