/** Of the report's page, in light and dark. */
export const style = `
:root { color-scheme: light dark; --paper: #faf8f5; --ink: #23201d; --soft: #655e57; --line: #e4ded6; --good: #2f6b42; --bad: #a3241c; --copper: #9a4a16; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #171513; --ink: #ece7e1; --soft: #a79e94; --line: #36312c; --good: #8fce9f; --bad: #ff9d92; --copper: #f0a572; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, "Noto Sans", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.15rem; margin: 0 0 .25rem; }
h1 span, h2 span, li span { font-size: .8rem; font-weight: 600; padding: .1rem .55rem; border: 1px solid; border-radius: 1rem; vertical-align: middle; white-space: nowrap; }
a { color: var(--copper); }
section { border-top: 1px solid var(--line); padding: 1.1rem 0; }
p { margin: .25rem 0; }
.soft, figcaption, dt, th { color: var(--soft); }
.passed { color: var(--good); } .failed, .bad { color: var(--bad); } .skipped, .interrupted { color: var(--soft); }
.summary { list-style: none; padding: 0; margin: 0 0 1.25rem; display: flex; flex-wrap: wrap; gap: .4rem 1.25rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: .9rem; overflow-wrap: normal; }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { font-variant-numeric: tabular-nums; } td:nth-child(2) { overflow-wrap: anywhere; min-width: 8rem; }
figure { margin: .75rem 0; } figcaption { font-size: .85rem; }
svg { width: 100%; height: 9rem; border-bottom: 1px solid var(--line); border-left: 1px solid var(--line); }
polyline { fill: none; stroke: var(--copper); stroke-width: 2; vector-effect: non-scaling-stroke; }
dl { margin: 0; font-size: .9rem; } dl > div { padding: .35rem 0; border-top: 1px solid var(--line); } dd { margin: 0; }
@media (min-width: 40rem) { dl > div { display: grid; grid-template-columns: 9rem minmax(0, 1fr); } }
`;
