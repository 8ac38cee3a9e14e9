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
    common=frozenset(
        (
            "der das den dem des ein eine einen einem einer und oder für über mit von vom zu zum zur im auf aus bei nach seit bis um ist sind "
            "ich mich mir du dich dir er sie es wir uns ihr ihm ihnen mein meine unser unsere wer wie wann wo welche welcher noch nicht kein "
            "keine schon alle alles bitte dass daran wenn falls hat haben habe hast wird wurde rechnung rechnungen angebot angebote kunde "
            "kunden kundin mahnung termin termine erinnere erinner erinnerung schick schicke sende schreib schreibe zeig zeige stell stelle "
            "bezahlt offen offene überfällig monatlich gebucht verschieb verschiebe sag absagen stornieren storniere freigeben ablehnen hilfe "
            "umsatz heute neuer neue anruf treffen merk merke leg lege buche ab"
        ).split()
    ),
    part_of=r"\s+von\s+(?:den\s+)?",
    content="dass|über|daran,",
    articles="der|die|das|den|dem|ein|eine|einen|einem|einer",
    before=r"bitte|kannst du(?: mir)?|könntest du(?: mir)?|würdest du|ich möchte|ich will|ich muss|wir müssen|hallo|moin|servus|guten (?:morgen|tag|abend)|also|und|okay|mal",
    after=r"bitte|danke(?: schön| dir)?|mal|kannst du|vielen dank",
    never=r"(?<!vergiss )(?<!vergessen sie )\b(?:nicht|niemals|keine?[nrms]?)\b(?! vergessen| mehr)",
    asking=r"wer|was|wie|wann|wo|welche\w*|warum|hat|haben|ist|sind|wurde|habe ich",
    condition=r"wenn|falls|sobald|sofern",
    small=("am", "um", "bis", "für", "ab", "über", "von", "vom", "im", "seit", "auf", "zum", "à", "jeden", "jede", "in"),
    requests={
        "invoice": (
            "[|schreib |schreibe |erstell |erstelle |stell ][|eine |die ]rechnung [an|für] {client} [über|von|:|,] {amount} für {what}, {terms}",
            "[|schreib |schreibe |erstell |erstelle |stell ][|eine |die ]rechnung [an|für] {client} [über|von|:|,] {amount} für {what}",
            "[|schreib |schreibe |erstell |erstelle |stell ][|eine |die ]rechnung [an|für] {client} [über|von|:|,] {amount}, {terms}",
            "[|schreib |schreibe |erstell |erstelle |stell ][|eine |die ]rechnung [an|für] {client} [über|von|:|,] {amount}",
            "rechnung [an |für |]{client} {amount}", "rechnung [an |für |]{client} {amount}, {terms}", "rechnung [an |für |]{client} {amount} für {what}",
            "[schick|schicke|sende|schreib|schreibe] {client} eine rechnung [über|von] {amount}",
            "[schick|schicke|sende|schreib|schreibe] {client} eine rechnung [über|von] {amount} für {what}",
            "[stell|stelle|berechne] {client} {amount} in rechnung", "berechne {client} {amount}", "berechne {client} {amount} für {what}",
            "[stell|stelle] {client} {amount} für {what} in rechnung", "{client} {amount} in rechnung stellen",
        ),
        "recurring_invoice": (
            "[|schreib |schick |stell ]{every} [|eine ]rechnung an {client} [über|von|,] {amount}", "rechnung an {client} {every} {amount}",
            "rechnung an {client} [über |]{amount} {every}", "rechnung an {client} über {amount} {every} für {what}",
            "[stell|stelle] {client} {every} {amount} in rechnung", "berechne {client} {every} {amount}", "berechne {client} {amount} {every}",
        ),
        "cancel_invoice": (
            "[storniere|stornier] {number}", "[storniere|stornier] [die |]rechnung {number}", "{number} stornieren", "rechnung {number} stornieren",
            "[storniere|stornier] die rechnung an {client}", "storno {number}", "gutschrift [zu|für] {number}", "die rechnung an {client} stornieren",
        ),
        "resend_invoice": (
            "[schick|schicke|sende] {number} [noch einmal|nochmal|erneut]", "[schick|schicke|sende] [die |]rechnung {number} [noch einmal|nochmal|erneut]",
            "[schick|schicke|sende] {client} die rechnung [noch einmal|nochmal|erneut]", "[schick|schicke|sende] die rechnung [noch einmal|nochmal|erneut] an {client}",
            "{number} [noch einmal|nochmal|erneut] [schicken|senden]", "rechnung {number} [noch einmal|nochmal|erneut] [schicken|senden]",
        ),
        "show_invoice": (
            "[zeig|zeige] mir [die |]rechnung {number}", "[zeig|zeige] [mir |]{number}", "rechnung {number}", "[zeig|zeige] mir die letzte rechnung",
            "[zeig|zeige] mir die letzte rechnung an {client}", "alle rechnungen", "[zeig|zeige] [mir |]alle rechnungen", "rechnungen an {client}",
            "alle rechnungen an {client}", "alle rechnungen [aus|von|im] {period}", "letzte rechnung", "wann ist {number} fällig",
            "was ist mit {number}", "welche rechnungen hat {client}",
        ),
        "unpaid": (
            "was ist [noch |]offen", "was ist [noch |]unbezahlt", "welche rechnungen sind [noch |]offen", "welche rechnungen sind [noch |]unbezahlt",
            "offene rechnungen", "[zeig|zeige] [mir |][die |]offene[n|] rechnungen", "wer schuldet mir [noch |]geld", "wer schuldet mir [noch |]was",
            "wer hat noch nicht [bezahlt|gezahlt]", "was ist überfällig", "was schuldet [mir|uns] {client}", "hat {client} [schon |]bezahlt",
            "hat {client} [schon |]gezahlt", "was ist bei {client} [noch |]offen", "überfällige rechnungen", "unbezahlte rechnungen", "offene posten",
        ),
        "mark_paid": (
            "{client} hat [bezahlt|gezahlt]", "{client} hat {amount} [bezahlt|gezahlt|überwiesen]", "{client} hat {number} [bezahlt|gezahlt|überwiesen]",
            "{number} ist bezahlt", "{number} wurde bezahlt", "{client} hat {day} [bezahlt|gezahlt]", "rechnung {number} ist bezahlt",
            "{client} hat die rechnung bezahlt", "{amount} von {client} [sind da|eingegangen|ist da|sind eingegangen|erhalten]", "zahlung von {client} ist da",
            "{client} hat {amount} auf {number} [bezahlt|gezahlt]",
        ),
        "remind_debtor": (
            "[mahne|mahn] {client}", "[mahne|mahn] {number}", "mahnung an {client}", "[schick|schicke|sende|schreib] {client} eine [mahnung|zahlungserinnerung]",
            "zahlungserinnerung an {client}", "erinnere {client} an die rechnung", "erinnere {client} an {number}", "erinnere {client} an die zahlung",
            "mahnung für {number}", "alle überfälligen mahnen", "mahne alle überfälligen rechnungen",
        ),
        "revenue": (
            "umsatz", "umsatz {period}", "wie viel habe ich {period} verdient", "wie viel haben wir {period} verdient", "was habe ich {period} verdient",
            "wie hoch [war|ist] der umsatz {period}", "umsatz mit {client}", "einnahmen", "einnahmen {period}", "wie viel habe ich {period} eingenommen",
        ),
        "send_proposal": (
            "angebot [an |für |]{client} [über|von|:|,] {amount} für {what}", "angebot [an |für |]{client} [über|von|:|,] {amount}",
            "[schick|schicke|sende|schreib|mach] {client} ein angebot [über|von] {amount}", "[schick|schicke|sende|schreib|mach] {client} ein angebot für {what}, {amount}",
            "[schick|schicke|sende|schreib|mach] {client} ein angebot [über|von] {amount} für {what}", "angebot [an|für] {client}: {what}, {amount}",
            "[schick|schicke|sende|schreib|mach] {client} ein angebot für {what}",
        ),
        "offers": (
            "welche angebote sind [noch |]offen", "offene angebote", "alle angebote", "[zeig|zeige] [mir |][alle |meine |]angebote", "angebote an {client}",
            "was ist mit dem angebot an {client}", "hat {client} das angebot angenommen",
        ),
        "decline_offer": ("{client} hat [das angebot |]abgelehnt", "{client} hat abgesagt, das angebot ist vom tisch"),
        "remind_me": (
            "[erinnere|erinner] mich {when} an {what}", "[erinnere|erinner] mich an {what} {when}", "[erinnere|erinner] mich {when} daran, {what}",
            "[erinnere|erinner] mich {when} daran dass {what}", "[erinnere|erinner] mich daran, {what} {when}", "[erinnere|erinner] mich {every} an {what}",
            "[erinnere|erinner] mich an {what} {every}", "[erinnere|erinner] mich {every} daran, {what}", "[erinnere|erinner] mich an {what}",
            "[erinnere|erinner] mich {when} {what}", "erinnerung {when}: {what}", "{when} an {what} erinnern", "[erinnere|erinner] mich {when}",
            "[erinnere|erinner] mich daran, {what}", "vergiss nicht: {what}", "vergiss nicht, mich {when} an {what} zu erinnern",
        ),
        "stop_standing": (
            "[lösch|lösche|streich|streiche] die erinnerung an {what}", "keine erinnerung mehr an {what}", "[stopp|stoppe|beende] die {every} rechnung an {client}",
            "[stopp|stoppe|beende] die wiederkehrende rechnung an {client}",
        ),
        "standing": ("was kommt regelmäßig", "was wiederholt sich", "wiederkehrende rechnungen", "regelmäßige rechnungen"),
        "agenda": (
            "was steht {day} an", "was steht an", "was habe ich {day} vor", "termine {day}", "meine termine", "[welche|was für] termine habe ich {day}",
            "was ist {day} los", "welche erinnerungen habe ich", "kalender", "mein kalender", "was liegt {day} an", "wann ist mein nächster termin",
        ),
        "find_time": (
            "wann habe ich zeit", "wann habe ich {day} zeit", "wann bin ich {day} frei", "bin ich {day} frei", "finde einen termin mit {client}",
            "finde {span} für {client}", "wann habe ich zeit für {client}", "[such|suche] einen termin mit {client}", "freie zeiten {day}", "habe ich {day} zeit",
        ),
        "book_meeting": (
            "[termin|treffen|meeting|call|telefonat|anruf] mit {client} {when}", "[termin|treffen|meeting|call] mit {client} {when} für {span}",
            "[mach|mache|buch|buche|vereinbar|vereinbare] [einen termin|ein treffen|ein meeting|einen call] mit {client} {when}",
            "{when} [termin|treffen|meeting|call] mit {client}", "[triff|treffe] {client} {when}", "mittagessen mit {client} {when}", "kaffee mit {client} {when}",
        ),
        "move_meeting": (
            "[verschieb|verschiebe|verleg|verlege] [den termin|das treffen|das meeting|den call] mit {client} auf {when}",
            "[verschieb|verschiebe|verleg|verlege] {client} auf {when}", "[termin|treffen|meeting|call] mit {client} auf {when} verschieben",
        ),
        "cancel_meeting": (
            "[sag|sage] [den termin|das treffen|das meeting|den call] mit {client} ab", "[termin|treffen|meeting|call] mit {client} absagen",
            "[sag|sage] den termin mit {client} {day} ab", "[streich|streiche] den termin mit {client}", "den termin mit {client} absagen",
        ),
        "write_mail": (
            "[schreib|schreibe|sag|sage|mail|maile] {client}[,|] dass {what}", "[schreib|schreibe|sag|sage|mail|maile] {client}: {what}",
            "[schreib|schreibe|schick|schicke] {client} eine mail: {what}", "[schreib|schreibe|schick|schicke] {client} eine mail[,|] dass {what}", "mail an {client}: {what}",
            "[schreib|schreibe] an {client}: {what}",
        ),
        "reply_mail": ("antworte {client}[,|] dass {what}", "antworte {client}: {what}", "antwort an {client}: {what}"),
        "follow_up": (
            "[frag|frage|hak|hake] bei {client} nach", "nachfassen bei {client}", "frag {client} nach dem angebot", "[hak|hake] bei {client} wegen {what} nach",
            "[frag|frage] {client}, wie es steht",
        ),
        "add_client": (
            "neuer kunde {name}, {email}", "neuer kunde: {name}, {email}", "neuer kunde {name}", "neue kundin {name}, {email}", "neue kundin {name}",
            "[leg|lege] {name} als [kunden|kundin] an", "[leg|lege] den kunden {name} an", "[leg|lege] einen [neuen |]kunden an: {name}, {email}",
            "[leg|lege] einen [neuen |]kunden an: {name}", "kunde {name} anlegen",
        ),
        "who_is": (
            "wer ist {client}", "was wissen wir über {client}", "alle kunden", "[zeig|zeige] [mir |][alle |meine |]kunden", "adresse von {client}",
            "wie ist die adresse von {client}", "wie ist die [mail|e-mail|email] von {client}", "mailadresse von {client}", "telefonnummer von {client}",
        ),
        "update_client": ("neue [mail|e-mail|email|adresse] von {client}: {value}", "neue [mail|e-mail|email] von {client} ist {email}", "{client} hat eine neue [mail|e-mail]: {email}"),
        "write_post": ("[schreib|schreibe] einen [post|beitrag] über {topic}", "[schreib|schreibe] einen [post|beitrag] zu {topic}", "[post|beitrag] über {topic}"),
        "remember": ("[merk|merke] dir[,|] dass {what}", "[merk|merke] dir: {what}", "notier: {what}", "notiere[,|] dass {what}"),
        "recall_fact": ("was weißt du über {query}", "was haben wir mit {query} vereinbart", "was hat {query} gesagt"),
        "report": ("bericht", "bericht {period}", "auswertung {period}", "wie lief {period}", "monatsbericht"),
        "project_status": ("wie steht es um [das |]projekt {client}", "wie weit ist das projekt für {client}", "projektstand", "projektstand {client}", "wie läuft das projekt mit {client}"),
        "triage": ("neue mails", "gibt es neue mails", "posteingang", "was ist im posteingang"),
        "digest": ("tagesbrief", "was gibt es neues", "was gibts neues", "guten morgen", "was ist passiert", "zusammenfassung"),
        "approvals": ("was wartet auf mich", "was muss ich freigeben", "offene freigaben", "freigaben"),
        "approve": ("{card} freigeben", "gib {card} frei", "genehmige {card}", "{card} genehmigen"),
        "reject": ("{card} ablehnen", "lehne {card} ab", "lehn {card} ab", "{card} verwerfen"),
        "undo": ("rückgängig", "mach das rückgängig", "nimm das zurück", "letztes rückgängig machen"),
        "help": ("hilfe", "was kannst du", "was kann ich sagen", "wie funktioniert das"),
        "stuck": ("was hängt", "was steckt fest", "was klemmt"),
        "pause": ("pause", "alles anhalten", "halt alles an", "stopp alles"),
        "resume": ("weiter", "weitermachen", "mach weiter"),
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
