package eventmodule

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// schemaLock is the advisory lock under which one server at a time creates or
// extends the tables.
const schemaLock = 0x6576656e74 // "event"

// timeZones reads the zones PostgreSQL knows, as the options of date_tz.
func timeZones(ctx context.Context, tx pgx.Tx) ([][2]string, error) {
	rows, err := tx.Query(ctx, `
		SELECT name
		FROM pg_timezone_names
		WHERE name NOT LIKE 'posix%' AND name NOT LIKE 'right%' AND name NOT IN ('localtime', 'Factory', 'posixrules')
		ORDER BY name LIKE 'Etc/%', name`)
	if err != nil {
		return nil, err
	}
	names, err := collectStrings(rows)
	if err != nil {
		return nil, err
	}
	zones := make([][2]string, len(names))
	for i, n := range names {
		zones[i] = [2]string{n, n}
	}
	return zones, nil
}

// migrate creates what is missing of the tables, columns, constraints and
// indexes of the models. It never drops anything.
func migrate(ctx context.Context, tx pgx.Tx, r *registry) error {
	rows, err := tx.Query(ctx, `
		SELECT c.relname || '.' || a.attname
		FROM pg_attribute a
		JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
		UNION ALL
		SELECT conname
		FROM pg_constraint
		WHERE connamespace = current_schema()::regnamespace`)
	if err != nil {
		return err
	}
	list, err := collectStrings(rows)
	if err != nil {
		return err
	}
	have := make(map[string]bool, len(list))
	for _, name := range list {
		have[name] = true
	}
	for _, statement := range statements(r, have) {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return fmt.Errorf("running %q: %w", statement, err)
		}
	}
	return nil
}

// statements are the DDL still to run, given what is there: tables and columns
// first, then constraints, which may point anywhere.
func statements(r *registry, have map[string]bool) []string {
	var ddl, constraints []string
	for _, m := range r.list {
		table := m.table()
		if !have[table+".id"] {
			ddl = append(ddl, fmt.Sprintf("CREATE TABLE %s (id serial PRIMARY KEY)", table))
		}
		for _, f := range m.fields {
			switch {
			case f.kind == kMany2many:
				if table, links := relation(f, m); !have[f.rel+"."+f.left] {
					ddl = append(ddl, table)
					constraints = append(constraints, links...)
				}
			case f.stored() && f.name != "id":
				if !have[table+"."+f.name] {
					ddl = append(ddl, column(table, f))
				}
				if name := fmt.Sprintf("%s_%s_fkey", table, f.name); f.kind == kMany2one && !have[name] {
					constraints = append(constraints, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s FOREIGN KEY (%s) REFERENCES %s ON DELETE %s",
						table, name, f.name, strings.ReplaceAll(f.comodel, ".", "_"), onDelete(f)))
				}
			}
		}
		for name, check := range m.checks {
			if !have[name] {
				constraints = append(constraints, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", table, name, check))
			}
		}
		for _, columns := range m.indexes {
			name := table + "_" + strings.NewReplacer(", ", "_", " ", "").Replace(columns) + "_idx"
			constraints = append(constraints, fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s ON %s (%s)", name, table, columns))
		}
	}
	slices.Sort(constraints) // names first decide nothing, but every start runs the same order
	return append(ddl, constraints...)
}

func column(table string, f *field) string {
	ddl := fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table, f.name, columnType(f))
	if f.required {
		ddl += " NOT NULL"
	}
	return ddl
}

func onDelete(f *field) string {
	switch {
	case f.onDelete != "":
		return f.onDelete
	case f.required:
		return "RESTRICT"
	}
	return "SET NULL"
}

// relation is the link table of a many2many, and what ties it to its ends.
func relation(f *field, m *model) (table string, links []string) {
	foreign := func(column, to string) string {
		return fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s_%s_fkey FOREIGN KEY (%s) REFERENCES %s ON DELETE CASCADE",
			f.rel, f.rel, column, column, strings.ReplaceAll(to, ".", "_"))
	}
	return fmt.Sprintf("CREATE TABLE %s (%s integer NOT NULL, %s integer NOT NULL, PRIMARY KEY (%s, %s))", f.rel, f.left, f.right, f.left, f.right),
		[]string{
			foreign(f.left, m.name),
			foreign(f.right, f.comodel),
			fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s_%s_idx ON %s (%s)", f.rel, f.right, f.rel, f.right),
		}
}

// furnish lays the rows every Odoo has after its installation, once.
func (s *Server) furnish(ctx context.Context, tx pgx.Tx) error {
	var done bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM res_company)`).Scan(&done); err != nil || done {
		return err
	}
	now := s.clock().UTC()
	for _, statement := range []string{
		`INSERT INTO res_country (name, code, phone_code) VALUES
			('Belgium', 'BE', 32), ('France', 'FR', 33), ('Germany', 'DE', 49), ('Luxembourg', 'LU', 352),
			('Netherlands', 'NL', 31), ('Spain', 'ES', 34), ('Italy', 'IT', 39), ('United Kingdom', 'GB', 44), ('Switzerland', 'CH', 41)`,
		`INSERT INTO res_partner (name, is_company, active, type, lang, color) VALUES
			('My Company', TRUE, TRUE, 'contact', 'en_US', 0), ('OdooBot', FALSE, FALSE, 'contact', 'en_US', 0)`,
		`INSERT INTO res_company (name, partner_id, active, sequence) VALUES ('My Company', 1, TRUE, 10)`,
		`UPDATE res_partner SET company_id = 1 WHERE id = 1`,
		`INSERT INTO res_users (login, partner_id, company_id, active) VALUES ('__system__', 2, 1, FALSE)`,
		`INSERT INTO res_lang (name, code, iso_code, active) VALUES ('English (US)', 'en_US', 'en', TRUE), ('French (BE) / Français (BE)', 'fr_BE', 'fr_BE', TRUE)`,
		`INSERT INTO event_stage (name, sequence, fold, pipe_end, legend_blocked, legend_done, legend_normal) VALUES
			('New', 1, FALSE, FALSE, 'Blocked', 'Ready for Next Stage', 'In Progress'),
			('Booked', 2, FALSE, FALSE, 'Blocked', 'Ready for Next Stage', 'In Progress'),
			('Announced', 3, FALSE, FALSE, 'Blocked', 'Ready for Next Stage', 'In Progress'),
			('Ended', 4, TRUE, TRUE, 'Blocked', 'Ready for Next Stage', 'In Progress'),
			('Cancelled', 5, TRUE, TRUE, 'Blocked', 'Ready for Next Stage', 'In Progress')`,
		`INSERT INTO ir_module_module (name, shortdesc, state, application, sequence, latest_version) VALUES
			('base', 'Base', 'installed', FALSE, 100, '17.0.1.3'), ('mail', 'Discuss', 'uninstalled', TRUE, 145, NULL),
			('event', 'Events Organization', 'installed', TRUE, 65, '17.0.1.9'), ('event_sale', 'Events Sales', 'uninstalled', FALSE, 100, NULL),
			('website_event', 'Events', 'uninstalled', TRUE, 140, NULL), ('account', 'Invoicing', 'uninstalled', TRUE, 10, NULL)`,
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	for _, m := range s.models.list {
		if _, err := tx.Exec(ctx, `INSERT INTO ir_model (name, model, state, transient) VALUES ($1, $2, 'base', FALSE)`, m.label, m.name); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, fmt.Sprintf(`UPDATE %s SET create_uid = 1, write_uid = 1, create_date = $1, write_date = $1`, m.table()), now); err != nil {
			return err
		}
	}
	// The external ids by which everybody's code knows these rows.
	_, err := tx.Exec(ctx, `
		INSERT INTO ir_model_data (module, name, model, res_id, noupdate, create_uid, write_uid, create_date, write_date)
		SELECT x.module, x.name, x.model, x.res_id, TRUE, 1, 1, $1, $1
		FROM (VALUES
			('base', 'main_company', 'res.company', 1), ('base', 'main_partner', 'res.partner', 1),
			('base', 'be', 'res.country', 1), ('base', 'fr', 'res.country', 2),
			('event', 'event_stage_new', 'event.stage', 1), ('event', 'event_stage_booked', 'event.stage', 2),
			('event', 'event_stage_announced', 'event.stage', 3), ('event', 'event_stage_done', 'event.stage', 4),
			('event', 'event_stage_cancelled', 'event.stage', 5)) AS x (module, name, model, res_id)`, now)
	return err
}
