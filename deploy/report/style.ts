// The look of a report: light or dark as the reader has it, and fit for print.

export const style = `
:root {
  color-scheme: light dark;
  --ground: #f3f5f7; --surface: #ffffff; --line: #dde2e8; --ink: #14191f; --quiet: #5a6572;
  --blue: #0072b2; --green: #00845f; --orange: #c85200; --purple: #94487a; --good: #12803f; --bad: #c02617; --shade: 0, 114, 178;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0b0e12; --surface: #12161c; --line: #272f39; --ink: #e9edf2; --quiet: #98a4b3;
    --blue: #56b4e9; --green: #2cc79a; --orange: #ff9447; --purple: #dd92c2; --good: #3ddc84; --bad: #ff7466; --shade: 86, 180, 233;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 40px 28px 64px; max-width: 1240px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums;
}
h1 { margin: 0; font-size: 30px; line-height: 1.2; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { margin: 44px 0 4px; font-size: 20px; }
h3 { margin: 0 0 2px; font-size: 16px; }
.legend + h3 { margin-top: 22px; }
p { margin: 0 0 12px; max-width: 84ch; }
.over { color: var(--quiet); margin: 0 0 4px; font-size: 14px; }
.quiet, figcaption, .note { color: var(--quiet); }
.note { font-size: 14px; }
.lead { font-size: 17px; margin: 14px 0 0; }
.lead, .head { max-width: none; }
.warn { border-left: 3px solid var(--orange); padding: 2px 0 2px 14px; margin: 16px 0 0; max-width: 84ch; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(168px, 1fr)); gap: 12px; margin: 24px 0 0; padding: 0; list-style: none; }
.tiles li, .card { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; }
.tiles b { display: block; font-size: 28px; line-height: 1.25; font-weight: 650; }
.tiles small { display: block; color: var(--quiet); font-size: 13px; line-height: 1.35; }
.tiles .delta { margin-top: 4px; }
.up { color: var(--good); } .down { color: var(--bad); }
.pair { display: grid; align-items: start; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr)); gap: 16px; margin-top: 14px; }
.stack { display: grid; gap: 16px; align-content: start; }
.card { margin: 0; min-width: 0; }
svg { display: block; width: 100%; height: auto; }
svg.narrow { display: none; }
svg text { font-size: 13px; fill: var(--quiet); }
svg text.title { fill: var(--ink); }
svg .grid { stroke: var(--line); fill: none; }
svg .axis { stroke: var(--quiet); fill: none; }
svg .inset { fill: var(--surface); }
svg .mark { stroke: var(--quiet); stroke-dasharray: 4 4; fill: none; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 8px 0 0; padding: 0; list-style: none; font-size: 13px; }
.legend svg { display: inline-block; width: 26px; height: 10px; margin-right: 7px; vertical-align: 1px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; font-weight: normal; }
th { color: var(--quiet); }
tr:last-child > * { border-bottom: 0; }
td.n, th.n { text-align: right; white-space: nowrap; }
.facts td { overflow-wrap: anywhere; }
.facts th { white-space: nowrap; }
/* A shade at the side to which there is more, which the surface that moves along covers where there is none. */
.scroll {
  --more: color-mix(in srgb, var(--ink) 32%, transparent); overflow-x: auto; background:
  linear-gradient(to right, var(--surface) 50%, transparent) left / 40px 100% no-repeat local,
  linear-gradient(to left, var(--surface) 50%, transparent) right / 40px 100% no-repeat local,
  linear-gradient(to right, var(--more), transparent) left / 14px 100% no-repeat,
  linear-gradient(to left, var(--more), transparent) right / 14px 100% no-repeat, var(--surface);
}
.card.scroll { background-color: var(--surface); }
.confusion { width: auto; min-width: 60%; margin: 10px 0; }
.confusion th, .confusion td { border: 0; padding: 10px 14px; }
.confusion td { text-align: center; min-width: 92px; border: 2px solid var(--surface); border-radius: 8px; overflow-wrap: normal; }
.confusion td .quiet { color: var(--ink); opacity: 0.8; font-size: 13px; }
.confusion b { display: block; font-size: 16px; font-weight: 600; }
.confusion.many { font-size: 12px; } .confusion.many td, .confusion.many th { padding: 5px 4px; min-width: 0; } .confusion.many b { font-size: 12px; }
.confusion.many tr:first-child th { writing-mode: vertical-rl; transform: rotate(180deg); }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); gap: 14px; margin: 12px 0 26px; }
.pictures figure { margin: 0; background: var(--surface); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; break-inside: avoid; }
.pictures img { display: block; width: 100%; height: auto; }
.pictures figcaption { display: flex; justify-content: space-between; gap: 12px; padding: 8px 12px; font-size: 13px; }
.pictures figcaption b { color: var(--ink); font-weight: 600; white-space: nowrap; }
.pictures figcaption span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 13px; }
footer { margin-top: 44px; font-size: 13px; color: var(--quiet); }
@media (max-width: 600px) {
  body { padding: 24px 16px 40px; }
  svg.wide { display: none; } svg.narrow { display: block; }
  .confusion th, .confusion td { padding: 8px 6px; } .confusion td { min-width: 0; }
  .confusion.many td, .confusion.many th { padding: 4px 2px; }
}
@media print { body { background: none; padding: 0; } .card, .tiles li { break-inside: avoid; } }
`
