"""The report as one self-contained HTML page: a headline by level, a table by section, and each behaviour."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tests.conformance.kit.report.results import STATES, Finding

_CLASSES = dict(zip(STATES, ("pass", "fail", "warn", "none", "na", "not"), strict=True))
_STYLE = """
:root { color-scheme: light dark; --pass: #1a7f37; --fail: #cf222e; --warn: #9a6700; --none: #57606a; --na: #57606a;
  --not: #57606a; --line: #d0d7de; --soft: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --pass: #3fb950; --fail: #ff7b72; --warn: #d29922; --none: #9198a1;
  --na: #9198a1; --not: #9198a1; --line: #3d444d; --soft: #151b23; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.levels { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .75rem; margin: 1rem 0; }
.level { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; background: var(--soft); }
.level b { display: block; font-size: 1.4rem; } .level span { color: var(--none); font-size: .85rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .5rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 12rem; }
details { border-bottom: 1px solid var(--line); } summary { cursor: pointer; padding: .4rem 0; }
summary code { font-weight: 600; } details > div { padding: 0 0 .75rem 1.25rem; overflow-wrap: anywhere; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: .35rem; overflow-x: auto; padding: .5rem;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .8rem; }
.state { display: inline-block; min-width: 8.5rem; font-weight: 600; } .level-name { color: var(--none); }
""" + "".join(f".{name} {{ color: var(--{name}); }}\n" for name in _CLASSES.values())


def write_page(path: Path, summary: Mapping[str, Any], found: Sequence[Finding]) -> None:
    """Write the page. summary: as in report.json."""
    sections: dict[str, list[Finding]] = {}
    for each in found:
        sections.setdefault(each.behaviour.section, []).append(each)
    body = [
        f"<h1>TAMS {escape(summary['api_version'])} conformance</h1>",
        f"<p>{escape(summary['subject'])} &middot; {summary['tests']} tests &middot; {len(found)} behaviours</p>",
        _levels(summary["levels"]),
        _overview(sections),
        *(_section(number, title, items) for number, (title, items) in enumerate(sections.items())),
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>TAMS conformance: {escape(summary['subject'])}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>"
    )
    path.write_text(page, encoding="utf-8")


def _levels(levels: Sequence[Mapping[str, Any]]) -> str:
    cards = []
    for level in levels:
        good = "pass" if level["passed"] == level["tested"] else "fail"
        rest = sum(level["states"].values()) - level["tested"]
        cards.append(
            f'<div class="level">{escape(level["level"])}<b class="{good}">{level["passed"]} of {level["tested"]}</b>'
            f"<span>pass; {rest} not tested</span></div>"
        )
    return f'<div class="levels">{"".join(cards)}</div>'


def _overview(sections: Mapping[str, Sequence[Finding]]) -> str:
    head = "".join(f"<th>{state}</th>" for state in STATES)
    rows = []
    for number, (title, items) in enumerate(sections.items()):
        counts = [sum(each.state == state for each in items) for state in STATES]
        cells = "".join(
            f'<td class="{_CLASSES[state]}">{count or ""}</td>' for state, count in zip(STATES, counts, strict=True)
        )
        rows.append(f'<tr><td><a href="#s{number}">{escape(title)}</a></td>{cells}</tr>')
    return f'<div class="wide"><table><tr><th>section</th>{head}</tr>{"".join(rows)}</table></div>'


def _section(number: int, title: str, items: Sequence[Finding]) -> str:
    return f'<h2 id="s{number}">{escape(title)}</h2>{"".join(_behaviour(each) for each in items)}'


def _behaviour(each: Finding) -> str:
    about = each.behaviour
    is_open = " open" if each.state in ("Fail", "Warning") else ""
    detail = [f"<p>{escape(about.text)}</p>"]
    if about.source:
        detail.append(f'<p class="level-name">source: {escape(about.source)}</p>')
    if each.reason and each.state not in ("Fail", "Warning"):
        detail.append(f"<p>{escape(each.reason)}</p>")
    for test in each.tests:
        detail.append(f"<p><code>{escape(test.name)}</code> {test.outcome}</p>")
        if test.outcome == "failed":
            detail.append(f"<pre>{escape(test.message)}</pre>")
            detail += [_exchange(exchange) for exchange in test.exchanges]
    return (
        f'<details{is_open}><summary><span class="state {_CLASSES[each.state]}">{each.state}</span>'
        f' <code id="{about.id}">{about.id}</code> <span class="level-name">{escape(about.level)}</span></summary>'
        f"<div>{''.join(detail)}</div></details>"
    )


def _exchange(exchange: Mapping[str, Any]) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in exchange["headers"].items())
    answer = f"HTTP {exchange['status']}\n{headers}\n\n{exchange['body']}"
    return f"<pre>{escape(exchange['curl'])}\n\n{escape(answer)}</pre>"
