package sync

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/connector"
	"ribambelle/internal/enrol"
	"ribambelle/internal/mirror"
)

// Comparison is how much was compared and what differs.
type Comparison struct {
	Camps         int `json:"camps"`
	Registrations int `json:"registrations"` // ours that Odoo shall have
	Outside       int `json:"outside"`       // others', in our camps
	Guardians     int `json:"guardians"`     // that have a contact in Odoo
	Drift         []mirror.Drift
}

// there is everything of Odoo that matters to us.
type there struct {
	events   map[int64]connector.Event
	rows     map[int64]connector.Registration // of our camps, and ours wherever they are
	partners map[int64]connector.Partner
	stages   []connector.Stage
	mark     connector.Mark
	user     int64
}

// Compare reads both sides whole and tells every difference: by id, state, camp, name, partner and places. It changes
// nothing. Odoo is read first: what a family does meanwhile counts as on its way.
func (s *Syncer) Compare(ctx context.Context) (c Comparison, err error) {
	t, err := s.readThere(ctx)
	if err != nil {
		return c, err
	}
	for _, part := range []func(context.Context, there, *Comparison) error{s.compareCamps, s.compareRegistrations, s.compareOutside, s.compareGuardians} {
		if err := part(ctx, t, &c); err != nil {
			return c, err
		}
	}
	slices.SortStableFunc(c.Drift, func(a, b mirror.Drift) int { return strings.Compare(a.Kind+a.Aspect, b.Kind+b.Aspect) })
	return c, nil
}

func (s *Syncer) readThere(ctx context.Context) (t there, err error) {
	t.events, t.rows, t.partners = map[int64]connector.Event{}, map[int64]connector.Registration{}, map[int64]connector.Partner{}
	if t.user, err = s.Odoo.UserID(ctx); err != nil {
		return t, err
	}
	if t.stages, err = s.Odoo.Stages(ctx); err != nil {
		return t, err
	}
	if t.mark, err = s.Odoo.FindMark(ctx); err != nil {
		return t, err
	}
	camps, err := mirror.AllLinks(ctx, s.DB, connector.ModelEvent)
	if err != nil {
		return t, err
	}
	for page, err := range s.Odoo.EventPages(ctx, time.Time{}) {
		if err != nil {
			return t, err
		}
		for _, e := range page {
			if _, ours := camps[e.ID]; ours || t.mark.Marks(e) {
				t.events[e.ID] = e
			}
		}
	}
	ours, err := mirror.AllLinks(ctx, s.DB, connector.ModelRegistration)
	if err != nil {
		return t, err
	}
	for page, err := range s.Odoo.RegistrationPages(ctx, time.Time{}) {
		if err != nil {
			return t, err
		}
		for _, g := range page {
			if _, camp := camps[g.Event.ID]; camp || ours[g.ID] != uuid.Nil {
				t.rows[g.ID] = g
			}
		}
	}
	partners, err := mirror.AllLinks(ctx, s.DB, connector.ModelPartner)
	if err != nil || len(partners) == 0 {
		return t, err
	}
	readable, err := s.Odoo.CheckAccess(ctx, connector.ModelPartner, connector.OpRead)
	if err != nil || !readable {
		return t, err
	}
	ids := make([]int64, 0, len(partners))
	for id := range partners {
		ids = append(ids, id)
	}
	all, err := s.Odoo.Partners(ctx, ids)
	for _, p := range all {
		t.partners[p.ID] = p
	}
	return t, err
}

func (c *Comparison) differ(kind, aspect string, local *uuid.UUID, odooID int64, here, there, cause string) {
	d := mirror.Drift{Kind: kind, Aspect: aspect, LocalID: local, Here: here, There: there, Cause: cause}
	if odooID != 0 {
		d.OdooID = &odooID
	}
	c.Drift = append(c.Drift, d)
}

// compareCamps compares what Odoo owns. Places are compared as the pool has them; a camp that is out of the offer on
// both sides has nothing else to compare.
func (s *Syncer) compareCamps(ctx context.Context, t there, c *Comparison) error {
	rows, err := s.DB.Query(ctx, `
		SELECT l.odoo_id, c.id, c.name, c.begins_at, c.ends_at, c.archived, c.cancelled, p.max, p.external,
		  (SELECT count(*)::int FROM odoo_external e WHERE e.camp_id = c.id AND e.state IN ('open', 'done')) AS outside
		FROM camp c
		JOIN pool p ON p.id = c.pool_id
		JOIN odoo_link l ON l.kind = 'camp' AND l.local_id = c.id
		ORDER BY c.id`)
	if err != nil {
		return fmt.Errorf("reading the camps to compare: %w", err)
	}
	type here struct {
		OdooID    int64
		ID        uuid.UUID
		Name      string
		BeginsAt  time.Time
		EndsAt    time.Time
		Archived  bool
		Cancelled bool
		Max       *int
		External  int
		Outside   int
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[here])
	if err != nil {
		return fmt.Errorf("reading the camps to compare: %w", err)
	}
	cursor, err := mirror.ReadCursor(ctx, s.DB, connector.ModelEvent)
	if err != nil {
		return err
	}
	c.Camps = len(all)
	linked := map[int64]bool{}
	for _, h := range all {
		linked[h.OdooID] = true
		e, exists := t.events[h.OdooID]
		if !exists {
			c.differ(mirror.Camp, "gone", &h.ID, h.OdooID, h.Name, "", mirror.CauseDeleted)
			continue
		}
		cause := fresh(e.Written, cursor)
		differ := func(aspect, a, b string) {
			if a != b {
				c.differ(mirror.Camp, aspect, &h.ID, h.OdooID, a, b, cause)
			}
		}
		marked := t.mark.Marks(e)
		differ("offer", offer(h.Archived, h.Cancelled), offer(!e.Active || !marked, e.Cancelled(t.stages)))
		if !marked || e.Begin.IsZero() || e.End.Before(e.Begin) {
			continue
		}
		differ("name", h.Name, e.Name)
		differ("dates", dates(h.BeginsAt, h.EndsAt), dates(e.Begin, e.End))
		differ("places", places(h.Max), places(maxOf(e)))
		differ("external", strconv.Itoa(h.External), strconv.Itoa(h.Outside))
	}
	for id, e := range t.events {
		if !linked[id] && !e.Begin.IsZero() && !e.End.Before(e.Begin) {
			c.differ(mirror.Camp, "unknown", nil, id, "", e.Name, fresh(e.Written, cursor))
		}
	}
	return nil
}

// fresh is the cause of a difference in what is pulled: written since the last pull it is on its way, else missed.
func fresh(written time.Time, cursor mirror.Cursor) string {
	if cursor.ChangedAt == nil || !written.Before(*cursor.ChangedAt) {
		return mirror.CauseWaiting
	}
	return mirror.CauseLost
}

func offer(archived, cancelled bool) string {
	switch {
	case archived:
		return "archived"
	case cancelled:
		return "cancelled"
	}
	return "offered"
}

func dates(begin, end time.Time) string {
	return begin.UTC().Format(time.DateTime) + " – " + end.UTC().Format(time.DateTime)
}

func places(n *int) string {
	if n == nil {
		return "∞"
	}
	return strconv.Itoa(*n)
}

func maxOf(e connector.Event) *int {
	if !e.SeatsLimited || e.SeatsMax <= 0 {
		return nil
	}
	n := int(e.SeatsMax)
	return &n
}

// ourRow is a registration of ours as Odoo shall show it.
type ourRow struct {
	ID      uuid.UUID
	State   enrol.State
	Waiting bool
	Refused bool
	Name    string
	Email   string
	Phone   string
	Event   int64
	Ticket  *int64
	Partner *int64
	Known   *int64
}

func (s *Syncer) compareRegistrations(ctx context.Context, t there, c *Comparison) error {
	rows, err := s.DB.Query(ctx, `
		SELECT r.id, r.state, r.version > r.mirrored_version AS waiting,
		  EXISTS (SELECT 1 FROM odoo_refusal f WHERE f.kind = 'registration' AND f.local_id = r.id AND f.version = r.version) AS refused,
		  c.first_name || ' ' || c.last_name AS name, g.email, g.phone,
		  le.odoo_id AS event, lt.odoo_id AS ticket, lp.odoo_id AS partner, lr.odoo_id AS known
		FROM registration r
		JOIN child c ON c.id = r.child_id
		JOIN guardian g ON g.id = r.registrant_id
		JOIN odoo_link le ON le.kind = 'camp' AND le.local_id = r.camp_id
		LEFT JOIN odoo_link lt ON lt.kind = 'ticket' AND lt.local_id = r.ticket_id
		LEFT JOIN odoo_link lp ON lp.kind = 'guardian' AND lp.local_id = r.registrant_id
		LEFT JOIN odoo_link lr ON lr.kind = 'registration' AND lr.local_id = r.id
		ORDER BY r.id`)
	if err != nil {
		return fmt.Errorf("reading the registrations to compare: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[ourRow])
	if err != nil {
		return fmt.Errorf("reading the registrations to compare: %w", err)
	}
	for _, h := range all {
		if h.Known == nil && odooState(h.State) == connector.StateCancel {
			continue // Odoo never hears of it
		}
		c.Registrations++
		c.registration(h, t)
	}
	return nil
}

// registration compares one of ours with its record.
func (c *Comparison) registration(h ourRow, t there) {
	ours := mirror.CauseUnknown
	switch {
	case h.Refused:
		ours = mirror.CauseRefused
	case h.Waiting:
		ours = mirror.CauseWaiting
	}
	if h.Known == nil {
		c.differ(mirror.Registration, "missing", &h.ID, 0, string(h.State), "", ours)
		return
	}
	g, exists := t.rows[*h.Known]
	if !exists {
		c.differ(mirror.Registration, "missing", &h.ID, *h.Known, string(h.State), "", mirror.CauseDeleted)
		return
	}
	cause := ours
	if cause == mirror.CauseUnknown && g.Writer.ID != t.user {
		cause = mirror.CauseOdoo
	}
	differ := func(aspect, a, b string) {
		if a != b {
			c.differ(mirror.Registration, aspect, &h.ID, g.ID, a, b, cause)
		}
	}
	if !g.Active {
		c.differ(mirror.Registration, "archived", &h.ID, g.ID, string(h.State), "", cause)
	}
	differ("state", odooState(h.State), g.State)
	differ("camp", strconv.FormatInt(h.Event, 10), strconv.FormatInt(g.Event.ID, 10))
	differ("ticket", decimal(h.Ticket), decimal(idOf(g.Ticket)))
	if h.Partner != nil {
		differ("partner", decimal(h.Partner), decimal(idOf(g.Partner)))
	}
	differ("name", line(h.Name), line(g.Name))
	differ("email", line(h.Email), line(g.Email))
	if !samePhone(h.Phone, g.Phone) {
		differ("phone", line(h.Phone), line(g.Phone))
	}
}

func idOf(r connector.Ref) *int64 {
	if r.IsZero() {
		return nil
	}
	return &r.ID
}

// samePhone compares the digits: Odoo writes numbers in its own way.
func samePhone(a, b string) bool {
	digits := func(s string) string {
		d := strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, s)
		return strings.TrimPrefix(strings.TrimPrefix(d, "32"), "0")
	}
	return digits(a) == digits(b)
}

// compareOutside looks for rows of our camps that are neither ours nor known as others': some may be ours, twice.
func (s *Syncer) compareOutside(ctx context.Context, t there, c *Comparison) error {
	ours, err := mirror.AllLinks(ctx, s.DB, connector.ModelRegistration)
	if err != nil {
		return err
	}
	rows, err := s.DB.Query(ctx, `
		SELECT odoo_id, camp_id, name, state
		FROM odoo_external
		ORDER BY odoo_id`)
	if err != nil {
		return fmt.Errorf("reading the outside registrations to compare: %w", err)
	}
	known, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[mirror.External])
	if err != nil {
		return fmt.Errorf("reading the outside registrations to compare: %w", err)
	}
	cursor, err := mirror.ReadCursor(ctx, s.DB, connector.ModelRegistration)
	if err != nil {
		return err
	}
	camps, err := mirror.AllLinks(ctx, s.DB, connector.ModelEvent)
	if err != nil {
		return err
	}
	c.Outside = len(known)
	byID := make(map[int64]bool, len(known))
	for _, k := range known {
		byID[k.OdooID] = true
		g, exists := t.rows[k.OdooID]
		switch {
		case !exists:
			c.differ(mirror.Registration, "outside_gone", nil, k.OdooID, k.Name, "", mirror.CauseDeleted)
		case k.CampID != camps[g.Event.ID] || k.State != g.State && (g.Active || k.State != "archived"):
			c.differ(mirror.Registration, "outside", nil, k.OdooID, k.State, g.State, fresh(g.Written, cursor))
		}
	}
	var strangers []int64
	for id := range t.rows {
		if _, linked := ours[id]; !linked {
			strangers = append(strangers, id)
		}
	}
	slices.Sort(strangers)
	carrying, err := s.ownIDs(ctx, strangers)
	if err != nil {
		return err
	}
	for _, id := range strangers {
		local, our := carrying[id]
		switch {
		case our && t.rows[id].State == connector.StateCancel: // of a registration that was erased here
		case our:
			c.differ(mirror.Registration, "unlinked", &local, id, "", t.rows[id].State, mirror.CauseLost)
		case !byID[id]:
			c.differ(mirror.Registration, "outside", nil, id, "", t.rows[id].State, fresh(t.rows[id].Written, cursor))
		}
	}
	return nil
}

func (s *Syncer) compareGuardians(ctx context.Context, t there, c *Comparison) error {
	rows, err := s.DB.Query(ctx, `
		SELECT g.id, l.odoo_id, g.version > g.mirrored_version AS waiting,
		  EXISTS (SELECT 1 FROM odoo_refusal f WHERE f.kind = 'guardian' AND f.local_id = g.id AND f.version = g.version) AS refused,
		  g.first_name || ' ' || g.last_name AS name, g.email, g.phone
		FROM guardian g
		JOIN odoo_link l ON l.kind = 'guardian' AND l.local_id = g.id
		ORDER BY g.id`)
	if err != nil {
		return fmt.Errorf("reading the guardians to compare: %w", err)
	}
	type here struct {
		ID      uuid.UUID
		OdooID  int64
		Waiting bool
		Refused bool
		Name    string
		Email   string
		Phone   string
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[here])
	if err != nil {
		return fmt.Errorf("reading the guardians to compare: %w", err)
	}
	c.Guardians = len(all)
	if len(t.partners) == 0 { // the user may not read contacts
		return nil
	}
	for _, h := range all {
		p, exists := t.partners[h.OdooID]
		if !exists {
			c.differ(mirror.Guardian, "missing", &h.ID, h.OdooID, h.Name, "", mirror.CauseDeleted)
			continue
		}
		cause := mirror.CauseUnknown
		switch {
		case h.Refused:
			cause = mirror.CauseRefused
		case h.Waiting:
			cause = mirror.CauseWaiting
		case p.Writer.ID != t.user:
			cause = mirror.CauseOdoo
		}
		if line(h.Name) != line(p.Name) {
			c.differ(mirror.Guardian, "name", &h.ID, h.OdooID, h.Name, p.Name, cause)
		}
		if line(h.Email) != line(p.Email) {
			c.differ(mirror.Guardian, "email", &h.ID, h.OdooID, h.Email, p.Email, cause)
		}
		if !samePhone(h.Phone, p.Phone) {
			c.differ(mirror.Guardian, "phone", &h.ID, h.OdooID, h.Phone, p.Phone, cause)
		}
	}
	return nil
}
