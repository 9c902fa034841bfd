# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the README.md of each role from its meta/argument_specs.yml and meta/main.yml; Galaxy shows it as the role's page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
GUIDE = "../../docs/guides/own_repository.md#single-roles"
ROLES = sorted(path.parent.parent.name for path in ROOT.glob("roles/*/meta/argument_specs.yml"))

_RENDERED = {
    "C": "`{0}`",
    "V": "`{0}`",
    "O": "`{0}`",
    "RV": "`{0}`",
    "E": "`{0}`",
    "M": "`{0}`",
    "P": "`{0}`",
    "I": "*{0}*",
    "B": "**{0}**",
    "U": "<{0}>",
    "L": "[{0}]({1})",
}
_MARKUP = re.compile(rf"\b({'|'.join(_RENDERED)})\(((?:[^()\\]|\\.)*)\)")
_SPECIAL = re.compile(r"[\\`*<\[]|(?<!\w)_|_(?!\w)")
_PAGE = re.compile(r"\bdocs/[\w/]+\.md\b")


def _render(match: re.Match[str]) -> str:
    kind, content = match.groups()
    if kind == "L":
        text, _comma, address = content.rpartition(",")
        return _RENDERED[kind].format(text, address.strip())
    if kind == "P":
        content = content.partition("#")[0]
    return _RENDERED[kind].format(re.sub(r"\\(.)", r"\1", content))


def _escape(text: str) -> str:
    return _PAGE.sub(r"[\g<0>](../../\g<0>)", _SPECIAL.sub(lambda match: "\\" + match[0], text))


def _markdown(text: str) -> str:
    """Turn Ansible's documentation markup into Markdown."""
    text = " ".join(text.split())
    markup = list(_MARKUP.finditer(text))
    ends = [0, *(match.end() for match in markup)]
    starts = [*(match.start() for match in markup), len(text)]
    prose = [_escape(text[end:start]) for end, start in zip(ends, starts, strict=True)]
    rendered = [_render(match) for match in markup]
    return "".join(part for pair in zip(prose, [*rendered, ""], strict=True) for part in pair)


def _paragraphs(description: str | list[str]) -> list[str]:
    return [_markdown(text) for text in ([description] if isinstance(description, str) else description)]


def _type(option: dict[str, Any]) -> str:
    kind = option.get("type", "str")
    return f"list of {option['elements']}" if kind == "list" and "elements" in option else kind


def _default(option: dict[str, Any]) -> str:
    if option.get("required"):
        return "required"
    return f"`{json.dumps(option['default'], ensure_ascii=False)}`" if "default" in option else ""


def _rows(options: dict[str, Any], parent: str = "") -> Iterator[str]:
    for name, option in options.items():
        text = " ".join(_paragraphs(option.get("description", [])))
        if "choices" in option:
            choices = [choice if isinstance(choice, str) else json.dumps(choice) for choice in option["choices"]]
            text += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
        cells = (f"`{parent}{name}`", _type(option), _default(option), text)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        yield from _rows(option.get("options", {}), f"{parent}{name}.")


def _entry_point(name: str, specification: dict[str, Any], main: dict[str, Any]) -> Iterator[str]:
    if name != "main":
        yield f"## Entry point `{name}`"
        yield f"{_markdown(specification['short_description'])}."
        yield from _paragraphs(specification.get("description", []))
    options = specification.get("options")
    if options and name != "main" and options == main.get("options"):
        yield "It has the same variables as the role itself."
    elif options:
        yield "## Variables" if name == "main" else "### Variables"
        yield "\n".join(["| variable | type | default | description |", "| --- | --- | --- | --- |", *_rows(options)])


def readme(role: str) -> str:
    """Return the text of a role's README.md."""
    folder = ROOT / "roles" / role
    entry_points = yaml.safe_load((folder / "meta/argument_specs.yml").read_text())["argument_specs"]
    info = yaml.safe_load((folder / "meta/main.yml").read_text())["galaxy_info"]
    releases = [f"{platform['name']} {', '.join(platform['versions'])}" for platform in info["platforms"]]
    main = entry_points["main"]
    play = f"- name: {main['short_description']}\n  hosts: all\n  become: true\n  roles:\n    - role: voip.preprovision.{role}"
    blocks = [
        f"# voip.preprovision.{role}",
        "<!-- Made by `make readmes` from meta/argument_specs.yml: change it there -->",
        f"{_markdown(main['short_description'])}.",
        *_paragraphs(main.get("description", [])),
        "## Use",
        f"```yaml\n{play}\n```",
        f"Targets: {'; '.join(releases)}. The controller needs ansible-core {info['min_ansible_version']} or newer.",
        f"[Single roles]({GUIDE}) says which variables have no default, and what must be there.",
        *(block for name, specification in entry_points.items() for block in _entry_point(name, specification, main)),
    ]
    return "\n\n".join(blocks) + "\n"


def main() -> None:
    for role in ROLES:
        (ROOT / "roles" / role / "README.md").write_text(readme(role))


if __name__ == "__main__":
    main()
