"""Markdown of the letter, its introduction and its outcome: as safe HTML, as blocks, as plain text. Each is set as its
language is; code and addresses are left alone.

One thing must stay true: raw HTML in the source never reaches a page as HTML, and every link is http,
https or mailto.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import unescape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from widget_server.domain.typography import french

Block = dict[str, Any]
"""`{"type": …, "children": RUNS}`, flat: a reader who draws each as a paragraph loses nothing but looks.
Types: `paragraph` · `heading`, with `level` 1–6 · `item` of a list, with `marker` ("•", "3.", or empty where
an item goes on) and `depth` from 1 · `quote` · `code` · `rule` (no children)."""

Run = dict[str, Any]
"""`{"text": "…"}` (a newline is a line break), or `{"type": "strong" | "em" | "code", "children": RUNS}`, or
`{"type": "link", "href": "https://…", "children": RUNS}`."""

_SCHEMES = frozenset({"http", "https", "mailto"})
_TAGS = {
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code",
    "em", "strong", "a",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}

# html=False: raw HTML is text. An image would call a third party from the visitor's browser: its text stands.
_parser = MarkdownIt("commonmark", {"html": False})


def html(text: str, locale: str = "en", *, heading_level: int = 3) -> str:
    """Safe HTML. The first heading level used in `text` becomes `heading_level`, which keeps the outline."""
    tokens = _parsed(text, locale)
    _shift_headings(tokens, heading_level)
    for token in tokens:
        token.children = _without_images(token.children) if token.children else token.children
    rendered = _parser.renderer.render(tokens, _parser.options, {})
    return nh3.clean(rendered, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=set(_SCHEMES), link_rel="noopener")


def blocks(text: str, locale: str = "en") -> list[Block]:
    """The same as data, for a reader that builds its own elements."""
    found: list[Block] = []
    around: list[Token] = []  # the lists, items and quotes that we are in
    numbers: list[int] = []  # the next number of each list; 0 where it has bullets
    fresh = False  # whether the item that we are in has no block yet
    heading = 0
    for token in _parsed(text, locale):
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                numbers.append(int(token.attrGet("start") or 1) if token.type[0] == "o" else 0)
            case "bullet_list_close" | "ordered_list_close":
                numbers.pop()
            case "list_item_open" | "blockquote_open":
                around.append(token)
                fresh = token.type == "list_item_open"
            case "list_item_close" | "blockquote_close":
                around.pop()
                if token.type == "list_item_close" and numbers[-1]:
                    numbers[-1] += 1
            case "heading_open":
                heading = int(token.tag[1])
            case "heading_close":
                heading = 0
            case "inline" | "fence" | "code_block" | "hr":
                block: Block = {"type": "paragraph"}
                if heading:
                    block = {"type": "heading", "level": heading}
                elif token.type == "hr":
                    block = {"type": "rule"}
                elif token.type != "inline":
                    block = {"type": "code"}
                elif around and around[-1].type == "blockquote_open":
                    block = {"type": "quote"}
                elif around:
                    marker = f"{numbers[-1]}." if numbers[-1] else "•"
                    block = {"type": "item", "marker": marker if fresh else "", "depth": len(numbers)}
                fresh = False
                code = [{"text": token.content}] if token.content else []
                block["children"] = _runs(token.children) if token.children else code
                found.append(block)
    return found


def plain(text: str, locale: str = "en") -> str:
    """The words alone, blocks apart by a blank line: for descriptions and mails."""
    return "\n\n".join(part for block in blocks(text, locale) if (part := _plain_runs(block["children"]).strip()))


def _parsed(text: str, locale: str) -> list[Token]:
    tokens = _parser.parse(text)
    if locale == "fr":
        for token in tokens:
            token.children = _typeset(token.children) if token.children else token.children
    return tokens


def _typeset(children: Sequence[Token]) -> list[Token]:
    """The words as French sets them. A source may break its line before a `;`: no reader's line may, so that the break
    becomes a space first."""
    kept: list[Token] = []
    for token in children:
        text = " " if token.type == "softbreak" else token.content if token.type == "text" else None
        if text is None:
            kept.append(token)
        elif kept and kept[-1].type == "text":
            kept[-1].content += text
        else:
            kept.append(Token("text", "", 0, content=text))
    for token in kept:
        if token.type in ("text", "image"):
            token.content = french(token.content)
    return kept


def _shift_headings(tokens: Sequence[Token], heading_level: int) -> None:
    headings = [token for token in tokens if token.type in ("heading_open", "heading_close")]
    shift = heading_level - min((int(token.tag[1]) for token in headings), default=heading_level)
    for token in headings:
        token.tag = f"h{min(6, max(1, int(token.tag[1]) + shift))}"


def _without_images(children: Sequence[Token]) -> list[Token]:
    kept: list[Token] = []
    for token in children:
        if token.type == "image":
            kept.append(Token("text", "", 0, content=token.content))
        else:
            kept.append(token)
    return kept


def _runs(children: Sequence[Token]) -> list[Run]:
    top: list[Run] = []
    open_runs = [top]
    for token in children:
        match token.type:
            case "strong_open" | "em_open" | "link_open":
                run: Run = {"type": token.type.removesuffix("_open"), "children": []}
                if token.type == "link_open":
                    href = _safe(str(token.attrGet("href") or ""))
                    run = {"type": "link", "href": href, "children": []} if href else {"type": "em", "children": []}
                open_runs[-1].append(run)
                open_runs.append(run["children"])
            case "strong_close" | "em_close" | "link_close":
                open_runs.pop()
            case "code_inline":
                open_runs[-1].append({"type": "code", "children": [{"text": token.content}]})
            case kind:
                text = {"softbreak": " ", "hardbreak": "\n"}.get(kind, token.content)
                last = open_runs[-1][-1] if open_runs[-1] else {}
                if "text" in last and "\n" not in (text, last["text"]):
                    last["text"] += text
                elif text:
                    open_runs[-1].append({"text": text})
    return top


def _safe(href: str) -> str | None:
    """An address for a link, or None: a relative one would lead somewhere else on each partner's page."""
    scheme, colon, _ = unescape(href).partition(":")
    return href if colon and scheme.lower() in _SCHEMES else None


def _plain_runs(runs: Sequence[Run]) -> str:
    return "".join(run["text"] if "text" in run else _plain_runs(run["children"]) for run in runs)
