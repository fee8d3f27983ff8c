# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's style sheet. Colours are variables: light by default and on paper, dark where the reader prefers it."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f4f6f9; --card: #ffffff; --ink: #16202e; --soft: #566275; --rule: #dde3ea;
  --accent: #0b6e8f; --accent-soft: #e3f1f6; --accent-mid: #8fc7da;
  --good: #12694a; --good-soft: #e0f3ea; --bad: #a8231c; --bad-soft: #fbe6e4; --open-soft: #eceff3;
  --s0: transparent; --s1: #e3f1f6; --s2: #bcdfeb; --s3: #7fbfd5; --s4: #2a86a6; --s4-ink: #ffffff;
  --on: #1c8f63; --off: #c8372e; --unknown: #9aa5b4; --site: #f7f9fb; --line: #8794a6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e141c; --card: #161f2a; --ink: #e8eef5; --soft: #9fb0c3; --rule: #2a3746;
    --accent: #56bddb; --accent-soft: #14303c; --accent-mid: #2b6d83;
    --good: #62d3a4; --good-soft: #123528; --bad: #ff9188; --bad-soft: #43201f; --open-soft: #232f3d;
    --s1: #16303c; --s2: #1c4657; --s3: #246379; --s4: #3f9fbe; --s4-ink: #06141a;
    --on: #4fd09b; --off: #ff7b70; --unknown: #7d8a9a; --site: #121a24; --line: #6f8196;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 "Inter", "Segoe UI", "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 24px 48px; }
header { display: flex; justify-content: space-between; align-items: center; gap: 24px; flex-wrap: wrap;
  margin-bottom: 24px; }
h1 { font-size: 30px; line-height: 1.2; margin: 2px 0 4px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 4px; }
h3 { font-size: 14px; margin: 18px 0 0; }
p { margin: 0; }
.label { color: var(--soft); font-size: 12px; text-transform: uppercase; letter-spacing: 0.06em; }
.note, .none { color: var(--soft); font-size: 13px; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 20px 22px; margin-top: 18px; }
section > .note { margin-bottom: 12px; }
section > h2 + div { margin-top: 12px; }
.badge { display: inline-block; white-space: nowrap; border-radius: 999px; padding: 2px 11px;
  font-size: 13px; font-weight: 600; }
header .badge { font-size: 16px; padding: 8px 18px; }
.good { color: var(--good); background: var(--good-soft); }
.bad { color: var(--bad); background: var(--bad-soft); }
.open { color: var(--soft); background: var(--open-soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(172px, 1fr)); gap: 14px; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 12px; padding: 16px 18px; }
.big { font-size: 28px; line-height: 1.3; font-weight: 650; letter-spacing: -0.01em;
  font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--soft); font-size: 12px; font-weight: 600; padding: 6px 12px 6px 0;
  border-bottom: 1px solid var(--rule); }
td { padding: 9px 12px 9px 0; border-bottom: 1px solid var(--rule); vertical-align: top; overflow-wrap: anywhere; }
tr:last-child > td { border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.criteria td:first-child { width: 110px; }
.criteria td:last-child { width: 48%; }
.heat th.number, .heat td.number { text-align: center; padding: 3px; border: 0; }
.heat td { border: 0; padding: 3px 12px 3px 0; vertical-align: middle; white-space: nowrap; }
.cell { display: block; border-radius: 6px; padding: 5px 4px; min-width: 38px; font-size: 13px; }
.small .cell { min-width: 16px; padding: 5px 0; height: 22px; }
.small td.number, .small th.number { padding: 2px 1px; }
.s0 { background: var(--s0); color: var(--soft); } .s1 { background: var(--s1); } .s2 { background: var(--s2); }
.s3 { background: var(--s3); } .s4 { background: var(--s4); color: var(--s4-ink); }
.missed { background: var(--bad-soft); color: var(--bad); font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 18px; }
figure { margin: 0; }
figcaption { font-size: 13px; font-weight: 600; margin-bottom: 4px; }
figcaption .note { font-weight: 400; }
svg { display: block; width: 100%; height: auto; }
svg text { font-family: inherit; fill: var(--ink); }
.chart .tick, .diagram .line { font-size: 12px; fill: var(--soft); }
.chart .value { font-size: 11.5px; }
.grid { stroke: var(--rule); stroke-width: 1; }
.series { fill: none; stroke: var(--accent); stroke-width: 2.5; stroke-linejoin: round; }
.dot { fill: var(--card); stroke: var(--accent); stroke-width: 2.5; }
.bar { fill: var(--accent); }
.reference { stroke: var(--line); stroke-width: 1.5; stroke-dasharray: 5 4; }
.site { fill: var(--site); stroke: var(--rule); stroke-width: 1.5; }
.node { fill: var(--card); stroke: var(--rule); stroke-width: 1.5; }
.link { fill: var(--accent-soft); stroke: var(--accent); stroke-width: 1.5; }
.diagram .sitename { font-size: 15px; font-weight: 650; }
.diagram .name { font-size: 13.5px; font-weight: 600; }
.edge { fill: none; stroke: var(--accent); stroke-width: 2; }
.tip { fill: var(--accent); }
.on { fill: var(--on); } .off { fill: var(--off); } .unknown { fill: var(--unknown); }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); column-gap: 28px;
  margin: 8px 0 0; }
.pair { display: flex; justify-content: space-between; gap: 12px; padding: 5px 0; font-size: 13.5px;
  border-bottom: 1px solid var(--rule); }
dt { color: var(--soft); }
dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
@media (max-width: 640px) { main { padding: 18px 12px; } section { padding: 16px 14px; } .diagram { min-width: 720px; }
  section:has(> .diagram) { overflow-x: auto; } }
@media print {
  :root { color-scheme: light; --page: #ffffff; --card: #ffffff; --ink: #000000; --soft: #444444; --rule: #cccccc;
    --accent: #0b6e8f; --accent-soft: #e3f1f6; --good: #12694a; --good-soft: #ffffff;
    --bad: #a8231c; --bad-soft: #ffffff;
    --s1: #e3f1f6; --s2: #bcdfeb; --s3: #7fbfd5; --s4: #2a86a6; --s4-ink: #ffffff; --site: #ffffff; --line: #666666;
    --open-soft: #ffffff; --on: #1c8f63; --off: #c8372e; --unknown: #9aa5b4; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 11pt; } main { max-width: none; padding: 0; }
  section:has(svg), .tile, tr { break-inside: avoid; }
  .tiles { grid-template-columns: none; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 8px; }
  .tile { padding: 10px; } .big { font-size: 18px; } .label { font-size: 9px; letter-spacing: 0; }
  .charts { grid-template-columns: repeat(3, 1fr); }
}
"""
