"""Which field of a signature goes into which field of a target: lines that a coordinator writes, read and applied.

One thing must stay true: a map holds no code. A line names fields and transforms of a fixed set; everything wrong with
the lines is said at once.

    target = field | transform | transform(argument)
    target = field, field | join(", ")
    target = const(text)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from babel import Locale, UnknownLocaleError

from integrations.names import split_name
from widget_server.contract import Event, Option, Problem

OPTION = "map"
FIELDS: Mapping[str, str] = {
    "email": "address",
    "given_name": "given name, split from what was typed",
    "family_name": "family name, split likewise",
    "display_name": "the name as typed; an organization's is its own",
    "organization": "the organization, or a person's affiliation",
    "role": "role in it",
    "city": "city",
    "postal_code": "postal code",
    "country": "country, as its two-letter code",
    "comment": "comment, never public",
    "language": "language they signed in",
    "signed_at": "when the signature was confirmed",
    "id": "the signature's id",
    "kind": "individual or organization",
    "status": "status of the signature",
    "opted_in": "yes, where they may be written to",
    "letter": "the letter's slug",
    "letter_title": "the letter's title",
    "statement": "code of the statement",
    "partner": "the partner's slug",
    "partner_name": "the partner's name",
    "source": "attribution tag",
    "page": "address of the page they signed on",
}
_MOST_LINES = 100
_LONGEST_TARGET = 200


@dataclass(frozen=True, slots=True)
class Targets:
    """What a kind can fill besides the address, which always goes. `known` always exist; names that match `custom` are
    looked for by `probe`; `needed` may not be left out."""

    known: frozenset[str]
    custom: re.Pattern[str] | None = None
    needed: frozenset[str] = frozenset()
    custom_help: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    argument: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One line. `constant` stands where there are no fields."""

    target: str
    fields: tuple[str, ...]
    constant: str
    steps: tuple[Step, ...]

    def value(self, fields: Mapping[str, str], locale: str) -> str:
        glue = next((step.argument for step in self.steps if step.name == "join"), "")
        value = glue.join(fields[name] for name in self.fields if fields[name]) if self.fields else self.constant
        for step in self.steps:
            value = _TRANSFORMS[step.name].apply(value, step.argument, locale) if value else value
        return value


@dataclass(frozen=True, slots=True)
class Reading:
    """A map as it was read, and what is wrong with it."""

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(rule.target for rule in self.rules)

    def apply(self, event: Event, locale: str) -> dict[str, str]:
        """Target → value, for what there is a value for: an empty one would overwrite what the target knows."""
        fields = fields_of(event)
        filled = {rule.target: rule.value(fields, locale) for rule in self.rules}
        return {target: value for target, value in filled.items() if value}


def map_option(default: str) -> Option:
    return Option(OPTION, "which field goes where: lines `target = field | transform`", default=default, form="lines")


def fields_of(event: Event) -> dict[str, str]:
    """Every field of an event as text; empty where there is none or it may not be told."""
    data = event.data
    partner = data.get("partner") or {}
    given, family = split_name(data.get("name") or "")
    is_organization = data.get("kind") == "organization"
    values = {
        **{name: data.get(name) for name in FIELDS},
        "given_name": given,
        "family_name": family,
        "display_name": data.get("organization") if is_organization else data.get("name"),
        "language": data.get("locale"),
        "opted_in": "yes" if event.opted_in else "no",
        "signed_at": data.get("confirmed_at") or data.get("created_at"),
        "letter": event.letter.slug,
        "letter_title": event.letter.title,
        "partner": partner.get("slug"),
        "partner_name": partner.get("name"),
    }
    return {name: "" if values[name] is None else str(values[name]) for name in FIELDS}


@lru_cache(maxsize=256)
def read_map(text: str, targets: Targets) -> Reading:
    rules: dict[str, Rule] = {}
    problems: list[Problem] = []
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if len(lines) > _MOST_LINES:
        return Reading((), (Problem(OPTION, f"at most {_MOST_LINES} lines, not {len(lines)}"),))
    for number, line in lines:
        rule, wrong = _read_line(line, targets)
        if rule.target in rules:
            wrong = [*wrong, f"`{rule.target}` is there twice"]
        rules[rule.target] = rule
        problems += [Problem(OPTION, f"line {number}: {sentence}") for sentence in wrong]
    missing = sorted(targets.needed - rules.keys())
    problems += [Problem(OPTION, f"`{target}` is needed") for target in missing]
    return Reading(tuple(rules.values()), tuple(problems))


def _read_line(line: str, targets: Targets) -> tuple[Rule, list[str]]:
    """The rule, of use where nothing is wrong with it."""
    target, _, right = (part.strip() for part in line.partition("="))
    if not target or not right:
        return Rule(target, (), "", ()), ["expected `target = field | transform`"]
    wrong = [] if _is_target(target, targets) else [_no_such_target(target, targets)]
    source, *written = (part.strip() for part in re.split(r"\|(?![^()]*\))", right))
    constant = re.fullmatch(r"const\((.*)\)", source)
    fields = () if constant else tuple(name.strip() for name in source.split(","))
    steps = []
    for name in fields:
        if name not in FIELDS:
            wrong.append(f"there is no field `{name}`; there are {', '.join(FIELDS)}")
    for one in written:
        step, sentence = _read_step(one)
        if step is None:
            wrong.append(sentence)
        else:
            steps.append(step)
    if len(fields) > 1 and not any(step.name == "join" for step in steps):
        wrong.append('several fields need `join`, such as `city, country | join(", ")`')
    return Rule(target, fields, _unquoted(constant[1]) if constant else "", tuple(steps)), wrong


def _read_step(text: str) -> tuple[Step | None, str]:
    found = re.fullmatch(r"([a-z0-9_]+)(?:\((.*)\))?", text)
    transform = _TRANSFORMS.get(found[1]) if found else None
    if found is None or transform is None:
        return None, f"there is no transform `{text}`; there are {', '.join(_TRANSFORMS)}, and const(text) as a field"
    argument = None if found[2] is None else _unquoted(found[2])
    sentence = transform.objection(argument)
    return (None, f"`{found[1]}` {sentence}") if sentence else (Step(found[1], argument or ""), "")


def _is_target(target: str, targets: Targets) -> bool:
    if len(target) > _LONGEST_TARGET:
        return False
    return target in targets.known or (targets.custom is not None and targets.custom.fullmatch(target) is not None)


def _no_such_target(target: str, targets: Targets) -> str:
    if target == "email" and "email" not in targets.known:
        return "the address always goes: it is not mapped"
    there = [*sorted(targets.known), *([targets.custom_help] if targets.custom else [])]
    return f"there is nothing called `{target[:_LONGEST_TARGET]}`; there are {', '.join(there)}"


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else text


@dataclass(frozen=True, slots=True)
class _Transform:
    """`objection` takes the argument, None where there is none, and says what is wrong with it."""

    apply: Callable[[str, str, str], str]
    objection: Callable[[str | None], str]


def _takes_nothing(argument: str | None) -> str:
    return "" if argument is None else "takes no argument"


def _takes_a_length(argument: str | None) -> str:
    fits = argument is not None and argument.isascii() and argument.isdecimal() and 1 <= int(argument[:6]) <= 10_000
    return "" if fits else "takes a number from 1 to 10000, such as truncate(100)"


def _takes_text(argument: str | None) -> str:
    return 'takes what goes between, such as join(", ")' if argument is None else ""


def _may_take_a_language(argument: str | None) -> str:
    if argument is None:
        return ""
    try:
        Locale.parse(argument)
    except (UnknownLocaleError, ValueError):
        return "takes a language, such as country_name(fr)"
    return ""


def _country_name(code: str, language: str, locale: str) -> str:
    return str(Locale.parse(language or locale).territories.get(code, code))


_TRANSFORMS: Mapping[str, _Transform] = {
    "lower": _Transform(lambda value, _, __: value.lower(), _takes_nothing),
    "upper": _Transform(lambda value, _, __: value.upper(), _takes_nothing),
    "trim": _Transform(lambda value, _, __: " ".join(value.split()), _takes_nothing),
    "md5_lower": _Transform(
        lambda value, _, __: hashlib.md5(value.lower().encode(), usedforsecurity=False).hexdigest(), _takes_nothing
    ),
    "iso_date": _Transform(lambda value, _, __: value[:10], _takes_nothing),
    "truncate": _Transform(lambda value, length, _: value[: int(length)], _takes_a_length),
    "country_name": _Transform(_country_name, _may_take_a_language),
    "join": _Transform(lambda value, _, __: value, _takes_text),
}
TRANSFORMS: Sequence[str] = (*_TRANSFORMS, "const")
