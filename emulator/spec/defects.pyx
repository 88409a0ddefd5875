# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Numbers of the defects for Python. See ``defects.pxd``."""


def defect_number(slug: str) -> int:
    """The bit of a defect by its slug (`remove-before-drain`). Raises KeyError."""
    return int(Defect["DEFECT_" + slug.upper().replace("-", "_").replace(".", "_")])


def defect_slugs() -> list:
    """Slugs of all defects, in the order of the catalogue. A digit after a digit is a version: 5.8, not 5-8."""
    return [_slug(each.name) for each in Defect if each.name != "DEFECTS"]


def _slug(name: str) -> str:
    words = name.removeprefix("DEFECT_").lower().split("_")
    text = words[0]
    for before, word in zip(words, words[1:]):
        text += ("." if before.isdigit() and word.isdigit() else "-") + word
    return text
