"""German: amounts, days, terms and recurrences as they are typed beside English or alone."""

# ruff: noqa: SIM905 - a phrase stands on one line, and a list of words is read as text

from __future__ import annotations

from agents.slots.language import Language

_SMALL = (
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
).split()
_TENS = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
_ORDINALS = "erste zweite dritte vierte fünfte".split()
_MONTHS = "januar februar märz april mai juni juli august september oktober november dezember".split()
_WEEKDAYS = "montag dienstag mittwoch donnerstag freitag samstag sonntag".split()

_BY = "(?:(?:bis|am|zum|vor|ab|seit|bis zum|für) )?"
_EDGE = "(?P<edge>ende|anfang|mitte)"
_DUE = "(?:fällig|zahlbar)"
_EACH = "(?:jeden|jede|jedes|alle)"
_BIG = "(?P<big>woche|monats?|quartals?|jahre?s?)"
_WHICH = "(?P<which>letzten|letzte|letztes|vorigen|nächsten|nächste|nächstes|kommenden|diesen|diese|dieses)"

LANGUAGE = Language(
    code="de",
    numbers={
        **{word: value for value, word in enumerate(_SMALL)},
        **{word: 10 * value for value, word in enumerate(_TENS, 2)},
        **dict.fromkeys(("eine", "einen", "einem", "einer", "eins"), 1),
        **{f"{word}hundert": 100 * value for value, word in enumerate(_SMALL) if value},
        **{
            f"{many}tausend{few}hundert": 1000 * max(thousands, 1) + 100 * hundreds
            for thousands, many in enumerate(("", *_SMALL[1:13]))
            for hundreds, few in enumerate(_SMALL[:10])
            if hundreds
        },
        **{f"{word}tausend": 1000 * value for value, word in enumerate(_SMALL[:13]) if value},
        "hundert": 100,
    },
    scales={"tausend": 1000, "million": 1_000_000, "millionen": 1_000_000},
    joiners=("und",),
    ordinals={
        **{f"{word}{end}": value for value, word in enumerate(_ORDINALS, 1) for end in ("", "n", "r", "s")},
        **dict.fromkeys(("letzte", "letzten", "letzter"), -1),
    },
    ordinal_mark=r"\.|ten",
    months={
        **{word: value for value, word in enumerate(_MONTHS, 1)},
        **{word[:3]: value for value, word in enumerate(_MONTHS, 1)},
        "sept": 9,
        "maerz": 3,
    },
    weekdays={
        **{word: value for value, word in enumerate(_WEEKDAYS)},
        **{word[:2]: value for value, word in enumerate(_WEEKDAYS)},
        "sonnabend": 5,
    },
    units={
        **dict.fromkeys(("minute", "minuten", "min"), "minute"),
        **dict.fromkeys(("stunde", "stunden", "std", "h"), "hour"),
        **dict.fromkeys(("tag", "tage", "tagen", "tages"), "day"),
        **dict.fromkeys(("woche", "wochen"), "week"),
        **dict.fromkeys(("monat", "monate", "monaten", "monats"), "month"),
        **dict.fromkeys(("quartal", "quartale", "quartalen", "quartals"), "quarter"),
        **dict.fromkeys(("jahr", "jahre", "jahren", "jahres"), "year"),
    },
    currencies={
        **dict.fromkeys(("euro", "euros"), "EUR"),
        **dict.fromkeys(("dollar", "dollars"), "$"),
        **dict.fromkeys(("pfund",), "GBP"),
        **dict.fromkeys(("schweizer franken", "franken", "stutz"), "CHF"),
        **dict.fromkeys(("kronen",), "kr"),
    },
    cents=("cent", "cents"),
    day_words={"heute": 0, "morgen": 1, "gestern": -1, "übermorgen": 2, "vorgestern": -2},
    which={
        **dict.fromkeys(("letzten", "letzte", "letztes", "vorigen"), -1),
        **dict.fromkeys(("nächsten", "nächste", "nächstes", "kommenden"), 1),
    },
    edges={"ende": "end", "anfang": "start", "mitte": "middle"},
    edge_units={"monatsende": "month", "jahresende": "year", "wochenende": "week"},
    clock_words={
        "mittag": (12, 0),
        "mittags": (12, 0),
        "mitternacht": (0, 0),
        "früh": (9, 0),
        "vormittag": (9, 0),
        "vormittags": (9, 0),
        "nachmittag": (14, 0),
        "nachmittags": (14, 0),
        "abend": (19, 0),
        "abends": (19, 0),
    },
    clock_steps={"viertel nach": (1, 15), "viertel vor": (-1, 15), "halb": (-1, 30)},
    adverbs={
        "täglich": ("day", 1),
        "wöchentlich": ("week", 1),
        "monatlich": ("month", 1),
        "vierteljährlich": ("quarter", 1),
        "quartalsweise": ("quarter", 1),
        "jährlich": ("year", 1),
    },
    shy=frozenset({"mai", "mo", "di", "mi", "do", "fr", "sa", "so", "mär"}),
    shy_before=r"(?:\b(?:im|am|für|seit|bis|ab|vom|zum|und|jeden|nächsten|letzten)\s|\d\.\s?|[,/-]\s?)$",
    past=r"\b(?:bezahlt|eingegangen|kam|war|wurde|hat|haben|überwiesen|gezahlt)\b",
    join=r"[\s,]*(?:um|gegen|am|,|-)?\s*",
    feasts={"heiligabend": (12, 24), "weihnachten": (12, 25), "silvester": (12, 31), "neujahr": (1, 1)},
    rough=r"(?:ein paar|einige|mehrere|etwa|rund|circa|ca\.|ungefähr|bis zu|mindestens|höchstens|~)\s*",
    ranged=r"\s*(?:-|–|bis|oder)\s*",
    times=r"(?:à|a|x|×|\*|mal|zu|je)",
    due=r"(?:fällig|zahlbar)(?:(?:\s+(?:bis|am))?(?:\s+zum)?)",
    per=r"(?:\s*/\s*|\s+(?:pro|je|die)\s+)",
    vat={
        "zzgl. mwst": "plus",
        "zzgl. ust": "plus",
        "plus mwst": "plus",
        "netto zzgl. mwst": "plus",
        "inkl. mwst": "included",
        "inkl. ust": "included",
        "brutto": "included",
        "ohne mwst": "none",
    },
    phrases=(
        ("terms.net", r"(?:netto|zahlungsziel:?|ziel) <n>(?: tagen?)?"),
        ("terms.net", rf"{_DUE} (?:in|innerhalb von|binnen|nach) <n> <unit>"),
        ("terms.net", rf"(?:in|innerhalb von|binnen) <n> <unit> {_DUE}"),
        ("terms.net", r"<n> <unit> (?:netto|zahlungsziel|ziel)"),
        ("terms.receipt", rf"sofort {_DUE}|{_DUE} sofort|bei erhalt|{_DUE} bei erhalt"),
        ("terms.eom", rf"{_DUE} (?:zum |am )?(?:ende des monats|monatsende)"),
        ("every.nth", rf"{_EACH} <ord> <weekday>(?: im monat)?"),
        ("every.monthday", r"(?:am )?<ord> (?:jeden|jedes) monats"),
        ("every.workday", rf"{_EACH} (?:werktag|arbeitstag)|werktags"),
        ("every.weekdays", rf"{_EACH} <weekday>(?: und <weekday2>)?"),
        ("every.n", rf"{_EACH} <n> <unit>"),
        ("every.unit", rf"{_EACH} <unit>"),
        ("every.word", r"(?P<word>täglich|wöchentlich|monatlich|vierteljährlich|quartalsweise|jährlich)"),
        ("every.per", r"/ ?(?P<unit>woche|monat|quartal|jahr)"),
        ("every.per", r"(?:pro|im) (?P<unit>woche|monat|quartal|jahr)"),
        ("moment.tonight", r"heute (?P<part>abend|nachmittag|vormittag)"),
        ("day.offset", r"(?:bis |ab |für )?(?P<word>heute|übermorgen|morgen|vorgestern|gestern)"),
        ("day.in", r"in <n> <unit>"),
        ("day.ago", r"vor <n> <unit>"),
        ("day.weekday_next", rf"{_BY}(?:nächsten|nächster|nächste woche) <weekday>"),
        ("day.weekday_last", r"(?:am )?letzten <weekday>"),
        ("day.weekday", rf"{_BY}(?:(?:diesen|kommenden) )?<weekday>"),
        ("day.month_day", rf"{_BY}(?:(?:den|<weekday>,?) )?(?P<ord>\d{{1,2}}\.) ?<month>(?: <year>)?"),
        ("day.month_day", rf"{_BY}<d> <month>(?: <year>)?"),
        ("day.ordinal", r"(?:am|bis zum|zum) (?P<ord>\d{1,2}\.)(?= *(?:$|[,;!?)]|(?:um|und|für|an)\b))"),
        ("day.nth_weekday", rf"{_BY}<ord> <weekday> im <month>(?: <year>)?"),
        ("day.feast", rf"{_BY}(?:an )?<feast>"),
        ("day.month_edge", rf"{_BY}{_EDGE} <month>(?: <year>)?"),
        ("day.unit_edge", rf"{_BY}{_EDGE} (?:des |der )?(?:{_WHICH} )?{_BIG}"),
        ("day.unit_edge", r"(?:bis |zum |am )?(?P<short>monatsende|jahresende)"),
        ("period.unit", rf"(?:im |in der |in |für |seit )?{_WHICH} {_BIG}"),
        ("period.last_n", r"(?:in den |die )?letzten <n> <unit>"),
        ("period.quarter", r"(?:im |in )?q(?P<q>[1-4])(?: <year>)?"),
        ("period.since", r"seit <month>(?: <year>)?"),
        ("period.months", r"(?:von )?<month> bis <month2>"),
        ("period.month", r"(?:(?P<before>im|für|letzten|nächsten) )?<month>(?: <year>)?"),
        ("period.year", r"(?:in|im jahr|für) <year>"),
        ("span.half_hour", r"(?:eine )?halbe stunde"),
        ("span.unit", r"(?:für )?<n> ?<unit>"),
        ("time.hm", r"(?:um |gegen |ab )?(?P<h>[01]?\d|2[0-3])[:.](?P<m>[0-5]\d)(?: uhr)?"),
        ("time.24", r"(?:um |gegen |ab )?(?P<h>[01]?\d|2[0-3]) uhr(?: (?P<m>[0-5]\d))?"),
        ("time.24", r"um (?P<h>[01]?\d|2[0-3])"),
        ("time.past", r"(?:um )?(?P<rel>viertel) (?P<dir>nach|vor) <n>"),
        ("time.past", r"(?:um )?(?P<rel>halb)(?P<dir>) <n>"),
        ("time.word", r"(?P<word>mittags?|mitternacht|früh|vormittags?|nachmittags?|abends?)"),
    ),
)  # fmt: skip
