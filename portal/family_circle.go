package portal

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// familyCirclePage is « Ma famille »: each child with what one may do for it and who else is there.
type familyCirclePage struct {
	page.Base
	Guardian household.Guardian
	Several  bool // acts for more than one guardian
	Children []circleChild
	Codes    []familyCode
	CanAsk   bool // may invite for at least one child
}

// circleChild is a child with its circle.
type circleChild struct {
	household.Child
	Resident bool
	Source   string // of the residence; "" while the commune has set no postcodes
	Shares   bool   // lets the others see how to reach it
	Others   []household.OtherGuardian
}

// familyCode is a code that was given, in words.
type familyCode struct {
	household.Code
	Names string // first names of the children
	Live  bool
}

func (s *server) familyCircle(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	p := &familyCirclePage{Base: s.familyBase(r, "family.circle.title"), Guardian: g.guardian}
	acts, err := s.Household.ActsFor(ctx, g.account.ID)
	if err != nil {
		return err
	}
	p.Several = len(acts) > 1
	children, err := s.Household.Children(ctx, g.guardian.ID)
	if err != nil {
		return err
	}
	others, err := s.Household.OtherGuardians(ctx, g.guardian.ID)
	if err != nil {
		return err
	}
	codes, err := household.Postcodes(ctx, s.DB)
	if err != nil {
		return err
	}
	rows, err := s.DB.Query(ctx, `
		SELECT DISTINCT child_id
		FROM guardianship
		WHERE guardian_id = @guardian
		  AND shares_contact`,
		pgx.NamedArgs{"guardian": g.guardian.ID})
	if err != nil {
		return err
	}
	shared, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	for _, c := range children {
		one := circleChild{Child: c, Shares: slices.Contains(shared, c.ID)}
		if len(codes) > 0 {
			if one.Resident, one.Source, err = s.Household.Resident(ctx, s.DB, c.ID, s.today()); err != nil {
				return err
			}
		}
		for _, o := range others {
			if o.ChildID == c.ID {
				one.Others = append(one.Others, o)
			}
		}
		p.CanAsk = p.CanAsk || c.Can(household.RightRegister)
		p.Children = append(p.Children, one)
	}
	if p.Codes, err = s.familyCodes(r, g, children); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "family/circle", p)
}

func (s *server) familyCodes(r *http.Request, g parent, children []household.Child) ([]familyCode, error) {
	codes, err := s.Household.Codes(r.Context(), g.guardian.ID)
	if err != nil {
		return nil, err
	}
	list := make([]familyCode, len(codes))
	for i, c := range codes {
		var names []string
		for _, k := range children {
			if slices.Contains(c.ChildIDs, k.ID) {
				names = append(names, k.FirstName)
			}
		}
		list[i] = familyCode{Code: c, Names: strings.Join(names, ", "), Live: c.Live(s.Now())}
	}
	return list, nil
}

// familyShare says whether the other adults of a child see one's e-mail address and telephone.
func (s *server) familyShare(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	if err := s.Household.ShareContact(r.Context(), g.guardian.ID, pathID(r), f.Text("partager") == "oui"); err != nil {
		return err
	}
	s.flash(w, "flash.contact_shared")
	return seeOther(w, r, "/mon-espace/famille")
}

// familyInvitePage asks for whom a code is, and what it gives.
type familyInvitePage struct {
	page.Base
	Form     *form.Form
	Children []choice
	Bases    []choice
	What     []choice // the usual rights, or chosen ones
	Rights   []choice
}

// familyInvitePage fills in what the guardian may give: its children whom it may register, and its rights on them.
func (s *server) familyInvitePage(r *http.Request, g parent, f *form.Form) (*familyInvitePage, error) {
	p := &familyInvitePage{Base: s.familyBase(r, "family.invite.title"), Form: f}
	p.Back = &page.Link{URL: "/mon-espace/famille", Text: p.L.T("family.circle.title")}
	children, err := s.Household.Children(r.Context(), g.guardian.ID)
	if err != nil {
		return nil, err
	}
	var rights []household.Right
	for _, c := range children {
		if c.Can(household.RightRegister) {
			p.Children = append(p.Children, choice{Value: c.ID.String(), Text: c.Name()})
			rights = append(rights, c.Rights...)
		}
	}
	if len(p.Children) == 0 {
		return nil, problem.Forbidden("family.invite.no_right")
	}
	for _, b := range household.InviteBases {
		p.Bases = append(p.Bases, choice{Value: string(b), Text: p.L.T("household.basis." + string(b)), Hint: rightNames(p.L, household.Preset(b))})
	}
	p.What = []choice{{Value: "usual", Text: p.L.T("family.invite.usual")}, {Value: "chosen", Text: p.L.T("family.invite.chosen")}}
	for _, v := range household.Rights {
		if slices.Contains(rights, v) && v != household.RightSee {
			p.Rights = append(p.Rights, choice{Value: string(v), Text: p.L.T("household.right." + string(v))})
		}
	}
	return p, nil
}

// rightNames writes rights as a list of words.
func rightNames(l *locale.Locale, rights []household.Right) string {
	names := make([]string, len(rights))
	for i, v := range rights {
		names[i] = l.T("household.right." + string(v))
	}
	return strings.Join(names, ", ")
}

func (s *server) familyInviteNew(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f := form.New().Set("what", "usual")
	p, err := s.familyInvitePage(r, g, f)
	if err != nil {
		return err
	}
	var all []string
	for _, c := range p.Children {
		all = append(all, c.Value)
	}
	f.Set("children", all...)
	return s.render(w, r, http.StatusOK, "family/invite", p)
}

// familyInviteCreate makes a code and shows it.
func (s *server) familyInviteCreate(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	in := household.Invite{Basis: household.Basis(f.Text("basis"))}
	for _, v := range f.All("children") {
		if id, err := uuid.Parse(v); err == nil {
			in.ChildIDs = append(in.ChildIDs, id)
		}
	}
	if f.Text("what") == "chosen" {
		in.Rights = []household.Right{household.RightSee}
		for _, v := range f.All("rights") {
			in.Rights = append(in.Rights, household.Right(v))
		}
	}
	code, err := s.Household.Invite(r.Context(), g.guardian.ID, in)
	if err := f.Take(err); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.familyInvitePage(r, g, f)
		if err != nil {
			return err
		}
		return s.refuse(w, r, "family/invite", f, p)
	}
	return seeOther(w, r, "/mon-espace/famille/codes/"+code.ID.String())
}

// familyCodePage shows one code to hand over.
type familyCodePage struct {
	page.Base
	Code   familyCode
	Rights string
	URL    string // where it is typed in
	Until  time.Time
}

func (s *server) familyCodeShow(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	children, err := s.Household.Children(r.Context(), g.guardian.ID)
	if err != nil {
		return err
	}
	codes, err := s.familyCodes(r, g, children)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(codes, func(c familyCode) bool { return c.ID == pathID(r) })
	if i < 0 {
		return problem.NotFound("household.code_not_found")
	}
	p := &familyCodePage{Base: s.familyBase(r, "family.code.title"), Code: codes[i], URL: s.PublicURL + "/mon-espace/famille/code", Until: codes[i].ExpiresAt}
	p.Rights = rightNames(p.L, codes[i].Rights)
	p.Back = &page.Link{URL: "/mon-espace/famille", Text: p.L.T("family.circle.title")}
	return s.render(w, r, http.StatusOK, "family/code", p)
}

// familyCodeCancel takes a code back.
func (s *server) familyCodeCancel(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	if err := s.Household.CancelCode(r.Context(), g.guardian.ID, pathID(r)); err != nil {
		return err
	}
	s.flash(w, "flash.code_cancelled")
	return seeOther(w, r, "/mon-espace/famille")
}

// familyCodeAskPage asks for a code: from another adult, or from a letter of the commune.
type familyCodeAskPage struct {
	page.Base
	Form *form.Form
}

func (s *server) familyCodeAskPage(r *http.Request, f *form.Form) *familyCodeAskPage {
	return &familyCodeAskPage{Base: s.familyBase(r, "family.code_use.title"), Form: f}
}

func (s *server) familyCodeAsk(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, "family/code_use", s.familyCodeAskPage(r, form.New()))
}

// familyCodeUse gives what a code stands for. Whoever must not know of a child reads what a wrong code says.
func (s *server) familyCodeUse(w http.ResponseWriter, r *http.Request) error {
	a, err := s.identify(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	code, err := s.Household.UseCode(r.Context(), a.ID, clientAddr(r), f.Text("code"))
	if p := problem.As(err); p != nil && p.Kind == problem.KindConflict {
		if p.Code == "household.details_first" {
			s.flash(w, "flash.details_first")
			return seeOther(w, r, "/mon-espace/coordonnees?suite=/mon-espace/famille/code")
		}
		f.Add("code", p.Code, p.Args...)
		err = nil
	}
	if err := f.Take(err); err != nil {
		return err
	}
	if !f.OK() {
		return s.refuse(w, r, "family/code_use", f, s.familyCodeAskPage(r, f))
	}
	if code.Kind == household.CodeClaim {
		s.flash(w, "flash.family_claimed")
	} else {
		s.flash(w, "flash.family_joined")
	}
	return seeOther(w, r, "/mon-espace/famille")
}
