package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/connector"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/mirror"
	"ribambelle/internal/task"
)

// pushBatch is how many rows one load carries: one transaction in Odoo, half a second at 500.
const pushBatch = 200

// row is one record on its way to Odoo, as it stood when it was read.
type row struct {
	kind    string
	id      uuid.UUID
	version int64
	values  []string
}

func (s *Syncer) push(ctx context.Context, r *Result) error {
	module, err := mirror.Module(ctx, s.DB)
	if err != nil {
		return err
	}
	if err := s.pushGuardians(ctx, module, r); err != nil {
		return err
	}
	if err := s.pushRegistrations(ctx, module, r); err != nil {
		return err
	}
	err = s.DB.QueryRow(ctx, `
		SELECT count(*)
		FROM registration
		WHERE version > mirrored_version`).Scan(&r.Waiting)
	if err != nil {
		return fmt.Errorf("counting what waits for Odoo: %w", err)
	}
	return nil
}

// registrationColumns are what Odoo shows of a registration. Nothing medical is among them, ever.
var registrationColumns = []string{"id", "event_id/.id", "event_ticket_id/.id", "partner_id/.id", "name", "email", "phone", "state"}

func (s *Syncer) pushRegistrations(ctx context.Context, module string, r *Result) error {
	if err := s.skipNeverSent(ctx); err != nil {
		return err
	}
	for {
		batch, err := s.unmirroredRegistrations(ctx, module)
		if err != nil || len(batch) == 0 {
			return err
		}
		pushed, refused, err := s.load(ctx, connector.ModelRegistration, registrationColumns, batch)
		r.Pushed += pushed
		r.Refused += refused
		if err != nil {
			return err
		}
	}
}

// skipNeverSent marks as mirrored what Odoo never hears of: the waiting list, until a place is offered.
func (s *Syncer) skipNeverSent(ctx context.Context) error {
	rows, err := s.DB.Query(ctx, `
		SELECT id, version
		FROM registration r
		WHERE version > mirrored_version
		  AND state = 'waitlisted'
		  AND mirrored_version = 0
		  AND NOT EXISTS (SELECT 1 FROM odoo_link l WHERE l.kind = 'registration' AND l.local_id = r.id)`)
	if err != nil {
		return fmt.Errorf("reading the waiting lists: %w", err)
	}
	type skipped struct {
		ID      uuid.UUID
		Version int64
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[skipped])
	if err != nil {
		return fmt.Errorf("reading the waiting lists: %w", err)
	}
	for _, k := range all {
		if err := enrol.Mirrored(ctx, s.DB, k.ID, k.Version); err != nil {
			return err
		}
	}
	return nil
}

func (s *Syncer) unmirroredRegistrations(ctx context.Context, module string) ([]row, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT r.id, r.version, r.state, c.first_name || ' ' || c.last_name AS name, g.email, g.phone,
		  le.odoo_id AS event, lt.odoo_id AS ticket, lp.odoo_id AS partner
		FROM registration r
		JOIN child c ON c.id = r.child_id
		JOIN guardian g ON g.id = r.registrant_id
		JOIN odoo_link le ON le.kind = 'camp' AND le.local_id = r.camp_id
		LEFT JOIN odoo_link lt ON lt.kind = 'ticket' AND lt.local_id = r.ticket_id
		LEFT JOIN odoo_link lp ON lp.kind = 'guardian' AND lp.local_id = r.registrant_id
		WHERE r.version > r.mirrored_version
		  AND NOT EXISTS (SELECT 1 FROM odoo_refusal f WHERE f.kind = 'registration' AND f.local_id = r.id AND f.version = r.version)
		ORDER BY r.created_at, r.id
		LIMIT @limit`,
		pgx.NamedArgs{"limit": pushBatch})
	if err != nil {
		return nil, fmt.Errorf("reading what waits for Odoo: %w", err)
	}
	type waiting struct {
		ID      uuid.UUID
		Version int64
		State   enrol.State
		Name    string
		Email   string
		Phone   string
		Event   int64
		Ticket  *int64
		Partner *int64
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (row, error) {
		w, err := pgx.RowToStructByName[waiting](r)
		return row{
			kind: mirror.Registration, id: w.ID, version: w.Version,
			values: []string{
				module + ".reg_" + w.ID.String(), strconv.FormatInt(w.Event, 10), decimal(w.Ticket), decimal(w.Partner),
				line(w.Name), line(w.Email), line(w.Phone), odooState(w.State),
			},
		}, err
	})
}

var partnerColumns = []string{"id", "name", "email", "phone", "street", "zip", "city"}

// pushGuardians sends the guardians who register children, where the user may create contacts; elsewhere a
// registration stands in Odoo with a name and an e-mail alone.
func (s *Syncer) pushGuardians(ctx context.Context, module string, r *Result) error {
	batch, err := s.unmirroredGuardians(ctx, module)
	if err != nil || len(batch) == 0 {
		return err
	}
	allowed, err := s.Odoo.CheckAccess(ctx, connector.ModelPartner, "create")
	if err != nil || !allowed {
		return err
	}
	for len(batch) > 0 {
		pushed, refused, err := s.load(ctx, connector.ModelPartner, partnerColumns, batch)
		r.Partners += pushed
		r.Refused += refused
		if err != nil {
			return err
		}
		if batch, err = s.unmirroredGuardians(ctx, module); err != nil {
			return err
		}
	}
	return nil
}

func (s *Syncer) unmirroredGuardians(ctx context.Context, module string) ([]row, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT g.id, g.version, g.first_name || ' ' || g.last_name AS name, g.email, g.phone, g.street, g.postcode, g.city
		FROM guardian g
		WHERE g.version > g.mirrored_version
		  AND EXISTS (SELECT 1 FROM registration r WHERE r.registrant_id = g.id AND r.state <> 'waitlisted')
		  AND NOT EXISTS (SELECT 1 FROM odoo_refusal f WHERE f.kind = 'guardian' AND f.local_id = g.id AND f.version = g.version)
		ORDER BY g.id
		LIMIT @limit`,
		pgx.NamedArgs{"limit": pushBatch})
	if err != nil {
		return nil, fmt.Errorf("reading the guardians who wait for Odoo: %w", err)
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (row, error) {
		w := row{kind: mirror.Guardian, values: make([]string, len(partnerColumns))}
		v := w.values
		if err := r.Scan(&w.id, &w.version, &v[1], &v[2], &v[3], &v[4], &v[5], &v[6]); err != nil {
			return w, err
		}
		v[0] = module + ".guardian_" + w.id.String()
		for i := range v {
			v[i] = line(v[i])
		}
		return w, nil
	})
}

// load sends rows in one transaction of Odoo and notes what it took. A row that Odoo refuses is sent again alone, so
// that its own reason is known, and the others go through without it. An error ends the push: what was not taken stays
// to be sent, and sending again what was taken changes nothing.
func (s *Syncer) load(ctx context.Context, model string, columns []string, rows []row) (pushed, refused int, err error) {
	if len(rows) == 0 {
		return 0, 0, nil
	}
	values := make([][]string, len(rows))
	for i, w := range rows {
		values[i] = w.values
	}
	ids, messages, err := s.Odoo.Load(ctx, model, columns, values)
	if connector.KindOf(err) == connector.KindUser {
		// Some refusals come as a fault of the whole call.
		messages, err = []connector.LoadMessage{{Row: -1, Message: refusalOf(err), Kind: connector.KindUser}}, nil
	}
	if err != nil {
		return 0, 0, err
	}
	if ids != nil {
		return len(rows), 0, s.took(ctx, model, rows, ids)
	}
	for _, m := range messages {
		if m.Kind == connector.KindConflict {
			return 0, 0, fmt.Errorf("loading %d rows of %s: Odoo was busy with the same records", len(rows), model)
		}
	}
	if len(rows) == 1 {
		return 0, 1, s.refuse(ctx, rows[0], messages)
	}
	rest, suspects := split(rows, messages)
	for _, part := range append([][]row{rest}, suspects...) {
		p, f, err := s.load(ctx, model, columns, part)
		pushed, refused = pushed+p, refused+f
		if err != nil {
			return pushed, refused, err
		}
	}
	return pushed, refused, nil
}

// refusalOf is Odoo's own sentence.
func refusalOf(err error) string {
	var f *connector.Fault
	if errors.As(err, &f) && f.Message != "" {
		return f.Message
	}
	return err.Error()
}

// split sets the rows that the messages name apart, each alone; when they name none, it halves the batch.
func split(rows []row, messages []connector.LoadMessage) (rest []row, suspects [][]row) {
	named := map[int]bool{}
	for _, m := range messages {
		if m.Row >= 0 && m.Row < len(rows) && !m.Warning {
			named[m.Row] = true
		}
	}
	if len(named) == 0 {
		half := len(rows) / 2
		return rows[:half], [][]row{rows[half:]}
	}
	for i, w := range rows {
		if named[i] {
			suspects = append(suspects, []row{w})
		} else {
			rest = append(rest, w)
		}
	}
	return rest, suspects
}

func (s *Syncer) took(ctx context.Context, model string, rows []row, ids []int64) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		local := make([]uuid.UUID, len(rows))
		for i, w := range rows {
			local[i] = w.id
			var err error
			if w.kind == mirror.Guardian {
				err = household.Mirrored(ctx, tx, w.id, w.version)
			} else {
				err = enrol.Mirrored(ctx, tx, w.id, w.version)
			}
			if err != nil {
				return err
			}
			if err := task.Close(ctx, tx, task.OdooRefused, w.kind, w.id.String(), "push"); err != nil {
				return err
			}
		}
		if err := mirror.Accept(ctx, tx, rows[0].kind, local...); err != nil {
			return err
		}
		return mirror.Link(ctx, tx, model, rows[0].kind, ids, local)
	})
}

func (s *Syncer) refuse(ctx context.Context, w row, messages []connector.LoadMessage) error {
	texts := make([]string, len(messages))
	for i, m := range messages {
		texts[i] = m.Message
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if err := mirror.Refuse(ctx, tx, w.kind, w.id, w.version, strings.Join(slices.Compact(texts), "\n"), s.Now()); err != nil {
			return err
		}
		return task.Open(ctx, tx, task.OdooRefused, w.kind, w.id.String(), map[string]any{w.kind: w.id})
	})
}

// line makes a value safe as one cell: control characters would be refused or replaced on the way.
func line(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s))
}

func decimal(id *int64) string {
	if id == nil {
		return ""
	}
	return strconv.FormatInt(*id, 10)
}
