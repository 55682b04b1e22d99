package reports

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/collate"
	"golang.org/x/text/language"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/medical"
)

// registre is the list of the children of one camp with whom to call and an attendance grid: the presence list that
// the ONE asks of a holiday centre, to print or to fill in on a computer.
var registre = Document{
	Name:    "registre",
	Title:   "reports.registre.title",
	Purpose: "reports.registre.purpose",
	Columns: []Column{
		{Key: "reports.col.rank"},
		{Key: "reports.col.last_name"},
		{Key: "reports.col.first_name"},
		{Key: "reports.col.birth_date"},
		{Key: "reports.col.age"},
		{Key: "reports.col.level"},
		{Key: "reports.col.guardians"},
		{Key: "reports.col.phones"},
		{Key: "reports.col.not_to"},
		{Key: "reports.col.allergies", Medical: true},
		{Key: "reports.col.bus_out"},
		{Key: "reports.col.bus_back"},
		{Key: "reports.col.state"},
		{Key: "reports.col.remark"},
		{Key: "reports.col.attendance"},
	},
	Roles:    []string{"agent", "organiser", "administrator"},
	Leaders:  true,
	Medical:  []string{"agent"},
	KeepDays: 30,
	About:    AboutCamp,
	perform:  performRegister,
}

// register is what the register of one camp holds.
type register struct {
	commune  string
	camp     camp.Camp
	first    civil.Date // day of the first session
	last     civil.Date
	sessions []camp.Session
	children []child
}

// child is one row: a child that has a place in the camp.
type child struct {
	RegistrationID uuid.UUID
	ChildID        uuid.UUID
	FirstName      string
	LastName       string
	BirthDate      civil.Date
	State          string
	Remark         string
	StopOut        *string
	OutAt          *int // minutes after midnight
	StopBack       *string
	BackAt         *int

	level    string // in the school year of the camp
	contacts []contact
	notTo    []string
	alert    medical.Alert
	present  map[uuid.UUID]bool // by session; absent key: not marked
}

// contact is an adult who may be called.
type contact struct{ name, phone string }

// placed are the states in which a child has a place: only these stand in a register.
var placed = []string{"submitted", "to_validate", "validated", "awaiting_payment", "offered", "confirmed", "completed"}

func performRegister(ctx context.Context, s *Store, d Document, j job) (File, int, error) {
	var r register
	// One snapshot, so that no child stands on a list of contacts of another moment.
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.DB.Pool, opts, func(tx pgx.Tx) (err error) {
		r, err = readRegister(ctx, tx, j.Camp, j.today)
		return err
	})
	if err != nil {
		return File{}, 0, err
	}
	if j.medics {
		ids := make([]uuid.UUID, len(r.children))
		for i, c := range r.children {
			ids[i] = c.ChildID
		}
		alerts, err := s.Medical.Alerts(ctx, j.actor, ids, medical.PurposeRegister)
		if err != nil {
			return File{}, 0, err
		}
		for i := range r.children {
			r.children[i].alert = alerts[r.children[i].ChildID]
		}
	}
	body, err := drawRegister(d, j, r)
	if err != nil {
		return File{}, 0, err
	}
	kind := d.Name
	if j.medics { // so that nobody sends the one with health data for the other
		kind += "-sante"
	}
	name := strings.Trim(kind+"-"+r.camp.Slug()+"-"+r.first.String(), "-") + ".xlsx"
	return File{Name: name, ContentType: contentXLSX, Body: body}, len(r.children), nil
}

// readRegister reads the camp, its sessions and its children, sorted by last and first name as French sorts them. The
// rights of adults are those of today during the camp, of its nearest day otherwise.
func readRegister(ctx context.Context, q db.Querier, campID uuid.UUID, today civil.Date) (register, error) {
	c, err := camp.Read(ctx, q, campID)
	if err != nil {
		return register{}, err
	}
	r := register{camp: c}
	if r.commune, err = camp.Setting(ctx, q, "commune.name"); err != nil {
		return register{}, err
	}
	if r.sessions, err = camp.SessionsOf(ctx, q, campID); err != nil {
		return register{}, err
	}
	r.first, r.last = civil.DateOf(c.BeginsAt, c.TimeZone()), civil.DateOf(c.EndsAt, c.TimeZone())
	if n := len(r.sessions); n > 0 {
		r.first, r.last = r.sessions[0].Day, r.sessions[n-1].Day
	}
	if r.children, err = readChildren(ctx, q, campID); err != nil {
		return register{}, err
	}
	sortByName(r.children)
	ids := make([]uuid.UUID, len(r.children))
	index := make(map[uuid.UUID]*child, len(r.children))
	for i := range r.children {
		ids[i], index[r.children[i].RegistrationID] = r.children[i].ChildID, &r.children[i]
	}
	levels, err := household.LevelsIn(ctx, q, ids, civil.SchoolYear(r.first))
	if err != nil {
		return register{}, err
	}
	for i := range r.children {
		r.children[i].level = levels[r.children[i].ChildID]
	}
	if err := readContacts(ctx, q, campID, nearest(today, r.first, r.last), index); err != nil {
		return register{}, err
	}
	return r, readAttendance(ctx, q, campID, index)
}

// nearest returns the day of the camp that is nearest to today.
func nearest(today, first, last civil.Date) civil.Date {
	switch {
	case today.Before(first):
		return first
	case today.After(last):
		return last
	}
	return today
}

func sortByName(children []child) {
	french := collate.New(language.French)
	slices.SortStableFunc(children, func(a, b child) int {
		if n := french.CompareString(a.LastName, b.LastName); n != 0 {
			return n
		}
		return french.CompareString(a.FirstName, b.FirstName)
	})
}

func readChildren(ctx context.Context, q db.Querier, campID uuid.UUID) ([]child, error) {
	rows, err := q.Query(ctx, `
		SELECT r.id AS registration_id, r.child_id, c.first_name, c.last_name, c.birth_date, r.state, r.remark,
		  o.name AS stop_out, (EXTRACT(EPOCH FROM o.out_at) / 60)::int AS out_at,
		  b.name AS stop_back, (EXTRACT(EPOCH FROM b.back_at) / 60)::int AS back_at
		FROM registration r
		JOIN child c
		  ON c.id = r.child_id
		LEFT JOIN bus_stop o
		  ON o.id = r.stop_out_id
		LEFT JOIN bus_stop b
		  ON b.id = r.stop_back_id
		WHERE r.camp_id = @camp
		  AND r.state = ANY(@placed)
		ORDER BY r.id`,
		pgx.NamedArgs{"camp": campID, "placed": placed})
	if err != nil {
		return nil, fmt.Errorf("reading the children of camp %s: %w", campID, err)
	}
	children, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[child])
	if err != nil {
		return nil, fmt.Errorf("reading the children of camp %s: %w", campID, err)
	}
	return children, nil
}

// readContacts notes for each child whom to call, the registrant first, and to whom it must not be handed: an adult
// whose link with the child holds on that day without the right to pick it up.
func readContacts(ctx context.Context, q db.Querier, campID uuid.UUID, on civil.Date, index map[uuid.UUID]*child) error {
	blocked := household.BlockedSQL("s.guardian_id", "s.child_id", "@on::date")
	rows, err := q.Query(ctx, `
		SELECT r.id AS registration_id, g.first_name, g.last_name, g.phone,
		  s.rights @> ARRAY['see', 'pick_up'] AND NOT `+blocked+` AS pick_up,
		  s.rights @> ARRAY['see'] AND s.rights && ARRAY['pick_up', 'messages', 'register'] AND NOT `+blocked+` AS contact
		FROM registration r
		JOIN guardianship s
		  ON s.child_id = r.child_id
		JOIN guardian g
		  ON g.id = s.guardian_id
		WHERE r.camp_id = @camp
		  AND r.state = ANY(@placed)
		  AND s.valid_from <= @on
		  AND (s.valid_until IS NULL OR s.valid_until >= @on)
		ORDER BY r.id, g.id <> r.registrant_id, g.last_name, g.first_name, g.id`,
		pgx.NamedArgs{"camp": campID, "placed": placed, "on": on})
	if err != nil {
		return fmt.Errorf("reading the contacts of camp %s: %w", campID, err)
	}
	var a struct {
		RegistrationID             uuid.UUID
		FirstName, LastName, Phone string
		PickUp, Contact            bool
	}
	_, err = pgx.ForEachRow(rows, []any{&a.RegistrationID, &a.FirstName, &a.LastName, &a.Phone, &a.PickUp, &a.Contact}, func() error {
		c := index[a.RegistrationID]
		if c == nil {
			return nil
		}
		name := strings.TrimSpace(a.FirstName + " " + a.LastName)
		if !a.PickUp {
			c.notTo = append(c.notTo, name)
		}
		if a.Contact {
			c.contacts = append(c.contacts, contact{name: name, phone: a.Phone})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the contacts of camp %s: %w", campID, err)
	}
	return nil
}

func readAttendance(ctx context.Context, q db.Querier, campID uuid.UUID, index map[uuid.UUID]*child) error {
	rows, err := q.Query(ctx, `
		SELECT a.registration_id, a.session_id, a.present
		FROM attendance a
		JOIN camp_session s
		  ON s.id = a.session_id
		WHERE s.camp_id = @camp`,
		pgx.NamedArgs{"camp": campID})
	if err != nil {
		return fmt.Errorf("reading the attendance of camp %s: %w", campID, err)
	}
	var registration, session uuid.UUID
	var present bool
	_, err = pgx.ForEachRow(rows, []any{&registration, &session, &present}, func() error {
		c := index[registration]
		if c == nil {
			return nil
		}
		if c.present == nil {
			c.present = make(map[uuid.UUID]bool)
		}
		c.present[session] = present
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the attendance of camp %s: %w", campID, err)
	}
	return nil
}
