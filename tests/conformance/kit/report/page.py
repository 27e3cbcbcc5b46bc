"""The report as one self-contained HTML page: a headline by level, a table by section, and each behaviour."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tests.conformance.kit.report.results import DIFFERENCES, FAILURES_SHOWN, NOT_GOOD, STATES, Finding, Result

_CLASSES = dict(zip(STATES, ("pass", "fail", "warn", "none", "na", "not"), strict=True))
_ABOUT_LEVELS = {
    "MUST": "required by the specification",
    "MUST(c)": "declared in its contract",
    "DOC": "described by the operations",
    "SHOULD": "recommended",
    "SHOULD(a)": "advice of its application notes",
    "MAY": "allowed",
    "DER": "derived from two or more documented facts",
    "INF": "the kit's interpretation",
}
_ABOUT_STATES = (
    "A difference is a Fail at the levels MUST, MUST(c) and DOC, and a Warning at the others. Not Implemented: the "
    "server lacks an optional feature. Not Applicable: introduced by a later version of the API. Could Not Test: the "
    "reason is given."
)
_SUMMARY_CHARS = 110
_LINKS_OPEN = 60
_STYLE = """
:root { color-scheme: light dark; --pass: #1a7f37; --fail: #cf222e; --warn: #9a6700; --none: #57606a; --na: #57606a;
  --not: #57606a; --line: #d0d7de; --soft: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --pass: #3fb950; --fail: #ff7b72; --warn: #d29922; --none: #9198a1;
  --na: #9198a1; --not: #9198a1; --line: #3d444d; --soft: #151b23; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.levels { display: grid; grid-template-columns: repeat(4, 1fr); gap: .75rem; margin: 1rem 0; }
.level { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; background: var(--soft); }
.level b { display: block; font-size: 1.4rem; } .level span, .small { color: var(--none); font-size: .85rem; }
.level span { display: block; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .5rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 12rem; }
details { border-bottom: 1px solid var(--line); } summary { cursor: pointer; padding: .4rem 0; }
summary code { font-weight: 600; } details > div { padding: 0 0 .75rem 1.25rem; overflow-wrap: anywhere; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: .35rem; overflow-x: auto; padding: .5rem;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .8rem; }
.state { display: inline-block; min-width: 8.5rem; font-weight: 600; } a { color: inherit; }
summary .text { color: var(--none); } details details { border: 0; } dt { font-weight: 600; } dd { margin: 0 0 .4rem; }
@media (max-width: 40rem) { th:not(:first-child) { writing-mode: vertical-rl; text-align: left; padding: .25rem 0; }
  th, td { padding: .35rem .2rem; font-size: .85rem; }
  th:first-child, td:first-child { min-width: 6rem; overflow-wrap: anywhere; }
  summary { overflow-wrap: anywhere; } summary .text { display: block; }
  .levels { gap: .5rem; grid-template-columns: 1fr 1fr; } }
""" + "".join(f".{name} {{ color: var(--{name}); }}\n" for name in _CLASSES.values())


def write_page(path: Path, summary: Mapping[str, Any], found: Sequence[Finding]) -> None:
    """Write the page. summary: the members of report.json that describe the run."""
    sections: dict[str, list[Finding]] = {}
    for each in found:
        sections.setdefault(each.behaviour.section, []).append(each)
    body = [
        f"<h1>TAMS {escape(summary['api_version'])} conformance</h1>",
        f"<p>{escape(summary['subject'])} &middot; {summary['tests']} tests &middot; {len(found)} behaviours &middot; "
        f"{escape(summary['made'])}</p>",
        _levels(summary["levels"]),
        f'<p class="small">{_ABOUT_STATES}</p>',
        _differences(found),
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
        good = "pass" if level["passed"] == level["tested"] > 0 else "fail" if level["tested"] else "not"
        rest = sum(level["states"].values()) - level["tested"]
        cards.append(
            f'<div class="level">{escape(level["level"])}<b class="{good}">{level["passed"]} of {level["tested"]}</b>'
            f"<span>{escape(_ABOUT_LEVELS[level['level']])}</span><span>{rest} not tested</span></div>"
        )
    return f'<div class="levels">{"".join(cards)}</div>'


def _differences(found: Sequence[Finding]) -> str:
    """Links to all failures and warnings."""
    links = [
        f'<a class="{_CLASSES[each.state]}" href="#{each.behaviour.id}">{each.behaviour.id}</a>'
        for each in found
        if each.state in DIFFERENCES
    ]
    is_open = " open" if len(links) <= _LINKS_OPEN else ""
    shown = f"<div>{', '.join(links) or 'none'}</div>"
    return f"<details{is_open}><summary>Differences: {len(links)}</summary>{shown}</details>"


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
    detail = [f"<dt>Expected</dt><dd>{_prose(about.text)}</dd>"]
    if about.source:
        detail.append(f"<dt>Why</dt><dd>{escape(about.level)}: {_prose(about.source)}</dd>")
    if each.reason and each.state not in DIFFERENCES:
        detail.append(f"<dt>{each.state}</dt><dd>{escape(each.reason)}</dd>")
    detail += [_failure(test) for test in each.tests if test.outcome in NOT_GOOD][:FAILURES_SHOWN]
    detail.append(f"<dt>Tests</dt><dd>{_tests(each.tests)}</dd>" if each.tests else "")
    is_open = " open" if each.state in DIFFERENCES else ""
    plain = about.text.replace("`", "")
    text = plain if len(plain) <= _SUMMARY_CHARS else f"{plain[:_SUMMARY_CHARS].rstrip()}…"
    return (
        f'<details{is_open} id="{about.id}"><summary><span class="state {_CLASSES[each.state]}">{each.state}</span>'
        f' <code>{about.id}</code> {escape(about.level)} <span class="text">{escape(text)}</span></summary>'
        f"<div><dl>{''.join(detail)}</dl></div></details>"
    )


def _prose(text: str) -> str:
    """Convert text of behaviours.md, in which backquotes mark code, to HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _tests(tests: Sequence[Result]) -> str:
    """The tests without their parameters, each with the number of each outcome."""
    outcomes: dict[str, Counter[str]] = {}
    for test in tests:
        outcomes.setdefault(test.name.partition("[")[0], Counter())[test.outcome] += 1
    counted = {name: ", ".join(f"{n} {outcome}" for outcome, n in counts.items()) for name, counts in outcomes.items()}
    return "<br>".join(f"<code>{escape(name)}</code> {text}" for name, text in counted.items())


def _failure(test: Result) -> str:
    """The message of a failed test, its last exchange and, collapsed, the earlier exchanges."""
    *earlier, last = [_exchange(exchange) for exchange in test.exchanges] or [""]
    before = (
        f"<details><summary>earlier requests: {len(earlier)}</summary>{''.join(earlier)}</details>" if earlier else ""
    )
    return (
        f"<dt>Reported by <code>{escape(test.name)}</code></dt><dd><pre>{escape(test.message)}</pre>{last}{before}</dd>"
    )


def _exchange(exchange: Mapping[str, Any]) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in exchange["headers"].items())
    response = f"HTTP {exchange['status']}\n{headers}\n\n{exchange['body']}"
    return f"<pre>{escape(exchange['curl'])}\n\n{escape(response)}</pre>"
