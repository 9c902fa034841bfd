# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch a phone's service profile as the phone does, with the service's own code and the phone's key from its database.

rows.py ADDRESS MAC PARAMETER: prints the parameter, and the seconds that the answer took. Runs as the service's user.
"""

import http.client
import json
import sys
import time

from preprovision_service.domain.profiles.flat_profile import parse, values
from preprovision_service.domain.profiles.keys import key_id
from preprovision_service.domain.profiles.sealing.compression import decompress
from preprovision_service.domain.profiles.sealing.openssl_enc import unseal
from preprovision_service.settings import read_settings
from preprovision_service.store.connection import open_database
from preprovision_service.store.tables import Phone
from sqlalchemy import select

address, mac, parameter = sys.argv[1:]
with open_database(str(read_settings()["DATABASE"]))() as session:
    variables, family = session.execute(select(Phone.variables, Phone.family).where(Phone.mac == mac)).one()
key = json.loads(variables)["phone_profile_key"]
began = time.monotonic()
connection = http.client.HTTPConnection(address, timeout=30)
connection.request("GET", f"/service/{mac}-{key_id(key)}.cfg")
answer = connection.getresponse()
body = answer.read()
seconds = time.monotonic() - began
if answer.status != 200:
    sys.exit(f"{address} says {answer.status} for the profile of {mac}")
found = values(parse(decompress(unseal(body, key, "md5"))))
print(json.dumps({"value": found.get(parameter, ""), "seconds": round(seconds, 1)}))
