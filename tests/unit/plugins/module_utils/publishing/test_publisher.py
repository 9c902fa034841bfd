# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are published for which phones."""

from __future__ import annotations

import base64
import dataclasses

import pytest
from sample_publication import FIRMWARE, MASTER, REQUIRED, SETTINGS, other_family, phone_of

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import Setting, parse
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import values as values_of
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import key_id
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.aes128gcm import decrypt_content
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import decompress
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import unseal
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.files import CONTENT_ENCODING, File
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.templates import ProfileTemplate

ATA = phone_of(phone_lines=[{"user_id": "1001", "password": "s3cret <&> word"}], phone_parameters={"Proxy_1_": "sip.example.net"})
MPP = phone_of("CP-8851-3PCC")


def files_of(*phones, settings=SETTINGS, templates=None, used=None) -> dict[str, File]:
    publisher = Publisher(settings, templates)
    files = [*publisher.bootstrap_files(BUILTIN.models.values(), used or {})]
    return {file.path: file for file in [*files, *(file for phone in phones for file in publisher.files(phone))]}


def values(content: bytes) -> dict[str, str]:
    return values_of(parse(content))


def test_every_model_gets_its_factory_file_and_a_lower_case_twin():
    files = files_of()
    assert {"open/ata191.cfg", "open/ata192.cfg", "open/spa504G.cfg", "open/spa504g.cfg", "open/8851-3PCC.xml"} <= set(files)
    assert (
        files["open/8851-3PCC.xml"].content() == files["open/8851-3pcc.xml"].content() == files["open/CP-8851-3PCC.cfg"].content()
    )
    assert {file.kind for file in files.values()} == {"bootstrap"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "open/ata192.cfg",
            {
                "Custom_CA_URL": "http://prov.example.net/bench-ca.pem",
                "Profile_Rule": "https://prov.example.net/device/$MA.cfg",
                "Profile_Rule_B": "https://prov.example.net/device/$MA.cfg",
                "Syslog_Server": "192.0.2.1",
                "router-configuration/Log_Configuration/Event_Log_Server": "192.0.2.1",
                "router-configuration/Log_Configuration/Syslog_Server_IP": "192.0.2.1",
            },
        ),
        (
            "open/spa504G.cfg",
            {
                "Profile_Rule": "https://prov.example.net/device/$MA.cfg",
                "Profile_Rule_B": "https://prov.example.net/device/$MA.cfg",
                "Syslog_Server": "192.0.2.1",
            },
        ),
        (
            "open/8851-3PCC.xml",
            {
                "Custom_CA_Rule": "http://prov.example.net/bench-ca.pem",
                "Profile_Rule": "https://prov.example.net/device/$MA.cfg",
                "Profile_Rule_B": "https://prov.example.net/device/$MA.cfg",
                "Syslog_Server": "192.0.2.1",
            },
        ),
    ],
)
def test_bootstrap_profile_of_each_family(path, expected):
    assert values(files_of()[path].content()) == expected


def test_preprovision_profile_is_per_device_and_leaves_the_bench():
    profile = values(decompress(files_of(ATA)["device/00005e005301.cfg"].content()))
    assert profile == {
        "Profile_Rule": f"[--key {ATA.key}] http://prov.example.com/service/$MA-{key_id(ATA.key)}.cfg",
        "Profile_Rule_B": "",
        "Custom_CA_URL": "",
        "Syslog_Server": "",
        "router-configuration/Log_Configuration/Event_Log_Server": "",
        "router-configuration/Log_Configuration/Syslog_Server_IP": "",
    }


ELSEWHERE = "https://prov.example.com/$MA-{key_id}.cfg"
HERE = "https://PROV.example.net/service/$MA-{key_id}.cfg"


@pytest.mark.parametrize(
    ("model", "settings", "own", "expected"),
    [
        ("ATA192", {}, {}, {"Custom_CA_URL": ""}),
        ("ATA192", {"remote_url": ELSEWHERE}, {}, {"Custom_CA_URL": ""}),
        ("CP-8851-3PCC", {}, {}, {"Custom_CA_Rule": ""}),
        ("SPA504G", {}, {}, {}),
        ("SPA504G", {"remote_ca_url": "http://x/ca.pem"}, {}, {}),
        # on the same server by HTTPS
        ("ATA192", {"remote_url": HERE}, {}, {}),
        ("ATA192", {"remote_url": HERE, "remote_ca_url": "http://x/ca.pem"}, {}, {"Custom_CA_URL": "http://x/ca.pem"}),
        ("ATA192", {"remote_url": HERE.replace("https", "http")}, {}, {"Custom_CA_URL": ""}),
        ("ATA192", {"remote_ca_url": "http://x/ca.pem"}, {}, {"Custom_CA_URL": "http://x/ca.pem"}),
        ("ATA192", {"ca_url": ""}, {}, {}),
        ("ATA192", {"ca_url": "", "remote_ca_url": "http://x/ca.pem"}, {}, {"Custom_CA_URL": "http://x/ca.pem"}),
        ("ATA192", {}, {"Custom_CA_URL": "http://own/ca.pem"}, {"Custom_CA_URL": "http://own/ca.pem"}),
    ],
)
def test_the_bench_root_certificate_stays_on_the_bench(model, settings, own, expected):
    phone = phone_of(model, phone_parameters=own)
    kinds = dict(Publisher(dataclasses.replace(SETTINGS, **settings)).profiles(phone))
    assert {path: value for path, (value, _access) in kinds["preprovision"].items() if "CA" in path} == expected


FLEET = dataclasses.replace(
    SETTINGS,
    preprovision_parameters={"Resync_Periodic": Setting("86400")},
    service_parameters={"Resync_Periodic": Setting("43200+86400,86400+3600"), "Resync_Random_Delay": Setting("34")},
)


@pytest.mark.parametrize("complete", [("service",), ()])
def test_service_profiles_carry_the_fleets_timers(complete):
    publisher = Publisher(dataclasses.replace(FLEET, complete=complete))
    own = phone_of(phone_resync={"periodic": 600})
    for phone, period in ((ATA, "43200+86400,86400+3600"), (own, "600")):
        service = values_of(dict(publisher.profiles(phone))["service"])
        assert (service["Resync_Periodic"], service["Resync_Random_Delay"]) == (period, "34")
        assert "Profile_Rule" in service
    preprovision = values_of(dict(publisher.profiles(ATA))["preprovision"])
    assert preprovision["Resync_Periodic"] == "86400"
    assert "Resync_Random_Delay" not in preprovision


def test_a_family_without_rules_gets_no_timers_of_the_fleet():
    phone = PhoneReader(BUILTIN, MASTER).read("desk", {"phone_mac": "00005e005309", "phone_model": "SIP-T46S"})
    assert not phone.model.family.profile_rules
    assert "Resync_Periodic" not in dict(Publisher(FLEET).profiles(phone))["service"]


def test_complete_preprovision_profile_carries_the_lines():
    files = files_of(ATA, settings=dataclasses.replace(SETTINGS, complete=("preprovision",)))
    assert values(decompress(files["device/00005e005301.cfg"].content()))["User_ID_1_"] == "1001"


def test_limited_profiles_contain_only_management_parameters():
    phone = phone_of(
        phone_resync={"periodic": 600},
        phone_web={"admin_password": "long-enough"},
        phone_nat={"stun_server": "stun.example.net"},
        phone_parameters={"Upgrade_Rule": "http://prov.example.com/x.img", "Time_Zone": "GMT"},
    )
    limited = {"Resync_Periodic": "600", "Upgrade_Rule": "http://prov.example.com/x.img"}
    files = files_of(phone, settings=dataclasses.replace(SETTINGS, complete=(), syslog_server=""))
    expected = {**limited, "router-configuration/Web_Login_Admin_Password": "long-enough"}
    rule = f"[--key {phone.key}] http://prov.example.com/service/$MA-{key_id(phone.key)}.cfg"
    assert values(decompress(files["device/00005e005301.cfg"].content())) == {
        **expected,
        "Profile_Rule": rule,
        "Profile_Rule_B": "",
        "Custom_CA_URL": "",
    }
    assert service_values(files, phone) == {**expected, "Profile_Rule": rule}


def test_limited_profiles_contain_the_parameters_of_their_rules():
    parameters = {"Profile_Rule": "[--key $SA] https://$A/$MA.cfg", "GPP_A": "prov.example.com", "GPP_SA": "0123456789abcdef"}
    files = files_of(phone_of(phone_parameters={**parameters, "Time_Zone": "GMT"}))
    assert values(decompress(files["device/00005e005301.cfg"].content())) == {
        **parameters,
        **dict.fromkeys(("Profile_Rule_B", "Custom_CA_URL", *BUILTIN.families["ata19x"].paths("syslog.server")), ""),
    }


MPP_FILE = "open/service/00005e005303-"


@pytest.mark.parametrize(
    ("before", "after"),
    [("openssl", "aes128gcm"), ("aes128gcm", "openssl"), ("none", "openssl"), ("none", "aes128gcm"), ("openssl", "none")],
)
@pytest.mark.parametrize("other_key", [None, "weak"])
def test_leads_a_phone_to_another_sealing(before, after, other_key):
    """Fetch as a phone published with the variables *before*, then as the profile that it finds says."""
    held = other_key or phone_of("CP-8851-3PCC").key
    settings = dataclasses.replace(SETTINGS, plaintext_secrets=True)
    phone = phone_of("CP-8851-3PCC", phone_sealing=after, phone_sealing_previous=before, phone_profile_key_previous=other_key)
    assert Publisher(settings).check(phone) == []
    files = files_of(phone, settings=settings)

    def fetch(method, key):
        suffix = CONTENT_ENCODING if method == "aes128gcm" else ""
        content = files[f"{MPP_FILE}{'0' * 8 if method == 'none' else key_id(key)}.cfg{suffix}"].content()
        opened = {"openssl": lambda: unseal(content, key, "md5"), "aes128gcm": lambda: decrypt_content(content, key.encode())}
        return values(decompress(opened.get(method, lambda: content)()))

    found = fetch(before, held)
    rule = found["Profile_Rule"]
    if after == "aes128gcm":
        assert base64.urlsafe_b64decode(found["IKM_HTTP_Encrypt_Content"] + "==").decode() == phone.key
        assert rule.endswith(f"-{key_id(phone.key)}.cfg{CONTENT_ENCODING}")
    else:
        assert rule.startswith(f"[--key {phone.key}] http") == (after == "openssl")
        assert rule.endswith(f"-{key_id(phone.key) if after == 'openssl' else '0' * 8}.cfg")
    assert fetch(after, phone.key) == found
    assert len([path for path in files if path.startswith(MPP_FILE)]) == 2


def test_publishes_the_same_sealing_once():
    for sealing in ("openssl", "aes128gcm", "none"):
        alone = phone_of("CP-8851-3PCC", phone_sealing=sealing)
        assert files_of(phone_of("CP-8851-3PCC", phone_sealing=sealing, phone_sealing_previous=sealing)) == files_of(alone)


def test_a_family_with_one_file_keeps_the_previous_sealing():
    phone = PhoneReader(BUILTIN, MASTER).read(
        "desk",
        {"phone_mac": "00005e005301", "phone_model": "HT802", "phone_sealing": "openssl", "phone_sealing_previous": "none"},
    )
    (file,) = Publisher(SETTINGS).files(phone)
    assert f"<P1359>{phone.key}</P1359>".encode() in file.content()
    assert Publisher(SETTINGS).check(phone) == [
        "P1359 would be in a file that anybody can read; remove phone_sealing_previous, or set plaintext_secrets if"
        " the bench is closed"
    ]
    assert Publisher(dataclasses.replace(SETTINGS, plaintext_secrets=True)).check(phone) == []


def test_a_family_with_one_rule():
    catalogue = other_family(profile_rules=["Profile_Rule"])
    phone = PhoneReader(catalogue, MASTER).read("desk", {"phone_mac": "00005e005301", "phone_model": "ACME1"})
    publisher = Publisher(SETTINGS)
    (bootstrap,) = [file for file in publisher.bootstrap_files([phone.model], {}) if file.path == "open/spa1.cfg"]
    assert set(values(bootstrap.content())) == {"Profile_Rule", "Syslog_Server"}
    assert set(values(publisher.files(phone)[0].plain)) == {"Profile_Rule", "Syslog_Server"}


@pytest.mark.parametrize("models", [["ACME1"], ["ACME1", "ACME2"]])
def test_models_that_ask_for_one_file_share_it(models):
    catalogue = other_family(factory_rule="/acme.cfg")
    used = {
        "ACME1": {"Time_Zone": Setting("GMT"), "NTP_Server": Setting("a"), "Proxy_1_": Setting("one")},
        "ACME2": {"Time_Zone": Setting("GMT"), "NTP_Server": Setting("b")},
    }
    publisher = Publisher(dataclasses.replace(SETTINGS, complete=("bootstrap",), syslog_server="", ca_url=""))
    asking = [catalogue.models[name] for name in models]
    (file,) = publisher.bootstrap_files(asking, {name: used[name] for name in models})
    assert (file.path, file.owner) == ("open/acme.cfg", "acme" if len(models) > 1 else "ACME1")
    shared = set(values(file.content())) - {"Profile_Rule", "Profile_Rule_B"}
    assert shared == ({"Time_Zone"} if len(models) > 1 else set(used["ACME1"]))


def test_the_bench_tree_does_not_depend_on_its_url():
    for path, expected in (
        ("/device/$MA.cfg", "device/00005e005301.cfg"),
        ("/devices/$MA.cfg", "device/devices/00005e005301.cfg"),
        ("/$MA.cfg", "device/00005e005301.cfg"),
    ):
        publisher = Publisher(dataclasses.replace(SETTINGS, bench_url=f"https://prov.example.net{path}"))
        assert publisher.paths(ATA)[0] == (expected, "preprovision")


def test_names_files_after_serial_numbers():
    publisher = Publisher(dataclasses.replace(SETTINGS, remote_url="http://prov.example.com/$SN.cfg"))
    phone = phone_of(phone_serial="FCH2118DGQP")
    assert (publisher.check(phone), publisher.paths(phone)[1][0]) == ([], "open/FCH2118DGQP.cfg")
    assert publisher.check(ATA) == ["phone_serial: it is missing, and bench_url or remote_url names files after it"]


@pytest.mark.parametrize("master", [MASTER, None])
def test_an_unsealed_profile_has_no_key_id(master):
    variables = {**REQUIRED["ATA192"], "phone_sealing": "none", "phone_lines": [{"user_id": "1001"}]}
    phone = PhoneReader(BUILTIN, master, "the master key of before").read("desk", variables)
    assert Publisher(SETTINGS).check(phone) == []
    files = files_of(phone)
    rule = "http://prov.example.com/service/$MA-00000000.cfg"
    service = files["open/service/00005e005301-00000000.cfg"]
    assert values(decompress(service.content())) == {"Profile_Rule": rule, "User_ID_1_": "1001"}
    assert values(decompress(files["device/00005e005301.cfg"].content()))["Profile_Rule"] == rule
    assert [file.path for file in files.values() if file.owner == "desk" and file.kind == "service"] == [service.path]


def test_a_complete_bootstrap_profile_contains_shared_parameters_without_secrets():
    secret = {"Password_1_": Setting("s3cret"), "Report_Rule": Setting("[--key s3cret] http://x/y")}
    used = {"ATA192": {"Time_Zone": Setting("GMT"), "Profile_Rule": Setting("/own"), **secret}}
    settings = dataclasses.replace(SETTINGS, complete=("bootstrap",))
    found = values(files_of(settings=settings, used=used)["open/ata192.cfg"].content())
    assert (found["Time_Zone"], found["Profile_Rule"]) == ("GMT", SETTINGS.bench_url)
    assert not set(secret) & set(found)
    assert "Time_Zone" not in values(files_of(settings=settings, used=used)["open/ata191.cfg"].content())


def test_a_phones_own_rule_wins():
    own = phone_of(phone_parameters={"Profile_Rule": "https://other.example.com/$MA.xml"})
    assert (
        values(decompress(files_of(own)["device/00005e005301.cfg"].content()))["Profile_Rule"]
        == "https://other.example.com/$MA.xml"
    )


def service_path(phone, key=None) -> str:
    return f"open/service/{phone.mac.plain}-{key_id(key or phone.key)}.cfg"


def service_values(files, phone, key=None) -> dict[str, str]:
    return values(decompress(unseal(files[service_path(phone, key)].content(), key or phone.key, "md5")))


def test_seals_service_profiles_with_the_phones_key():
    assert service_values(files_of(ATA), ATA) == {
        "Password_1_": "s3cret <&> word",
        "Profile_Rule": f"[--key {ATA.key}] http://prov.example.com/service/$MA-{key_id(ATA.key)}.cfg",
        "Proxy_1_": "sip.example.net",
        "User_ID_1_": "1001",
    }


def test_seals_a_new_key_with_the_old_one():
    phone = phone_of(previous_master_key="the master key of before")
    files = files_of(phone)
    led = service_values(files, phone, phone.previous_key)
    assert led["Profile_Rule"] == f"[--key {phone.key}] http://prov.example.com/service/$MA-{key_id(phone.key)}.cfg"
    assert service_values(files, phone) == led
    assert phone.key in values(decompress(files["device/00005e005301.cfg"].content()))["Profile_Rule"]


def test_a_family_with_a_key_parameter():
    variables = {"phone_mac": "00005e005304", "phone_model": "HT802", "phone_sealing": "openssl"}
    for previous in (None, "the master key of before"):
        phone = PhoneReader(BUILTIN, MASTER, previous).read("adapter", variables)
        assert Publisher(dataclasses.replace(SETTINGS, remote_url="http://prov.example.com/$MA.cfg")).check(phone) == []
        (file,) = [file for file in files_of(phone).values() if file.owner == "adapter"]
        assert file.path == "open/cfg00005e005304.xml"
        plain = unseal(file.content(), phone.previous_key or phone.key, "md5")
        assert f"<P1359>{phone.key}</P1359>".encode() in plain


@pytest.mark.parametrize("encoding", ["base64url", "text"])
def test_content_encoding(encoding):
    catalogue = BUILTIN.extended({"mpp": {"ikm_encoding": encoding}})
    phone = PhoneReader(catalogue, MASTER).read("desk", {**REQUIRED["CP-8851-3PCC"], "phone_sealing": "aes128gcm"})
    files = files_of(phone)
    found = values(decompress(decrypt_content(files[service_path(phone) + CONTENT_ENCODING].content(), phone.key.encode())))
    assert found["Profile_Rule"] == f"http://prov.example.com/service/$MA-{key_id(phone.key)}.cfg{CONTENT_ENCODING}"
    ikm = found["IKM_HTTP_Encrypt_Content"]
    assert (base64.urlsafe_b64decode(ikm + "==") if encoding == "base64url" else ikm.encode()) == phone.key.encode()


def test_plaintext_files_contain_no_secrets():
    for path, file in files_of(ATA, MPP).items():
        if path.startswith("open/"):
            for secret in (b"s3cret", ATA.key.encode(), MPP.key.encode(), MASTER.encode()):
                assert secret not in file.content()
                assert secret.decode() not in repr(file)


def test_the_same_phone_gives_the_same_bytes():
    def contents():
        return {path: file.content() for path, file in files_of(ATA, MPP).items()}

    assert contents() == contents()


def test_unseals_published_files():
    sealed = phone_of("CP-8851-3PCC", phone_sealing="aes128gcm")
    for file in files_of(ATA, sealed).values():
        assert file.opened(file.content()) == file.plain


def test_fingerprints_change_with_every_input():
    def prints(*phones, salt=b"salt", **settings):
        return {file.fingerprint(salt) for file in files_of(*phones, settings=dataclasses.replace(SETTINGS, **settings)).values()}

    def one(salt=b"salt", **changes):
        file = files_of(ATA)[service_path(ATA)]
        return dataclasses.replace(file, **changes).fingerprint(salt)

    file = files_of(ATA)[service_path(ATA)]
    assert prints(ATA) == prints(ATA)
    different = [
        one(),
        one(b"other"),
        one(plain=file.plain + b" "),
        *(
            one(protection=file.protection._replace(**change))
            for change in ({"key": "x"}, {"digest": "sha256"}, {"method": ""}, {"packed": False})
        ),
    ]
    assert len(set(different)) == len(different)


TEMPLATE = """<flat-profile>
{% for line in lines %}<User_ID_{{ loop.index }}_>{{ line.user_id }}</User_ID_{{ loop.index }}_>
{% endfor %}<Display_Name_1_>{{ phone.name }} {{ macros.MAU }} {{ parameters.Time_Zone }}</Display_Name_1_>
</flat-profile>
"""


def test_renders_custom_templates():
    phone = phone_of(phone_profile_template="own.xml.j2", phone_lines=[{"user_id": "<&>"}], phone_parameters={"Time_Zone": "GMT"})
    files = files_of(phone, templates={"own.xml.j2": ProfileTemplate("own.xml.j2", TEMPLATE)})
    assert service_values(files, phone) == {"User_ID_1_": "<&>", "Display_Name_1_": "desk 00005E005301 GMT"}


@pytest.mark.parametrize(
    ("model", "sealing", "previous", "body", "missing"),
    [
        ("ATA192", "openssl", True, "<A>1</A>", ["Profile_Rule"]),
        ("ATA192", "openssl", False, "<A>1</A>", []),
        ("ATA192", "openssl", True, "<Profile_Rule>{{ parameters.Profile_Rule }}</Profile_Rule>", []),
        ("ATA192", "openssl", True, "<Profile_Rule>/x</Profile_Rule>", ["Profile_Rule"]),
        ("CP-8851-3PCC", "aes128gcm", True, "<A>1</A>", ["Profile_Rule", "IKM_HTTP_Encrypt_Content"]),
        ("HT802", "openssl", True, "<P1>1</P1>", ["P1359"]),
        ("HT802", "openssl", True, "<P1359>{{ parameters.P1359 }}</P1359>", []),
    ],
)
def test_rejects_templates_that_lose_a_new_key(model, sealing, previous, body, missing):
    around = ("<gs_provision><config>", "</config></gs_provision>") if model == "HT802" else ("<flat-profile>", "</flat-profile>")
    template = ProfileTemplate("own.j2", body.join(around))
    variables = {"phone_mac": "00005e005301", "phone_model": model, "phone_sealing": sealing, "phone_profile_template": "own.j2"}
    phone = PhoneReader(BUILTIN, MASTER, "the master key of before" if previous else None).read("desk", variables)
    assert Publisher(SETTINGS, {"own.j2": template}).check(phone) == [
        f"phone_profile_template: it leaves out parameters.{path}, which gives the phone its new key or sealing" for path in missing
    ]


class LazyTemplates(dict[str, ProfileTemplate]):
    """Loads templates on demand, as the profiles module does."""

    def __missing__(self, name):
        self[name] = ProfileTemplate(name, TEMPLATE)
        return self[name]


def test_loads_templates_on_demand():
    phone = phone_of(phone_profile_template="own.xml.j2", phone_parameters={"Time_Zone": "GMT"})
    assert Publisher(SETTINGS, LazyTemplates()).check(phone) == []


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ lines[5].password }}", "own.j2: tuple object has no element 5"),
        ("{{ parameters.Nothing }}", "own.j2: 'dict object' has no attribute 'Nothing'"),
        ("{{ 1 / 0 }}", "own.j2: it fails with ZeroDivisionError"),
        ("<flat-profile>", "own.j2: its output is not a profile: the profile is not well-formed XML:"),
    ],
)
def test_reports_failing_templates(template, message):
    phone = phone_of(phone_profile_template="own.j2")
    problems = Publisher(SETTINGS, {"own.j2": ProfileTemplate("own.j2", template)}).check(phone)
    assert [problem.startswith(f"phone_profile_template: {message}") for problem in problems] == [True], problems


def test_rejects_paths_that_cannot_be_files():
    publisher = Publisher(dataclasses.replace(SETTINGS, remote_url="http://prov.example.com/$SN/$MA.cfg"))
    with pytest.raises(
        PhoneError, match=r"^the service profile's path '/../00005e005301.cfg' cannot be a file; a path may hold letters, digits"
    ):
        publisher.paths(dataclasses.replace(ATA, serial=".."))


def test_without_a_key_there_is_no_service_profile():
    phone = dataclasses.replace(ATA, key=None)
    assert Publisher(SETTINGS).check(phone) == [
        "phone_profile_key: there is no key to seal the service profile with; set it, or a master key"
    ]
    assert Publisher(dataclasses.replace(SETTINGS, kinds=("preprovision",))).check(phone) != []
    assert Publisher(dataclasses.replace(SETTINGS, kinds=("bootstrap",))).check(phone) == []


def test_firmware_rules_on_the_bench_and_at_the_customer():
    files = files_of(phone_of("SPA504G", phone_firmware="7.6.2"), settings=FIRMWARE)
    preprovision = values(decompress(files["device/00005e005304.cfg"].content()))
    service = values_of(parse(next(file.plain for path, file in files.items() if path.startswith("open/service/"))))
    assert preprovision["Upgrade_Rule"] == "($SWVER ne 7.6.2)? http://prov.example.net/firmware/spa.bin"
    assert service["Upgrade_Rule"] == "($SWVER ne 7.6.2)? http://prov.example.com/fw/spa.bin"
    assert preprovision["Upgrade_Enable"] == service["Upgrade_Enable"] == "Yes"
    assert "Upgrade_Rule" not in values(files["open/spa504G.cfg"].content())


@pytest.mark.parametrize(
    ("variables", "settings", "expected"),
    [
        ({}, {}, (None, None)),
        ({"phone_firmware": "7.6.2", "phone_firmware_hold": True}, {}, ("", "No")),
        ({"phone_firmware_hold": "yes"}, {}, ("", "No")),
        ({"phone_firmware": "7.6.2", "phone_firmware_hold": ""}, {"remote_firmware_url": ""}, ("", "Yes")),
        ({"phone_firmware": "7.6.2", "phone_firmware_rollout_percent": 0}, {}, (None, None)),
        ({"phone_firmware": "latest"}, {"firmware_images": ()}, (None, None)),
        (
            {"phone_firmware": "7.6.2", "phone_parameters": {"Upgrade_Rule": "http://x.example.net/a"}},
            {},
            ("http://x.example.net/a", "Yes"),
        ),
    ],
)
def test_holds_or_keeps_firmware(variables, settings, expected):
    files = files_of(phone_of("SPA504G", **variables), settings=dataclasses.replace(FIRMWARE, **settings))
    service = values_of(parse(next(file.plain for path, file in files.items() if path.startswith("open/service/"))))
    assert (service.get("Upgrade_Rule"), service.get("Upgrade_Enable")) == expected


def test_rejects_firmware_that_a_phone_cannot_have():
    publisher = Publisher(FIRMWARE)
    assert publisher.check(phone_of("ATA192", phone_firmware="7.6.2")) == [
        "phone_firmware: spa.bin (7.6.2) is for SPA504G, not for ATA192; the catalogue has no image for its model"
    ]
    assert publisher.check(phone_of("SPA504G", phone_firmware="latest")) == []
