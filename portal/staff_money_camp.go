package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/place"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// What of a camp the commune gives up.
const (
	endsCamp     = "stage"
	endsSessions = "journees"
)

// staffCampEndPage gives up a camp or some of its sessions: first what, then what every family gets back.
type staffCampEndPage struct {
	staffPage
	Camp     camp.Camp
	What     []choice
	Sessions []choice // that are still to take place
	Form     *form.Form
	Preview  bool
	Credits  []enrol.Credit
	Sum      enrol.Credit // of every amount
	Key      uuid.UUID
}

// Whole reports whether the camp itself is given up.
func (p *staffCampEndPage) Whole() bool { return p.Form.Text("what") == endsCamp }

// Chosen are the sessions that were ticked.
func (p *staffCampEndPage) Chosen() []string { return p.Form.All("session") }

// Families is how many children the decision is about.
func (p *staffCampEndPage) Families() int { return len(p.Credits) }

func (s *server) campEndPage(r *http.Request) (*staffCampEndPage, error) {
	ctx, id := r.Context(), pathID(r)
	base, _, err := s.staff(r, "", "/gestion/stages")
	if err != nil {
		return nil, err
	}
	p := &staffCampEndPage{staffPage: base, Form: form.New(), Key: uuid.New()}
	if p.Camp, err = s.Camp.Camp(ctx, id); err != nil {
		return nil, err
	}
	p.Title = p.L.T("smoney.camp_end", p.Camp.Name)
	p.Back = &page.Link{URL: "/gestion/stages/" + id.String(), Text: p.Camp.Name}
	p.What = []choice{
		{Value: endsCamp, Text: p.L.T("smoney.end_camp"), Hint: p.L.T("smoney.end_camp_hint")},
		{Value: endsSessions, Text: p.L.T("smoney.end_sessions"), Hint: p.L.T("smoney.end_sessions_hint")},
	}
	all, err := camp.SessionsOf(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		if v.State == "planned" || v.State == "shortened" {
			text := p.L.T("smoney.session", p.L.Day(v.Day), p.L.Minutes(v.Starts), p.L.Minutes(v.Ends))
			p.Sessions = append(p.Sessions, choice{Value: v.ID.String(), Text: text})
		}
	}
	return p, nil
}

// choose reads what is given up, and computes what every family gets back. Every session is the whole camp.
func (s *server) chooseEnd(ctx context.Context, p *staffCampEndPage) ([]uuid.UUID, error) {
	f := p.Form
	var sessions []uuid.UUID
	switch f.Text("what") {
	case endsCamp:
	case endsSessions:
		for _, v := range p.Sessions {
			if slices.Contains(f.All("session"), v.Value) {
				sessions = append(sessions, uuid.MustParse(v.Value))
			}
		}
		if len(sessions) == 0 {
			f.Add("session", "camp.session_needed")
		} else if len(sessions) == len(p.Sessions) {
			f.Add("session", "smoney.all_sessions")
		}
	default:
		f.Add("what", "form.choose")
	}
	if !f.OK() {
		return nil, nil
	}
	var err error
	if p.Credits, err = s.Enrol.Credits(ctx, p.Camp.ID, sessions); err != nil {
		return nil, err
	}
	for _, v := range p.Credits {
		p.Sum.Price, p.Sum.Less = p.Sum.Price+v.Price, p.Sum.Less+v.Less
		p.Sum.Paid, p.Sum.Back = p.Sum.Paid+v.Paid, p.Sum.Back+v.Back
	}
	p.Preview = true
	return sessions, nil
}

// StateTag says how the state of a registration is shown.
func (*staffCampEndPage) StateTag(state enrol.State) stateInfo {
	return queueRow{State: state}.StateInfo()
}

// staffCampEnd asks what is given up; with ?what= it shows what every family would get back. Nothing changes.
func (s *server) staffCampEnd(w http.ResponseWriter, r *http.Request) error {
	p, err := s.campEndPage(r)
	if err != nil {
		return err
	}
	q := form.Query(r)
	if q.Text("preview") == "" {
		if p.Camp.Cancelled || p.Camp.Archived || len(p.Sessions) < 2 {
			p.Form.Set("what", endsCamp)
		}
		return s.render(w, r, http.StatusOK, "staff/money/camp_end", p)
	}
	p.Form = q
	if _, err := s.chooseEnd(r.Context(), p); err != nil {
		return err
	}
	if !q.OK() {
		return s.refuse(w, r, "staff/money/camp_end", q, p)
	}
	return s.render(w, r, http.StatusOK, "staff/money/camp_end", p)
}

// staffCampEndDo gives up the camp or its sessions: one decision for every family. The key of the form names the batch, so
// that sent twice it is done once.
func (s *server) staffCampEndDo(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.campEndPage(r)
	if err != nil {
		return err
	}
	p.Form = f
	batch, ok := f.UUID("key")
	if !ok {
		return problem.Invalid("form.unreadable")
	}
	p.Key = batch
	at := "/gestion/stages/" + p.Camp.ID.String() + "/annuler/" + batch.String()
	if done, err := s.batchDone(r.Context(), p.Camp.ID, batch); done || err != nil {
		if err != nil {
			return err
		}
		return seeOther(w, r, at)
	}
	sessions, err := s.chooseEnd(r.Context(), p)
	if err != nil {
		return err
	}
	if f.Text("reason") == "" {
		f.Add("reason", "registration.reason_needed")
	}
	actor, account := s.actorOf(r)
	if f.OK() {
		if p.Whole() {
			// Nobody may register any more, until Odoo has cancelled it too.
			err = s.DB.InTx(r.Context(), func(ctx context.Context, tx db.Tx) error {
				if _, err := place.SetClosed(ctx, tx, p.Camp.PoolID, true); err != nil {
					return err
				}
				return s.note(ctx, tx, actor, "camp.places_closed", "camp", p.Camp.ID, map[string]any{"closed": true})
			})
			if err == nil {
				_, err = s.Enrol.CancelCamp(r.Context(), account, p.Camp.ID, batch, f.Text("reason"))
			}
		} else {
			_, err = s.Enrol.CancelSessions(r.Context(), account, p.Camp.ID, batch, sessions, f.Text("reason"))
		}
		if err := f.Take(err); err != nil {
			return err
		}
	}
	if !f.OK() {
		return s.refuse(w, r, "staff/money/camp_end", f, p)
	}
	s.flash(w, "flash.camp_ended")
	return seeOther(w, r, at)
}

// batchDone reports whether a decision was carried out to its end.
func (s *server) batchDone(ctx context.Context, campID, batch uuid.UUID) (done bool, err error) {
	err = s.DB.QueryRow(ctx, `
		SELECT EXISTS (
		  SELECT 1
		  FROM audit
		  WHERE subject_kind = 'camp'
		    AND subject_id = @camp
		    AND action IN ('camp.ended', 'camp.sessions_cancelled')
		    AND detail->>'batch' = @batch)`,
		pgx.NamedArgs{"camp": campID.String(), "batch": batch.String()}).Scan(&done)
	if err != nil {
		return false, fmt.Errorf("looking for decision %s: %w", batch, err)
	}
	return done, nil
}

// staffCampEndedPage tells what a decision brought.
type staffCampEndedPage struct {
	staffPage
	Camp     camp.Camp
	Whole    bool
	Count    int // registrations that ended or were credited
	Refunds  []staffRefund
	Total    civil.Cents
	ToChoose int
}

// staffCampEnded shows the result of one decision.
func (s *server) staffCampEnded(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), pathID(r)
	base, _, err := s.staff(r, "", "/gestion/stages")
	if err != nil {
		return err
	}
	p := &staffCampEndedPage{staffPage: base}
	if p.Camp, err = s.Camp.Camp(ctx, id); err != nil {
		return err
	}
	batch := mux.Vars(r)["batch"]
	err = s.DB.QueryRow(ctx, `
		SELECT COALESCE(bool_or(action = 'camp.ended'), false), COALESCE(sum((detail->>'registrations')::int), 0)::int
		FROM audit
		WHERE subject_kind = 'camp'
		  AND subject_id = @camp
		  AND action IN ('camp.ended', 'camp.sessions_cancelled')
		  AND detail->>'batch' = @batch
		HAVING count(*) > 0`,
		pgx.NamedArgs{"camp": id.String(), "batch": batch}).Scan(&p.Whole, &p.Count)
	if errors.Is(err, pgx.ErrNoRows) {
		return problem.NotFound("portal.error.not_found")
	}
	if err != nil {
		return fmt.Errorf("reading decision %s: %w", batch, err)
	}
	_, account := s.actorOf(r)
	p.Refunds, err = s.readRefunds(ctx, account, s.can(r, maySocial), `f.batch_id = @batch::uuid AND f.state <> 'dropped' ORDER BY k.last_name, k.first_name, f.id`, pgx.NamedArgs{"batch": batch})
	if err != nil {
		return err
	}
	for _, o := range p.Refunds {
		p.Total += o.Cents
		if o.State == "to_choose" {
			p.ToChoose++
		}
	}
	p.Title = p.L.T("smoney.camp_ended", p.Camp.Name)
	p.Back = &page.Link{URL: "/gestion/stages/" + id.String(), Text: p.Camp.Name}
	return s.render(w, r, http.StatusOK, "staff/money/camp_ended", p)
}
