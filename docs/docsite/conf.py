# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx: the documents of the repository and the pages of all plugins and roles as one site; `make docs` runs it."""

import re
from pathlib import Path

import yaml

# `make docs` lays the pages out in build/docs/source as they lie in the repository
SOURCE = Path(__file__).parent
GALAXY = yaml.safe_load((SOURCE.parents[2] / "galaxy.yml").read_text())

project = f"{GALAXY['namespace']}.{GALAXY['name']}"
author = ", ".join(GALAXY["authors"])
copyright = author
version = release = GALAXY["version"]
title = html_title = html_short_title = f"{project} {version}"

extensions = ["sphinx_antsibull_ext", "myst_parser", "sphinxcontrib.mermaid"]
exclude_patterns = ["docs/docsite"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
myst_fence_as_directive = ["mermaid"]
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
nitpicky = True

html_theme = "sphinx_ansible_theme"
html_theme_options = {
    "topbar_links": {},
    "navigation_depth": 4,
    "collapse_navigation": True,
}
html_show_sphinx = False
html_copy_source = False
html_use_opensearch = ""


def link_to_sources(app: object, docname: str, source: list[str]) -> None:
    """Turn links to files that are no pages into names of files: the site has pages only."""
    folder = (SOURCE / docname).parent

    def page_or_name(match: re.Match[str]) -> str:
        text, target = match.groups()
        path, _hash, _anchor = target.partition("#")
        if re.match(r"\w+:", target) or not path or path.endswith((".md", ".png", ".svg")):
            return match[0]
        return f"{text} (`{(folder / path).resolve().relative_to(SOURCE)}`)"

    source[0] = re.sub(r"(?<!!)\[([^\]]*)\]\(([^)]*)\)", page_or_name, source[0])


def leave_out_unnamed_home(app: object, docname: str, source: list[str]) -> None:
    """Remove the links to the repository from the pages of plugins and roles until galaxy.yml names it: they would lead nowhere."""
    home = GALAXY["repository"]
    if re.match(r"https?://example\.", home):
        links = r"\.\. ansible-links::\n\n(?:  .*\n)*?" + rf'    url: "{re.escape(home)}"\n' + r"(?:  .*\n)*"
        source[0] = re.sub(rf"^(?:Collection links\n~+\n\n)?{links}", "", source[0], flags=re.MULTILINE)


ANSIBLE_LABELS = {"action_plugins", "ansible_configuration_settings", "callback_plugins", "common_return_values"}


def name_of_ansibles_own(app: object, env: object, node: dict[str, str], text: object) -> object:
    """Leave the text of references to the documentation of ansible-core, which is another site."""
    target = node["reftarget"]
    own = (
        target in ANSIBLE_LABELS
        or target.startswith("ansible_collections.ansible.builtin.")
        or (node["reftype"] == "envvar" and target.startswith("ANSIBLE_"))
    )
    return text if own else None


def link_home(app: object, pagename: str, templatename: str, context: dict[str, object], doctree: object) -> None:
    """Give each page its own way to the first one: the theme takes one address for all."""
    context["theme_documentation_home_url"] = context["pathto"]("index")  # type: ignore[operator]


def setup(app: object) -> None:
    app.connect("source-read", link_to_sources)  # type: ignore[attr-defined]
    app.connect("source-read", leave_out_unnamed_home)  # type: ignore[attr-defined]
    app.connect("missing-reference", name_of_ansibles_own)  # type: ignore[attr-defined]
    app.connect("html-page-context", link_home)  # type: ignore[attr-defined]
