// npm odoo-await and odoo-xmlrpc: log in, create, search, read, write and unlink.
const assert = require("node:assert");
const [url, db, username, password] = process.argv.slice(2);
const at = new URL(url);
const week = { date_begin: "2027-07-05 07:00:00", date_end: "2027-07-09 14:00:00" };

async function odooAwait() {
  const Odoo = require("odoo-await");
  const odoo = new Odoo({ baseUrl: at.protocol + "//" + at.hostname, port: Number(at.port), db, username, password });
  assert(await odoo.connect());
  const event = await odoo.create("event.event", { name: "odoo-await", ...week });
  assert.deepStrictEqual(await odoo.search("event.event", [["id", "=", event]]), [event]);
  const registration = await odoo.create("event.registration", { event_id: event, name: "Léa" });
  const [row] = await odoo.read("event.registration", [registration], ["name", "event_id"]);
  assert.strictEqual(row.name, "Léa");
  assert.strictEqual(row.event_id[0], event);
  assert(await odoo.update("event.registration", registration, { name: "Zoé" }));
  const [found] = await odoo.searchRead("event.registration", [["event_id", "=", event]], ["name"]);
  assert.strictEqual(found.name, "Zoé");
  assert(await odoo.delete("event.registration", registration));
  assert(await odoo.delete("event.event", event));
  console.log("odoo-await: all well");
}

function odooXMLRPC() {
  const Odoo = require("odoo-xmlrpc");
  const odoo = new Odoo({ url: at.protocol + "//" + at.hostname, port: at.port, db, username, password });
  const call = (model, method, ...args) => new Promise((done, fail) => odoo.execute_kw(model, method, [args], (err, v) => (err ? fail(err) : done(v))));
  return new Promise((done, fail) => odoo.connect((err) => (err ? fail(err) : done()))).then(async () => {
    const event = await call("event.event", "create", { name: "odoo-xmlrpc", ...week });
    assert.deepStrictEqual(await call("event.event", "search", [["id", "=", event]]), [event]);
    const [row] = await call("event.event", "read", [event], ["name"]);
    assert.strictEqual(row.name, "odoo-xmlrpc");
    assert(await call("event.event", "write", [event], { name: "x" }));
    assert(await call("event.event", "unlink", [event]));
    console.log("odoo-xmlrpc: all well");
  });
}

odooAwait().then(odooXMLRPC).catch((err) => {
  console.error(err);
  process.exit(1);
});
