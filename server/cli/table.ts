/** A table for people: columns as wide as their widest cell, two spaces between, no frame. */

export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    });
  }
  const lines = rows.map((row) => {
    const cells = row.map((cell, index) => cell.padEnd(widths[index] ?? 0));
    return cells.join("  ").trimEnd();
  });
  return lines.map((line) => `${line}\n`).join("");
}
