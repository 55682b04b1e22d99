package portal

import (
	"net/http"

	"github.com/google/uuid"

	"ribambelle/internal/tariff"
	"ribambelle/portal/form"
)

// staffVouchersPage is the vouchers, with the form that issues more.
type staffVouchersPage struct {
	staffPage
	Query    string
	Vouchers []tariff.Voucher
	Form     *form.Form
	Key      uuid.UUID
	Camps    []choice
	Names    map[uuid.UUID]string // of camps
}

// Left says how many uses a voucher has left.
func (p *staffVouchersPage) Left(v tariff.Voucher) string {
	if left := v.Left(); left != nil {
		return p.L.N("tariff.voucher_left", *left)
	}
	return p.L.T("tariff.voucher_unbounded")
}

// Over reports whether a voucher counts no more.
func (p *staffVouchersPage) Over(v tariff.Voucher) bool {
	return v.Ended || v.ValidUntil.Before(p.today())
}

func (s *server) vouchersPage(r *http.Request) (*staffVouchersPage, error) {
	ctx := r.Context()
	base, _, err := s.staff(r, s.locale(r).T("tariff.vouchers"), tariffPath)
	if err != nil {
		return nil, err
	}
	p := &staffVouchersPage{staffPage: base, Form: form.New(), Key: uuid.New(), Query: form.Query(r).Text("q"), Names: map[uuid.UUID]string{}}
	p.backToTariffs()
	p.Form.Set("count", "1").Set("uses", "1").SetDate("from", s.today())
	if p.Vouchers, err = s.tariffs().Vouchers(ctx, p.Query); err != nil {
		return nil, err
	}
	if p.Camps, err = s.campChoices(ctx, uuid.Nil); err != nil {
		return nil, err
	}
	p.Camps[0].Text = p.L.T("tariff.voucher_any_camp")
	for _, c := range p.Camps[1:] {
		id, err := uuid.Parse(c.Value)
		if err == nil {
			p.Names[id] = c.Text
		}
	}
	return p, nil
}

// staffVouchers lists the vouchers.
func (s *server) staffVouchers(w http.ResponseWriter, r *http.Request) error {
	p, err := s.vouchersPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/tariff/vouchers", p)
}

// staffVouchersIssue makes vouchers, once for a form.
func (s *server) staffVouchersIssue(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	key, ok := f.UUID("key")
	if !ok {
		f.Add("", "form.unreadable")
	}
	v := tariff.Voucher{
		Code: f.Text("code"), Name: f.Text("name"), Percent: optionalNumber(f, "percent"), Cents: optionalCents(f, "amount"),
		MaxUses: optionalNumber(f, "uses"), ValidFrom: f.Date("from"), ValidUntil: f.Date("until"), Regulation: f.Text("regulation"),
	}
	if id, ok := f.UUID("stage"); ok {
		v.CampIDs = []uuid.UUID{id}
	}
	count := number(f, "count")
	actor, _ := s.actorOf(r)
	if f.OK() {
		_, err := s.tariffs().Issue(r.Context(), actor, key, v, count)
		if err := f.Take(err); err != nil {
			return err
		}
	}
	if !f.OK() {
		p, err := s.vouchersPage(r)
		if err != nil {
			return err
		}
		p.Form = f
		if ok {
			p.Key = key
		}
		return s.refuse(w, r, "staff/tariff/vouchers", f, p)
	}
	s.flash(w, "flash.vouchers_issued")
	return seeOther(w, r, tariffPath+"/bons")
}

// staffVoucherEnd makes a voucher count no more.
func (s *server) staffVoucherEnd(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	if err := s.tariffs().EndVoucher(r.Context(), actor, pathID(r)); err != nil {
		return err
	}
	s.flash(w, "flash.voucher_ended")
	return seeOther(w, r, tariffPath+"/bons")
}
