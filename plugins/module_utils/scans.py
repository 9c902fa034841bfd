# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Scanned labels: a text file as a keyboard-wedge scanner leaves it, in; phones out.

With a header the columns say what is what. Without one each line is a code, and the codes of one unit follow each other.

Sources: the vendor chapter says no more than that a bar code gives the MAC address or the serial number; neither which codes a box
has nor their order is documented, so any order is taken. Serial numbers of 11 and 12 characters, some of them nothing but
hexadecimal digits (``88019FA42805``), are seen in field captures. Who owns an OUI is the IEEE's register, as netaddr brings it
along. Product IDs are those of Cisco's field notice FN72302.
"""

from __future__ import annotations

import csv
import functools
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from .families import BUILTIN, Catalogue, Model, ModelError
from .mac import Mac, MacError, parse_mac

try:
    import netaddr
except ImportError:
    netaddr = None

MAC = "phone_mac"
SERIAL = "phone_serial"
MODEL = "phone_model"
CUSTOMER = "phone_customer"
NAME = "name"

SYNONYMS = {
    MAC: ("mac", "mac address", "mac addr", "mac id", "ethernet address"),
    SERIAL: ("serial", "serial number", "serial no", "s/n", "sn"),
    MODEL: ("model", "model name", "model number", "product", "product id", "pid", "part number", "p/n", "pn"),
    CUSTOMER: ("customer", "customer name", "client"),
    "phone_site": ("site", "location"),
    NAME: ("name", "host", "host name"),
}
"""What a column or a label may be called, beside the variable's own name; case, spaces and punctuation do not matter."""

_CISCO = r"cisco|linksys|sipura"
_MAKERS = {
    "ata19x": _CISCO,
    "spa": _CISCO,
    "mpp": _CISCO,
    "grandstream": r"grandstream",
    "yealink": r"yealink",
    "poly": r"\bpoly(com)?\b|plantronics",
    "snom": r"\bsnom\b",
}
# By family, a pattern of the owners in the register; a family that is not here is not checked.

_PRODUCT_IDS = (
    # FN72302: ATA192-3PW-K9, CP-8851-3PCC-K9=, CP-8811-3PCC-K9++=, CP-8811-3PC-RC-K9=, CP-6861-3PW-K9. Two letters before -K9 other
    # than RC are a guess.
    (re.compile(r"(ATA\d{3})-3PW(?:-[A-Z]{2})?-K9(?:\+\+)?=?"), r"\1"),
    (re.compile(r"(CP-\d{4})-3P(?:CC|C|W)(?:-[A-Z]{2})?-K9(?:\+\+)?=?"), r"\1-3PCC"),
    # A guess: two characters of region or edition, as in SPA122-XU
    (re.compile(r"(SPA\d{3,4}[A-Z]?\d?)-[A-Z0-9]{2}"), r"\1"),
)
# FN72302 too: CP-8851-K9=, CP-8851NR-K9=, CP-8832-EU-W-K9, ATA191-K9
_OTHER_FIRMWARE = re.compile(r"(?:CP-\d{4}|ATA\d{3})\S*-K9(?:\+\+)?=?")

_BARE = re.compile(r"[0-9A-F]{12}", re.IGNORECASE)
_SERIAL = re.compile(r"[0-9A-Z][0-9A-Z._/-]{3,31}")
# A code without a name must look more like one: digits and capitals, at least a digit
_SERIAL_CODE = re.compile(r"(?=.*[0-9])[0-9A-Z]{8,20}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_VARIABLE = re.compile(r"phone_[a-z0-9_]+")
_DELIMITERS = ",;\t"
_CONTROLS = {code: None for code in (*range(32), 127) if chr(code) not in "\t\n"}
# RFC 7042: addresses for documentation, which examples of every model use
_DOCUMENTATION = "00005e0053"

HOW_TO_TELL = "write a header line such as mac,serial above the codes, or MAC: before the MAC address"


class ScanError(ValueError):
    """The scans cannot become phones; one sentence a line for all that is wrong, each naming file and line."""


@dataclass(frozen=True)
class ScannedPhone:
    """One unit as it was scanned."""

    name: str
    line: int
    mac: Mac
    model: Model
    groups: tuple[str, ...]
    """Its groups of customer and model."""
    variables: Mapping[str, str]
    """The phone_* variables that the file gives, phone_mac and phone_model always among them."""


@dataclass(frozen=True)
class Scans:
    """What a file holds, and a sentence on each thing that looks wrong but need not be."""

    phones: tuple[ScannedPhone, ...]
    warnings: tuple[str, ...] = ()


class _Code(NamedTuple):
    """A cell or a scanned code. *kind* is the variable that it is for, empty where it may be a MAC address or a serial number."""

    line: int
    text: str
    kind: str
    likely: bool = False
    """Of a code that may be both: its OUI belongs to somebody."""


_Unit = dict[str, _Code]
"""The codes of one unit by kind."""


@dataclass
class _Problems:
    """Sentences by line, each once."""

    file: str
    found: dict[tuple[int, str], None] = field(default_factory=dict)

    def add(self, line: int, sentence: str) -> None:
        self.found[line, sentence] = None

    def stop_if_any(self) -> None:
        if self.found:
            raise ScanError("\n".join(f"{self.file} line {line}: {sentence}" for line, sentence in sorted(self.found)))


def decode(data: bytes, file: str) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with its mark as spreadsheets save it; raise ScanError naming the line."""
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ScanError(f"{file} line {line}: it is not UTF-8 text; save the file as UTF-8") from error


def read_scans(
    text: str,
    file: str,
    *,
    defaults: Mapping[str, str] | None = None,
    catalogue: Catalogue = BUILTIN,
    prefixes: Mapping[str, str] | None = None,
) -> Scans:
    """Make phones of the text of *file*, whose name is for messages alone; raise ScanError for all that is wrong.

    *defaults*: variables such as phone_customer and phone_model for units that have none. *prefixes*: of the names of groups, by
    phone_customer and phone_model.
    """
    if netaddr is None:
        raise ScanError("the Python library netaddr is missing on the controller; install it, as pip install netaddr")
    defaults = defaults or {}
    if MODEL in defaults:
        try:
            find_model(defaults[MODEL], catalogue)
        except ModelError as error:
            raise ScanError(f"the model for all units without one: {error}") from error
    problems = _Problems(file)
    warnings: list[str] = []
    lines = ["" if line.lstrip().startswith("#") else line for line in _lines(text)]
    header = _find_header(lines)
    units = _read_table(lines, header, problems, warnings) if header else _read_codes(lines, catalogue, problems)
    reader = _Reader(defaults, catalogue, prefixes or {CUSTOMER: "customer_", MODEL: "model_"}, problems)
    phones = [phone for phone in (reader.read(line, unit) for line, unit in units) if phone]
    problems.stop_if_any()
    if not phones:
        warnings.append("it holds no unit")
    warnings += _doubtful_ouis(phones)
    return Scans(tuple(phones), tuple(f"{file}: {sentence}" for sentence in warnings))


def read_label(text: str, catalogue: Catalogue = BUILTIN) -> dict[str, str]:
    """Return what one scan of one label holds, by variable; raise ScanError.

    A code that may be a MAC address as well as a serial number, and stands alone, is named by the empty string.
    """
    cells = [cell.strip() for line in _lines(text) for cell in re.split(f"[{_DELIMITERS}]", line) if cell.strip()]
    problems = _Problems("label")
    codes = [code for code in _codes(1, cells, catalogue, problems) if code.text]
    kinds = Counter(code.kind for code in codes if code.kind)
    twice = [kind for kind, count in kinds.items() if count > 1]
    if twice:
        problems.add(1, f"the label holds more than one {_kinds(twice)}; scan one unit at a time")
    named = {code.kind: code for code in codes} if len(codes) == 1 else _name_codes(codes, problems) or {}
    if problems.found:
        raise ScanError("; ".join(sentence for _line, sentence in problems.found))
    return {kind: code.text for kind, code in named.items()}


def find_model(text: str, catalogue: Catalogue = BUILTIN) -> Model:
    """Return the model that a label means: its name, its product name or its product ID; raise ModelError."""
    model = _look_up(text, catalogue)
    if model:
        return model
    if _OTHER_FIRMWARE.fullmatch(text.strip().upper()):
        raise ModelError(f"'{text}' is the product ID of a unit with other firmware; multiplatform units have 3PCC or 3PW in it")
    return catalogue.find_model(text)


def _look_up(text: str, catalogue: Catalogue) -> Model | None:
    code = text.strip().upper()
    names = [code, *(pattern.sub(name, code) for pattern, name in _PRODUCT_IDS if pattern.fullmatch(code))]
    labels = _labels(catalogue)
    return next((labels[name] for name in names if name in labels), None)


@functools.lru_cache(maxsize=4)
def _labels(catalogue: Catalogue) -> dict[str, Model]:
    products = {model.product.upper(): model for model in catalogue.models.values()}
    return products | {name.upper(): model for name, model in catalogue.models.items()}


def group_name(prefix: str, value: str) -> str:
    """Return *prefix* and *value* as a group's name: small letters without accents, digits, underscores; empty if none is left."""
    letters = [letter for letter in unicodedata.normalize("NFKD", value.casefold()) if not unicodedata.combining(letter)]
    slug = re.sub(r"[\W_]+", "_", unicodedata.normalize("NFC", "".join(letters))).strip("_")
    name = f"{prefix}{slug}"
    return name if slug and name.isidentifier() else ""


def oui_owner(mac: Mac) -> str:
    """Return who owns the first half of *mac* in the IEEE's register; empty if nobody does, or the register cannot be read."""
    return _owner(mac.plain[:6])


@functools.cache
def _register_is_right() -> bool:
    """Debian 12's netaddr reads the register with the index of an older one, so that it names others as owners."""
    try:
        return "cisco" in netaddr.OUI(0x00000C).registration().org.lower()
    # Where the index leads may be no record at all
    except Exception:
        return False


@functools.cache
def _owner(oui: str) -> str:
    if not _register_is_right():
        return ""
    try:
        entry = netaddr.OUI(int(oui, 16))
    except netaddr.NotRegisteredError:
        return ""
    return ", ".join(entry.registration(index).org for index in range(entry.reg_count))


def _is_makers(mac: Mac, pattern: str) -> bool:
    return mac.plain.startswith(_DOCUMENTATION) or bool(re.search(pattern, oui_owner(mac), re.IGNORECASE))


_ANY_MAKER = "|".join(_MAKERS.values())


def _lines(text: str) -> list[str]:
    # Scanners end a code with CR, LF, both or TAB, and some put control characters around it
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS).split("\n")


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


_KINDS = {_bare(name): kind for kind, names in SYNONYMS.items() for name in (kind, *names)}


def _kind(name: str) -> str:
    """Return the variable that a column or label of this name is for; empty if none."""
    variable = name.strip().lower()
    return _KINDS.get(_bare(name), variable if _VARIABLE.fullmatch(variable) else "")


def _unlabel(text: str) -> tuple[str, str]:
    """Split ``S/N: FCH0000D001`` into kind and code; the kind is empty where no known label stands before the code."""
    end = re.search("[:=#]", text)
    if end and _kind(text[: end.start()]):
        return _kind(text[: end.start()]), text[end.start() :].lstrip(" :=#")
    words = text.split()
    for count in (2, 1):
        if len(words) > count and _kind(" ".join(words[:count])):
            return _kind(" ".join(words[:count])), " ".join(words[count:])
    return "", text


# ---- with a header


class _Header(NamedTuple):
    line: int
    delimiter: str
    columns: tuple[str, ...]


def _find_header(lines: list[str]) -> _Header | None:
    """Return the first line that is not blank, if one of its cells is a column's name."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            rows = {delimiter: _cells(line, delimiter) for delimiter in _DELIMITERS}
            known = {delimiter: sum(bool(_kind(cell)) for cell in cells) for delimiter, cells in rows.items()}
            best = max(_DELIMITERS, key=known.__getitem__)
            return _Header(number, best, tuple(cell.strip() for cell in rows[best])) if known[best] else None
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return [line]


def _read_table(lines: list[str], header: _Header, problems: _Problems, warnings: list[str]) -> Iterator[tuple[int, _Unit]]:
    """Yield line and codes of each unit."""
    kinds = [_kind(column) for column in header.columns]
    for kind in {kind for kind in kinds if kind}:
        same = [column for column, other in zip(header.columns, kinds, strict=True) if other == kind]
        if len(same) > 1:
            problems.add(header.line, f"the columns {' and '.join(same)} all mean {kind}; keep one")
    if MAC not in kinds:
        problems.add(header.line, f"no column holds the MAC address; call it one of {', '.join(SYNONYMS[MAC])}")
    if problems.found:
        return
    ignored = [column for column, kind in zip(header.columns, kinds, strict=True) if column and not kind]
    if ignored:
        warnings.append(f"columns that are ignored: {', '.join(ignored)}; for variables of a phone write phone_ before the name")
    rows = csv.reader(io.StringIO("\n".join(lines[header.line :])), delimiter=header.delimiter, strict=True)
    line = header.line + 1
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if any(cells[len(kinds) :]):
                count = f"{len(cells)} cells and the header {len(kinds)}"
                problems.add(line, f"it has {count}; put a cell that holds {header.delimiter!r} in double quotes")
            elif any(cells):
                named = zip(kinds, cells, strict=False)
                yield line, {kind: _Code(line, _strip_label(kind, cell), kind) for kind, cell in named if kind}
            line = header.line + 1 + rows.line_num
    except csv.Error as error:
        problems.add(line, f"it cannot be read as a table: {error}; check its quotes")


def _strip_label(kind: str, text: str) -> str:
    found, code = _unlabel(text)
    return code if found == kind else text


# ---- one code a line


def _read_codes(lines: list[str], catalogue: Catalogue, problems: _Problems) -> Iterator[tuple[int, _Unit]]:
    """Yield line and codes of each unit. Codes of one unit follow each other; ``customer=example`` holds for what follows."""
    settings: _Unit = {}
    blocks: list[list[_Code]] = [[]]
    for number, line in enumerate(lines, 1):
        setting = _setting(number, line)
        cells = [cell.strip() for cell in re.split(f"[{_DELIMITERS}]", line) if cell.strip()]
        if setting:
            yield from _units(blocks, settings, problems)
            blocks = [[]]
            settings = {**settings, setting.kind: setting}
        elif len(cells) == 1:
            blocks[-1] += _codes(number, cells, catalogue, problems)
        else:
            # A blank line, or one that holds a whole unit
            blocks += [_codes(number, cells, catalogue, problems), []]
    yield from _units(blocks, settings, problems)


def _setting(number: int, line: str) -> _Code | None:
    name, found, value = line.partition("=")
    kind = _kind(name) if found else ""
    return _Code(number, value.strip(), kind) if kind and kind not in (MAC, SERIAL, NAME) else None


def _codes(number: int, cells: list[str], catalogue: Catalogue, problems: _Problems) -> list[_Code]:
    codes = [_classify(number, cell, catalogue) for cell in cells]
    for cell, code in zip(cells, codes, strict=True):
        if code is None:
            problems.add(number, f"'{cell[:40]}' is neither a MAC address nor a serial number nor a known model")
    return [code for code in codes if code]


def _classify(number: int, cell: str, catalogue: Catalogue) -> _Code | None:
    kind, text = _unlabel(cell)
    if kind:
        return _Code(number, text, kind)
    if _look_up(text, catalogue) or _OTHER_FIRMWARE.fullmatch(text.upper()):
        return _Code(number, text, MODEL)
    try:
        mac = parse_mac(text)
    except MacError:
        if _BARE.fullmatch(text):
            return _Code(number, text, "")
        if _BARE.fullmatch(re.sub(r"[-:. ]", "", text)):
            return _Code(number, text, MAC)
        return _Code(number, text, SERIAL) if _SERIAL_CODE.fullmatch(text.upper()) else None
    if not _BARE.fullmatch(text) or _is_makers(mac, _ANY_MAKER):
        return _Code(number, text, MAC)
    return _Code(number, text, "", likely=bool(oui_owner(mac)))


def _units(blocks: list[list[_Code]], settings: _Unit, problems: _Problems) -> Iterator[tuple[int, _Unit]]:
    filled = [block for block in blocks if block]
    if all(len(block) == 1 for block in filled):
        # The scanner itself sends a blank line after each code
        filled = [[block[0] for block in filled]]
    for block in filled:
        units = [_name_codes(unit, problems) for unit in _split(block)]
        for unit in _alike([unit for unit in units if unit], problems):
            yield _first_line(unit), {**settings, **unit}


def _split(block: Iterable[_Code]) -> Iterator[list[_Code]]:
    """Cut where a kind of code comes again. Of MAC address, serial number and codes that may be either, a unit has two."""
    unit: list[_Code] = []
    for code in block:
        kinds = [other.kind for other in unit]
        numbers = sum(kind in (MAC, SERIAL, "") for kind in kinds)
        if (code.kind and code.kind in kinds) or (code.kind in (MAC, SERIAL, "") and numbers == 2):
            yield unit
            unit = []
        unit.append(code)
    if unit:
        yield unit


def _name_codes(unit: list[_Code], problems: _Problems) -> _Unit | None:
    """Say which is the MAC address by what else the unit has, then by whether the OUI is somebody's; None if neither tells."""
    named = {code.kind: code for code in unit if code.kind}
    open_codes = [code for code in unit if not code.kind]
    if len(open_codes) == 1 and (MAC in named or SERIAL in named or open_codes[0].likely):
        named[SERIAL if MAC in named else MAC] = open_codes[0]
    elif len(open_codes) == 2 and open_codes[0].likely != open_codes[1].likely:
        serial, mac = sorted(open_codes, key=lambda code: code.likely)
        named |= {MAC: mac, SERIAL: serial}
    elif open_codes:
        codes = " and ".join(f"'{code.text}'" for code in open_codes)
        problems.add(open_codes[0].line, f"{codes} may be a MAC address as well as a serial number; {HOW_TO_TELL}")
        return None
    return named


def _alike(units: list[_Unit], problems: _Problems) -> Iterator[_Unit]:
    """Yield the units that have the same kinds of codes as most; a code that was left out would pair the rest wrongly."""
    most = Counter(frozenset(unit) for unit in units).most_common(1)
    for unit in units:
        if frozenset(unit) == most[0][0]:
            yield unit
        else:
            problems.add(
                _first_line(unit),
                f"this unit has {_kinds(unit)}, but others around it have {_kinds(most[0][0])}; a code is missing here or before:"
                " scan it, or put blank lines around each unit",
            )


def _kinds(unit: Iterable[str]) -> str:
    return " and ".join(sorted(kind.removeprefix("phone_") for kind in unit)).replace("mac", "MAC address")


def _first_line(unit: _Unit) -> int:
    return min(code.line for code in unit.values())


# ---- units to phones


class _Reader:
    """Makes phones of units and notes what no two may share."""

    def __init__(self, defaults: Mapping[str, str], catalogue: Catalogue, prefixes: Mapping[str, str], problems: _Problems) -> None:
        self._defaults = defaults
        self._catalogue = catalogue
        self._prefixes = prefixes
        self._problems = problems
        self._taken: dict[tuple[str, str], int] = {}
        self._group_values: dict[str, tuple[str, int]] = {}

    def read(self, line: int, unit: _Unit) -> ScannedPhone | None:
        """Note each thing that is wrong; return the phone, which counts only if nothing is, or None."""
        fields = {kind: _Code(line, text, kind) for kind, text in self._defaults.items() if text}
        fields |= {kind: code for kind, code in unit.items() if code.text}
        if CUSTOMER in fields:
            fields[CUSTOMER] = fields[CUSTOMER]._replace(text=" ".join(fields[CUSTOMER].text.split()))
        mac = self._mac(fields, line)
        model = self._model(fields, line)
        serial = self._serial(fields)
        name = self._name(fields, mac)
        texts = {kind: code.text for kind, code in sorted(fields.items()) if kind != NAME}
        if model:
            texts[MODEL] = model.name
        groups = [
            self._group(kind, texts[kind], fields[kind].line)
            for kind in (CUSTOMER, MODEL)
            if kind in texts and (model or kind != MODEL)
        ]
        self._take(fields, mac, serial, name, line)
        if mac is None or model is None:
            return None
        variables = {**texts, MAC: mac.colon, **({SERIAL: serial} if serial else {})}
        return ScannedPhone(name, fields[MAC].line, mac, model, tuple(groups), variables)

    def _mac(self, fields: _Unit, line: int) -> Mac | None:
        if MAC not in fields:
            self._problems.add(line, "this unit has no MAC address")
            return None
        try:
            return parse_mac(fields[MAC].text)
        except MacError as error:
            self._problems.add(fields[MAC].line, str(error))
            return None

    def _model(self, fields: _Unit, line: int) -> Model | None:
        if MODEL not in fields:
            self._problems.add(line, "this unit has no model; scan it, give the file a model column, or set a model for all")
            return None
        try:
            return find_model(fields[MODEL].text, self._catalogue)
        except ModelError as error:
            self._problems.add(fields[MODEL].line, str(error))
            return None

    def _serial(self, fields: _Unit) -> str:
        """Return the serial number in capitals, or empty; scanners type small letters when Caps Lock is on."""
        if SERIAL not in fields:
            return ""
        serial = fields[SERIAL].text.upper()
        if _SERIAL.fullmatch(serial) and (_BARE.fullmatch(serial) or not _is_mac(serial)):
            return serial
        hint = "it is a MAC address; are they mixed up?" if _is_mac(serial) else "write 4 to 32 letters and digits"
        self._problems.add(fields[SERIAL].line, f"'{fields[SERIAL].text}' is not a serial number; {hint}")
        return ""

    def _name(self, fields: _Unit, mac: Mac | None) -> str:
        if NAME not in fields:
            return f"phone-{mac.plain}" if mac else ""
        if _HOST.fullmatch(fields[NAME].text):
            return fields[NAME].text
        how = "write letters, digits, dots, hyphens and underscores"
        self._problems.add(fields[NAME].line, f"'{fields[NAME].text}' cannot name a host; {how}")
        return ""

    def _take(self, fields: _Unit, mac: Mac | None, serial: str, name: str, line: int) -> None:
        """Note what no other unit may have; of a unit that comes twice say no more than that."""
        if mac and not self._is_new(MAC, mac.plain, f"the MAC address {mac}", fields[MAC].line):
            return
        if serial:
            self._is_new(SERIAL, serial, f"the serial number {serial}", fields[SERIAL].line)
        if name:
            self._is_new(NAME, name, f"the name {name}", fields[NAME].line if NAME in fields else line)

    def _is_new(self, kind: str, value: str, what: str, line: int) -> bool:
        if (kind, value) in self._taken:
            self._problems.add(line, f"{what} is that of line {self._taken[kind, value]} too; each unit is scanned once")
            return False
        self._taken[kind, value] = line
        return True

    def _group(self, kind: str, value: str, line: int) -> str:
        prefix = self._prefixes[kind]
        what = kind.removeprefix("phone_")
        name = group_name(prefix, value)
        if not name:
            self._problems.add(line, f"the {what} '{value}' after '{prefix}' makes no name of a group; use letters and digits")
            return ""
        first, where = self._group_values.setdefault(name, (value, line))
        if first != value:
            both = f"the {what} '{value}' and '{first}' of line {where}"
            self._problems.add(line, f"{both} would be the same group {name}; spell them alike, or further apart")
            return ""
        return name


def _is_mac(text: str) -> bool:
    try:
        parse_mac(text)
    except MacError:
        return False
    return True


def _doubtful_ouis(phones: Iterable[ScannedPhone]) -> Iterator[str]:
    """One sentence for each OUI and family that do not go together, naming the first units of it."""
    doubtful: dict[tuple[str, str], list[ScannedPhone]] = {}
    for phone in phones if _register_is_right() else ():
        pattern = _MAKERS.get(phone.model.family.name)
        if pattern and not _is_makers(phone.mac, pattern):
            doubtful.setdefault((phone.mac.colon[:8], phone.model.family.name), []).append(phone)
    for (oui, family), units in doubtful.items():
        named = ", ".join(f"line {unit.line} ({unit.name}, {unit.model.name})" for unit in units[:5])
        more = f" and {len(units) - 5} more" if len(units) > 5 else ""
        owner = oui_owner(units[0].mac) or "nobody"
        whose = f"which belongs to {owner} and not to the maker of the family {family}"
        yield f"{named}{more}: the MAC address begins with {oui}, {whose}; check the label"
