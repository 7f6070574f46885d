/** The middle of some figures: what is compared wherever rounds alternate. */

/** The middle figure, or the mean of the two in the middle; NaN of none. */
export function medianOf(figures: readonly number[]): number {
  const sorted = [...figures].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle];
  return (sorted[middle - 1] + sorted[middle]) / 2;
}
