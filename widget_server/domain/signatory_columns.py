"""How other people's lists of signatories say things: column names, kinds and countries, in English and
French.

Everything is compared folded (no accents, no case, no punctuation), so each form stands here once.
"""

from __future__ import annotations

from collections.abc import Mapping

from widget_server.domain.names import fold
from widget_server.domain.signatures import Kind

_COLUMNS: Mapping[str, str] = {
    "name": "Name|Full name|Signatory|Signatory name|Signature|Signed by|Nom|Nom complet|Nom et prénom"
    "|Prénom et nom"
    "|Signataire|Nom du signataire|Nom de la personne",
    "kind": "Type|Kind|Genre|Category|Catégorie|Signatory type|Type de signataire|Sorte",
    "country": "Country|Country name|Country code|Pays|Code pays|Code du pays|Nom du pays",
    "email": "E-mail|Email|E mail address|Email address|Mail|Courriel|Adresse courriel|Adresse de courriel"
    "|Adresse électronique|Adresse e-mail|Adresse mail|Mél",
    "organization": "Organization|Organisation|Organization name|Organisation name|Organisme"
    "|Nom de l'organisation"
    "|Nom de l'organisme|Affiliation|Association|Group|Groupe|Institution|Company|Employer|Employeur",
    "role": "Role|Rôle|Title|Titre|Position|Poste|Function|Fonction|Job title|Titre du poste|Profession",
    "city": "City|Town|City or town|Ville|Municipalité|Localité",
    "postal_code": "Postal code|Postcode|Post code|ZIP|ZIP code|Postal or ZIP code|Code postal|CP",
    "organization_website": "Website|Web site|Organization website|Organisation website|URL|Site|Site web"
    "|Site internet"
    "|Site de l'organisation|Site de l'organisme",
    "date": "Date|Signed at|Signed on|Date signed|Signature date|Created at|Confirmed at|Timestamp"
    "|Date de signature"
    "|Signé le|Horodatage",
    "locale": "Language|Locale|Lang|Langue",
}

FIELDS: tuple[str, ...] = tuple(_COLUMNS)
NEEDED = ("name", "kind", "country")
CERTAIN = frozenset({*NEEDED, "email", "organization"})
"""Fields that are never guessed at: two columns that both look like one are an error."""

COLUMNS: Mapping[str, str] = {
    **{fold(form): field for field, forms in _COLUMNS.items() for form in forms.split("|")},
    **{fold(field): field for field in FIELDS},
}
"""Folded column name → field."""

_KINDS: Mapping[Kind, str] = {
    "individual": "Individual|Person|Personal|Private individual|Natural person|Individu|Individuel"
    "|Individuelle"
    "|Personne|Personne physique|Particulier|Particulière|Citizen|Citoyen|Citoyenne|I|P",
    "organization": "Organization|Organisation|Organisational|Organizational|Org|Organisme|Association"
    "|Group|Groupe"
    "|Institution|NGO|ONG|OSBL|Non-profit|Nonprofit|Collective|Collectif|Company|Entreprise"
    "|Personne morale|O",
}
KINDS: Mapping[str, Kind] = {fold(form): kind for kind, forms in _KINDS.items() for form in forms.split("|")}

_COUNTRIES: Mapping[str, str] = {
    "US": "USA|U.S.|U.S.A.|United States of America|The United States|États-Unis|États-Unis d'Amérique"
    "|É.-U.|É.-U.A."
    "|EUA|E-U|Etats Unis|America|Amérique",
    "GB": "UK|U.K.|Great Britain|Britain|England|Scotland|Wales|Northern Ireland|Royaume-Uni|R.-U."
    "|Grande-Bretagne"
    "|Angleterre|Écosse|Pays de Galles|Irlande du Nord"
    "|United Kingdom of Great Britain and Northern Ireland",
    "CA": "CAN|Canada (Québec)|Dominion of Canada",
    "FR": "FRA|République française|French Republic",
    "MX": "MEX|Mexico|México|Mexique",
    "CD": "DRC|DR Congo|Democratic Republic of the Congo|Congo (DRC)|RDC|République démocratique du Congo",
    "CG": "Republic of the Congo|Congo|République du Congo",
    "CI": "Ivory Coast|Côte d'Ivoire|Cote d Ivoire",
    "CZ": "Czech Republic|République tchèque",
    "KR": "South Korea|Republic of Korea|Corée du Sud|République de Corée",
    "KP": "North Korea|Corée du Nord",
    "RU": "Russia|Russian Federation|Russie|Fédération de Russie",
    "SY": "Syria|Syrian Arab Republic|Syrie",
    "IR": "Iran|Islamic Republic of Iran|Iran (Islamic Republic of)",
    "VN": "Vietnam|Viet Nam|Viêt Nam",
    "LA": "Laos|Lao PDR",
    "MD": "Moldova|Republic of Moldova|Moldavie|Moldova",
    "TZ": "Tanzania|United Republic of Tanzania|Tanzanie",
    "BO": "Bolivia|Bolivie|Plurinational State of Bolivia",
    "VE": "Venezuela|Bolivarian Republic of Venezuela",
    "PS": "Palestine|State of Palestine|Palestinian Territories|Territoires palestiniens|État de Palestine",
    "TR": "Turkey|Türkiye|Turquie",
    "MK": "Macedonia|North Macedonia|Macédoine|Macédoine du Nord",
    "SZ": "Swaziland|Eswatini",
    "MM": "Burma|Myanmar|Birmanie",
    "CV": "Cape Verde|Cabo Verde|Cap-Vert",
    "NL": "Holland|The Netherlands|Netherlands|Pays-Bas|Hollande",
    "AE": "UAE|United Arab Emirates|EAU|Émirats arabes unis",
    "HK": "Hong Kong",
    "TW": "Taiwan|Taïwan",
    "VA": "Vatican|Holy See|Saint-Siège",
    "BS": "The Bahamas|Bahamas",
    "GM": "The Gambia|Gambia|Gambie",
    "KY": "Cayman Islands|Îles Caïmans",
}
COUNTRY_FORMS: Mapping[str, str] = {fold(form): code for code, forms in _COUNTRIES.items() for form in forms.split("|")}
"""Folded usual form → ISO code, for forms that neither an ISO code nor the name in either language covers."""
