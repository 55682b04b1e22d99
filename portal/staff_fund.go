package portal

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
	"ribambelle/reports"
)

const fundPath = staffAttestationPath + "/formulaires"

// staffFundsPage lists the forms in use and takes another.
type staffFundsPage struct {
	staffPage
	Form  *form.Form
	Funds []ledger.FundForm
}

func (s *server) staffFundsPage(r *http.Request, f *form.Form) (*staffFundsPage, error) {
	base, _, err := s.staff(r, s.locale(r).T("fund.title"), staffAttestationPath)
	if err != nil {
		return nil, err
	}
	p := &staffFundsPage{staffPage: base, Form: f}
	p.Back = &page.Link{URL: staffAttestationPath, Text: p.L.T("staff.nav.attestations")}
	p.Funds, err = s.attestations().FundForms(r.Context(), false)
	return p, err
}

// staffFunds shows the forms in use.
func (s *server) staffFunds(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffFundsPage(r, form.New())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/attestation/funds", p)
}

// staffFundAdd takes a form and goes on to its fields.
func (s *server) staffFundAdd(w http.ResponseWriter, r *http.Request) error {
	f := form.New()
	var pdf []byte
	err := r.ParseMultipartForm(reports.MaxFundForm) //nolint:gosec // outside bounds every body by its route
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		f.Add("file", "fund.large")
	case err != nil:
		return problem.Invalid("form.unreadable")
	default:
		defer func() { _ = r.MultipartForm.RemoveAll() }()
		f.Set("name", r.PostFormValue("name"))
		if file, _, err := r.FormFile("file"); err == nil {
			defer file.Close()
			if pdf, err = io.ReadAll(file); err != nil {
				return problem.Invalid("form.unreadable")
			}
		}
		if _, err := reports.FundFields(pdf); err != nil {
			bad := problem.As(err)
			if bad == nil {
				return err
			}
			f.Add("file", bad.Code, bad.Args...)
		}
	}
	if f.OK() {
		actor, _ := s.actorOf(r)
		id, err := s.attestations().AddFundForm(r.Context(), actor, f.Text("name"), pdf)
		if err := f.Take(err); err != nil {
			return err
		}
		if f.OK() {
			return seeOther(w, r, fundPath+"/"+id.String())
		}
	}
	p, err := s.staffFundsPage(r, f)
	if err != nil {
		return err
	}
	return s.refuse(w, r, "staff/attestation/funds", f, p)
}

// staffFundPage matches the fields of one form with our values.
type staffFundPage struct {
	staffPage
	Fund   ledger.FundForm
	Form   *form.Form
	Fields []fundField
	Values []choice
}

type fundField struct{ Input, Name string }

func (s *server) staffFundPage(r *http.Request) (*staffFundPage, error) {
	fund, pdf, err := s.attestations().FundForm(r.Context(), pathID(r))
	if err != nil {
		return nil, err
	}
	base, _, err := s.staff(r, s.locale(r).T("fund.title_one", fund.Name), staffAttestationPath)
	if err != nil {
		return nil, err
	}
	p := &staffFundPage{staffPage: base, Fund: fund, Form: form.New()}
	p.Back = &page.Link{URL: fundPath, Text: p.L.T("fund.title")}
	p.Values = []choice{{Text: p.L.T("fund.leave")}}
	for _, v := range reports.FundValues {
		p.Values = append(p.Values, choice{Value: v, Text: p.L.T("fund.value." + v)})
	}
	names, err := reports.FundFields(pdf)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		input := "field_" + strconv.Itoa(i)
		p.Fields = append(p.Fields, fundField{Input: input, Name: name})
		p.Form.Set(input, fund.Fields[name])
	}
	return p, nil
}

// staffFund shows the fields of a form.
func (s *server) staffFund(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffFundPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/attestation/fund", p)
}

// staffFundMatch keeps what goes where.
func (s *server) staffFundMatch(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.staffFundPage(r)
	if err != nil {
		return err
	}
	fields := map[string]string{}
	for _, field := range p.Fields {
		if v := f.Text(field.Input); slices.Contains(reports.FundValues, v) {
			fields[field.Name] = v
		}
	}
	actor, _ := s.actorOf(r)
	if err := s.attestations().MatchFundForm(r.Context(), actor, p.Fund.ID, fields); err != nil {
		return err
	}
	s.flash(w, "flash.settings_saved")
	return seeOther(w, r, fundPath)
}

// staffFundRetire takes a form out of use.
func (s *server) staffFundRetire(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	if err := s.attestations().RetireFundForm(r.Context(), actor, pathID(r)); err != nil {
		return err
	}
	s.flash(w, "flash.settings_saved")
	return seeOther(w, r, fundPath)
}
