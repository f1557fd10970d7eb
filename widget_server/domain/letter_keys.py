"""Every key of `letter.toml`, and what is expected there, in words for the person who writes it."""

from __future__ import annotations

from collections.abc import Mapping

ONE_LINE = "one line of text in each language of the letter"
_EMAIL = "an e-mail address such as letter@example.org"
_URL = "a web address that starts with https:// or http://"
TIME = "a date and time with its offset, such as 2026-09-30T23:59:00-04:00"
_USE = '"hidden", "optional" or "required"'
LINE = "one line of text, 1 to 400 characters"

EXPECTED: Mapping[str, str] = {
    "slug": "lower-case letters, digits and dashes, at most 64, with no dash at either end",
    "locales": 'a list of languages, the default one first, such as ["en", "fr"]',
    "locales[]": 'a language, such as "en"',
    "title": ONE_LINE + ", such as title.en",
    "title.LOCALE": LINE,
    "contact_email": _EMAIL,
    "statements": "one [[statements]] table or more, each with code, countries, text and list_title",
    "statements[]": "a table with code, countries, text and list_title",
    "statements[].code": 'lower-case letters, digits and dashes, such as "ca"',
    "statements[].countries": 'a list of ISO country codes such as ["CA"], or ["*"] for all the rest',
    "statements[].countries[]": 'an ISO 3166-1 alpha-2 code in capitals, such as "CA", or "*"',
    "statements[].text": "the statement in each language of the letter, such as text.en",
    "statements[].text.LOCALE": "text, 1 to 20,000 characters",
    "statements[].list_title": ONE_LINE + ", such as list_title.en",
    "statements[].list_title.LOCALE": LINE,
    "confirmation": '"email" or "none"',
    "organizations": '"review", "domain" or "listed"',
    "order": '"arrival" or "alphabetical"',
    "lists": '"mixed" or "apart"',
    "initiators": 'a list of names, such as ["Bridges Not Borders"]',
    "initiators[]": "a name as it stands in the list of signatories",
    "opens_at": TIME,
    "closes_at": TIME,
    "goal": "a whole number, 1 or more",
    "contact_days": "a whole number of days, 1 to 3650",
    "notify": "a list of e-mail addresses",
    "notify[]": _EMAIL,
    "fields": "a table with postal_code, city, comment, role",
    "fields.postal_code": _USE,
    "fields.city": _USE,
    "fields.comment": _USE,
    "fields.role": _USE,
    "identity": "a table with legal_name, postal_address, privacy_url, privacy_officer, phone",
    "identity.legal_name": LINE,
    "identity.postal_address": LINE,
    "identity.privacy_url": _URL,
    "identity.privacy_officer": LINE,
    "identity.phone": LINE,
    "index": "true or false",
    "resources": "[[resources]] tables, each with title and, if there is one, url",
    "resources[]": "a table with title and, if there is one, url",
    "resources[].title": ONE_LINE + ", such as title.en",
    "resources[].title.LOCALE": LINE,
    "resources[].url": _URL,
}
