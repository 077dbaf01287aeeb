"""The style sheet of the report's page: light and dark, wide and narrow, screen and paper."""

from __future__ import annotations

PAGE_STYLE = """\
:root{color-scheme:light dark;--page:#fff;--panel:#f6f7f9;--edge:#dce1e8;--text:#18212e;
--muted:#5a6676;--good:#1f9254;--bad:#c8324d;--pause:#c07a12;--skip:#9aa6b6;--accent:#2160e4}
@media (prefers-color-scheme:dark){:root{--page:#0c0f14;--panel:#11151b;--edge:#2d3643;
--text:#e9eef5;--muted:#98a5b6;--good:#57c98a;--bad:#ff7f92;--pause:#f0b455;--skip:#5a687a;
--accent:#82b1ff}}
@media print{:root{--page:#fff;--panel:#fff;--text:#000;--muted:#444;--edge:#ccc}
body{print-color-adjust:exact}section{break-inside:avoid}.graph svg{max-width:100%}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 "Inter","Segoe UI",Roboto,
"Helvetica Neue",Arial,"Noto Sans",sans-serif}
main{max-width:1120px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:17px;margin:44px 0 12px}
p{margin:0}
.muted,th{color:var(--muted)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(128px,1fr));gap:12px;
margin:28px 0 0}
.tile{background:var(--panel);border:1px solid var(--edge);border-radius:12px;padding:12px 16px}
.tile b{display:block;font-size:26px;line-height:1.25;font-weight:600;
font-variant-numeric:tabular-nums}
.tile span{color:var(--muted);font-size:13px}
.good b{color:var(--good)}.bad b{color:var(--bad)}.pause b{color:var(--pause)}
.verdict{margin:16px 0 0;font-weight:600;color:var(--good)}
.verdict.bad{color:var(--bad)}
.graph{overflow-x:auto;border:1px solid var(--edge);border-radius:14px;background:var(--panel)}
.graph svg{display:block;margin:0 auto;max-width:max(100%,540px);
height:auto}
.table{overflow-x:auto;border:1px solid var(--edge);border-radius:12px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:9px 14px;text-align:right;border-top:1px solid var(--edge);white-space:nowrap}
thead th,thead td{border-top:0;font-size:12.5px;font-weight:500;background:var(--panel)}
tbody th{position:sticky;left:0;background:var(--page)}
th:first-child,td:first-child,.left{text-align:left}
tbody th{color:inherit;font-weight:600}
tr.arm th{font-weight:400;color:var(--muted);padding-left:30px}
tr.arm th,tr.arm td{border-top:0;padding-top:0}
td.zero{color:var(--skip)}
td.good{color:var(--good)}td.failed{color:var(--bad)}td.waiting{color:var(--pause)}
.bar{display:flex;width:140px;height:8px;border-radius:4px;overflow:hidden;background:var(--edge)}
.bar i{display:block;height:100%}
.is-good{background:var(--good)}.is-bad{background:var(--bad)}
.is-pause{background:var(--pause)}.is-skip{background:var(--skip)}.is-accent{background:var(--accent)}
.failures{display:grid;gap:12px}
.failure{border:1px solid var(--edge);border-left:4px solid var(--bad);border-radius:10px;
padding:12px 16px;overflow-wrap:anywhere}
code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
footer{margin-top:48px;color:var(--muted);font-size:13px}
@media (max-width:600px){main{padding:24px 14px 40px}h1{font-size:23px}
.tiles{grid-template-columns:repeat(2,1fr);gap:8px}.tile{padding:10px 12px}.tile b{font-size:22px}
th,td{padding:8px 10px}.bar{width:90px}}
"""
"""One sheet; nothing in it is loaded from anywhere."""
