package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// familyStaff is the base of the office's pages about families.
func (s *server) familyStaff(r *http.Request, title string) (staffPage, error) {
	base, _, err := s.staff(r, title, "/gestion/familles")
	base.Back = &page.Link{URL: "/gestion/familles", Text: base.L.T("staff.family.title")}
	return base, err
}

// staffFamiliesPage leads to everything about families.
type staffFamiliesPage struct {
	staffPage
	Doubles int
	Paper   int // guardians that nobody signs in for
	Ending  []endingBlock
	Form    *form.Form
	CanSet  bool
	Can     bool
}

// endingBlock is a block whose decision ends soon or has ended.
type endingBlock struct {
	GuardianID   uuid.UUID
	ChildID      uuid.UUID
	Guardian     string
	Child        string
	DecidedUntil civil.Date
}

func (s *server) staffFamilies(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffFamiliesPage(r, nil)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/family/families", p)
}

func (s *server) staffFamiliesPage(r *http.Request, f *form.Form) (*staffFamiliesPage, error) {
	ctx := r.Context()
	base, err := s.familyStaff(r, s.locale(r).T("staff.family.title"))
	if err != nil {
		return nil, err
	}
	base.Back = nil
	p := &staffFamiliesPage{staffPage: base, Form: f, CanSet: s.can(r, maySet), Can: s.can(r, mayDecide)}
	err = s.DB.QueryRow(ctx, `
		SELECT (SELECT count(*)::int FROM duplicate WHERE state = 'open'),
		  (SELECT count(*)::int FROM guardian WHERE account_id IS NULL AND merged_into IS NULL AND kind = 'person')`).Scan(&p.Doubles, &p.Paper)
	if err != nil {
		return nil, fmt.Errorf("counting families: %w", err)
	}
	rows, err := s.DB.Query(ctx, `
		SELECT b.guardian_id, b.child_id, trim(g.first_name || ' ' || g.last_name) AS guardian, trim(c.first_name || ' ' || c.last_name) AS child, b.decided_until
		FROM guardianship_block AS b
		JOIN guardian AS g ON g.id = b.guardian_id
		JOIN child AS c ON c.id = b.child_id
		WHERE b.lifted_on IS NULL
		  AND b.decided_until <= @soon
		ORDER BY b.decided_until, b.id`,
		pgx.NamedArgs{"soon": s.today().AddDays(30)})
	if err != nil {
		return nil, fmt.Errorf("reading the blocks that end: %w", err)
	}
	if p.Ending, err = pgx.CollectRows(rows, pgx.RowToStructByName[endingBlock]); err != nil {
		return nil, fmt.Errorf("reading the blocks that end: %w", err)
	}
	if p.Form == nil {
		codes, err := household.Postcodes(ctx, s.DB)
		if err != nil {
			return nil, err
		}
		consent, err := household.ConsentAsked(ctx, s.DB)
		if err != nil {
			return nil, err
		}
		p.Form = form.New().Set("postcodes", strings.Join(codes, " "))
		if consent {
			p.Form.Set("consent", "oui")
		}
	}
	return p, nil
}

func (s *server) staffFamiliesSettings(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	if err := f.Take(s.Household.SaveSettings(r.Context(), actor, f.Text("postcodes"), f.Checked("consent"))); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.staffFamiliesPage(r, f)
		if err != nil {
			return err
		}
		return s.refuse(w, r, "staff/family/families", f, p)
	}
	s.flash(w, "flash.family_settings")
	return seeOther(w, r, "/gestion/familles")
}

// staffFamilyPage is a household: its adults, and everybody who may do something for its children.
type staffFamilyPage struct {
	staffPage
	Name      string
	Guardians []familyAdult
	Children  []familyChild
	Query     string
	Form      *form.Form
	Found     []foundChild
	Can       bool
	ID        uuid.UUID
	CanTariff bool
}

// familyAdult is an adult of a household.
type familyAdult struct {
	ID        uuid.UUID
	Kind      string
	FirstName string
	LastName  string
	Email     string
	Phone     string
	Street    string
	Postcode  string
	City      string
	SignsIn   bool
}

// Name returns the first and last name.
func (a familyAdult) Name() string { return strings.TrimSpace(a.FirstName + " " + a.LastName) }

// familyChild is a child of a household with who is linked to it.
type familyChild struct {
	ID        uuid.UUID
	FirstName string
	LastName  string
	BirthDate civil.Date
	Links     []familyLink
	Addresses []household.Address
	Resident  bool
	Source    string
}

// familyLink is a guardianship or a block, past and coming ones too.
type familyLink struct {
	ChildID     uuid.UUID
	GuardianID  uuid.UUID
	Guardian    string
	HouseholdID uuid.UUID
	Basis       string
	Rights      []string
	Proof       string
	ValidFrom   civil.Date
	ValidUntil  civil.Date
	Blocked     bool
	Decision    string // of the block that holds
	BlockUntil  civil.Date
	Holds       bool
}

func (s *server) staffFamily(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), pathID(r)
	base, err := s.familyStaff(r, "")
	if err != nil {
		return err
	}
	p := &staffFamilyPage{staffPage: base, ID: id, CanTariff: s.can(r, mayAdmitOrSocial), Query: form.Query(r).Text("enfant"), Form: form.Query(r), Can: s.can(r, mayDecide)}
	rows, err := s.DB.Query(ctx, `
		SELECT g.id, g.kind, g.first_name, g.last_name, g.email, g.phone, g.street, g.postcode, g.city, g.account_id IS NOT NULL AS signs_in
		FROM guardian AS g
		WHERE g.household_id = @id
		  AND g.merged_into IS NULL
		ORDER BY g.created_at, g.id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return fmt.Errorf("reading household %s: %w", id, err)
	}
	if p.Guardians, err = pgx.CollectRows(rows, pgx.RowToStructByName[familyAdult]); err != nil {
		return fmt.Errorf("reading household %s: %w", id, err)
	}
	if len(p.Guardians) == 0 {
		return problem.NotFound("household.family_not_found")
	}
	p.Name = p.Guardians[0].LastName
	p.Title = p.L.T("staff.family.of", p.Name)
	if p.Children, err = s.familyChildren(ctx, id); err != nil {
		return err
	}
	if words := foldWords(p.Query); len(words) > 0 {
		search := &staffSearchPage{}
		if err := s.findPeople(ctx, search, words); err != nil {
			return err
		}
		p.Found = search.Children
	}
	return s.render(w, r, http.StatusOK, "staff/family/family", p)
}

// familyChildren returns the children of a household, and those that its adults only act for.
func (s *server) familyChildren(ctx context.Context, householdID uuid.UUID) ([]familyChild, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT DISTINCT c.id, c.first_name, c.last_name, c.birth_date
		FROM child AS c
		WHERE c.merged_into IS NULL
		  AND (
			EXISTS (SELECT 1 FROM household_child AS hc WHERE hc.child_id = c.id AND hc.household_id = @id)
			OR EXISTS (SELECT 1 FROM guardianship AS gs JOIN guardian AS g ON g.id = gs.guardian_id WHERE gs.child_id = c.id AND g.household_id = @id)
		  )
		ORDER BY c.birth_date, c.id`,
		pgx.NamedArgs{"id": householdID})
	if err != nil {
		return nil, fmt.Errorf("reading the children of household %s: %w", householdID, err)
	}
	children, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[familyChild])
	if err != nil {
		return nil, fmt.Errorf("reading the children of household %s: %w", householdID, err)
	}
	ids := make([]uuid.UUID, len(children))
	for i, c := range children {
		ids[i] = c.ID
	}
	links, err := s.familyLinks(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range children {
		c := &children[i]
		for _, l := range links {
			if l.ChildID == c.ID {
				c.Links = append(c.Links, l)
			}
		}
		if c.Addresses, err = s.Household.Addresses(ctx, c.ID); err != nil {
			return nil, err
		}
		if c.Resident, c.Source, err = s.Household.Resident(ctx, s.DB, c.ID, s.today()); err != nil {
			return nil, err
		}
	}
	return children, nil
}

// familyLinks returns who is, was or will be linked to children, and who is blocked without a link too.
func (s *server) familyLinks(ctx context.Context, childIDs []uuid.UUID) ([]familyLink, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT l.child_id, l.guardian_id, trim(g.first_name || ' ' || g.last_name) AS guardian, g.household_id,
		  coalesce(gs.basis, '') AS basis, coalesce(gs.rights, '{}') AS rights, coalesce(gs.proof, '') AS proof,
		  gs.valid_from, gs.valid_until,
		  b.id IS NOT NULL AS blocked, coalesce(b.decision, '') AS decision, b.decided_until AS block_until,
		  coalesce(gs.valid_from <= @today AND (gs.valid_until IS NULL OR gs.valid_until >= @today), false) AND b.id IS NULL AS holds
		FROM (
			SELECT child_id, guardian_id FROM guardianship WHERE child_id = ANY(@children)
			UNION
			SELECT child_id, guardian_id FROM guardianship_block WHERE child_id = ANY(@children)
		) AS l
		JOIN guardian AS g ON g.id = l.guardian_id
		LEFT JOIN guardianship AS gs ON gs.child_id = l.child_id AND gs.guardian_id = l.guardian_id
		LEFT JOIN guardianship_block AS b ON b.child_id = l.child_id AND b.guardian_id = l.guardian_id AND b.lifted_on IS NULL
		ORDER BY g.last_name, g.first_name, g.id, gs.valid_from`,
		pgx.NamedArgs{"children": childIDs, "today": s.today()})
	if err != nil {
		return nil, fmt.Errorf("reading links: %w", err)
	}
	links, err := pgx.CollectRows(rows, pgx.RowToStructByName[familyLink])
	if err != nil {
		return nil, fmt.Errorf("reading links: %w", err)
	}
	return links, nil
}

// staffLinkPage is what one adult may do for one child, to grant, end or block.
type staffLinkPage struct {
	staffPage
	Guardian household.Guardian
	Child    familyChild
	Links    []familyLink
	Blocks   []household.Block // open ones
	Bases    []choice
	Rights   []choice
	Form     *form.Form
	Block    *form.Form
	URL      string
}

func childVar(r *http.Request) uuid.UUID {
	id, _ := uuid.Parse(mux.Vars(r)["child"])
	return id
}

func (s *server) staffLinkPage(r *http.Request) (*staffLinkPage, error) {
	ctx, childID := r.Context(), childVar(r)
	base, err := s.familyStaff(r, "")
	if err != nil {
		return nil, err
	}
	p := &staffLinkPage{staffPage: base, Form: form.New(), Block: form.New()}
	if p.Guardian, err = s.Household.Guardian(ctx, pathID(r)); err != nil {
		return nil, err
	}
	rows, err := s.DB.Query(ctx, `SELECT id, first_name, last_name, birth_date FROM child WHERE id = @id AND merged_into IS NULL`, pgx.NamedArgs{"id": childID})
	if err != nil {
		return nil, fmt.Errorf("reading child %s: %w", childID, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[familyChild])
	if err != nil {
		return nil, fmt.Errorf("reading child %s: %w", childID, err)
	}
	if len(found) == 0 {
		return nil, errNoChild
	}
	p.Child = found[0]
	all, err := s.familyLinks(ctx, []uuid.UUID{childID})
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		if l.GuardianID == p.Guardian.ID {
			p.Links = append(p.Links, l)
		}
	}
	blocks, err := s.Household.Blocks(ctx, s.DB, childID)
	if err != nil {
		return nil, err
	}
	p.Blocks = slices.DeleteFunc(blocks, func(b household.Block) bool { return b.GuardianID != p.Guardian.ID || !b.LiftedOn.IsZero() })
	for _, b := range household.Bases {
		p.Bases = append(p.Bases, choice{Value: string(b), Text: p.L.T("household.basis." + string(b)), Hint: rightNames(p.L, household.Preset(b))})
	}
	for _, v := range household.Rights {
		p.Rights = append(p.Rights, choice{Value: string(v), Text: p.L.T("household.right." + string(v))})
	}
	p.URL = "/gestion/liens/" + p.Guardian.ID.String() + "/" + childID.String()
	p.Title = p.L.T("staff.family.link", p.Guardian.Name(), p.Child.FirstName)
	p.Back = &page.Link{URL: "/gestion/familles/" + p.Guardian.HouseholdID.String(), Text: p.L.T("staff.family.of", p.Guardian.LastName)}
	return p, nil
}

func (s *server) staffLink(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffLinkPage(r)
	if err != nil {
		return err
	}
	p.Form.SetDate("from", s.today())
	for _, l := range p.Links {
		if l.ValidUntil.IsZero() && l.Basis != "" {
			p.Form.Set("basis", l.Basis).Set("rights", l.Rights...).Set("proof", l.Proof)
		}
	}
	return s.render(w, r, http.StatusOK, "staff/family/link", p)
}

// staffLinkSave grants rights from a day on; what was granted before ends the day before.
func (s *server) staffLinkSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	g := household.Grant{Basis: household.Basis(f.Text("basis")), Proof: f.Text("proof"), From: f.Date("from"), Until: f.Date("until")}
	for _, v := range f.All("rights") { // none ticked takes the preset of the basis
		g.Rights = append(g.Rights, household.Right(v))
	}
	if f.Text("proof") == "" && !slices.Contains([]household.Basis{household.BasisParentalAuthority, household.BasisStepParent, household.BasisOther}, g.Basis) {
		f.Add("proof", "staff.family.proof_needed")
	}
	if f.OK() {
		if err := f.Take(s.Household.Grant(r.Context(), actor, pathID(r), childVar(r), g)); err != nil {
			return err
		}
	}
	if !f.OK() {
		return s.refuseLink(w, r, f, nil)
	}
	s.flash(w, "flash.link_saved")
	return s.toLink(w, r)
}

func (s *server) refuseLink(w http.ResponseWriter, r *http.Request, link, block *form.Form) error {
	p, err := s.staffLinkPage(r)
	if err != nil {
		return err
	}
	f := link
	if link != nil {
		p.Form = link
	} else {
		p.Block, f = block, block
	}
	return s.refuse(w, r, "staff/family/link", f, p)
}

func (s *server) toLink(w http.ResponseWriter, r *http.Request) error {
	return seeOther(w, r, "/gestion/liens/"+pathID(r).String()+"/"+childVar(r).String())
}

// staffLinkEnd ends every right; the last day is yesterday, so that it counts at once.
func (s *server) staffLinkEnd(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	if err := s.Household.End(r.Context(), actor, pathID(r), childVar(r), s.today().AddDays(-1)); err != nil {
		return err
	}
	s.flash(w, "flash.link_ended")
	return s.toLink(w, r)
}

func (s *server) staffBlock(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	in := household.BlockForm{Decision: f.Text("decision"), From: f.Date("block_from"), Until: f.Date("until_block")}
	if f.OK() {
		_, err := s.Household.Block(r.Context(), actor, pathID(r), childVar(r), in)
		if p := problem.As(err); p != nil {
			for i := range p.Fields {
				if p.Fields[i].Name == "until" {
					p.Fields[i].Name = "until_block"
				}
			}
		}
		if err := f.Take(err); err != nil {
			return err
		}
	}
	if !f.OK() {
		return s.refuseLink(w, r, nil, f)
	}
	s.flash(w, "flash.blocked")
	return s.toLink(w, r)
}

func (s *server) staffUnblock(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	if err := s.Household.Unblock(r.Context(), actor, pathID(r), s.today(), f.Text("reason")); err != nil {
		return err
	}
	s.flash(w, "flash.unblocked")
	return seeOther(w, r, safeNext(f.Text("to"), "/gestion/familles"))
}
