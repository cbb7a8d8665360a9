"""What English says otherwise than it writes it: numbers of every kind, units, abbreviations."""

import re
from collections.abc import Iterator

from voice_agent.speakable import numbers
from voice_agent.speakable.numbers import cardinal, ordinal, plural, spoken
from voice_agent.speakable.rules import Piece, Rule, copied, rule

SIGNS = {"@": "at", ".": "dot", "/": "slash", "_": "underscore"}
NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
BEGINS, ENDS = r"(?<![\w.])(?<!\d[-–,:/])", r"(?!\w|[.,:/]\d)"
"""Around a number that is no part of something longer."""
NAMES = ["January", "February", "March", "April", "May", "June", "July"]
NAMES += ["August", "September", "October", "November", "December"]
MONTHS = {name[:3].lower(): name for name in NAMES}
MONTH = "(?P<month>(?-i:" + "|".join(f"{name}|{name[:3]}\\.?" for name in NAMES) + "|Sept\\.?))"
DAY = r"(?P<day>3[01]|[12]\d|0?[1-9])"
YEAR = r"(?P<year>[12]\d{3})"
MONEY = {
    "$": ("dollar", "cent"),
    "US$": ("dollar", "cent"),
    "USD": ("dollar", "cent"),
    "€": ("euro", "cent"),
    "EUR": ("euro", "cent"),
    "£": ("pound", "penny"),
    "GBP": ("pound", "penny"),
    "¥": ("yen", "sen"),
    "JPY": ("yen", "sen"),
    "CNY": ("yuan", "fen"),
    "RMB": ("yuan", "fen"),
}
INVARIABLE = {"yen", "yuan", "sen", "fen"}
SCALES = {"k": "thousand", "m": "million", "bn": "billion", "b": "billion"}
UNITS = {
    "%": "percent", "km/h": "kilometer/s per hour", "mph": "mile/s per hour", "m/s": "meter/s per second",
    "km": "kilometer/s", "cm": "centimeter/s", "mm": "millimeter/s", "m": "meter/s", "mi": "mile/s",
    "ft": "foot/feet", "yd": "yard/s", "kg": "kilogram/s", "mg": "milligram/s", "g": "gram/s",
    "lb": "pound/s", "lbs": "pound/s", "oz": "ounce/s", "l": "liter/s", "ml": "milliliter/s",
    "°C": "degree/s Celsius", "℃": "degree/s Celsius", "°": "degree/s", "°F": "degree/s Fahrenheit",
    "℉": "degree/s Fahrenheit", "kWh": "kilowatt hour/s", "kW": "kilowatt/s", "W": "watt/s", "V": "volt/s",
    "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz", "KB": "kilobyte/s",
    "MB": "megabyte/s", "GB": "gigabyte/s", "TB": "terabyte/s", "Mbps": "megabit/s per second",
    "px": "pixel/s", "ms": "millisecond/s", "s": "second/s", "sec": "second/s", "secs": "second/s",
    "min": "minute/s", "mins": "minute/s", "h": "hour/s", "hr": "hour/s", "hrs": "hour/s",
    "m²": "square meter/s", "m³": "cubic meter/s", "sq ft": "square foot/feet",
}  # fmt: skip
"""With the ending for more than one after "/"."""
UNIT = "|".join(
    re.escape(unit).replace("°", "°\\ ?") if len(unit) > 1 else re.escape(unit)
    for unit in sorted(UNITS, key=len, reverse=True)
)
FRACTIONS = {(1, 2): "one half", (1, 4): "one quarter", (3, 4): "three quarters"}
ABBREVIATIONS = {
    "mr": "Mister", "mrs": "Missus", "ms": "Miz", "dr": "Doctor", "prof": "Professor", "jr": "Junior",
    "sr": "Senior", "capt": "Captain", "gen": "General", "sgt": "Sergeant", "lt": "Lieutenant", "mt": "Mount",
    "e.g": "for example", "i.e": "that is", "etc": "et cetera", "vs": "versus", "approx": "approximately",
    "inc": "Incorporated", "ltd": "Limited", "corp": "Corporation", "dept": "Department", "ave": "Avenue",
    "blvd": "Boulevard", "apt": "Apartment", "ext": "extension", "tel": "telephone",
    "fig": "figure", "vol": "volume", "jan": "January", "feb": "February",
    "apr": "April", "jun": "June", "jul": "July", "aug": "August", "sept": "September",
    "sep": "September", "oct": "October", "nov": "November", "dec": "December", "mon": "Monday",
    "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "thurs": "Thursday", "fri": "Friday",
}  # fmt: skip
"""What ends in a dot."""
WORDS = {
    "w/o": "without", "w/": "with", "&": "and", "+": "plus", "=": "equals", "×": "times", "@": "at",
    "≈": "about",
}  # fmt: skip


def _count(number: str, name: str) -> str:
    """ "1 day", "2.5 days": a unit's name in its number, "meter/s per second" being both."""
    one, more = re.sub(r"/\w+", "", name), name.replace("foot/", "").replace("/", "")
    return one if number == "1" else more


def _grouped(text: str) -> str:
    """Digit by digit, with a rest between the groups in which they are written."""
    return ", ".join(numbers.digits(group) for group in re.findall(r"\d+", text))


def _code(match: re.Match[str]) -> Iterator[Piece]:
    """Digit by digit and letter by letter."""
    if match["before"]:
        yield copied(match, "before")
        yield Piece(" ", match.end("before"))
    said = [(numbers.digits(char) or char, at) for at, char in enumerate(match["code"]) if char.isalnum()]
    for index, (name, at) in enumerate(said):
        yield Piece(name + (" " if index + 1 < len(said) else ""), match.start("code") + at)


def _phone(match: re.Match[str]) -> str:
    return ("plus " if match[0].startswith("+") else "") + _grouped(match[0])


def _month(match: re.Match[str]) -> Piece:
    return Piece(MONTHS[match["month"][:3].lower()], match.start("month"))


def _month_day(match: re.Match[str]) -> Iterator[Piece]:
    yield _month(match)
    yield Piece(" " + ordinal(int(match["day"])), match.start("day"))
    if match["year"]:
        yield Piece(", " + numbers.year(int(match["year"])), match.start("year"))


def _day_month(match: re.Match[str]) -> Iterator[Piece]:
    yield Piece(f"the {ordinal(int(match['day']))} of ", match.start("day"))
    yield _month(match)
    if match["year"]:
        yield Piece(", " + numbers.year(int(match["year"])), match.start("year"))


def _month_year(match: re.Match[str]) -> Iterator[Piece]:
    yield _month(match)
    yield Piece(" " + numbers.year(int(match["year"])), match.start("year"))


def _date(match: re.Match[str]) -> str:
    """2025-05-03, or 5/3/2025 as Americans write it."""
    name = NAMES[int(match["mm"]) - 1]
    return f"{name} {ordinal(int(match['dd']))}, {numbers.year(int(match['year']))}"


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), match["minute"]
    half = match["half"] and match["half"][0].upper() + " M"
    if not half and minute and (hour > 12 or hour == 0):
        half = "A M" if hour == 0 else "P M"
        hour = hour - 12 if hour else 12
    if minute and int(minute):
        said = f"{cardinal(hour)} {'oh ' if int(minute) < 10 else ''}{cardinal(int(minute))}"
    else:
        said = cardinal(hour) if half else f"{cardinal(hour)} o'clock"
    return f"{said} {half}" if half else said


def _money(match: re.Match[str]) -> Iterator[Piece]:
    given = match.groupdict()
    name, small = MONEY[(given.get("sign") or given["code"]).upper()]
    number, high, scale = given["number"], given.get("high"), given["scale"]
    whole, _, cents = number.partition(".")
    names = name if name in INVARIABLE else f"{name}s"
    if high or scale or len(cents) not in (0, 2):
        yield Piece(spoken(number), match.start())
        if high:
            yield Piece(f" to {spoken(high)}", match.start("high"))
        if scale:
            yield Piece(f" {SCALES.get(scale.lower(), scale)}", match.start("scale"))
        yield Piece(f" {names}", match.end() - 1)
        return
    said = [f"{spoken(whole)} {name if whole == '1' else names}"] if int(whole.replace(",", "")) else []
    if cents.strip("0"):
        many = {"penny": "pence", "cent": "cents"}.get(small, small)
        said.append(f"{cardinal(int(cents))} {small if int(cents) == 1 else many}")
    yield Piece(" and ".join(said) or f"zero {names}", match.start())


def _unit(match: re.Match[str]) -> Iterator[Piece]:
    unit = match["unit"].replace(" ", "") if "°" in match["unit"] else match["unit"]
    yield Piece(("minus " if match["minus"] else "") + spoken(match["number"]), match.start())
    if match["high"]:
        yield Piece(f" to {spoken(match['high'])}", match.start("high"))
    yield Piece(" " + _count(match["high"] or match["number"], UNITS[unit]), match.start("unit"))


def _range(match: re.Match[str]) -> Iterator[Piece]:
    yield Piece(spoken(match["low"]), match.start())
    yield Piece(" to " + spoken(match["high"]), match.start("high"))


def _fraction(match: re.Match[str]) -> str:
    over, under = int(match["over"]), int(match["under"])
    if said := FRACTIONS.get((over, under)):
        return said
    if under < 3:
        return f"{cardinal(over)} over {cardinal(under)}"
    return f"{cardinal(over)} {ordinal(under) if over == 1 else plural(ordinal(under))}"


def _ordinal(match: re.Match[str]) -> str:
    digits = match["number"].replace(",", "")
    return ordinal(int(digits)) if len(digits) <= numbers.LONGEST else numbers.digits(digits)


def _decade(match: re.Match[str]) -> str:
    decade = int(match["decade"])
    return plural(numbers.year(decade) if decade > 100 else cardinal(decade))


def _abbreviation(match: re.Match[str]) -> Iterator[Piece]:
    word, ends = match["word"], not match.string[match.end() :].strip()
    full = ABBREVIATIONS[word.lower()]
    yield Piece(full if word[0].isupper() else full[0].lower() + full[1:], match.start())
    if ends:
        yield Piece(".", match.end() - 1)


RULES: tuple[Rule, ...] = (
    # Digit by digit: phone numbers, and what the text calls a number or a code.
    rule(
        r"""(?<![\w.]) (?:\+\d{1,3}[-.\ ]?)? (?:1[-.\ ])? (?:\(\d{2,4}\)\ ?|\d{3}[-.\ ])\d{3}[-.\ ]\d{4}\b
            | (?<!\w)\+\d(?:[-\ ]?\d){6,14}\b | (?<![\w.-])\d{3}-\d{4}\b(?!-)
            | (?<=\bcall\ )\d{7,15}\b | (?<=\btel\.\ )\d{7,15}\b | (?<=\bphone\ )\d{7,15}\b""",
        _phone,
    ),
    rule(
        r"""(?:(?P<before>\b(?:number|code|pin|id|tracking|reference|ref\.?|invoice)(?:\ (?:is|number|code))?)
            :?\ \#?|\#)
            (?P<code>(?-i:(?=[A-Z\d-]*\d)(?=[A-Z\d-]*[A-Z])[A-Z\d]+(?:-[A-Z\d]+)*)|\d{3,}(?:-\d+)*)(?!\w|[.,:/]\d)""",
        _code,
    ),
    rule(
        r"""(?P<before>\b(?:order|account|flight|booking))[ ]
            (?P<code>(?-i:(?=[A-Z\d-]*\d)(?=[A-Z\d-]*[A-Z])[A-Z\d]+(?:-[A-Z\d]+)*))(?!\w)""",
        _code,
    ),
    rule(r"\#(?=\d)", lambda match: "number "),
    rule(r"\bno\.\ (?=\d)", lambda match: [Piece("number ", match.start())]),
    # Dates and times.
    rule(rf"\b{MONTH}\ {DAY}(?:st|nd|rd|th)?(?!\w|[.:,/]\d)(?:,?\ {YEAR}(?![\w-]))?", _month_day),
    rule(rf"\b(?:the\ )?{DAY}(?:st|nd|rd|th)?\ (?:of\ )?{MONTH}(?!\w)(?:,?\ {YEAR}(?![\w-]))?", _day_month),
    rule(rf"\b{MONTH}\ {YEAR}(?![\w-])", _month_year),
    rule(r"(?<![\w-])(?P<year>[12]\d{3})-(?P<mm>0[1-9]|1[0-2])-(?P<dd>0[1-9]|[12]\d|3[01])(?![\w-])", _date),
    rule(
        r"(?<![\w/])(?P<mm>0?[1-9]|1[0-2])/(?P<dd>0?[1-9]|[12]\d|3[01])/(?P<year>[12]\d{3})(?![\w/])", _date
    ),
    rule(
        r"""(?<![\w:.])(?=\d+:\d\d|\d+\ ?[ap]\.?m\b)
            (?P<hour>[01]?\d|2[0-3])(?::(?P<minute>[0-5]\d)(?::[0-5]\d)?)?
            (?:\ ?(?P<half>[ap]\.?m\b\.?))? (?![\w:])""",
        _time,
    ),
    rule(
        r"""(?: (?<=\b(?:in|of|by)\ ) | (?<=\b(?:since|until|after)\ ) | (?<=\b(?:year|from)\ ) )
            (?:1[1-9]|20)\d\d(?!\w|[.,:/-]\d|\ (?!was\b|has\b|is\b)[a-z]+s\b)""",
        lambda match: numbers.year(int(match[0])),
    ),
    rule(r"(?<!\w)'?(?P<decade>(?:1[1-9]|20)\d0|[2-9]0)['’]?s\b", _decade),
    # Amounts.
    rule(
        rf"""(?<!\w)(?P<sign>US\$|[$€£¥])\ ?(?P<number>{NUMBER})(?:[-–][$€£¥]?(?P<high>{NUMBER}))?
            (?:\ ?(?P<scale>k|m|bn|b|thousand|million|billion|trillion)\b)?(?!\w|[.,]\d)""",
        _money,
    ),
    rule(
        rf"""{BEGINS}(?P<number>{NUMBER})(?:\ (?P<scale>thousand|million|billion))?\ ?
            (?P<code>(?-i:USD|EUR|GBP|JPY|CNY|RMB)|[€£¥])(?!\w)""",
        _money,
    ),
    rule(r"(?<!\w)24/7\b", lambda match: "twenty-four seven"),
    rule(
        rf"""{BEGINS}(?P<minus>(?<![\w)])[-−](?=\d))?(?P<number>{NUMBER})
            (?:\ ?[-–]\ ?(?P<high>{NUMBER}))?\ ?(?P<unit>(?-i:{UNIT}))(?![\w²³]|/\w)""",
        _unit,
    ),
    rule(rf"{BEGINS}(?P<low>{NUMBER})(?:\ ?[-–]\ ?|:)(?P<high>{NUMBER})(?!\w|[-–.,:/]\d)", _range),
    rule(rf"{BEGINS}(?P<over>[1-9]\d?)/(?P<under>[1-9]\d?){ENDS}(?!/)", _fraction),
    rule(
        rf"{BEGINS}(?P<number>\d{{1,3}}(?:,\d{{3}})+|\d+)(?:st|nd|rd|th)\b",
        _ordinal,
    ),
    rule(
        r"(?<![\w.])\d+(?:\.\d+){2,}(?!\w|\.\d)",
        lambda match: " point ".join(spoken(part) for part in match[0].split(".")),
    ),
    rule(rf"(?<![\w.,)-])[-−](?P<number>{NUMBER}){ENDS}", lambda match: f"minus {spoken(match['number'])}"),
    rule(rf"{BEGINS}(?P<number>{NUMBER})(?!\w|[.,]\d)", lambda match: spoken(match["number"])),
    # Abbreviations and signs.
    rule(r"\bst\.(?=\ [A-Z])", lambda match: "Saint"),
    rule(
        rf"(?<![\w.])(?P<word>{'|'.join(re.escape(word) for word in ABBREVIATIONS)})\.(?!\w)",
        _abbreviation,
    ),
    rule(r"(?<!\S)(?:w/o|w/)(?=\s)", lambda match: WORDS[match[0].lower()]),
    rule(r"(?<=\s)[&+=×@≈](?=\s)", lambda match: WORDS[match[0]]),
)  # fmt: skip
