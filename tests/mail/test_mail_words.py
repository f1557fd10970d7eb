"""What the mails say, to whom, in which language; and what they never say."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.conftest import Clock
from tests.mail.conftest import ODILE, PUBLIC_URL, SENDER, Log, SignPending
from tests.mail.postbox import Handed, Postbox
from widget_server.domain.letters import Letter
from widget_server.domain.links import AFTER_CLOSING, HOLDS, open_link
from widget_server.domain.partners import Partner
from widget_server.domain.tokens import Seals
from widget_server.flows.ask_again import ask_for_link, ask_for_page
from widget_server.flows.confirm import confirm
from widget_server.flows.directory import Directory
from widget_server.flows.import_csv import import_csv
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.flows.partners import add_partner
from widget_server.flows.turn import Turns
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.tables import signatures

TYPED = {
    "name": "Odile <b>Marchand</b> https://evil.example/name",
    "organization": "Évil & Sons https://evil.example/organization",
    "role": "role at evil.example",
    "city": "city.evil.example",
    "comment": "Visit https://evil.example/comment",
    "organization_website": "https://evil.example",
    "source": "evil-source",
    "page": "https://evil.example/page",
}


class Links(HTMLParser):
    """The addresses of an HTML part's links, and anything in it that would be fetched."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.fetched: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            self.found.append(given["href"] or "")
        self.fetched += [str(value) for name, value in attrs if name in ("src", "background", "srcset")]
        assert tag not in ("script", "img", "iframe", "object", "link", "form")


def links(handed: Handed) -> list[str]:
    in_text = re.findall(r"https?://\S+", handed.part("plain"))
    html = Links(handed.part("html"))
    assert (html.found, html.fetched) == (in_text, []), "both parts lead to the same places, and fetch nothing"
    assert "url(" not in handed.part("html")
    assert "@import" not in handed.part("html")
    return in_text


def about(seals: Seals, url: str) -> tuple[str, str]:
    """What a link is for, and which signature it is about."""
    path, token = url.removesuffix("/not-me").rsplit("/", 1)
    for purpose in ("confirm", "signer", "unsubscribe"):
        if (
            path
            == f"{PUBLIC_URL}/{ {'confirm': 'confirm', 'signer': 'signatures', 'unsubscribe': 'unsubscribe'}[purpose] }"
        ):
            return purpose, open_link(seals, purpose, token).signature_id  # type: ignore[arg-type]
    raise AssertionError(url)


@pytest.mark.parametrize("locale", ["en", "fr"])
async def test_it_asks_to_confirm_in_the_signers_language(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, seals: Seals, locale: str
) -> None:
    id_ = await sign(locale=locale)
    await dispatcher.drain()
    (handed,) = box.mails
    mail, text, html = handed.mail, handed.part("plain"), handed.part("html")
    title = {"en": "An Open Letter on Safe Passage", "fr": "Lettre ouverte pour un passage sûr"}[locale]
    assert mail["Subject"] == {
        "en": f"Confirm your signature: {title}", "fr": f"Confirmez votre signature\u00a0: {title}"
    }[locale]  # fmt: skip
    assert (mail["From"].addresses[0].display_name, mail["From"].addresses[0].addr_spec) == (
        "The Harbour Coalition", SENDER
    )  # fmt: skip
    assert (mail["Reply-To"], mail["Content-Language"]) == ("hello@example.org", locale)
    assert f'<html lang="{locale}"' in html
    confirm_, not_me, own, ask, letter = links(handed)
    assert about(seals, confirm_) == ("confirm", id_)
    assert not_me == f"{confirm_}/not-me"
    assert about(seals, own) == ("signer", id_)
    assert ask == f"{PUBLIC_URL}/{locale}/letters/letter/my-signature", "where the other link leads for 14 days only"
    assert letter == f"{PUBLIC_URL}/{locale}/letters/letter"
    unsubscribe = str(mail["List-Unsubscribe"]).replace(" ", "").strip("<>")
    assert about(seals, unsubscribe) == ("unsubscribe", id_)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for part in (text, html):
        assert "1 Example Street, Ottawa ON K1A 0A1" in part
        assert "hello@example.org" in part
        until = {"en": "July 4, 2026, 12:00 UTC", "fr": "4 juillet 2026 à 12\u00a0h UTC"}[locale]
        assert part.count(until) == 2, "of either link"
        days = re.findall(r"(?:July|June) \d+, 2026(?!, \d\d:\d\d UTC)|(?:juillet|juin) 2026(?! à 12\u00a0h UTC)", part)
        assert days == [], "a day alone is another one elsewhere"
    assert {"en": "Confirm my signature", "fr": "Confirmer ma signature"}[locale] in text


@pytest.mark.parametrize("kind", ["individual", "organization"])
async def test_no_word_that_a_signer_typed_reaches_a_stranger(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock, letter: Letter, kind: str
) -> None:
    await sign(kind=kind, **TYPED)
    await ask_for_page(log.db, letter, ODILE, clock())
    await dispatcher.drain()
    clock.advance(2 * 24 * 3600)
    await dispatcher.drain()
    assert len(box.mails) == 3
    for handed in box.mails:
        said = f"{handed.mail.as_string()} {handed.part('plain')} {handed.part('html')}".lower()
        for word in ("evil", "marchand<", "odile <", "sons", "<b>"):
            assert word not in said


async def test_who_has_signed_is_told_so_kindly_with_the_way_to_credit_the_other_partner(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock, letter: Letter, turns: Turns,
    directory: Directory, seals: Seals, partner: Partner,
) -> None:  # fmt: skip
    await add_partner(
        log.db, letter, "oak", name="Oak <i>& Co.", origins=["https://oak.example"], now=clock(), actor="test"
    )
    await directory.refresh(now_please=True)
    oak = await directory.partner(letter.id, "oak")
    assert oak is not None
    first = await sign(locale="en")
    await confirm(turns, letter, first)
    clock.advance(10 * 24 * 3600)
    second = await sign(through=oak, locale="en")
    third = await sign(locale="fr")
    ticked = await sign(through=oak, locale="en", partner_opt_in=True)
    await dispatcher.drain()
    by_id = {about(seals, links(handed)[0])[1]: handed for handed in box.mails}
    assert by_id.keys() == {second, third, ticked}
    elsewhere, again = by_id[second], by_id[third]
    kept = ["ticked" in handed.part("plain") or "cochées" in handed.part("plain") for handed in by_id.values()]
    assert kept == [id_ == ticked for id_ in by_id], "boxes are spoken of where some were ticked"
    assert elsewhere.mail["Subject"] == "Thank you, you have already signed: An Open Letter on Safe Passage"
    text = elsewhere.part("plain")
    assert "you signed “An Open Letter on Safe Passage” on June 20, 2026, 12:00 UTC, and your signature counts" in text
    assert "you signed through Oak <i>& Co.. If you go on, Oak <i>& Co. learns of it" in text
    assert "through Oak &lt;i&gt;&amp; Co.." in elsewhere.part("html")
    assert about(seals, links(elsewhere)[0]) == ("confirm", second), "the same link, which makes it an assist"
    assert about(seals, links(elsewhere)[2]) == ("signer", second)
    assert elsewhere.mail["List-Unsubscribe"] is not None
    assert "Maple" not in again.part("plain"), "the same partner has nothing to learn"
    assert "le 20 juin 2026 à 12\u00a0h UTC, et votre signature compte" in again.part("plain")
    clock.advance(2 * 24 * 3600)
    await dispatcher.drain()
    assert len(box.mails) == 3, "they need no reminder"

    assert (await confirm(turns, letter, second)).ended == "repeated"


async def test_who_was_refused_is_told_nothing_of_it(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, letter: Letter, turns: Turns
) -> None:
    first = await sign()
    await confirm(turns, letter, first)
    async with log.db.write() as writer:
        await writer.raw("UPDATE signers SET rejected = TRUE WHERE letter_id = ?", (letter.id,))
        await writer.execute(update(signatures).where(signatures.c.id == first).values(status="rejected"))
    second = await sign()
    assert (await log.signature(second)).quarantine == "rejected_before"
    await dispatcher.drain()
    assert [handed.mail["Subject"].partition("\u00a0")[0] for handed in box.mails] == ["Confirmez votre signature"]


@pytest.mark.parametrize("changes", [{"test": True}, {"quarantine": "fast,honeypot"}])
async def test_for_some_no_mail_is_promised(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, changes: dict[str, object]
) -> None:
    await sign(**changes)
    await dispatcher.drain()
    assert (await log.all(), box.mails) == ([], [])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"test": True}, "test: a webmaster was trying the embed"),
        ({"quarantine": "honeypot,fast"}, "honeypot: only a robot fills in that field"),
        ({"status": "withdrawn"}, "not_pending: it was confirmed, withdrawn or refused before this was sent"),
        ({"email": None}, "no_address: mail cannot go to what was stored as the address"),
        ({"email": "a@b\r\nBcc: c@d.org"}, "no_address: mail cannot go to what was stored as the address"),
    ],
)
async def test_for_some_there_is_nothing_to_say_any_more(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, changes: dict[str, object], why: str
) -> None:
    id_ = await sign()
    async with log.db.write() as writer:
        await writer.execute(update(signatures).where(signatures.c.id == id_).values(**changes))
    await dispatcher.drain()
    assert (await log.states(), box.mails) == ([("cancelled", 0, why)], [])


async def test_a_quarantined_one_is_written_to_like_anybody_but_where_the_letter_confirms_at_once(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, letter_folder: Path, clock: Clock,
    directory: Directory,
) -> None:  # fmt: skip
    await sign(quarantine="fast,not_shown")
    await dispatcher.drain()
    assert len(box.mails) == 1
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('"email"', '"none"'), "utf-8")
    await load_letter(log.db, letter_folder, now=clock(), actor="test")
    await directory.refresh(now_please=True)
    await sign("jo@example.org", quarantine="fast,not_shown")
    await sign("jo@example.org")
    await dispatcher.drain()
    assert [handed.recipient for handed in box.mails[1:]] == ["jo@example.org"], "one that waited before it changed"


async def test_a_closed_letter_asks_for_72_hours_more_and_says_until_when(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock, directory: Directory,
    letter: Letter,
) -> None:  # fmt: skip
    id_ = await sign(locale="en")
    await change_letter_status(log.db, "letter", "close", now=clock(), actor="test")
    clock.advance(71 * 3600)
    await directory.refresh(now_please=True)
    await dispatcher.drain()
    assert "The link works until June 23, 2026, 12:00 UTC." in box.mails[0].part("plain")
    clock.advance(3600)
    await ask_for_link(log.db, await log.signature(id_), clock())
    await dispatcher.drain()
    assert (await log.states())[-1][2] == "closed: the letter has been closed for too long to confirm anything"
    await ask_for_page(log.db, letter, ODILE, clock())
    await dispatcher.drain()
    assert "until July 7, 2026, 12:00 UTC." in box.mails[1].part("plain"), "one's own page has no such end"


async def test_the_way_to_ones_own_page_goes_to_the_address_that_was_confirmed(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock, letter: Letter, turns: Turns,
    seals: Seals,
) -> None:  # fmt: skip
    first = await sign("odile.marchand+1@example.org", locale="en")
    second = await sign("odile.marchand+2@example.org", kind="organization", organization="A Club", locale="fr")
    await ask_for_page(log.db, letter, "Odile.Marchand@example.org", clock())
    await dispatcher.drain()
    asked = [handed for handed in box.mails if handed.mail["List-Unsubscribe"] is None]
    assert [handed.recipient for handed in asked] == ["odile.marchand+2@example.org"], "the newest"
    assert about(seals, links(asked[0])[0]) == ("signer", second)
    assert asked[0].mail["Subject"] == "Votre page personnelle\u00a0: Lettre ouverte pour un passage sûr"

    await confirm(turns, letter, first)
    await sign("odile.marchand+3@example.org", locale="en")
    await ask_for_page(log.db, letter, ODILE, clock())
    await dispatcher.drain()
    asked = [handed for handed in box.mails if handed.mail["List-Unsubscribe"] is None]
    assert asked[1].recipient == "odile.marchand+1@example.org", "not one that somebody else may have typed"
    assert about(seals, links(asked[1])[0]) == ("signer", first), "the one that counts"
    assert len(links(asked[1])) == 2


async def test_an_imported_address_is_never_written_to(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock, letter: Letter, turns: Turns,
    tmp_path: Path, directory: Directory, seals: Seals,
) -> None:  # fmt: skip
    paper = tmp_path / "paper.csv"
    paper.write_text(f"Name,Type,Country,E-mail\nOdile Marchand,individual,CA,{ODILE}\n", "utf-8")
    house = await directory.house(letter)
    await import_csv(log.db, letter, house, paper, now=clock(), actor="test")
    await ask_for_page(log.db, letter, ODILE, clock())
    await dispatcher.drain()
    assert box.mails == []
    assert (await log.states("signer"))[0][0] == "cancelled"

    await sign(ODILE.upper())
    await ask_for_page(log.db, letter, ODILE, clock())
    await dispatcher.drain()
    already, own = sorted(box.mails, key=lambda handed: handed.mail["List-Unsubscribe"] is None)
    assert "déjà signé" in already.mail["Subject"]
    assert own.recipient == ODILE.upper().partition("@")[0] + "@example.org"


async def test_a_letter_without_identity_and_with_odd_words(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, letter_folder: Path, clock: Clock,
    directory: Directory,
) -> None:  # fmt: skip
    settings = letter_folder / "letter.toml"
    text = re.sub(r"\[identity\].*?\n\n", "", settings.read_text("utf-8"), flags=re.DOTALL)
    text = text.replace(
        "An Open Letter on Safe Passage", 'A <script>alert(1)</script> \\"letter\\", {title} & {more} 🙂'
    )
    settings.write_text(text.replace("hello@example.org", "h%C3@xn--exmple-cua.org"), "utf-8")
    await load_letter(log.db, letter_folder, now=clock(), actor="test")
    await directory.refresh(now_please=True)
    await sign(locale="en")
    await dispatcher.drain()
    (handed,) = box.mails
    title = 'A <script>alert(1)</script> "letter", {title} & {more} 🙂'
    assert handed.mail["From"].addresses[0].display_name == title
    assert handed.mail["Subject"] == f"Confirm your signature: {title}"
    assert f"The authors of the open letter “{title}” send this message." in handed.part("plain")
    assert "<script" not in handed.part("html")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &#34;letter&#34;" in handed.part("html")
    links(handed)


async def test_a_title_that_sneaks_in_a_header_is_a_title(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, letter: Letter, directory: Directory
) -> None:
    sneaky = letter.settings.model_copy(
        update={
            "title": {"en": "A\r\nBcc: other@example.org", "fr": "B\nBcc: other@example.org"},
            "identity": letter.settings.identity.model_copy(update={"legal_name": "C\r\n\r\nBcc: other@example.org"}),
        }
    )
    directory._contents = replace(directory._contents, letters={"letter": replace(letter, settings=sneaky)})
    await sign(locale="en")
    await dispatcher.drain()
    (handed,) = box.mails
    assert box.tried == [ODILE]
    assert handed.mail["Bcc"] is None
    assert handed.mail["Subject"] == "Confirm your signature: A Bcc: other@example.org"
    assert handed.mail["From"].addresses[0].display_name == "C Bcc: other@example.org"


async def test_the_link_is_issued_when_the_mail_leaves(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, seals: Seals, clock: Clock
) -> None:
    box.on_rcpt = lambda _: "451 later"
    await sign()
    await dispatcher.drain()
    clock.advance(6)
    box.on_rcpt = lambda _: None
    await dispatcher.drain()
    token = links(box.mails[0])[0].rpartition("/")[2]
    assert open_link(seals, "confirm", token).issued_at == clock()


async def test_an_address_of_another_script_goes_by_idna(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log
) -> None:
    await sign("jo@exämple.org")
    await sign("jörg@exämple.org")
    await dispatcher.drain()
    assert [handed.recipient for handed in box.mails] == ["jo@xn--exmple-cua.org"]
    assert sorted(await log.states())[1] == (
        "failed", 1, "smtp_utf8: the mail server takes no address with such letters"
    )  # fmt: skip


def test_until_is_never_after_the_link() -> None:

    assert (timedelta(days=14), timedelta(hours=72)) == (HOLDS, AFTER_CLOSING)
