package eventmodule

import "context"

// Models around the event app, thin: what the event models point to, so that
// a client can follow every relation.

// contextOfUser answers what a client puts into the context of its calls.
func contextOfUser(ctx context.Context, e *env, c *call) (any, error) {
	rows, err := e.read(ctx, c.model, []int64{e.user.id}, []string{"lang", "tz"}, true)
	if err != nil || len(rows) == 0 {
		return object{}, err
	}
	return object{{"lang", rows[0].get("lang")}, {"tz", rows[0].get("tz")}, {"uid", e.user.id}}, nil
}

// userHasGroup tells by external id whether the caller is in one of the groups
// this server knows.
func userHasGroup(_ context.Context, e *env, c *call) (any, error) {
	switch textOf(c.arg("group_ext_id")) {
	case "base.group_user":
		return true, nil
	case "event.group_event_registration_desk":
		return e.user.Admin || e.user.Desk, nil
	case "base.group_partner_manager":
		return e.user.Admin || e.user.ContactCreation, nil
	case "event.group_event_user", "event.group_event_manager", "base.group_system", "base.group_erp_manager":
		return e.user.Admin, nil
	}
	return false, nil
}

// tagModels are event.tag and event.tag.category.
func tagModels() []*model {
	return []*model{
		{
			name: "event.tag", label: "Event Tag", order: "category_sequence, sequence, id",
			fields: []*field{
				char("name", "Name").require(),
				integer("sequence", "Sequence").starts(int64(0)),
				many2one("category_id", "Category", "event.tag.category").require().deleting("CASCADE"),
				integer("category_sequence", "Category Sequence").as(`SELECT c.sequence FROM event_tag_category c WHERE c.id = @.category_id`).keep(),
				integer("color", "Color Index"),
			},
		},
		{
			name: "event.tag.category", label: "Event Tag Category", order: "sequence, id",
			fields: []*field{
				char("name", "Name").require(),
				integer("sequence", "Sequence").starts(int64(0)),
				one2many("tag_ids", "Tags", "event.tag", "category_id"),
			},
		},
	}
}

func stageModel() *model {
	return &model{
		name: "event.stage", label: "Event Stage", order: "sequence, name, id",
		fields: []*field{
			char("name", "Stage Name").require(),
			text("description", "Stage description"),
			integer("sequence", "Sequence").starts(int64(1)),
			boolean("fold", "Folded in Kanban"),
			boolean("pipe_end", "End Stage"),
			char("legend_blocked", "Red Kanban Label").require().starts("Blocked"),
			char("legend_done", "Green Kanban Label").require().starts("Ready for Next Stage"),
			char("legend_normal", "Grey Kanban Label").require().starts("In Progress"),
		},
	}
}

func typeModel(zones [][2]string) *model {
	return &model{
		name: "event.type", label: "Event Template", order: "sequence, id",
		fields: []*field{
			char("name", "Event Template").require(),
			html("note", "Note"),
			integer("sequence", "Sequence").starts(int64(10)),
			many2many("tag_ids", "Tags", "event.tag", "event_tag_event_type_rel", "event_type_id", "event_tag_id"),
			boolean("has_seats_limitation", "Limited Seats"),
			integer("seats_max", "Maximum Registrations"),
			choice("default_timezone", "Timezone", zones...),
			html("ticket_instructions", "Ticket Instructions"),
		},
	}
}

// mailModel is event.mail: clients clear or read an event's schedulers; this
// server makes none and never mails.
func mailModel() *model {
	units := [][2]string{{"now", "Immediately"}, {"hours", "Hours"}, {"days", "Days"}, {"weeks", "Weeks"}, {"months", "Months"}}
	types := [][2]string{{"after_sub", "After each registration"}, {"before_event", "Before the event"}, {"after_event", "After the event"}}
	return &model{
		name: "event.mail", label: "Event Automated Mailing", recName: "interval_type",
		indexes: []string{"event_id"},
		fields: []*field{
			many2one("event_id", "Event", "event.event").require().deleting("CASCADE"),
			integer("sequence", "Display order"),
			integer("interval_nbr", "Interval").starts(int64(1)),
			choice("interval_unit", "Unit", units...).require().starts("hours"),
			choice("interval_type", "Trigger", types...).require().starts("before_event"),
			boolean("mail_done", "Sent"),
		},
	}
}

// partnerModel is res.partner: people, organisations and places.
func partnerModel(zones [][2]string) *model {
	return &model{
		name: "res.partner", label: "Contact", order: "complete_name ASC, id DESC", parent: "parent_id",
		display: func(a string) string {
			return `CASE WHEN ` + a + `.parent_id IS NOT NULL AND NOT COALESCE(` + a + `.is_company, FALSE)
				THEN concat_ws(', ', (SELECT p.name FROM res_partner p WHERE p.id = ` + a + `.parent_id), NULLIF(` + a + `.name, ''))
				ELSE ` + a + `.name END`
		},
		nameSearch: []string{"email", "ref", "vat"},
		checks: map[string]string{
			"res_partner_check_name": "CHECK ((type = 'contact' AND name IS NOT NULL) OR type <> 'contact')",
		},
		indexes: []string{"email", "parent_id", "name"},
		fields: []*field{
			char("name", "Name"),
			char("complete_name", "Complete Name").as(`CASE WHEN @.parent_id IS NOT NULL AND NOT COALESCE(@.is_company, FALSE)
				THEN concat_ws(', ', (SELECT p.name FROM res_partner p WHERE p.id = @.parent_id), NULLIF(@.name, '')) ELSE @.name END`).keep(),
			many2one("parent_id", "Related Company", "res.partner"),
			one2many("child_ids", "Contact", "res.partner", "parent_id").once(),
			many2one("commercial_partner_id", "Commercial Entity", "res.partner").as(`COALESCE(CASE WHEN @.is_company THEN @.id ELSE @.parent_id END, @.id)`).keep(),
			char("ref", "Reference"),
			choice("lang", "Language", languages...).starts("en_US"),
			choice("tz", "Timezone", zones...),
			many2one("user_id", "Salesperson", "res.users"),
			char("vat", "Tax ID"),
			many2many("category_id", "Tags", "res.partner.category", "res_partner_res_partner_category_rel", "partner_id", "category_id"),
			html("comment", "Notes"),
			boolean("active", "Active").starts(true),
			boolean("employee", "Employee"),
			char("function", "Job Position"),
			choice("type", "Address Type", [2]string{"contact", "Contact"}, [2]string{"invoice", "Invoice Address"}, [2]string{"delivery", "Delivery Address"}, [2]string{"other", "Other Address"}).starts("contact"),
			char("street", "Street"),
			char("street2", "Street2"),
			char("zip", "Zip"),
			char("city", "City"),
			many2one("country_id", "Country", "res.country").deleting("RESTRICT"),
			char("country_code", "Country Code").as(`SELECT c.code FROM res_country c WHERE c.id = @.country_id`).search(),
			char("email", "Email"),
			char("email_normalized", "Normalized Email").as(`CASE WHEN trim(@.email) ~ '^[^[:space:]]+\x40[^[:space:]]+$' THEN lower(trim(@.email)) END`).keep(),
			char("phone", "Phone"),
			char("mobile", "Mobile"),
			char("website", "Website Link"),
			boolean("is_company", "Is a Company"),
			choice("company_type", "Company Type", [2]string{"person", "Individual"}, [2]string{"company", "Company"}).as(`CASE WHEN @.is_company THEN 'company' ELSE 'person' END`),
			integer("color", "Color Index"),
			many2one("company_id", "Company", "res.company"),
			char("company_name", "Company Name"),
			one2many("user_ids", "Users", "res.users", "partner_id").once(),
		},
	}
}

// baseModels are the models other models point to.
func baseModels() []*model {
	ofPartner := func(column string) string {
		return `SELECT p.` + column + ` FROM res_partner p WHERE p.id = @.partner_id`
	}
	return []*model{
		{
			name: "res.partner.category", label: "Partner Tags", order: "name, id", parent: "parent_id",
			fields: []*field{
				char("name", "Tag Name").require(),
				integer("color", "Color"),
				many2one("parent_id", "Parent Category", "res.partner.category").deleting("CASCADE"),
				boolean("active", "Active").starts(true),
			},
		},
		{
			name: "res.users", label: "User", order: "name, login, id",
			display: func(a string) string {
				return `(SELECT p.name FROM res_partner p WHERE p.id = ` + a + `.partner_id)`
			},
			nameSearch: []string{"login"},
			checks:     map[string]string{"res_users_login_key": "UNIQUE (login)"},
			fields: []*field{
				char("login", "Login").require(),
				char("password", "Password").as(`''::text`),
				boolean("active", "Active").starts(true),
				many2one("partner_id", "Related Partner", "res.partner").require().deleting("RESTRICT"),
				many2one("company_id", "Company", "res.company").require().starts(int64(1)).deleting("RESTRICT"),
				char("name", "Name").as(ofPartner("name")).keep(),
				char("email", "Email").as(ofPartner("email")).search(),
				char("phone", "Phone").as(ofPartner("phone")).search(),
				choice("lang", "Language", languages...).as(ofPartner("lang")).search(),
				char("tz", "Timezone").as(ofPartner("tz")).search(),
				boolean("share", "Share User").as(`FALSE`).keep(),
			},
			methods: map[string]method{
				"context_get": {run: contextOfUser},
				"has_group":   {params: []string{"group_ext_id"}, run: userHasGroup},
			},
		},
		{
			name: "res.company", label: "Companies", order: "sequence, name, id", parent: "parent_id",
			fields: []*field{
				char("name", "Company Name").require(),
				integer("sequence", "Sequence").starts(int64(10)),
				boolean("active", "Active").starts(true),
				many2one("parent_id", "Parent Company", "res.company"),
				many2one("partner_id", "Partner", "res.partner").require().deleting("RESTRICT"),
				char("email", "Email").as(ofPartner("email")).search(),
				char("phone", "Phone").as(ofPartner("phone")).search(),
				char("street", "Street").as(ofPartner("street")).search(),
				char("zip", "Zip").as(ofPartner("zip")).search(),
				char("city", "City").as(ofPartner("city")).search(),
				many2one("country_id", "Country", "res.country").as(ofPartner("country_id")).search(),
				char("vat", "Tax ID").as(ofPartner("vat")).search(),
			},
		},
		{
			name: "res.country", label: "Country", order: "name, id",
			checks: map[string]string{"res_country_code_uniq": "UNIQUE (code)"},
			fields: []*field{
				char("name", "Country Name").require(),
				char("code", "Country Code").require(),
				integer("phone_code", "Country Calling Code"),
			},
			nameSearch: []string{"code"},
		},
		{
			name: "res.lang", label: "Languages", order: "active desc, name, id",
			fields: []*field{
				char("name", "Name").require(),
				char("code", "Locale Code").require(),
				char("iso_code", "ISO code"),
				boolean("active", "Active").starts(true),
			},
		},
		{
			name: "ir.model", label: "Models", order: "model, id",
			fields: []*field{
				char("name", "Model Description").require(),
				char("model", "Model").require(),
				choice("state", "Type", [2]string{"manual", "Custom Object"}, [2]string{"base", "Base Object"}).starts("base"),
				boolean("transient", "Transient Model"),
			},
		},
		{
			name: "ir.module.module", label: "Module", order: "application desc, sequence, name, id",
			fields: []*field{
				char("name", "Technical Name").require(),
				char("shortdesc", "Module Name"),
				choice("state", "Status", [2]string{"uninstalled", "Not Installed"}, [2]string{"installed", "Installed"}).starts("uninstalled"),
				boolean("application", "Application"),
				integer("sequence", "Sequence").starts(int64(100)),
				char("latest_version", "Installed Version"),
			},
			display: func(a string) string { return `COALESCE(` + a + `.shortdesc, ` + a + `.name)` },
		},
		{
			name: "ir.model.data", label: "Model Data", order: "module, model, name, id",
			checks:  map[string]string{"ir_model_data_module_name_uniq_index": "UNIQUE (module, name)"},
			indexes: []string{"model, res_id"},
			fields: []*field{
				char("name", "External Identifier").require(),
				char("complete_name", "Complete ID").as(`@.module || '.' || @.name`),
				char("module", "Module").require().starts(""),
				char("model", "Model Name").require(),
				integer("res_id", "Record ID"),
				boolean("noupdate", "Non Updatable"),
			},
		},
	}
}
