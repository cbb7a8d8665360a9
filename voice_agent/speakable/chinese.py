"""What Chinese says otherwise than it writes it: numbers of every kind, and units."""

import re
from collections.abc import Iterator

from voice_agent.speakable.numbers import chinese, chinese_digits, chinese_spoken
from voice_agent.speakable.rules import Piece, Rule, copied, rule

SIGNS = {"@": "艾特", ".": "点", "/": "斜杠", "_": "下划线"}
NUMBER = r"(?:\d{1,3}(?:[,，]\d{3})+(?!\d)|\d+)(?:\.\d+)?"
BEGINS, ENDS = r"(?<![a-zA-Z\d_.])(?<!\d[-–,:：/])", r"(?![a-zA-Z\d_]|[.,:：/]\d)"
"""Around a number that is no part of something longer; Chinese characters may touch it."""
MONEY = {"¥": "元", "￥": "元", "$": "美元", "US$": "美元", "€": "欧元", "£": "英镑", "HK$": "港元"}
CODES = {
    "CNY": "元", "RMB": "元", "USD": "美元", "EUR": "欧元", "GBP": "英镑", "JPY": "日元", "HKD": "港元",
}  # fmt: skip
UNITS = {
    "km/h": "公里每小时", "m/s": "米每秒", "km": "公里", "cm": "厘米", "mm": "毫米", "m": "米", "kg": "公斤",
    "mg": "毫克", "g": "克", "ml": "毫升", "mL": "毫升", "L": "升", "l": "升", "°C": "摄氏度", "℃": "摄氏度",
    "°F": "华氏度", "℉": "华氏度", "°": "度",
    "kWh": "千瓦时", "kW": "千瓦", "W": "瓦", "V": "伏", "Hz": "赫兹",
    "MHz": "兆赫", "GHz": "吉赫", "m²": "平方米", "㎡": "平方米", "m³": "立方米", "ms": "毫秒", "s": "秒",
    "min": "分钟", "h": "小时", "px": "像素",
}  # fmt: skip
UNIT = "|".join(
    re.escape(unit).replace("°", "°\\ ?") if len(unit) > 1 else re.escape(unit)
    for unit in sorted(UNITS, key=len, reverse=True)
)
COUNTED = (
    "个|位|名|件|只|台|本|张|次|天|周|年|点|小时|分钟|秒|种|条|家|块|份|双|套|盏|杯|瓶|箱|包|行|步|遍|倍|层|岁|米"
    "|公里|公斤|斤|升|元"
)
"""Before these, two is 两; measure words and units. Not before 月, 号, 日, 楼 and the like, which number."""
WORDS = {"&": "和", "+": "加", "=": "等于", "×": "乘", "≈": "约", "@": "艾特"}


def _amount(text: str) -> str:
    """A number before what it counts: 2 is 两."""
    return "两" if text == "2" else chinese_spoken(text)


def _phone_digits(text: str) -> str:
    """As numbers are told by telephone: 1 is 幺, with a rest between groups as they are written."""
    groups = re.findall(r"\d+", text)
    if len(groups) == 1 and len(text) == 11:
        groups = [text[:3], text[3:7], text[7:]]
    return "，".join(chinese_digits(group).replace("一", "幺") for group in groups)


def _phone(match: re.Match[str]) -> Iterator[Piece]:
    yield Piece("加" if match[0].startswith("+") else "", match.start())
    yield Piece(_phone_digits(match[0]), match.start())


def _code(match: re.Match[str]) -> Iterator[Piece]:
    """Digit by digit and letter by letter."""
    if match["before"]:
        yield copied(match, "before")
    for index, char in enumerate(match["code"]):
        if char.isalnum():
            yield Piece(chinese_digits(char) or char, match.start("code") + index)


def _date(match: re.Match[str]) -> str:
    year, month, day = chinese_digits(match["year"]), chinese(int(match["mm"])), chinese(int(match["dd"]))
    return f"{year}年{month}月{day}日"


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"])
    said = ("两" if hour == 2 else chinese(hour)) + "点"
    if minute == 30:
        return said + "半"
    if minute:
        return f"{said}{'零' if minute < 10 else ''}{chinese(minute)}分"
    return said + ("整" if match["hour"] else "")


def _money(match: re.Match[str]) -> Iterator[Piece]:
    given = match.groupdict()
    sign = given.get("sign")
    name = MONEY[sign.upper()] if sign else CODES[given["code"].upper()]
    yield Piece(_amount(_trimmed(given["number"])), match.start())
    if given["high"]:
        yield Piece("到" + _amount(_trimmed(given["high"])), match.start("high"))
    yield Piece((given["scale"] or "") + name, match.end() - 1)


def _trimmed(number: str) -> str:
    """An amount of money without needless zeros: 20.50 is 20.5, and 20.00 is 20."""
    return number.rstrip("0").rstrip(".") if "." in number else number


def _unit(match: re.Match[str]) -> Iterator[Piece]:
    minus = "负" if match["minus"] and "°" not in match["unit"] else "零下" if match["minus"] else ""
    yield Piece(minus + _amount(match["number"]), match.start())
    yield Piece(UNITS[match["unit"].replace(" ", "")], match.start("unit"))


def _range(match: re.Match[str]) -> Iterator[Piece]:
    counted = re.match(COUNTED, match.string[match.end() :])
    yield Piece(_amount(match["low"]) if counted else chinese_spoken(match["low"]), match.start())
    yield Piece("到" + chinese_spoken(match["high"]), match.start("high"))


def _ratio(match: re.Match[str]) -> Iterator[Piece]:
    yield Piece(chinese_spoken(match["low"]), match.start())
    yield Piece("比" + chinese_spoken(match["high"]), match.start("high"))


def _percents(match: re.Match[str]) -> Iterator[Piece]:
    yield Piece(f"百分之{chinese_spoken(match['low'])}", match.start())
    if match["high"]:
        yield Piece(f"到百分之{chinese_spoken(match['high'])}", match.start("high"))


RULES: tuple[Rule, ...] = (
    # Digit by digit: phone numbers, and what the text calls a number or a code.
    rule(
        r"""(?<![\d.+-])(?:\+86[-\ ]?)?1[3-9]\d(?:[-\ ]?\d{4}){2}(?![\d-])
            | (?<![\d-])0\d{2,3}-\d{7,8}(?![\d-]) | (?<![\d-])[48]00-?\d{3}-?\d{4}(?!\d)
            | (?<=电话)\d{3,15} | (?<=拨打)\d{3,15} | (?<=致电)\d{3,15}
            | (?<!\w)\+\d(?:[-\ ]?\d){6,14}(?!\d)""",
        _phone,
    ),
    rule(
        r"""(?P<before>(?:[单编账帐货]号|号码|尾号|卡号|验证码|密码|优惠码|编码|房间|航班)[是为：:\s]*)\#?
            (?P<code>(?=[a-z\d-]*\d)[A-Z\d]+(?:-[A-Z\d]+)*)(?![a-z\d_]|[.,:/]\d) """,
        _code,
    ),
    rule(r"(?P<before>)\#(?P<code>\d{3,})(?![\d.])", _code),
    rule(r"\#(?=\d)", lambda match: ""),
    rule(r"\bno\.\ ?(?P<number>\d+)", lambda match: f"{chinese(int(match['number'][:15]))}号"),
    # Dates and times.
    rule(r"(?<!\d)(?P<year>[12]\d{3})\ ?(?=年)", lambda match: chinese_digits(match["year"])),
    rule(
        r"(?<![\d-])(?P<year>[12]\d{3})[-/.](?P<mm>0?[1-9]|1[0-2])[-/.](?P<dd>0?[1-9]|[12]\d|3[01])(?![\d.-])",
        _date,
    ),
    rule(r"(?<![\d:：.])(?P<hour>[01]?\d|2[0-4])[:：](?P<minute>[0-5]\d)(?:[:：][0-5]\d)?(?![\d:：])", _time),
    rule(rf"{BEGINS}(?P<number>\d{{1,2}})\ ?(?=[月日号])", lambda match: chinese(int(match["number"]))),
    # Amounts.
    rule(
        rf"""(?<![a-zA-Z])(?P<sign>US\$|HK\$|[¥￥$€£])\ ?(?P<number>{NUMBER})
            (?:[-–~～至][¥￥$€£]?(?P<high>{NUMBER}))?\ ?(?P<scale>[万亿千百]*)(?![a-zA-Z\d]|[.,]\d)""",
        _money,
    ),
    rule(
        rf"""{BEGINS}(?P<number>{NUMBER})(?:[-–~～](?P<high>{NUMBER}))?\ ?(?P<scale>[万亿]?)\ ?
            (?P<code>{'|'.join(CODES)})(?![a-zA-Z])""",
        _money,
    ),
    rule(rf"{BEGINS}(?P<low>{NUMBER})(?:%?[-–~～](?P<high>{NUMBER}))?\ ?%", _percents),
    rule(
        rf"""{BEGINS}(?P<minus>(?<![a-zA-Z\d_)）])[-−](?=\d))?(?P<number>{NUMBER})\ ?
            (?P<unit>(?-i:{UNIT}))(?![a-zA-Z\d²³]|/[a-z])""",
        _unit,
    ),
    rule(rf"{BEGINS}(?P<low>{NUMBER})\ ?[-–~～]\ ?(?P<high>{NUMBER})(?![a-zA-Z\d]|[-–.,:/]\d)", _range),
    rule(
        rf"{BEGINS}(?P<over>[1-9]\d?)/(?P<under>[1-9]\d?){ENDS}(?!/)",
        lambda match: f"{chinese(int(match['under']))}分之{chinese(int(match['over']))}",
    ),
    rule(r"(?<=第)\ ?(?P<number>\d{1,15})(?!\d)", lambda match: chinese(int(match["number"]))),
    rule(rf"{BEGINS}2\ ?(?=(?:{COUNTED})(?!月))", lambda match: "两"),
    rule(
        r"(?<![a-zA-Z\d_.])\d+(?:\.\d+){2,}(?![a-zA-Z\d_]|\.\d)",
        lambda match: "点".join(chinese_spoken(part) for part in match[0].split(".")),
    ),
    rule(
        rf"(?<![a-zA-Z\d_.,)）-])[-−](?P<number>{NUMBER}){ENDS}",
        lambda match: f"负{chinese_spoken(match['number'])}",
    ),
    rule(rf"{BEGINS}(?P<low>\d+)[:：](?P<high>\d+){ENDS}", _ratio),
    rule(rf"{BEGINS}\d[\d,]*\.\d+(?=\ ?元)", lambda match: chinese_spoken(_trimmed(match[0]))),
    rule(rf"{BEGINS}{NUMBER}(?![a-zA-Z\d_]|[.,]\d)", lambda match: chinese_spoken(match[0])),
    rule(r"(?<=[\s\d\u4e00-\u9fff])[&+=×≈@](?=[\s\d\u4e00-\u9fff])", lambda match: WORDS[match[0]]),
)  # fmt: skip
