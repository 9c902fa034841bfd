# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Users' templates of profiles, found where Ansible finds templates, or beside the inventory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleError

from ..module_utils.publishing.templates import ProfileTemplate, TemplateError
from .phone_source import beside_inventory


class TemplateFiles(dict[str, ProfileTemplate]):
    """Templates by name, each loaded when it is first asked for; raises TemplateError for one that cannot be read."""

    def __init__(self, loader: Any, find: Callable[[str, str], str], variables: Mapping[str, Any]) -> None:
        """*loader*: Ansible's DataLoader; *find*: finds a file by folder and name as Ansible does for its own template module."""
        super().__init__()
        self._loader = loader
        self._find = find
        self._variables = variables

    def __missing__(self, name: str) -> ProfileTemplate:
        path = beside_inventory(self._variables, "templates", name)
        try:
            if not os.path.exists(path):
                path = self._find("templates", name)
            self[name] = ProfileTemplate(name, self._loader.get_text_file_contents(path))
        except AnsibleError as error:
            reason = str(error).partition("\n")[0]
            raise TemplateError(f"the template '{name}' cannot be read: {reason}; put it into a folder named templates") from error
        return self[name]

    def texts(self) -> dict[str, str]:
        """Return the text of each template that has been asked for."""
        return {name: template.text for name, template in self.items()}
