# SPDX-License-Identifier: GPL-3.0-or-later
"""One task renders, compares, repairs and shows what a role wants, and shows no secret."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.ansible, pytest.mark.root(reason="code belongs to root")]
MODULE = "voip.preprovision.managed_files"


@pytest.fixture
def task(controller, request):
    """A task with a rendered file, a secret and two folders of code, in a folder of the test."""
    controller.write("inventory/hosts.yml", {"all": {"hosts": controller.station}})
    target = controller.folder / request.node.name
    controller.write(
        f"templates/{str(target).lstrip('/')}/a.conf.j2", "{# comment #}\n{% if word %}\nword = {{ word }}\n{% endif %}\n"
    )
    return {
        "vars": {"word": "first"},
        MODULE: {
            "files": [
                {"path": f"{target}/a.conf"},
                {"path": f"{target}/key", "content": "hunter2", "mode": "0600", "secret": True},
            ],
            "code": [
                {"path": f"{target}/one/code", "domain": ["common/mac"]},
                {"path": f"{target}/two/code", "domain": ["common/durable"]},
            ],
        },
    }


def test_makes_everything_and_then_nothing(controller, task, request):
    done = controller.play(
        [{**task, "name": "first", "check_mode": True}, {**task, "name": "second"}, {**task, "name": "third"}], "--diff"
    )
    target = controller.folder / request.node.name
    assert done.code == 0, done.output
    assert (target / "a.conf").read_text() == "word = first\n"
    assert done.done["first"]["changes"] == done.done["second"]["changes"]
    assert done.done["second"]["changes"] == [
        f"installed the code {target}/one/code",
        f"installed the code {target}/two/code",
        f"wrote {target}/a.conf",
        f"wrote {target}/key",
    ]
    assert not done.done["third"]["changed"]
    assert (target / "one/code/common/mac.py").is_file()
    assert (target / "two/code/common/durable.py").is_file()


def test_shows_what_differs_but_no_secret(controller, task, request):
    controller.play([{**task, "name": "first"}])
    target = controller.folder / request.node.name
    (target / "a.conf").write_text("word = other\n")
    (target / "key").write_text("hunter3")
    (target / "one/code/common/mac.py").write_text("")
    done = controller.play([{**task, "name": "repair"}], "--diff", "-vvv")
    assert done.done["repair"]["changes"] == [
        f"installed the code {target}/one/code",
        f"wrote {target}/a.conf",
        f"wrote {target}/key",
    ]
    assert "-word = other\n+word = first\n" in done.output
    assert "hunter" not in done.shown("repair")
    assert (target / "key").read_text() == "hunter2"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"files": [{"path": "/a", "content": "", "mode": "644x"}]},
            "managed_files: /a: mode must be octal and quoted, such as '0644', not '644x'",
        ),
        ({"code": [{"path": "/a", "domain": ["nothing"]}]}, "managed_files: domain: there is no package or module nothing; "),
        ({"units": [{"name": "a.service", "noted_in": "/b"}]}, "managed_files: noted_in names /b, which is not among the files"),
    ],
)
def test_refuses_what_it_cannot_do(controller, task, change, message):
    done = controller.play([{"name": "bad", MODULE: change}])
    assert message in done.failed["bad"]
