package portal

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
)

// staffPayersPage is who pays what of a registration.
type staffPayersPage struct {
	*staffMoneyPage
	Guardians     []choice // who may pay for the child and does not yet
	Organisations []choice
	Share         *form.Form
	Cover         *form.Form
	End           *form.Form
	EndDue        uuid.UUID // the part whose end was refused
	CanShare      bool
	CanCover      bool
	Over          bool // the registration ended, or costs nothing: nothing to share
}

// FormOf is the form that ends a part: as it was typed when it was refused.
func (p *staffPayersPage) FormOf(id uuid.UUID) *form.Form {
	if id == p.EndDue {
		return p.End
	}
	return form.New()
}

// dueID is the due that an address names.
func dueID(r *http.Request) uuid.UUID {
	id, _ := uuid.Parse(mux.Vars(r)["due"]) // the route lets nothing else pass
	return id
}

func (s *server) staffPayers(w http.ResponseWriter, r *http.Request) error {
	p, err := s.payersPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/money/payers", p)
}

func (s *server) payersPage(r *http.Request) (*staffPayersPage, error) {
	base, err := s.moneyPage(r, "smoney.payers_of")
	if err != nil {
		return nil, err
	}
	p := &staffPayersPage{
		staffMoneyPage: base, Share: form.New(), Cover: form.New(), End: form.New(),
		CanShare: s.can(r, mayShare), CanCover: s.can(r, maySocial), Over: base.Reg.State.Info().Exit || base.Reg.PriceCents == 0,
	}
	rows, err := s.DB.Query(r.Context(), `
		SELECT g.id::text, btrim(g.first_name || ' ' || g.last_name)
		FROM (`+household.HoldersSQL("@today::date", household.RightPay)+`) h
		JOIN guardian g ON g.id = h.guardian_id
		WHERE h.child_id = @child
		  AND g.id <> @payer
		  AND NOT EXISTS (SELECT 1 FROM due d WHERE d.registration_id = @registration AND d.payer_id = g.id AND d.ended_at IS NULL)
		ORDER BY g.last_name, g.first_name, g.id`,
		pgx.NamedArgs{"today": s.today(), "child": p.Reg.ChildID, "payer": p.Reg.PayerID, "registration": p.Reg.ID})
	if err != nil {
		return nil, fmt.Errorf("reading who may pay for registration %s: %w", p.Reg.ID, err)
	}
	var value, name string
	if _, err = pgx.ForEachRow(rows, []any{&value, &name}, func() error {
		p.Guardians = append(p.Guardians, choice{Value: value, Text: name})
		return nil
	}); err != nil {
		return nil, fmt.Errorf("reading who may pay for registration %s: %w", p.Reg.ID, err)
	}
	if !p.CanCover {
		return p, nil
	}
	all, err := s.Household.Organisations(r.Context())
	if err != nil {
		return nil, err
	}
	p.Organisations = append(p.Organisations, choice{Text: p.L.T("smoney.organisation_new")})
	for _, o := range all {
		text := o.Name
		if o.BCE != "" {
			text = p.L.T("smoney.organisation", o.Name, printedBCE(o.BCE))
		}
		p.Organisations = append(p.Organisations, choice{Value: o.ID.String(), Text: text})
	}
	return p, nil
}

// BCE writes an enterprise number as it is printed.
func (*staffPayersPage) BCE(n string) string { return printedBCE(n) }

// printedBCE writes an enterprise number as it is printed: 0123.456.789.
func printedBCE(n string) string {
	if len(n) != 10 {
		return n
	}
	return n[:4] + "." + n[4:7] + "." + n[7:]
}

// readPart reads a share of a price in percent, or an amount; the domain says when both or none is typed.
func readPart(f *form.Form, payer uuid.UUID) enrol.PartForm {
	part := enrol.PartForm{PayerID: payer}
	if text := f.Text("share"); text != "" {
		percent, err := strconv.ParseFloat(strings.Replace(strings.TrimSpace(strings.TrimSuffix(text, "%")), ",", ".", 1), 64)
		if err != nil || percent <= 0 || percent > 100 {
			f.Add("share", "payer.share_out_of_range")
		} else {
			part.Share = int(percent*100 + 0.5)
		}
	}
	if c := optionalCents(f, "cents"); c != nil {
		part.Cents = *c
	}
	return part
}

// there reports whether a payer has that very part already: the form was sent twice.
func (p *staffPayersPage) there(part enrol.PartForm, kind string) bool {
	return slices.ContainsFunc(p.Dues, func(m *staffMoney) bool {
		if m.PayerID != part.PayerID || m.Ended() || m.Kind != kind {
			return false
		}
		return m.PartShare != nil && *m.PartShare == part.Share || m.PartCents != nil && *m.PartCents == part.Cents && part.Share == 0
	})
}

// takeTwice notes on an input that somebody pays a part already; any other error is returned.
func takeTwice(f *form.Form, name string, err error) error {
	if v := problem.As(err); v != nil && v.Code == "ledger.payer_twice" {
		f.Add(name, v.Code)
		return nil
	}
	return f.Take(err)
}

// staffShareAdd lets another guardian of the child pay a part.
func (s *server) staffShareAdd(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.payersPage(r)
	if err != nil {
		return err
	}
	payer, ok := f.UUID("payer")
	if !ok {
		f.Add("payer", "form.choose")
	}
	part := readPart(f, payer)
	if f.OK() && !p.there(part, ledger.DueFamily) {
		_, account := s.actorOf(r)
		if err := takeTwice(f, "payer", s.Enrol.AddShare(r.Context(), account, p.Reg.ID, part)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.Share = f
		return s.refuse(w, r, "staff/money/payers", f, p)
	}
	return s.toMoney(w, r, "flash.share_added")
}

// staffCoverAdd notes what an organisation promised to pay, one that is known or a new one.
func (s *server) staffCoverAdd(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.payersPage(r)
	if err != nil {
		return err
	}
	v := enrol.CoverForm{PartForm: readPart(f, uuid.Nil), Reference: f.Text("reference"), Proof: f.Text("proof"), Fiscal: f.Checked("fiscal")}
	if v.Share == 0 && v.Cents == 0 && f.Problem("share") == nil && f.Problem("cents") == nil {
		f.Add("share", "payer.share_or_amount")
	}
	if v.Reference == "" {
		f.Add("reference", "payer.reference_needed")
	}
	if p.Over {
		f.Add("", "payer.nothing_to_share")
	}
	if err := s.coverPayer(r, f, &v); err != nil {
		return err
	}
	if f.OK() && !p.there(v.PartForm, ledger.DueCover) {
		_, account := s.actorOf(r)
		if err := takeTwice(f, "organisation", s.Enrol.AddCover(r.Context(), account, p.Reg.ID, v)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.Cover = f
		return s.refuse(w, r, "staff/money/payers", f, p)
	}
	return s.toMoney(w, r, "flash.cover_added")
}

// coverPayer finds the organisation of a cover, or makes it once everything else that was typed is right: one that has
// the enterprise number already is taken as it is.
func (s *server) coverPayer(r *http.Request, f *form.Form, v *enrol.CoverForm) error {
	if id, ok := f.UUID("organisation"); ok {
		v.PayerID = id
		return nil
	}
	bce, err := household.ParseBCE(f.Text("bce"))
	if err != nil {
		f.Add("bce", "household.bce_wrong")
	}
	g := household.GuardianForm{
		LastName: f.Text("last_name"), Phone: f.Text("phone"), Email: f.Text("email"), Street: f.Text("street"), Postcode: f.Text("postcode"), City: f.Text("city"),
	}
	if phone, err := locale.ParsePhone(g.Phone); err == nil {
		g.Phone = phone
	}
	if err := f.Take(household.CheckOrganisation(g)); err != nil {
		return err
	}
	if !f.OK() {
		return nil
	}
	actor, _ := s.actorOf(r)
	made, err := s.Household.OrganisationByBCE(r.Context(), actor, bce, g)
	if err := f.Take(err); err != nil {
		return err
	}
	v.PayerID = made
	return nil
}

// staffPartEnd takes a share or a cover off the registration, with a reason.
func (s *server) staffPartEnd(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.payersPage(r)
	if err != nil {
		return err
	}
	m := p.one(dueID(r))
	switch {
	case m == nil:
		return problem.NotFound("ledger.due_not_found")
	case m.Kind == ledger.DueFamily && !p.CanShare:
		return problem.Forbidden("staff.role_lacks")
	}
	if !m.Ended() {
		_, account := s.actorOf(r)
		if err := f.Take(s.Enrol.EndPart(r.Context(), account, m.DueID, f.Text("reason"))); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.End, p.EndDue = f, m.DueID
		return s.refuse(w, r, "staff/money/payers", f, p)
	}
	return s.toMoney(w, r, "flash.part_ended")
}

// Worth says what a part of the price comes to.
func (p *staffMoneyPage) Worth(m *staffMoney) civil.Cents { return m.Balance.Price }
