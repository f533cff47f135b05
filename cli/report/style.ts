/** Colours of a report, of its page as of each chart by itself: ink and lines of at least 4.5:1 and 3:1. */

/** Hues of series, in the order in which they are given out; beyond them they repeat with dashes. */
export const SERIES = 6;

export const series = (index: number): string => `var(--series-${(index % SERIES) + 1})`;
export const dashes = (index: number): string => (index < SERIES ? 'none' : '5 3');

const light = {
  ink: '#1c2126',
  soft: '#57606a',
  ground: '#ffffff',
  panel: '#f6f7f8',
  line: '#d5d9de',
  'series-1': '#2f6aa8',
  'series-2': '#b4532a',
  'series-3': '#3a7d54',
  'series-4': '#7a55a8',
  'series-5': '#8a6a10',
  'series-6': '#5a6670',
  heat: '47, 106, 168',
};

const dark: typeof light = {
  ink: '#e6e9ec',
  soft: '#a4adb6',
  ground: '#14171a',
  panel: '#1c2024',
  line: '#363c43',
  'series-1': '#86b4e6',
  'series-2': '#e79a74',
  'series-3': '#8ac79d',
  'series-4': '#c0a4e8',
  'series-5': '#d4b95f',
  'series-6': '#abb5be',
  heat: '134, 180, 230',
};

const variables = (colours: typeof light): string =>
  Object.entries(colours)
    .map(([name, value]) => `--${name}:${value}`)
    .join(';');

/** The colours, by what the reader prefers. */
export const coloursCss = `:root{color-scheme:light dark;${variables(light)}}
@media(prefers-color-scheme:dark){:root{${variables(dark)}}}
`;

/** Text in charts. */
export const chartCss = `svg{background:none;color:var(--ink)}
svg text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
`;

export const pageCss = `${coloursCss}*{box-sizing:border-box}
html{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink)}
main,header{max-width:1080px;margin:0 auto;padding:0 24px}
header{padding-top:40px}
h1{font-size:28px;line-height:1.25;font-weight:650;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:20px;line-height:1.3;font-weight:650;margin:48px 0 8px;padding-top:16px;border-top:1px solid var(--line)}
h3{font-size:16px;font-weight:650;margin:32px 0 8px}
p{margin:0 0 16px;max-width:72ch}
.soft,figcaption,caption{color:var(--soft);font-size:14px}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:12px;margin:16px 0 0}
dl div{background:var(--panel);border-radius:6px;padding:10px 14px}
dt{color:var(--soft);font-size:14px}
dd{margin:0;font-variant-numeric:tabular-nums;font-weight:600;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:32px 40px;margin-top:16px}
figure{margin:0;min-width:0}
figure.wide{grid-column:1/-1}
figure.tall{grid-row:span 2}
figcaption{margin-top:6px}
svg{display:block;max-width:100%;height:auto}
.wide .scroll svg{min-width:720px}
.scroll{overflow-x:auto;margin-top:16px}
.scroll:focus-visible{outline:2px solid var(--series-1);outline-offset:2px}
.tables{display:flex;flex-wrap:wrap;gap:0 48px}
.tables .scroll{flex:1 1 320px}
.scroll+p{margin-top:16px}
table{border-collapse:collapse;width:max-content;min-width:min(100%,320px);font-size:14px;font-variant-numeric:tabular-nums}
caption{text-align:left;padding-bottom:6px}
th,td{padding:6px 12px 6px 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
thead th{color:var(--soft);font-weight:600;white-space:nowrap}
tbody th{font-weight:500}
.number{text-align:right;white-space:nowrap}
td{max-width:48ch}
th:last-child,td:last-child{padding-right:0}
.verdict{padding:12px 16px;border-radius:6px;border-left:4px solid var(--series-3);background:var(--panel);font-weight:600}
.verdict.bad{border-color:var(--series-2)}
.verdict span{color:var(--series-3);margin-right:6px}
.verdict.bad span{color:var(--series-2)}
footer{max-width:1080px;margin:48px auto 0;padding:16px 24px 40px;color:var(--soft);font-size:14px}
@media(max-width:760px){main,header,footer{padding-left:16px;padding-right:16px}header{padding-top:24px}
.charts{grid-template-columns:minmax(0,1fr)}h1{font-size:24px}dl{grid-template-columns:repeat(2,minmax(0,1fr))}}
@media print{h2{break-after:avoid}figure{break-inside:avoid}}
${chartCss}`;
