package connector

import (
	"context"
	"time"
)

// ModelPartner is the model of contacts.
const ModelPartner = "res.partner"

// Partner is one res.partner, as far as a guardian's contact needs it.
type Partner struct {
	ID int64
	// Name, Email and Phone are name, email and phone.
	Name, Email, Phone string
	// Mobile is mobile (14 to 18).
	Mobile string
	// Street, Street2, Zip and City are street, street2, zip and city.
	Street, Street2, Zip, City string
	// Country is country_id, Parent is parent_id.
	Country, Parent Ref
	// Lang is lang, an Odoo language code such as fr_BE.
	Lang string
	// Reference is ref, the commune's own number.
	Reference string
	// Type is type: contact, invoice, delivery, other.
	Type string
	// Organisation is is_company.
	Organisation bool
	// Active is active; false is archived.
	Active bool
	// Written is write_date, in UTC.
	Written time.Time
	// Writer is write_uid, who changed it last.
	Writer Ref
}

var partnerModel = model[Partner]{
	name:     ModelPartner,
	archived: true,
	fields: []string{
		"name", "email", "phone", "mobile", "street", "street2", "zip", "city", "country_id", "parent_id", "lang", "ref",
		"type", "is_company", "active", "write_date", "write_uid",
	},
	from: func(r *row, _ Profile) Partner {
		return Partner{
			ID: r.id, Name: r.text("name"), Email: r.text("email"), Phone: r.text("phone"), Mobile: r.text("mobile"),
			Street: r.text("street"), Street2: r.text("street2"), Zip: r.text("zip"), City: r.text("city"),
			Country: r.ref("country_id"), Parent: r.ref("parent_id"), Lang: r.text("lang"), Reference: r.text("ref"),
			Type: r.text("type"), Organisation: r.flag("is_company"), Active: !r.has("active") || r.flag("active"),
			Written: r.instant("write_date"), Writer: r.ref("write_uid"),
		}
	},
}

// Partners returns the contacts of the given ids, archived ones included;
// missing ones are left out. All contacts of an Odoo are never asked for: most
// of them are none of our business.
func (c *Client) Partners(ctx context.Context, ids []int64) ([]Partner, error) {
	return byIDs(ctx, c, partnerModel, ids)
}
