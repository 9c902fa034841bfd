# SPDX-License-Identifier: GPL-3.0-or-later
"""Kea's control socket: what it says, and what becomes of a server that refuses or does not answer."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.kea_control import KeaError, command, main, reload


class Server:
    """A peer that answers each connection with the next of some texts, and then closes it."""

    def __init__(self, path, *answers):
        self.path, self.asked = str(path), []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(self.path)
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve, args=(answers,))
        self._thread.start()

    def _serve(self, answers):
        for answer in answers:
            opened, _peer = self._socket.accept()
            with opened:
                said = b""
                while True:
                    said += opened.recv(65536)
                    try:
                        self.asked.append(json.loads(said))
                        break
                    except ValueError:
                        continue
                opened.sendall(answer.encode())

    def close(self):
        self._thread.join(5)
        self._socket.close()


def test_reloads_what_was_checked(tmp_path):
    file = tmp_path / "kea-dhcp4.conf"
    file.write_text(json.dumps({"Dhcp4": {"valid-lifetime": 1, "comment": "x" * 200_000}}))
    server = Server(tmp_path / "socket", '{"result": 0, "text": "fine"}', '{"result": 0}')
    reload(str(file), server.path)
    server.close()
    assert [asked["command"] for asked in server.asked] == ["config-test", "config-reload"]
    assert server.asked[0]["arguments"] == json.loads(file.read_text())


def test_serves_on_by_the_old_one_if_the_check_fails(tmp_path):
    file = tmp_path / "kea-dhcp4.conf"
    file.write_text("{}")
    server = Server(tmp_path / "socket", '{"result": 1, "text": "no Dhcp4"}')
    with pytest.raises(KeaError, match=r"^Kea refuses config-test: no Dhcp4$"):
        reload(str(file), server.path)
    server.close()
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", ["", "nonsense", "[]", "{}", '{"text": "no result"}'])
def test_an_answer_without_a_result_is_an_error(tmp_path, answer):
    server = Server(tmp_path / "socket", answer)
    with pytest.raises(KeaError, match="with something else than a result"):
        command("config-reload", path=server.path)
    server.close()


def test_a_socket_that_is_not_there(tmp_path):
    with pytest.raises(KeaError, match=r"^Kea cannot be asked at .*: No such file or directory; it goes on as it was configured$"):
        command("config-reload", path=str(tmp_path / "socket"))


def test_a_socket_that_does_not_answer(tmp_path):
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / "socket"))
        hung.listen()
        with pytest.raises(KeaError, match=r"does not answer config-reload .* within 0\.2 seconds"):
            command("config-reload", path=str(tmp_path / "socket"), seconds=0.2)


def test_a_file_that_is_no_json_is_one_sentence(tmp_path, capsys):
    file = tmp_path / "kea-dhcp4.conf"
    file.write_text("{")
    assert main([str(file)]) == 1
    assert capsys.readouterr().err.startswith(f"<3>{file} cannot be read: ")
