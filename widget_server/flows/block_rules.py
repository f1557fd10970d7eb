"""When staff block domains or addresses, or let them through although a shipped rule blocks them.

1. Read every pattern, or refuse them all with every problem.
2. Keep those that are new, audit them, and let every server know.

A rule sets aside what comes from now on; what came before is for `signatures reject`. One thing must stay true: the
audit log names a rule by its number, since a pattern may be somebody's address.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from widget_server.domain import emails
from widget_server.domain.block_rules import BadPattern, BlockRule, Rulebook, read_pattern
from widget_server.domain.letters import Letter
from widget_server.domain.refusals import Problems
from widget_server.store.audit import record
from widget_server.store.block_rules import all_rules, delete_rules, insert_rule
from widget_server.store.db import Db
from widget_server.store.revisions import bump_directory


async def add_rules(
    db: Db,
    letter: Letter | None,
    patterns: Sequence[str],
    *,
    allow: bool,
    reason: str | None,
    now: datetime,
    actor: str,
) -> list[BlockRule]:
    """The rules for `patterns`, those that were there already among them. No letter: for all. Raises `Problems`."""
    read = _read(patterns)
    letter_id = None if letter is None else letter.id
    async with db.write() as writer:
        known = {(rule.letter_id, rule.pattern, rule.allow): rule for rule in await all_rules(writer)}
        found = []
        for pattern in read:
            rule = known.get((letter_id, pattern, allow))
            if rule is None:
                rule = await insert_rule(
                    writer, letter_id, pattern, allow=allow, reason=reason, actor=actor, at=now
                )  # fmt: skip
                await record(
                    writer, at=now, actor=actor, action="rule.add", letter_id=letter_id, subject=str(rule.id),
                    reason=reason, data={"allow": allow},
                )  # fmt: skip
            found.append(rule)
        await bump_directory(writer)
    return found


def _read(patterns: Sequence[str]) -> list[str]:
    read: dict[str, None] = {}
    problems = []
    for pattern in patterns:
        try:
            read[read_pattern(pattern)] = None
        except BadPattern as error:
            problems.append(f"{pattern!r}: {error}")
    if problems:
        raise Problems(problems)
    return list(read)


async def remove_rules(db: Db, ids: Sequence[int], *, reason: str | None, now: datetime, actor: str) -> list[BlockRule]:
    """The rules that are gone. Raises `Problems` with every number that is none, and removes nothing then."""
    async with db.write() as writer:
        known = {rule.id: rule for rule in await all_rules(writer)}
        wanted = sorted(set(ids))
        if problems := [f"there is no rule {id_}" for id_ in wanted if id_ not in known]:
            raise Problems(problems)
        await delete_rules(writer, wanted)
        for id_ in wanted:
            await record(
                writer, at=now, actor=actor, action="rule.remove", letter_id=known[id_].letter_id, subject=str(id_),
                reason=reason, data={"allow": known[id_].allow},
            )  # fmt: skip
        await bump_directory(writer)
    return [known[id_] for id_ in wanted]


async def rules_of(db: Db, letter: Letter | None) -> list[BlockRule]:
    """Every rule, or those that hold for a letter."""
    return [rule for rule in await all_rules(db) if letter is None or rule.letter_id in (None, letter.id)]


async def is_blocked(db: Db, letter: Letter, address: str) -> bool:
    """Whether a signature with `address` would be set aside. Raises `Problems` for what is no address."""
    try:
        email = emails.read(address)
    except emails.BadEmail as error:
        raise Problems([f"{address!r} is no e-mail address"]) from error
    return Rulebook(await all_rules(db)).blocks(letter.id, email)
