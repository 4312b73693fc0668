import { type Html, html } from "../../common/html.ts";
import type { Series } from "../../mirror/index.ts";

const width = 600;
const height = 150;

/** How something went over time, as a picture that needs nothing else. Its numbers are in words beside it. */
export function plot({ name, unit, points }: Series): Html | undefined {
  if (points.length < 2) return undefined;
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const first = points[0]?.[0] ?? 0;
  const seconds = (points.at(-1)?.[0] ?? 0) - first || 1;
  const x = (at: number) => (((at - first) / seconds) * width).toFixed(1);
  const y = (value: number) => (height - ((value - low) / (high - low || 1)) * (height - 10) - 5).toFixed(1);
  const line = points.map(([at, value]) => `${x(at)},${y(value)}`).join(" ");
  const words = `${name}: ${show(low)} to ${show(high)} ${unit} in ${Math.round(seconds)} s`;
  return html`<figure><figcaption>${words}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${words}" preserveAspectRatio="none"><polyline points="${line}"/></svg></figure>`;
}

function show(value: number): string {
  return String(Number(value.toPrecision(4)));
}
