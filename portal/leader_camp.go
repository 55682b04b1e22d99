package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/collate"
	"golang.org/x/text/language"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/medical"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// leaderCampPage is the roll of one session of a camp.
type leaderCampPage struct {
	page.Base
	Camp     camp.Camp
	Sessions []sessionChip
	Session  *camp.Session // nil when the camp has no session left
	Children []rollChild
	Alerts   []rollChild // those with something to know at once, the severe first
	Present  int
	Absent   int
	Open     int  // neither present nor absent yet
	Future   bool // the session is on a later day: nothing to mark yet
}

// sessionChip is one session to choose.
type sessionChip struct {
	camp.Session
	URL string
	On  bool
}

// rollChild is one child of the roll.
type rollChild struct {
	ID        uuid.UUID // of the registration
	ChildID   uuid.UUID
	FirstName string
	LastName  string
	BirthDate civil.Date
	StopOut   string
	StopBack  string
	Present   *bool

	Age      int // at the first session
	Level    string
	Contacts []staffGuardian
	NotTo    []string // to whom the child must not be handed
	Alert    medical.Alert
}

// Name is the child's name.
func (c rollChild) Name() string { return c.FirstName + " " + c.LastName }

// Mark is how the child stands at the session: present, absent or "".
func (c rollChild) Mark() string {
	switch {
	case c.Present == nil:
		return ""
	case *c.Present:
		return "present"
	}
	return "absent"
}

// Pressing reports whether something must be known before the child is let in.
func (c rollChild) Pressing() bool {
	return c.Alert.Severe || len(c.Alert.Allergies) > 0 || c.Alert.Important != ""
}

// leaderCamp shows the roll of today's session, or of ?seance=. Reading it is logged for each child.
func (s *server) leaderCamp(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), pathID(r)
	actor, account := s.actorOf(r)
	if err := camp.Leads(ctx, s.DB, account, id, s.today()); err != nil {
		return err
	}
	c, err := s.Camp.Camp(ctx, id)
	if err != nil {
		return err
	}
	p := &leaderCampPage{Base: s.base(r, c.Name), Camp: c}
	p.Section, p.NoIndex = "leader", true
	p.Back = &page.Link{URL: "/animateur/", Text: p.L.T("leader.camps.title")}
	sessions, err := camp.SessionsOf(ctx, s.DB, id)
	if err != nil {
		return err
	}
	p.choose(sessions, s.today(), form.Query(r).OptionalUUID("seance"))
	p.Future = p.Session != nil && p.Session.Day.After(s.today())
	if p.Children, err = s.roll(ctx, p, sessions); err != nil {
		return err
	}
	ids := make([]uuid.UUID, len(p.Children))
	for i, k := range p.Children {
		ids[i] = k.ChildID
	}
	alerts, err := s.Medical.Alerts(ctx, actor, ids, medical.PurposeLeader)
	if err != nil {
		return err
	}
	for i := range p.Children {
		k := &p.Children[i]
		k.Alert = alerts[k.ChildID]
		switch k.Mark() {
		case "present":
			p.Present++
		case "absent":
			p.Absent++
		default:
			p.Open++
		}
		if k.Pressing() {
			p.Alerts = append(p.Alerts, *k)
		}
	}
	slices.SortStableFunc(p.Alerts, func(a, b rollChild) int {
		switch {
		case a.Alert.Severe == b.Alert.Severe:
			return 0
		case a.Alert.Severe:
			return -1
		}
		return 1
	})
	return s.render(w, r, http.StatusOK, "leader/camp", p)
}

// choose takes the session that was asked for, else today's, else the next one, else the last one.
func (p *leaderCampPage) choose(sessions []camp.Session, today civil.Date, asked *uuid.UUID) {
	on := -1
	for i, x := range sessions {
		if x.State == "cancelled" {
			continue
		}
		switch {
		case asked != nil && x.ID == *asked:
			on = i
		case asked == nil && (on < 0 || sessions[on].Day.Before(today)):
			on = i
		}
	}
	for i, x := range sessions {
		if x.State == "cancelled" {
			continue
		}
		p.Sessions = append(p.Sessions, sessionChip{
			Session: x, URL: "/animateur/stages/" + p.Camp.ID.String() + "?seance=" + x.ID.String(), On: i == on,
		})
	}
	if on >= 0 {
		p.Session = &sessions[on]
	}
}

// roll reads the children who have a confirmed place, in the order of their names.
func (s *server) roll(ctx context.Context, p *leaderCampPage, sessions []camp.Session) ([]rollChild, error) {
	first := civil.DateOf(p.Camp.BeginsAt, p.Camp.TimeZone())
	if len(sessions) > 0 {
		first = sessions[0].Day
	}
	var session *uuid.UUID
	on := s.today()
	if p.Session != nil {
		session, on = &p.Session.ID, p.Session.Day
	}
	rows, err := s.DB.Query(ctx, `
		SELECT r.id, r.child_id, k.first_name, k.last_name, k.birth_date,
		  COALESCE(o.name, '') AS stop_out, COALESCE(b.name, '') AS stop_back, a.present
		FROM registration r
		JOIN child k ON k.id = r.child_id
		LEFT JOIN bus_stop o ON o.id = r.stop_out_id
		LEFT JOIN bus_stop b ON b.id = r.stop_back_id
		LEFT JOIN attendance a
		  ON a.registration_id = r.id
		  AND a.session_id = @session
		WHERE r.camp_id = @camp
		  AND r.state IN ('confirmed', 'completed')
		ORDER BY r.id`,
		pgx.NamedArgs{"camp": p.Camp.ID, "session": session})
	if err != nil {
		return nil, fmt.Errorf("reading the roll of camp %s: %w", p.Camp.ID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[rollChild])
	if err != nil {
		return nil, fmt.Errorf("reading the roll of camp %s: %w", p.Camp.ID, err)
	}
	names := collate.New(language.French)
	slices.SortStableFunc(list, func(a, b rollChild) int {
		if n := names.CompareString(a.FirstName, b.FirstName); n != 0 {
			return n
		}
		return names.CompareString(a.LastName, b.LastName)
	})
	ids := make([]uuid.UUID, len(list))
	for i, k := range list {
		ids[i] = k.ChildID
	}
	levels, err := household.LevelsIn(ctx, s.DB, ids, civil.SchoolYear(first))
	if err != nil {
		return nil, err
	}
	contacts, err := s.contacts(ctx, ids, on)
	if err != nil {
		return nil, err
	}
	for i := range list {
		k := &list[i]
		k.Age, k.Level = civil.AgeOn(k.BirthDate, first), levels[k.ChildID]
		for _, g := range contacts[k.ChildID] {
			if !g.PickUp {
				k.NotTo = append(k.NotTo, g.Name())
			} else if g.Phone != "" {
				k.Contacts = append(k.Contacts, g)
			}
		}
	}
	return list, nil
}

// contacts returns the adults with a link to each of the children on a day. Whoever is blocked may not fetch, whatever
// the link says.
func (s *server) contacts(ctx context.Context, childIDs []uuid.UUID, on civil.Date) (map[uuid.UUID][]staffGuardian, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT l.child_id, g.first_name, g.last_name, g.phone,
		  l.rights @> ARRAY['see', 'pick_up'] AND NOT `+household.BlockedSQL("l.guardian_id", "l.child_id", "@on::date")+` AS pick_up
		FROM guardianship l
		JOIN guardian g ON g.id = l.guardian_id
		WHERE l.child_id = ANY(@ids)
		  AND l.valid_from <= @on
		  AND (l.valid_until IS NULL OR l.valid_until >= @on)
		ORDER BY g.last_name, g.first_name, g.id`,
		pgx.NamedArgs{"ids": childIDs, "on": on})
	if err != nil {
		return nil, fmt.Errorf("reading whom to call: %w", err)
	}
	all := make(map[uuid.UUID][]staffGuardian, len(childIDs))
	var child uuid.UUID
	var g staffGuardian
	_, err = pgx.ForEachRow(rows, []any{&child, &g.FirstName, &g.LastName, &g.Phone, &g.PickUp}, func() error {
		all[child] = append(all[child], g)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading whom to call: %w", err)
	}
	return all, nil
}

// leaderMark notes one child present or absent at one session, or takes the mark back; the same tap again changes
// nothing.
func (s *server) leaderMark(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), pathID(r)
	_, account := s.actorOf(r)
	if err := camp.Leads(ctx, s.DB, account, id, s.today()); err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	registration, ok1 := f.UUID("registration")
	session, ok2 := f.UUID("session")
	mark := f.Text("mark")
	present := map[string]*bool{"present": new(true), "absent": new(false), "none": nil}
	how, ok3 := present[mark]
	if !ok1 || !ok2 || !ok3 {
		return problem.Invalid("form.unreadable")
	}
	var of uuid.UUID
	err = s.DB.QueryRow(ctx, `
		SELECT camp_id
		FROM camp_session
		WHERE id = @session`,
		pgx.NamedArgs{"session": session}).Scan(&of)
	if err != nil || of != id { // another camp's session is none of this leader's
		return problem.NotFound("attendance.not_found")
	}
	if err := s.Camp.MarkAttendance(ctx, account, registration, session, how); err != nil {
		return err
	}
	if r.Header.Get("Accept") == "application/json" { // leader.js updates the page itself
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return seeOther(w, r, "/animateur/stages/"+id.String()+"?seance="+session.String()+"#e-"+registration.String())
}

// Twice reports whether the session shares its day with another, so that its hour must be told.
func (p *leaderCampPage) Twice(x camp.Session) bool {
	n := 0
	for _, other := range p.Sessions {
		if other.Day == x.Day {
			n++
		}
	}
	return n > 1
}
