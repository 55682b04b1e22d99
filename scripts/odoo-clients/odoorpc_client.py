"""Debian's python3-odoorpc: JSON-RPC with a session, and records as objects."""
import sys
from urllib.parse import urlparse

import odoorpc

url, db, user, password = sys.argv[1:]
at = urlparse(url)
odoo = odoorpc.ODOO(at.hostname, port=at.port, timeout=60)
assert db in odoo.db.list(), "the database is not listed"
odoo.login(db, user, password)
assert odoo.env.user.login == user
events = odoo.env["event.event"]
event = events.create({"name": "OdooRPC", "date_begin": "2027-07-05 07:00:00", "date_end": "2027-07-09 14:00:00"})
assert events.search([("id", "=", event)]) == [event]
record = events.browse(event)
assert record.name == "OdooRPC", record.name
record.name = "OdooRPC 2"
assert events.read([event], ["name"])[0]["name"] == "OdooRPC 2"
registration = odoo.env["event.registration"].create({"event_id": event, "name": "Léa"})
assert odoo.env["event.registration"].browse(registration).event_id.id == event
odoo.env["event.registration"].unlink([registration])
events.unlink([event])
try:
    odoo.login(db, user, password + "x")
    raise SystemExit("a wrong password signs in")
except odoorpc.error.RPCError:
    pass
print("odoorpc", odoorpc.__version__ + ": all well")
