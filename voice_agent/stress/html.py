"""Build HTML and SVG as a tree, so that whatever is put into it is escaped."""

import re
from xml.etree.ElementTree import Element, tostring

Child = Element | str | None
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def tag(name: str, /, *children: Child, **attributes: object) -> Element:
    """An element. Attributes that are None are left out; `class_` is class, `aria_label` is aria-label."""
    element = Element(name)
    for key, value in attributes.items():
        if value is not None:
            text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
            element.set(key.rstrip("_").replace("_", "-"), _printable(text))
    for child in children:
        add(element, child)
    return element


def add(element: Element, child: Child) -> None:
    """Put an element or a text at the end of another element; None is nothing."""
    if isinstance(child, Element):
        element.append(child)
    elif child and len(element):
        element[-1].tail = (element[-1].tail or "") + _printable(child)
    elif child:
        element.text = (element.text or "") + _printable(child)


def _printable(text: str) -> str:
    """Without characters that no document may hold: control characters and lone surrogates."""
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def svg(title: str, width: float, height: float, *children: Child) -> Element:
    """A drawing with a name for those who do not see it."""
    box = f"0 0 {width:g} {height:g}"
    return tag("svg", *children, viewBox=box, role="img", aria_label=title)


def table(caption: str, head: list[str], rows: list[list[Child]]) -> Element:
    """A table whose first column names the rows."""
    body = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows]
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head))),
            tag("tbody", *body),
        ),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=caption,
    )


def document(title: str, style: str, *body: Child) -> str:
    """A whole page that needs nothing but itself."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", style),
    )
    page = tag("html", head, tag("body", *body), lang="en")
    return "<!doctype html>\n" + tostring(page, encoding="unicode", method="html") + "\n"
