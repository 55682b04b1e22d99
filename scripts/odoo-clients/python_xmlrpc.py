"""Python's own xmlrpc.client: log in, create, search, read, write and unlink."""
import sys
import xmlrpc.client

url, db, user, password = sys.argv[1:]
uid = xmlrpc.client.ServerProxy(url + "/xmlrpc/2/common").authenticate(db, user, password, {})
assert uid, "not signed in"
models = xmlrpc.client.ServerProxy(url + "/xmlrpc/2/object")


def call(model, method, *args, **kw):
    return models.execute_kw(db, uid, password, model, method, list(args), kw)


event = call("event.event", "create", {"name": "Python", "date_begin": "2027-07-05 07:00:00", "date_end": "2027-07-09 14:00:00"})
assert call("event.event", "search", [["id", "=", event]]) == [event]
assert call("event.event", "read", [event], fields=["name"])[0]["name"] == "Python"
registration = call("event.registration", "create", {"event_id": event, "name": "Léa"})
assert call("event.registration", "search_read", [["event_id", "=", event]], fields=["name", "state"])[0]["name"] == "Léa"
assert call("event.registration", "write", [registration], {"state": "cancel"})
assert call("event.registration", "unlink", [registration])
assert call("event.event", "unlink", [event])
try:
    call("event.event", "read", [1], fields=["nofield"])
    raise SystemExit("an unknown field is no fault")
except xmlrpc.client.Fault as fault:
    assert fault.faultCode == 1 and "Invalid field" in fault.faultString, fault
print("xmlrpc.client: all well")
