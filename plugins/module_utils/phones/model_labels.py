# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Models on labels: names, product names and product IDs. Product IDs are those of Cisco's field notice FN72302."""

from __future__ import annotations

import functools
import re

from ..families.catalogue import BUILTIN, Catalogue
from ..families.model import Model, ModelError

_PRODUCT_IDS = (
    # FN72302: ATA192-3PW-K9, CP-8851-3PCC-K9=, CP-8811-3PCC-K9++=, CP-8811-3PC-RC-K9=, CP-6861-3PW-K9. Two letters before -K9 other
    # than RC are a guess.
    (re.compile(r"(ATA\d{3})-3PW(?:-[A-Z]{2})?-K9(?:\+\+)?=?"), r"\1"),
    (re.compile(r"(CP-\d{4})-3P(?:CC|C|W)(?:-[A-Z]{2})?-K9(?:\+\+)?=?"), r"\1-3PCC"),
    # A guess: two characters of region or edition, as in SPA122-XU
    (re.compile(r"(SPA\d{3,4}[A-Z]?\d?|PAP2T)-[A-Z0-9]{2}"), r"\1"),
    # Data sheet of the Desk Phone 9800 series: DP-9841-K9=, DP-9861NR-K9=. What else stands before -K9 is a guess
    (re.compile(r"(DP-\d{4})(?:NR|-[A-Z]{1,2})?-K9(?:\+\+)?=?"), r"\1"),
)
# FN72302 too: CP-8851-K9=, CP-8851NR-K9=, CP-8832-EU-W-K9, ATA191-K9
# Models of enterprise firmware, or multiplatform ones without the end of their name
_ENTERPRISE = re.compile(r"(?:CISCO )?(?:CP-?|(?:UNIFIED )?IP PHONE )\d{4}(?:NR)?")
_OTHER_FIRMWARE = re.compile(r"(?:CP-\d{4}|ATA\d{3})\S*-K9(?:\+\+)?=?")


def find_model(text: str, catalogue: Catalogue = BUILTIN) -> Model:
    """Return the model that a label names by its name, product name or product ID; raise ModelError."""
    model = _look_up(text, catalogue)
    if model:
        return model
    if _has_other_firmware(text):
        raise ModelError(f"'{text}' is the product ID of a phone with other firmware; multiplatform phones have 3PCC or 3PW in it")
    return catalogue.find_model(text)


def names_model(text: str, catalogue: Catalogue) -> bool:
    """Tell whether the text is a model's name or a product ID, even that of a phone with other firmware."""
    return _look_up(text, catalogue) is not None or _has_other_firmware(text) or bool(_ENTERPRISE.fullmatch(text.strip().upper()))


def _has_other_firmware(text: str) -> bool:
    return bool(_OTHER_FIRMWARE.fullmatch(text.strip().upper()))


def _look_up(text: str, catalogue: Catalogue) -> Model | None:
    code = text.strip().upper()
    names = [code, *(pattern.sub(name, code) for pattern, name in _PRODUCT_IDS if pattern.fullmatch(code))]
    labels = _labels(catalogue)
    return next((labels[name] for name in names if name in labels), None) or catalogue.look_up(text)


@functools.lru_cache(maxsize=4)
def _labels(catalogue: Catalogue) -> dict[str, Model]:
    products = {model.product.upper(): model for model in catalogue.models.values()}
    return products | {name.upper(): model for name, model in catalogue.models.items()}
