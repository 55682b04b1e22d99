package sync

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/connector"
	"ribambelle/internal/camp"
	"ribambelle/internal/enrol"
	"ribambelle/internal/mirror"
)

// pushBatch is how many rows one load carries: one transaction in Odoo, half a second.
const pushBatch = 500

// row is one record on its way to Odoo, as it stood when it was read.
type row struct {
	kind    string
	id      uuid.UUID
	version int64
	values  []string
	// Of registrations alone:
	camp    uuid.UUID
	odooID  int64 // 0 when Odoo does not have it yet, as far as we know
	adopted bool
	state   string // that Odoo shall show
}

// pushing is one push.
type pushing struct {
	*Syncer
	module  string
	profile connector.Profile
	mails   bool // Odoo sends its own confirmation: a state is opened by a write of its own
	again   bool // there is more, or something that was refused may pass now
	r       *Result
}

func (s *Syncer) push(ctx context.Context, r *Result) (err error) {
	p := pushing{Syncer: s, r: r}
	if p.module, err = mirror.Module(ctx, s.DB); err != nil {
		return err
	}
	mails, err := camp.Setting(ctx, s.DB, "odoo.mail")
	if err != nil {
		return err
	}
	p.mails = mails == "oui"
	if err := p.guardians(ctx); err != nil {
		return err
	}
	if err := p.registrations(ctx); err != nil {
		return err
	}
	err = s.DB.QueryRow(ctx, `
		SELECT count(*)
		FROM registration r
		WHERE r.version > r.mirrored_version
		  AND EXISTS (SELECT 1 FROM odoo_link l WHERE l.kind = 'camp' AND l.local_id = r.camp_id)`).Scan(&r.Waiting)
	if err != nil {
		return fmt.Errorf("counting what waits for Odoo: %w", err)
	}
	return nil
}

// registrationColumns are what Odoo shows of a registration. Nothing medical is among them, ever. The first is the
// external id, or ".id" for a row that was adopted: with both, Odoo would make a second row.
var registrationColumns = []string{"id", "event_id/.id", "event_ticket_id/.id", "partner_id/.id", "name", "email", "phone", "state"}

const (
	columnPartner = "partner_id"
	valueState    = 7 // index of the state among the values
)

func (p *pushing) registrations(ctx context.Context) error {
	if err := p.skipNeverSent(ctx); err != nil {
		return err
	}
	for {
		batch, err := p.unmirroredRegistrations(ctx)
		if err != nil || len(batch) == 0 {
			return err
		}
		if p.profile, err = p.Odoo.Profile(ctx); err != nil {
			return err
		}
		p.again = len(batch) > pushBatch
		if err := p.sendRegistrations(ctx, batch[:min(len(batch), pushBatch)]); err != nil || !p.again {
			return err
		}
	}
}

// skipNeverSent marks as mirrored what Odoo never hears of: the waiting list until a place is offered, and what ended
// before it was sent.
func (p *pushing) skipNeverSent(ctx context.Context) error {
	var exits []string
	for _, i := range enrol.States {
		if odooState(i.State) == connector.StateCancel {
			exits = append(exits, string(i.State))
		}
	}
	rows, err := p.DB.Query(ctx, `
		SELECT r.id, r.version
		FROM registration r
		WHERE r.version > r.mirrored_version
		  AND r.state = ANY(@exits)
		  AND NOT EXISTS (SELECT 1 FROM odoo_link l WHERE l.kind = 'registration' AND l.local_id = r.id)`,
		pgx.NamedArgs{"exits": exits})
	if err != nil {
		return fmt.Errorf("reading the waiting lists: %w", err)
	}
	var ids []uuid.UUID
	var versions []int64
	var id uuid.UUID
	var version int64
	_, err = pgx.ForEachRow(rows, []any{&id, &version}, func() error {
		ids, versions = append(ids, id), append(versions, version)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the waiting lists: %w", err)
	}
	if len(ids) == 0 {
		return nil
	}
	return enrol.MirroredAll(ctx, p.DB, ids, versions)
}

// unmirroredRegistrations reads what waits, first what frees a seat in Odoo: one row more than a batch tells that there
// is more.
func (p *pushing) unmirroredRegistrations(ctx context.Context) ([]row, error) {
	rows, err := p.DB.Query(ctx, `
		SELECT r.id, r.version, r.state, r.camp_id, c.first_name || ' ' || c.last_name AS name, g.email, g.phone, le.odoo_id AS event,
		  (SELECT odoo_id FROM odoo_link WHERE kind = 'ticket' AND local_id = r.ticket_id) AS ticket,
		  (SELECT odoo_id FROM odoo_link WHERE kind = 'guardian' AND local_id = r.registrant_id) AS partner,
		  (SELECT odoo_id FROM odoo_link WHERE kind = 'registration' AND local_id = r.id) AS known,
		  EXISTS (SELECT 1 FROM odoo_link WHERE kind = 'registration' AND local_id = r.id AND adopted) AS adopted
		FROM registration r
		JOIN child c ON c.id = r.child_id
		JOIN guardian g ON g.id = r.registrant_id
		JOIN odoo_link le ON le.kind = 'camp' AND le.local_id = r.camp_id
		WHERE r.version > r.mirrored_version
		  AND NOT EXISTS (SELECT 1 FROM odoo_refusal f WHERE f.kind = 'registration' AND f.local_id = r.id AND f.version = r.version)
		ORDER BY r.state IN ('submitted', 'to_validate', 'validated', 'awaiting_payment', 'offered', 'confirmed', 'completed'), r.created_at, r.id
		LIMIT @limit`,
		pgx.NamedArgs{"limit": pushBatch + 1})
	if err != nil {
		return nil, fmt.Errorf("reading what waits for Odoo: %w", err)
	}
	type waiting struct {
		ID      uuid.UUID
		Version int64
		State   enrol.State
		CampID  uuid.UUID
		Name    string
		Email   string
		Phone   string
		Event   int64
		Ticket  *int64
		Partner *int64
		Known   *int64
		Adopted bool
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (row, error) {
		w, err := pgx.RowToStructByName[waiting](r)
		out := row{kind: mirror.Registration, id: w.ID, version: w.Version, camp: w.CampID, adopted: w.Adopted, state: odooState(w.State)}
		key := p.module + ".reg_" + w.ID.String()
		if w.Known != nil {
			out.odooID = *w.Known
			if w.Adopted {
				key = decimal(w.Known)
			}
		}
		out.values = []string{
			key, strconv.FormatInt(w.Event, 10), decimal(w.Ticket), decimal(w.Partner),
			line(w.Name), line(w.Email), line(w.Phone), out.state,
		}
		return out, err
	})
}

var partnerColumns = []string{"id", "name", "email", "phone", "street", "zip", "city"}

// guardians sends the guardians who register children, where the user may create contacts; elsewhere a registration
// stands in Odoo with a name and an e-mail alone.
func (p *pushing) guardians(ctx context.Context) error {
	batch, err := p.unmirroredGuardians(ctx)
	if err != nil || len(batch) == 0 {
		return err
	}
	allowed, err := p.Odoo.CheckAccess(ctx, connector.ModelPartner, connector.OpCreate)
	if err != nil || !allowed {
		return err
	}
	for len(batch) > 0 {
		pushed, refused, err := p.load(ctx, connector.ModelPartner, partnerColumns, batch)
		p.r.Partners += pushed
		p.r.Refused += refused
		if err != nil {
			return err
		}
		if batch, err = p.unmirroredGuardians(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *pushing) unmirroredGuardians(ctx context.Context) ([]row, error) {
	rows, err := p.DB.Query(ctx, `
		SELECT g.id, g.version, l.odoo_id, g.first_name || ' ' || g.last_name AS name, g.email, g.phone, g.street, g.postcode, g.city
		FROM guardian g
		LEFT JOIN odoo_link l ON l.kind = 'guardian' AND l.local_id = g.id
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
		var known *int64
		if err := r.Scan(&w.id, &w.version, &known, &v[1], &v[2], &v[3], &v[4], &v[5], &v[6]); err != nil {
			return w, err
		}
		if known != nil {
			w.odooID = *known
		}
		v[0] = p.module + ".guardian_" + w.id.String()
		for i := range v {
			v[i] = line(v[i])
		}
		return w, nil
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
