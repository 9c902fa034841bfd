# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the managed_files module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: managed_files
short_description: Make a role's users, code, files and units what they must be, in one call
description:
  - "Internal: used by the roles of this collection; not meant for playbooks."
  - Compares every file by content, owner, group and mode, and all code, in every run, and repairs what differs. All candidates
    are written beside their files and checked before the first one is swapped in, so a candidate that is not valid changes
    nothing.
  - Compares what each unit started or was last reloaded with, which the unit records itself below C(/run/preprovision), with
    what is on disk, and restarts or reloads it if they differ. So it does not matter which run has written a file, and how that
    run ended.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  users:
    description:
      - System users without a shell, each with a group of its own name. One that was deleted gets its number back, if files
        still have it.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user and its group.
        type: str
        required: true
      home:
        description: Home folder, which is not created.
        type: str
        default: /nonexistent
  code:
    description:
      - Python code, each behind a symbolic link that is swapped, so that a program that starts sees either the old code or the
        new.
      - All files are compared. The code is sent only if one differs.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Symbolic link on the target that leads to the code. Releases lie in C(.releases) beside it.
        type: str
        required: true
      src:
        description: Folder on the controller whose files are the code.
        type: str
      domain:
        description:
          - Packages and modules of the collection's own C(module_utils), named by their path there, such as C(common),
            C(emulator/wire) or C(dhcp/watch). They keep their folders, and the C(__init__.py) of every package above them comes
            along.
          - A package brings the packages below it. What it imports from others must be listed, too.
        type: list
        elements: str
        default: []
      domain_folder:
        description: Folder within the code for O(code[].domain). If empty, the packages lie at the top.
        type: str
        default: ""
  files:
    description:
      - Files, folders, and paths where nothing may be. Folders above them are created if they are missing.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - Absolute path. The file's content is the role's template of this path with C(.j2) at its end, without
            O(files[].content).
        type: str
        required: true
      state:
        description: Whether it is a file, a folder, or nothing.
        type: str
        choices: [file, directory, absent]
        default: file
      content:
        description: Content of the file.
        type: str
      owner:
        description: Owner.
        type: str
        default: root
      group:
        description: Group.
        type: str
        default: root
      mode:
        description: Mode, octal. For files V(0644), for folders V(0755).
        type: str
      validate:
        description:
          - Command that fails if the candidate is not valid, with V(%s) for its path. Units need none, since systemd reads all
            candidates together.
        type: str
        default: ""
      secret:
        description: Do not show the content in a diff.
        type: bool
        default: false
  checks:
    description:
      - Checks of a whole folder, which find all candidates at their places in a mount namespace of their own.
    type: list
    elements: dict
    default: []
    suboptions:
      folder:
        description: The folder.
        type: str
        required: true
      command:
        description: Shell command that fails if the folder is not valid.
        type: str
        required: true
      of_roles:
        description:
          - How the paths of all files begin that this role and others have in or below O(checks[].folder). Of these, the check
            finds only those of O(files), and if a unit refuses one of another role, this is a warning, since that role repairs it
            and brings the unit up to date.
        type: str
        default: ""
  units:
    description:
      - Units of systemd, in the order in which they are started.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name with its suffix.
        type: str
        required: true
      enabled:
        description: Whether it starts at boot. Without this option it stays as it is.
        type: bool
      state:
        description: Whether it runs. Without this option, a unit that does not run stays down.
        type: str
        choices: [started, stopped]
      noted_in:
        description:
          - The unit or drop-in among O(files) that gets the lines which record what the unit starts with. Without it, nothing
            is compared.
        type: str
        default: ""
      restart_for:
        description:
          - Files and folders that the unit reads when it starts. If they differ from what it has read, it is restarted.
        type: list
        elements: str
        default: []
      reload_for:
        description:
          - Files and folders that the unit reads again when it is reloaded. If they differ from what it has read, it is
            reloaded.
        type: list
        elements: str
        default: []
      reload_for_unit:
        description: Whether to reload the unit even if its own text has changed, instead of restarting it.
        type: bool
        default: false
      rules:
        description: File of nftables that the unit loads. If other rules are loaded in its tables, the unit is reloaded.
        type: str
        default: ""
      holds:
        description:
          - Shell command that succeeds as long as what the unit has set up, such as a network interface, is there. If it fails,
            the unit is restarted.
        type: str
        default: ""
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: full
    description: Returns what differs, except the content of files that hold secrets.
  action:
    support: full
    description: Renders templates and packs code on the controller.
"""

EXAMPLES = r"""
- name: Configure and run unbound
  voip.preprovision.managed_files:
    files:
      - path: /etc/unbound/unbound.conf
        validate: unbound-checkconf %s
      - path: /etc/systemd/system/unbound.service.d/preprovision.conf
    units:
      - name: unbound.service
        enabled: true
        state: started
        noted_in: /etc/systemd/system/unbound.service.d/preprovision.conf
        restart_for: [/etc/unbound/unbound.conf]
"""

RETURN = r"""
changes:
  description:
    - A line for each change, such as C(wrote /etc/unbound/unbound.conf) or C(restarted unbound.service), with the reason.
  returned: success
  type: list
  elements: str
"""
