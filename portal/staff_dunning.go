package portal

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/dunning"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
	"ribambelle/reports"
)

const (
	dunningPath = financePath + "/rappels"
	claimPath   = financePath + "/creances/"
)

// staffDunningRoutes are the pages about reminders and complaints.
func (s *server) staffDunningRoutes() []route {
	return []route{
		{get, dunningPath, mayFinance, s.staffDunning},
		{get, dunningPath + "/apercu", mayFinance, s.staffDunningPreview},
		{post, dunningPath, mayFinance, s.staffDunningDecide},
		{get, dunningPath + "/courriers.pdf", mayFinance, s.staffDunningLetters},
		{get, dunningPath + "/" + idPart + ".pdf", mayFinance, s.staffDunningPDF},
		{get, claimPath + idPart, mayFinance, s.staffClaim},
		{post, claimPath + idPart + "/contestation", mayFinance, s.staffComplain},
		{post, financePath + "/contestations/" + idPart, mayFinance, s.staffAnswer},
	}
}

func (s *server) dunning() *dunning.Store { return dunning.New(s.DB, s.Now, s.Jobs) }

// dunningSize is the number of late dues on one page, and the most that one decision takes.
const dunningSize = 100

// staffDunningPage lists what is late, with what may follow.
type staffDunningPage struct {
	financeBase
	Cases   []dunning.Case
	Today   civil.Date
	Letters int // of today, to print
	Bad     bool
}

// Choice is the value of a case's box: the due and the step that was seen, so that no other one is taken.
func (p *staffDunningPage) Choice(c dunning.Case) string {
	return c.DueID.String() + " " + string(c.Next)
}

func (s *server) staffDunning(w http.ResponseWriter, r *http.Request) error {
	p := &staffDunningPage{Today: s.today()}
	var err error
	p.Cases, err = s.dunning().Cases(r.Context(), dunningSize+1, (pageNumber(r)-1)*dunningSize)
	if problem.Is(err, problem.KindInvalid) {
		p.Bad = true // the settings are no rules: the page says where to mend them
	} else if err != nil {
		return err
	}
	letters, err := s.dunning().Letters(r.Context(), s.today())
	if err != nil {
		return err
	}
	p.Letters = len(letters)
	if p.financeBase, err = s.financeBase(r, s.locale(r).T("dunning.title")); err != nil {
		return err
	}
	p.turn(r, len(p.Cases) > dunningSize)
	p.Cases = p.Cases[:min(len(p.Cases), dunningSize)]
	return s.render(w, r, http.StatusOK, "staff/finance/dunning", p)
}

// choices reads the boxes that were ticked.
func choices(f *form.Form) []dunning.Choice {
	var list []dunning.Choice
	for _, v := range f.All("choice") {
		due, step, _ := strings.Cut(v, " ")
		if id, err := uuid.Parse(due); err == nil && len(list) < dunningSize {
			list = append(list, dunning.Choice{DueID: id, Step: dunning.Step(step), Way: f.Text("way")})
		}
	}
	return list
}

// staffDunningPreviewPage shows each letter before anything is decided.
type staffDunningPreviewPage struct {
	financeBase
	Letters []previewed
	Passed  int // that may not be taken now
	Way     string
}

// previewed is one letter as it would be.
type previewed struct {
	dunning.Record
	Choice string
	Doc    documentView
}

func (s *server) staffDunningPreview(w http.ResponseWriter, r *http.Request) error {
	f := form.Query(r)
	p := &staffDunningPreviewPage{Way: f.Text("way")}
	for _, v := range choices(f) {
		record, err := s.dunning().Preview(r.Context(), v)
		if problem.Is(err, problem.KindConflict) || problem.Is(err, problem.KindNotFound) {
			p.Passed++
			continue
		}
		if err != nil {
			return err
		}
		p.Letters = append(p.Letters, previewed{Record: record, Choice: v.DueID.String() + " " + string(v.Step), Doc: s.document(r, record.Content, "")})
	}
	if len(p.Letters) == 0 {
		s.flash(w, "flash.dunning_none")
		return seeOther(w, r, dunningPath)
	}
	var err error
	if p.financeBase, err = s.financeBase(r, s.locale(r).T("dunning.preview")); err != nil {
		return err
	}
	p.Back = &page.Link{URL: dunningPath, Text: p.L.T("dunning.title")}
	return s.render(w, r, http.StatusOK, "staff/finance/dunning_preview", p)
}

// staffDunningDecide takes the steps that were previewed.
func (s *server) staffDunningDecide(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	n, err := s.dunning().Decide(r.Context(), actor, choices(f))
	if err != nil {
		return err
	}
	if n == 0 {
		s.flash(w, "flash.dunning_none")
	} else {
		s.flash(w, "flash.dunning_done")
	}
	return seeOther(w, r, dunningPath)
}

// staffDunningPDF hands out the letter of a step.
func (s *server) staffDunningPDF(w http.ResponseWriter, r *http.Request) error {
	record, err := s.dunning().Read(r.Context(), pathID(r))
	if err != nil {
		return err
	}
	f, err := reports.Letter(record)
	if err != nil {
		return err
	}
	return s.sendFile(w, f)
}

// staffDunningLetters hands out the letters of today that go by post, to print at once.
func (s *server) staffDunningLetters(w http.ResponseWriter, r *http.Request) error {
	letters, err := s.dunning().Letters(r.Context(), s.today())
	if err != nil {
		return err
	}
	if len(letters) == 0 {
		return problem.NotFound("dunning.not_found")
	}
	f, err := reports.Letters(letters)
	if err != nil {
		return err
	}
	return s.sendFile(w, f)
}

// staffClaimPage is one due: what is owed, the steps, the complaints.
type staffClaimPage struct {
	financeBase
	DueID      uuid.UUID
	Case       *dunning.Case // nil when nothing of it is late
	Steps      []dunning.Record
	Complaints []dunning.Complaint
	Form       *form.Form
	Key        string
	Answering  uuid.UUID // the complaint whose answer was refused
	Outcomes   []choice
}

// Answers reports whether it was an answer that was refused.
func (p *staffClaimPage) Answers() bool { return p.Answering != uuid.Nil }

func (s *server) claimPage(r *http.Request, dueID uuid.UUID, f *form.Form) (*staffClaimPage, error) {
	p := &staffClaimPage{DueID: dueID, Form: f, Key: uuid.NewString()}
	var err error
	c, err := s.dunning().Case(r.Context(), s.DB, dueID)
	switch {
	case err == nil:
		p.Case = &c
	case !problem.Is(err, problem.KindNotFound):
		return nil, err
	}
	if p.Steps, err = s.dunning().OfDue(r.Context(), dueID); err != nil {
		return nil, err
	}
	if p.Complaints, err = s.dunning().Complaints(r.Context(), dueID); err != nil {
		return nil, err
	}
	if p.financeBase, err = s.financeBase(r, s.locale(r).T("dunning.claim")); err != nil {
		return nil, err
	}
	p.Back = &page.Link{URL: dunningPath, Text: p.L.T("dunning.title")}
	for _, o := range dunning.Outcomes {
		p.Outcomes = append(p.Outcomes, choice{Value: o, Text: p.L.T("dunning.outcome." + o)})
	}
	return p, nil
}

func (s *server) staffClaim(w http.ResponseWriter, r *http.Request) error {
	p, err := s.claimPage(r, pathID(r), form.New())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/finance/claim", p)
}

// staffComplain notes a complaint that was told to the office.
func (s *server) staffComplain(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	key, ok := f.UUID("key")
	if !ok {
		return problem.Invalid("form.unreadable")
	}
	actor, _ := s.actorOf(r)
	if err := f.Take(s.dunning().Complain(r.Context(), actor, pathID(r), f.Text("words"), key)); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.claimPage(r, pathID(r), f)
		if err != nil {
			return err
		}
		p.Key = key.String()
		return s.refuse(w, r, "staff/finance/claim", f, p)
	}
	s.flash(w, "flash.complaint_noted")
	return seeOther(w, r, claimPath+pathID(r).String())
}

// staffAnswer answers a complaint.
func (s *server) staffAnswer(w http.ResponseWriter, r *http.Request) error {
	c, err := s.dunning().Complaint(r.Context(), pathID(r))
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	if err := f.Take(s.dunning().Answer(r.Context(), actor, c.ID, f.Text("outcome"), f.Text("words"))); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.claimPage(r, c.DueID, f)
		if err != nil {
			return err
		}
		p.Answering = c.ID
		return s.refuse(w, r, "staff/finance/claim", f, p)
	}
	s.flash(w, "flash.complaint_answered")
	return seeOther(w, r, claimPath+c.DueID.String())
}
