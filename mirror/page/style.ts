/** Of every page. Calm paper and ink, and copper, the color of cast metal, for what can be followed or pressed. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #faf8f5; --card: #ffffff; --ink: #23201d; --soft: #655e57; --line: #e4ded6; --code: #f3efe9;
  --copper: #9a4a16; --copper-soft: #f8ece2; --good: #2f6b42; --good-soft: #e8f2ea; --bad: #9c2a20; --bad-soft: #fbe9e6; --focus: #9a4a16;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #171513; --card: #1f1c1a; --ink: #ece7e1; --soft: #a79e94; --line: #36312c; --code: #272320;
    --copper: #f0a572; --copper-soft: #3a2718; --good: #8fce9f; --good-soft: #1d3023; --bad: #f0a59c; --bad-soft: #3b201c; --focus: #f0a572;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body {
  margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
}
main, header, footer { max-width: 64rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.75rem; padding-bottom: 1.5rem; }
footer { padding-top: 1.5rem; padding-bottom: 3rem; color: var(--soft); font-size: .875rem; }
h1 { margin: 0; font-size: clamp(1.6rem, 4.5vw, 2.15rem); line-height: 1.2; letter-spacing: -.018em; font-weight: 650; text-wrap: balance; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.15rem; letter-spacing: -.005em; font-weight: 650; }
main > section:first-child > h2 { margin-top: .5rem; }
p { margin: .5rem 0; }
a { color: var(--copper); text-underline-offset: .18em; text-decoration-thickness: .07em; }
a:hover { text-decoration-thickness: .14em; }
:focus-visible { outline: .16rem solid var(--focus); outline-offset: .16rem; border-radius: .25rem; }
code, pre, .mono { font-family: ui-monospace, "SF Mono", "Cascadia Code", "DejaVu Sans Mono", "Liberation Mono", monospace; font-size: .875em; }
.soft { color: var(--soft); }
.lead { color: var(--soft); max-width: 44rem; }
.trail { margin: 0 0 1rem; font-size: .9rem; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .4rem .8rem; }
.tags { display: flex; flex-wrap: wrap; gap: .35rem; margin: 0; padding: 0; list-style: none; }
.tags > * { padding: .1rem .55rem; border-radius: 1rem; background: var(--code); color: var(--soft); font-size: .8rem; line-height: 1.5; white-space: normal; }
.tags .channel { background: var(--copper-soft); color: var(--copper); }
.tags .stable { background: var(--good-soft); color: var(--good); }
.tags .failed { background: var(--bad-soft); color: var(--bad); }

.search { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end; margin: 0 0 .75rem; }
.search label { flex: 1 1 7rem; display: grid; gap: .25rem; font-size: .8rem; color: var(--soft); }
.search label:first-child { flex: 6 1 16rem; }
.search input, .search select {
  width: 100%; min-height: 2.6rem; padding: .4rem .75rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--card); color: var(--ink); font: inherit; font-size: 1rem;
}
.count { margin: 0 0 .75rem; font-size: .875rem; color: var(--soft); }

.images { list-style: none; margin: 0; padding: 0; border: 1px solid var(--line); border-radius: .75rem; background: var(--card); }
.images > li { position: relative; display: grid; gap: .35rem 1.5rem; padding: 1rem 1.25rem; border-top: 1px solid var(--line); }
.images > li:first-child { border-top: 0; }
.images > li:hover { background: color-mix(in srgb, var(--copper-soft) 45%, var(--card)); }
.images > li:first-child:hover { border-radius: .7rem .7rem 0 0; }
.images > li:last-child:hover { border-radius: 0 0 .7rem .7rem; }
.images h2 { margin: 0; font-size: 1.05rem; line-height: 1.35; }
.images h2 a { text-decoration: none; }
.images h2 a::after { content: ""; position: absolute; inset: 0; }
.images h2 a:focus-visible { outline: 0; }
.images h2 a:focus-visible::after { outline: .16rem solid var(--focus); outline-offset: -.16rem; border-radius: .6rem; }
.images p { margin: 0; font-size: .875rem; }
@media (min-width: 48rem) {
  .images > li { grid-template-columns: minmax(0, 1.36fr) minmax(0, 1.03fr) minmax(0, 1.1fr); align-items: center; }
}

.copy { position: relative; margin: .75rem 0; }
.copy pre { margin: 0; padding: 1rem 1.1rem; border: 1px solid var(--line); border-radius: .6rem; background: var(--code); overflow-x: auto; line-height: 1.6; overflow-wrap: normal; tab-size: 2; }
.copy button {
  position: absolute; top: .5rem; right: .5rem; min-height: 2rem; min-width: 4.5rem; padding: .2rem .75rem; border: 1px solid var(--line);
  border-radius: .4rem; background: var(--card); color: var(--copper); font: inherit; font-size: .8rem; cursor: pointer;
}
.copy button:hover { border-color: var(--copper); }
.copy:has(button:not([hidden])) pre { padding-right: 6rem; }

.versions { display: grid; gap: .9rem; }
.version { border: 1px solid var(--line); border-radius: .75rem; background: var(--card); padding: 1.1rem 1.25rem; }
.version > .top { display: flex; flex-wrap: wrap; gap: .4rem .9rem; align-items: center; }
.version h3 { margin: 0; font-size: 1.05rem; font-variant-numeric: tabular-nums; }
.version p { margin: .3rem 0; font-size: .9rem; }
.qualified { display: grid; gap: .35rem; margin: .2rem 0 .6rem; padding: 0; list-style: none; font-size: .9rem; }
.qualified li { display: flex; flex-wrap: wrap; gap: .1rem .75rem; align-items: center; }
.links { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: .5rem 0 0; padding: 0; list-style: none; font-size: .9rem; }
.links a { display: inline-block; padding: .2rem 0; }
details { margin-top: .6rem; }
summary { cursor: pointer; color: var(--copper); font-size: .9rem; width: fit-content; padding: .2rem 0; }
dl { display: grid; gap: 0; margin: .5rem 0 0; font-size: .9rem; }
dl > div { display: grid; gap: 0 1rem; padding: .55rem 0; border-top: 1px solid var(--line); }
dl > div:first-child { border-top: 0; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; }
@media (min-width: 40rem) { dl > div { grid-template-columns: 11rem minmax(0, 1fr); } }
@media (prefers-reduced-motion: no-preference) { .copy button, .images > li { transition: background-color .12s, border-color .12s; } }
@media print { .search, .copy button, .skip { display: none; } }
`;
