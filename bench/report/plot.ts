/** Bars as SVG that can be read on a light and on a dark page. */

/** One bar; `least` and `most` are those of all rounds. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly text: string;
  readonly least: number;
  readonly most: number;
  readonly strong: boolean;
}

const width = 760;
const labelWidth = 230;
const textWidth = 90;
const barHeight = 20;
const step = 30;
const top = 40;

/** Draws bars under a title. Bars of others are paler than those of Floxy, a line shows the rounds. */
export const plot = (title: string, bars: readonly Bar[]): string => {
  const finite = bars.filter(({ value }) => Number.isFinite(value));
  const most = Math.max(...finite.map((bar) => Math.max(bar.value, bar.most)), Number.MIN_VALUE);
  const scale = (value: number): number => (value / most) * (width - labelWidth - textWidth);
  const height = top + finite.length * step + 10;
  const drawn = finite.map((bar, index) => drawBar(bar, top + index * step, scale));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}">
<style>text{font:13px system-ui,"DejaVu Sans",sans-serif;fill:#808690}.title{font-weight:600;font-size:14px}.floxy{fill:#2f81f7}.other{fill:#9aa4b2}.rounds{stroke:#808690;stroke-width:1.5}</style>
<text class="title" x="4" y="20">${escaped(title)}</text>
${drawn.join("\n")}
</svg>
`;
};

const drawBar = (
  { label, value, text, least, most, strong }: Bar,
  y: number,
  scale: (value: number) => number,
): string => {
  const middle = y + barHeight / 2;
  const at = (amount: number): string => (labelWidth + scale(amount)).toFixed(1);
  const line =
    most > least ? `<line class="rounds" x1="${at(least)}" x2="${at(most)}" y1="${middle}" y2="${middle}"/>` : "";
  return [
    `<text x="${labelWidth - 8}" y="${middle + 4.5}" text-anchor="end">${escaped(label)}</text>`,
    `<rect class="${strong ? "floxy" : "other"}" x="${labelWidth}" y="${y}" width="${Math.max(1, scale(value)).toFixed(1)}" height="${barHeight}" rx="3"/>`,
    line,
    `<text x="${(labelWidth + scale(Math.max(value, most)) + 8).toFixed(1)}" y="${middle + 4.5}">${escaped(text)}</text>`,
  ].join("");
};

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
